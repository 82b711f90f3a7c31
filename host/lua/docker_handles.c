/* Handles of module docker for what goes on for long: transfers with progress, hijacked streams. */
#include <string.h>

#include "docker/hijack.h"
#include "docker/transfer.h"
#include "lua/await.h"
#include "lua/convert.h"
#include "lua/docker.h"
#include "lua/error.h"
#include "lua/http.h"

#define TRANSFER_TYPE "todo.docker.Transfer"
#define HIJACK_TYPE "todo.docker.Hijack"
#define MOST_HELD ((size_t)256 << 10)

/* Transfers. */

typedef struct transfer {
    tl_transfer *transfer;
    tl_wait wait;
} transfer;

static int l_release_transfer(lua_State *L)
{
    transfer *t = lua_touserdata(L, 1);
    tl_transfer_free(t->transfer);
    t->transfer = NULL;
    tl_wake(&t->wait);
    return 0;
}

static int l_close_transfer(lua_State *L)
{
    luaL_checkudata(L, 1, TRANSFER_TYPE);
    return l_release_transfer(L);
}

static void cancel_transfer(tl_wait *wait)
{
    tl_transfer_cancel(((transfer *)wait->data)->transfer);
}

static void on_change(tl_transfer *changed, void *data)
{
    (void)changed;
    tl_wake(&((transfer *)data)->wait);
}

/* The field of the context's table that maps names to bytes, which stay the table's: secrets are copied no further. */
static const tl_named_bytes *read_named(lua_State *L, int index, const char *field, tl_arena *arena, size_t *count)
{
    tl_named_bytes *list = NULL;
    size_t cap = 0;
    *count = 0;
    if (lua_getfield(L, index, field) == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
                tl_raisef(L, "usage", "option %s: name to bytes expected", field);
            if (*count == cap) {
                size_t more = cap ? cap * 2 : 4;
                list = tl_arena_grow(arena, list, cap * sizeof *list, more * sizeof *list);
                cap = more;
            }
            list[(*count)++] = (tl_named_bytes){lua_tostring(L, -2), lua_tostring(L, -1), lua_rawlen(L, -1)};
        }
    }
    lua_pop(L, 1);
    return list;
}

/* Of the table at `index`: dir, dockerfile, ignore_file, extra_files. */
static tl_context *open_context(lua_State *L, int index, int dockerfile_apart)
{
    tl_error err = {0};
    tl_arena *arena = tl_push_arena(L, 0);
    tl_context_options o = {.dir = tl_opt_string(L, index, "dir", "."), .dockerfile_apart = dockerfile_apart};
    o.dockerfile = tl_opt_string(L, index, "dockerfile", NULL);
    o.ignore_file = tl_opt_string(L, index, "ignore_file", NULL);
    o.files = read_named(L, index, "extra_files", arena, &o.file_count);
    tl_context *context = tl_context_open(&o, &err);
    if (!context) tl_raise(L, &err);
    return context;
}

/* The field `context` of the options: { dir, dockerfile, ignore_file, extra_files, buildkit, secrets, agent }. Adds the Dockerfile's
 * name and the builder to the query. What is pushed has to stay until the transfer has started. */
static void add_context(lua_State *L, int options, tl_buf *path, tl_transfer_options *o, tl_session_options *session)
{
    if (lua_getfield(L, options, "context") != LUA_TTABLE) return;
    int index = lua_gettop(L), buildkit = tl_opt_bool(L, index, "buildkit", 0);
    tl_arena *arena = tl_push_arena(L, 0);
    if (buildkit) {
        session->secrets = read_named(L, index, "secrets", arena, &session->secret_count);
        session->agent = tl_opt_string(L, index, "agent", NULL);
    }
    tl_context *context = open_context(L, index, buildkit);
    tl_buf_addf(path, "%cversion=%d", strchr(path->data, '?') ? '&' : '?', buildkit ? 2 : 1);
    const char *name = tl_context_dockerfile(context);
    if (name) tl_buf_adds(path, "&dockerfile=");
    for (; name && *name; name++) tl_buf_addf(path, "%%%02X", (unsigned char)*name);
    session->context = o->context = context;
    if (buildkit) o->session = session;
}

