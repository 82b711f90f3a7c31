/* Between the value tree and Lua tables; option tables. */
#include "lua/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "lua/error.h"
#include "lua/secret.h"

#define MAX_DEPTH 200

/* The address is the null sentinel. */
static const char null_address;
/* Registry keys: the metatable of every list; decoded maps have metatables of their own with this marker in them. */
#define LIST_TYPE "todo.List"
#define ORDER_FIELD "__order"

void tl_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&null_address);
}

int tl_is_null(lua_State *L, int index)
{
    return lua_islightuserdata(L, index) && lua_touserdata(L, index) == (void *)&null_address;
}

/* Tree to Lua. */

void tl_mark_list(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (luaL_newmetatable(L, LIST_TYPE)) {
        lua_pushliteral(L, LIST_TYPE);
        lua_setfield(L, -2, "__name");
    }
    lua_setmetatable(L, index);
}

int tl_is_list(lua_State *L, int index)
{
    if (!lua_istable(L, index)) return 0;
    if (!lua_getmetatable(L, index)) return lua_rawlen(L, index) > 0;
    luaL_getmetatable(L, LIST_TYPE);
    int is = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    if (!is) {
        lua_pushliteral(L, ORDER_FIELD);
        is = lua_rawget(L, -2) == LUA_TNIL && lua_rawlen(L, index) > 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return is;
}

static void push_map(lua_State *L, const tl_map *map)
{
    lua_createtable(L, 0, (int)map->count);
    lua_createtable(L, 0, 1); /* the map's own metatable */
    lua_createtable(L, (int)map->count, 0);
    uint32_t cursor = 0;
    int position = 0;
    for (tl_entry *e; (e = tl_map_next(map, &cursor));) {
        lua_pushlstring(L, e->key, e->key_len);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, ++position);
        tl_push_value(L, e->value);
        lua_rawset(L, -5);
    }
    lua_setfield(L, -2, ORDER_FIELD);
    lua_setmetatable(L, -2);
}

