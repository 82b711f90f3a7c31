#ifndef TL_CHART_CHART_H
#define TL_CHART_CHART_H

#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"
#include "data/value.h"

/* A Helm chart in memory (helm.sh/helm/v3/pkg/chart). Everything belongs to the arena it was loaded into. */

/* What stays under these limits loads; helm's own limits (pkg/chart/loader/archive.go). */
#define TL_CHART_MAX_FILE (5u * 1024 * 1024)
#define TL_CHART_MAX_TOTAL (100u * 1024 * 1024)
/* Charts inside charts; helm has no limit, a stranger's archive needs one. */
#define TL_CHART_MAX_DEPTH 32

/* Where the content of a file is that nobody has asked for yet: most charts are rendered without their custom resource
 * definitions, dashboards and readme files, which may be nine tenths of them. */
typedef struct tl_chart_unread tl_chart_unread;
struct tl_chart_parsing;

typedef struct tl_chart_file {
    const char *name; /* relative to the chart, slashes */
    const char *data; /* NUL-ended, may hold NULs; NULL: not read yet, see tl_chart_file_read */
    size_t size;
    tl_chart_unread *unread; /* NULL where data is there */
    struct tl_chart_parsed *parsed; /* of a template: what its tl_chart_parsing makes of it, or NULL */
    struct tl_chart *built;         /* of the first file of a subchart's folder: the subchart, made ahead, or NULL */
} tl_chart_file;

typedef struct tl_chart_files {
    tl_chart_file *items;
    size_t len, cap;
} tl_chart_files;

/* One entry of Chart.yaml's `dependencies`; strings are "" where absent. */
typedef struct tl_chart_dep {
    const char *name, *version, *repository, *condition, *alias;
    tl_list *tags;          /* strings, NULL where absent */
    tl_list *import_values; /* strings and maps, NULL where absent */
    int enabled;
    int null; /* an entry without anything, which is no valid one */
} tl_chart_dep;

typedef struct tl_chart {
    struct tl_chart *parent; /* NULL for the root */
    const char *dir;         /* folder or file it came from, NULL where made from memory */
    /* Chart.yaml: strings are "" where absent. */
    const char *name, *version, *app_version, *api_version, *type, *kube_version;
    tl_map *metadata; /* the other fields of Chart.yaml as helm's struct has them, without `dependencies` */
    int deprecated;
    tl_chart_dep *deps;
    size_t dep_count;
    int has_deps; /* `dependencies` was there, were it empty */
    struct tl_chart **charts; /* subcharts */
    size_t chart_count;
    tl_chart_files templates, files, raw;
    tl_map *values;      /* values.yaml; NULL where there is no such file */
    const char *schema;  /* values.schema.json or NULL */
    size_t schema_size;
    tl_value lock;       /* Chart.lock decoded, null where absent */
} tl_chart;

/* Loads a folder or a .tgz into `arena`; templates are given to `parsing`, see chart/parsing.h, where it is not NULL.
 * Errors: "not_found", or kind "chart" with helm's message. */
int tl_chart_load(tl_chart **out, tl_arena *arena, const char *path, struct tl_chart_parsing *parsing, tl_error *err);
/* Loads from files in memory; names are relative to the chart ("Chart.yaml", "templates/a.yaml"). */
int tl_chart_load_files(tl_chart **out, tl_arena *arena, const tl_chart_files *files, struct tl_chart_parsing *parsing,
                        tl_error *err);
/* The subchart of the files in a folder, made on any thread; its templates are not given to a parsing yet. NULL where there
 * is something to be told or unpacked on the way: then it is made with its parent. */
tl_chart *tl_chart_build_ahead(tl_arena *arena, const tl_chart_files *files, const char *folder);
/* Reads the files of a packed chart (gzip, tar) without building the chart; names lose their first folder. Refuses
 * absolute paths, "..", links out, and sizes above the limits. */
int tl_chart_unpack(tl_chart_files *out, tl_arena *arena, const void *bytes, size_t size, tl_error *err);
/* Reads the files of a folder under its .helmignore rules; `arena` must outlive them, since some are read later. */
int tl_chart_read_folder(tl_chart_files *out, tl_arena *arena, const char *path, struct tl_chart_parsing *parsing,
                         tl_error *err);

/* Adds a file; `data` is kept, not copied. */
void tl_chart_files_add(tl_arena *arena, tl_chart_files *files, const char *name, const char *data, size_t size);
/* Adds the content of `file` under another name. */
void tl_chart_files_share(tl_arena *arena, tl_chart_files *files, const char *name, const tl_chart_file *file);
/* Fills *out with the file and its content. Chart.yaml, Chart.lock, values, schemas, templates and packed subcharts are
 * always there; the others are read from the folder by the first call. Errors: "chart" where the file has changed since
 * the folder was read; "errno". */
int tl_chart_file_read(tl_chart_file *out, const tl_chart_file *file, tl_error *err);
/* NULL where there is no file of that name. */
const tl_chart_file *tl_chart_files_get(const tl_chart_files *files, const char *name);

/* Reads Chart.yaml's (or requirements.yaml's) text into the chart. */
int tl_chart_read_metadata(tl_chart *chart, tl_arena *arena, const tl_chart_file *file, tl_error *err);
/* helm's Metadata.Validate. */
int tl_chart_validate(tl_chart *chart, tl_arena *arena, tl_error *err);
/* Metadata as helm's JSON has it: field order of the struct, empty fields left out. */
tl_map *tl_chart_metadata_json(const tl_chart *chart, tl_arena *arena);
/* One of its fields; 0 where it is left out. */
int tl_chart_metadata_field(const tl_chart *chart, tl_arena *arena, const char *name, tl_value *out);
/* Chart.lock as helm writes it; NULL where there is none. */
tl_map *tl_chart_lock_json(const tl_chart *chart, tl_arena *arena);

/* Adds the files of custom resource definitions, the chart's own and those of its subcharts; named by their full
 * path. */
void tl_chart_collect_crds(tl_chart_files *out, tl_arena *arena, const tl_chart *chart);

/* A copy whose dependency tree and values may be changed without touching the original (file contents are shared). */
tl_chart *tl_chart_clone(const tl_chart *chart, tl_arena *arena);
/* "parent/charts/child", for names of templates. */
const char *tl_chart_full_path(const tl_chart *chart, tl_arena *arena);

/* Whether the version satisfies the constraint; 0 too where one of them is malformed (chartutil.IsCompatibleRange). */
int tl_chart_compatible(const char *constraint, const char *version);

/* helm's refusal of charts that cannot be installed: library charts, dependencies that are missing in charts/. */
int tl_chart_check_installable(const tl_chart *chart, tl_arena *arena, tl_error *err);
/* The latter alone, which charts of upgrades are refused for. */
int tl_chart_check_dependencies(const tl_chart *chart, tl_arena *arena, tl_error *err);
/* helm's rule for release names. */
int tl_chart_check_release_name(const char *name, tl_error *err);

#endif
