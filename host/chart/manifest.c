/* Rendered text as separate objects in install order. */
#include "chart/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "chart/decode.h"
#include "chart/path_match.h"
#include "chart/text.h"
#include "data/yaml.h"

#define HOOK "helm.sh/hook" /* the annotation that makes a document one */

/* Memory of one decoded document. */
#define MAX_DOCUMENT ((size_t)1 << 30)

static const char *const install_order[] = {
    "PriorityClass", "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy",
    "PodDisruptionBudget", "ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume",
    "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding",
    "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod",
    "ReplicationController", "ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob",
    "IngressClass", "Ingress", "APIService", NULL};

static const char *const uninstall_order[] = {
    "APIService", "Ingress", "IngressClass", "Service", "CronJob", "Job", "StatefulSet", "HorizontalPodAutoscaler",
    "Deployment", "ReplicaSet", "ReplicationController", "Pod", "DaemonSet", "RoleBindingList", "RoleBinding",
    "RoleList", "Role", "ClusterRoleBindingList", "ClusterRoleBinding", "ClusterRoleList", "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim", "PersistentVolume", "StorageClass", "ConfigMap", "SecretList", "Secret", "ServiceAccount",
    "PodDisruptionBudget", "PodSecurityPolicy", "LimitRange", "ResourceQuota", "NetworkPolicy", "Namespace",
    "PriorityClass", NULL};

static const char *const hook_events[] = {"pre-install",   "post-install", "pre-delete",   "post-delete",
                                          "pre-upgrade",   "post-upgrade", "pre-rollback", "post-rollback",
                                          "test",          NULL};

void tl_manifests_add(tl_manifests *list, tl_arena *arena, tl_manifest manifest)
{
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 2; /* most files hold one document */
        list->items = tl_arena_grow(arena, list->items, list->cap * sizeof *list->items, cap * sizeof *list->items);
        list->cap = cap;
    }
    list->items[list->len++] = manifest;
}

