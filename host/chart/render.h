#ifndef TL_CHART_RENDER_H
#define TL_CHART_RENDER_H

#include "chart/chart.h"
#include "chart/manifest.h"
#include "chart/script.h"
#include "template/template.h"

/* A chart rendered with values (helm.sh/helm/v3/pkg/engine, pkg/action renderResources). */

typedef struct tl_render_options {
    const char *release;   /* NULL: "release-name" */
    const char *namespace_; /* NULL: "default" */
    int revision;          /* 0: 1 */
    int is_upgrade;
    const char *kube_version; /* NULL: helm's default, 1.37.0 */
    const char *const *api_versions;
    size_t api_count;
    int live; /* kube_version and api_versions are a cluster's own: taken as they are, in place of helm's */
    int include_crds, sub_notes, lint;
    int skip_schema;
    const tl_map *defaults; /* in place of the chart's own values; NULL: those */
    tl_template_outside outside;
    const tl_script_runner *runner;   /* of the Lua in charts; NULL: it is not run */
    struct tl_chart_parsing *parsing; /* of the chart's templates; NULL: they are parsed for this render alone */
    const tl_template_wanted *wanted; /* a render for its answer alone: what the templates gave is not read */
} tl_render_options;

typedef struct tl_rendered {
    tl_chart *chart;        /* with its dependencies processed: what the release records */
    const tl_map *config;   /* the user's values */
    tl_map *values;         /* all values, as the templates found them */
    tl_rendered_file *files; /* what every template gave, partials and notes left out */
    size_t file_count;
    tl_manifests manifests, hooks; /* in install order */
    tl_chart_files crds;    /* named by their full path */
    const char *notes;
    const char *manifest;   /* the text that helm records; behind it the hooks in the same form; no NUL at the end. NULL
                               until tl_rendered_join */
    size_t manifest_size, joined_size; /* without the hooks, with them */
    int with_crds;          /* both begin with the crds */
    int merged; /* the values could be merged */
    int begun;              /* values and schema are done: what fails from here on helm tells with what was rendered */
} tl_rendered;

/* Renders into `arena`; `user` and `chart` are not changed. Errors carry helm's text; kind "lookup" where
 * outside.lookup did not know an answer. Where the rendered text is no YAML, *out holds the files and the error is
 * of kind "parse". */
int tl_chart_render(tl_rendered *out, tl_arena *arena, const tl_chart *chart, const tl_map *user,
                    const tl_render_options *options, tl_error *err);

/* Makes `manifest` in the render's arena, unless it is there. */
void tl_rendered_join(tl_rendered *rendered, tl_arena *arena);
/* Gives the same text to `put`, piece by piece. */
typedef void (*tl_rendered_put)(void *context, const char *bytes, size_t size);
void tl_rendered_pieces(const tl_rendered *rendered, tl_rendered_put put, void *context);

/* Appends all rendered files, as helm shows those that are no YAML. */
void tl_rendered_text(tl_buf *out, const tl_rendered *rendered);

#endif
