/* The objects that templates see beside their values. */
#include "chart/objects.h"

#include <stdlib.h>
#include <string.h>

#include "chart/text.h"
#include "data/base64.h"
#include "data/yaml.h"
#include "template/template.h"

static tl_map *content_of(const tl_object *object)
{
    return object->content.as.map;
}

/* ---- .Chart ---- */

/* Field of the Go struct, its name in JSON, what an absent one is. */
static const struct {
    const char *go, *json;
    enum { TEXT, TEXTS, LIST, FLAG, TEXT_MAP } kind;
} chart_fields[] = {
    {"Name", "name", TEXT},
    {"Home", "home", TEXT},
    {"Sources", "sources", TEXTS},
    {"Version", "version", TEXT},
    {"Description", "description", TEXT},
    {"Keywords", "keywords", TEXTS},
    {"Maintainers", "maintainers", LIST},
    {"Icon", "icon", TEXT},
    {"APIVersion", "apiVersion", TEXT},
    {"Condition", "condition", TEXT},
    {"Tags", "tags", TEXT},
    {"AppVersion", "appVersion", TEXT},
    {"Deprecated", "deprecated", FLAG},
    {"Annotations", "annotations", TEXT_MAP},
    {"KubeVersion", "kubeVersion", TEXT},
    {"Dependencies", "dependencies", LIST},
    {"Type", "type", TEXT},
};
enum { CHART_FIELDS = sizeof chart_fields / sizeof *chart_fields };

static int plain_json(const tl_object *self, tl_arena *arena, tl_value *out)
{
    (void)arena;
    *out = tl_map_value(self->data);
    return 0;
}

static void print_chart(const tl_object *self, tl_buf *out)
{
    tl_buf_adds(out, "{{");
    for (size_t i = 0; i < CHART_FIELDS; i++) {
        if (i) tl_buf_addc(out, ' ');
        tl_go_print(out, *tl_map_gets(content_of(self), chart_fields[i].go));
    }
    tl_buf_adds(out, "} ");
    tl_go_print(out, *tl_map_gets(content_of(self), "IsRoot"));
    tl_buf_addc(out, '}');
}

/* What .Chart and .Chart.Metadata are made of. */
typedef struct chart_view {
    tl_arena *arena;
    const tl_chart *chart;
    tl_map *fields;
} chart_view;

static int plain_chart(const tl_object *self, tl_arena *arena, tl_value *out)
{
    const chart_view *view = self->data;
    *out = tl_map_value(tl_chart_metadata_json(view->chart, arena));
    tl_map_sets(out->as.map, "IsRoot", *tl_map_gets(view->fields, "IsRoot"));
    return 0;
}

static int plain_metadata(const tl_object *self, tl_arena *arena, tl_value *out)
{
    *out = tl_map_value(tl_chart_metadata_json(((const chart_view *)self->data)->chart, arena));
    return 0;
}

static tl_value open_metadata(const tl_object *self)
{
    const chart_view *view = self->data;
    tl_value fields = tl_value_fork(view->arena, tl_map_value(view->fields));
    tl_map_delete(fields.as.map, "IsRoot", 6);
    tl_map_delete(fields.as.map, "Metadata", 8);
    return fields;
}

static const tl_object_type chart_type = {"struct { chart.Metadata; IsRoot bool }", TL_KIND_STRUCT, NULL, print_chart,
                                          plain_chart, NULL};
static const tl_object_type metadata_type = {"chart.Metadata", TL_KIND_STRUCT, NULL, NULL, plain_metadata, open_metadata};
static const tl_object_type maintainer_type = {"*chart.Maintainer", TL_KIND_POINTER, NULL, NULL, plain_json, NULL};
static const tl_object_type dependency_type = {"*chart.Dependency", TL_KIND_POINTER, NULL, NULL, plain_json, NULL};

