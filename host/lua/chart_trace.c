/* Chart:trace: where a chart's values come from. */
#include "chart/origin.h"
#include "lua/chart.h"
#include "lua/convert.h"
#include "lua/error.h"

static const char *const kinds[] = {"chart", "file", "table", "flag"};

/* The option `layers`: { { name =, values = }, … }. */
static void read_tables(lua_State *L, int index, tl_arena *arena, tl_origin_options *out)
{
    if (lua_type(L, index) != LUA_TTABLE || lua_getfield(L, index, "layers") == LUA_TNIL) return;
    if (lua_type(L, -1) != LUA_TTABLE) tl_raisef(L, "usage", "option 'layers' must be a list");
    out->table_count = (size_t)lua_rawlen(L, -1);
    tl_origin_table *tables = tl_arena_zalloc(arena, (out->table_count + 1) * sizeof *tables);
    for (size_t i = 0; i < out->table_count; i++) {
        if (lua_geti(L, -1, (lua_Integer)i + 1) != LUA_TTABLE) tl_raisef(L, "usage", "option 'layers' must hold tables");
        tables[i].name = tl_arena_strdup(arena, tl_opt_string(L, lua_gettop(L), "name", "?"));
        lua_getfield(L, -1, "values");
        tables[i].values = tl_lua_chart_table(L, arena, "values of a layer");
        lua_pop(L, 1);
    }
    out->tables = tables;
    lua_pop(L, 1);
}

/* A list of keys and, counted from 0, items; absent: the whole. */
static tl_origin_path read_path(lua_State *L, int index, tl_arena *arena)
{
    tl_origin_path path = {NULL, 0};
    if (lua_isnoneornil(L, index)) return path;
    luaL_checktype(L, index, LUA_TTABLE);
    path.len = (size_t)lua_rawlen(L, index);
    path.steps = tl_arena_zalloc(arena, (path.len + 1) * sizeof *path.steps);
    for (size_t i = 0; i < path.len; i++) {
        tl_origin_step *step = &path.steps[i];
        int type = lua_geti(L, index, (lua_Integer)i + 1);
        luaL_argcheck(L, type == LUA_TSTRING || lua_isinteger(L, -1), index, "keys or numbers of items expected");
        step->index = -1;
        if (type == LUA_TSTRING) {
            const char *key = lua_tolstring(L, -1, &step->length);
            step->key = tl_arena_strndup(arena, key, step->length);
        } else {
            step->index = lua_tointeger(L, -1);
            luaL_argcheck(L, step->index >= 0, index, "items count from 0");
        }
        lua_pop(L, 1);
    }
    return path;
}

static void push_path(lua_State *L, tl_origin_path path)
{
    lua_createtable(L, (int)path.len, 0);
    for (size_t i = 0; i < path.len; i++) {
        if (path.steps[i].index >= 0)
            lua_pushinteger(L, path.steps[i].index);
        else
            lua_pushlstring(L, path.steps[i].key, path.steps[i].length);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* Sets what the layer says in the table on top of the stack. */
static void set_answer(lua_State *L, const tl_origin_answer *answer)
{
    if (answer->found || answer->cut) {
        tl_push_value(L, answer->value);
        lua_setfield(L, -2, "value");
    }
    if (answer->cut) {
        lua_pushinteger(L, (lua_Integer)answer->cut);
        lua_setfield(L, -2, "cut");
    }
    if (!answer->line) return;
    lua_pushinteger(L, answer->line);
    lua_setfield(L, -2, "line");
    lua_pushinteger(L, answer->column);
    lua_setfield(L, -2, "column");
}

static void push_layers(lua_State *L, const tl_origins *origins, tl_origin_path path)
{
    lua_createtable(L, (int)origins->len, 0);
    for (size_t i = 0; i < origins->len; i++) {
        tl_origin_answer answer;
        tl_origins_ask(origins, &origins->items[i], path, &answer);
        lua_createtable(L, 0, 6);
        lua_pushstring(L, kinds[origins->items[i].kind]);
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, origins->items[i].name);
        lua_setfield(L, -2, "name");
        set_answer(L, &answer);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

typedef struct leaves {
    lua_State *L;
    const tl_origins *origins;
    lua_Integer count;
} leaves;

/* Appends to the list on top of the stack. */
static void on_leaf(void *context, tl_origin_path path, tl_value value, const tl_origin *layer)
{
    leaves *all = context;
    lua_State *L = all->L;
    tl_origin_answer answer = {0};
    luaL_checkstack(L, 8, "values");
    if (layer) tl_origins_ask(all->origins, layer, path, &answer);
    lua_createtable(L, 0, 5);
    push_path(L, path);
    lua_setfield(L, -2, "path");
    set_answer(L, &answer);
    tl_push_value(L, value);
    lua_setfield(L, -2, "value");
    if (layer) {
        lua_pushinteger(L, (lua_Integer)(layer - all->origins->items) + 1);
        lua_setfield(L, -2, "layer");
    }
    lua_rawseti(L, -2, ++all->count);
}

static int l_trace(lua_State *L)
{
    tl_chart_data *c = luaL_checkudata(L, 1, TL_CHART_TYPE);
    tl_origin_options options = {0};
    tl_origins origins;
    tl_error err = {0};
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    tl_lua_chart_values_options(L, 2, arena, &options.values);
    read_tables(L, 2, arena, &options);
    tl_origin_path path = read_path(L, 3, arena);
    if (tl_origins_trace(&origins, arena, c->chart, &options, &err)) return tl_raise(L, &err);
    lua_createtable(L, 0, 2);
    push_layers(L, &origins, path);
    lua_setfield(L, -2, "layers");
    lua_newtable(L);
    leaves all = {L, &origins, 0};
    tl_origins_walk(&origins, path, on_leaf, &all);
    lua_setfield(L, -2, "leaves");
    return 1;
}

const luaL_Reg tl_chart_trace_methods[] = {
    {"trace", l_trace},
    {NULL, NULL},
};
