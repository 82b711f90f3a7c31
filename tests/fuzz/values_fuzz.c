/* Values files: two YAML texts (a NUL between them) over the values of a chart with a subchart. What was read must
 * survive being written and read again. */
#include "fuzz.h"

#include <string.h>

#include "chart/values.h"
#include "data/yaml.h"

static const char *const texts[][2] = {
    {"Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies:\n- {name: s, condition: s.on, alias: t, "
                   "import-values: [data, {child: x.y, parent: z}]}\n"},
    {"values.yaml", "a: 1\nb: {c: [1, 2], d: null}\ns: {on: true}\nglobal: {g: 1}\n"},
    {"charts/s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n"},
    {"charts/s/values.yaml", "on: false\nx: {y: {z: 1}}\nexports: {data: {q: 1}}\nglobal: {h: 2}\n"},
};

static tl_chart *load(tl_arena *arena)
{
    tl_chart_files files = {0};
    tl_chart *chart = NULL;
    tl_error err = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        tl_chart_files_add(arena, &files, texts[i][0], texts[i][1], strlen(texts[i][1]));
    if (tl_chart_load_files(&chart, arena, &files, NULL, &err)) abort();
    return chart;
}

/* go-yaml, whose bytes the writer gives, does not read all that it writes: NEL, LS and PS become line breaks, which are spaces
 * then, and a key << is written without quotes, which merges. */
static int comes_back_otherwise(tl_value value)
{
    uint32_t cursor = 0;
    if (value.type == TL_STRING)
        return memmem(value.as.s, value.len, "\xc2\x85", 2) || memmem(value.as.s, value.len, "\xe2\x80\xa8", 3) ||
               memmem(value.as.s, value.len, "\xe2\x80\xa9", 3);
    if (value.type == TL_LIST)
        for (size_t i = 0; i < value.as.list->len; i++)
            if (comes_back_otherwise(value.as.list->items[i])) return 1;
    if (value.type == TL_MAP)
        for (tl_entry *e; (e = tl_map_next(value.as.map, &cursor));)
            if ((e->key_len == 2 && !memcmp(e->key, "<<", 2)) || comes_back_otherwise(tl_string_ref(e->key, e->key_len)) ||
                comes_back_otherwise(e->value))
                return 1;
    return 0;
}

static void check_round_trip(tl_arena *arena, const tl_map *values)
{
    tl_buf text = TL_BUF_INIT(16u << 20);
    tl_error err = {0};
    tl_map *again = NULL;
    if (comes_back_otherwise(tl_map_value((tl_map *)values))) return;
    if (!tl_yaml_write(&text, tl_map_value((tl_map *)values), NULL, &err)) {
        if (tl_values_decode(&again, arena, text.data, text.len, &err)) abort();
        if (values->count && !tl_value_equal(tl_map_value((tl_map *)values), tl_map_value(again))) abort();
    }
    tl_error_dispose(&err);
    tl_buf_dispose(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *arena = tl_arena_new(64u << 20);
    const char *text = tl_arena_strndup(arena, (const char *)data, size), *cut = memchr(text, 0, size);
    size_t first = cut ? (size_t)(cut - text) : size;
    tl_map *user = NULL, *other = NULL;
    tl_error err = {0};
    if (!tl_values_decode(&user, arena, text, first, &err) && user) {
        check_round_trip(arena, user);
        if (cut && !tl_values_decode(&other, arena, cut + 1, size - first - 1, &err) && other)
            user = tl_values_overlay(arena, user, other);
        tl_chart *chart = load(arena);
        if (!tl_values_process_dependencies(arena, chart, user, &err)) tl_values_coalesce(arena, chart, user, &err);
    }
    tl_error_dispose(&err);
    tl_arena_free(arena);
    return 0;
}
