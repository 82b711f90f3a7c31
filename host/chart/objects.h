#ifndef TL_CHART_OBJECTS_H
#define TL_CHART_OBJECTS_H

#include "chart/chart.h"
#include "data/value.h"

/* What templates see beside their values: .Chart, .Files and .Capabilities, with the Go types that helm gives them. */

typedef struct tl_chart_capabilities {
    const char *version, *major, *minor; /* "v1.36.3", "1", "36" */
    const char *const *api_versions;     /* in place of helm's own list where not NULL */
    size_t api_count;
    const char *const *extra; /* added to the list */
    size_t extra_count;
} tl_chart_capabilities;

/* Fills the version from text such as "1.36.3" or "v1.36" as helm's --kube-version reads it; NULL: helm's default. */
int tl_chart_kube_version(tl_chart_capabilities *out, tl_arena *arena, const char *text, tl_error *err);

/* The chart must outlive it. *names is NULL at first, and kept for the other charts of a render. */
tl_value tl_chart_object(tl_arena *arena, const tl_chart *chart, tl_map **names);
/* Files of a folder are read when a template asks for .Files; where that fails, *err says why and there are none. */
tl_value tl_files_object(tl_arena *arena, const tl_chart_files *files, tl_error *err);
tl_value tl_capabilities_object(tl_arena *arena, const tl_chart_capabilities *capabilities);

#endif
