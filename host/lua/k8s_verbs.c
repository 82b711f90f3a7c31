/* Methods of the Kubernetes client that act on one kind of resource. */
#include <string.h>

#include "lua/convert.h"
#include "lua/error.h"
#include "lua/k8s.h"

#define MANAGER "todo-lua"
#define PAGE_ITEMS 500

/* ---- options ---- */

static void write_query(lua_State *L, tl_k8s_operation *op, int options)
{
    if (tl_opt_bool(L, options, "dry_run", 0)) tl_lua_k8s_query(op, "dryRun", "All");
    tl_lua_k8s_query(op, "fieldManager", tl_opt_string(L, options, "field_manager", MANAGER));
}

/* Fills what every verb takes from its options. */
static void common_options(lua_State *L, tl_k8s_operation *op, int options, tl_arena *arena)
{
    if (!lua_isnoneornil(L, options)) luaL_checktype(L, options, LUA_TTABLE);
    op->verb.namespace = tl_lua_k8s_text(L, options, "namespace", arena);
    op->verb.subresource = tl_lua_k8s_text(L, options, "subresource", arena);
    op->verb.timeout_ms = tl_opt_ms(L, options, "timeout", 0);
}

/* Name and namespace of the object at index 2; a namespace that contradicts the option is a mistake. */
static void object_place(lua_State *L, tl_k8s_operation *op, int named, tl_arena *arena)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_getfield(L, 2, "metadata") != LUA_TTABLE) tl_raisef(L, "usage", "the object has no metadata");
    int meta = lua_gettop(L);
    const char *namespace = tl_lua_k8s_text(L, meta, "namespace", arena);
    if (namespace && op->verb.namespace && strcmp(namespace, op->verb.namespace) != 0)
        tl_raisef(L, "usage", "the object's namespace \"%s\" is not the option's \"%s\"", namespace,
                  op->verb.namespace);
    if (namespace) op->verb.namespace = namespace;
    const char *name = tl_lua_k8s_text(L, meta, "name", arena);
    if (named && !name) tl_raisef(L, "usage", "the object has no metadata.name");
    if (named) op->verb.name = name;
    lua_pop(L, 1);
}

/* ---- get, list ---- */

static int k_object(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    tl_k8s_operation *op = lua_touserdata(L, (int)index);
    if (op->verb.failed) return tl_raise(L, &op->verb.error);
    size_t length;
    const char *body = tl_k8s_call_body(op->verb.call, &length);
    tl_lua_k8s_push_json(L, body, length);
    tl_lua_k8s_stop(op);
    return 1;
}

/* A 404 of the server means that the object is absent; a kind that it does not have (no status) is an error. */
static int k_get(lua_State *L, int status, lua_KContext index)
{
    tl_k8s_operation *op = lua_touserdata(L, (int)index);
    if (!op->verb.failed || op->verb.error.status != 404) return k_object(L, status, index);
    tl_lua_k8s_stop(op);
    lua_pushnil(L);
    return 1;
}

static int l_get(lua_State *L)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 4);
    tl_arena *arena = tl_push_arena(L, 0);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    op->verb.ref = tl_lua_k8s_kind(L, arena);
    op->verb.name = tl_arena_strdup(arena, luaL_checkstring(L, 3));
    common_options(L, op, 4, arena);
    tl_lua_k8s_query(op, "resourceVersion", tl_opt_string(L, 4, "resource_version", NULL));
    op->verb.query = op->query.data;
    return tl_lua_k8s_send(L, op, lua_gettop(L), k_get);
}

/* Appends the page's items to the list at `list`, with apiVersion and kind; returns the continue token or NULL (lists of
 * custom resources end with an empty one). Leaves the page's metadata on the stack. */
