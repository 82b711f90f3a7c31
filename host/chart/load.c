/* A chart built from its files (helm.sh/helm/v3/pkg/chart/loader). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "chart/chart.h"
#include "chart/decode.h"
#include "chart/parsing.h"
#include "chart/text.h"
#include "chart/values.h"
#include "data/gzip.h"
#include "template/template.h"

enum { SNIFFED = 512 }; /* bytes that helm looks at to tell what a file is */

/* What all levels of a chart share while it is loaded. */
typedef struct loading {
    tl_arena *arena;
    tl_chart_parsing *parsing; /* or NULL */
} loading;

static int build(tl_chart **out, const loading *l, const tl_chart_files *files, int depth, tl_error *err);

static int wrap(tl_error *err, const char *what)
{
    return tl_error_wrap(err, "%s: %s", what, err && err->message ? err->message : "");
}

static int read_lock(tl_chart *chart, tl_arena *arena, const tl_chart_file *file, tl_error *err)
{
    if (tl_decode_yaml(arena, file->data, file->size, 0, &chart->lock, err)) goto failed;
    if (chart->lock.type == TL_NULL || chart->lock.type == TL_MAP) return 0;
    tl_decode_mismatch(err, chart->lock, NULL, "chart.Lock");
failed:
    return wrap(err, file->name[0] == 'C' ? "cannot load Chart.lock" : "cannot load requirements.lock");
}

/* The Helm 2 names of Chart.lock and of the dependencies in Chart.yaml. */
static int read_requirements(tl_chart *chart, tl_arena *arena, const tl_chart_file *file, tl_error *err)
{
    tl_value *version = tl_map_gets(chart->metadata, "apiVersion");
    int is_v1 = version && tl_value_is(*version, "v1");
    if (!is_v1)
        tl_log(TL_LOG_WARN,
               "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We recommend migrating "
                            "dependencies to Chart.yaml.");
    if (!strcmp(file->name, "requirements.yaml") ? tl_chart_read_metadata(chart, arena, file, err)
                                                 : read_lock(chart, arena, file, err))
        return -1;
    if (is_v1) tl_chart_files_share(arena, &chart->files, file->name, file);
    return 0;
}

