/* The Lua in charts: what lua/functions.lua and lua/objects.lua return is called for host/chart. */
#include "lua/chart_script.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "lua/convert.h"
#include "lua/sandbox.h"

/* In the registry: what the two files returned, and what require has loaded. */
#define FUNCTIONS "functions"
#define OBJECTS "objects"
#define LOADED "loaded"

#define MAX_RESULT ((size_t)64 << 20)

typedef struct script {
    tl_script base;
    tl_sandbox *sandbox;
    tl_arena *arena;
    tl_arena *scratch; /* one result on its way, which may be larger than what the script holds: tables are shared */
    const char *path;
} script;

/* One call into the sandbox. */
typedef struct job {
    script *s;
    const tl_chart_files *files;
    const char *function;
    const tl_value *args;
    size_t count;
    tl_arena *arena;
    tl_value *out;
    long *from;
    tl_error *err;
    int failed; /* *err is set */
} job;

/* ---- loading ---- */

/* Pushes what the file returns; nil where it is absent. */
static void run_file(lua_State *L, const job *j, const char *name)
{
    const tl_chart_file *file = tl_chart_files_get(j->files, name);
    if (!file) {
        lua_pushnil(L);
        return;
    }
    const char *chunk = lua_pushfstring(L, "@%s/%s", j->s->path, name);
    tl_chart_file read;
    tl_error err = {0};
    if (tl_chart_file_read(&read, file, &err)) {
        lua_pushstring(L, err.message);
        tl_error_dispose(&err);
        tl_sandbox_raise(L, "%s", lua_tostring(L, -1));
    }
    if (luaL_loadbufferx(L, read.data, read.size, chunk, "t") != LUA_OK) lua_error(L);
    lua_call(L, 0, 1);
    lua_remove(L, -2);
}

/* require "NAME" gives what lua/NAME.lua returned; upvalue 1 is the job that opens the chart. */
static int l_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const job *j = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, LOADED);
    if (lua_getfield(L, 2, name) != LUA_TNIL) {
        if (lua_islightuserdata(L, -1)) return tl_sandbox_raise(L, "lua/%s.lua requires itself", name);
        return 1;
    }
    const char *path = lua_pushfstring(L, "lua/%s.lua", name);
    if (!tl_chart_files_get(j->files, path)) return tl_sandbox_raise(L, "the chart has no file %s", path);
    lua_pushlightuserdata(L, (void *)j);
    lua_setfield(L, 2, name);
    run_file(L, j, path);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

static int is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return *text && !(*text >= '0' && *text <= '9') && strspn(text, letters) == strlen(text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in the table on top of the stack. */
static void list_functions(lua_State *L, script *s)
{
    size_t count = 0, n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
    const char **names = tl_arena_zalloc(s->arena, (count + 1) * sizeof *names);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !is_name(lua_tostring(L, -2)) || !lua_isfunction(L, -1))
            tl_sandbox_raise(L, "%s/lua/functions.lua must return a table of functions by name", s->path);
        names[n++] = tl_arena_strdup(s->arena, lua_tostring(L, -2));
    }
    qsort(names, n, sizeof *names, by_text);
    s->base.functions = names;
}

static int l_open(lua_State *L)
{
    job *j = lua_touserdata(L, 1);
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LOADED);
    lua_pushglobaltable(L);
    lua_pushlightuserdata(L, j);
    lua_pushcclosure(L, l_require, 1);
    lua_setfield(L, -2, "require");
    run_file(L, j, "lua/functions.lua");
    if (lua_istable(L, -1))
        list_functions(L, j->s);
    else if (!lua_isnil(L, -1))
        tl_sandbox_raise(L, "%s/lua/functions.lua must return a table of functions by name", j->s->path);
    lua_setfield(L, LUA_REGISTRYINDEX, FUNCTIONS);
    run_file(L, j, "lua/objects.lua");
    j->s->base.has_objects = lua_isfunction(L, -1);
    if (!lua_isnil(L, -1) && !lua_isfunction(L, -1))
        tl_sandbox_raise(L, "%s/lua/objects.lua must return a function", j->s->path);
    lua_setfield(L, LUA_REGISTRYINDEX, OBJECTS);
    lua_pushnil(L); /* the files are not there any more */
    lua_setfield(L, -2, "require");
    return 0;
}

static int run(job *j, lua_CFunction work, tl_error *err)
{
    int status = tl_sandbox_run(j->s->sandbox, work, j, err);
    return j->failed ? -1 : status;
}

