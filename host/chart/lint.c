/* What `helm lint` says of a chart. */
#include "chart/lint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "chart/decode.h"
#include "chart/lint_names.h"
#include "chart/objects.h"
#include "chart/schema.h"
#include "chart/text.h"
#include "chart/values.h"
#include "data/gzip.h"

typedef struct linter {
    tl_lint_messages *out;
    tl_arena *arena;
    const char *dir;
    tl_chart_files files; /* of a packed chart; empty for a folder */
    int packed;
} linter;

static void add(linter *l, tl_lint_severity severity, const char *path, const char *text)
{
    tl_lint_messages *m = l->out;
    if (!text) return;
    if (m->len == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 8;
        m->items = tl_arena_grow(l->arena, m->items, m->cap * sizeof *m->items, cap * sizeof *m->items);
        m->cap = cap;
    }
    m->items[m->len++] = (tl_lint_message){severity, path, text};
}

/* Takes the message out of *err; NULL where it holds none. */
static const char *take(linter *l, tl_error *err, const char *prefix)
{
    const char *text = err->message ? tl_arena_printf(l->arena, "%s%s", prefix, err->message) : NULL;
    tl_error_dispose(err);
    return text;
}

static int read_file(linter *l, const char *name, const char **data, size_t *size, tl_error *err)
{
    if (!l->packed) {
        const char *path = tl_arena_printf(l->arena, "%s/%s", l->dir, name);
        return tl_decode_read_file(l->arena, path, data, size, err);
    }
    const tl_chart_file *file = tl_chart_files_get(&l->files, name);
    if (!file) return tl_error_set(err, "not_found", "open %s: no such file or directory", name);
    *data = file->data;
    *size = file->size;
    return 0;
}

/* ---- Chart.yaml ---- */

static const char *go_type(tl_value value)
{
    switch (value.type) {
    case TL_NULL: return "<nil>";
    case TL_BOOL: return "bool";
    case TL_LIST: return "[]interface {}";
    case TL_MAP: return "map[string]interface {}";
    default: return "float64";
    }
}

static void check_string_type(linter *l, const tl_map *yaml, const char *key)
{
    tl_value *value = tl_map_gets(yaml, key);
    if (value && value->type != TL_STRING)
        add(l, TL_LINT_ERROR, "Chart.yaml",
            tl_arena_printf(l->arena, "%s should be of type string but it's of type %s", key, go_type(*value)));
}

static const char *meta(linter *l, const tl_chart *chart, const char *name)
{
    return tl_value_text(l->arena, tl_map_gets(chart->metadata, name), "");
}

static void check_version(linter *l, const char *version)
{
    const char *text = NULL;
    if (!*version)
        text = "version is required";
    else if (tl_semver_compare(version, "0.0.0") == -2)
        text = tl_arena_printf(l->arena, "version '%s' is not a valid SemVer", version);
    else if (tl_semver_compare(version, "0.0.0-0") <= 0)
        text = tl_arena_printf(l->arena, "version %s is less than or equal to 0.0.0-0", version);
    add(l, TL_LINT_ERROR, "Chart.yaml", text);
}

static const char *maintainer_fault(linter *l, const tl_value *people)
{
    for (size_t i = 0; people && i < people->as.list->len; i++) {
        tl_value person = people->as.list->items[i];
        if (person.type != TL_MAP) return "a maintainer entry is empty";
        const char *name = tl_value_text(l->arena, tl_map_gets(person.as.map, "name"), "");
        const char *email = tl_value_text(l->arena, tl_map_gets(person.as.map, "email"), "");
        const char *url = tl_value_text(l->arena, tl_map_gets(person.as.map, "url"), "");
        if (!*name) return "each maintainer requires a name";
        if (*email && !tl_lint_is_email(email))
            return tl_arena_printf(l->arena, "invalid email '%s' for maintainer '%s'", email, name);
        if (*url && !tl_lint_is_url(url))
            return tl_arena_printf(l->arena, "invalid url '%s' for maintainer '%s'", url, name);
    }
    return NULL;
}

static const char *source_fault(linter *l, const tl_value *sources)
{
    for (size_t i = 0; sources && i < sources->as.list->len; i++) {
        const char *source = tl_value_text(l->arena, &sources->as.list->items[i], "");
        if (!tl_lint_is_request_url(source)) return tl_arena_printf(l->arena, "invalid source URL '%s'", source);
    }
    return NULL;
}