/* transfer(path, options): query, context or file, content_type, auth */
int tl_docker_l_transfer(lua_State *L)
{
    tl_error err = {0};
    tl_engine *engine = tl_docker_check(L);
    lua_settop(L, 3);
    luaL_checktype(L, 3, LUA_TTABLE);
    tl_buf *path = tl_docker_push_buf(L);
    tl_docker_path(L, 2, 3, path);
    tl_session_options session = {0};
    tl_transfer_options o = {.on_change = on_change, .auth = tl_docker_auth(L, 3)};
    o.file = tl_opt_string(L, 3, "file", NULL);
    o.content_type = tl_opt_string(L, 3, "content_type", NULL);
    tl_net *net = tl_lua_net(L);
    transfer *t = lua_newuserdatauv(L, sizeof *t, 0);
    memset(t, 0, sizeof *t);
    luaL_setmetatable(L, TRANSFER_TYPE);
    t->wait.on_cancel = cancel_transfer;
    t->wait.data = o.data = t;
    int index = lua_gettop(L);
    add_context(L, 3, path, &o, &session);
    o.path = path->data;
    t->transfer = tl_transfer_start(net, engine, &o, &err);
    if (!t->transfer) return tl_raise(L, &err);
    lua_settop(L, index);
    return 1;
}

static void push_event(lua_State *L, const tl_transfer_event *event)
{
    static const char *const names[] = {[TL_TRANSFER_SENT] = "context", [TL_TRANSFER_STEP] = "step",
                                        [TL_TRANSFER_OUTPUT] = "output", [TL_TRANSFER_PULL] = "pull"};
    lua_createtable(L, 0, 6);
    lua_pushstring(L, names[event->kind]);
    lua_setfield(L, -2, "stream");
    lua_pushstring(L, event->text);
    lua_setfield(L, -2, "text");
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"step", event->step}, {"steps", event->steps}, {"bytes", event->bytes}, {"total", event->total}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!numbers[i].value) continue;
        lua_pushinteger(L, numbers[i].value);
        lua_setfield(L, -2, numbers[i].name);
    }
}

static int raise_failure(lua_State *L, const tl_progress *progress, tl_error *err)
{
    const char *tail = tl_progress_tail(progress);
    tl_push_error(L, err);
    if (*tail) {
        lua_pushstring(L, tail);
        lua_setfield(L, -2, "output");
    }
    return lua_error(L);
}

static int k_next(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    tl_error err = {0};
    transfer *t = lua_touserdata(L, 1);
    if (!t->transfer) return 0; /* closed while it was waited for */
    tl_transfer_event *event = tl_transfer_next(t->transfer);
    if (event) {
        push_event(L, event);
        tl_transfer_event_free(event);
        return 1;
    }
    if (!tl_transfer_ended(t->transfer)) {
        t->wait.woken = 0;
        return tl_await(L, &t->wait, 0, k_next);
    }
    if (tl_transfer_result(t->transfer, &err) == 0) return 0;
    return raise_failure(L, tl_transfer_progress(t->transfer), &err);
}

static transfer *check_transfer(lua_State *L)
{
    transfer *t = luaL_checkudata(L, 1, TRANSFER_TYPE);
    lua_settop(L, 1);
    if (!t->transfer) tl_raisef(L, "closed", "the transfer is closed");
    return t;
}

static int l_next(lua_State *L)
{
    transfer *t = check_transfer(L);
    if (t->wait.task) return tl_raisef(L, "usage", "another task waits for this transfer already");
    return k_next(L, LUA_OK, 0);
}

/* result(): { id, cached, loaded } after the last event */
static int l_result(lua_State *L)
{
    const tl_progress *p = tl_transfer_progress(check_transfer(L)->transfer);
    size_t count;
    const char *const *loaded = tl_progress_loaded(p, &count);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, tl_progress_id(p));
    lua_setfield(L, -2, "id");
    lua_pushboolean(L, tl_progress_cached(p));
    lua_setfield(L, -2, "cached");
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, loaded[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "loaded");
    return 1;
}

/* Hijacked streams. */

typedef struct hijack {
    tl_hijack *hijack;
    tl_wait read_wait, write_wait;
    tl_buf held[2]; /* standard output, standard error */
    int paused;
} hijack;

static int l_release_hijack(lua_State *L)
{
    hijack *h = lua_touserdata(L, 1);
    tl_hijack_free(h->hijack);
    h->hijack = NULL;
    for (int i = 0; i < 2; i++) tl_buf_dispose(&h->held[i]);
    tl_wake(&h->read_wait);
    tl_wake(&h->write_wait);
    return 0;
}

static int l_close_hijack(lua_State *L)
{
    luaL_checkudata(L, 1, HIJACK_TYPE);
    return l_release_hijack(L);
}

static void cancel_hijack(tl_wait *wait)
{
    hijack *h = wait->data;
    tl_hijack_free(h->hijack);
    h->hijack = NULL;
}

