/* Chart.yaml (helm.sh/helm/v3/pkg/chart/metadata.go, dependency.go). */
#include <string.h>

#include "chart/chart.h"
#include "chart/decode.h"
#include "chart/text.h"
#include "template/template.h"

/* The fields of helm's Metadata struct, in its order; what kind of JSON each takes. */
typedef enum field_kind { FIELD_STRING, FIELD_STRINGS, FIELD_PEOPLE, FIELD_BOOL, FIELD_TEXTS } field_kind;

static const struct {
    const char *name, *go_field;
    field_kind kind;
    int sanitized;
} fields[] = {
    {"name", "Metadata.name", FIELD_STRING, 1},
    {"home", "Metadata.home", FIELD_STRING, 1},
    {"sources", "Metadata.sources", FIELD_STRINGS, 1},
    {"version", "Metadata.version", FIELD_STRING, 0},
    {"description", "Metadata.description", FIELD_STRING, 1},
    {"keywords", "Metadata.keywords", FIELD_STRINGS, 1},
    {"maintainers", "Metadata.maintainers", FIELD_PEOPLE, 1},
    {"icon", "Metadata.icon", FIELD_STRING, 1},
    {"apiVersion", "Metadata.apiVersion", FIELD_STRING, 0},
    {"condition", "Metadata.condition", FIELD_STRING, 1},
    {"tags", "Metadata.tags", FIELD_STRING, 1},
    {"appVersion", "Metadata.appVersion", FIELD_STRING, 1},
    {"deprecated", "Metadata.deprecated", FIELD_BOOL, 0},
    {"annotations", "Metadata.annotations", FIELD_TEXTS, 0},
    {"kubeVersion", "Metadata.kubeVersion", FIELD_STRING, 1},
    {"type", "Metadata.type", FIELD_STRING, 0},
};

static tl_value clean_text(tl_arena *arena, const char *text, int sanitized)
{
    return tl_cstring_ref(sanitized ? tl_text_sanitize(arena, text, strlen(text)) : text);
}

static int read_strings(tl_arena *arena, tl_value value, const char *go_field, tl_value *out, tl_error *err)
{
    if (value.type != TL_LIST) return tl_decode_mismatch(err, value, go_field, "[]string");
    tl_list *list = tl_list_new(arena, value.as.list->len);
    for (size_t i = 0; i < value.as.list->len; i++) {
        tl_value item = value.as.list->items[i];
        const char *text = item.type == TL_NULL ? "" : tl_decode_scalar(arena, item);
        if (!text) return tl_decode_mismatch(err, item, go_field, "string");
        tl_list_push(arena, list, clean_text(arena, text, 1));
    }
    *out = tl_as_go(tl_list_value(list), TL_GO_STRINGS);
    return 0;
}

static int read_people(tl_arena *arena, tl_value value, tl_value *out, tl_error *err)
{
    static const char *const keys[] = {"name", "email", "url"};
    static const char *const go_fields[] = {"Maintainer.maintainers.name", "Maintainer.maintainers.email",
                                            "Maintainer.maintainers.url"};
    if (value.type != TL_LIST) return tl_decode_mismatch(err, value, "Metadata.maintainers", "[]*chart.Maintainer");
    tl_list *list = tl_list_new(arena, value.as.list->len);
    for (size_t i = 0; i < value.as.list->len; i++) {
        tl_value item = value.as.list->items[i];
        if (item.type == TL_NULL) {
            tl_list_push(arena, list, tl_null());
            continue;
        }
        if (item.type != TL_MAP) return tl_decode_mismatch(err, item, "Metadata.maintainers", "chart.Maintainer");
        tl_map *person = tl_map_new(arena, 3);
        for (int k = 0; k < 3; k++) {
            const char *text = "";
            if (tl_decode_string(arena, item.as.map, keys[k], go_fields[k], &text, err)) return -1;
            if (*text) tl_map_sets(person, keys[k], clean_text(arena, text, 1));
        }
        tl_list_push(arena, list, tl_map_value(person));
    }
    *out = tl_list_value(list);
    return 0;
}

