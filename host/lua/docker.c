/* Module docker: a client's requests, hashes of contexts; docker_handles.c has what goes on for long,
 * lua/lib/docker.lua the engine's operations in terms of these. */
#include "lua/docker.h"

#include <string.h>

#include "base/mem.h"
#include "data/base64.h"
#include "data/digest.h"
#include "data/json.h"
#include "docker/context.h"
#include "docker/demux.h"
#include "lua/await.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/http.h"
#include "lua/program.h"

#define CLIENT_TYPE "todo.docker.Client"
#define CALL_TYPE "todo.docker.Call"
#define HASH_TYPE "todo.docker.Hash"
#define FRAMES_TYPE "todo.docker.Frames"
#define BUF_TYPE "todo.docker.Buffer"
#define TIMEOUT_MS 120000

/* Scratch that a raised error frees. */

static int l_buf_gc(lua_State *L)
{
    tl_buf_dispose(lua_touserdata(L, 1));
    return 0;
}

tl_buf *tl_docker_push_buf(lua_State *L)
{
    tl_buf *buf = lua_newuserdatauv(L, sizeof *buf, 0);
    tl_buf_init(buf, SIZE_MAX);
    luaL_setmetatable(L, BUF_TYPE);
    return buf;
}

/* Clients. User value 1 holds the fields that scripts see. */

static int l_open(lua_State *L)
{
    tl_error err = {0};
    lua_settop(L, 1);
    tl_engine_options o = {.host = tl_opt_string(L, 1, "host", NULL), .cert_path = tl_opt_string(L, 1, "cert_path", NULL)};
    o.tls_verify = tl_opt_bool(L, 1, "tls_verify", -1);
    tl_engine **slot = lua_newuserdatauv(L, sizeof *slot, 1);
    *slot = NULL;
    luaL_setmetatable(L, CLIENT_TYPE);
    *slot = tl_engine_new(&o, &err);
    if (!*slot) return tl_raise(L, &err);
    lua_createtable(L, 0, 5);
    lua_pushstring(L, tl_engine_host(*slot));
    lua_setfield(L, -2, "host");
    lua_setiuservalue(L, -2, 1);
    return 1;
}

tl_engine *tl_docker_check(lua_State *L)
{
    tl_engine **slot = luaL_checkudata(L, 1, CLIENT_TYPE);
    if (!*slot) tl_raisef(L, "closed", "the Docker client is closed");
    return *slot;
}

static int l_release_client(lua_State *L)
{
    tl_engine **slot = lua_touserdata(L, 1);
    tl_engine_free(*slot);
    *slot = NULL;
    return 0;
}

static int l_close(lua_State *L)
{
    luaL_checkudata(L, 1, CLIENT_TYPE);
    return l_release_client(L);
}

static int l_client_index(lua_State *L)
{
    luaL_checkudata(L, 1, CLIENT_TYPE);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

/* negotiate(version, fields): settles the API's version, and shows the fields to scripts. */
static int l_negotiate(lua_State *L)
{
    tl_error err = {0};
    tl_engine *engine = tl_docker_check(L);
    if (tl_engine_negotiate(engine, luaL_checkstring(L, 2), &err) < 0) return tl_raise(L, &err);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    lua_pushstring(L, tl_engine_api(engine));
    lua_setfield(L, 3, "api_version");
    lua_pushstring(L, tl_engine_host(engine));
    lua_setfield(L, 3, "host");
    lua_setiuservalue(L, 1, 1);
    return 0;
}

/* Paths and bodies. */

static void add_escaped(tl_buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~/:", c)))
            tl_buf_addc(out, (char)c);
        else
            tl_buf_addf(out, "%%%02X", c);
    }
}

/* Puts the JSON text of the map on top of the stack in its place. */
static void encode(lua_State *L)
{
    tl_error err = {0};
    tl_value value;
    tl_buf *text = tl_docker_push_buf(L);
    tl_arena *arena = tl_push_arena(L, 0);
    if (tl_to_value(L, -3, arena, TL_SECRETS_REVEAL, &value, &err) < 0 || tl_json_write(text, value, NULL, &err) < 0)
        tl_raise(L, &err);
    lua_pushlstring(L, text->data, text->len);
    lua_replace(L, -4);
    lua_pop(L, 2);
}

