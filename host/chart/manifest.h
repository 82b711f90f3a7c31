#ifndef TL_CHART_MANIFEST_H
#define TL_CHART_MANIFEST_H

#include <stddef.h>

#include "base/ahead.h"
#include "base/buf.h"
#include "base/error.h"
#include "data/value.h"

/* Rendered text as separate objects in the order of their installation (helm.sh/helm/v3/pkg/releaseutil). */

typedef struct tl_hook {
    const char *const *events; /* "pre-install" … */
    size_t event_count;
    int weight;
    const char *const *delete_policies;
    size_t delete_policy_count;
    const char *const *output_log_policies;
    size_t output_log_policy_count;
} tl_hook;

typedef struct tl_manifest {
    const char *path;    /* of the template: "todo-app/templates/secret.yaml" */
    const char *content; /* YAML text, trimmed, inside of the rendered file's: no NUL at its end */
    size_t size;         /* of content */
    const char *kind, *name, *api_version; /* "" where absent */
    tl_hook *hook;   /* NULL for what is no hook */
} tl_manifest;

typedef struct tl_manifests {
    tl_manifest *items;
    size_t len, cap;
} tl_manifests;

struct tl_manifest_reading;

typedef struct tl_rendered_file {
    const char *path;
    const char *text;
    size_t size;
    struct tl_manifest_reading *reading; /* see tl_manifest_read_ahead; or NULL */
} tl_rendered_file;

/* Has the documents of the file read by another thread, which may use `others`, while more files are rendered. The file need
 * not stay where it is; its reading belongs to `arena`, and must end in tl_manifest_reading_dispose. */
void tl_manifest_read_ahead(tl_rendered_file *file, tl_ahead *ahead, tl_arena *arena, tl_arena *others);
void tl_manifest_reading_dispose(struct tl_manifest_reading *reading);

/* Splits rendered files (any order) into objects, hooks apart, both in install order. Errors carry helm's text, "YAML
 * parse error on PATH: …". */
int tl_manifest_sort(tl_manifests *manifests, tl_manifests *hooks, tl_arena *arena, const tl_rendered_file *files,
                     size_t count, tl_error *err);
/* Decodes a document into `arena`, integers kept; null for one of nothing but comments. */
int tl_manifest_object(tl_value *out, tl_arena *arena, const tl_manifest *manifest, tl_error *err);
/* The documents of a YAML text, which must outlive them, as helm splits them (text only, trimmed, empty ones left out).
 * Appends to `out` with only `content` and `size` set. */
void tl_manifest_split(tl_manifests *out, tl_arena *arena, const char *text, size_t size);
/* Orders by kind for uninstalling; stable. */
void tl_manifest_sort_uninstall(tl_manifests *manifests);
void tl_manifests_add(tl_manifests *list, tl_arena *arena, tl_manifest manifest);

/* What `helm template` prints beside the recorded manifest: hooks unless told, only some templates. */
typedef struct tl_template_output {
    int no_hooks, skip_tests;
    const char *const *show_only; /* patterns of template paths without the chart's name */
    size_t show_count;
} tl_template_output;

/* Appends the output of `helm template` for a recorded manifest and its hooks. */
int tl_manifest_template_output(tl_buf *out, const char *manifest, size_t size, const tl_manifests *hooks,
                                const tl_template_output *options, tl_arena *arena, tl_error *err);

#endif