static void check_metadata(linter *l, const tl_chart *chart, const tl_map *yaml)
{
    static const char file[] = "Chart.yaml";
    const char *name = meta(l, chart, "name"), *api = meta(l, chart, "apiVersion"), *icon = meta(l, chart, "icon");
    tl_arena *a = l->arena;
    if (!*name)
        add(l, TL_LINT_ERROR, file, "name is required");
    else if (strchr(name, '/'))
        add(l, TL_LINT_ERROR, file,
            tl_arena_printf(a, "chart name %s is invalid", tl_text_quote(a, name, strlen(name))));
    if (!*api)
        add(l, TL_LINT_ERROR, file, "apiVersion is required. The value must be either \"v1\" or \"v2\"");
    else if (strcmp(api, "v1") && strcmp(api, "v2"))
        add(l, TL_LINT_ERROR, file,
            tl_arena_printf(a, "apiVersion '%s' is not valid. The value must be either \"v1\" or \"v2\"", api));
    check_string_type(l, yaml, "version");
    check_version(l, meta(l, chart, "version"));
    check_string_type(l, yaml, "appVersion");
    add(l, TL_LINT_ERROR, file, maintainer_fault(l, tl_map_gets(chart->metadata, "maintainers")));
    add(l, TL_LINT_ERROR, file, source_fault(l, tl_map_gets(chart->metadata, "sources")));
    if (!*icon) add(l, TL_LINT_INFO, file, "icon is recommended");
    if (*icon && !tl_lint_is_request_url(icon))
        add(l, TL_LINT_ERROR, file, tl_arena_printf(a, "invalid icon URL '%s'", icon));
    if (*meta(l, chart, "type") && strcmp(api, "v2"))
        add(l, TL_LINT_ERROR, file,
            tl_arena_printf(a, "chart type is not valid in apiVersion '%s'. It is valid in apiVersion 'v2'", api));
    if (chart->dep_count && strcmp(api, "v2"))
        add(l, TL_LINT_ERROR, file,
            tl_arena_printf(a, "dependencies are not valid in the Chart file with apiVersion '%s'. They are valid in "
                            "apiVersion 'v2'", api));
}

static void lint_metadata(linter *l)
{
    const char *data;
    size_t size;
    tl_error err = {0};
    tl_chart chart = {0};
    tl_value yaml = tl_null();
    if (read_file(l, "Chart.yaml", &data, &size, &err)) goto failed;
    tl_chart_file file = {.name = "Chart.yaml", .data = data, .size = size};
    if (tl_chart_read_metadata(&chart, l->arena, &file, &err)) goto failed;
    if (tl_decode_yaml(l->arena, data, size, 1, &yaml, &err)) goto failed;
    check_metadata(l, &chart, yaml.type == TL_MAP ? yaml.as.map : tl_map_new(l->arena, 0));
    return;
failed:
    if (err.message && !strncmp(err.message, "cannot load Chart.yaml: ", 24))
        add(l, TL_LINT_ERROR, "Chart.yaml", tl_arena_printf(l->arena, "unable to parse YAML\n\t%s", err.message + 24));
    else
        add(l, TL_LINT_ERROR, "Chart.yaml", tl_arena_printf(l->arena, "unable to parse YAML\n\t%s", err.message));
    tl_error_dispose(&err);
}

/* ---- values.yaml ---- */

static void lint_values(linter *l, const tl_map *user)
{
    const char *data, *schema;
    size_t size, schema_size;
    tl_error err = {0};
    tl_value values = tl_null();
    if (read_file(l, "values.yaml", &data, &size, &err)) {
        tl_error_dispose(&err);
        add(l, TL_LINT_INFO, "values.yaml", "file does not exist");
        return;
    }
    if (tl_decode_yaml(l->arena, data, size, 1, &values, &err) ||
        (values.type != TL_MAP && values.type != TL_NULL &&
         tl_decode_mismatch(&err, values, NULL, "chartutil.Values"))) {
        add(l, TL_LINT_ERROR, "values.yaml", take(l, &err, "unable to parse YAML: "));
        return;
    }
    tl_map *merged = tl_value_copy(l->arena, tl_map_value((tl_map *)user)).as.map;
    if (values.type == TL_MAP) merged = tl_values_coalesce_tables(l->arena, merged, values.as.map, 0);
    if (read_file(l, "values.schema.json", &schema, &schema_size, &err)) {
        tl_error_dispose(&err);
        return;
    }
    if (schema_size && tl_schema_check(l->arena, schema, schema_size, merged, &err))
        add(l, TL_LINT_ERROR, "values.yaml", take(l, &err, ""));
}