/* The value on top of the stack; popped. A map is sent as JSON. */
static void add_parameter(lua_State *L, const char *name, tl_buf *out, int *count)
{
    size_t length;
    if (lua_istable(L, -1)) encode(L);
    if (lua_isboolean(L, -1)) {
        lua_pushstring(L, lua_toboolean(L, -1) ? "1" : "0");
        lua_replace(L, -2);
    }
    const char *text = lua_tolstring(L, -1, &length);
    if (!text) tl_raisef(L, "usage", "query parameter %s: string, number, boolean or a list of them expected", name);
    tl_buf_addc(out, (*count)++ ? '&' : '?');
    add_escaped(out, name, strlen(name));
    tl_buf_addc(out, '=');
    add_escaped(out, text, length);
    lua_pop(L, 1);
}

void tl_docker_path(lua_State *L, int path_index, int options, tl_buf *out)
{
    const char *path = luaL_checkstring(L, path_index);
    luaL_argcheck(L, path[0] == '/', path_index, "a path that starts with / expected");
    tl_buf_adds(out, path);
    int count = strchr(path, '?') != NULL;
    if (!lua_istable(L, options)) return;
    if (lua_getfield(L, options, "query") == LUA_TTABLE) {
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            if (lua_type(L, -2) != LUA_TSTRING) tl_raisef(L, "usage", "option query: names are strings");
            const char *name = lua_tostring(L, -2);
            if (!tl_is_list(L, -1)) {
                add_parameter(L, name, out, &count);
                continue;
            }
            for (lua_Integer i = 1; lua_geti(L, -1, i) != LUA_TNIL; i++) add_parameter(L, name, out, &count);
            lua_pop(L, 2);
        }
    }
    lua_pop(L, 1);
}

int tl_docker_body(lua_State *L, int options, tl_buf *out)
{
    tl_error err = {0};
    tl_value value;
    if (!lua_istable(L, options)) return 0;
    if (lua_getfield(L, options, "body") == LUA_TNIL) {
        lua_pop(L, 1);
        return 0;
    }
    tl_arena *arena = tl_push_arena(L, 0);
    if (tl_to_value(L, -2, arena, TL_SECRETS_REVEAL, &value, &err) < 0 || tl_json_write(out, value, NULL, &err) < 0)
        tl_raise(L, &err);
    lua_pop(L, 2);
    return 1;
}

const char *tl_docker_auth(lua_State *L, int options)
{
    tl_error err = {0};
    tl_value value;
    if (lua_getfield(L, options, "auth") != LUA_TTABLE) return NULL;
    tl_arena *arena = tl_push_arena(L, 0);
    tl_buf *json = tl_docker_push_buf(L), *text = tl_docker_push_buf(L);
    if (tl_to_value(L, -4, arena, TL_SECRETS_REVEAL, &value, &err) < 0 || tl_json_write(json, value, NULL, &err) < 0)
        tl_raise(L, &err);
    tl_base64_encode(text, json->data, json->len, TL_BASE64_URL);
    return text->data; /* the buffer stays on the stack */
}

/* One request and its answer. */

typedef struct call {
    tl_http_request *request;
    tl_wait wait;
    int absent, text; /* 404 is nil; the body stays text */
} call;

static int l_release_call(lua_State *L)
{
    call *c = lua_touserdata(L, 1);
    tl_http_free(c->request);
    c->request = NULL;
    return 0;
}

static void cancel_call(tl_wait *wait)
{
    tl_http_cancel(((call *)wait->data)->request);
}

static void on_called(tl_http_request *request, void *data)
{
    (void)request;
    tl_wake(&((call *)data)->wait);
}

static int push_json(lua_State *L, const tl_buf *body)
{
    tl_error err = {0};
    tl_value value;
    tl_arena *arena = tl_push_arena(L, 0);
    const tl_json_options o = {.name = "the Docker engine's answer"};
    if (tl_json_parse(arena, body->data, body->len, &o, &value, &err) < 0) return tl_raise(L, &err);
    tl_push_value(L, value);
    return 1;
}

static int k_call(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    tl_error err = {0};
    call *c = lua_touserdata(L, (int)index);
    tl_engine *engine = tl_docker_check(L);
    if (tl_http_error(c->request)) {
        tl_engine_unreachable(engine, tl_http_error(c->request), &err);
        return tl_raise(L, &err);
    }
    int code = tl_http_status(c->request);
    const tl_buf *body = tl_http_body(c->request);
    const char *type = tl_http_header(c->request, "content-type");
    if (code == 404 && c->absent) {
        lua_pushnil(L);
    } else if (code >= 400) {
        tl_engine_refused(code, body->data, body->len, &err);
        return tl_raise(L, &err);
    } else if (!body->len) {
        lua_pushnil(L);
    } else if (c->text || !type || !strstr(type, "json")) {
        lua_pushlstring(L, body->data, body->len);
    } else {
        push_json(L, body);
    }
    lua_pushinteger(L, code);
    return 2;
}

