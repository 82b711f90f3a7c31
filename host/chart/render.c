/* A chart rendered with values. */
#include "chart/render.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "chart/fault.h"
#include "chart/objects.h"
#include "chart/parsing.h"
#include "chart/schema.h"
#include "chart/text.h"
#include "chart/values.h"

#define MAX_MANIFEST (256u * 1024 * 1024)
#define MAX_TIME 60000 /* milliseconds that all templates may take: a stranger's chart must end */

/* A template of the tree of charts, with what it is executed on. */
typedef struct page {
    const char *path, *base; /* "todo-app/templates/a.yaml", "todo-app/templates" */
    size_t depth;            /* slashes in the path */
    const tl_chart *chart;
    const tl_chart_file *file;
    tl_map *root; /* shared by the templates of one chart */
} page;

typedef struct pages {
    tl_arena *arena;
    page *items;
    size_t len, cap;
    tl_value release, capabilities;
    tl_map *chart_fields;  /* see tl_chart_object */
    const tl_chart *chart; /* as it was given */
    tl_error unreadable;   /* why a file of the chart could not be read */
    tl_arena *others;      /* of the thread that reads documents ahead; NULL: none does, or they are not read */
    tl_scripts *scripts;   /* NULL where no chart has any */
} pages;

static void add_page(pages *p, page added)
{
    if (p->len == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 32;
        p->items = tl_arena_grow(p->arena, p->items, p->cap * sizeof *p->items, cap * sizeof *p->items);
        p->cap = cap;
    }
    p->items[p->len++] = added;
}

/* The values of a subchart inside those of its parent, as helm looks them up: by a dotted path. */
static tl_value subchart_values(tl_arena *arena, const tl_map *parent_root, const char *name)
{
    tl_value *found = tl_map_gets(parent_root, "Values");
    while (found && found->type == TL_MAP && name) {
        const char *dot = strchr(name, '.');
        found = tl_map_get(found->as.map, name, dot ? (size_t)(dot - name) : strlen(name));
        name = dot ? dot + 1 : NULL;
    }
    tl_value values = found && found->type == TL_MAP ? *found : tl_map_value(tl_map_new(arena, 0));
    return tl_as_go(values, TL_GO_NAMED_MAP);
}

static size_t depth_of(const char *path)
{
    size_t depth = 0;
    for (; *path; path++) depth += *path == '/';
    return depth;
}

static const char *join_path(tl_arena *arena, const char *folder, const char *name)
{
    size_t before = strlen(folder), after = strlen(name) + 1;
    char *path = tl_arena_alloc(arena, before + 1 + after);
    memcpy(path, folder, before);
    path[before] = '/';
    memcpy(path + before + 1, name, after);
    return path;
}

/* Collects the templates of a chart and its subcharts; returns the root value of this chart's templates. */
static tl_map *collect(pages *p, const tl_chart *chart, tl_value values)
{
    tl_map *root = tl_map_new(p->arena, 8), *subcharts = tl_map_new(p->arena, chart->chart_count);
    tl_map_sets(root, "Chart", tl_chart_object(p->arena, chart, &p->chart_fields));
    tl_map_sets(root, "Files", tl_files_object(p->arena, &chart->files, &p->unreadable));
    tl_map_sets(root, "Release", p->release);
    tl_map_sets(root, "Capabilities", p->capabilities);
    tl_map_sets(root, "Values", values);
    tl_map_sets(root, "Subcharts", tl_map_value(subcharts));
    for (size_t i = 0; i < chart->chart_count; i++) {
        const tl_chart *sub = chart->charts[i];
        tl_map_sets(subcharts, sub->name,
                    tl_map_value(collect(p, sub, subchart_values(p->arena, root, sub->name))));
    }
    const char *path = tl_chart_full_path(chart, p->arena), *base = join_path(p->arena, path, "templates");
    int is_library = tl_text_same(chart->type, strlen(chart->type), "library");
    for (size_t i = 0; i < chart->templates.len; i++) {
        const tl_chart_file *file = &chart->templates.items[i];
        if (is_library && !tl_text_names_partial(file->name)) continue;
        const char *full = join_path(p->arena, path, file->name);
        add_page(p, (page){full, base, depth_of(full), chart, file, root});
    }
    return root;
}

