/* Values of a user over those of charts (helm.sh/helm/v3/pkg/chartutil/coalesce.go). */
#include <string.h>

#include "base/log.h"
#include "chart/values.h"
#include "template/template.h"

static int is_table(const tl_value *value)
{
    return value && value->type == TL_MAP;
}

static tl_map *copy_map(tl_arena *arena, const tl_map *map)
{
    return map ? tl_value_fork(arena, tl_map_value((tl_map *)map)).as.map : tl_map_new(arena, 4);
}

static tl_map *shallow_copy(tl_arena *arena, const tl_map *map)
{
    tl_map *copy = tl_map_new(arena, map->count);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(map, &cursor));) tl_map_set(copy, e->key, e->key_len, e->value);
    return copy;
}

tl_map *tl_values_overlay(tl_arena *arena, const tl_map *a, const tl_map *b)
{
    tl_map *out = shallow_copy(arena, a);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(b, &cursor));) {
        tl_value *under = tl_map_get(out, e->key, e->key_len), value = e->value;
        if (is_table(&value) && is_table(under))
            value = tl_map_value(tl_values_overlay(arena, under->as.map, value.as.map));
        tl_map_set(out, e->key, e->key_len, value);
    }
    return out;
}

/* Where a table is, for warnings: the names from the chart's own on. */
typedef struct place {
    const struct place *in;
    const char *name;
} place;

static void add_place(tl_buf *out, const place *at)
{
    if (!at) return;
    add_place(out, at->in);
    if (!*at->name) return;
    if (out->len) tl_buf_addc(out, '.');
    tl_buf_adds(out, at->name);
}

/* `format` has a %s for the key and, where a value is given, another one for it as Go prints it. */
static void warn(const char *format, const place *in, const char *key, const tl_value *value)
{
    const place at = {in, key};
    tl_buf path = TL_BUF_INIT(1 << 16), text = TL_BUF_INIT(1 << 20);
    add_place(&path, &at);
    if (value) tl_go_print(&text, *value);
    tl_log(TL_LOG_WARN, format, path.data, value && text.len ? text.data : "");
    tl_buf_dispose(&path);
    tl_buf_dispose(&text);
}

static tl_map *coalesce_tables(tl_arena *arena, tl_map *dst, tl_map *src, const place *in, int merge);

/* One key of src that dst has too. */
static void coalesce_key(tl_arena *arena, tl_map *dst, const tl_entry *from, const place *in, int was_set, int merge)
{
    const place at = {in, from->key};
    tl_value *under = tl_map_get(dst, from->key, from->key_len);
    if (!under) {
        tl_map_set(dst, from->key, from->key_len, from->value);
    } else if (under->type == TL_NULL && !merge && was_set) {
        tl_map_delete(dst, from->key, from->key_len); /* the user's null removes the chart's default */
    } else if (is_table(&from->value)) {
        if (is_table(under))
            coalesce_tables(arena, under->as.map, from->value.as.map, &at, merge);
        else
            warn("warning: cannot overwrite table with non table for %s (%s)", in, from->key, &from->value);
    } else if (is_table(under) && from->value.type != TL_NULL) {
        warn("warning: destination for %s is a table. Ignoring non-table value (%s)", in, from->key, &from->value);
    }
}

static tl_map *coalesce_tables(tl_arena *arena, tl_map *dst, tl_map *src, const place *in, int merge)
{
    if (!src) return dst;
    if (!dst) return src;
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(src, &cursor));) {
        tl_value *under = tl_map_get(dst, e->key, e->key_len);
        tl_entry from = *e;
        int was_set = e->value.type != TL_NULL;
        if (under && under->type == TL_NULL) e->value = from.value = tl_null();
        coalesce_key(arena, dst, &from, in, was_set, merge);
    }
    cursor = 0; /* the source may be used again: it learns of the nulls too, as helm's does */
    for (tl_entry *e; (e = tl_map_next(dst, &cursor));)
        if (e->value.type == TL_NULL) tl_map_set(src, e->key, e->key_len, tl_null());
    return dst;
}

tl_map *tl_values_coalesce_tables(tl_arena *arena, tl_map *dst, tl_map *src, int merge)
{
    return coalesce_tables(arena, dst, src, NULL, merge);
}

static int is_subchart(const tl_chart *chart, const char *key)
{
    for (size_t i = 0; i < chart->chart_count; i++)
        if (!strcmp(chart->charts[i]->name, key)) return 1;
    return 0;
}