/* ---- templates ---- */

static const char *indent_fault(linter *l, const char *text)
{
    for (; *text; text += *text == '\n') {
        size_t length = strcspn(text, "\n"), trimmed = length;
        const char *line = text;
        tl_text_trim(&line, &trimmed);
        if (!trimmed) {
            text += length;
            continue;
        }
        if (*text != ' ' && *text != '\t') return NULL;
        return tl_arena_printf(l->arena, "document starts with an illegal indent: %s, which may cause parsing problems",
                               tl_text_quote(l->arena, text, length));
    }
    return NULL;
}

static const char *selector_fault(linter *l, const tl_manifest *m, const char *text)
{
    static const char *const kinds[] = {"Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(m->kind, kinds[i]) && !strstr(text, "matchLabels") && !strstr(text, "matchExpressions"))
            return tl_arena_printf(l->arena, "a %s must contain matchLabels or matchExpressions, and %s does not",
                                   m->kind,
                                   tl_text_quote(l->arena, m->name, strlen(m->name)));
    return NULL;
}

static const char *list_fault(const char *kind, const tl_value *object)
{
    tl_value *items = strcmp(kind, "List") ? NULL : tl_value_path(object, "items", NULL);
    for (size_t i = 0; items && items->type == TL_LIST && i < items->as.list->len; i++)
        if (tl_value_path(&items->as.list->items[i], "metadata", "annotations", "helm.sh/resource-policy", NULL))
            return "Annotation 'helm.sh/resource-policy' within List objects are ignored";
    return NULL;
}

/* What lint reads of an object (pkg/lint/rules K8sYamlStruct). 1; 0 where the document is empty; -1 with *err. */
static int read_object(linter *l, tl_manifest *m, tl_value *object, tl_error *err)
{
    const char *namespace = "";
    if (tl_manifest_object(object, l->arena, m, err)) return -1;
    if (object->type == TL_NULL) return 0;
    if (object->type != TL_MAP) return tl_decode_mismatch(err, *object, NULL, "rules.K8sYamlStruct");
    const tl_map *map = object->as.map;
    tl_value *metadata = tl_decode_field(map, "metadata");
    if (tl_decode_string(l->arena, map, "apiVersion", "K8sYamlStruct.apiVersion", &m->api_version, err) ||
        tl_decode_string(l->arena, map, "kind", "K8sYamlStruct.Kind", &m->kind, err))
        return -1;
    if (!metadata || metadata->type == TL_NULL) return 1;
    if (metadata->type != TL_MAP)
        return tl_decode_mismatch(err, *metadata, "K8sYamlStruct.Metadata", "rules.k8sYamlMetadata");
    if (tl_decode_string(l->arena, metadata->as.map, "name", "k8sYamlMetadata.Metadata.Name", &m->name, err) ||
        tl_decode_string(l->arena, metadata->as.map, "namespace", "k8sYamlMetadata.Metadata.Namespace", &namespace, err))
        return -1;
    return 1;
}

/* One rendered document. -1 where it is no object: helm then stops looking at templates. */
static int lint_document(linter *l, const char *path, tl_manifest m, const char *whole,
                         const tl_chart_capabilities *caps)
{
    tl_error err = {0};
    tl_value object;
    int status = read_object(l, &m, &object, &err);
    if (status < 0) add(l, TL_LINT_ERROR, path, take(l, &err, "unable to parse YAML: "));
    if (status <= 0) return status;
    add(l, TL_LINT_WARNING, path, tl_lint_name_fault(l->arena, m.kind, m.name));
    add(l, TL_LINT_WARNING, path, tl_lint_deprecation(l->arena, m.api_version, m.kind, atoi(caps->minor)));
    add(l, TL_LINT_ERROR, path, selector_fault(l, &m, whole));
    add(l, TL_LINT_ERROR, path, list_fault(m.kind, &object));
    return 0;
}

static const char *rendered_text(const tl_rendered *rendered, const char *path)
{
    for (size_t i = 0; i < rendered->file_count; i++)
        if (!strcmp(rendered->files[i].path, path)) return rendered->files[i].text;
    return "";
}

/* "helm.sh/hook": crd-install, which Helm 3 no longer knows. */
static int has_crd_hook(const char *text)
{
    for (const char *at = text; (at = strstr(at, "helm.sh/hook"));) {
        at += 12;
        if (*at == '"') at++;
        if (*at++ != ':') continue;
        size_t space = strspn(at, " \t\r\n\f");
        if (space && !strncmp(at + space, "crd-install", 11)) return 1;
    }
    return 0;
}

/* The first "---" with text behind it, which Kubernetes' reader refuses; *end is where the documents end that it gave
 * out before. NULL where there is none. */
static const char *separator_fault(linter *l, const char *text, size_t *end)
{
    *end = strlen(text);
    size_t good = 0;
    for (const char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) next++;
        if (strncmp(line, "---", 3)) continue;
        const char *rest = line + 3;
        size_t length = strcspn(rest, "\n");
        tl_text_trim(&rest, &length);
        if (length && *rest != '#') {
            *end = good;
            return tl_arena_printf(l->arena, "unable to parse YAML: invalid Yaml document separator: %.*s", (int)length,
                                   rest);
        }
        good = (size_t)(line - text);
    }
    return NULL;
}

