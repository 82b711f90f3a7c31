#ifndef TL_CHART_ORIGIN_H
#define TL_CHART_ORIGIN_H

#include "chart/chart.h"
#include "chart/values.h"

/* Which layer each value comes from: the layers' values are marked before they are merged, so that the answer is what
 * the merge did, aliases, globals and imported values included. */

typedef enum tl_origin_kind { TL_ORIGIN_CHART, TL_ORIGIN_FILE, TL_ORIGIN_TABLE, TL_ORIGIN_FLAG } tl_origin_kind;

/* One layer: a chart's values.yaml, a values file, a table of the caller's, a --set flag. */
typedef struct tl_origin {
    tl_origin_kind kind;
    const char *name; /* "values.yaml", "charts/a/values.yaml", the file's path, the table's name, "--set a=b" */
    const char **scope; /* of a subchart: the keys below which its values stand */
    size_t scope_count;
    tl_value values; /* its own, as a map; null where it has none */
    const struct tl_yaml_node *root; /* the source of files; NULL for the others */
    uint16_t mark;
} tl_origin;

typedef struct tl_origins {
    tl_origin *items; /* what comes later wins */
    size_t len, cap;
    tl_map *merged; /* as templates see them */
    tl_arena *arena;
} tl_origins;

/* Named values between the files and the flags, the last winning. */
typedef struct tl_origin_table {
    const char *name;
    const tl_map *values;
} tl_origin_table;

typedef struct tl_origin_options {
    tl_values_options values; /* its `values` are not used */
    const tl_origin_table *tables;
    size_t table_count;
} tl_origin_options;

/* One step of a path: a key, or with index >= 0 an item of a list. */
typedef struct tl_origin_step {
    const char *key;
    size_t length;
    int64_t index;
} tl_origin_step;

typedef struct tl_origin_path {
    tl_origin_step *steps;
    size_t len;
} tl_origin_path;

/* What one layer says of a path. */
typedef struct tl_origin_answer {
    int found;
    tl_value value;
    size_t cut; /* > 0: after so many steps the layer holds something that has nothing below it */
    int line, column; /* from 1; 0 where unknown */
} tl_origin_answer;

/* Merges as tl_values_options_merge and tl_values_coalesce do, and keeps the layers. Everything lives in `arena`. */
int tl_origins_trace(tl_origins *out, tl_arena *arena, const tl_chart *chart, const tl_origin_options *options,
                     tl_error *err);
void tl_origins_ask(const tl_origins *origins, const tl_origin *layer, tl_origin_path path, tl_origin_answer *out);

/* Calls `leaf` for each merged value at or below the path that has none below itself; a list whose items come from one
 * layer is one value. `layer` is the one that won, NULL where it is not known. */
typedef void (*tl_origin_leaf)(void *context, tl_origin_path path, tl_value value, const tl_origin *layer);
void tl_origins_walk(const tl_origins *origins, tl_origin_path path, tl_origin_leaf leaf, void *context);

#endif