static tl_value field_or_empty(tl_arena *arena, const tl_chart *chart, size_t index)
{
    tl_value found;
    if (tl_chart_metadata_field(chart, arena, chart_fields[index].json, &found)) return found;
    switch (chart_fields[index].kind) {
    case TEXT: return tl_cstring_ref("");
    case FLAG: return tl_bool(0);
    case TEXTS: return tl_as_go(tl_list_value(tl_list_new(arena, 0)), TL_GO_STRINGS);
    case TEXT_MAP: return tl_as_go(tl_map_value(tl_map_new(arena, 0)), TL_GO_STRING_MAP);
    default: return tl_list_value(tl_list_new(arena, 0));
    }
}

static tl_value text_or_empty(const tl_map *json, const char *name)
{
    tl_value *found = tl_map_gets(json, name);
    return found ? *found : tl_cstring_ref("");
}

static tl_value maintainer(tl_arena *arena, tl_map *json)
{
    tl_map *fields = tl_map_new(arena, 3);
    tl_map_sets(fields, "Name", text_or_empty(json, "name"));
    tl_map_sets(fields, "Email", text_or_empty(json, "email"));
    tl_map_sets(fields, "URL", text_or_empty(json, "url"));
    return tl_object_value(arena, &maintainer_type, json, tl_map_value(fields));
}

static tl_value dependency(tl_arena *arena, tl_map *json)
{
    static const char *const names[][2] = {{"Name", "name"}, {"Version", "version"}, {"Repository", "repository"},
                                           {"Condition", "condition"}};
    tl_map *fields = tl_map_new(arena, 8);
    for (size_t i = 0; i < 4; i++) tl_map_sets(fields, names[i][0], text_or_empty(json, names[i][1]));
    tl_value *tags = tl_map_gets(json, "tags"), *imports = tl_map_gets(json, "import-values");
    tl_map_sets(fields, "Tags", tl_as_go(tags ? *tags : tl_list_value(tl_list_new(arena, 0)), TL_GO_STRINGS));
    tl_map_sets(fields, "Enabled", tl_bool(tl_map_gets(json, "enabled") != NULL));
    tl_map_sets(fields, "ImportValues", imports ? *imports : tl_list_value(tl_list_new(arena, 0)));
    tl_map_sets(fields, "Alias", text_or_empty(json, "alias"));
    return tl_object_value(arena, &dependency_type, json, tl_map_value(fields));
}

static tl_value wrap_items(tl_arena *arena, tl_value list, tl_value (*wrap)(tl_arena *, tl_map *))
{
    tl_list *wrapped = tl_list_new(arena, list.as.list->len);
    for (size_t i = 0; i < list.as.list->len; i++) {
        tl_value item = list.as.list->items[i];
        tl_list_push(arena, wrapped, item.type == TL_MAP ? wrap(arena, item.as.map) : item);
    }
    return tl_list_value(wrapped);
}

/* The fields without their values: a map to copy, since to make one for each chart of many takes longer. */
static tl_map *name_fields(tl_arena *arena)
{
    tl_map *names = tl_map_new(arena, CHART_FIELDS + 2);
    for (size_t i = 0; i < CHART_FIELDS; i++) tl_map_sets(names, chart_fields[i].go, tl_null());
    tl_map_sets(names, "IsRoot", tl_null());
    tl_map_sets(names, "Metadata", tl_null());
    return names;
}

tl_value tl_chart_object(tl_arena *arena, const tl_chart *chart, tl_map **names)
{
    if (!*names) *names = name_fields(arena);
    tl_map *fields = tl_value_fork(arena, tl_map_value(*names)).as.map;
    uint32_t cursor = 0;
    for (size_t i = 0; i < CHART_FIELDS; i++) {
        tl_value value = field_or_empty(arena, chart, i);
        if (!strcmp(chart_fields[i].go, "Maintainers")) value = wrap_items(arena, value, maintainer);
        if (!strcmp(chart_fields[i].go, "Dependencies")) value = wrap_items(arena, value, dependency);
        tl_map_next(fields, &cursor)->value = value;
    }
    chart_view *view = tl_arena_alloc(arena, sizeof *view);
    *view = (chart_view){arena, chart, fields};
    tl_map_next(fields, &cursor)->value = tl_bool(!chart->parent);
    tl_map_next(fields, &cursor)->value = tl_object_value(arena, &metadata_type, view, tl_null());
    return tl_object_value(arena, &chart_type, view, tl_map_value(fields));
}

