/* Which subcharts take part, under which names, and what values they hand up
 * (helm.sh/helm/v3/pkg/chartutil/dependencies.go). */
#include <string.h>

#include "base/log.h"
#include "chart/text.h"
#include "chart/values.h"
#include "template/template.h"

/* The value at a dotted path; NULL where a step is absent or no map. */
static tl_value *find_path(const tl_map *map, const char *path)
{
    for (;;) {
        const char *dot = strchr(path, '.');
        tl_value *value = tl_map_get(map, path, dot ? (size_t)(dot - path) : strlen(path));
        if (!value || !dot) return value;
        if (value->type != TL_MAP) return NULL;
        map = value->as.map;
        path = dot + 1;
    }
}

static tl_map *find_table(const tl_map *map, const char *path)
{
    tl_value *value = find_path(map, path);
    return value && value->type == TL_MAP ? value->as.map : NULL;
}

/* 1 where this path of the condition decided. */
static int apply_condition(tl_chart_dep *dep, tl_arena *arena, const tl_map *values, const char *path)
{
    tl_value *value = find_path(values, path);
    (void)arena;
    if (!value || value->type == TL_MAP) return 0;
    if (value->type != TL_BOOL) {
        tl_log(TL_LOG_WARN, "Warning: Condition path '%s' for chart %s returned non-bool value", path, dep->name);
        return 0;
    }
    dep->enabled = value->as.b;
    return 1;
}

static void process_conditions(tl_chart *chart, tl_arena *arena, const tl_map *values, const char *prefix)
{
    for (size_t i = 0; i < chart->dep_count; i++) {
        const char *text = chart->deps[i].condition;
        size_t length = strlen(text);
        tl_text_trim(&text, &length);
        while (length) {
            const char *comma = memchr(text, ',', length);
            size_t part = comma ? (size_t)(comma - text) : length;
            if (part && apply_condition(&chart->deps[i], arena, values,
                                        tl_arena_printf(arena, "%s%.*s", prefix, (int)part, text)))
                break;
            if (comma) part++;
            text += part;
            length -= part;
        }
    }
}

static void process_tags(tl_chart *chart, const tl_map *values)
{
    tl_map *tags = find_table(values, "tags");
    if (!tags) return;
    for (size_t i = 0; i < chart->dep_count; i++) {
        tl_chart_dep *dep = &chart->deps[i];
        int on = 0, off = 0;
        for (size_t t = 0; dep->tags && t < dep->tags->len; t++) {
            tl_value tag = dep->tags->items[t];
            tl_value *value = tag.type == TL_STRING ? tl_map_get(tags, tag.as.s, tag.len) : NULL;
            if (!value) continue;
            if (value->type != TL_BOOL)
                tl_log(TL_LOG_WARN, "Warning: Tag '%.*s' for chart %s returned non-bool value", (int)tag.len, tag.as.s,
                       dep->name);
            else if (value->as.b)
                on = 1;
            else
                off = 1;
        }
        dep->enabled = on || !off;
    }
}

static int is_required(const tl_chart *chart, const tl_chart *sub)
{
    for (size_t i = 0; i < chart->dep_count; i++)
        if (!strcmp(chart->deps[i].name, sub->name) && tl_chart_compatible(chart->deps[i].version, sub->version))
            return 1;
    return 0;
}

/* The subchart that the entry means, under its alias. */
static tl_chart *find_alias(const tl_chart *chart, tl_arena *arena, const tl_chart_dep *dep)
{
    for (size_t i = 0; i < chart->chart_count; i++) {
        tl_chart *sub = chart->charts[i];
        if (strcmp(sub->name, dep->name) || !tl_chart_compatible(dep->version, sub->version)) continue;
        tl_chart *copy = tl_chart_clone(sub, arena);
        copy->parent = (tl_chart *)chart;
        if (*dep->alias) copy->name = dep->alias;
        return copy;
    }
    return NULL;
}

/* Subcharts that no entry names stay first, then those of the entries, in their order. */
static void apply_aliases(tl_chart *chart, tl_arena *arena)
{
    tl_chart **wanted = tl_arena_zalloc(arena, (chart->chart_count + chart->dep_count + 1) * sizeof *wanted);
    size_t count = 0;
    for (size_t i = 0; i < chart->chart_count; i++)
        if (!is_required(chart, chart->charts[i])) wanted[count++] = chart->charts[i];
    for (size_t i = 0; i < chart->dep_count; i++) {
        tl_chart_dep *dep = &chart->deps[i];
        tl_chart *sub = find_alias(chart, arena, dep);
        if (sub) wanted[count++] = sub;
        if (*dep->alias) dep->name = dep->alias;
        dep->enabled = 1;
    }
    chart->charts = wanted;
    chart->chart_count = count;
}

static int is_disabled(const tl_chart *chart, const char *name)
{
    for (size_t i = 0; i < chart->dep_count; i++)
        if (!chart->deps[i].enabled && !strcmp(chart->deps[i].name, name)) return 1;
    return 0;
}

