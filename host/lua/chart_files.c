/* Module chart, the part about a chart's files: reading, packing, unpacking, versions. */

#include "chart/save.h"
#include "chart/values.h"
#include "lua/chart.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "template/template.h"

#define PACKED_MEMORY ((size_t)512 << 20)

static tl_chart *check_chart(lua_State *L)
{
    tl_chart_data *c = luaL_checkudata(L, 1, TL_CHART_TYPE);
    return c->chart;
}

static void push_content(lua_State *L, const tl_chart_file *file)
{
    tl_chart_file read;
    tl_error err = {0};
    if (tl_chart_file_read(&read, file, &err)) tl_raise(L, &err);
    lua_pushlstring(L, read.data, read.size);
}

static int l_read(lua_State *L)
{
    const tl_chart_file *file = tl_chart_files_get(&check_chart(L)->raw, luaL_checkstring(L, 2));
    if (!file) return 0;
    push_content(L, file);
    return 1;
}

static void push_files(lua_State *L, const tl_chart_files *files)
{
    lua_createtable(L, (int)files->len, 0);
    for (size_t i = 0; i < files->len; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, files->items[i].name);
        lua_setfield(L, -2, "name");
        push_content(L, &files->items[i]);
        lua_setfield(L, -2, "data");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static int l_files(lua_State *L)
{
    push_files(L, &check_chart(L)->files);
    return 1;
}

static int l_crds(lua_State *L)
{
    tl_chart_files crds = {0};
    tl_error err = {0};
    tl_chart *chart = check_chart(L);
    lua_settop(L, 2);
    tl_arena *arena = tl_push_arena(L, PACKED_MEMORY);
    if (lua_istable(L, 2)) {
        chart = tl_chart_clone(chart, arena);
        if (tl_values_process_dependencies(arena, chart, tl_lua_chart_values(L, 2, arena), &err)) return tl_raise(L, &err);
    }
    tl_chart_collect_crds(&crds, arena, chart);
    push_files(L, &crds);
    return 1;
}

static int l_subcharts(lua_State *L)
{
    tl_chart *chart = check_chart(L);
    lua_createtable(L, (int)chart->chart_count, 0);
    for (size_t i = 0; i < chart->chart_count; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, chart->charts[i]->name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, chart->charts[i]->version);
        lua_setfield(L, -2, "version");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_save(lua_State *L)
{
    tl_error err = {0};
    tl_chart *chart = check_chart(L);
    const char *folder = luaL_checkstring(L, 2), *path = NULL;
    if (!lua_isnoneornil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    tl_chart_save_options options = {.version = tl_opt_string(L, 3, "version", NULL),
                                     .app_version = tl_opt_string(L, 3, "app_version", NULL)};
    tl_arena *arena = tl_push_arena(L, PACKED_MEMORY);
    if (tl_chart_save(&path, arena, chart, folder, &options, &err)) return tl_raise(L, &err);
    lua_pushstring(L, path);
    return 1;
}

static int l_unpack(lua_State *L)
{
    tl_error err = {0};
    tl_chart_files files = {0};
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    tl_arena *arena = tl_push_arena(L, PACKED_MEMORY);
    if (tl_chart_unpack(&files, arena, bytes, size, &err)) return tl_raise(L, &err);
    push_files(L, &files);
    return 1;
}

static int l_satisfies(lua_State *L)
{
    tl_error err = {0};
    int result = tl_semver_check(luaL_checkstring(L, 1), luaL_checkstring(L, 2), &err);
    if (result < 0) return tl_raise(L, &err);
    lua_pushboolean(L, result);
    return 1;
}

static int l_compare_versions(lua_State *L)
{
    const char *a = luaL_checkstring(L, 1), *b = luaL_checkstring(L, 2);
    int result = tl_semver_compare(a, b);
    if (result == -2) return 0;
    lua_pushinteger(L, (result > 0) - (result < 0));
    return 1;
}

const luaL_Reg tl_chart_file_methods[] = {
    {"crds", l_crds},
    {"files", l_files},
    {"read", l_read},
    {"save", l_save},
    {"subcharts", l_subcharts},
    {NULL, NULL},
};

const luaL_Reg tl_chart_file_functions[] = {
    {"compare_versions", l_compare_versions},
    {"satisfies", l_satisfies},
    {"unpack", l_unpack},
    {NULL, NULL},
};