/* helm's order of parsing and of rendering: deeper first, of equal depth the last name first. */
static int by_depth(const void *a, const void *b)
{
    const page *x = a, *y = b;
    return x->depth != y->depth ? (x->depth < y->depth) - (x->depth > y->depth) : strcmp(y->path, x->path);
}

static int execute_page(tl_template_render *render, tl_arena *arena, page *p, tl_buf *out, tl_error *err)
{
    tl_map *template = tl_map_new(arena, 2);
    tl_map_sets(template, "Name", tl_cstring_ref(p->path));
    tl_map_sets(template, "BasePath", tl_cstring_ref(p->base));
    tl_map_sets(p->root, "Template", tl_as_go(tl_map_value(template), TL_GO_NAMED_MAP));
    tl_buf_clear(out);
    return tl_template_execute(render, p->path, tl_as_go(tl_map_value(p->root), TL_GO_NAMED_MAP), out, err);
}

/* What a render does in turn, for --verbose. */
typedef enum phase { PHASE_VALUES, PHASE_PARSE, PHASE_EXECUTE, PHASE_YAML, PHASES } phase;

typedef struct clockwork {
    double last, spent[PHASES]; /* milliseconds */
} clockwork;

/* Books the time since the last call to the phase that ends here. */
static void phase_ends(clockwork *w, phase ended)
{
    double now = tl_clock_ms();
    w->spent[ended] = now - w->last;
    w->last = now;
}

static int parse_page(tl_template_set *set, const pages *p, const page *page, tl_chart_parsing *parsing, tl_error *err)
{
    const tl_template_function *functions = p->scripts ? tl_scripts_functions(p->scripts, page->chart) : NULL;
    const tl_template_text *text = parsing && !functions ? tl_chart_parsing_get(parsing, page->file) : NULL;
    tl_template_set_functions(set, functions);
    if (text) return tl_template_add(set, page->path, text, err);
    return tl_template_parse(set, page->path, page->file->data, page->file->size, err);
}

static int execute_pages(tl_rendered *out, pages *p, const tl_render_options *options, clockwork *w, tl_error *err)
{
    tl_arena *arena = p->arena;
    tl_template_options how = {.outside = options->outside, .lint = options->lint, .wanted = options->wanted,
                               .max_time = MAX_TIME};
    tl_template_set *set = tl_template_set_new();
    tl_template_render *render = NULL;
    tl_buf text = TL_BUF_INIT(MAX_MANIFEST);
    int result = -1;
    for (size_t i = 0; i < p->len; i++)
        if (parse_page(set, p, &p->items[i], options->parsing, err)) goto out;
    phase_ends(w, PHASE_PARSE);
    render = tl_template_render_new(set, arena, &how);
    out->files = tl_arena_alloc(arena, (p->len + 1) * sizeof *out->files);
    for (size_t i = 0; i < p->len; i++) {
        if (tl_text_names_partial(p->items[i].path)) continue;
        if (execute_page(render, arena, &p->items[i], &text, err)) goto out;
        if (p->unreadable.message) goto out;
        if (tl_arena_over(arena)) {
            tl_error_set(err, "limit", "what the templates give is too large");
            goto out;
        }
        tl_rendered_file *file = &out->files[out->file_count++];
        *file = (tl_rendered_file){.path = p->items[i].path, .text = tl_arena_strndup(arena, text.data, text.len),
                                   .size = text.len};
        if (p->others && !tl_text_has_suffix(file->path, "NOTES.txt"))
            tl_manifest_read_ahead(file, options->parsing->ahead, arena, p->others);
    }
    phase_ends(w, PHASE_EXECUTE);
    result = 0;
out:
    tl_buf_dispose(&text);
    tl_template_render_free(render);
    tl_template_set_free(set);
    return result;
}

/* Takes the notes out of the rendered files. */
static void take_notes(tl_rendered *out, tl_arena *arena, const tl_render_options *options)
{
    tl_buf notes = TL_BUF_INIT(MAX_MANIFEST);
    const char *own = tl_arena_printf(arena, "%s/templates/NOTES.txt", out->chart->name);
    size_t kept = 0;
    for (size_t i = 0; i < out->file_count; i++) {
        const tl_rendered_file *file = &out->files[i];
        if (!tl_text_has_suffix(file->path, "NOTES.txt")) {
            out->files[kept++] = *file;
            continue;
        }
        if (!options->sub_notes && strcmp(file->path, own)) continue;
        if (notes.len) tl_buf_addc(&notes, '\n');
        tl_buf_add(&notes, file->text, file->size);
    }
    out->file_count = kept;
    out->notes = tl_arena_strndup(arena, notes.data, notes.len);
    tl_buf_dispose(&notes);
}