/* call(method, path, options): body, status */
static int l_call(lua_State *L)
{
    tl_error err = {0};
    tl_engine *engine = tl_docker_check(L);
    tl_header headers[2];
    tl_http_options o = {.method = luaL_checkstring(L, 2), .on_done = on_called, .headers = headers};
    lua_settop(L, 4);
    tl_buf *path = tl_docker_push_buf(L), *body = tl_docker_push_buf(L), *url = tl_docker_push_buf(L);
    tl_docker_path(L, 3, 4, path);
    if (tl_docker_body(L, 4, body)) {
        o.body = body->data;
        o.body_len = body->len;
        headers[o.header_count++] = (tl_header){"Content-Type", "application/json"};
    }
    const char *auth = lua_istable(L, 4) ? tl_docker_auth(L, 4) : NULL;
    if (auth) headers[o.header_count++] = (tl_header){"X-Registry-Auth", auth};
    o.timeout_ms = tl_opt_ms(L, 4, "timeout", TIMEOUT_MS);
    tl_engine_aim(engine, path->data, url, &o);
    tl_net *net = tl_lua_net(L);
    call *c = lua_newuserdatauv(L, sizeof *c, 0);
    memset(c, 0, sizeof *c);
    luaL_setmetatable(L, CALL_TYPE);
    c->absent = tl_opt_bool(L, 4, "absent", 0);
    c->text = tl_opt_bool(L, 4, "text", 0);
    c->wait.on_cancel = cancel_call;
    c->wait.data = o.data = c;
    c->request = tl_http_start(net, &o, &err);
    if (!c->request) return tl_raise(L, &err);
    return tl_await(L, &c->wait, lua_gettop(L), k_call);
}

/* stream(method, path, options): a todo.http.Stream, whatever its status */
static int l_stream(lua_State *L)
{
    tl_engine *engine = tl_docker_check(L);
    tl_http_options o = {.method = luaL_checkstring(L, 2)};
    lua_settop(L, 4);
    tl_buf *path = tl_docker_push_buf(L), *url = tl_docker_push_buf(L);
    tl_docker_path(L, 3, 4, path);
    tl_engine_aim(engine, path->data, url, &o);
    return tl_http_await_stream(L, &o);
}

/* refused(status, body): raises what the engine meant */
static int l_refused(lua_State *L)
{
    tl_error err = {0};
    size_t length;
    const char *body = luaL_checklstring(L, 3, &length);
    tl_engine_refused((int)luaL_checkinteger(L, 2), body, length, &err);
    return tl_raise(L, &err);
}

/* Frames of a container's output. */

typedef struct frames {
    tl_demux demux;
    lua_State *L; /* during a feed */
} frames;

static void on_frame(void *context, int stream, const char *bytes, size_t length)
{
    lua_State *L = ((frames *)context)->L;
    lua_Integer count = (lua_Integer)lua_rawlen(L, 3);
    lua_pushstring(L, stream == 2 ? "stderr" : "stdout");
    lua_rawseti(L, 3, count + 1);
    lua_pushlstring(L, bytes, length);
    lua_rawseti(L, 3, count + 2);
}

static int l_frames(lua_State *L)
{
    frames *f = lua_newuserdatauv(L, sizeof *f, 0);
    memset(f, 0, sizeof *f);
    f->demux.sink = on_frame;
    f->demux.context = f;
    luaL_setmetatable(L, FRAMES_TYPE);
    return 1;
}

/* feed(bytes): a list of stream, bytes, stream, bytes … */
static int l_feed(lua_State *L)
{
    tl_error err = {0};
    size_t length;
    frames *f = luaL_checkudata(L, 1, FRAMES_TYPE);
    const char *bytes = luaL_checklstring(L, 2, &length);
    lua_settop(L, 2);
    lua_newtable(L);
    f->L = L;
    if (tl_demux_feed(&f->demux, bytes, length, &err) < 0) return tl_raise(L, &err);
    return 1;
}

/* context_hash(dir, options): on the worker thread, since the disk is read. */

