#ifndef TL_LUA_ERROR_H
#define TL_LUA_ERROR_H

#include <lauxlib.h>
#include <lua.h>

#include "base/error.h"

/* Raises *err as an error object { kind, message, hint, status, cause, where } (metatable "todo.Error", printable) with
 * the position of the calling script line; disposes *err first. Never returns; `return tl_raise(L, &err)` reads well. */
int tl_raise(lua_State *L, tl_error *err);
/* Pushes *err as an error object without raising; disposes *err. */
void tl_push_error(lua_State *L, tl_error *err);
/* Raises an error made on the spot. */
int tl_raisef(lua_State *L, const char *kind, const char *format, ...);
/* Turns the value at `index` into an error object in place where it is a plain string (Lua's own errors, argument
 * errors), with the traceback's script line kept. */
void tl_error_object(lua_State *L, int index);

/* Replaces pcall and xpcall, so that scripts catch objects where stock Lua gives strings. */
void tl_error_open(lua_State *L);

#endif