static const char *take_page(lua_State *L, const tl_verb *verb, int list)
{
    size_t length;
    const char *body = tl_k8s_call_body(verb->call, &length);
    const tl_k8s_resource *resource = verb->resource;
    tl_lua_k8s_push_json(L, body, length);
    int page = lua_gettop(L);
    if (lua_getfield(L, page, "items") == LUA_TTABLE) {
        lua_Integer base = luaL_len(L, list), count = luaL_len(L, -1);
        for (lua_Integer i = 1; i <= count; i++) {
            lua_geti(L, -1, i);
            lua_pushfstring(L, "%s%s%s", resource->group, *resource->group ? "/" : "", resource->version);
            lua_setfield(L, -2, "apiVersion");
            lua_pushstring(L, resource->kind);
            lua_setfield(L, -2, "kind");
            lua_seti(L, list, base + i);
        }
    }
    lua_pop(L, 1);
    if (lua_getfield(L, page, "metadata") != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    lua_remove(L, page);
    const char *more = tl_opt_string(L, -1, "continue", NULL);
    return more && *more ? more : NULL;
}

/* Stack: 1 client, 2 kind, 3 options, 4 arena, 5 items, 6 operation. Without a limit of the caller's the list is
 * fetched in pages, so that neither side holds all of it as text. */
static int k_list(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    tl_k8s_operation *op = lua_touserdata(L, (int)index);
    lua_settop(L, 6);
    if (op->verb.failed && strcmp(op->verb.error.kind, "gone") == 0 && luaL_len(L, 5) > 0) {
        lua_newtable(L); /* the pages' snapshot has expired: all at once, from the start */
        tl_mark_list(L, -1);
        lua_replace(L, 5);
        tl_verb_stop(&op->verb);
        op->verb.query = op->query.data;
        return tl_lua_k8s_send(L, op, 6, k_list);
    }
    if (op->verb.failed) return tl_raise(L, &op->verb.error);
    const char *more = take_page(L, &op->verb, 5);
    tl_verb_stop(&op->verb);
    if (!more || tl_opt_number(L, 3, "limit", 0) > 0) {
        lua_pushvalue(L, 5);
        lua_insert(L, -2);
        return 2;
    }
    tl_buf query = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&query, "%s%slimit=%d&continue=", op->query.data, op->query.len ? "&" : "", PAGE_ITEMS);
    tl_k8s_escape(&query, more);
    tl_error err = {0};
    op->verb.query = query.data;
    op->wait.woken = 0;
    int rc = tl_verb_start(tl_lua_k8s_check(L), &op->verb,
                           &err); /* the path is built before it returns: the kind is known */
    op->verb.query = NULL;
    tl_buf_dispose(&query);
    if (rc) return tl_raise(L, &err);
    lua_settop(L, 6);
    return tl_await(L, &op->wait, 6, k_list);
}

static int l_list(lua_State *L)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 3);
    tl_arena *arena = tl_push_arena(L, 0);
    lua_newtable(L);
    tl_mark_list(L, -1);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    op->verb.ref = tl_lua_k8s_kind(L, arena);
    common_options(L, op, 3, arena);
    op->verb.all_namespaces = tl_opt_bool(L, 3, "all_namespaces", 0);
    tl_lua_k8s_query(op, "labelSelector", tl_lua_k8s_selector(L, 3, "labels", arena));
    tl_lua_k8s_query(op, "fieldSelector", tl_lua_k8s_selector(L, 3, "fields", arena));
    tl_lua_k8s_query(op, "resourceVersion", tl_opt_string(L, 3, "resource_version", NULL));
    int limit = (int)tl_opt_number(L, 3, "limit", 0);
    op->verb.query = tl_arena_printf(arena, "%s%slimit=%d", op->query.data, op->query.len ? "&" : "",
                                     limit > 0 ? limit : PAGE_ITEMS);
    return tl_lua_k8s_send(L, op, 6, k_list);
}

/* ---- writes ---- */

/* Writes the object at index 2. `named`: its name is part of the path, not only where it has a subresource. */
static int write_object(lua_State *L, const char *method, int named, int apply)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 3);
    tl_arena *arena = tl_push_arena(L, 0);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    common_options(L, op, 3, arena);
    object_place(L, op, named || op->verb.subresource, arena);
    op->verb.ref = tl_lua_k8s_kind(L, arena);
    op->verb.method = method;
    tl_lua_k8s_body(L, op, 2, arena, apply ? "application/apply-patch+yaml" : NULL); /* JSON is YAML */
    write_query(L, op, 3);
    if (apply && tl_opt_bool(L, 3, "force", 0)) tl_lua_k8s_query(op, "force", "true");
    op->verb.query = op->query.data;
    return tl_lua_k8s_send(L, op, lua_gettop(L), k_object);
}