/* ---- .Files ---- */

static const tl_object_type files_type;

static tl_map *files_of(tl_object *object)
{
    return tl_object_content(object).as.map;
}

static tl_value file_bytes(tl_object *files, tl_value name)
{
    tl_value *found = tl_map_get(files_of(files), name.as.s, name.len), empty = tl_cstring_ref("");
    empty.type = TL_BYTES;
    return found && found->type == TL_BYTES ? *found : empty;
}

static int files_get_bytes(const tl_method_call *call, tl_value *out, tl_error *err)
{
    (void)err;
    *out = file_bytes(call->self, call->args[0]);
    return 0;
}

static int files_get(const tl_method_call *call, tl_value *out, tl_error *err)
{
    files_get_bytes(call, out, err);
    out->type = TL_STRING;
    return 0;
}

static int files_glob(const tl_method_call *call, tl_value *out, tl_error *err)
{
    (void)err;
    tl_map *matching = tl_map_new(call->arena, 4);
    const char *pattern = tl_arena_strndup(call->arena, call->args[0].as.s, call->args[0].len);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(files_of(call->self), &cursor));)
        if (tl_glob_match(pattern, e->key, e->key_len)) tl_map_set(matching, e->key, e->key_len, e->value);
    *out = tl_object_value(call->arena, &files_type, NULL, tl_map_value(matching));
    return 0;
}

/* The files by their base names as YAML; with `secret` as base64. */
static int files_yaml(const tl_method_call *call, int secret, tl_value *out, tl_error *err)
{
    tl_map *data = tl_map_new(call->arena, 4);
    tl_buf text = TL_BUF_INIT(TL_CHART_MAX_TOTAL * 2u);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(files_of(call->self), &cursor));) {
        const char *slash = strrchr(e->key, '/'), *base = slash ? slash + 1 : e->key;
        tl_value value = e->value;
        value.type = TL_STRING;
        if (secret) {
            tl_buf_clear(&text);
            tl_base64_encode(&text, e->value.as.s, e->value.len, TL_BASE64_STD);
            value = tl_string(call->arena, text.data, text.len);
        }
        tl_map_sets(data, base, value);
    }
    tl_buf_clear(&text);
    int result = tl_yaml_write(&text, tl_map_value(data), NULL, err);
    if (text.len && text.data[text.len - 1] == '\n') text.len--;
    if (!result) *out = tl_string(call->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return result;
}

static int files_as_config(const tl_method_call *call, tl_value *out, tl_error *err)
{
    return files_yaml(call, 0, out, err);
}

static int files_as_secrets(const tl_method_call *call, tl_value *out, tl_error *err)
{
    return files_yaml(call, 1, out, err);
}

static int files_lines(const tl_method_call *call, tl_value *out, tl_error *err)
{
    (void)err;
    tl_value bytes = file_bytes(call->self, call->args[0]);
    tl_list *lines = tl_list_new(call->arena, 8);
    const char *at = bytes.as.s, *end = at + bytes.len;
    if (bytes.len && end[-1] == '\n') end--;
    while (bytes.len) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        tl_list_push(call->arena, lines, tl_string_ref(at, (size_t)((newline ? newline : end) - at)));
        if (!newline) break;
        at = newline + 1;
    }
    *out = tl_as_go(tl_list_value(lines), TL_GO_STRINGS);
    return 0;
}

static const tl_method files_methods[] = {
    {"AsConfig", "", files_as_config}, {"AsSecrets", "", files_as_secrets}, {"Get", "s", files_get},
    {"GetBytes", "s", files_get_bytes}, {"Glob", "s", files_glob},          {"Lines", "s", files_lines},
    {NULL, NULL, NULL},
};
typedef struct unopened {
    tl_arena *arena;
    const tl_chart_files *files;
    tl_error *err;
} unopened;