static int starts(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static int sort_file(tl_chart *chart, const loading *l, const tl_chart_file *file, tl_chart_files *below, tl_error *err)
{
    tl_arena *arena = l->arena;
    const char *name = file->name;
    if (!strcmp(name, "Chart.yaml")) return 0;
    if (!strcmp(name, "Chart.lock")) return read_lock(chart, arena, file, err);
    if (!strcmp(name, "requirements.yaml") || !strcmp(name, "requirements.lock"))
        return read_requirements(chart, arena, file, err);
    if (!strcmp(name, "values.yaml"))
        return tl_values_decode(&chart->values, arena, file->data, file->size, err)
                   ? wrap(err, "cannot load values.yaml")
                   : 0;
    if (!strcmp(name, "values.schema.json")) {
        chart->schema = file->data;
        chart->schema_size = file->size;
    } else if (starts(name, "templates/")) {
        tl_chart_files_share(arena, &chart->templates, name, file);
        tl_chart_file *added = &chart->templates.items[chart->templates.len - 1];
        if (l->parsing && !added->parsed) tl_chart_parsing_add(l->parsing, added);
    } else if (starts(name, "charts/") && !tl_text_has_suffix(name, ".prov")) {
        tl_chart_files_share(arena, below, name + 7, file);
    } else {
        tl_chart_files_share(arena, &chart->files, name, file);
    }
    return 0;
}

/* What lies under one name in charts/. */
typedef struct group {
    const char *name;
    const tl_chart_file *first;
    tl_chart_files files; /* names without the folder; what lies in charts/ itself is not here */
} group;

static void parse_templates(tl_chart *chart, const loading *l)
{
    for (size_t i = 0; l->parsing && i < chart->templates.len; i++)
        tl_chart_parsing_add(l->parsing, &chart->templates.items[i]);
}

static void adopt(tl_chart *chart, tl_chart *sub)
{
    sub->parent = chart;
    chart->charts[chart->chart_count++] = sub;
}

static int load_subchart(tl_chart *chart, const loading *l, group *g, int depth, tl_error *err)
{
    if (*g->name == '_' || *g->name == '.') return 0;
    if (g->first->built) {
        parse_templates(g->first->built, l);
        adopt(chart, g->first->built);
        return 0;
    }
    tl_chart *sub = NULL;
    if (tl_text_has_suffix(g->name, ".tgz")) {
        if (g->files.len)
            return tl_error_set(err, "chart", "error unpacking subchart tar in %s: expected %s, got %s", chart->name,
                                g->name,
                                g->first->name);
        if (tl_chart_unpack(&g->files, l->arena, g->first->data, g->first->size, err)) goto failed;
    }
    if (build(&sub, l, &g->files, depth + 1, err)) goto failed;
    adopt(chart, sub);
    return 0;
failed:
    return tl_error_wrap(err, "error unpacking subchart %s in %s: %s", g->name, chart->name,
                         err && err->message ? err->message : "");
}

static int load_subcharts(tl_chart *chart, const loading *l, const tl_chart_files *below, int depth, tl_error *err)
{
    tl_arena *arena = l->arena;
    group *groups = tl_arena_zalloc(arena, (below->len + 1) * sizeof *groups);
    tl_map *places = tl_map_new(arena, 0);
    size_t count = 0;
    for (size_t i = 0; i < below->len; i++) {
        const tl_chart_file *file = &below->items[i];
        size_t length = strcspn(file->name, "/");
        tl_value *place = tl_map_get(places, file->name, length);
        group *g = &groups[place ? (size_t)place->as.i : count];
        if (!place) {
            tl_map_set(places, file->name, length, tl_int((int64_t)count++));
            *g = (group){tl_arena_strndup(arena, file->name, length), file, {0}};
        }
        if (file->name[length] && !file->built) tl_chart_files_share(arena, &g->files, file->name + length + 1, file);
    }
    chart->charts = tl_arena_zalloc(arena, (count + 1) * sizeof *chart->charts);
    for (size_t i = 0; i < count; i++)
        if (load_subchart(chart, l, &groups[i], depth, err)) return -1;
    return 0;
}

static int build(tl_chart **out, const loading *l, const tl_chart_files *files, int depth, tl_error *err)
{
    tl_arena *arena = l->arena;
    tl_chart *chart = tl_arena_zalloc(arena, sizeof *chart);
    tl_chart_files below = {0};
    if (depth > TL_CHART_MAX_DEPTH)
        return tl_error_set(err, "chart", "charts are nested more than %d deep", TL_CHART_MAX_DEPTH);
    chart->lock = tl_null();
    chart->name = "";
    chart->raw = *files;
    const tl_chart_file *metadata = tl_chart_files_get(files, "Chart.yaml");
    if (metadata) {
        if (tl_chart_read_metadata(chart, arena, metadata, err)) return -1;
        if (!tl_map_gets(chart->metadata, "apiVersion"))
            tl_map_sets(chart->metadata, "apiVersion", tl_cstring_ref("v1")); /* Helm 2 did not ask for one */
    }
    for (size_t i = 0; i < files->len; i++) {
        const tl_chart_file *file = &files->items[i];
        if (sort_file(chart, l, file, &below, err)) return -1;
        if (file->built) i += file->built->raw.len - 1; /* the others of a subchart that is built */
    }
    if (!metadata) return tl_error_set(err, "chart", "Chart.yaml file is missing");
    if (tl_chart_validate(chart, arena, err)) return -1;
    if (load_subcharts(chart, l, &below, depth, err)) return -1;
    *out = chart;
    return 0;
}

tl_chart *tl_chart_build_ahead(tl_arena *arena, const tl_chart_files *files, const char *folder)
{
    const loading l = {arena, NULL};
    tl_chart_files own = {0};
    tl_chart *chart = NULL;
    tl_error ignored = {0};
    for (size_t i = 0; i < files->len; i++) {
        const char *name = files->items[i].name + strlen(folder) + 1;
        if (starts(name, "charts/") || starts(name, "requirements.")) return NULL;
        tl_chart_files_share(arena, &own, name, &files->items[i]);
    }
    if (!build(&chart, &l, &own, 1, &ignored)) return chart;
    tl_error_dispose(&ignored);
    return NULL;
}

int tl_chart_load_files(tl_chart **out, tl_arena *arena, const tl_chart_files *files, tl_chart_parsing *parsing,
                        tl_error *err)
{
    const loading l = {arena, parsing};
    return build(out, &l, files, 0, err);
}

/* What the first bytes look like to net/http's DetectContentType: of its types those that are taken for charts. helm
   shows it a buffer of zeros into which it read, so that a short text is none. */
static const char *content_type(const char *data, size_t size)
{
    static const char *const pages[] = {"<!doctype html", "<html", "<head", "<body", "<title"};
    if (size >= 4 && !memcmp(data, "PK\3\4", 4)) return "application/zip";
    if (size >= 5 && !memcmp(data, "%PDF-", 5)) return "application/pdf";
    const char *text = data;
    while ((size_t)(text - data) < size && strchr("\t\n\f\r ", *text) && *text) text++;
    size_t left = size - (size_t)(text - data);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        size_t length = strlen(pages[i]);
        if (left > length && !strncasecmp(text, pages[i], length) && (text[length] == ' ' || text[length] == '>'))
            return "text/html; charset=utf-8";
    }
    for (size_t i = 0; i < SNIFFED; i++) {
        unsigned char c = i < size ? (unsigned char)data[i] : 0;
        if (c <= 0x08 || c == 0x0b || (c >= 0x0e && c <= 0x1a) || (c >= 0x1c && c <= 0x1f))
            return "application/octet-stream";
    }
    return "text/plain; charset=utf-8";
}

