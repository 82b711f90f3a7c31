/* Module k8s: the Kubernetes API. This file has the module's functions and the client object. */
#include "lua/k8s.h"

#include <stdlib.h>
#include <string.h>

#include "k8s/items_text.h"
#include "lua/buffer.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/http.h"

typedef struct client {
    tl_k8s *k8s;
} client;

#define ITEMS_LIMIT ((size_t)1 << 30)

int luaopen_k8s(lua_State *L);

tl_k8s *tl_lua_k8s_check(lua_State *L)
{
    client *self = luaL_checkudata(L, 1, TL_K8S_CLIENT);
    if (!self->k8s || tl_k8s_closed(self->k8s)) tl_raisef(L, "closed", "the Kubernetes client is closed");
    return self->k8s;
}

/* Watches and logs hold the client's userdata, so it is freed after them. */
static int l_gc(lua_State *L)
{
    client *self = luaL_checkudata(L, 1, TL_K8S_CLIENT);
    tl_k8s_free(self->k8s);
    self->k8s = NULL;
    return 0;
}

static int l_close(lua_State *L)
{
    client *self = luaL_checkudata(L, 1, TL_K8S_CLIENT);
    if (self->k8s) tl_k8s_close(self->k8s);
    return 0;
}

#define MOST_GROUPS 256

/* The list of strings in a field; the names stay valid while the table holds them. */
static void opt_names(lua_State *L, const char *name, const char **names)
{
    size_t count = 0;
    if (lua_istable(L, 1) && lua_getfield(L, 1, name) == LUA_TTABLE) {
        lua_Integer length = luaL_len(L, -1);
        if (length > MOST_GROUPS) luaL_argerror(L, 1, "too many groups");
        for (lua_Integer i = 1; i <= length; i++) {
            lua_rawgeti(L, -1, i);
            if (lua_type(L, -1) != LUA_TSTRING) luaL_argerror(L, 1, "groups are strings");
            names[count++] = lua_tostring(L, -1);
            lua_pop(L, 1);
        }
    }
    names[count] = NULL;
}

