/* Lua in charts, as far as charts are concerned: who asks for it, and what becomes of its objects. */
#include "chart/script.h"

#include <math.h>
#include <string.h>

#include "data/yaml.h"

#define MAX_DEPTH 200
#define MAX_OBJECTS 100000
#define MAX_TEXT (256u << 20)

typedef struct opened {
    const tl_chart *chart;
    const char *path;
    tl_script *script;
    tl_template_function *functions;
} opened;

struct tl_scripts {
    tl_arena *arena;
    const tl_script_runner *runner;
    opened *items;
    size_t len, cap;
};

static int asks(const tl_chart *chart)
{
    tl_value metadata = tl_map_value(chart->metadata);
    tl_value *answer = chart->metadata ? tl_value_path(&metadata, "annotations", TL_SCRIPT_ANNOTATION, NULL) : NULL;
    return answer && answer->type == TL_STRING && tl_value_is(*answer, "1");
}

/* ---- values as scripts get them ---- */

/* A whole float64 of values is an integer to Lua, an object of the engine its content. */
static int plain(tl_arena *arena, tl_value value, int depth, tl_value *out, tl_error *err)
{
    *out = value.type == TL_OBJECT ? tl_object_content(value.as.object) : value;
    if (depth > MAX_DEPTH || tl_arena_over(arena))
        return tl_error_set(err, "limit", "a value is too large, or nested too deeply, for Lua");
    if (out->type == TL_FLOAT && out->as.d == floor(out->as.d) && fabs(out->as.d) < 9007199254740992.0)
        *out = tl_int((int64_t)out->as.d);
    if (out->type == TL_LIST) {
        const tl_list *list = out->as.list;
        tl_list *copy = tl_list_new(arena, list->len);
        for (size_t i = 0; i < list->len; i++) {
            tl_value item;
            if (plain(arena, list->items[i], depth + 1, &item, err)) return -1;
            tl_list_push(arena, copy, item);
        }
        *out = tl_list_value(copy);
    } else if (out->type == TL_MAP) {
        const tl_map *map = out->as.map;
        tl_map *copy = tl_map_new(arena, map->count);
        uint32_t cursor = 0;
        for (tl_entry *e; (e = tl_map_next(map, &cursor));) {
            tl_value item;
            if (plain(arena, e->value, depth + 1, &item, err)) return -1;
            tl_map_set(copy, e->key, e->key_len, item);
        }
        *out = tl_map_value(copy);
    }
    return 0;
}

/* ---- functions ---- */

typedef struct binding {
    const tl_script_runner *runner;
    tl_script *script;
} binding;

static int call_function(const tl_template_function *self, const tl_value *args, size_t count, tl_arena *arena,
                         tl_value *out, tl_error *err)
{
    const binding *b = self->context;
    tl_value *given = tl_arena_alloc(arena, (count + 1) * sizeof *given);
    for (size_t i = 0; i < count; i++)
        if (plain(arena, args[i], 0, &given[i], err)) return -1;
    return b->runner->call(b->script, self->name, given, count, arena, out, err);
}

static int bind_functions(tl_scripts *all, opened *one, tl_error *err)
{
    size_t count = 0;
    while (one->script->functions[count]) count++;
    if (!count) return 0;
    binding *b = tl_arena_alloc(all->arena, sizeof *b);
    *b = (binding){all->runner, one->script};
    one->functions = tl_arena_zalloc(all->arena, (count + 1) * sizeof *one->functions);
    for (size_t i = 0; i < count; i++) {
        const char *name = one->script->functions[i];
        if (tl_template_has_function(name))
            return tl_error_set(err, "chart", "%s/lua/functions.lua: helm has a function %s already", one->path, name);
        one->functions[i] = (tl_template_function){name, call_function, b};
    }
    return 0;
}

const tl_template_function *tl_scripts_functions(const tl_scripts *scripts, const tl_chart *chart)
{
    for (size_t i = 0; scripts && i < scripts->len; i++)
        if (scripts->items[i].chart == chart) return scripts->items[i].functions;
    return NULL;
}

