#ifndef TL_LUA_BUFFER_H
#define TL_LUA_BUFFER_H

#include <lua.h>

#include "base/buf.h"

/* A byte buffer owned by a userdata that is pushed on the stack: a raised error frees it. limit as in tl_buf_init. */
tl_buf *tl_push_buf(lua_State *L, size_t limit);

#endif
