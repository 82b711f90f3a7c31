/* Module program, and how scripts find files: the project's folder first, then what is embedded. */
#include "lua/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "data/gzip.h"
#include "lua/await.h"
#include "lua/buffer.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/task.h"

#define MAX_SCRIPT (64u << 20)

const char tl_program_version[] = "0.1.0";
tl_program tl_the_program = {.verbosity = "normal", .exit_status = -1};

static const tl_embedded *find_embedded(const char *name)
{
    size_t low = 0, high = tl_embedded_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, tl_embedded_files[middle].name);
        if (order == 0) return &tl_embedded_files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void push_unpacked(lua_State *L, const char *packed, size_t length)
{
    tl_error err = {0};
    tl_buf *bytes = tl_push_buf(L, MAX_SCRIPT);
    if (tl_gzip_decompress(bytes, packed, length, &err)) tl_raise(L, &err);
    lua_pushlstring(L, bytes->data, bytes->len);
    tl_buf_dispose(bytes); /* before the collector comes to it */
    lua_replace(L, -2);
}

/* Pushes the file's bytes and returns 1, or pushes nothing and returns 0 where there is none of that name. */
static int push_embedded(lua_State *L, const char *name)
{
    const tl_embedded *file = find_embedded(name);
    if (!file) return 0;
    push_unpacked(L, file->packed, file->packed_length);
    return 1;
}

/* Pushes the chunk of an embedded script and returns 1. Bytecode of another Lua is refused by Lua itself: then, and
 * where there is no such script, returns 0, and the text is compiled. */
static int load_code(lua_State *L, const tl_embedded *file, const char *chunk_name)
{
    if (!file || !file->code) return 0;
    int loaded = luaL_loadbufferx(L, file->code, file->code_length, chunk_name, "b") == LUA_OK;
    if (!loaded) lua_pop(L, 1);
    return loaded;
}

/* Pushes the bytes of a regular file on disk and returns 1, or pushes nothing and returns 0. */
static int read_file(lua_State *L, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_SCRIPT) return 0;
    FILE *file = fopen(path, "rbe");
    if (!file) return 0;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    size_t got;
    do {
        char *room = luaL_prepbuffer(&b);
        got = fread(room, 1, LUAL_BUFFERSIZE, file);
        luaL_addsize(&b, got);
    } while (got > 0);
    fclose(file);
    luaL_pushresult(&b);
    return 1;
}

/* Pushes the bytes and the path, or nothing. */
static int push_project_file(lua_State *L, const char *name)
{
    if (!tl_the_program.project) return 0;
    const char *path = lua_pushfstring(L, "%s/%s", tl_the_program.project, name);
    if (read_file(L, path)) {
        lua_insert(L, -2);
        return 1;
    }
    lua_pop(L, 1);
    return 0;
}

int tl_program_resource(lua_State *L, const char *name)
{
    if (push_project_file(L, name)) return 1;
    if (!push_embedded(L, name)) return 0;
    lua_pushnil(L);
    return 1;
}

void tl_program_load(lua_State *L, const char *bytes, size_t length, const char *chunk_name)
{
    const tl_embedded *file = *chunk_name == '@' ? find_embedded(chunk_name + 1) : NULL;
    if (file && tl_gzip_holds(file->packed, file->packed_length, bytes, length) && load_code(L, file, chunk_name)) return;
    if (length >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3)) { /* editors on Windows begin files with it */
        bytes += 3;
        length -= 3;
    }
    if (length >= 2 && bytes[0] == '#' && bytes[1] == '!') { /* keep the newline: line numbers stay right */
        const char *newline = memchr(bytes, '\n', length);
        size_t cut = newline ? (size_t)(newline - bytes) : length;
        bytes += cut;
        length -= cut;
    }
    if (luaL_loadbufferx(L, bytes, length, chunk_name, "t") == LUA_OK) return;
    tl_error_object(L, -1);
    lua_error(L);
}

int tl_program_load_file(lua_State *L, const char *path)
{
    size_t length;
    if (!read_file(L, path)) return 0;
    const char *bytes = lua_tolstring(L, -1, &length);
    tl_program_load(L, bytes, length, lua_pushfstring(L, "@%s", path));
    lua_replace(L, -3);
    lua_pop(L, 1);
    return 1;
}

int tl_program_chunk(lua_State *L, const char *name)
{
    int top = lua_gettop(L);
    const char *chunk_name = lua_pushfstring(L, "@%s", name);
    int is_file = push_project_file(L, name);
    if (is_file) lua_pop(L, 1);
    if (!is_file && load_code(L, find_embedded(name), chunk_name)) {
        lua_remove(L, top + 1);
        return 1;
    }
    int found = is_file || push_embedded(L, name);
    if (found) {
        size_t length;
        const char *bytes = lua_tolstring(L, -1, &length);
        tl_program_load(L, bytes, length, chunk_name);
        lua_replace(L, top + 1);
    }
    lua_settop(L, top + found);
    return found;
}

int tl_program_extend(lua_State *L, const char *name, int nargs)
{
    int module = lua_gettop(L) - nargs;
    if (!tl_program_chunk(L, name)) return tl_raisef(L, "not_found", "the library file %s is missing", name);
    lua_pushvalue(L, module);
    for (int i = 1; i <= nargs; i++) lua_pushvalue(L, module + i);
    lua_call(L, nargs + 1, 0);
    lua_settop(L, module);
    return 1;
}

/* require: package.loaded, then the host's modules, then Lua files; the file's chunk may wait.
 *
 * While a chunk runs, the registry's table LOADING has its event under the module's name, and its task under the event:
 * another task that wants the module waits for it, the same task has met a cycle. */