static void on_output(tl_hijack *stream, int number, const char *bytes, size_t length, void *data)
{
    hijack *h = data;
    tl_buf_add(&h->held[number - 1], bytes, length);
    if (h->held[0].len + h->held[1].len > MOST_HELD && !h->paused) {
        h->paused = 1;
        tl_hijack_pause(stream, 1);
    }
    tl_wake(&h->read_wait);
}

static void on_hijack_change(tl_hijack *stream, void *data)
{
    hijack *h = data;
    if (tl_hijack_ended(stream)) tl_wake(&h->read_wait);
    if (tl_hijack_ended(stream) || tl_hijack_unsent(stream) < MOST_HELD) tl_wake(&h->write_wait);
}

/* hijack(path, options): body, tty */
int tl_docker_l_hijack(lua_State *L)
{
    tl_error err = {0};
    tl_engine *engine = tl_docker_check(L);
    lua_settop(L, 3);
    tl_buf *path = tl_docker_push_buf(L), *body = tl_docker_push_buf(L);
    tl_docker_path(L, 2, 3, path);
    if (!tl_docker_body(L, 3, body)) tl_buf_adds(body, "{}");
    tl_net *net = tl_lua_net(L);
    hijack *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    for (int i = 0; i < 2; i++) tl_buf_init(&h->held[i], SIZE_MAX);
    luaL_setmetatable(L, HIJACK_TYPE);
    h->read_wait.on_cancel = h->write_wait.on_cancel = cancel_hijack;
    h->read_wait.data = h->write_wait.data = h;
    tl_hijack_options o = {.path = path->data, .body = body->data, .body_len = body->len, .on_output = on_output,
                           .on_change = on_hijack_change, .data = h, .tty = tl_opt_bool(L, 3, "tty", 0)};
    h->hijack = tl_hijack_start(net, engine, &o, &err);
    return h->hijack ? 1 : tl_raise(L, &err);
}

static hijack *check_hijack(lua_State *L)
{
    hijack *h = luaL_checkudata(L, 1, HIJACK_TYPE);
    if (!h->hijack) tl_raisef(L, "closed", "the stream is closed");
    return h;
}

static int k_read(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    tl_error err = {0};
    hijack *h = lua_touserdata(L, 1);
    if (!h->hijack) return 0;
    for (int i = 0; i < 2; i++) {
        if (!h->held[i].len) continue;
        lua_pushlstring(L, h->held[i].data, h->held[i].len);
        lua_pushstring(L, i ? "stderr" : "stdout");
        tl_buf_clear(&h->held[i]);
        if (h->paused) tl_hijack_pause(h->hijack, 0);
        h->paused = 0;
        return 2;
    }
    if (!tl_hijack_ended(h->hijack)) {
        h->read_wait.woken = 0;
        return tl_await(L, &h->read_wait, 0, k_read);
    }
    return tl_hijack_result(h->hijack, &err) < 0 ? tl_raise(L, &err) : 0;
}

/* read(): bytes and "stdout" or "stderr"; nil at the end */
static int l_read(lua_State *L)
{
    hijack *h = check_hijack(L);
    if (h->read_wait.task) return tl_raisef(L, "usage", "another task reads this stream already");
    lua_settop(L, 1);
    return k_read(L, LUA_OK, 0);
}

static int k_write(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    hijack *h = lua_touserdata(L, 1);
    if (!h->hijack || tl_hijack_ended(h->hijack) || tl_hijack_unsent(h->hijack) < MOST_HELD) return 0;
    h->write_wait.woken = 0;
    return tl_await(L, &h->write_wait, 0, k_write);
}

static int l_write(lua_State *L)
{
    size_t length;
    hijack *h = check_hijack(L);
    const char *bytes = luaL_checklstring(L, 2, &length);
    if (h->write_wait.task) return tl_raisef(L, "usage", "another task writes to this stream already");
    tl_hijack_write(h->hijack, bytes, length);
    lua_settop(L, 1);
    return k_write(L, LUA_OK, 0);
}

static int l_close_input(lua_State *L)
{
    tl_hijack_close_input(check_hijack(L)->hijack);
    return 0;
}

static const luaL_Reg transfer_methods[] = {
    {"next", l_next},
    {"result", l_result},
    {"close", l_close_transfer},
    {NULL, NULL},
};

static const luaL_Reg hijack_methods[] = {
    {"read", l_read},
    {"write", l_write},
    {"close_input", l_close_input},
    {"close", l_close_hijack},
    {NULL, NULL},
};

void tl_docker_handles_open(lua_State *L)
{
    tl_new_type(L, TRANSFER_TYPE, transfer_methods, l_release_transfer);
    tl_new_type(L, HIJACK_TYPE, hijack_methods, l_release_hijack);
}
