/* Module yaml. */
#include "data/yaml.h"

#include "lua/buffer.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/secrets_option.h"

#define LARGEST ((size_t)1 << 30)

static tl_yaml_options read_options(lua_State *L, int index)
{
    return (tl_yaml_options){.name = tl_opt_string(L, index, "name", "YAML"),
                             .flavour = tl_opt_bool(L, index, "core", 0) ? TL_YAML_CORE : TL_YAML_HELM};
}

static int l_decode(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_yaml_options options = read_options(L, 2);
    tl_error err = {0};
    tl_value value;
    tl_arena *arena = tl_push_arena(L, LARGEST);
    int status = tl_yaml_parse(arena, text, length, &options, &value, &err);
    if (status < 0) return tl_raise(L, &err);
    if (status == 0)
        lua_pushnil(L);
    else
        tl_push_value(L, value);
    return 1;
}

static int l_decode_all(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_yaml_options options = read_options(L, 2);
    tl_error err = {0};
    tl_list *documents;
    tl_arena *arena = tl_push_arena(L, LARGEST);
    if (tl_yaml_parse_all(arena, text, length, &options, &documents, &err) < 0) return tl_raise(L, &err);
    tl_push_value(L, tl_list_value(documents));
    return 1;
}

/* Appends the Lua value at `index` to the buffer. */
static void encode_value(lua_State *L, int index, tl_buf *out)
{
    const tl_yaml_write_options options = {.keep_order = !tl_opt_bool(L, 2, "sort", 0)};
    tl_secrets secrets = tl_secrets_option(L, 2);
    tl_error err = {0};
    tl_value value;
    tl_arena *arena = tl_push_arena(L, LARGEST);
    if (tl_to_value(L, index, arena, secrets, &value, &err) || tl_yaml_write(out, value, &options, &err))
        tl_raise(L, &err);
    lua_pop(L, 1);
}

static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    tl_buf *out = tl_push_buf(L, LARGEST);
    encode_value(L, 1, out);
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

static int l_encode_all(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    tl_buf *out = tl_push_buf(L, LARGEST);
    lua_Integer count = luaL_len(L, 1);
    for (lua_Integer i = 1; i <= count; i++) {
        if (i > 1) tl_buf_adds(out, "---\n");
        lua_geti(L, 1, i);
        encode_value(L, lua_gettop(L), out);
        lua_pop(L, 1);
    }
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

static const luaL_Reg functions[] = {
    {"decode", l_decode},
    {"decode_all", l_decode_all},
    {"encode", l_encode},
    {"encode_all", l_encode_all},
    {NULL, NULL},
};

int luaopen_yaml(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
