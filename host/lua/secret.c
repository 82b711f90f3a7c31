/* Module secret. */
#include "lua/secret.h"

#include <string.h>

#include "base/mem.h"
#include "data/base64.h"
#include "data/digest.h"
#include "lua/buffer.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "secret/crypto.h"
#include "secret/store.h"

#define STORE_TYPE "todo.secret.Store"
#define REDACTOR_TYPE "todo.secret.Redactor"
#define MOST_RANDOM (1 << 20)

static const char redactor_key; /* its address: the redactor's place in the registry */

typedef struct secret {
    size_t length;
    char text[];
} secret;

/* The redactor. */

static int l_free_redactor(lua_State *L)
{
    tl_redactor **r = luaL_checkudata(L, 1, REDACTOR_TYPE);
    tl_redactor_free(*r);
    *r = NULL;
    return 0;
}

tl_redactor *tl_lua_redactor(lua_State *L)
{
    tl_redactor **r;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &redactor_key) == LUA_TNIL) {
        tl_new_type(L, REDACTOR_TYPE, NULL, l_free_redactor);
        r = lua_newuserdatauv(L, sizeof *r, 0);
        *r = NULL;
        luaL_setmetatable(L, REDACTOR_TYPE);
        *r = tl_redactor_new();
        lua_rawsetp(L, LUA_REGISTRYINDEX, &redactor_key);
    } else {
        r = lua_touserdata(L, -1);
    }
    lua_pop(L, 1);
    return *r;
}

/* Secret values. */

static int l_cleanse(lua_State *L)
{
    secret *s = luaL_checkudata(L, 1, TL_LUA_SECRET);
    tl_cleanse(s->text, s->length);
    s->length = 0;
    return 0;
}

static int l_tostring(lua_State *L)
{
    lua_pushliteral(L, TL_REDACTED);
    return 1;
}

static int l_eq(lua_State *L)
{
    size_t n, m;
    const char *a = tl_secret_text(L, 1, &n), *b = tl_secret_text(L, 2, &m);
    int differs = !a || !b || n != m;
    for (size_t i = 0; !differs && i < n; i++) /* all of it, so that the time tells nothing */
        differs |= a[i] ^ b[i];
    lua_pushboolean(L, !differs);
    return 1;
}

static int l_concat(lua_State *L)
{
    size_t n, m;
    const char *a = tl_check_text(L, 1, &n), *b = tl_check_text(L, 2, &m);
    tl_buf *both = tl_push_buf(L, SIZE_MAX);
    tl_buf_add(both, a, n);
    tl_buf_add(both, b, m);
    tl_push_secret(L, both->data, both->len);
    tl_cleanse(both->data, both->cap ? both->len : 0);
    return 1;
}

static int l_reveal(lua_State *L)
{
    secret *s = luaL_checkudata(L, 1, TL_LUA_SECRET);
    lua_pushlstring(L, s->text, s->length);
    return 1;
}

static int l_empty(lua_State *L)
{
    lua_pushboolean(L, ((secret *)luaL_checkudata(L, 1, TL_LUA_SECRET))->length == 0);
    return 1;
}

static const luaL_Reg secret_methods[] = {
    {"reveal", l_reveal},
    {"empty", l_empty},
    {NULL, NULL},
};

static const luaL_Reg secret_metamethods[] = {
    {"__tostring", l_tostring},
    {"__eq", l_eq},
    {"__concat", l_concat},
    {NULL, NULL},
};

static void make_secret_type(lua_State *L)
{
    if (luaL_getmetatable(L, TL_LUA_SECRET) == LUA_TNIL) {
        lua_pop(L, 1);
        tl_new_type(L, TL_LUA_SECRET, secret_methods, l_cleanse);
        luaL_getmetatable(L, TL_LUA_SECRET);
        luaL_setfuncs(L, secret_metamethods, 0);
        lua_pushnil(L); /* a secret that goes out of scope as <close> is still a secret elsewhere */
        lua_setfield(L, -2, "__close");
    }
    lua_pop(L, 1);
}

const char *tl_secret_text(lua_State *L, int index, size_t *length)
{
    secret *s = luaL_testudata(L, index, TL_LUA_SECRET);
    if (!s) return NULL;
    if (length) *length = s->length;
    return s->text;
}

void tl_push_secret(lua_State *L, const char *text, size_t length)
{
    make_secret_type(L);
    tl_redactor *redactor = tl_lua_redactor(L);
    secret *s = lua_newuserdatauv(L, sizeof *s + length + 1, 0);
    s->length = length;
    if (length) memcpy(s->text, text, length);
    s->text[length] = 0;
    luaL_setmetatable(L, TL_LUA_SECRET);
    if (redactor) tl_redactor_add(redactor, s->text, s->length);
}

const char *tl_check_text(lua_State *L, int index, size_t *length)
{
    const char *text = tl_secret_text(L, index, length);
    if (text) return text;
    if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER)
        luaL_typeerror(L, index, "string or secret");
    return lua_tolstring(L, index, length);
}

/* The module. */