/* Where the document that begins at `at` ends: before a line with a separator. */
static size_t document_end(const char *text, size_t at, size_t length)
{
    while (at < length && strncmp(text + at, "---", 3)) {
        const char *newline = memchr(text + at, '\n', length - at);
        at = newline ? (size_t)(newline - text) + 1 : length;
    }
    return at;
}

static int lint_template(linter *l, const tl_chart_file *file, const tl_rendered *rendered, const char *chart_name,
                         const tl_chart_capabilities *caps)
{
    const char *slash = strrchr(file->name, '/'), *dot = strrchr(slash ? slash : file->name, '.'),
        *ext = dot ? dot : "";
    if (strcmp(ext, ".yaml") && strcmp(ext, ".yml") && strcmp(ext, ".tpl") && strcmp(ext, ".txt"))
        add(l, TL_LINT_ERROR, file->name,
            tl_arena_printf(l->arena,
                            "file extension '%s' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt", ext));
    if (has_crd_hook(file->data))
        add(l, TL_LINT_WARNING, file->name,
            "manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs should also exist the crds/ "
            "directory at the top level of the chart");
    if (strstr(file->data, ".Release.Time"))
        add(l, TL_LINT_ERROR, file->name,
            ".Release.Time has been removed in v3, please replace with the `now` function in your templates");
    if (strcmp(ext, ".yaml")) return 0;
    const char *text = rendered_text(rendered, tl_arena_printf(l->arena, "%s/%s", chart_name, file->name)),
        *trimmed = text;
    size_t length = strlen(text);
    tl_text_trim(&trimmed, &length);
    if (!length) return 0;
    add(l, TL_LINT_WARNING, file->name, indent_fault(l, text));
    const char *fault = separator_fault(l, text, &length);
    for (size_t at = 0, end; at < length; at = end + strcspn(text + end, "\n")) {
        end = document_end(text, at, length);
        const tl_manifest document = {.content = text + at, .size = end - at, .api_version = "", .kind = "", .name = ""};
        if (lint_document(l, file->name, document, text, caps)) return -1;
    }
    add(l, TL_LINT_ERROR, file->name, fault);
    return fault ? -1 : 0;
}

static int load(linter *l, tl_chart **chart, tl_error *err)
{
    if (l->packed) return tl_chart_load_files(chart, l->arena, &l->files, NULL, err);
    return tl_chart_load(chart, l->arena, l->dir, NULL, err);
}

static void on_notice(void *context, const char *line)
{
    (void)context;
    tl_log(TL_LOG_WARN, "[INFO] %s", line);
}