/* ---- opening ---- */

static int open_one(tl_scripts *all, const tl_chart *chart, tl_error *err)
{
    if (all->len == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 4;
        all->items = tl_arena_grow(all->arena, all->items, all->cap * sizeof *all->items, cap * sizeof *all->items);
        all->cap = cap;
    }
    opened one = {.chart = chart, .path = tl_chart_full_path(chart, all->arena)};
    if (all->runner->open(&one.script, &chart->files, one.path, err)) return -1;
    all->items[all->len++] = one;
    return bind_functions(all, &all->items[all->len - 1], err);
}

static int open_all(tl_scripts *all, const tl_chart *chart, tl_error *err)
{
    for (size_t i = 0; i < chart->chart_count; i++)
        if (open_all(all, chart->charts[i], err)) return -1;
    return asks(chart) ? open_one(all, chart, err) : 0;
}

int tl_scripts_open(tl_scripts **out, tl_arena *arena, const tl_script_runner *runner, const tl_chart *chart,
                    tl_error *err)
{
    tl_scripts *all = tl_arena_zalloc(arena, sizeof *all);
    *all = (tl_scripts){.arena = arena, .runner = runner};
    int status = runner ? open_all(all, chart, err) : 0;
    *out = all->len ? all : NULL;
    return status;
}

void tl_scripts_close(tl_scripts *scripts)
{
    for (size_t i = 0; scripts && i < scripts->len; i++) scripts->runner->close(scripts->items[i].script);
}

/* ---- objects ---- */

static int is_below(const char *path, const char *chart)
{
    size_t length = strlen(chart);
    return !strncmp(path, chart, length) && path[length] == '/';
}

/* The values of a chart inside the root's. */
static tl_value values_of(tl_arena *arena, const tl_chart *chart, const tl_map *root)
{
    if (!chart->parent) return tl_map_value((tl_map *)root);
    tl_value above = values_of(arena, chart->parent, root), *found = tl_map_gets(above.as.map, chart->name);
    return found && found->type == TL_MAP ? *found : tl_map_value(tl_map_new(arena, 0));
}

/* Documents on their way through the scripts: what holds nothing but comments stays out of them. */
typedef struct documents {
    tl_manifest *items;
    tl_value *objects;
    size_t len;
} documents;

static int gather(documents *out, tl_arena *arena, const tl_manifests *lists[2], tl_error *err)
{
    size_t room = lists[0]->len + lists[1]->len + 1;
    *out = (documents){tl_arena_alloc(arena, room * sizeof *out->items), tl_arena_alloc(arena, room * sizeof *out->objects),
                       0};
    for (int l = 0; l < 2; l++) {
        for (size_t i = 0; i < lists[l]->len; i++) {
            out->items[out->len] = lists[l]->items[i];
            if (tl_manifest_object(&out->objects[out->len], arena, &lists[l]->items[i], err)) return -1;
            out->len++;
        }
    }
    return 0;
}

/* What a script changed is written anew; what it left alone keeps its text. */
static int take(documents *to, tl_arena *arena, const documents *from, long origin, tl_value object, const opened *one,
                tl_error *err)
{
    if (origin >= 0 && tl_value_equal(from->objects[origin], object)) {
        to->items[to->len] = from->items[origin];
        to->objects[to->len++] = object;
        return 0;
    }
    tl_buf text = TL_BUF_INIT(MAX_TEXT);
    tl_yaml_write_options options = {.keep_order = 1};
    tl_manifest made = {.path = origin >= 0 ? from->items[origin].path
                                            : tl_arena_printf(arena, "%s/lua/objects.lua", one->path),
                        .kind = "", .name = "", .api_version = ""};
    int status = object.type != TL_MAP
                     ? tl_error_set(err, "chart", "%s/lua/objects.lua gave an object that is no table of fields", one->path)
                     : tl_yaml_write(&text, object, &options, err);
    made.content = tl_arena_strndup(arena, text.len ? text.data : "", text.len);
    made.size = text.len;
    tl_buf_dispose(&text);
    to->items[to->len] = made;
    to->objects[to->len++] = object;
    return status;
}

