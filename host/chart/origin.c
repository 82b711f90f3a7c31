/* Values of a chart with the layer that each comes from. */
#include "chart/origin.h"

#include <string.h>

#include "chart/decode.h"
#include "data/yaml_node.h"

/* Marks are the tags of the value tree. */
#define MAX_MARK 65000
#define MAX_DEPTH 200

typedef struct tracer {
    tl_origins *out;
    tl_arena *arena;
    uint16_t marks;
    /* Marks of the charts' values.yaml, by the address of its text: a chart that stands under two aliases has one. */
    tl_map *charts;
    tl_error *err;
} tracer;

/* Marks the value and what is below it; with `fresh` only what has no mark yet. */
static void mark(tl_value *value, uint16_t tag, int fresh)
{
    if (!fresh || !value->tag) value->tag = tag;
    if (value->type == TL_LIST)
        for (size_t i = 0; i < value->as.list->len; i++) mark(&value->as.list->items[i], tag, fresh);
    if (value->type != TL_MAP) return;
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(value->as.map, &cursor));) mark(&e->value, tag, fresh);
}

/* 0 where there are too many. */
static uint16_t next_mark(tracer *t)
{
    if (t->marks < MAX_MARK) return ++t->marks;
    tl_error_set(t->err, "limit", "more than %d layers of values", MAX_MARK);
    return 0;
}

static tl_origin *add(tracer *t, tl_origin_kind kind, const char *name, uint16_t tag)
{
    tl_origins *all = t->out;
    if (all->len == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 8;
        all->items = tl_arena_grow(t->arena, all->items, all->cap * sizeof *all->items, cap * sizeof *all->items);
        all->cap = cap;
    }
    tl_origin *added = &all->items[all->len++];
    *added = (tl_origin){.kind = kind, .name = name, .mark = tag, .values = tl_null()};
    return added;
}

static const tl_yaml_node *source_of(tracer *t, const char *text, size_t size)
{
    tl_error ignored = {0}; /* the text has been read before */
    tl_yaml_node *root = NULL;
    tl_yaml_parser *parser = tl_yaml_parser_new(t->arena, text, size, NULL);
    if (tl_yaml_parser_next(parser, &root, &ignored) != 1) root = NULL;
    tl_yaml_parser_free(parser);
    tl_error_dispose(&ignored);
    return root;
}

/* ---- layers ---- */

static const char *address_key(tracer *t, const tl_chart_file *file)
{
    return tl_arena_printf(t->arena, "%p", (const void *)file->data);
}

/* Gives the clone values of its own, marked, and notes the mark and where the file is. */
static int mark_chart(tracer *t, tl_chart *chart, const char *folder)
{
    const tl_chart_file *file = tl_chart_files_get(&chart->raw, "values.yaml");
    if (file && chart->values) {
        uint16_t tag = next_mark(t);
        if (!tag) return -1;
        tl_value values = tl_value_copy(t->arena, tl_map_value(chart->values));
        mark(&values, tag, 0);
        chart->values = values.as.map;
        tl_value name = tl_cstring(t->arena, tl_arena_printf(t->arena, "%svalues.yaml", folder));
        name.tag = tag;
        tl_map_sets(t->charts, address_key(t, file), name);
    }
    for (size_t i = 0; i < chart->chart_count; i++)
        if (mark_chart(t, chart->charts[i], tl_arena_printf(t->arena, "%scharts/%s/", folder, chart->charts[i]->name)))
            return -1;
    return 0;
}

