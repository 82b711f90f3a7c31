#ifndef TL_CHART_VALUES_H
#define TL_CHART_VALUES_H

#include "base/error.h"
#include "chart/chart.h"
#include "data/value.h"

/* Values of charts (helm.sh/helm/v3/pkg/chartutil coalesce.go, dependencies.go; pkg/strvals; pkg/cli/values). */

/* The values of `user` over those of the chart and its subcharts, nulls removed as helm removes them. Nothing of `user`
 * is changed. NULL and *err for a subchart whose values are no map. */
tl_map *tl_values_coalesce(tl_arena *arena, const tl_chart *chart, const tl_map *user, tl_error *err);
/* The same with nulls kept (chartutil.MergeValues). */
tl_map *tl_values_merge(tl_arena *arena, const tl_chart *chart, const tl_map *user, tl_error *err);
/* Merges src into dst, dst winning (chartutil.CoalesceTables; with `merge`, MergeTables). Both may be changed. */
tl_map *tl_values_coalesce_tables(tl_arena *arena, tl_map *dst, tl_map *src, int merge);
/* b over a, as several -f files are merged; returns a new map that shares the leaves. */
tl_map *tl_values_overlay(tl_arena *arena, const tl_map *a, const tl_map *b);

/* Removes disabled dependencies, applies aliases and import-values (chartutil.ProcessDependenciesWithMerge). Changes
 * the chart: give it a clone. */
int tl_values_process_dependencies(tl_arena *arena, tl_chart *chart, const tl_map *user, tl_error *err);

typedef enum tl_set_mode { TL_SET_TYPED, TL_SET_STRING, TL_SET_JSON, TL_SET_FILE, TL_SET_LITERAL } tl_set_mode;

/* Parses one --set line (a.b=c,d[0]=e …) into `dest`. Errors are helm's, without the "failed parsing" in front. */
int tl_values_set(tl_arena *arena, tl_map *dest, const char *line, tl_set_mode mode, tl_error *err);

/* The --set flags in the order in which helm applies them, ended by a NULL flag. */
typedef struct tl_values_flag {
    tl_set_mode mode;
    const char *flag;
} tl_values_flag;
extern const tl_values_flag tl_values_flags[];
/* tl_values_set with the whole of helm's message. */
int tl_values_set_flag(tl_arena *arena, tl_map *dest, const char *line, const tl_values_flag *flag, tl_error *err);

typedef struct tl_values_options {
    const char *const *files; /* paths, "-" for standard input; later ones win */
    size_t file_count;
    const tl_map *values; /* after the files, before the flags; may be NULL */
    const char *const *set[5]; /* by tl_set_mode */
    size_t set_count[5];
} tl_values_options;

/* The user's values from files and flags, in helm's order. */
int tl_values_options_merge(tl_map **out, tl_arena *arena, const tl_values_options *options, tl_error *err);

/* Decodes YAML as helm decodes values: a map, all numbers float64; NULL for an empty file. */
int tl_values_decode(tl_map **out, tl_arena *arena, const char *text, size_t size, tl_error *err);
/* Turns every integer below `value` into a float64, as encoding/json does. */
tl_value tl_values_floats(tl_value value);

#endif