#define LOADING "todo.program.loading"
#define LOADING_TYPE "todo.program.Loading"

/* The chunk has ended in whatever way: 1 the list { module's name, event }. */
static int l_loading_close(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADING);
    lua_rawgeti(L, 1, 1);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_rawgeti(L, 1, 2);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, -4);
    return tl_event_set_at(L, -1);
}

/* Pushes a value that must be closed when the chunk has ended. */
static void begin_loading(lua_State *L)
{
    luaL_checkstack(L, 8, "require");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADING);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    tl_event_push(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, 2);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
    lua_pushlightuserdata(L, tl_task_current(L));
    lua_rawset(L, -4);
    lua_remove(L, -2);
    if (luaL_newmetatable(L, LOADING_TYPE)) {
        lua_pushcfunction(L, l_loading_close);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    lua_toclose(L, -1);
}

static int k_required(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    /* 1 name, 2 loaded table, … , -1 result */
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        if (lua_getfield(L, 2, lua_tostring(L, 1)) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushboolean(L, 1);
        }
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, lua_tostring(L, 1));
    return 1;
}

/* Pushes the loaded chunk of the first file that the module's name can mean. */
static int load_module_file(lua_State *L, const char *module)
{
    static const char *const patterns[] = {"lua/lib/%s.lua", "lua/%s.lua", "%s.lua"};
    const char *path = luaL_gsub(L, module, ".", "/");
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (tl_program_chunk(L, lua_pushfstring(L, patterns[i], path))) return 1;
    /* Then where stock Lua looks: modules installed on this machine. */
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchpath");
    lua_pushstring(L, module);
    lua_getfield(L, -3, "path");
    lua_call(L, 2, 1);
    return !lua_isnil(L, -1) && tl_program_load_file(L, lua_tostring(L, -1));
}

static int l_require(lua_State *L);

static int k_require_again(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return l_require(L);
}

static int l_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, 2, name) != LUA_TNIL) return 1;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADING);
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (tl_task_descends(tl_task_current(L), lua_touserdata(L, -1)))
            return tl_raisef(L, "script", "module %s is required while it is being loaded: a cycle of require", name);
        lua_pop(L, 1);
        lua_getfield(L, -1, "wait");
        lua_insert(L, -2);
        lua_callk(L, 1, 0, 0, k_require_again);
        return l_require(L);
    }
    lua_settop(L, 3);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    if (lua_getfield(L, -1, name) == LUA_TNIL && !load_module_file(L, name)) {
        tl_error err = {0};
        tl_error_set(&err, "not_found", "there is no module %s", name);
        tl_error_hint(&err, "looked for lua/lib/%s.lua and lua/%s.lua in the project and in the program", name, name);
        return tl_raise(L, &err);
    }
    begin_loading(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 1, 0, k_required);
    return k_required(L, LUA_OK, 0);
}

/* dofile that finds what require finds and may wait. */
static int k_done(lua_State *L, int status, lua_KContext top)
{
    (void)status;
    return lua_gettop(L) - (int)top;
}

static int l_dofile(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (!tl_program_load_file(L, name) && !tl_program_chunk(L, name))
        return tl_raisef(L, "not_found", "there is no file %s", name);
    int top = lua_gettop(L) - 1;
    lua_callk(L, 0, LUA_MULTRET, top, k_done);
    return k_done(L, LUA_OK, top);
}

/* The module. */

static int l_resource(lua_State *L)
{
    return tl_program_resource(L, luaL_checkstring(L, 1)) ? 2 : 0;
}

static int l_resources(lua_State *L)
{
    size_t length;
    const char *prefix = luaL_optlstring(L, 1, "", &length);
    int position = 0;
    lua_newtable(L);
    tl_mark_list(L, -1);
    for (const tl_embedded *file = tl_embedded_files; file->name; file++) {
        if (strncmp(file->name, prefix, length) != 0) continue;
        lua_pushstring(L, file->name);
        lua_rawseti(L, -2, ++position);
    }
    return 1;
}

static int l_embedded(lua_State *L)
{
    return push_embedded(L, luaL_checkstring(L, 1));
}

static int l_exit(lua_State *L)
{
    lua_Integer status = luaL_optinteger(L, 1, 0);
    luaL_argcheck(L, status >= 0 && status <= 255, 1, "exit status from 0 to 255 expected");
    struct tl_task *current = tl_task_current(L);
    if (!tl_task_main_cancel(L) && !current) return tl_raisef(L, "usage", "program.exit needs a running task");
    tl_the_program.exit_status = (int)status;
    if (!current) return 0;
    tl_task_cancel(L, current);
    if (!lua_isyieldable(L)) return tl_raisef(L, "cancelled", "the program ends");
    return tl_task_cancel_self(L);
}

static const luaL_Reg functions[] = {
    {"resource", l_resource},
    {"resources", l_resources},
    {"embedded", l_embedded},
    {"exit", l_exit},
    {NULL, NULL},
};

static void set_string(lua_State *L, const char *name, const char *text)
{
    if (!text) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

int luaopen_program(lua_State *L)
{
    const tl_program *p = &tl_the_program;
    luaL_newlib(L, functions);
    set_string(L, "version", tl_program_version);
    set_string(L, "script", p->script);
    set_string(L, "project", p->project);
    set_string(L, "verbosity", p->verbosity);
    set_string(L, "executable", p->executable);
    lua_createtable(L, p->count, 0);
    for (int i = 0; i < p->count; i++) {
        lua_pushstring(L, p->args[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "args");
    return 1;
}

void tl_program_open(lua_State *L)
{
    lua_pushcfunction(L, l_require);
    lua_setglobal(L, "require");
    lua_pushcfunction(L, l_dofile);
    lua_setglobal(L, "dofile");
}