/* The charts that take part, the innermost first: what stands above a chart wins over its own values. */
static int add_charts(tracer *t, const tl_chart *chart, const char **scope, size_t depth)
{
    if (depth == TL_CHART_MAX_DEPTH) return tl_error_set(t->err, "limit", "charts are nested too deeply");
    for (size_t i = 0; i < chart->chart_count; i++) {
        scope[depth] = chart->charts[i]->name;
        if (add_charts(t, chart->charts[i], scope, depth + 1)) return -1;
    }
    const tl_chart_file *file = tl_chart_files_get(&chart->raw, "values.yaml");
    tl_value *name = file ? tl_map_gets(t->charts, address_key(t, file)) : NULL;
    tl_map *own;
    if (!name) return 0;
    if (tl_values_decode(&own, t->arena, file->data, file->size, t->err)) return -1;
    tl_origin *added = add(t, TL_ORIGIN_CHART, name->as.s, name->tag);
    added->values = own ? tl_map_value(own) : tl_null();
    added->root = source_of(t, file->data, file->size);
    added->scope_count = depth;
    added->scope = tl_arena_alloc(t->arena, (depth + 1) * sizeof *added->scope);
    if (depth) memcpy(added->scope, scope, depth * sizeof *scope);
    return 0;
}

static int add_file(tracer *t, const char *path, tl_map **base)
{
    const char *data;
    size_t size;
    tl_map *map;
    uint16_t tag = next_mark(t);
    if (!tag || tl_decode_read_file(t->arena, path, &data, &size, t->err)) return -1;
    if (tl_values_decode(&map, t->arena, data, size, t->err))
        return tl_error_wrap(t->err, "failed to parse %s: %s", path, t->err && t->err->message ? t->err->message : "");
    tl_origin *added = add(t, TL_ORIGIN_FILE, path, tag);
    if (!map) return 0;
    added->values = tl_map_value(map);
    added->root = source_of(t, data, size);
    mark(&added->values, tag, 0);
    *base = tl_values_overlay(t->arena, *base, map);
    return 0;
}

static int add_table(tracer *t, const tl_origin_table *table, tl_map **base)
{
    uint16_t tag = next_mark(t);
    if (!tag) return -1;
    tl_origin *added = add(t, TL_ORIGIN_TABLE, table->name, tag);
    added->values = tl_value_copy(t->arena, tl_map_value((tl_map *)table->values));
    mark(&added->values, tag, 0);
    *base = tl_values_overlay(t->arena, *base, added->values.as.map);
    return 0;
}

static int add_flag(tracer *t, const tl_values_flag *flag, const char *line, tl_map *base)
{
    uint16_t tag = next_mark(t);
    tl_map *own = tl_map_new(t->arena, 2);
    if (!tag || tl_values_set_flag(t->arena, base, line, flag, t->err)) return -1;
    tl_value all = tl_map_value(base);
    mark(&all, tag, 1);
    if (tl_values_set_flag(t->arena, own, line, flag, t->err)) return -1;
    add(t, TL_ORIGIN_FLAG, tl_arena_printf(t->arena, "%s %s", flag->flag, line), tag)->values = tl_map_value(own);
    return 0;
}

static int add_user_layers(tracer *t, const tl_origin_options *options, tl_map **out)
{
    tl_map *base = tl_map_new(t->arena, 8);
    for (size_t i = 0; i < options->values.file_count; i++)
        if (add_file(t, options->values.files[i], &base)) return -1;
    for (size_t i = 0; i < options->table_count; i++)
        if (add_table(t, &options->tables[i], &base)) return -1;
    /* Flags change in place what the layers above still show. */
    base = tl_value_copy(t->arena, tl_map_value(base)).as.map;
    for (const tl_values_flag *flag = tl_values_flags; flag->flag; flag++)
        for (size_t i = 0; i < options->values.set_count[flag->mode]; i++)
            if (add_flag(t, flag, options->values.set[flag->mode][i], base)) return -1;
    *out = base;
    return 0;
}

int tl_origins_trace(tl_origins *out, tl_arena *arena, const tl_chart *chart, const tl_origin_options *options,
                     tl_error *err)
{
    memset(out, 0, sizeof *out);
    out->arena = arena;
    tl_origins users = {.arena = arena};
    tracer t = {.out = &users, .arena = arena, .charts = tl_map_new(arena, 8), .err = err};
    const char *scope[TL_CHART_MAX_DEPTH];
    tl_chart *clone = tl_chart_clone(chart, arena);
    tl_map *user = NULL;
    if (mark_chart(&t, clone, "") || add_user_layers(&t, options, &user)) return -1;
    if (tl_values_process_dependencies(arena, clone, user, err)) return -1;
    out->merged = tl_values_coalesce(arena, clone, user, err);
    if (!out->merged) return -1;
    t.out = out;
    if (add_charts(&t, clone, scope, 0)) return -1;
    for (size_t i = 0; i < users.len; i++) *add(&t, users.items[i].kind, users.items[i].name, 0) = users.items[i];
    return 0;
}

