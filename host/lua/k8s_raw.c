/* Methods of the Kubernetes client that ask the server itself: raw requests, its version, identity and kinds. */
#include <string.h>
#include <strings.h>

#include "lua/convert.h"
#include "lua/error.h"
#include "lua/k8s.h"

static void on_call(tl_k8s_call *call, void *data)
{
    (void)call;
    tl_wake(&((tl_k8s_operation *)data)->wait);
}

static void on_lookup(tl_lookup *lookup)
{
    tl_wake(&((tl_k8s_operation *)lookup->data)->wait);
}

static int send_call(lua_State *L, tl_k8s_operation *op, tl_k8s_request *request, lua_KFunction k)
{
    tl_error err = {0};
    request->on_done = on_call;
    request->data = op;
    op->call = tl_k8s_start(tl_lua_k8s_check(L), request, &err);
    if (!op->call) return tl_raise(L, &err);
    return tl_await(L, &op->wait, lua_gettop(L), k);
}

static int k_request(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    tl_k8s_operation *op = lua_touserdata(L, (int)index);
    tl_error *failure = tl_k8s_call_error(op->call);
    if (failure) return tl_raise(L, failure);
    size_t length;
    const char *body = tl_k8s_call_body(op->call, &length);
    const char *type = tl_k8s_call_header(op->call, "content-type");
    int as_text = lua_istable(L, 4) && tl_opt_bool(L, 4, "text", 0);
    if (!as_text && type && strstr(type, "json") && length)
        tl_lua_k8s_push_json(L, body, length);
    else
        lua_pushlstring(L, body, length);
    lua_pushinteger(L, tl_k8s_call_status(op->call));
    tl_lua_k8s_stop(op);
    return 2;
}

/* Accept and Content-Type take the place of the request's own; the others are added. */
static void header_options(lua_State *L, int options, tl_arena *arena, tl_k8s_request *request, tl_header *headers,
                           size_t room)
{
    request->headers = headers;
    if (!lua_istable(L, options)) return;
    if (lua_getfield(L, options, "headers") == LUA_TTABLE)
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING || request->header_count == room)
                tl_raisef(L, "usage", "option headers: strings by name expected");
            const char *name = tl_arena_strdup(arena, lua_tostring(L, -2));
            const char *value = tl_arena_strdup(arena, luaL_checkstring(L, -1));
            if (strcasecmp(name, "content-type") == 0)
                request->content_type = value;
            else if (strcasecmp(name, "accept") == 0)
                request->accept = value;
            else
                headers[request->header_count++] = (tl_header){name, value};
        }
    lua_pop(L, 1);
}

static void query_options(lua_State *L, int options, tl_k8s_operation *op)
{
    if (!lua_istable(L, options)) return;
    if (lua_getfield(L, options, "query") == LUA_TTABLE)
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 2)) {
            if (lua_type(L, -2) != LUA_TSTRING) tl_raisef(L, "usage", "option query: strings by name expected");
            const char *value = luaL_tolstring(L, -1, NULL);
            tl_lua_k8s_query(op, lua_tostring(L, -3), value);
        }
    lua_pop(L, 1);
}

static int l_request(lua_State *L)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 4);
    tl_arena *arena = tl_push_arena(L, 0);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    tl_header headers[32];
    const char *method = luaL_checkstring(L, 2), *path = luaL_checkstring(L, 3);
    tl_k8s_request request = {.method = method, .accept = "application/json, */*"};
    header_options(L, 4, arena, &request, headers, sizeof headers / sizeof *headers);
    request.timeout_ms = tl_opt_ms(L, 4, "timeout", 0);
    query_options(L, 4, op);
    request.path = path;
    if (op->query.len)
        request.path = tl_arena_printf(arena, "%s%c%s", path, strchr(path, '?') ? '&' : '?', op->query.data);
    int body = lua_istable(L, 4) ? lua_getfield(L, 4, "body") : LUA_TNIL;
    if (body == LUA_TSTRING) {
        request.body = lua_tolstring(L, -1, &request.body_len);
    } else if (body != LUA_TNIL) {
        tl_lua_k8s_body(L, op, lua_gettop(L), arena, NULL);
        request.body = op->verb.body;
        request.body_len = op->verb.body_len;
    }
    lua_settop(L, 6);
    return send_call(L, op, &request, k_request);
}

static int k_version(lua_State *L, int status, lua_KContext index)
{
    k_request(L, status, index);
    lua_pop(L, 1);
    return 1;
}

static int l_version(lua_State *L)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 1);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    tl_k8s_request request = {.path = "/version"};
    return send_call(L, op, &request, k_version);
}

static int k_cluster_uid(lua_State *L, int status, lua_KContext index)
{
    k_request(L, status, index);
    lua_pop(L, 1);
    lua_getfield(L, -1, "metadata");
    lua_getfield(L, -1, "uid");
    return 1;
}

static int l_cluster_uid(lua_State *L)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 1);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    tl_k8s_request request = {.path = "/api/v1/namespaces/kube-system"};
    return send_call(L, op, &request, k_cluster_uid);
}

static int k_resource(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    tl_k8s_operation *op = lua_touserdata(L, (int)index);
    if (op->lookup.failed) return tl_raise(L, &op->lookup.error);
    const tl_k8s_resource *found = op->lookup.found;
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    const struct {
        const char *name, *value;
    } fields[] = {{"group", found->group},
                  {"version", found->version},
                  {"kind", found->kind},
                  {"plural", found->plural},
                  {"singular", found->singular}};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushstring(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    lua_pushboolean(L, found->namespaced);
    lua_setfield(L, -2, "namespaced");
    tl_lua_k8s_stop(op);
    return 1;
}

static int l_resource(lua_State *L)
{
    tl_k8s *k8s = tl_lua_k8s_check(L);
    lua_settop(L, 2);
    tl_arena *arena = tl_push_arena(L, 0);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    tl_error err = {0};
    op->lookup = (tl_lookup){.ref = tl_lua_k8s_kind(L, arena), .on_done = on_lookup, .data = op};
    int rc = tl_lookup_start(k8s, &op->lookup, &err);
    if (rc < 0) return tl_raise(L, &err);
    if (rc > 0) return k_resource(L, LUA_OK, lua_gettop(L));
    return tl_await(L, &op->wait, lua_gettop(L), k_resource);
}

void tl_lua_k8s_raw(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"request", l_request},   {"version", l_version}, {"cluster_uid", l_cluster_uid},
        {"resource", l_resource}, {NULL, NULL},
    };
    luaL_setfuncs(L, methods, 0);
}