static int load_archive(tl_chart_files *files, tl_arena *arena, const char *path, tl_error *err)
{
    const char *data;
    size_t size;
    if (tl_decode_read_file(arena, path, &data, &size, err)) return -1;
    if (!tl_gzip_is(data, size)) {
        if (tl_text_has_suffix(path, ".yml") || tl_text_has_suffix(path, ".yaml"))
            return tl_error_set(err, "chart", "file '%s' seems to be a YAML file, but expected a gzipped archive",
                                path);
        return tl_error_set(err, "chart", "file '%s' does not appear to be a gzipped archive; got '%s'", path,
                            content_type(data, size));
    }
    return tl_chart_unpack(files, arena, data, size, err);
}

int tl_chart_load(tl_chart **out, tl_arena *arena, const char *path, tl_chart_parsing *parsing, tl_error *err)
{
    struct stat st;
    tl_chart_files files = {0};
    if (stat(path, &st)) {
        if (errno == ENOENT) {
            tl_error_set(err, "not_found", "path %s not found", tl_text_quote(arena, path, strlen(path)));
            tl_error_hint(err, "a chart is a folder with a Chart.yaml, or a .tgz made of one");
            return -1;
        }
        return tl_text_errno(err, errno, "stat %s", path);
    }
    double started = tl_clock_ms();
    if (S_ISDIR(st.st_mode) ? tl_chart_read_folder(&files, arena, path, parsing, err)
                            : load_archive(&files, arena, path, err))
        return -1;
    double had_files = tl_clock_ms();
    if (tl_chart_load_files(out, arena, &files, parsing, err)) return -1;
    (*out)->dir = tl_arena_strdup(arena, path);
    tl_log(TL_LOG_DEBUG, "chart %s: read %.2f ms (%zu files), load %.2f ms", (*out)->name, had_files - started,
           files.len, tl_clock_ms() - had_files);
    return 0;
}