void tl_push_value(lua_State *L, tl_value value)
{
    luaL_checkstack(L, 8, "the value is nested too deeply");
    switch (value.type) {
    case TL_BOOL: lua_pushboolean(L, value.as.b); break;
    case TL_INT: lua_pushinteger(L, value.as.i); break;
    case TL_FLOAT: lua_pushnumber(L, value.as.d); break;
    case TL_STRING:
    case TL_BYTES: lua_pushlstring(L, value.as.s, value.len); break;
    case TL_LIST:
        lua_createtable(L, (int)value.as.list->len, 0);
        tl_mark_list(L, -1);
        for (size_t i = 0; i < value.as.list->len; i++) {
            tl_push_value(L, value.as.list->items[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case TL_MAP: push_map(L, value.as.map); break;
    default: tl_push_null(L);
    }
}

/* Lua to tree. The path to the field in work is a list of keys, so that an error can name it. */

typedef struct reader {
    lua_State *L;
    tl_arena *arena;
    tl_secrets secrets;
    tl_error *err;
    int depth;
    struct {
        const char *key;
        lua_Integer index;
    } path[MAX_DEPTH + 1];
} reader;

static int refuse(reader *r, const char *what)
{
    tl_buf path = TL_BUF_INIT(4096);
    for (int i = 0; i < r->depth; i++) {
        if (r->path[i].key)
            tl_buf_addf(&path, "%s%s", i ? "." : "", r->path[i].key);
        else
            tl_buf_addf(&path, "[%lld]", (long long)r->path[i].index);
    }
    tl_error_set(r->err, "usage", "%s%s%s", path.len ? path.data : "the value", path.len ? ": " : " ", what);
    tl_buf_dispose(&path);
    return -1;
}

static int read_any(reader *r, int index, tl_value *out);

static int read_list(reader *r, int index, tl_value *out)
{
    lua_Integer length = (lua_Integer)lua_rawlen(r->L, index);
    lua_Integer keys = 0;
    lua_pushnil(r->L);
    while (lua_next(r->L, index)) {
        lua_pop(r->L, 1);
        if (!lua_isinteger(r->L, -1)) {
            lua_pop(r->L, 1);
            return refuse(r, "is a list and has other keys too");
        }
        lua_Integer key = lua_tointeger(r->L, -1);
        keys += key >= 1 && key <= length ? 1 : length + 1; /* a key outside makes the counts differ */
    }
    if (keys != length) return refuse(r, "is a list with holes");
    tl_list *list = tl_list_new(r->arena, (size_t)length);
    for (lua_Integer i = 1; i <= length; i++) {
        tl_value item;
        r->path[r->depth].key = NULL;
        r->path[r->depth++].index = i;
        lua_rawgeti(r->L, index, i);
        int rc = read_any(r, lua_gettop(r->L), &item);
        lua_pop(r->L, 1);
        if (rc < 0) return -1;
        r->depth--;
        tl_list_push(r->arena, list, item);
    }
    *out = tl_list_value(list);
    return 0;
}

/* The value lies on top of the stack and stays there. */
static int read_entry(reader *r, tl_map *map, const char *key, size_t length)
{
    tl_value value;
    r->path[r->depth++].key = key;
    if (read_any(r, lua_gettop(r->L), &value) < 0) return -1;
    r->depth--;
    tl_map_set(map, key, length, value);
    return 0;
}

static int read_known_order(reader *r, int index, tl_map *map)
{
    int rc = 0;
    if (!lua_getmetatable(r->L, index)) return 0;
    lua_pushliteral(r->L, ORDER_FIELD);
    if (lua_rawget(r->L, -2) == LUA_TTABLE) {
        lua_Integer count = (lua_Integer)lua_rawlen(r->L, -1);
        for (lua_Integer i = 1; i <= count && rc == 0; i++) {
            size_t length;
            lua_rawgeti(r->L, -1, i);
            const char *key = lua_tolstring(r->L, -1, &length);
            lua_pushvalue(r->L, -1);
            if (lua_rawget(r->L, index) != LUA_TNIL) rc = read_entry(r, map, key, length);
            lua_pop(r->L, 2);
        }
    }
    lua_pop(r->L, 2);
    return rc;
}

typedef struct text {
    const char *bytes;
    size_t length;
} text;

static int by_text(const void *a, const void *b)
{
    const text *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->bytes, y->bytes, shorter);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static int read_new_keys(reader *r, int index, tl_map *map)
{
    size_t count = 0, cap = 0;
    text *keys = NULL;
    lua_pushnil(r->L);
    while (lua_next(r->L, index)) {
        lua_pop(r->L, 1);
        if (lua_type(r->L, -1) != LUA_TSTRING) {
            lua_pop(r->L, 1);
            return refuse(r, "has a key that is no string");
        }
        size_t length;
        const char *key = lua_tolstring(r->L, -1, &length);
        if (tl_map_get(map, key, length)) continue;
        if (count == cap) {
            size_t more = cap ? cap * 2 : 8;
            keys = tl_arena_grow(r->arena, keys, cap * sizeof *keys, more * sizeof *keys);
            cap = more;
        }
        keys[count++] = (text){tl_arena_strndup(r->arena, key, length), length};
    }
    if (count) qsort(keys, count, sizeof *keys, by_text);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(r->L, keys[i].bytes, keys[i].length);
        lua_rawget(r->L, index);
        int rc = read_entry(r, map, keys[i].bytes, keys[i].length);
        lua_pop(r->L, 1);
        if (rc < 0) return -1;
    }
    return 0;
}

static int read_table(reader *r, int index, tl_value *out)
{
    if (r->depth >= MAX_DEPTH) return refuse(r, "is nested too deeply, or contains itself");
    if (tl_arena_over(r->arena)) return refuse(r, "makes the whole too large"); /* tables may be shared */
    if (tl_is_list(r->L, index)) return read_list(r, index, out);
    tl_map *map = tl_map_new(r->arena, 8);
    *out = tl_map_value(map);
    return read_known_order(r, index, map) < 0 ? -1 : read_new_keys(r, index, map);
}

static int read_secret(reader *r, int index, tl_value *out)
{
    size_t length;
    const char *text = tl_secret_text(r->L, index, &length);
    if (!text) return refuse(r, "is a userdata, which has no text form");
    if (r->secrets == TL_SECRETS_REFUSE)
        return refuse(r, "is a secret; say {secrets=\"reveal\"} or {secrets=\"mask\"} if it may be written");
    *out = r->secrets == TL_SECRETS_MASK ? tl_cstring_ref("•••") : tl_string(r->arena, text, length);
    return 0;
}

static int read_any(reader *r, int index, tl_value *out)
{
    size_t length;
    const char *text;
    luaL_checkstack(r->L, 8, "the value is nested too deeply");
    switch (lua_type(r->L, index)) {
    case LUA_TNIL: *out = tl_null(); return 0;
    case LUA_TBOOLEAN: *out = tl_bool(lua_toboolean(r->L, index)); return 0;
    case LUA_TNUMBER:
        *out = lua_isinteger(r->L, index) ? tl_int(lua_tointeger(r->L, index)) : tl_float(lua_tonumber(r->L, index));
        return 0;
    case LUA_TSTRING:
        text = lua_tolstring(r->L, index, &length);
        *out = tl_string(r->arena, text, length);
        return 0;
    case LUA_TTABLE: return read_table(r, index, out);
    case LUA_TLIGHTUSERDATA:
        if (tl_is_null(r->L, index)) {
            *out = tl_null();
            return 0;
        }
        return refuse(r, "is a light userdata");
    case LUA_TUSERDATA: return read_secret(r, index, out);
    default: return refuse(r, lua_isfunction(r->L, index) ? "is a function" : "is a coroutine");
    }
}

int tl_to_value(lua_State *L, int index, tl_arena *arena, tl_secrets secrets, tl_value *out, tl_error *err)
{
    reader r = {.L = L, .arena = arena, .secrets = secrets, .err = err};
    return read_any(&r, lua_absindex(L, index), out);
}

/* Options. */

/* Pushes the field; returns its type, LUA_TNIL where there is no table. */
static int push_option(lua_State *L, int index, const char *name)
{
    if (!lua_istable(L, index)) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    int type = lua_getfield(L, index, name);
    if (type == LUA_TLIGHTUSERDATA && tl_is_null(L, -1)) type = LUA_TNIL;
    return type;
}

static int wrong_option(lua_State *L, const char *name, const char *wanted)
{
    return tl_raisef(L, "usage", "option %s: %s expected, got %s", name, wanted, luaL_typename(L, -1));
}

const char *tl_opt_string(lua_State *L, int index, const char *name, const char *fallback)
{
    int type = push_option(L, index, name);
    const char *text = fallback;
    if (type == LUA_TSTRING)
        text = lua_tostring(L, -1);
    else if (type == LUA_TUSERDATA && tl_secret_text(L, -1, NULL))
        text = tl_secret_text(L, -1, NULL);
    else if (type != LUA_TNIL)
        wrong_option(L, name, "string");
    lua_pop(L, 1);
    return text;
}

lua_Number tl_opt_number(lua_State *L, int index, const char *name, lua_Number fallback)
{
    int type = push_option(L, index, name);
    if (type != LUA_TNIL && type != LUA_TNUMBER) wrong_option(L, name, "number");
    lua_Number number = type == LUA_TNIL ? fallback : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

int tl_opt_bool(lua_State *L, int index, const char *name, int fallback)
{
    int type = push_option(L, index, name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN) wrong_option(L, name, "boolean");
    int b = type == LUA_TNIL ? fallback : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return b;
}

/* A Go duration such as "1h2m3.5s" or "250ms" in milliseconds, -1 where it is none. */
static double parse_duration(const char *text)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"us", 0.001}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    double total = 0;
    if (!*text) return -1;
    while (*text) {
        char *end;
        double number = strtod(text, &end);
        if (end == text || number < 0) return -1;
        size_t i = 0, count = sizeof units / sizeof units[0];
        while (i < count && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0) i++;
        if (i == count) return -1;
        total += number * units[i].ms;
        text = end + strlen(units[i].unit);
    }
    return total;
}

static double to_ms(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TNUMBER) return lua_tonumber(L, index) * 1000;
    return lua_type(L, index) == LUA_TSTRING ? parse_duration(lua_tostring(L, index)) : -1;
}

