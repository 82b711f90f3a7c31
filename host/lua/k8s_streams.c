/* Methods of the Kubernetes client that go on for long: watches and logs. */
#include <string.h>

#include "k8s/logs.h"
#include "k8s/watch.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/k8s.h"

#define WATCH_TYPE "todo.k8s.Watch"
#define LINES_TYPE "todo.k8s.Lines"
#define TEXT_LIMIT ((size_t)64 << 20)
#define LINE_LIMIT ((size_t)1 << 20)
#define BATCH ((size_t)64 << 10) /* so that other tasks have their turn */

/* ---- watch ---- */

typedef struct watch {
    tl_k8s_watch *watch; /* NULL once closed */
    tl_wait wait;
    tl_timer timer;
    int late;
    tl_k8s_event event; /* the one that is being handed over */
} watch;

static void on_event(tl_k8s_watch *of, void *data)
{
    (void)of;
    tl_wake(&((watch *)data)->wait);
}

static void on_late(tl_timer *timer)
{
    watch *self = timer->data;
    self->late = 1;
    tl_wake(&self->wait);
}

static void cancel_next(tl_wait *wait)
{
    tl_timer_stop(&((watch *)wait->data)->timer);
}

static void drop_event(watch *self)
{
    if (self->event.doc) tl_doc_drop(self->event.doc);
    self->event.doc = NULL;
}

/* A task that waits for the next event gets nil. */
static int l_watch_close(lua_State *L)
{
    watch *self = luaL_checkudata(L, 1, WATCH_TYPE);
    tl_timer_stop(&self->timer);
    tl_k8s_watch_free(self->watch);
    self->watch = NULL;
    drop_event(self);
    tl_wake(&self->wait);
    return 0;
}

static int l_watch_gc(lua_State *L)
{
    watch *self = luaL_checkudata(L, 1, WATCH_TYPE);
    l_watch_close(L);
    tl_wait_stop(&self->wait);
    return 0;
}

static int k_watch_next(lua_State *L, int status, lua_KContext context);

/* Hands over an event, or waits for one. The context is 1 where a time limit runs. */
static int take_event(lua_State *L, watch *self, lua_KContext timed)
{
    tl_error err = {0};
    if (!self->watch) return 0;
    int rc = tl_k8s_watch_next(self->watch, &self->event, &err);
    if (rc == 0 && !self->late) {
        self->wait.woken = 0;
        return tl_await(L, &self->wait, timed, k_watch_next);
    }
    tl_timer_stop(&self->timer);
    if (rc < 0) return tl_raise(L, &err);
    if (rc == 0) return tl_raisef(L, "timeout", "the watch brought no event in time");
    lua_createtable(L, 0, 2);
    lua_pushstring(L, self->event.type);
    lua_setfield(L, -2, "type");
    tl_push_value(L, self->event.object);
    lua_setfield(L, -2, "object");
    drop_event(self);
    return 1;
}

static int k_watch_next(lua_State *L, int status, lua_KContext timed)
{
    (void)status;
    return take_event(L, lua_touserdata(L, 1), timed);
}

static int l_watch_next(lua_State *L)
{
    watch *self = luaL_checkudata(L, 1, WATCH_TYPE);
    lua_settop(L, 2);
    if (self->wait.task) return tl_raisef(L, "usage", "another task waits for this watch already");
    self->late = 0;
    if (!lua_isnil(L, 2) && self->watch) tl_timer_start(tl_lua_loop(L), &self->timer, tl_check_ms(L, 2));
    return take_event(L, self, 0);
}

/* for event in watch: the generic for passes its state and control, which are no timeout. */
static int l_watch_call(lua_State *L)
{
    lua_settop(L, 1);
    return l_watch_next(L);
}