static int read_texts(tl_arena *arena, tl_value value, const char *go_field, tl_value *out, tl_error *err)
{
    if (value.type != TL_MAP) return tl_decode_mismatch(err, value, go_field, "map[string]string");
    tl_map *map = tl_map_new(arena, value.as.map->count);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(value.as.map, &cursor));) {
        const char *text = e->value.type == TL_NULL ? "" : tl_decode_scalar(arena, e->value);
        if (!text) return tl_decode_mismatch(err, e->value, go_field, "string");
        tl_map_set(map, e->key, e->key_len, tl_cstring_ref(text));
    }
    *out = tl_as_go(tl_map_value(map), TL_GO_STRING_MAP);
    return 0;
}

static int read_field(tl_chart *chart, tl_arena *arena, tl_map *yaml, size_t index, tl_error *err)
{
    const char *name = fields[index].name, *go_field = fields[index].go_field, *text = NULL;
    tl_value *found = tl_decode_field(yaml, name), value = tl_null();
    if (!found || found->type == TL_NULL) return 0;
    switch (fields[index].kind) {
    case FIELD_STRING:
        if (tl_decode_string(arena, yaml, name, go_field, &text, err)) return -1;
        value = clean_text(arena, text, fields[index].sanitized);
        break;
    case FIELD_BOOL:
        if (found->type != TL_BOOL) return tl_decode_mismatch(err, *found, go_field, "bool");
        value = *found;
        break;
    case FIELD_STRINGS:
        if (read_strings(arena, *found, go_field, &value, err)) return -1;
        break;
    case FIELD_PEOPLE:
        if (read_people(arena, *found, &value, err)) return -1;
        break;
    case FIELD_TEXTS:
        if (read_texts(arena, *found, go_field, &value, err)) return -1;
        break;
    }
    tl_map_sets(chart->metadata, name, value);
    return 0;
}

static int read_dep(tl_chart_dep *dep, tl_arena *arena, tl_value item, tl_error *err)
{
    static const char *const keys[] = {"name", "version", "repository", "condition", "alias"};
    static const char *const go_fields[] = {"Dependency.dependencies.name", "Dependency.dependencies.version",
                                            "Dependency.dependencies.repository",
                                            "Dependency.dependencies.condition", "Dependency.dependencies.alias"};
    const char **slots[] = {&dep->name, &dep->version, &dep->repository, &dep->condition, &dep->alias};
    tl_value tags, *found;
    for (int k = 0; k < 5; k++) *slots[k] = "";
    dep->null = item.type == TL_NULL;
    if (dep->null) return 0;
    if (item.type != TL_MAP) return tl_decode_mismatch(err, item, "Metadata.dependencies", "chart.Dependency");
    for (int k = 0; k < 5; k++) {
        if (tl_decode_string(arena, item.as.map, keys[k], go_fields[k], slots[k], err)) return -1;
        if (k < 4) *slots[k] = tl_text_sanitize(arena, *slots[k], strlen(*slots[k]));
    }
    found = tl_decode_field(item.as.map, "tags");
    if (found && found->type != TL_NULL) {
        if (read_strings(arena, *found, "Dependency.dependencies.tags", &tags, err)) return -1;
        dep->tags = tags.as.list;
    }
    found = tl_decode_field(item.as.map, "import-values");
    if (found && found->type != TL_NULL) {
        if (found->type != TL_LIST)
            return tl_decode_mismatch(err, *found, "Dependency.dependencies.import-values", "[]interface {}");
        dep->import_values = found->as.list;
    }
    found = tl_decode_field(item.as.map, "enabled");
    if (found && found->type != TL_NULL) {
        if (found->type != TL_BOOL) return tl_decode_mismatch(err, *found, "Dependency.dependencies.enabled", "bool");
        dep->enabled = found->as.b;
    }
    return 0;
}

static int read_deps(tl_chart *chart, tl_arena *arena, const tl_map *yaml, tl_error *err)
{
    tl_value *found = tl_decode_field(yaml, "dependencies");
    if (!found || found->type == TL_NULL) return 0;
    if (found->type != TL_LIST) return tl_decode_mismatch(err, *found, "Metadata.dependencies", "[]*chart.Dependency");
    chart->has_deps = 1;
    chart->dep_count = found->as.list->len;
    chart->deps = tl_arena_zalloc(arena, (chart->dep_count + 1) * sizeof *chart->deps);
    for (size_t i = 0; i < chart->dep_count; i++)
        if (read_dep(&chart->deps[i], arena, found->as.list->items[i], err)) return -1;
    return 0;
}