int64_t tl_opt_ms(lua_State *L, int index, const char *name, int64_t fallback_ms)
{
    int64_t ms = fallback_ms;
    if (push_option(L, index, name) != LUA_TNIL) {
        double value = to_ms(L, -1);
        if (!(value >= 0 && value < 1e15)) wrong_option(L, name, "seconds or a duration such as \"1m30s\"");
        ms = (int64_t)ceil(value);
    }
    lua_pop(L, 1);
    return ms;
}

int64_t tl_check_ms(lua_State *L, int index)
{
    double ms = to_ms(L, index);
    if (lua_type(L, index) == LUA_TNUMBER && ms < 0) ms = 0;
    luaL_argcheck(L, ms >= 0 && ms < 1e15, index, "seconds or a duration such as \"1m30s\" expected");
    return (int64_t)ceil(ms);
}

void tl_new_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction release)
{
    if (!luaL_newmetatable(L, name)) {
        lua_pop(L, 1);
        return;
    }
    if (methods) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    if (release) {
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__close");
    }
    lua_pop(L, 1);
}

/* The scratch arena. */

static int l_arena_gc(lua_State *L)
{
    tl_arena **arena = lua_touserdata(L, 1);
    tl_arena_free(*arena);
    *arena = NULL;
    return 0;
}

tl_arena *tl_push_arena(lua_State *L, size_t limit)
{
    tl_arena **arena = lua_newuserdatauv(L, sizeof *arena, 0);
    *arena = NULL;
    tl_new_type(L, "todo.Arena", NULL, l_arena_gc);
    luaL_setmetatable(L, "todo.Arena");
    *arena = tl_arena_new(limit);
    return *arena;
}