/* The recorded text in pieces: most renders need no more, and a large text is not worth copying. */
typedef struct joining {
    tl_rendered_put put; /* NULL: only counted */
    void *context;
    size_t size;
} joining;

static void join(joining *j, const char *bytes, size_t size)
{
    if (j->put && size) j->put(j->context, bytes, size);
    j->size += size;
}

static void join_document(joining *j, const char *path, const char *content, size_t size)
{
    static const char before[] = "---\n# Source: ";
    join(j, before, sizeof before - 1);
    join(j, path, strlen(path));
    join(j, "\n", 1);
    join(j, content, size);
    join(j, "\n", 1);
}

static void join_list(joining *j, const tl_manifests *list)
{
    for (size_t i = 0; i < list->len; i++)
        join_document(j, list->items[i].path, list->items[i].content, list->items[i].size);
}

static int join_crds(joining *j, const tl_chart_files *crds, tl_error *err)
{
    for (size_t i = 0; i < crds->len; i++) {
        tl_chart_file crd;
        if (tl_chart_file_read(&crd, &crds->items[i], err)) return -1;
        join_document(j, crd.name, crd.data, crd.size);
    }
    return 0;
}

static int measure(tl_rendered *out, int with_crds, tl_error *err)
{
    joining j = {0};
    if (with_crds && join_crds(&j, &out->crds, err)) return -1;
    out->with_crds = with_crds;
    join_list(&j, &out->manifests);
    out->manifest_size = j.size;
    join_list(&j, &out->hooks);
    out->joined_size = j.size;
    if (j.size <= MAX_MANIFEST) return 0;
    return tl_error_set(err, "limit", "the rendered manifest is larger than %u bytes", MAX_MANIFEST);
}

void tl_rendered_pieces(const tl_rendered *rendered, tl_rendered_put put, void *context)
{
    joining j = {put, context, 0};
    if (rendered->with_crds) join_crds(&j, &rendered->crds, NULL); /* which were read when they were measured */
    join_list(&j, &rendered->manifests);
    join_list(&j, &rendered->hooks);
}

static void append(void *context, const char *bytes, size_t size)
{
    char **at = context;
    memcpy(*at, bytes, size);
    *at += size;
}

void tl_rendered_join(tl_rendered *rendered, tl_arena *arena)
{
    if (rendered->manifest) return;
    char *at = tl_arena_alloc(arena, rendered->joined_size + 1);
    rendered->manifest = at;
    tl_rendered_pieces(rendered, append, &at);
}

static int read_capabilities(tl_chart_capabilities *caps, tl_arena *arena, const tl_render_options *options,
                             tl_error *err)
{
    if (tl_chart_kube_version(caps, arena, options->kube_version, err)) return -1;
    if (options->live) {
        caps->version = options->kube_version ? options->kube_version : caps->version;
        caps->api_versions = options->api_versions;
        caps->api_count = options->api_count;
    } else {
        caps->extra = options->api_versions;
        caps->extra_count = options->api_count;
    }
    return 0;
}

static tl_value release_object(tl_arena *arena, const tl_render_options *options)
{
    tl_map *release = tl_map_new(arena, 6);
    int install = !options->is_upgrade && !options->lint;
    tl_map_sets(release, "Name", tl_cstring_ref(options->release ? options->release : "release-name"));
    tl_map_sets(release, "Namespace", tl_cstring_ref(options->namespace_ ? options->namespace_ : "default"));
    tl_map_sets(release, "IsUpgrade", tl_bool(options->is_upgrade));
    tl_map_sets(release, "IsInstall", tl_bool(install));
    int revision = options->revision ? options->revision : !options->lint;
    tl_map_sets(release, "Revision", tl_as_go(tl_int(revision), TL_GO_INT));
    tl_map_sets(release, "Service", tl_cstring_ref("Helm"));
    return tl_map_value(release);
}