/* ---- questions ---- */

static int same_key(const tl_origin_step *step, const char *key)
{
    return step->index < 0 && strlen(key) == step->length && !memcmp(key, step->key, step->length);
}

/* The value one step below; NULL where there is none. */
static tl_value *below(const tl_value *value, const tl_origin_step *step)
{
    if (step->index < 0) return value->type == TL_MAP ? tl_map_get(value->as.map, step->key, step->length) : NULL;
    if (value->type != TL_LIST || (size_t)step->index >= value->as.list->len) return NULL;
    return &value->as.list->items[step->index];
}

static int has_below(const tl_value *value, const tl_origin_step *step)
{
    return value->type == (step->index < 0 ? TL_MAP : TL_LIST);
}

/* The nodes of a step: `shown` is what people look for (the key, the item), *at what the next step starts from. */
static const tl_yaml_node *find_node(const tl_yaml_node **at, const tl_origin_step *step, int depth)
{
    const tl_yaml_node *node = *at;
    while (node->kind == TL_YAML_ALIAS_NODE && depth++ < MAX_DEPTH) node = node->target;
    if (step->index >= 0) {
        if (node->kind != TL_YAML_LIST_NODE || (size_t)step->index >= node->count) return NULL;
        return *at = node->children[step->index];
    }
    if (node->kind != TL_YAML_MAP_NODE || depth >= MAX_DEPTH) return NULL;
    for (size_t i = node->count; i >= 2; i -= 2) { /* the last of equal keys wins */
        const tl_yaml_node *key = node->children[i - 2];
        if (key->kind != TL_YAML_SCALAR_NODE || !same_key(step, key->text)) continue;
        *at = node->children[i - 1];
        return key;
    }
    for (size_t i = node->count; i >= 2; i -= 2) {
        const tl_yaml_node *key = node->children[i - 2], *merged = node->children[i - 1], *found;
        if (key->kind != TL_YAML_SCALAR_NODE || strcmp(key->text, "<<")) continue;
        size_t count = merged->kind == TL_YAML_LIST_NODE ? merged->count : 1;
        for (size_t m = 0; m < count; m++) {
            *at = merged->kind == TL_YAML_LIST_NODE ? merged->children[m] : merged;
            if ((found = find_node(at, step, depth + 1))) return found;
        }
    }
    return NULL;
}

static void locate(const tl_yaml_node *root, tl_origin_path path, tl_origin_answer *out)
{
    const tl_yaml_node *shown = root;
    for (size_t i = 0; root && i < path.len; i++) {
        shown = find_node(&root, &path.steps[i], 0);
        if (!shown) return;
    }
    if (!root || !path.len) return;
    out->line = shown->line + 1;
    out->column = shown->column + 1;
}

/* The path as the layer writes it: without the keys of a subchart's own place. 0 where it is not in that scope. */
static int in_scope(const tl_origin *layer, tl_origin_path *path)
{
    if (path->len < layer->scope_count) return 0;
    for (size_t i = 0; i < layer->scope_count; i++)
        if (!same_key(&path->steps[i], layer->scope[i])) return 0;
    path->steps += layer->scope_count;
    path->len -= layer->scope_count;
    return 1;
}

static void ask(const tl_origin *layer, tl_origin_path path, tl_origin_answer *out)
{
    const tl_value *at = &layer->values;
    memset(out, 0, sizeof *out);
    if (at->type != TL_MAP || !in_scope(layer, &path)) return;
    for (size_t i = 0; i < path.len; i++) {
        const tl_value *next = below(at, &path.steps[i]);
        if (!next) {
            if (i && !has_below(at, &path.steps[i])) {
                out->cut = layer->scope_count + i;
                out->value = *at;
                path.len = i;
                locate(layer->root, path, out);
            }
            return;
        }
        at = next;
    }
    out->found = 1;
    out->value = *at;
    locate(layer->root, path, out);
}