static tl_value open_files(const tl_object *self)
{
    const unopened *u = self->data;
    tl_map *map = tl_map_new(u->arena, u->files->len);
    for (size_t i = 0; i < u->files->len && !u->err->message; i++) {
        tl_chart_file file;
        if (tl_chart_file_read(&file, &u->files->items[i], u->err)) break;
        tl_value bytes = tl_string_ref(file.data, file.size);
        bytes.type = TL_BYTES;
        tl_map_sets(map, file.name, bytes);
    }
    return tl_map_value(map);
}

static const tl_object_type files_type = {"engine.files", TL_KIND_MAP, files_methods, NULL, NULL, open_files};

tl_value tl_files_object(tl_arena *arena, const tl_chart_files *files, tl_error *err)
{
    unopened *u = tl_arena_alloc(arena, sizeof *u);
    *u = (unopened){arena, files, err};
    return tl_object_value(arena, &files_type, u, tl_null());
}

/* ---- .Capabilities ---- */

/* What helm 3.22 knows without a cluster (chartutil.DefaultVersionSet with client-go 0.37). */
static const char *const known_versions[] = {
    "v1", "admissionregistration.k8s.io/v1", "admissionregistration.k8s.io/v1alpha1",
        "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1", "apps/v1", "apps/v1beta1", "apps/v1beta2", "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1", "authentication.k8s.io/v1beta1", "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1", "autoscaling/v1", "autoscaling/v2", "batch/v1", "batch/v1beta1",
    "certificates.k8s.io/v1", "certificates.k8s.io/v1beta1", "certificates.k8s.io/v1alpha1",
        "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1", "coordination.k8s.io/v1", "discovery.k8s.io/v1", "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1", "events.k8s.io/v1beta1", "extensions/v1beta1", "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1", "flowcontrol.apiserver.k8s.io/v1beta2",
        "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1", "networking.k8s.io/v1", "networking.k8s.io/v1beta1", "node.k8s.io/v1",
    "node.k8s.io/v1alpha1", "node.k8s.io/v1beta1", "policy/v1", "policy/v1beta1", "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1alpha1", "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2", "resource.k8s.io/v1beta1", "resource.k8s.io/v1alpha3", "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1", "storage.k8s.io/v1beta1", "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1", "storagemigration.k8s.io/v1", "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1", "apiextensions.k8s.io/v1"};

int tl_chart_kube_version(tl_chart_capabilities *out, tl_arena *arena, const char *text, tl_error *err)
{
    const char *at = text ? text : "1.37.0";
    while (*at == ' ' || *at == '\t') at++;
    if (*at == 'v') at++;
    size_t length = strspn(at, "0123456789."), components = 0;
    while (length && at[length - 1] == '.') length--;
    for (size_t i = 0; i < length; i++) components += at[i] == '.';
    if (!length || *at == '.' || strstr(at, "..") == at + length)
        return tl_error_set(err, "usage", "invalid kube version '%s': could not parse %s as version", text,
                            tl_text_quote(arena, text, strlen(text)));
    if (!components)
        return tl_error_set(err, "usage", "invalid kube version '%s': illegal version string %s", text,
                            tl_text_quote(arena, text, strlen(text)));
    if (*at == '0' && at[1] != '.')
        return tl_error_set(err, "usage",
                            "invalid kube version '%s': illegal zero-prefixed version component \"%.*s\" in %s",
                            text, (int)strcspn(at, "."), at, tl_text_quote(arena, text, strlen(text)));
    /* Components print as numbers: 1.08 is 1.8. */
    tl_buf version = TL_BUF_INIT(256);
    tl_buf_addc(&version, 'v');
    const char *part = at;
    for (size_t i = 0; i <= components; i++) {
        unsigned long number = strtoul(part, NULL, 10);
        tl_buf_addf(&version, i ? ".%lu" : "%lu", number);
        if (i == 0) out->major = tl_arena_printf(arena, "%lu", number);
        if (i == 1) out->minor = tl_arena_printf(arena, "%lu", number);
        part += strcspn(part, ".") + 1;
    }
    out->version = tl_arena_strdup(arena, version.data);
    tl_buf_dispose(&version);
    return 0;
}

