/* Module json. */
#include "data/json.h"

#include <string.h>

#include "lua/buffer.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/secrets_option.h"

#define LARGEST ((size_t)1 << 30)

static int l_decode(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    const tl_json_options options = {.borrow = 1};
    tl_error err = {0};
    tl_value value;
    tl_arena *arena = tl_push_arena(L, LARGEST);
    if (tl_json_parse(arena, text, length, &options, &value, &err)) return tl_raise(L, &err);
    tl_push_value(L, value);
    return 1;
}

static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    tl_json_write_options options = {0};
    options.indent = tl_opt_string(L, 2, "indent", NULL);
    options.sort = tl_opt_bool(L, 2, "sort", 0);
    options.html = tl_opt_bool(L, 2, "html", 0);
    tl_secrets secrets = tl_secrets_option(L, 2);
    tl_error err = {0};
    tl_value value;
    tl_arena *arena = tl_push_arena(L, LARGEST);
    tl_buf *out = tl_push_buf(L, LARGEST);
    if (tl_to_value(L, 1, arena, secrets, &value, &err) || tl_json_write(out, value, &options, &err))
        return tl_raise(L, &err);
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

static int l_list(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    tl_mark_list(L, 1);
    lua_settop(L, 1);
    return 1;
}

static int l_is_list(lua_State *L)
{
    lua_pushboolean(L, tl_is_list(L, 1));
    return 1;
}

static const luaL_Reg functions[] = {
    {"decode", l_decode},
    {"encode", l_encode},
    {"list", l_list},
    {"is_list", l_is_list},
    {NULL, NULL},
};

int luaopen_json(lua_State *L)
{
    luaL_newlib(L, functions);
    tl_push_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}
