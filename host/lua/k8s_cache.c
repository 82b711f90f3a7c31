/* The Kubernetes client's method cache: a local copy of one kind's objects. */
#include <stdlib.h>
#include <string.h>

#include "k8s/cache.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/k8s.h"

#define CACHE_TYPE "todo.k8s.Cache"
#define INDEXES 16
#define PATH_KEYS 16

/* One for the task that waits for a change, one for that which waits for the first list. */
typedef struct waiter {
    tl_wait wait;
    tl_timer timer;
    int late;
} waiter;

typedef struct cache {
    tl_k8s_cache *cache; /* NULL once closed */
    waiter change, sync;
    char *namespace;      /* where names are looked up */
    tl_k8s_change taken;  /* the change that is being handed over */
    tl_text **selection;  /* the texts that are being handed over, with a reference each */
    size_t selected;
} cache;

static void on_change(tl_k8s_cache *of, void *data)
{
    cache *self = data;
    (void)of;
    tl_wake(&self->change.wait);
    tl_wake(&self->sync.wait);
}

static void on_late(tl_timer *timer)
{
    waiter *of = timer->data;
    of->late = 1;
    tl_wake(&of->wait);
}

static void cancel_wait(tl_wait *wait)
{
    tl_timer_stop(&((waiter *)wait->data)->timer);
}

static void waiter_init(waiter *of)
{
    of->timer.on_due = on_late;
    of->timer.data = of->wait.data = of;
    of->wait.on_cancel = cancel_wait;
}

static void waiter_start(lua_State *L, waiter *of, int timeout)
{
    if (of->wait.task) tl_raisef(L, "usage", "another task waits for this cache already");
    of->late = 0;
    if (!lua_isnoneornil(L, timeout)) tl_timer_start(tl_lua_loop(L), &of->timer, tl_check_ms(L, timeout));
}

/* What an error on the way to Lua left behind. */
static void drop_taken(cache *self)
{
    tl_text_drop(self->taken.object);
    tl_text_drop(self->taken.old);
    memset(&self->taken, 0, sizeof self->taken);
    for (size_t i = 0; i < self->selected; i++) tl_text_drop(self->selection[i]);
    free(self->selection);
    self->selection = NULL;
    self->selected = 0;
}

/* Tasks that wait get nil. */
static int l_close(lua_State *L)
{
    cache *self = luaL_checkudata(L, 1, CACHE_TYPE);
    tl_timer_stop(&self->change.timer);
    tl_timer_stop(&self->sync.timer);
    tl_k8s_cache_free(self->cache);
    self->cache = NULL;
    drop_taken(self);
    tl_wake(&self->change.wait);
    tl_wake(&self->sync.wait);
    return 0;
}

static int l_gc(lua_State *L)
{
    cache *self = luaL_checkudata(L, 1, CACHE_TYPE);
    l_close(L);
    free(self->namespace);
    self->namespace = NULL;
    tl_wait_stop(&self->change.wait);
    tl_wait_stop(&self->sync.wait);
    return 0;
}

/* ---- waiting ---- */

static int k_next(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    cache *self = lua_touserdata(L, 1);
    tl_error err = {0};
    if (!self->cache) return 0;
    drop_taken(self);
    int rc = tl_k8s_cache_next(self->cache, &self->taken, &err);
    if (rc == 0 && !self->change.late) {
        self->change.wait.woken = 0;
        return tl_await(L, &self->change.wait, 0, k_next);
    }
    tl_timer_stop(&self->change.timer);
    if (rc < 0) return tl_raise(L, &err);
    if (rc == 0) return tl_raisef(L, "timeout", "the cache saw no change in time");
    lua_createtable(L, 0, 3);
    lua_pushstring(L, self->taken.type);
    lua_setfield(L, -2, "type");
    tl_lua_k8s_push_json(L, self->taken.object->bytes, self->taken.object->length);
    lua_setfield(L, -2, "object");
    if (self->taken.old) {
        tl_lua_k8s_push_json(L, self->taken.old->bytes, self->taken.old->length);
        lua_setfield(L, -2, "old");
    }
    drop_taken(self);
    return 1;
}

static int l_next(lua_State *L)
{
    cache *self = luaL_checkudata(L, 1, CACHE_TYPE);
    lua_settop(L, 2);
    waiter_start(L, &self->change, 2);
    return k_next(L, LUA_OK, 0);
}

/* for change in cache: the generic for passes its state and control, which are no timeout. */
static int l_call(lua_State *L)
{
    lua_settop(L, 1);
    return l_next(L);
}

static int k_sync(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    cache *self = lua_touserdata(L, 1);
    tl_error err = {0};
    if (!self->cache) return tl_raisef(L, "closed", "the cache is closed");
    int rc = tl_k8s_cache_synced(self->cache, &err);
    if (rc == 0 && !self->sync.late) {
        self->sync.wait.woken = 0;
        return tl_await(L, &self->sync.wait, 0, k_sync);
    }
    tl_timer_stop(&self->sync.timer);
    if (rc < 0) return tl_raise(L, &err);
    if (rc == 0) return tl_raisef(L, "timeout", "the first list did not come in time");
    return 0;
}

static int l_sync(lua_State *L)
{
    cache *self = luaL_checkudata(L, 1, CACHE_TYPE);
    lua_settop(L, 2);
    waiter_start(L, &self->sync, 2);
    return k_sync(L, LUA_OK, 0);
}

/* ---- looking ---- */

static cache *check(lua_State *L)
{
    cache *self = luaL_checkudata(L, 1, CACHE_TYPE);
    if (!self->cache) tl_raisef(L, "closed", "the cache is closed");
    return self;
}

