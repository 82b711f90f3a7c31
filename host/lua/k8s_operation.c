/* Operations of module k8s: what a task waits for, and how its options are read. */
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/k8s.h"

#define OP_TYPE "todo.k8s.Operation"
#define BODY_LIMIT ((size_t)64 << 20)
#define PARSED_LIMIT ((size_t)1 << 30)

void tl_lua_k8s_stop(tl_k8s_operation *op)
{
    tl_verb_stop(&op->verb);
    tl_k8s_call_free(op->call);
    op->call = NULL;
    tl_lookup_stop(&op->lookup);
    tl_buf_dispose(&op->query);
}

static int l_operation_gc(lua_State *L)
{
    tl_k8s_operation *op = luaL_checkudata(L, 1, OP_TYPE);
    tl_wait_stop(&op->wait);
    tl_lua_k8s_stop(op);
    return 0;
}

static void cancel_operation(tl_wait *wait)
{
    tl_lua_k8s_stop(wait->data);
}

static void on_verb(tl_verb *verb)
{
    tl_wake(&((tl_k8s_operation *)verb->data)->wait);
}

/* The operation refers to the client in its uservalue, so that neither goes before its time. */
tl_k8s_operation *tl_lua_k8s_push(lua_State *L)
{
    tl_k8s_operation *op = lua_newuserdatauv(L, sizeof *op, 1);
    memset(op, 0, sizeof *op);
    tl_buf_init(&op->query, (size_t)64 << 10);
    op->wait.on_cancel = cancel_operation;
    op->wait.data = op->verb.data = op;
    op->verb.on_done = on_verb;
    tl_new_type(L, OP_TYPE, NULL, l_operation_gc);
    luaL_setmetatable(L, OP_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return op;
}

int tl_lua_k8s_send(lua_State *L, tl_k8s_operation *op, int index, lua_KFunction k)
{
    tl_error err = {0};
    op->wait.woken = 0;
    if (tl_verb_start(tl_lua_k8s_check(L), &op->verb, &err)) return tl_raise(L, &err);
    return tl_await(L, &op->wait, index, k);
}

/* Pushes the JSON text as Lua values. */
void tl_lua_k8s_push_json(lua_State *L, const char *text, size_t length)
{
    tl_error err = {0};
    tl_value value;
    tl_arena *arena = tl_push_arena(L, PARSED_LIMIT);
    int slot = lua_gettop(L);
    lua_toclose(L, slot);
    const tl_json_options options = {.borrow = 1, .name = "the server's answer"};
    if (tl_json_parse(arena, text, length, &options, &value, &err)) tl_raise(L, &err);
    tl_push_value(L, value);
    lua_closeslot(L, slot);
    lua_remove(L, slot);
}

/* ---- options ---- */

const char *tl_lua_k8s_text(lua_State *L, int index, const char *name, tl_arena *arena)
{
    const char *text = tl_opt_string(L, index, name, NULL);
    return text ? tl_arena_strdup(arena, text) : NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One requirement of a selector table: { app = "x", tier = { "a", "b" }, debug = true }. */
static const char *requirement(lua_State *L, tl_arena *arena, const char *option)
{
    if (lua_type(L, -2) != LUA_TSTRING) tl_raisef(L, "usage", "option %s: a selector's keys are strings", option);
    const char *key = lua_tostring(L, -2);
    if (lua_type(L, -1) == LUA_TBOOLEAN) return tl_arena_printf(arena, "%s%s", lua_toboolean(L, -1) ? "" : "!", key);
    if (lua_isstring(L, -1)) return tl_arena_printf(arena, "%s=%s", key, luaL_tolstring(L, -1, NULL));
    if (!lua_istable(L, -1))
        tl_raisef(L, "usage", "option %s: %s: a string, a list or a boolean expected", option, key);
    const char *text = tl_arena_printf(arena, "%s in (", key);
    for (lua_Integer i = 1, n = luaL_len(L, -1); i <= n; i++) {
        lua_geti(L, -1, i);
        text = tl_arena_printf(arena, "%s%s%s", text, i > 1 ? "," : "", luaL_tolstring(L, -1, NULL));
        lua_pop(L, 2);
    }
    return tl_arena_printf(arena, "%s)", text);
}

/* A selector given as text or as a table; NULL where absent. */
const char *tl_lua_k8s_selector(lua_State *L, int index, const char *name, tl_arena *arena)
{
    if (!lua_istable(L, index)) return NULL;
    if (lua_getfield(L, index, name) != LUA_TTABLE) {
        lua_pop(L, 1);
        return tl_lua_k8s_text(L, index, name, arena);
    }
    const char *parts[64], *text = "";
    size_t count = 0;
    int top = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, top); lua_settop(L, top + 1)) {
        if (count == sizeof parts / sizeof *parts) tl_raisef(L, "usage", "option %s: too many requirements", name);
        parts[count++] = requirement(L, arena, name);
        lua_settop(L, top + 2);
    }
    lua_settop(L, top - 1);
    qsort(parts, count, sizeof *parts, by_bytes);
    for (size_t i = 0; i < count; i++) text = tl_arena_printf(arena, "%s%s%s", text, i ? "," : "", parts[i]);
    return text;
}

/* The kind at index 2: a text, or an object with apiVersion and kind. */
tl_kind_ref tl_lua_k8s_kind(lua_State *L, tl_arena *arena)
{
    tl_kind_ref ref = {0};
    tl_error err = {0};
    int rc;
    if (lua_istable(L, 2)) {
        const char *api_version = tl_opt_string(L, 2, "apiVersion", NULL), *kind = tl_opt_string(L, 2, "kind", NULL);
        if (!api_version || !kind) tl_raisef(L, "usage", "the object has no apiVersion or no kind");
        rc = tl_kind_of_object(arena, api_version, kind, &ref, &err);
    } else {
        rc = tl_kind_parse(arena, luaL_checkstring(L, 2), &ref, &err);
    }
    if (rc) tl_raise(L, &err);
    return ref;
}

void tl_lua_k8s_query(tl_k8s_operation *op, const char *key, const char *value)
{
    if (!value) return;
    if (op->query.len) tl_buf_addc(&op->query, '&');
    tl_buf_addf(&op->query, "%s=", key);
    tl_k8s_escape(&op->query, value);
}

/* The value at `index` as JSON text in the arena. Bodies may hold secrets: sending them is what they are for. */
void tl_lua_k8s_body(lua_State *L, tl_k8s_operation *op, int index, tl_arena *arena, const char *content_type)
{
    tl_error err = {0};
    tl_value value;
    tl_buf text = TL_BUF_INIT(BODY_LIMIT);
    int rc = tl_to_value(L, index, arena, TL_SECRETS_REVEAL, &value, &err) || tl_json_write(&text, value, NULL, &err);
    if (!rc) op->verb.body = tl_arena_strndup(arena, text.data, text.len);
    op->verb.body_len = text.len;
    op->verb.content_type = content_type;
    tl_buf_dispose(&text);
    if (rc) tl_raise(L, &err);
}