static int l_create(lua_State *L)
{
    return write_object(L, "POST", 0, 0);
}

static int l_update(lua_State *L)
{
    return write_object(L, "PUT", 1, 0);
}

static int l_apply(lua_State *L)
{
    return write_object(L, "PATCH", 1, 1);
}

static const char *patch_type(lua_State *L, int options)
{
    const char *type = tl_opt_string(L, options, "type", "merge");
    if (strcmp(type, "merge") == 0) return "application/merge-patch+json";
    if (strcmp(type, "json") == 0) return "application/json-patch+json";
    if (strcmp(type, "strategic") == 0) return "application/strategic-merge-patch+json";
    tl_raisef(L, "usage", "option type: \"merge\", \"json\" or \"strategic\" expected, got \"%s\"", type);
    return NULL;
}

static int l_patch(lua_State *L)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 5);
    luaL_checktype(L, 4, LUA_TTABLE);
    tl_arena *arena = tl_push_arena(L, 0);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    op->verb.ref = tl_lua_k8s_kind(L, arena);
    op->verb.name = tl_arena_strdup(arena, luaL_checkstring(L, 3));
    common_options(L, op, 5, arena);
    op->verb.method = "PATCH";
    tl_lua_k8s_body(L, op, 4, arena, patch_type(L, 5));
    write_query(L, op, 5);
    op->verb.query = op->query.data;
    return tl_lua_k8s_send(L, op, lua_gettop(L), k_object);
}

static int k_delete(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    tl_k8s_operation *op = lua_touserdata(L, (int)index);
    int absent = op->verb.failed && op->verb.error.status == 404;
    if (op->verb.failed && !absent) return tl_raise(L, &op->verb.error);
    tl_lua_k8s_stop(op);
    lua_pushboolean(L, !absent);
    return 1;
}

static int l_delete(lua_State *L)
{
    tl_lua_k8s_check(L);
    lua_settop(L, 4);
    tl_arena *arena = tl_push_arena(L, 0);
    tl_k8s_operation *op = tl_lua_k8s_push(L);
    op->verb.ref = tl_lua_k8s_kind(L, arena);
    op->verb.name = tl_arena_strdup(arena, luaL_checkstring(L, 3));
    common_options(L, op, 4, arena);
    op->verb.method = "DELETE";
    lua_newtable(L);
    int body = lua_gettop(L);
    lua_pushliteral(L, "DeleteOptions");
    lua_setfield(L, body, "kind");
    lua_pushliteral(L, "v1");
    lua_setfield(L, body, "apiVersion");
    lua_pushstring(L, tl_opt_string(L, 4, "propagation", "Background"));
    lua_setfield(L, body, "propagationPolicy");
    double grace = tl_opt_number(L, 4, "grace", -1);
    if (grace >= 0) {
        lua_pushinteger(L, (lua_Integer)grace);
        lua_setfield(L, body, "gracePeriodSeconds");
    }
    const char *uid = tl_opt_string(L, 4, "uid", NULL);
    if (uid) {
        lua_newtable(L);
        lua_pushstring(L, uid);
        lua_setfield(L, -2, "uid");
        lua_setfield(L, body, "preconditions");
    }
    if (tl_opt_bool(L, 4, "dry_run", 0)) { /* with a body the server does not look at the query */
        lua_createtable(L, 1, 0);
        lua_pushliteral(L, "All");
        lua_seti(L, -2, 1);
        lua_setfield(L, body, "dryRun");
    }
    tl_lua_k8s_body(L, op, body, arena, NULL);
    lua_settop(L, body - 1);
    return tl_lua_k8s_send(L, op, lua_gettop(L), k_delete);
}

void tl_lua_k8s_verbs(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"get", l_get},     {"list", l_list},   {"create", l_create}, {"update", l_update},
        {"apply", l_apply}, {"patch", l_patch}, {"delete", l_delete}, {NULL, NULL},
    };
    luaL_setfuncs(L, methods, 0);
}