static int l_watch(lua_State *L)
{
    tl_k8s *k8s = tl_lua_k8s_check(L);
    lua_settop(L, 3);
    if (!lua_isnil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
    tl_error err = {0};
    tl_arena *arena = tl_push_arena(L, 0);
    watch *self = lua_newuserdatauv(L, sizeof *self, 1);
    memset(self, 0, sizeof *self);
    self->timer.on_due = on_late;
    self->timer.data = self->wait.data = self;
    self->wait.on_cancel = cancel_next;
    luaL_setmetatable(L, WATCH_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    const tl_k8s_watch_options options = {.kind = tl_lua_k8s_kind(L, arena),
                                          .namespace = tl_lua_k8s_text(L, 3, "namespace", arena),
                                          .all_namespaces = tl_opt_bool(L, 3, "all_namespaces", 0),
                                          .labels = tl_lua_k8s_selector(L, 3, "labels", arena),
                                          .fields = tl_lua_k8s_selector(L, 3, "fields", arena),
                                          .resource_version = tl_lua_k8s_text(L, 3, "resource_version", arena),
                                          .accept = tl_lua_k8s_text(L, 3, "accept", arena),
                                          .managed_fields = tl_opt_bool(L, 3, "managed_fields", 0),
                                          .bookmarks = tl_opt_bool(L, 3, "bookmarks", 0),
                                          .on_ready = on_event,
                                          .data = self};
    self->watch = tl_k8s_watch_start(k8s, &options, &err);
    return self->watch ? 1 : tl_raise(L, &err);
}

/* ---- logs ---- */

typedef struct lines {
    tl_k8s_logs *logs; /* NULL once closed */
    tl_wait wait;
    size_t seen; /* bytes that hold no line end yet */
} lines;

static void on_bytes(tl_k8s_logs *logs, void *data)
{
    (void)logs;
    tl_wake(&((lines *)data)->wait);
}

static int l_lines_close(lua_State *L)
{
    lines *self = luaL_checkudata(L, 1, LINES_TYPE);
    tl_k8s_logs_free(self->logs);
    self->logs = NULL;
    tl_wake(&self->wait);
    return 0;
}

static int l_lines_gc(lua_State *L)
{
    lines *self = luaL_checkudata(L, 1, LINES_TYPE);
    l_lines_close(L);
    tl_wait_stop(&self->wait);
    return 0;
}

/* Looks for the end of the first line in what has come: 1 and its size (without the newline, which is there where
 * *ended), 0 where more must come, 2 at the end of the log, -1. */
static int find_line(lines *self, const char **bytes, size_t *size, int *ended, tl_error *err)
{
    size_t length;
    for (;;) {
        int rc = tl_k8s_logs_peek(self->logs, self->seen, bytes, &length, err);
        if (rc <= 0) return rc;
        const char *newline = length > self->seen ? memchr(*bytes + self->seen, '\n', length - self->seen) : NULL;
        *ended = newline != NULL;
        *size = newline ? (size_t)(newline - *bytes) : length < LINE_LIMIT ? length : LINE_LIMIT;
        if (newline || length >= LINE_LIMIT) return 1;
        if (rc == 2) return length ? 1 : 2;
        if (length == self->seen) return 1; /* the log has failed: what it still brought comes first */
        self->seen = length;
    }
}

static int k_lines_next(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lines *self = lua_touserdata(L, 1);
    const char *bytes;
    size_t size;
    int ended;
    tl_error err = {0};
    if (!self->logs) return 0;
    int rc = find_line(self, &bytes, &size, &ended, &err);
    if (rc < 0) return tl_raise(L, &err);
    if (rc == 0) {
        self->wait.woken = 0;
        return tl_await(L, &self->wait, 0, k_lines_next);
    }
    self->seen = 0;
    if (rc == 2) return 0;
    lua_pushlstring(L, bytes, size);
    tl_k8s_logs_consume(self->logs, size + ended);
    return 1;
}

static lines *check_lines(lua_State *L)
{
    lines *self = luaL_checkudata(L, 1, LINES_TYPE);
    lua_settop(L, 1);
    if (self->wait.task) tl_raisef(L, "usage", "another task waits for this log already");
    self->seen = 0;
    return self;
}

static int l_lines_next(lua_State *L)
{
    check_lines(L);
    return k_lines_next(L, LUA_OK, 0);
}

/* How much of the bytes is given out at once: whole lines where one ends among them. */
static size_t batch_size(const char *bytes, size_t length)
{
    if (length <= BATCH) return length;
    const char *newline = memrchr(bytes, '\n', BATCH);
    return newline ? (size_t)(newline - bytes) + 1 : BATCH;
}

static int k_lines_read(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lines *self = lua_touserdata(L, 1);
    const char *bytes;
    size_t length;
    tl_error err = {0};
    if (!self->logs) return 0;
    int rc = tl_k8s_logs_peek(self->logs, 0, &bytes, &length, &err);
    if (rc < 0) return tl_raise(L, &err);
    if (rc == 0) {
        self->wait.woken = 0;
        return tl_await(L, &self->wait, 0, k_lines_read);
    }
    if (rc == 2 && !length) return 0;
    size_t size = batch_size(bytes, length);
    lua_pushlstring(L, bytes, size);
    tl_k8s_logs_consume(self->logs, size);
    return 1;
}

static int l_lines_read(lua_State *L)
{
    check_lines(L);
    return k_lines_read(L, LUA_OK, 0);
}

static int l_lines_gaps(lua_State *L)
{
    lines *self = luaL_checkudata(L, 1, LINES_TYPE);
    lua_pushinteger(L, self->logs ? (lua_Integer)tl_k8s_logs_gaps(self->logs) : 0);
    return 1;
}

/* Stack: 1 lines, 2 a table of the pieces so far, joined at the end; the context is their size. */
static int k_lines_text(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    lines *self = lua_touserdata(L, 1);
    size_t sum = (size_t)context;
    for (int rc = 1; rc != 2;) {
        const char *bytes;
        size_t length;
        tl_error err = {0};
        if (!self->logs) break;
        rc = tl_k8s_logs_peek(self->logs, 0, &bytes, &length, &err);
        if (rc < 0) return tl_raise(L, &err);
        if (rc == 0) {
            self->wait.woken = 0;
            return tl_await(L, &self->wait, (lua_KContext)sum, k_lines_text);
        }
        sum += length;
        if (sum > TEXT_LIMIT) return tl_raisef(L, "too_large", "the log has more than %d MiB", (int)(TEXT_LIMIT >> 20));
        lua_pushlstring(L, bytes, length);
        lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
        tl_k8s_logs_consume(self->logs, length);
    }
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, 2); i <= n; i++) {
        lua_rawgeti(L, 2, i);
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    return 1;
}

static int l_lines_text(lua_State *L)
{
    check_lines(L);
    lua_newtable(L);
    return k_lines_text(L, LUA_OK, 0);
}

static int l_logs(lua_State *L)
{
    tl_k8s *k8s = tl_lua_k8s_check(L);
    lua_settop(L, 3);
    const char *pod = luaL_checkstring(L, 2);
    if (!lua_isnil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
    tl_error err = {0};
    lines *self = lua_newuserdatauv(L, sizeof *self, 1);
    memset(self, 0, sizeof *self);
    luaL_setmetatable(L, LINES_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    const tl_k8s_logs_options options = {.pod = pod,
                                         .namespace = tl_opt_string(L, 3, "namespace", NULL),
                                         .container = tl_opt_string(L, 3, "container", NULL),
                                         .follow = tl_opt_bool(L, 3, "follow", 0),
                                         .previous = tl_opt_bool(L, 3, "previous", 0),
                                         .timestamps = tl_opt_bool(L, 3, "timestamps", 0),
                                         .tail = (int64_t)tl_opt_number(L, 3, "tail", -1),
                                         .since_s = (tl_opt_ms(L, 3, "since", 0) + 999) / 1000,
                                         .since_time = tl_opt_string(L, 3, "since_time", NULL),
                                         .prefix = tl_opt_string(L, 3, "prefix", NULL),
                                         .limit = (int64_t)tl_opt_number(L, 3, "limit_bytes", 0),
                                         .on_ready = on_bytes,
                                         .data = self};
    self->logs = tl_k8s_logs_start(k8s, &options, &err);
    return self->logs ? 1 : tl_raise(L, &err);
}

void tl_lua_k8s_streams(lua_State *L)
{
    static const luaL_Reg watch_methods[] = {
        {"next", l_watch_next},
        {"close", l_watch_close},
        {NULL, NULL},
    };
    static const luaL_Reg lines_methods[] = {
        {"next", l_lines_next},
        {"read", l_lines_read},
        {"text", l_lines_text},
        {"gaps", l_lines_gaps},
        {"close", l_lines_close},
        {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"watch", l_watch},
        {"logs", l_logs},
        {NULL, NULL},
    };
    tl_new_type(L, WATCH_TYPE, watch_methods, l_watch_gc);
    tl_new_type(L, LINES_TYPE, lines_methods, l_lines_gc);
    luaL_getmetatable(L, WATCH_TYPE);
    lua_pushcfunction(L, l_watch_call);
    lua_setfield(L, -2, "__call");
    lua_pushcfunction(L, l_watch_close);
    lua_setfield(L, -2, "__close");
    luaL_getmetatable(L, LINES_TYPE);
    lua_pushcfunction(L, l_lines_next);
    lua_setfield(L, -2, "__call");
    lua_pushcfunction(L, l_lines_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 2);
    luaL_setfuncs(L, methods, 0);
}