int tl_chart_read_metadata(tl_chart *chart, tl_arena *arena, const tl_chart_file *file, tl_error *err)
{
    tl_value value = tl_null();
    if (!chart->metadata) chart->metadata = tl_map_new(arena, 16);
    if (tl_decode_yaml(arena, file->data, file->size, 0, &value, err)) goto failed;
    if (value.type == TL_NULL) return 0;
    if (value.type != TL_MAP) {
        tl_decode_mismatch(err, value, NULL, "chart.Metadata");
        goto failed;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (read_field(chart, arena, value.as.map, i, err)) goto failed;
    if (read_deps(chart, arena, value.as.map, err)) goto failed;
    return 0;
failed:
    return tl_error_wrap(err, "cannot load %s: %s", file->name, err && err->message ? err->message : "");
}

static const char *text_of(tl_chart *chart, tl_arena *arena, const char *name)
{
    return tl_value_text(arena, tl_map_gets(chart->metadata, name), "");
}

static int valid_alias(const char *alias)
{
    for (; *alias; alias++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *alias)) return 0;
    return 1;
}

static int validate_deps(tl_chart *chart, tl_arena *arena, tl_error *err)
{
    for (size_t i = 0; i < chart->dep_count; i++) {
        tl_chart_dep *dep = &chart->deps[i];
        const char *key = *dep->alias ? dep->alias : dep->name;
        if (dep->null)
            return tl_error_set(err, "chart", "validation: dependencies must not contain empty or null nodes");
        if (!valid_alias(dep->alias))
            return tl_error_set(err, "chart", "validation: dependency %s has disallowed characters in the alias",
                                tl_text_quote(arena, dep->name, strlen(dep->name)));
        for (size_t j = 0; j < i; j++) {
            const tl_chart_dep *other = &chart->deps[j];
            if (!strcmp(*other->alias ? other->alias : other->name, key))
                return tl_error_set(err, "chart", "validation: more than one dependency with name or alias %s",
                                    tl_text_quote(arena, key, strlen(key)));
        }
    }
    return 0;
}

static int has_empty_person(const tl_chart *chart)
{
    tl_value *people = tl_map_gets(chart->metadata, "maintainers");
    for (size_t i = 0; people && i < people->as.list->len; i++)
        if (people->as.list->items[i].type == TL_NULL) return 1;
    return 0;
}

int tl_chart_validate(tl_chart *chart, tl_arena *arena, tl_error *err)
{
    tl_value *deprecated = tl_map_gets(chart->metadata, "deprecated");
    chart->name = text_of(chart, arena, "name");
    chart->version = text_of(chart, arena, "version");
    chart->app_version = text_of(chart, arena, "appVersion");
    chart->api_version = text_of(chart, arena, "apiVersion");
    chart->type = text_of(chart, arena, "type");
    chart->kube_version = text_of(chart, arena, "kubeVersion");
    chart->deprecated = deprecated && deprecated->as.b;

    const char *name = tl_text_quote(arena, chart->name, strlen(chart->name));
    if (!*chart->api_version) return tl_error_set(err, "chart", "validation: chart.metadata.apiVersion is required");
    if (!*chart->name) return tl_error_set(err, "chart", "validation: chart.metadata.name is required");
    if (!strcmp(chart->name, ".") || !strcmp(chart->name, ".."))
        return tl_error_set(err, "chart", "validation: chart.metadata.name %s is not allowed", name);
    if (strchr(chart->name, '/')) return tl_error_set(err, "chart", "validation: chart.metadata.name %s is invalid",
                                                      name);
    if (!*chart->version) return tl_error_set(err, "chart", "validation: chart.metadata.version is required");
    if (tl_semver_compare(chart->version, chart->version) == -2)
        return tl_error_set(err, "chart", "validation: chart.metadata.version %s is invalid",
                            tl_text_quote(arena, chart->version, strlen(chart->version)));
    if (*chart->type && strcmp(chart->type, "application") && strcmp(chart->type, "library"))
        return tl_error_set(err, "chart", "validation: chart.metadata.type must be application or library");
    if (has_empty_person(chart))
        return tl_error_set(err, "chart", "validation: maintainers must not contain empty or null nodes");
    return validate_deps(chart, arena, err);
}

