#ifndef TL_LUA_SECRET_H
#define TL_LUA_SECRET_H

#include <lauxlib.h>
#include <lua.h>

#include "secret/redact.h"

/* Metatable of secret values. */
#define TL_LUA_SECRET "todo.secret.Secret"

/* The text of the secret at `index` (*length may be NULL), valid while the value lives; NULL where it is no secret. */
const char *tl_secret_text(lua_State *L, int index, size_t *length);
/* Pushes a secret with a copy of the bytes, which the program's redactor knows from then on. */
void tl_push_secret(lua_State *L, const char *text, size_t length);
/* The string or secret at `index`; raises an argument error for anything else. */
const char *tl_check_text(lua_State *L, int index, size_t *length);
/* The program's redactor; made on first use, lives as long as the Lua state. */
tl_redactor *tl_lua_redactor(lua_State *L);

#endif
