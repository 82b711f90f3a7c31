/* Release records as helm 3 keeps them. */
#include "chart/release.h"

#include <string.h>

#include "chart/values.h"
#include "data/base64.h"
#include "data/gzip.h"
#include "data/json.h"

/* Kubernetes holds a Secret under 1 MiB; what it decompresses to stays bounded too. */
#define MAX_RECORD (256u * 1024 * 1024)

static tl_value text_or(const char *text, const char *fallback)
{
    return tl_cstring_ref(text ? text : fallback);
}

/* A copy with the keys of all maps sorted, as Go writes maps; strings are shared. */
static tl_value sorted_copy(tl_arena *arena, tl_value value)
{
    if (value.type == TL_LIST) {
        tl_list *list = tl_list_new(arena, value.as.list->len);
        for (size_t i = 0; i < value.as.list->len; i++)
            tl_list_push(arena, list, sorted_copy(arena, value.as.list->items[i]));
        value.as.list = list;
    } else if (value.type == TL_MAP) {
        tl_map *map = tl_map_new(arena, value.as.map->count);
        for (tl_entry **e = tl_map_sorted(value.as.map, arena); *e; e++)
            tl_map_set(map, (*e)->key, (*e)->key_len, sorted_copy(arena, (*e)->value));
        value.as.map = map;
    }
    return value;
}

static int add_files(tl_map *map, const char *field, tl_arena *arena, const tl_chart_files *files, tl_error *err)
{
    int result = 0;
    tl_list *list = tl_list_new(arena, files->len);
    tl_buf data = TL_BUF_INIT(MAX_RECORD);
    for (size_t i = 0; i < files->len && !result; i++) {
        tl_chart_file read;
        tl_map *file = tl_map_new(arena, 2);
        result = tl_chart_file_read(&read, &files->items[i], err);
        if (result) break;
        tl_buf_clear(&data);
        tl_base64_encode(&data, read.data, read.size, TL_BASE64_STD);
        tl_map_sets(file, "name", tl_cstring_ref(read.name));
        tl_map_sets(file, "data", tl_string(arena, data.data, data.len));
        tl_list_push(arena, list, tl_map_value(file));
    }
    tl_buf_dispose(&data);
    tl_map_sets(map, field, files->len ? tl_list_value(list) : tl_null());
    return result;
}

static int chart_json(tl_value *out, tl_arena *arena, const tl_chart *chart, tl_error *err)
{
    tl_map *map = tl_map_new(arena, 6);
    tl_value schema = tl_null();
    if (chart->schema) {
        tl_buf data = TL_BUF_INIT(MAX_RECORD);
        tl_base64_encode(&data, chart->schema, chart->schema_size, TL_BASE64_STD);
        schema = tl_string(arena, data.data, data.len);
        tl_buf_dispose(&data);
    }
    tl_map *metadata = tl_chart_metadata_json(chart, arena);
    tl_value *annotations = tl_map_gets(metadata, "annotations");
    if (annotations) *annotations = sorted_copy(arena, *annotations);
    tl_map_sets(map, "metadata", tl_map_value(metadata));
    tl_map *lock = tl_chart_lock_json(chart, arena);
    tl_map_sets(map, "lock", lock ? tl_map_value(lock) : tl_null());
    if (add_files(map, "templates", arena, &chart->templates, err)) return -1;
    tl_map_sets(map, "values", chart->values ? sorted_copy(arena, tl_map_value(chart->values)) : tl_null());
    tl_map_sets(map, "schema", schema);
    *out = tl_map_value(map);
    return add_files(map, "files", arena, &chart->files, err);
}

static tl_value text_list(tl_arena *arena, const char *const *items, size_t count)
{
    tl_list *list = tl_list_new(arena, count);
    for (size_t i = 0; i < count; i++) tl_list_push(arena, list, tl_cstring_ref(items[i]));
    return tl_list_value(list);
}

static tl_value hook_json(tl_arena *arena, const tl_manifest *m)
{
    tl_map *map = tl_map_new(arena, 8), *last_run = tl_map_new(arena, 3);
    tl_map_sets(last_run, "started_at", tl_cstring_ref(""));
    tl_map_sets(last_run, "completed_at", tl_cstring_ref(""));
    tl_map_sets(last_run, "phase", tl_cstring_ref(""));
    if (*m->name) tl_map_sets(map, "name", tl_cstring_ref(m->name));
    if (*m->kind) tl_map_sets(map, "kind", tl_cstring_ref(m->kind));
    tl_map_sets(map, "path", tl_cstring_ref(m->path));
    tl_map_sets(map, "manifest", tl_string_ref(m->content, m->size));
    tl_map_sets(map, "events", text_list(arena, m->hook->events, m->hook->event_count));
    tl_map_sets(map, "last_run", tl_map_value(last_run));
    if (m->hook->weight) tl_map_sets(map, "weight", tl_int(m->hook->weight));
    if (m->hook->delete_policy_count)
        tl_map_sets(map, "delete_policies", text_list(arena, m->hook->delete_policies, m->hook->delete_policy_count));
    if (m->hook->output_log_policy_count)
        tl_map_sets(map, "output_log_policies",
                    text_list(arena, m->hook->output_log_policies, m->hook->output_log_policy_count));
    return tl_map_value(map);
}