/* Everything up to the templates: dependencies, values, schema, the version of Kubernetes. */
static int prepare(tl_rendered *out, pages *p, const tl_chart *chart, const tl_map *user,
                   const tl_render_options *options,
                   tl_error *err)
{
    tl_chart_capabilities caps = {0};
    tl_arena *arena = p->arena;
    out->chart = tl_chart_clone(chart, arena);
    out->config = user;
    if (options->defaults) out->chart->values = tl_value_copy(arena, tl_map_value((tl_map *)options->defaults)).as.map;
    if (tl_values_process_dependencies(arena, out->chart, user, err)) return -1;
    if (read_capabilities(&caps, arena, options, err)) return -1;
    tl_map *values = tl_values_coalesce(arena, out->chart, user, err);
    /* A default that a null has removed comes back in lint's second round (helm.sh/helm/v3/pkg/lint/rules/template.go). */
    if (values && options->lint) values = tl_values_coalesce(arena, out->chart, values, err);
    if (!values) return -1;
    out->merged = 1;
    if (!options->skip_schema && tl_schema_check_chart(arena, out->chart, values, err)) return -1;
    out->begun = 1;
    if (!options->lint && *chart->kube_version && !tl_chart_compatible(chart->kube_version, caps.version))
        return tl_error_set(err, "chart", "chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
                            chart->kube_version, caps.version);
    out->values = tl_value_fork(arena, tl_map_value(values)).as.map; /* templates may change the others */
    p->release = release_object(arena, options);
    p->capabilities = tl_capabilities_object(arena, &caps);
    collect(p, out->chart, tl_as_go(tl_map_value(values), TL_GO_NAMED_MAP));
    if (tl_scripts_open(&p->scripts, arena, options->runner, out->chart, err)) return -1;
    if (p->len) qsort(p->items, p->len, sizeof *p->items, by_depth);
    return 0;
}

void tl_rendered_text(tl_buf *out, const tl_rendered *rendered)
{
    for (size_t i = 0; i < rendered->file_count; i++) {
        const char *text = rendered->files[i].text;
        size_t size = rendered->files[i].size;
        tl_text_trim(&text, &size);
        if (size) tl_buf_addf(out, "---\n# Source: %s\n%s\n", rendered->files[i].path, rendered->files[i].text);
    }
}

/* From the templates to the recorded manifest. */
static int finish(tl_rendered *out, pages *p, const tl_map *user, const tl_render_options *options, tl_error *err)
{
    tl_arena *arena = p->arena;
    take_notes(out, arena, options);
    if (tl_manifest_sort(&out->manifests, &out->hooks, arena, out->files, out->file_count, err)) {
        tl_chart_explain_fault(err, out, p->chart, user, options);
        return -1;
    }
    if (tl_scripts_change(p->scripts, &out->manifests, &out->hooks, out->values, p->release, err)) return -1;
    return measure(out, options->include_crds, err);
}

int tl_chart_render(tl_rendered *out, tl_arena *arena, const tl_chart *chart, const tl_map *user,
                    const tl_render_options *options, tl_error *err)
{
    pages p = {.arena = arena, .chart = chart};
    clockwork w = {.last = tl_clock_ms()};
    int result = -1;
    *out = (tl_rendered){0};
    if (options->parsing) tl_ahead_open(options->parsing->ahead);
    if (options->parsing && !options->lint && !options->wanted) p.others = tl_arena_new(MAX_MANIFEST);
    if (prepare(out, &p, chart, user, options, err)) goto out;
    phase_ends(&w, PHASE_VALUES);
    if (execute_pages(out, &p, options, &w, err)) goto out;
    tl_chart_collect_crds(&out->crds, arena, out->chart);
    result = options->lint || options->wanted ? 0 : finish(out, &p, user, options, err);
    phase_ends(&w, PHASE_YAML);
    tl_log(TL_LOG_DEBUG, "render of %s: values %.2f ms, parse %.2f ms, execute %.2f ms, yaml %.2f ms", chart->name,
           w.spent[PHASE_VALUES], w.spent[PHASE_PARSE], w.spent[PHASE_EXECUTE], w.spent[PHASE_YAML]);
out:
    if (options->parsing) tl_ahead_end(options->parsing->ahead);
    for (size_t i = 0; i < out->file_count; i++) {
        if (out->files[i].reading) tl_manifest_reading_dispose(out->files[i].reading);
        out->files[i].reading = NULL;
    }
    tl_arena_free(p.others);
    tl_scripts_close(p.scripts);
    if (!p.unreadable.message) return result;
    tl_error_dispose(err);
    *err = p.unreadable;
    return -1;
}
