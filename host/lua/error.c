/* Error objects: { kind, message, hint, status, cause, where }, printable. */
#include "lua/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_TYPE "todo.Error"

/* message, then the hint on a line of its own. */
static int l_tostring(lua_State *L)
{
    luaL_Buffer b;
    lua_getfield(L, 1, "message");
    const char *message = lua_tostring(L, -1);
    lua_getfield(L, 1, "hint");
    const char *hint = lua_tostring(L, -1);
    luaL_buffinit(L, &b);
    luaL_addstring(&b, message ? message : "unknown error");
    if (hint) {
        luaL_addstring(&b, "\n  ");
        luaL_addstring(&b, hint);
    }
    luaL_pushresult(&b);
    return 1;
}

static int l_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

static void set_error_metatable(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (luaL_newmetatable(L, ERROR_TYPE)) {
        lua_pushcfunction(L, l_tostring);
        lua_setfield(L, -2, "__tostring");
        lua_pushcfunction(L, l_concat);
        lua_setfield(L, -2, "__concat");
        lua_pushliteral(L, ERROR_TYPE);
        lua_setfield(L, -2, "__name");
    }
    lua_setmetatable(L, index);
}

/* Pushes "file.lua:12" of the nearest caller that is a script of the user's rather than of the library, else of the
 * nearest Lua caller; nil where there is none. */
static void push_where(lua_State *L)
{
    lua_Debug ar, found;
    int have = 0;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline <= 0) continue;
        int library = strncmp(ar.source, "@lua/lib/", 9) == 0;
        if (!have || !library) found = ar;
        have = 1;
        if (!library) break;
    }
    if (have)
        lua_pushfstring(L, "%s:%d", found.short_src, found.currentline);
    else
        lua_pushnil(L);
}

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (!text) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void push_fields(lua_State *L, const tl_error *err)
{
    luaL_checkstack(L, 6, "error");
    lua_createtable(L, 0, 6);
    set_text(L, "kind", err->kind);
    set_text(L, "message", err->message ? err->message : "unknown error");
    set_text(L, "hint", err->hint);
    if (err->status) {
        lua_pushinteger(L, err->status);
        lua_setfield(L, -2, "status");
    }
    if (err->cause) {
        push_fields(L, err->cause);
        lua_setfield(L, -2, "cause");
    }
    set_error_metatable(L, -1);
}

void tl_push_error(lua_State *L, tl_error *err)
{
    push_fields(L, err);
    tl_error_dispose(err);
}

int tl_raise(lua_State *L, tl_error *err)
{
    tl_push_error(L, err);
    push_where(L);
    lua_setfield(L, -2, "where");
    return lua_error(L);
}

int tl_raisef(lua_State *L, const char *kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    tl_error err = {0};
    tl_error_set(&err, kind, "%s", lua_tostring(L, -1));
    return tl_raise(L, &err);
}

/* Finds the place in "file.lua:12: text", the string on top of the stack; pushes the table. */
static void fields_of_text(lua_State *L, const char *text)
{
    const char *colon = strchr(text, ':');
    while (colon && !(colon[1] >= '0' && colon[1] <= '9')) colon = strchr(colon + 1, ':');
    const char *end = colon ? colon + 1 + strspn(colon + 1, "0123456789") : NULL;
    int has_where = end && end[0] == ':' && end[1] == ' ';
    lua_createtable(L, 0, 3);
    lua_pushliteral(L, "script");
    lua_setfield(L, -2, "kind");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "message");
    if (has_where) {
        lua_pushlstring(L, text, (size_t)(end - text));
        lua_setfield(L, -2, "where");
    }
}

static int l_text(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

void tl_error_object(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 6, "error");
    if (lua_istable(L, index)) {
        int plain = lua_getmetatable(L, index) == 0;
        if (!plain) lua_pop(L, 1);
        if (plain && lua_getfield(L, index, "message") != LUA_TNIL) set_error_metatable(L, index);
        if (plain) lua_pop(L, 1);
        return;
    }
    lua_pushcfunction(L, l_text); /* a __tostring may fail */
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        lua_pop(L, 1);
        lua_pushliteral(L, "an error object that cannot be printed");
    }
    fields_of_text(L, lua_tostring(L, -1));
    set_error_metatable(L, -1);
    lua_replace(L, index);
    lua_pop(L, 1);
}

/* pcall and xpcall whose errors are objects. */

static int finish_pcall(lua_State *L, int status, lua_KContext skip)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        tl_error_object(L, -1);
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)skip;
}

static int l_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_pcall);
    return finish_pcall(L, status, 0);
}

static int handle(lua_State *L)
{
    tl_error_object(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int finish_xpcall(lua_State *L, int status, lua_KContext skip)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        if (status != LUA_ERRRUN) tl_error_object(L, -1); /* the handler was not called, or failed itself */
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    return lua_gettop(L) - (int)skip;
}

static int l_xpcall(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handle, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, finish_xpcall);
    return finish_xpcall(L, status, 2);
}

void tl_error_open(lua_State *L)
{
    lua_pushcfunction(L, l_pcall);
    lua_setglobal(L, "pcall");
    lua_pushcfunction(L, l_xpcall);
    lua_setglobal(L, "xpcall");
}