typedef struct hash {
    tl_job job;
    tl_wait wait;
    tl_context *context;
    const char **extra; /* in the arena below it on the stack */
    size_t extra_count;
    char hex[65];
    int failed;
    tl_error err;
} hash;

static int l_release_hash(lua_State *L)
{
    hash *h = lua_touserdata(L, 1);
    tl_job_stop(&h->job);
    tl_context_free(h->context);
    h->context = NULL;
    tl_error_dispose(&h->err);
    return 0;
}

static void cancel_hash(tl_wait *wait)
{
    tl_job_stop(&((hash *)wait->data)->job);
}

static void do_hash(tl_job *job)
{
    hash *h = job->data;
    h->failed = tl_context_hash(h->context, h->extra, h->extra_count, h->hex, &h->err) < 0;
}

static void on_hashed(tl_job *job)
{
    tl_wake(&((hash *)job->data)->wait);
}

static int k_hash(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    hash *h = lua_touserdata(L, (int)index);
    if (h->failed) return tl_raise(L, &h->err);
    lua_pushstring(L, h->hex);
    return 1;
}

static const char **read_extra(lua_State *L, int options, tl_arena *arena, size_t *count)
{
    *count = 0;
    if (!lua_istable(L, options) || lua_getfield(L, options, "extra") != LUA_TTABLE) return NULL;
    lua_Integer length = luaL_len(L, -1);
    const char **extra = tl_arena_zalloc(arena, ((size_t)length + 1) * sizeof *extra);
    for (lua_Integer i = 1; i <= length; i++) {
        lua_geti(L, -1, i);
        if (!lua_isstring(L, -1)) tl_raisef(L, "usage", "option extra: strings expected");
        extra[(*count)++] = tl_arena_strdup(arena, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return extra;
}

static int l_context_hash(lua_State *L)
{
    tl_error err = {0};
    tl_context_options o = {.dir = luaL_checkstring(L, 1)};
    lua_settop(L, 2);
    o.dockerfile = tl_opt_string(L, 2, "dockerfile", NULL);
    o.ignore_file = tl_opt_string(L, 2, "ignore_file", NULL);
    tl_arena *arena = tl_push_arena(L, 0);
    size_t extra_count;
    const char **extra = read_extra(L, 2, arena, &extra_count);
    lua_settop(L, 3);
    hash *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    luaL_setmetatable(L, HASH_TYPE);
    h->extra = extra;
    h->extra_count = extra_count;
    h->job.work = do_hash;
    h->job.on_done = on_hashed;
    h->wait.on_cancel = cancel_hash;
    h->job.data = h->wait.data = h;
    h->context = tl_context_open(&o, &err);
    if (!h->context || tl_job_start(tl_lua_loop(L), &h->job, &err) < 0) return tl_raise(L, &err);
    return tl_await(L, &h->wait, lua_gettop(L), k_hash);
}

static const luaL_Reg functions[] = {
    {"open", l_open},
    {"frames", l_frames},
    {"context_hash", l_context_hash},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"negotiate", l_negotiate},
    {"call", l_call},
    {"stream", l_stream},
    {"refused", l_refused},
    {"transfer", tl_docker_l_transfer},
    {"hijack", tl_docker_l_hijack},
    {"close", l_close},
    {NULL, NULL},
};

static const luaL_Reg frame_methods[] = {
    {"feed", l_feed},
    {NULL, NULL},
};

int luaopen_docker(lua_State *L);

int luaopen_docker(lua_State *L)
{
    tl_new_type(L, BUF_TYPE, NULL, l_buf_gc);
    tl_new_type(L, CALL_TYPE, NULL, l_release_call);
    tl_new_type(L, HASH_TYPE, NULL, l_release_hash);
    tl_new_type(L, FRAMES_TYPE, frame_methods, NULL);
    tl_new_type(L, CLIENT_TYPE, methods, l_release_client);
    tl_docker_handles_open(L);
    luaL_getmetatable(L, CLIENT_TYPE);
    lua_getfield(L, -1, "__index");
    lua_pushvalue(L, -1); /* lua/lib/docker.lua adds methods */
    lua_pushcclosure(L, l_client_index, 1);
    lua_setfield(L, -3, "__index");
    lua_remove(L, -2);
    luaL_newlib(L, functions);
    lua_insert(L, -2);
    return tl_program_extend(L, "lua/lib/docker.lua", 1);
}