static void lint_templates(linter *l, const tl_map *user, const tl_render_options *options)
{
    static const char path[] = "templates/";
    struct stat st;
    tl_error err = {0};
    tl_chart *chart;
    tl_rendered rendered;
    tl_chart_capabilities caps = {0};
    if (!l->packed && !stat(tl_arena_printf(l->arena, "%s/templates", l->dir), &st) && !S_ISDIR(st.st_mode)) {
        add(l, TL_LINT_WARNING, path, "not a directory");
        return;
    }
    if (load(l, &chart, &err)) {
        add(l, TL_LINT_ERROR, path, take(l, &err, ""));
        return;
    }
    tl_render_options lint = *options;
    lint.lint = 1;
    lint.outside.notice = on_notice;
    lint.release = "test-release";
    if (tl_chart_kube_version(&caps, l->arena, options->kube_version, &err)) {
        add(l, TL_LINT_ERROR, path, take(l, &err, ""));
        return;
    }
    if (tl_chart_render(&rendered, l->arena, chart, user, &lint, &err)) {
        if (rendered.merged) add(l, TL_LINT_ERROR, path, take(l, &err, ""));
        tl_error_dispose(&err); /* that values cannot be merged is left to install to tell */
        return;
    }
    for (size_t i = 0; i < rendered.chart->templates.len; i++)
        if (lint_template(l, &rendered.chart->templates.items[i], &rendered, chart->name, &caps)) return;
}

/* ---- dependencies ---- */

static int named_dep(const tl_chart *chart, const char *name)
{
    for (size_t i = 0; i < chart->dep_count; i++)
        if (!strcmp(chart->deps[i].name, name)) return 1;
    return 0;
}

static int named_chart(const tl_chart *chart, const char *name)
{
    for (size_t i = 0; i < chart->chart_count; i++)
        if (!strcmp(chart->charts[i]->name, name)) return 1;
    return 0;
}

static const char *join(linter *l, const char *list, const char *name)
{
    return list ? tl_arena_printf(l->arena, "%s,%s", list, name) : name;
}

static void lint_dependencies(linter *l)
{
    tl_error err = {0};
    tl_chart *chart;
    const char *unlisted = NULL, *absent = NULL;
    if (load(l, &chart, &err)) {
        add(l, TL_LINT_ERROR, "", take(l, &err, "unable to load chart\n\t"));
        return;
    }
    for (size_t i = 0; i < chart->chart_count; i++)
        if (!named_dep(chart, chart->charts[i]->name)) unlisted = join(l, unlisted, chart->charts[i]->name);
    for (size_t i = 0; i < chart->dep_count; i++)
        if (!named_chart(chart, chart->deps[i].name)) absent = join(l, absent, chart->deps[i].name);
    if (unlisted)
        add(l, TL_LINT_ERROR, l->dir, tl_arena_printf(l->arena, "chart metadata is missing these dependencies: %s",
                                                      unlisted));
    if (absent)
        add(l, TL_LINT_WARNING, l->dir,
            tl_arena_printf(l->arena, "chart directory is missing these dependencies: %s", absent));
}

int tl_chart_lint(tl_lint_messages *out, tl_arena *arena, const char *path, const tl_map *user,
                  const tl_render_options *options, tl_error *err)
{
    struct stat st;
    linter l = {.out = out, .arena = arena, .dir = path};
    *out = (tl_lint_messages){0};
    if (tl_text_has_suffix(path, ".tgz") || tl_text_has_suffix(path, ".tar.gz")) {
        const char *data;
        size_t size;
        l.packed = 1;
        if (tl_decode_read_file(arena, path, &data, &size, err)) return tl_error_wrap(err, "unable to open tarball");
        if (!tl_gzip_is(data, size)) /* Go reads a header of ten bytes first */
            return tl_error_set(err, "chart", "unable to extract tarball: %s",
                                !size ? "EOF" : size < 10 ? "unexpected EOF" : "gzip: invalid header");
        if (tl_chart_unpack(&l.files, arena, data, size, err))
            return tl_error_wrap(err, "unable to extract tarball: %s", err && err->message ? err->message : "");
    } else {
        const char *file = tl_arena_printf(arena, "%s/Chart.yaml", path);
        while (!strncmp(file, "./", 2)) file += 2; /* as filepath.Join writes it */
        if (stat(file, &st))
            return tl_text_errno(err, errno, "unable to check Chart.yaml file in chart: stat %s", file);
        char *full = realpath(path, NULL);
        if (full) l.dir = tl_arena_strdup(arena, full);
        free(full);
    }
    lint_metadata(&l);
    lint_values(&l, user);
    lint_templates(&l, user, options);
    lint_dependencies(&l);
    return 0;
}