static tl_map *dep_json(const tl_chart_dep *dep, tl_arena *arena)
{
    tl_map *map = tl_map_new(arena, 8);
    tl_map_sets(map, "name", tl_cstring_ref(dep->name));
    if (*dep->version) tl_map_sets(map, "version", tl_cstring_ref(dep->version));
    tl_map_sets(map, "repository", tl_cstring_ref(dep->repository));
    if (*dep->condition) tl_map_sets(map, "condition", tl_cstring_ref(dep->condition));
    if (dep->tags && dep->tags->len) tl_map_sets(map, "tags", tl_list_value(dep->tags));
    if (dep->enabled) tl_map_sets(map, "enabled", tl_bool(1));
    if (dep->import_values && dep->import_values->len)
        tl_map_sets(map, "import-values", tl_list_value(dep->import_values));
    if (*dep->alias) tl_map_sets(map, "alias", tl_cstring_ref(dep->alias));
    return map;
}

static int is_empty(tl_value value)
{
    switch (value.type) {
    case TL_STRING: return !value.len;
    case TL_BOOL: return !value.as.b;
    case TL_LIST: return !value.as.list->len;
    case TL_MAP: return !value.as.map->count;
    default: return value.type == TL_NULL;
    }
}

int tl_chart_metadata_field(const tl_chart *chart, tl_arena *arena, const char *name, tl_value *out)
{
    if (!strcmp(name, "name")) {
        *out = tl_cstring_ref(chart->name); /* an alias shows */
        return 1;
    }
    if (!strcmp(name, "dependencies")) {
        *out = tl_list_value(tl_list_new(arena, chart->dep_count));
        for (size_t d = 0; d < chart->dep_count; d++)
            tl_list_push(arena, out->as.list, tl_map_value(dep_json(&chart->deps[d], arena)));
        return chart->dep_count > 0;
    }
    tl_value *value = tl_map_gets(chart->metadata, name);
    if (!value || is_empty(*value)) return 0;
    *out = *value;
    return 1;
}

tl_map *tl_chart_metadata_json(const tl_chart *chart, tl_arena *arena)
{
    tl_map *map = tl_map_new(arena, 16);
    tl_value value;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (tl_chart_metadata_field(chart, arena, fields[i].name, &value)) tl_map_sets(map, fields[i].name, value);
        if (!strcmp(fields[i].name, "kubeVersion") && tl_chart_metadata_field(chart, arena, "dependencies", &value))
            tl_map_sets(map, "dependencies", value);
    }
    return map;
}

tl_map *tl_chart_lock_json(const tl_chart *chart, tl_arena *arena)
{
    if (chart->lock.type != TL_MAP) return NULL;
    tl_map *map = tl_map_new(arena, 3);
    const char *generated = "0001-01-01T00:00:00Z", *digest = "";
    tl_value *deps = tl_decode_field(chart->lock.as.map, "dependencies");
    tl_value list = tl_null();
    tl_error ignored = {0}; /* what is no text was refused when the file was read by helm, too */
    if (tl_decode_string(arena, chart->lock.as.map, "generated", "Lock.generated", &generated, &ignored) ||
        tl_decode_string(arena, chart->lock.as.map, "digest", "Lock.digest", &digest, &ignored))
        tl_error_dispose(&ignored);
    if (deps && deps->type == TL_LIST) {
        list = tl_list_value(tl_list_new(arena, deps->as.list->len));
        for (size_t i = 0; i < deps->as.list->len; i++) {
            tl_chart_dep dep = {0};
            if (read_dep(&dep, arena, deps->as.list->items[i], &ignored))
                tl_error_dispose(&ignored);
            else
                tl_list_push(arena, list.as.list, tl_map_value(dep_json(&dep, arena)));
        }
    }
    tl_map_sets(map, "generated", tl_cstring_ref(generated));
    tl_map_sets(map, "digest", tl_cstring_ref(digest));
    tl_map_sets(map, "dependencies", list);
    return map;
}