tl_chart *tl_chart_clone(const tl_chart *chart, tl_arena *arena)
{
    tl_chart *copy = tl_arena_alloc(arena, sizeof *copy);
    *copy = *chart;
    copy->charts = tl_arena_zalloc(arena, (chart->chart_count + 1) * sizeof *copy->charts);
    if (tl_arena_over(arena)) copy->chart_count = 0;
    for (size_t i = 0; i < copy->chart_count; i++) {
        copy->charts[i] = tl_chart_clone(chart->charts[i], arena);
        copy->charts[i]->parent = copy;
    }
    copy->deps = tl_arena_zalloc(arena, (chart->dep_count + 1) * sizeof *copy->deps);
    if (chart->dep_count) memcpy(copy->deps, chart->deps, chart->dep_count * sizeof *copy->deps);
    return copy;
}

int tl_chart_compatible(const char *constraint, const char *version)
{
    tl_error ignored = {0};
    int result = tl_semver_check(constraint, version, &ignored);
    tl_error_dispose(&ignored);
    return result == 1;
}

const char *tl_chart_full_path(const tl_chart *chart, tl_arena *arena)
{
    if (!chart->parent) return chart->name;
    return tl_arena_printf(arena, "%s/charts/%s", tl_chart_full_path(chart->parent, arena), chart->name);
}

void tl_chart_collect_crds(tl_chart_files *out, tl_arena *arena, const tl_chart *chart)
{
    for (size_t i = 0; i < chart->files.len; i++) {
        const tl_chart_file *file = &chart->files.items[i];
        const char *dot = strrchr(file->name, '.');
        if (strncmp(file->name, "crds/", 5) || !dot || strchr(dot, '/')) continue;
        size_t length = strlen(dot);
        if (!tl_text_same(dot, length, ".yaml") && !tl_text_same(dot, length, ".yml") && !tl_text_same(dot, length,
                ".json"))
            continue;
        tl_chart_files_share(arena, out,
                             tl_arena_printf(arena, "%s/%s", tl_chart_full_path(chart, arena), file->name), file);
    }
    for (size_t i = 0; i < chart->chart_count; i++) tl_chart_collect_crds(out, arena, chart->charts[i]);
}

static int has_subchart(const tl_chart *chart, const char *name)
{
    for (size_t i = 0; i < chart->chart_count; i++)
        if (!strcmp(chart->charts[i]->name, name)) return 1;
    return 0;
}

int tl_chart_check_installable(const tl_chart *chart, tl_arena *arena, tl_error *err)
{
    if (!strcmp(chart->type, "library")) return tl_error_set(err, "chart", "library charts are not installable");
    return tl_chart_check_dependencies(chart, arena, err);
}

int tl_chart_check_dependencies(const tl_chart *chart, tl_arena *arena, tl_error *err)
{
    const char *missing = NULL;
    for (size_t i = 0; i < chart->dep_count; i++) {
        const char *name = chart->deps[i].name;
        if (!has_subchart(chart, name)) missing = missing ? tl_arena_printf(arena, "%s, %s", missing, name) : name;
    }
    if (!missing) return 0;
    tl_error_set(err, "chart", "An error occurred while checking for chart dependencies. You may need to run `helm "
                 "dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: %s",
                 missing);
    tl_error_hint(err, "put the missing charts into charts/, as folders or .tgz");
    return -1;
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? parts between dots, 53 characters at most. */
int tl_chart_check_release_name(const char *name, tl_error *err)
{
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    int valid = *name && strlen(name) <= 53;
    for (const char *c = name; valid && *c; c++) {
        int edge = c == name || c[-1] == '.' || !c[1] || c[1] == '.';
        if (!strchr(alnum, *c) && (edge || (*c != '-' && *c != '.'))) valid = 0;
    }
    if (valid) return 0;
    if (!*name) return tl_error_set(err, "usage", "release name \"\": no name provided");
    return tl_error_set(err, "usage", "release name \"%s\": invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*"
                        "[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53",
                            name);
}