static int l_connect(lua_State *L)
{
    const char *groups[MOST_GROUPS + 1];
    lua_settop(L, 1);
    if (!lua_isnil(L, 1)) luaL_checktype(L, 1, LUA_TTABLE);
    opt_names(L, "as_groups", groups);
    tl_error err = {0};
    client *self = lua_newuserdatauv(L, sizeof *self, 0);
    self->k8s = NULL;
    luaL_setmetatable(L, TL_K8S_CLIENT);
    const tl_k8s_options options = {.loop = tl_lua_loop(L),
                                    .net = tl_lua_net(L),
                                    .kubeconfig = tl_opt_string(L, 1, "kubeconfig", NULL),
                                    .choice = {.context = tl_opt_string(L, 1, "context", NULL),
                                               .cluster = tl_opt_string(L, 1, "cluster", NULL),
                                               .user = tl_opt_string(L, 1, "user", NULL)},
                                    .namespace = tl_opt_string(L, 1, "namespace", NULL),
                                    .override = {.server = tl_opt_string(L, 1, "server", NULL),
                                                 .ca_pem = tl_opt_string(L, 1, "ca", NULL),
                                                 .server_name = tl_opt_string(L, 1, "server_name", NULL),
                                                 .cert_pem = tl_opt_string(L, 1, "cert", NULL),
                                                 .key_pem = tl_opt_string(L, 1, "key", NULL),
                                                 .token = tl_opt_string(L, 1, "token", NULL),
                                                 .username = tl_opt_string(L, 1, "username", NULL),
                                                 .password = tl_opt_string(L, 1, "password", NULL),
                                                 .as = tl_opt_string(L, 1, "as", NULL),
                                                 .as_uid = tl_opt_string(L, 1, "as_uid", NULL),
                                                 .as_groups = groups,
                                                 .insecure = tl_opt_bool(L, 1, "insecure", 0)},
                                    .user_agent = tl_opt_string(L, 1, "user_agent", NULL),
                                    .timeout_ms = tl_opt_ms(L, 1, "timeout", 0),
                                    .trace = tl_opt_bool(L, 1, "trace", 0)};
    self->k8s = tl_k8s_new(&options, &err);
    return self->k8s ? 1 : tl_raise(L, &err);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
    if (!text) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

/* A kubeconfig owned by a userdata, so that a raised error frees it. */
static int l_config_gc(lua_State *L)
{
    tl_kubeconfig **config = lua_touserdata(L, 1);
    tl_kubeconfig_free(*config);
    *config = NULL;
    return 0;
}

static int l_contexts(lua_State *L)
{
    lua_settop(L, 1);
    tl_error err = {0};
    const tl_kubeconfig_options options = {.path = tl_opt_string(L, 1, "kubeconfig", NULL)};
    tl_kubeconfig **config = lua_newuserdatauv(L, sizeof *config, 0);
    *config = NULL;
    tl_new_type(L, "todo.k8s.Kubeconfig", NULL, l_config_gc);
    luaL_setmetatable(L, "todo.k8s.Kubeconfig");
    *config = tl_kubeconfig_load(&options, &err);
    if (!*config) return tl_raise(L, &err);
    size_t count;
    const char *const *names = tl_kubeconfig_contexts(*config, &count);
    const char *current = tl_kubeconfig_current(*config);
    lua_newtable(L);
    tl_mark_list(L, -1);
    for (size_t i = 0; i < count; i++) {
        tl_kube_target target;
        tl_kubeconfig_describe(*config, names[i], &target);
        lua_newtable(L);
        set_text(L, "name", target.context);
        set_text(L, "cluster", target.cluster);
        set_text(L, "user", target.user);
        set_text(L, "namespace", target.namespace);
        set_text(L, "server", target.server);
        set_text(L, "ca_sha256", target.ca_sha256);
        lua_pushboolean(L, current && strcmp(current, names[i]) == 0);
        lua_setfield(L, -2, "current");
        lua_seti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_items_text(lua_State *L)
{
    size_t length;
    tl_items_page page;
    const char *text = luaL_checklstring(L, 1, &length);
    luaL_checktype(L, 2, LUA_TTABLE);
    const tl_items_text options = {.api_version = tl_opt_string(L, 2, "api_version", ""),
                                   .kind = tl_opt_string(L, 2, "kind", ""),
                                   .managed_fields = tl_opt_bool(L, 2, "managed_fields", 0)};
    tl_error err = {0};
    tl_buf *out = tl_push_buf(L, ITEMS_LIMIT);
    if (tl_k8s_items_text(text, length, &options, out, &page, &err)) return tl_raise(L, &err);
    lua_pushlstring(L, out->data, out->len);
    tl_buf_dispose(out);
    lua_pushinteger(L, (lua_Integer)page.count);
    lua_pushstring(L, page.more);
    free(page.more);
    return 3;
}

static int l_pin(lua_State *L)
{
    tl_k8s *k8s = tl_lua_k8s_check(L);
    tl_error err = {0};
    if (tl_k8s_pin(k8s, luaL_checkstring(L, 2), &err)) return tl_raise(L, &err);
    return 0;
}

static int l_read_only(lua_State *L)
{
    tl_k8s *k8s = tl_lua_k8s_check(L);
    tl_k8s_read_only(k8s, luaL_checkstring(L, 2));
    return 0;
}

/* Fields that tell where the client points; everything else is a method (upvalue 1). */
static int l_index(lua_State *L)
{
    client *self = luaL_checkudata(L, 1, TL_K8S_CLIENT);
    const char *key = luaL_checkstring(L, 2);
    lua_pushvalue(L, 2);
    if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL || !self->k8s) return 1;
    const tl_kube_target *target = tl_k8s_target(self->k8s);
    if (strcmp(key, "context") == 0)
        lua_pushstring(L, target->context);
    else if (strcmp(key, "namespace") == 0)
        lua_pushstring(L, tl_k8s_namespace(self->k8s));
    else if (strcmp(key, "server") == 0)
        lua_pushstring(L, target->server);
    else if (strcmp(key, "ca_sha256") == 0)
        lua_pushstring(L, target->ca_sha256);
    return 1;
}

static int l_tostring(lua_State *L)
{
    client *self = luaL_checkudata(L, 1, TL_K8S_CLIENT);
    if (!self->k8s || tl_k8s_closed(self->k8s))
        lua_pushliteral(L, "k8s client (closed)");
    else
        lua_pushfstring(L, "k8s client of %s (%s)", tl_k8s_target(self->k8s)->context,
                        tl_k8s_target(self->k8s)->server);
    return 1;
}

static void new_client_type(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"pin", l_pin},
        {"read_only", l_read_only},
        {"close", l_close},
        {NULL, NULL},
    };
    static const luaL_Reg meta[] = {
        {"__gc", l_gc},
        {"__close", l_close},
        {"__tostring", l_tostring},
        {NULL, NULL},
    };
    if (!luaL_newmetatable(L, TL_K8S_CLIENT)) {
        lua_pop(L, 1);
        return;
    }
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    tl_lua_k8s_verbs(L);
    tl_lua_k8s_raw(L);
    tl_lua_k8s_streams(L);
    tl_lua_k8s_remote(L);
    tl_lua_k8s_cache(L);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int luaopen_k8s(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"connect", l_connect},
        {"contexts", l_contexts}, {"items_text", l_items_text},
        {NULL, NULL},
    };
    new_client_type(L);
    luaL_newlib(L, functions);
    return 1;
}
