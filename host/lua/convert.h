#ifndef TL_LUA_CONVERT_H
#define TL_LUA_CONVERT_H

#include <lauxlib.h>
#include <lua.h>

#include "data/value.h"
#include "base/error.h"

/* Between the value tree and plain Lua tables. Decoded maps remember their key order (tl_push_value sets a metatable
 * that holds it, and encoding writes known keys in that order, then new ones sorted); empty lists stay lists; null is
 * the one sentinel `json.null` (a light userdata). Bytes become strings. */
void tl_push_value(lua_State *L, tl_value value);

typedef enum tl_secrets { TL_SECRETS_REFUSE, TL_SECRETS_MASK, TL_SECRETS_REVEAL } tl_secrets;

/* Converts the Lua value at `index` into the arena. A table is a list where it was decoded as one, or is a sequence
 * with at least one element; an empty plain table is a map unless it carries the list mark (json.list{}). Refuses (kind "usage",
 * with the path of the offending field) functions, cycles, tables with mixed keys, depth over 200, and secrets unless
 * told how to treat them. */
int tl_to_value(lua_State *L, int index, tl_arena *arena, tl_secrets secrets, tl_value *out, tl_error *err);

/* Pushes the null sentinel; 1 where the value at `index` is it. */
void tl_push_null(lua_State *L);
int tl_is_null(lua_State *L, int index);

/* Marks the table at `index` as a list (json.list); whether it is one by that mark or by its content. */
void tl_mark_list(lua_State *L, int index);
int tl_is_list(lua_State *L, int index);

/* Option tables: the field `name` of the table at `index` (which may be nil or absent), checked for its type; the error
 * names the option. Strings stay valid while the table holds them; a secret is revealed. */
const char *tl_opt_string(lua_State *L, int index, const char *name, const char *fallback);
lua_Number tl_opt_number(lua_State *L, int index, const char *name, lua_Number fallback);
int tl_opt_bool(lua_State *L, int index, const char *name, int fallback);
/* Seconds as Lua scripts give them (a number, or "1m30s" as Go durations are written) in milliseconds. */
int64_t tl_opt_ms(lua_State *L, int index, const char *name, int64_t fallback_ms);
/* The same for an argument: seconds as a number, or a duration text. */
int64_t tl_check_ms(lua_State *L, int index);
/* A metatable `name` with __index to `methods` (NULL: none), and `release` (may be NULL) as both __gc and __close; it
 * must be idempotent. Leaves the stack as it was; harmless the second time. */
void tl_new_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction release);
/* An arena owned by a userdata that is pushed on the stack: scratch memory which a raised error frees. */
tl_arena *tl_push_arena(lua_State *L, size_t limit);

#endif