static int process_enabled(tl_chart *chart, tl_arena *arena, const tl_map *user, const char *path, tl_error *err)
{
    if (!chart->has_deps) return 0;
    apply_aliases(chart, arena);
    if (tl_arena_over(arena)) return tl_error_set(err, "limit", "the chart's dependencies need too much memory");
    tl_map *values = tl_values_coalesce(arena, chart, user, err);
    if (!values) return -1;
    process_tags(chart, values);
    process_conditions(chart, arena, values, path);

    size_t charts = 0, deps = 0;
    for (size_t i = 0; i < chart->chart_count; i++)
        if (!is_disabled(chart, chart->charts[i]->name)) chart->charts[charts++] = chart->charts[i];
    chart->chart_count = charts;
    tl_chart_dep *kept = tl_arena_zalloc(arena, (chart->dep_count + 1) * sizeof *kept);
    for (size_t i = 0; i < chart->dep_count; i++)
        if (!is_disabled(chart, chart->deps[i].name)) kept[deps++] = chart->deps[i];
    for (size_t i = 0; i < charts; i++)
        if (process_enabled(chart->charts[i], arena, values,
                            tl_arena_printf(arena, "%s%s.", path, chart->charts[i]->name), err))
            return -1;
    chart->deps = kept;
    chart->dep_count = deps;
    chart->has_deps = deps > 0;
    return 0;
}

/* `data` under a dotted path of new maps; "." is the top. */
static tl_map *path_to_map(tl_arena *arena, const char *path, tl_map *data)
{
    if (!strcmp(path, ".")) return data;
    const char *dot = strchr(path, '.');
    tl_map *map = tl_map_new(arena, 1);
    size_t length = dot ? (size_t)(dot - path) : strlen(path);
    tl_map_set(map, path, length, tl_map_value(dot ? path_to_map(arena, dot + 1, data) : data));
    return map;
}

static const char *import_side(tl_arena *arena, const tl_map *pair, const char *side)
{
    tl_value *value = tl_map_gets(pair, side);
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_go_print(&text, value ? *value : tl_null());
    const char *copy = tl_arena_strndup(arena, text.data, text.len);
    tl_buf_dispose(&text);
    return copy;
}

/* The first name of a path that is no table (helm.sh/helm/v3/pkg/chartutil ErrNoTable). */
static const char *missing_table(const tl_map *map, tl_arena *arena, const char *path)
{
    for (;;) {
        size_t length = strcspn(path, ".");
        tl_value *value = tl_map_get(map, path, length);
        if (!value || value->type != TL_MAP || !path[length]) return tl_text_quote(arena, path, length);
        map = value->as.map;
        path += length + 1;
    }
}

/* One import-values entry: adds to *out what it takes from the child, and to `record` what helm notes of it. */
static void import_entry(tl_arena *arena, const tl_chart_dep *dep, tl_value entry, const tl_map *values, tl_map *out,
                         tl_list *record)
{
    const char *child, *parent = ".";
    if (entry.type == TL_MAP) {
        child = import_side(arena, entry.as.map, "child");
        parent = import_side(arena, entry.as.map, "parent");
    } else if (entry.type == TL_STRING) {
        child = tl_arena_printf(arena, "exports.%.*s", (int)entry.len, entry.as.s);
    } else {
        return;
    }
    tl_map *noted = tl_map_new(arena, 2);
    tl_map_sets(noted, "child", tl_cstring(arena, child));
    tl_map_sets(noted, "parent", tl_cstring(arena, parent));
    tl_list_push(arena, record, tl_map_value(noted));
    const char *path = tl_arena_printf(arena, "%s.%s", dep->name, child);
    tl_map *table = find_table(values, path);
    if (!table) {
        const char *name = missing_table(values, arena, path);
        if (entry.type == TL_MAP)
            tl_log(TL_LOG_WARN, "Warning: ImportValues missing table from chart %s: %s is not a table", dep->name, name);
        else
            tl_log(TL_LOG_WARN, "Warning: ImportValues missing table: %s is not a table", name);
        return;
    }
    tl_values_coalesce_tables(arena, out, path_to_map(arena, parent, table), 1);
}

static int process_imports(tl_chart *chart, tl_arena *arena, tl_error *err)
{
    for (size_t i = 0; i < chart->chart_count; i++)
        if (process_imports(chart->charts[i], arena, err)) return -1;
    if (!chart->has_deps) return 0;
    tl_map *values = tl_values_merge(arena, chart, NULL, err), *imported = tl_map_new(arena, 4);
    if (!values) return -1;
    for (size_t i = 0; i < chart->dep_count; i++) {
        tl_chart_dep *dep = &chart->deps[i];
        if (!dep->import_values) continue;
        tl_list *record = tl_list_new(arena, dep->import_values->len);
        for (size_t n = 0; n < dep->import_values->len; n++)
            import_entry(arena, dep, dep->import_values->items[n], values, imported, record);
        dep->import_values = record->len ? record : NULL;
    }
    values = tl_value_fork(arena, tl_map_value(values)).as.map;
    chart->values = tl_values_coalesce_tables(arena, values, imported, 1);
    return 0;
}

int tl_values_process_dependencies(tl_arena *arena, tl_chart *chart, const tl_map *user, tl_error *err)
{
    if (process_enabled(chart, arena, user, "", err)) return -1;
    return process_imports(chart, arena, err);
}