int tl_release_record(tl_map **out, tl_arena *arena, const tl_rendered *rendered, const tl_release_info *info,
                      tl_error *err)
{
    tl_map *record = tl_map_new(arena, 8), *state = tl_map_new(arena, 6);
    tl_value chart;
    if (chart_json(&chart, arena, rendered->chart, err)) return -1;
    tl_map_sets(state, "first_deployed", text_or(info->first_deployed, ""));
    tl_map_sets(state, "last_deployed", text_or(info->last_deployed, ""));
    tl_map_sets(state, "deleted", tl_cstring_ref(""));
    if (info->description && *info->description) tl_map_sets(state, "description", tl_cstring_ref(info->description));
    if (info->status && *info->status) tl_map_sets(state, "status", tl_cstring_ref(info->status));
    if (rendered->notes && *rendered->notes) tl_map_sets(state, "notes", tl_cstring_ref(rendered->notes));

    tl_map_sets(record, "name", text_or(info->name, ""));
    tl_map_sets(record, "info", tl_map_value(state));
    tl_map_sets(record, "chart", chart);
    if (rendered->config && rendered->config->count)
        tl_map_sets(record, "config", sorted_copy(arena, tl_map_value((tl_map *)rendered->config)));
    if (rendered->manifest_size)
        tl_map_sets(record, "manifest", tl_string_ref(rendered->manifest, rendered->manifest_size));
    if (rendered->hooks.len) {
        tl_list *hooks = tl_list_new(arena, rendered->hooks.len);
        for (size_t i = 0; i < rendered->hooks.len; i++)
            tl_list_push(arena, hooks, hook_json(arena, &rendered->hooks.items[i]));
        tl_map_sets(record, "hooks", tl_list_value(hooks));
    }
    tl_map_sets(record, "version", tl_int(info->revision));
    tl_map_sets(record, "namespace", text_or(info->namespace_, ""));
    *out = record;
    return 0;
}

int tl_release_encode(tl_buf *out, tl_value record, tl_error *err)
{
    tl_json_write_options options = {.html = 1};
    tl_buf json = TL_BUF_INIT(MAX_RECORD), packed = TL_BUF_INIT(MAX_RECORD);
    int result = -1;
    if (tl_json_write(&json, record, &options, err)) goto out;
    if (tl_gzip_compress(&packed, json.data, json.len, 9, err)) goto out;
    tl_base64_encode(out, packed.data, packed.len, TL_BASE64_STD);
    result = 0;
out:
    if (json.len) tl_cleanse(json.data, json.len); /* it holds the user's values */
    tl_buf_dispose(&json);
    tl_buf_dispose(&packed);
    return result;
}

/* Values are an interface{} in helm's structs: their numbers are float64 once they were JSON. */
static void float_values(tl_value *values)
{
    if (values) *values = tl_values_floats(*values);
}

int tl_release_decode(tl_value *out, tl_arena *arena, const char *text, size_t size, tl_error *err)
{
    tl_json_options options = {.numbers = TL_JSON_EXACT, .name = "release"};
    tl_buf packed = TL_BUF_INIT(MAX_RECORD), json = TL_BUF_INIT(MAX_RECORD);
    int result = -1;
    if (tl_base64_decode(&packed, text, size, TL_BASE64_STD, err)) goto out;
    if (tl_gzip_is(packed.data, packed.len)) {
        if (tl_gzip_decompress(&json, packed.data, packed.len, err)) goto out;
    } else {
        tl_buf_add(&json, packed.data, packed.len);
    }
    if (tl_json_parse(arena, json.data, json.len, &options, out, err)) goto out;
    float_values(tl_value_path(out, "config", NULL));
    float_values(tl_value_path(out, "chart", "values", NULL));
    result = 0;
out:
    if (result) tl_error_wrap(err, "the release record cannot be read: %s", err && err->message ? err->message : "");
    tl_buf_dispose(&packed);
    tl_buf_dispose(&json);
    return result;
}