static int is_space(char c)
{
    return c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

/* The next separator at or after `from`: (^|\s*\n)---\s*, where ^ is the start of the whole text. Its place goes to
 * *start and *end; 0 where there is none. */
static int find_separator(const char *text, size_t size, size_t from, size_t *start, size_t *end)
{
    size_t s = 0, e = 3;
    if (from || size < 3 || memcmp(text, "---", 3)) {
        const char *hit = memmem(text + from, size - from, "\n---", 4);
        if (!hit) return 0;
        s = (size_t)(hit - text);
        e = s + 4;
    }
    while (s > from && is_space(text[s - 1])) s--;
    while (e < size && is_space(text[e])) e++;
    *start = s;
    *end = e;
    return 1;
}

static void add_text(tl_manifests *out, tl_arena *arena, const char *text, size_t size)
{
    if (!size) return;
    tl_text_trim(&text, &size);
    tl_manifests_add(out, arena, (tl_manifest){.content = text, .size = size, .path = "", .kind = "",
                                               .name = "", .api_version = ""});
}

void tl_manifest_split(tl_manifests *out, tl_arena *arena, const char *text, size_t size)
{
    size_t from = 0, start, end;
    tl_text_trim(&text, &size);
    while (find_separator(text, size, from, &start, &end)) {
        add_text(out, arena, text + from, start - from);
        from = end;
    }
    add_text(out, arena, text + from, size - from);
}

static const char *const *split_list(tl_arena *arena, const char *text, size_t *count)
{
    size_t n = 1;
    for (const char *c = text; *c; c++) n += *c == ',';
    const char **items = tl_arena_alloc(arena, n * sizeof *items);
    *count = 0;
    for (;;) {
        size_t length = strcspn(text, ","), trimmed = length;
        const char *item = text;
        tl_text_trim(&item, &trimmed);
        char *lower = tl_arena_strndup(arena, item, trimmed);
        for (char *c = lower; *c; c++)
            if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
        items[(*count)++] = lower;
        if (!text[length]) return items;
        text += length + 1;
    }
}

static int known_event(const char **event)
{
    if (!strcmp(*event, "test-success")) *event = "test"; /* Helm 2's name */
    for (int i = 0; hook_events[i]; i++)
        if (!strcmp(hook_events[i], *event)) return 1;
    return 0;
}

static const char *annotation(tl_arena *arena, const tl_map *annotations, const char *name)
{
    tl_value *value = tl_map_gets(annotations, name);
    if (!value) return NULL;
    return value->type == TL_NULL ? "" : tl_decode_scalar(arena, *value);
}

/* Reads the hook's annotations; *skip where one of its events is unknown. */
static tl_hook *read_hook(tl_arena *arena, const tl_map *annotations, int *skip)
{
    const char *text, *events = annotation(arena, annotations, HOOK);
    int64_t weight = 0;
    tl_hook *hook = tl_arena_zalloc(arena, sizeof *hook);
    hook->events = split_list(arena, events, &hook->event_count);
    for (size_t i = 0; i < hook->event_count; i++) {
        if (known_event((const char **)&hook->events[i])) continue;
        tl_log(TL_LOG_WARN, "info: skipping unknown hook: %s", tl_text_quote(arena, events, strlen(events)));
        *skip = 1;
        return NULL;
    }
    text = annotation(arena, annotations, "helm.sh/hook-weight");
    if (text && tl_decode_int(text, &weight)) hook->weight = (int)weight;
    if ((text = annotation(arena, annotations, "helm.sh/hook-delete-policy")))
        hook->delete_policies = split_list(arena, text, &hook->delete_policy_count);
    if ((text = annotation(arena, annotations, "helm.sh/hook-output-log-policy")))
        hook->output_log_policies = split_list(arena, text, &hook->output_log_policy_count);
    return hook;
}

/* What helm's SimpleHead takes from a document. */
static int read_head(tl_manifest *m, tl_arena *arena, tl_value object, tl_map **annotations, tl_error *err)
{
    static const char type[] = "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string "
                               "\"json:\\\"annotations\\\"\" }";
    tl_value *metadata, *found;
    *annotations = NULL;
    if (object.type == TL_NULL) return 0;
    if (object.type != TL_MAP) return tl_decode_mismatch(err, object, NULL, "releaseutil.SimpleHead");
    tl_map *map = object.as.map;
    if (tl_decode_string(arena, map, "apiVersion", "SimpleHead.apiVersion", &m->api_version, err)) return -1;
    if (tl_decode_string(arena, map, "kind", "SimpleHead.kind", &m->kind, err)) return -1;
    metadata = tl_decode_field(map, "metadata");
    if (!metadata || metadata->type == TL_NULL) return 0;
    if (metadata->type != TL_MAP) return tl_decode_mismatch(err, *metadata, "SimpleHead.metadata", type);
    if (tl_decode_string(arena, metadata->as.map, "name", ".metadata.name", &m->name, err)) return -1;
    found = tl_decode_field(metadata->as.map, "annotations");
    if (!found || found->type == TL_NULL) return 0;
    if (found->type != TL_MAP) return tl_decode_mismatch(err, *found, ".metadata.annotations",
                                                         "map[string]string");
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(found->as.map, &cursor));)
        if (e->value.type == TL_MAP || e->value.type == TL_LIST)
            return tl_decode_mismatch(err, e->value, ".metadata.annotations", "string");
    *annotations = found->as.map;
    return 0;
}

int tl_manifest_object(tl_value *out, tl_arena *arena, const tl_manifest *m, tl_error *err)
{
    return tl_decode_yaml(arena, m->content, m->size, 0, out, err);
}

/* The whole document is read, since it may be no YAML; kept is what read_head takes. */
static int decode_head(tl_value *out, tl_arena *arena, const tl_manifest *m, tl_error *err)
{
    static const char *const keep[] = {"apiVersion", "kind", "metadata", NULL};
    const tl_yaml_options options = {.flavour = TL_YAML_HELM, .keep = keep};
    if (tl_yaml_parse(arena, m->content, m->size, &options, out, err) >= 0) return 0;
    return tl_error_wrap(err, "error converting YAML to JSON: %s", err && err->message ? err->message : "");
}

/* A file's documents with their heads; not yet with their hooks, which are rare. */
typedef struct tl_manifest_reading {
    tl_ahead_item item;
    tl_ahead *ahead;
    tl_rendered_file file;
    tl_manifests documents;
    const tl_map **annotations; /* of each document that is a hook, else NULL */
    size_t read;                /* documents before the one that is wrong, or all */
    tl_error err;
} tl_manifest_reading;