static void coalesce_values(tl_arena *arena, const tl_chart *chart, tl_map *dest, const place *in, int merge)
{
    if (!chart->values) return;
    tl_map *defaults = copy_map(arena, chart->values);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(defaults, &cursor));) {
        tl_value *over = tl_map_get(dest, e->key, e->key_len);
        if (!over) {
            tl_map_set(dest, e->key, e->key_len, e->value);
        } else if (over->type == TL_NULL && !merge) {
            tl_map_delete(dest, e->key, e->key_len);
        } else if (is_table(over)) {
            const place at = {in, e->key};
            if (is_table(&e->value))
                coalesce_tables(arena, over->as.map, e->value.as.map, &at, merge || is_subchart(chart, e->key));
            else if (e->value.type != TL_NULL)
                warn("warning: skipped value for %s: Not a table.", in, e->key, NULL);
        }
    }
}

/* Copies the globals of src into dest, src winning inside of tables. */
static void coalesce_globals(tl_arena *arena, tl_map *dest, const tl_map *src, const place *in)
{
    tl_value *to = tl_map_gets(dest, "global"), *from = tl_map_gets(src, "global");
    if ((to && !is_table(to)) || (from && !is_table(from))) {
        tl_log(TL_LOG_WARN, "warning: skipping globals because %s global is not a table.",
               to && !is_table(to) ? "destination" : "source");
        return;
    }
    tl_map *globals = to ? to->as.map : tl_map_new(arena, 2);
    uint32_t cursor = 0;
    for (tl_entry *e; from && (e = tl_map_next(from->as.map, &cursor));) {
        tl_value *under = tl_map_get(globals, e->key, e->key_len);
        if (!is_table(&e->value)) {
            if (!is_table(under))
                tl_map_set(globals, e->key, e->key_len, e->value);
            else
                tl_log(TL_LOG_WARN, "key %s is table. Skipping", e->key);
            continue;
        }
        tl_map *table = shallow_copy(arena, e->value.as.map);
        if (under && !is_table(under)) {
            tl_log(TL_LOG_WARN, "Conflict: cannot merge map onto non-map for \"%s\". Skipping.", e->key);
            continue;
        }
        const place at = {in, e->key};
        if (under) coalesce_tables(arena, table, under->as.map, &at, 1);
        tl_map_set(globals, e->key, e->key_len, tl_map_value(table));
    }
    tl_map_sets(dest, "global", tl_map_value(globals));
}

static int mismatch(const char *name, tl_value value, tl_error *err)
{
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_go_sprintf(&text, "%t", 2, &value, 1); /* the verb is helm's; where it does not fit, Go adds the type */
    tl_error_set(err, "chart", "type mismatch on %s: %s", name, text.data);
    tl_buf_dispose(&text);
    tl_error_hint(err, "%s is a subchart: its values are a map", name);
    return -1;
}

static int coalesce(tl_arena *arena, const tl_chart *chart, tl_map *dest, const place *in, int merge, tl_error *err)
{
    const place at = {in, chart->name};
    coalesce_values(arena, chart, dest, &at, merge);
    if (tl_arena_over(arena)) return tl_error_set(err, "limit", "the chart's values need too much memory");
    for (size_t i = 0; i < chart->chart_count; i++) {
        const tl_chart *sub = chart->charts[i];
        tl_value *slot = tl_map_gets(dest, sub->name);
        if (slot && !is_table(slot)) return mismatch(sub->name, *slot, err);
        tl_map *inner = slot ? slot->as.map : tl_map_new(arena, 4);
        if (!slot) tl_map_sets(dest, sub->name, tl_map_value(inner));
        coalesce_globals(arena, inner, dest, &at);
        if (coalesce(arena, sub, inner, &at, merge, err)) return -1;
    }
    return 0;
}

tl_map *tl_values_coalesce(tl_arena *arena, const tl_chart *chart, const tl_map *user, tl_error *err)
{
    tl_map *dest = copy_map(arena, user);
    return coalesce(arena, chart, dest, NULL, 0, err) ? NULL : dest;
}

tl_map *tl_values_merge(tl_arena *arena, const tl_chart *chart, const tl_map *user, tl_error *err)
{
    tl_map *dest = copy_map(arena, user);
    return coalesce(arena, chart, dest, NULL, 1, err) ? NULL : dest;
}
