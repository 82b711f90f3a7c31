/* Module chart: single templates of Go. */
#include <stdlib.h>
#include <string.h>

#include "chart/release_view.h"
#include "lua/buffer.h"
#include "lua/chart.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "template/template.h"

typedef struct work {
    tl_arena *arena;
    tl_template_set *set;
    tl_template_render *render;
} work;

static int l_work_gc(lua_State *L)
{
    work *w = lua_touserdata(L, 1);
    tl_template_render_free(w->render);
    tl_template_set_free(w->set);
    if (w->arena) tl_arena_free(w->arena);
    *w = (work){0};
    return 0;
}

static work *push_work(lua_State *L)
{
    work *w = lua_newuserdatauv(L, sizeof *w, 0);
    memset(w, 0, sizeof *w);
    tl_new_type(L, "todo.chart.Template", NULL, l_work_gc);
    luaL_setmetatable(L, "todo.chart.Template");
    w->arena = tl_arena_new(TL_LUA_RENDER_MEMORY);
    w->set = tl_template_set_new();
    return w;
}

/* Sprig's env, which helm's charts have not. */
static int get_env(const tl_template_function *self, const tl_value *args, size_t count, tl_arena *arena, tl_value *out,
                   tl_error *err)
{
    (void)self;
    if (count != 1 || args[0].type != TL_STRING) return tl_error_set(err, "template", "env: one name expected");
    const char *value = getenv(tl_arena_strndup(arena, args[0].as.s, args[0].len));
    *out = tl_cstring(arena, value ? value : "");
    return 0;
}

static const tl_template_function environment[] = {{"env", get_env, NULL}, {NULL, NULL, NULL}};

/* The dot: the value, or a map that has the record given as options.release. */
static tl_value read_root(lua_State *L, tl_arena *arena)
{
    tl_error err = {0};
    tl_value value;
    int is_release = lua_istable(L, 3) && lua_getfield(L, 3, "release") != LUA_TNIL;
    if (!is_release) lua_pushvalue(L, 2);
    if (tl_to_value(L, lua_gettop(L), arena, TL_SECRETS_REVEAL, &value, &err)) tl_raise(L, &err);
    if (!is_release) return value;
    tl_map *root = tl_map_new(arena, 1);
    tl_map_sets(root, "Release", tl_release_view(arena, value));
    return tl_map_value(root);
}

int tl_lua_chart_template(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_error err = {0};
    lua_settop(L, 3);
    const char *name = tl_opt_string(L, 3, "name", "_");
    int sprig = tl_opt_bool(L, 3, "sprig", 0);
    work *w = push_work(L);
    tl_value root = read_root(L, w->arena);
    tl_buf *out = tl_push_buf(L, SIZE_MAX);
    tl_template_set_language(w->set, sprig ? TL_TEMPLATE_SPRIG : TL_TEMPLATE_GO);
    if (sprig) tl_template_set_functions(w->set, environment);
    if (tl_template_parse(w->set, name, text, length, &err)) return tl_raise(L, &err);
    w->render = tl_template_render_new(w->set, w->arena, NULL);
    int failed = tl_template_execute(w->render, name, root, out, &err);
    lua_pushlstring(L, out->data ? out->data : "", out->len);
    if (!failed) return 1;
    tl_push_error(L, &err);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "rendered");
    return lua_error(L);
}