static int read_document(tl_manifest_reading *r, size_t at, tl_arena *arena, tl_arena *scratch)
{
    tl_manifest *m = &r->documents.items[at];
    tl_map *annotations;
    tl_value object;
    m->path = r->file.path;
    tl_arena_clear(scratch);
    if (decode_head(&object, scratch, m, &r->err) || read_head(m, arena, object, &annotations, &r->err))
        return tl_error_wrap(&r->err, "YAML parse error on %s: %s", m->path, r->err.message ? r->err.message : "");
    r->annotations[at] = annotations && tl_map_gets(annotations, HOOK)
                             ? tl_value_copy(arena, tl_map_value(annotations)).as.map
                             : NULL;
    return 0;
}

static void read_file(tl_manifest_reading *r, tl_arena *arena)
{
    if (tl_text_names_partial(r->file.path)) return;
    tl_manifest_split(&r->documents, arena, r->file.text, r->file.size);
    r->annotations = tl_arena_alloc(arena, (r->documents.len + 1) * sizeof *r->annotations);
    tl_arena *scratch = tl_arena_new(MAX_DOCUMENT);
    while (r->read < r->documents.len && !read_document(r, r->read, arena, scratch)) r->read++;
    tl_arena_free(scratch);
}

static void work(tl_ahead_item *item, tl_arena *arena)
{
    read_file((tl_manifest_reading *)item, arena);
}

void tl_manifest_read_ahead(tl_rendered_file *file, tl_ahead *ahead, tl_arena *arena, tl_arena *others)
{
    tl_manifest_reading *r = tl_arena_alloc(arena, sizeof *r);
    *r = (tl_manifest_reading){{.work = work, .owners = arena, .others = others, .size = file->size}, .ahead = ahead,
                               .file = *file};
    file->reading = r;
    tl_ahead_add(ahead, &r->item);
}

void tl_manifest_reading_dispose(tl_manifest_reading *r)
{
    tl_error_dispose(&r->err);
}

/* A copy of what was read with memory of another thread. */
static void add_document(tl_manifests *manifests, tl_manifests *hooks, tl_arena *arena, const tl_manifest *read,
                         const tl_map *annotations)
{
    tl_manifest m = *read;
    int skip = 0;
    m.kind = tl_arena_strdup(arena, m.kind);
    m.name = tl_arena_strdup(arena, m.name);
    m.api_version = tl_arena_strdup(arena, m.api_version);
    if (annotations) m.hook = read_hook(arena, tl_value_copy(arena, tl_map_value((tl_map *)annotations)).as.map, &skip);
    if (!skip) tl_manifests_add(m.hook ? hooks : manifests, arena, m);
}

/* Adds the file's documents, up to the one that is wrong. */
static int add_file(tl_manifests *manifests, tl_manifests *hooks, tl_arena *arena, const tl_rendered_file *file,
                    tl_error *err)
{
    tl_manifest_reading here = {.file = *file}, *r = file->reading ? file->reading : &here;
    if (file->reading)
        tl_ahead_finish(r->ahead, &r->item);
    else
        read_file(r, arena);
    for (size_t i = 0; i < r->read; i++)
        add_document(manifests, hooks, arena, &r->documents.items[i], r->annotations[i]);
    if (r->read == r->documents.len) return 0;
    *err = r->err;
    r->err = (tl_error){0};
    return -1;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const tl_rendered_file *const *)a)->path, (*(const tl_rendered_file *const *)b)->path);
}

static int place(const char *const *order, const char *kind)
{
    for (int i = 0; order[i]; i++)
        if (!strcmp(order[i], kind)) return i;
    return -1;
}

typedef struct ranked {
    int place;
    size_t at;
    const char *kind;
} ranked;