static int l_get(lua_State *L)
{
    cache *self = check(L);
    const char *name = luaL_checkstring(L, 2), *namespace = luaL_optstring(L, 3, NULL);
    const tl_store *store = tl_k8s_cache_store(self->cache);
    const tl_text *text = tl_store_get(store, namespace ? namespace : self->namespace, name);
    if (!text && !namespace) text = tl_store_get(store, "", name); /* of a kind without namespaces */
    if (!text) return 0;
    tl_lua_k8s_push_json(L, text->bytes, text->length);
    return 1;
}

/* Pushing may run the collector, and with it scripts: the texts are held meanwhile. */
static int push_selection(lua_State *L, cache *self, tl_text **texts, size_t count)
{
    drop_taken(self);
    for (size_t i = 0; i < count; i++) tl_text_keep(texts[i]);
    self->selection = texts;
    self->selected = count;
    lua_createtable(L, (int)count, 0);
    tl_mark_list(L, -1);
    for (size_t i = 0; i < self->selected; i++) {
        tl_lua_k8s_push_json(L, self->selection[i]->bytes, self->selection[i]->length);
        lua_seti(L, -2, (lua_Integer)i + 1);
    }
    drop_taken(self);
    return 1;
}

static int l_list(lua_State *L)
{
    cache *self = check(L);
    size_t count;
    tl_text **texts = tl_store_list(tl_k8s_cache_store(self->cache), luaL_optstring(L, 2, NULL), &count);
    return push_selection(L, self, texts, count);
}

static int l_by(lua_State *L)
{
    cache *self = check(L);
    const char *index = luaL_checkstring(L, 2), *value = luaL_checkstring(L, 3);
    size_t count;
    tl_text **texts = tl_store_find(tl_k8s_cache_store(self->cache), index, value, &count);
    if (!texts) return tl_raisef(L, "usage", "the cache has no index \"%s\"", index);
    return push_selection(L, self, texts, count);
}

static int l_count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)tl_store_count(tl_k8s_cache_store(check(L)->cache)));
    return 1;
}

/* ---- start ---- */

static const char *const *read_path(lua_State *L, const char *name, tl_arena *arena)
{
    lua_Integer depth = lua_istable(L, -1) ? luaL_len(L, -1) : 0;
    if (depth < 1 || depth > PATH_KEYS)
        tl_raisef(L, "usage", "option indexes: %s: a list of 1 to %d keys expected", name, PATH_KEYS);
    const char **path = tl_arena_alloc(arena, ((size_t)depth + 1) * sizeof *path);
    for (lua_Integer i = 0; i < depth; i++) {
        if (lua_geti(L, -1, i + 1) != LUA_TSTRING)
            tl_raisef(L, "usage", "option indexes: %s: a list of strings expected", name);
        path[i] = tl_arena_strdup(arena, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    path[depth] = NULL;
    return path;
}

/* indexes = { node = { "spec", "nodeName" } } */
static size_t read_indexes(lua_State *L, tl_store_index *indexes, tl_arena *arena)
{
    size_t count = 0;
    if (lua_isnil(L, 3) || lua_getfield(L, 3, "indexes") == LUA_TNIL) return 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || count == INDEXES)
            tl_raisef(L, "usage", "option indexes: at most %d, by names, expected", INDEXES);
        const char *name = tl_arena_strdup(arena, lua_tostring(L, -2));
        indexes[count++] = (tl_store_index){name, read_path(L, name, arena)};
    }
    lua_pop(L, 1);
    return count;
}

static int l_cache(lua_State *L)
{
    tl_k8s *k8s = tl_lua_k8s_check(L);
    lua_settop(L, 3);
    if (!lua_isnil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
    tl_error err = {0};
    tl_arena *arena = tl_push_arena(L, 0);
    tl_store_index indexes[INDEXES];
    tl_k8s_cache_options options = {.indexes = indexes, .on_change = on_change};
    options.index_count = read_indexes(L, indexes, arena);
    options.watch = (tl_k8s_watch_options){.kind = tl_lua_k8s_kind(L, arena),
                                           .namespace = tl_lua_k8s_text(L, 3, "namespace", arena),
                                           .all_namespaces = tl_opt_bool(L, 3, "all_namespaces", 0),
                                           .labels = tl_lua_k8s_selector(L, 3, "labels", arena),
                                           .fields = tl_lua_k8s_selector(L, 3, "fields", arena)};
    cache *self = lua_newuserdatauv(L, sizeof *self, 1);
    memset(self, 0, sizeof *self);
    waiter_init(&self->change);
    waiter_init(&self->sync);
    luaL_setmetatable(L, CACHE_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1); /* the client lives as long */
    self->namespace = tl_strdup(options.watch.namespace ? options.watch.namespace : tl_k8s_namespace(k8s));
    options.data = self;
    self->cache = tl_k8s_cache_start(k8s, &options, &err);
    return self->cache ? 1 : tl_raise(L, &err);
}

void tl_lua_k8s_cache(lua_State *L)
{
    static const luaL_Reg cache_methods[] = {
        {"sync", l_sync}, {"next", l_next},   {"get", l_get},     {"list", l_list},
        {"by", l_by},     {"count", l_count}, {"close", l_close}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"cache", l_cache}, {NULL, NULL}};
    tl_new_type(L, CACHE_TYPE, cache_methods, l_gc);
    luaL_getmetatable(L, CACHE_TYPE);
    lua_pushcfunction(L, l_call);
    lua_setfield(L, -2, "__call");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    luaL_setfuncs(L, methods, 0);
}