static void print_kube_version(const tl_object *self, tl_buf *out)
{
    tl_go_print(out, *tl_map_gets(content_of(self), "Version"));
}

static int git_version(const tl_method_call *call, tl_value *out, tl_error *err)
{
    (void)err;
    *out = *tl_map_gets(content_of(call->self), "Version");
    return 0;
}

static int kube_string(const tl_method_call *call, tl_value *out, tl_error *err)
{
    return git_version(call, out, err);
}

static int has_version(const tl_method_call *call, tl_value *out, tl_error *err)
{
    tl_list *list = call->self->content.as.list;
    (void)err;
    *out = tl_bool(0);
    for (size_t i = 0; i < list->len && !out->as.b; i++) *out = tl_bool(tl_value_equal(list->items[i], call->args[0]));
    return 0;
}

static const tl_method kube_methods[] = {{"GitVersion", "", git_version}, {"String", "", kube_string}, {NULL, NULL,
        NULL}};
static const tl_method set_methods[] = {{"Has", "s", has_version}, {NULL, NULL, NULL}};
static const tl_object_type kube_type = {"chartutil.KubeVersion", TL_KIND_STRUCT, kube_methods, print_kube_version,
                                         NULL, NULL};
static const tl_object_type set_type = {"chartutil.VersionSet", TL_KIND_SLICE, set_methods, NULL, NULL, NULL};
static const tl_object_type build_type = {"version.BuildInfo", TL_KIND_STRUCT, NULL, NULL, plain_json, NULL};
static const tl_object_type capabilities_type = {"*chartutil.Capabilities", TL_KIND_POINTER, NULL, NULL, NULL, NULL};

static tl_value build_info(tl_arena *arena)
{
    tl_map *fields = tl_map_new(arena, 4), *json = tl_map_new(arena, 2);
    tl_map_sets(fields, "Version", tl_cstring_ref("v3.22.0"));
    tl_map_sets(fields, "GitCommit", tl_cstring_ref(""));
    tl_map_sets(fields, "GitTreeState", tl_cstring_ref(""));
    tl_map_sets(fields, "GoVersion", tl_cstring_ref("go1.26.8"));
    tl_map_sets(json, "version", tl_cstring_ref("v3.22.0"));
    tl_map_sets(json, "go_version", tl_cstring_ref("go1.26.8"));
    return tl_object_value(arena, &build_type, json, tl_map_value(fields));
}

tl_value tl_capabilities_object(tl_arena *arena, const tl_chart_capabilities *caps)
{
    tl_map *version = tl_map_new(arena, 3), *fields = tl_map_new(arena, 3);
    tl_map_sets(version, "Version", tl_cstring_ref(caps->version));
    tl_map_sets(version, "Major", tl_cstring_ref(caps->major));
    tl_map_sets(version, "Minor", tl_cstring_ref(caps->minor));
    size_t count = caps->api_versions ? caps->api_count : sizeof known_versions / sizeof *known_versions;
    const char *const *known = caps->api_versions ? caps->api_versions : known_versions;
    tl_list *versions = tl_list_new(arena, count + caps->extra_count);
    for (size_t i = 0; i < count; i++) tl_list_push(arena, versions, tl_cstring_ref(known[i]));
    for (size_t i = 0; i < caps->extra_count; i++) tl_list_push(arena, versions, tl_cstring_ref(caps->extra[i]));
    tl_value set = tl_as_go(tl_list_value(versions), TL_GO_STRINGS);
    tl_map_sets(fields, "KubeVersion", tl_object_value(arena, &kube_type, NULL, tl_map_value(version)));
    tl_map_sets(fields, "APIVersions", tl_object_value(arena, &set_type, NULL, set));
    tl_map_sets(fields, "HelmVersion", build_info(arena));
    return tl_object_value(arena, &capabilities_type, NULL, tl_map_value(fields));
}