static void close_script(tl_script *base)
{
    script *s = (script *)base;
    tl_sandbox_free(s->sandbox);
    tl_arena_free(s->scratch);
    tl_arena_free(s->arena);
}

static int open_script(tl_script **out, const tl_chart_files *files, const char *path, tl_error *err)
{
    static const char *const none[] = {NULL};
    tl_arena *arena = tl_arena_new(0);
    script *s = tl_arena_zalloc(arena, sizeof *s);
    *s = (script){{none, 0}, tl_sandbox_new(), arena, tl_arena_new(MAX_RESULT), tl_arena_strdup(arena, path)};
    job j = {.s = s, .files = files};
    if (run(&j, l_open, err)) {
        close_script(&s->base);
        return -1;
    }
    *out = &s->base;
    return 0;
}

/* ---- calling ---- */

/* Puts the value on top of the stack into *out. */
static void give(lua_State *L, job *j, tl_value *out, const char *file)
{
    tl_arena *scratch = j->s->scratch;
    tl_arena_clear(scratch);
    j->failed = tl_to_value(L, -1, scratch, TL_SECRETS_REFUSE, out, j->err) < 0;
    *out = tl_value_copy(j->arena, j->failed ? tl_null() : *out);
    if (j->failed)
        tl_error_wrap(j->err, "%s/lua/%s gave what is no value: %s", j->s->path, file,
                      j->err && j->err->message ? j->err->message : "");
}

static int l_call(lua_State *L)
{
    job *j = lua_touserdata(L, 1);
    luaL_checkstack(L, (int)j->count + 4, "too many arguments");
    lua_getfield(L, LUA_REGISTRYINDEX, FUNCTIONS);
    lua_getfield(L, -1, j->function);
    for (size_t i = 0; i < j->count; i++) tl_push_value(L, j->args[i]);
    lua_call(L, (int)j->count, 1);
    give(L, j, j->out, "functions.lua");
    return 0;
}

static int call_script(tl_script *base, const char *function, const tl_value *args, size_t count, tl_arena *arena,
                       tl_value *out, tl_error *err)
{
    job j = {.s = (script *)base, .function = function, .args = args, .count = count, .arena = arena, .out = out,
             .err = err};
    return run(&j, l_call, err);
}

/* Where each item of the list at index 2 came from: index 3 has the places of the objects that were given. */
static void find_origins(lua_State *L, job *j, size_t count)
{
    j->from = tl_arena_alloc(j->arena, (count + 1) * sizeof *j->from);
    for (size_t i = 0; i < count; i++) {
        lua_geti(L, 2, (lua_Integer)i + 1);
        j->from[i] = lua_rawget(L, 3) == LUA_TNUMBER ? (long)lua_tointeger(L, -1) : -1;
        lua_pop(L, 1);
    }
}

static int l_objects(lua_State *L)
{
    job *j = lua_touserdata(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, OBJECTS);
    for (int i = 0; i < 3; i++) tl_push_value(L, j->args[i]);
    lua_createtable(L, 0, (int)j->args[0].as.list->len); /* object -> its place */
    for (size_t i = 0; i < j->args[0].as.list->len; i++) {
        lua_geti(L, 3, (lua_Integer)i + 1);
        lua_pushinteger(L, (lua_Integer)i);
        lua_rawset(L, -3);
    }
    lua_insert(L, 2);
    lua_call(L, 3, 1);
    lua_insert(L, 2);
    lua_settop(L, 3);
    if (!lua_istable(L, 2)) return tl_sandbox_raise(L, "%s/lua/objects.lua must return a list of objects", j->s->path);
    lua_pushvalue(L, 2);
    if (!lua_rawlen(L, 2)) tl_mark_list(L, 2);
    give(L, j, j->out, "objects.lua");
    if (!j->failed && j->out->type != TL_LIST)
        return tl_sandbox_raise(L, "%s/lua/objects.lua must return a list of objects", j->s->path);
    if (!j->failed) find_origins(L, j, j->out->as.list->len);
    return 0;
}

static int change_objects(tl_script *base, const tl_value args[3], tl_arena *arena, tl_value *out, long **from,
                          tl_error *err)
{
    job j = {.s = (script *)base, .args = args, .arena = arena, .out = out, .err = err};
    int status = run(&j, l_objects, err);
    *from = j.from;
    return status;
}

const tl_script_runner tl_chart_script_runner = {open_script, call_script, change_objects, close_script};
