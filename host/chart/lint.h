#ifndef TL_CHART_LINT_H
#define TL_CHART_LINT_H

#include "chart/render.h"

/* What `helm lint` says of a chart (helm.sh/helm/v3/pkg/lint). */

typedef enum tl_lint_severity { TL_LINT_INFO = 1, TL_LINT_WARNING, TL_LINT_ERROR } tl_lint_severity;

typedef struct tl_lint_message {
    tl_lint_severity severity;
    const char *path, *text;
} tl_lint_message;

typedef struct tl_lint_messages {
    tl_lint_message *items;
    size_t len, cap;
} tl_lint_messages;

/* Lints the chart in a folder with the user's values (options: namespace_, kube_version, skip_schema). Findings are no
 * errors; -1 where there is no chart at all. */
int tl_chart_lint(tl_lint_messages *out, tl_arena *arena, const char *path, const tl_map *user,
                  const tl_render_options *options, tl_error *err);

#endif
