/* Byte buffers that a raised error frees. */
#include "lua/buffer.h"

#include "lua/convert.h"

#define BUFFER_TYPE "todo.Buffer"

static int l_dispose(lua_State *L)
{
    tl_buf_dispose(luaL_checkudata(L, 1, BUFFER_TYPE));
    return 0;
}

tl_buf *tl_push_buf(lua_State *L, size_t limit)
{
    tl_new_type(L, BUFFER_TYPE, NULL, l_dispose);
    tl_buf *buf = lua_newuserdatauv(L, sizeof *buf, 0);
    tl_buf_init(buf, limit);
    luaL_setmetatable(L, BUFFER_TYPE);
    return buf;
}