static int l_new(lua_State *L)
{
    size_t length;
    const char *text = tl_check_text(L, 1, &length);
    tl_push_secret(L, text, length);
    return 1;
}

static int l_is(lua_State *L)
{
    lua_pushboolean(L, tl_secret_text(L, 1, NULL) != NULL);
    return 1;
}

static int l_random(lua_State *L)
{
    lua_Integer count = luaL_optinteger(L, 1, 32);
    luaL_argcheck(L, count > 0 && count <= MOST_RANDOM, 1, "number of bytes out of range");
    tl_error err = {0};
    void *bytes = lua_newuserdatauv(L, (size_t)count, 0);
    tl_buf *text = tl_push_buf(L, SIZE_MAX);
    if (tl_random_bytes(bytes, (size_t)count, &err)) return tl_raise(L, &err);
    tl_base64_encode(text, bytes, (size_t)count, TL_BASE64_STD);
    tl_cleanse(bytes, (size_t)count);
    tl_push_secret(L, text->data, text->len);
    tl_cleanse(text->data, text->len);
    return 1;
}

static int l_redact(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_buf *out = tl_push_buf(L, SIZE_MAX);
    tl_redact(tl_lua_redactor(L), text, length, out);
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

static int l_sha256(lua_State *L)
{
    size_t length;
    const char *bytes = tl_check_text(L, 1, &length);
    char hex[TL_SHA256_HEX];
    tl_sha256_hex(bytes, length, hex);
    lua_pushstring(L, hex);
    return 1;
}

static int l_base64(lua_State *L)
{
    size_t length;
    int is_secret = tl_secret_text(L, 1, NULL) != NULL;
    const char *bytes = tl_check_text(L, 1, &length);
    tl_buf *out = tl_push_buf(L, SIZE_MAX);
    tl_base64_encode(out, bytes, length, TL_BASE64_STD);
    if (is_secret)
        tl_push_secret(L, out->data, out->len);
    else
        lua_pushlstring(L, out->data, out->len);
    return 1;
}

static int l_unbase64(lua_State *L)
{
    size_t length;
    int is_secret = tl_secret_text(L, 1, NULL) != NULL;
    const char *text = tl_check_text(L, 1, &length);
    tl_error err = {0};
    tl_buf *out = tl_push_buf(L, SIZE_MAX);
    if (tl_base64_decode(out, text, length, TL_BASE64_STD, &err)) return tl_raise(L, &err);
    if (is_secret)
        tl_push_secret(L, out->data, out->len);
    else
        lua_pushlstring(L, out->data, out->len);
    return 1;
}

/* Stores. */

static int l_free_store(lua_State *L)
{
    tl_secret_store **store = luaL_checkudata(L, 1, STORE_TYPE);
    tl_secret_store_free(*store);
    *store = NULL;
    return 0;
}

static tl_secret_store *check_store(lua_State *L)
{
    tl_secret_store **store = luaL_checkudata(L, 1, STORE_TYPE);
    if (!*store) tl_raisef(L, "closed", "the secret store is closed");
    return *store;
}

static int l_store(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    tl_error err = {0};
    tl_secret_store **store = lua_newuserdatauv(L, sizeof *store, 0);
    *store = NULL;
    luaL_setmetatable(L, STORE_TYPE);
    return tl_secret_store_open(path, store, &err) ? tl_raise(L, &err) : 1;
}

static int l_store_get(lua_State *L)
{
    size_t length;
    const char *text = tl_secret_store_get(check_store(L), luaL_checkstring(L, 2), &length);
    if (text)
        tl_push_secret(L, text, length);
    else
        lua_pushnil(L);
    return 1;
}

static int l_store_set(lua_State *L)
{
    tl_secret_store *store = check_store(L);
    const char *name = luaL_checkstring(L, 2);
    size_t length = 0;
    const char *text = lua_isnoneornil(L, 3) ? NULL : tl_check_text(L, 3, &length);
    tl_error err = {0};
    if (text && !tl_secret_text(L, 3, NULL)) tl_push_secret(L, text, length); /* known to the redactor from now on */
    return tl_secret_store_set(store, name, text, length, &err) ? tl_raise(L, &err) : 0;
}

static int l_store_names(lua_State *L)
{
    tl_secret_store *store = check_store(L);
    const char *name;
    lua_newtable(L);
    tl_mark_list(L, -1);
    for (size_t i = 0; (name = tl_secret_store_name(store, i)); i++) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static const luaL_Reg store_methods[] = {
    {"get", l_store_get},
    {"set", l_store_set},
    {"names", l_store_names},
    {"close", l_free_store},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"new", l_new},
    {"is", l_is},
    {"random", l_random},
    {"redact", l_redact},
    {"sha256", l_sha256},
    {"base64", l_base64},
    {"unbase64", l_unbase64},
    {"store", l_store},
    {NULL, NULL},
};

int luaopen_secret(lua_State *L)
{
    make_secret_type(L);
    tl_new_type(L, STORE_TYPE, store_methods, l_free_store);
    luaL_newlib(L, functions);
    return 1;
}