/* helm's lessByKind: known kinds in order, then unknown ones by name; stable. */
static int by_kind(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if ((x->place < 0) != (y->place < 0)) return x->place < 0 ? 1 : -1;
    int order = x->place < 0 ? strcmp(x->kind, y->kind) : x->place - y->place;
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void sort_list(tl_manifests *list, const char *const *order)
{
    if (list->len < 2) return;
    ranked *ranks = tl_malloc(list->len * sizeof *ranks);
    tl_manifest *unsorted = tl_malloc(list->len * sizeof *unsorted);
    for (size_t i = 0; i < list->len; i++) {
        const char *kind = list->items[i].kind;
        ranks[i] = (ranked){place(order, kind), i, kind};
        unsorted[i] = list->items[i];
    }
    qsort(ranks, list->len, sizeof *ranks, by_kind);
    for (size_t i = 0; i < list->len; i++) list->items[i] = unsorted[ranks[i].at];
    free(unsorted);
    free(ranks);
}

void tl_manifest_sort_uninstall(tl_manifests *manifests)
{
    sort_list(manifests, uninstall_order);
}

int tl_manifest_sort(tl_manifests *manifests, tl_manifests *hooks, tl_arena *arena, const tl_rendered_file *files,
                     size_t count, tl_error *err)
{
    const tl_rendered_file **sorted = tl_arena_alloc(arena, (count + 1) * sizeof *sorted);
    int result = 0;
    for (size_t i = 0; i < count; i++) sorted[i] = &files[i];
    qsort(sorted, count, sizeof *sorted, by_path);
    for (size_t i = 0; i < count && !result; i++) result = add_file(manifests, hooks, arena, sorted[i], err);
    if (result) return -1;
    sort_list(hooks, install_order);
    sort_list(manifests, install_order);
    return 0;
}

static int is_test(const tl_hook *hook)
{
    for (size_t i = 0; i < hook->event_count; i++)
        if (!strcmp(hook->events[i], "test")) return 1;
    return 0;
}

/* The path in "# Source: CHART/PATH" of a document, without the chart's name; NULL where it has none. */
static const char *source_path(tl_arena *arena, const tl_manifest *document)
{
    const char *at = document->content, *end = at + document->size;
    while ((at = memmem(at, (size_t)(end - at), "# Source: ", 10))) {
        at += 10;
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        const char *slash = memchr(at, '/', (size_t)(stop - at));
        if (slash && slash > at && slash + 1 < stop)
            return tl_arena_strndup(arena, slash + 1, (size_t)(stop - slash - 1));
    }
    return NULL;
}

static int show_only(tl_buf *out, const tl_template_output *options, tl_arena *arena, const tl_buf *all, tl_error *err)
{
    tl_manifests documents = {0};
    tl_manifest_split(&documents, arena, all->data, all->len);
    for (size_t i = 0; i < options->show_count; i++) {
        int found = 0;
        for (size_t d = 0; d < documents.len; d++) {
            const char *path = source_path(arena, &documents.items[d]);
            if (!path || tl_path_match(options->show_only[i], path) != 1) continue;
            tl_buf_adds(out, "---\n");
            tl_buf_add(out, documents.items[d].content, documents.items[d].size);
            tl_buf_addc(out, '\n');
            found = 1;
        }
        if (!found) return tl_error_set(err, "chart", "could not find template %s in chart", options->show_only[i]);
    }
    return 0;
}

/* As the recorded manifest has a document. */
static void print_document(tl_buf *out, const tl_manifest *manifest)
{
    tl_buf_addf(out, "---\n# Source: %s\n", manifest->path);
    tl_buf_add(out, manifest->content, manifest->size);
    tl_buf_addc(out, '\n');
}

static void print_all(tl_buf *out, const char *manifest, size_t size, const tl_manifests *hooks,
                      const tl_template_output *options)
{
    tl_text_trim(&manifest, &size);
    tl_buf_add(out, manifest, size);
    tl_buf_addc(out, '\n');
    for (size_t i = 0; i < hooks->len && !options->no_hooks; i++)
        if (!options->skip_tests || !is_test(hooks->items[i].hook)) print_document(out, &hooks->items[i]);
}

int tl_manifest_template_output(tl_buf *out, const char *manifest, size_t size, const tl_manifests *hooks,
                                const tl_template_output *options, tl_arena *arena, tl_error *err)
{
    if (!options->show_count) {
        print_all(out, manifest, size, hooks, options);
        return 0;
    }
    tl_buf all = TL_BUF_INIT(SIZE_MAX);
    print_all(&all, manifest, size, hooks, options);
    int result = show_only(out, options, arena, &all, err);
    tl_buf_dispose(&all);
    return result;
}