void tl_origins_ask(const tl_origins *origins, const tl_origin *layer, tl_origin_path path, tl_origin_answer *out)
{
    tl_origin_step *steps = tl_arena_alloc(origins->arena, (path.len + 1) * sizeof *steps);
    size_t global = 0;
    ask(layer, path, out);
    while (global < path.len && !same_key(&path.steps[global], "global")) global++;
    if (global == path.len) return;
    /* A subchart's globals are those of the charts above it, too. */
    for (size_t kept = global; !out->found && kept-- > 0;) {
        tl_origin_answer shorter;
        memcpy(steps, path.steps, kept * sizeof *steps);
        memcpy(steps + kept, path.steps + global, (path.len - global) * sizeof *steps);
        ask(layer, (tl_origin_path){steps, path.len - global + kept}, &shorter);
        if (shorter.found) *out = shorter;
    }
}

/* Whether everything below the value bears its mark. */
static int is_uniform(const tl_value *value, uint16_t tag)
{
    if (value->type != TL_LIST && value->type != TL_MAP) return value->tag == tag;
    uint32_t cursor = 0;
    if (value->type == TL_MAP) {
        for (tl_entry *e; (e = tl_map_next(value->as.map, &cursor));)
            if (!is_uniform(&e->value, tag)) return 0;
        return 1;
    }
    for (size_t i = 0; i < value->as.list->len; i++)
        if (!is_uniform(&value->as.list->items[i], tag)) return 0;
    return 1;
}

/* Of a chart that stands in several places the one whose place the path names. */
static const tl_origin *layer_of(const tl_origins *origins, uint16_t tag, tl_origin_path path)
{
    const tl_origin *best = NULL;
    for (size_t i = 0; tag && i < origins->len; i++) {
        tl_origin_path rest = path;
        const tl_origin *layer = &origins->items[i];
        if (layer->mark != tag) continue;
        if (!best || in_scope(layer, &rest)) best = layer;
    }
    return best;
}

typedef struct walk {
    const tl_origins *origins;
    tl_origin_leaf leaf;
    void *context;
    tl_origin_step *steps;
} walk;

static void visit(walk *w, size_t depth, const tl_value *value)
{
    tl_origin_path path = {w->steps, depth};
    int is_leaf = depth >= MAX_DEPTH;
    if (value->type == TL_MAP) is_leaf |= value->tag && !value->as.map->count;
    else is_leaf |= value->type != TL_LIST || is_uniform(value, value->tag);
    if (is_leaf) {
        w->leaf(w->context, path, *value, layer_of(w->origins, value->tag, path));
    } else if (value->type == TL_LIST) {
        for (size_t i = 0; i < value->as.list->len; i++) {
            w->steps[depth] = (tl_origin_step){NULL, 0, (int64_t)i};
            visit(w, depth + 1, &value->as.list->items[i]);
        }
    } else {
        tl_entry **sorted = tl_map_sorted(value->as.map, w->origins->arena);
        for (uint32_t i = 0; i < value->as.map->count; i++) {
            w->steps[depth] = (tl_origin_step){sorted[i]->key, sorted[i]->key_len, -1};
            visit(w, depth + 1, &sorted[i]->value);
        }
    }
}

void tl_origins_walk(const tl_origins *origins, tl_origin_path path, tl_origin_leaf leaf, void *context)
{
    tl_value all = tl_map_value(origins->merged);
    const tl_value *at = &all;
    for (size_t i = 0; at && i < path.len; i++) at = below(at, &path.steps[i]);
    if (!at || path.len > MAX_DEPTH) return;
    walk w = {origins, leaf, context, tl_arena_alloc(origins->arena, (MAX_DEPTH + 1) * sizeof *w.steps)};
    if (path.len) memcpy(w.steps, path.steps, path.len * sizeof *path.steps);
    visit(&w, path.len, at);
}
