#ifndef TL_LUA_SANDBOX_H
#define TL_LUA_SANDBOX_H

#include <lua.h>

#include "base/error.h"

/* A Lua state for a stranger's code: no io, os, debug, coroutines, bytecode, randomness or finalizers, and bounds on
 * memory, instructions and time, so that whatever runs in it ends. */
typedef struct tl_sandbox tl_sandbox;

#define TL_SANDBOX_MEMORY ((size_t)32 << 20)
#define TL_SANDBOX_INSTRUCTIONS 30000000u
#define TL_SANDBOX_MS 5000.0

/* Free with tl_sandbox_free. */
tl_sandbox *tl_sandbox_new(void);
void tl_sandbox_free(tl_sandbox *sandbox);
lua_State *tl_sandbox_state(tl_sandbox *sandbox);
/* Raises text with the place of the Lua code that called the running C function. */
int tl_sandbox_raise(lua_State *L, const char *format, ...);
/* Calls `work` protected, with `data` as a light userdata; nothing stays on the stack. The bounds hold for all calls
 * together. -1 with kind "script" (the message has file and line) or "limit". */
int tl_sandbox_run(tl_sandbox *sandbox, lua_CFunction work, void *data, tl_error *err);

#endif