static int change(const tl_scripts *all, const opened *one, documents *docs, tl_value values, tl_value release,
                  tl_error *err)
{
    tl_arena *arena = all->arena;
    tl_list *own = tl_list_new(arena, docs->len);
    long *places = tl_arena_alloc(arena, (docs->len + 1) * sizeof *places), *from;
    size_t kept = 0;
    tl_value args[3], result;
    for (size_t i = 0; i < docs->len; i++) {
        if (docs->objects[i].type != TL_MAP || !is_below(docs->items[i].path, one->path)) continue;
        places[own->len] = (long)i;
        tl_list_push(arena, own, docs->objects[i]);
    }
    args[0] = tl_list_value(own);
    if (plain(arena, values, 0, &args[1], err) || plain(arena, release, 0, &args[2], err)) return -1;
    if (all->runner->objects(one->script, args, arena, &result, &from, err)) return -1;
    size_t count = result.as.list->len;
    if (count > MAX_OBJECTS)
        return tl_error_set(err, "limit", "%s/lua/objects.lua gave more than %d objects", one->path, MAX_OBJECTS);
    documents next = {tl_arena_alloc(arena, (docs->len + count + 1) * sizeof *next.items),
                      tl_arena_alloc(arena, (docs->len + count + 1) * sizeof *next.objects), 0};
    for (size_t i = 0; i < docs->len; i++) {
        if (kept < own->len && places[kept] == (long)i) {
            kept++;
            continue;
        }
        next.items[next.len] = docs->items[i];
        next.objects[next.len++] = docs->objects[i];
    }
    for (size_t i = 0; i < count; i++)
        if (take(&next, arena, docs, from[i] < 0 ? -1 : places[from[i]], result.as.list->items[i], one, err)) return -1;
    *docs = next;
    return 0;
}

/* Files again, one for each path, so that they are read and put in order as templates' are. */
static int sort_again(tl_manifests *manifests, tl_manifests *hooks, tl_arena *arena, const documents *docs, tl_error *err)
{
    tl_rendered_file *files = tl_arena_alloc(arena, (docs->len + 1) * sizeof *files);
    tl_map *places = tl_map_new(arena, docs->len);
    size_t count = 0;
    for (size_t i = 0; i < docs->len; i++) {
        const tl_manifest *m = &docs->items[i];
        tl_value *place = tl_map_gets(places, m->path);
        const char *before = place ? files[place->as.i].text : "";
        size_t at = place ? (size_t)place->as.i : count;
        if (!place) tl_map_sets(places, m->path, tl_int((int64_t)count++));
        const char *text = tl_arena_printf(arena, "%s---\n%.*s\n", before, (int)m->size, m->content);
        files[at] = (tl_rendered_file){.path = m->path, .text = text, .size = strlen(text)};
    }
    *manifests = *hooks = (tl_manifests){0};
    return tl_manifest_sort(manifests, hooks, arena, files, count, err);
}

int tl_scripts_change(const tl_scripts *scripts, tl_manifests *manifests, tl_manifests *hooks, const tl_map *values,
                      tl_value release, tl_error *err)
{
    documents docs;
    const tl_manifests *lists[2] = {manifests, hooks};
    size_t changed = 0;
    for (size_t i = 0; scripts && i < scripts->len; i++) changed += (size_t)scripts->items[i].script->has_objects;
    if (!changed) return 0;
    if (gather(&docs, scripts->arena, lists, err)) return -1;
    for (size_t i = 0; i < scripts->len; i++) {
        const opened *one = &scripts->items[i];
        if (!one->script->has_objects) continue;
        if (change(scripts, one, &docs, values_of(scripts->arena, one->chart, values), release, err)) return -1;
    }
    return sort_again(manifests, hooks, scripts->arena, &docs, err);
}
