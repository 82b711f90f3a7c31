/* Module http: requests, and answers read as streams; tcp.c adds connections, lua/lib/http.lua the listener's tasks. */
#include "lua/http.h"

#include <string.h>
#include <strings.h>

#include "data/json.h"
#include "lua/await.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/program.h"
#include "lua/secret.h"

#define REQUEST_TYPE "todo.http.Request"
#define STREAM_TYPE "todo.http.Stream"
#define TIMEOUT_MS 60000
#define READ_AHEAD ((size_t)256 << 10)
#define LONGEST_LINE ((size_t)64 << 20)

static const char net_key;

static int l_net_gc(lua_State *L)
{
    tl_net **net = lua_touserdata(L, 1);
    tl_net_free(*net);
    *net = NULL;
    return 0;
}

tl_net *tl_lua_net(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &net_key) == LUA_TUSERDATA) {
        tl_net *net = *(tl_net **)lua_touserdata(L, -1);
        lua_pop(L, 1);
        return net;
    }
    lua_pop(L, 1);
    tl_error err = {0};
    tl_net **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    tl_new_type(L, "todo.http.Net", NULL, l_net_gc);
    luaL_setmetatable(L, "todo.http.Net");
    *slot = tl_net_new(tl_lua_loop(L), &err);
    if (!*slot) tl_raise(L, &err);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &net_key);
    return *slot;
}

/* Options. */

typedef struct header_list {
    tl_arena *arena;
    tl_header *items;
    size_t count, cap;
} header_list;

static void add_header(header_list *list, const char *name, const char *value)
{
    if (list->count == list->cap) {
        size_t more = list->cap ? list->cap * 2 : 8;
        list->items = tl_arena_grow(list->arena, list->items, list->cap * sizeof *list->items, more * sizeof *list->items);
        list->cap = more;
    }
    list->items[list->count++] = (tl_header){tl_arena_strdup(list->arena, name), tl_arena_strdup(list->arena, value)};
}

static void read_headers(lua_State *L, int index, header_list *list)
{
    if (!lua_istable(L, index)) return;
    if (lua_getfield(L, index, "headers") == LUA_TTABLE) {
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            if (lua_type(L, -2) != LUA_TSTRING) tl_raisef(L, "usage", "option headers: names are strings");
            const char *name = lua_tostring(L, -2);
            const char *value = lua_isuserdata(L, -1) ? tl_secret_text(L, -1, NULL) : lua_tostring(L, -1);
            if (!value || strpbrk(name, "\r\n:") || strpbrk(value, "\r\n"))
                tl_raisef(L, "usage", "option headers: %s: text of one line expected", name);
            add_header(list, name, value);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

static int has_header(const header_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcasecmp(list->items[i].name, name)) return 1;
    return 0;
}

static void read_body(lua_State *L, int index, tl_http_options *o, header_list *headers)
{
    tl_error err = {0};
    size_t length;
    if (!lua_istable(L, index)) return;
    if (lua_getfield(L, index, "body") == LUA_TSTRING) {
        const char *body = lua_tolstring(L, -1, &length);
        o->body = tl_arena_strndup(headers->arena, body, length);
        o->body_len = length;
    }
    if (lua_getfield(L, index, "json") != LUA_TNIL) {
        tl_value value;
        tl_buf text = TL_BUF_INIT(SIZE_MAX);
        int result = tl_to_value(L, -1, headers->arena, TL_SECRETS_REVEAL, &value, &err);
        if (result == 0) result = tl_json_write(&text, value, NULL, &err);
        if (result == 0) {
            o->body = tl_arena_strndup(headers->arena, text.data, text.len);
            o->body_len = text.len;
        }
        tl_buf_dispose(&text);
        if (result < 0) tl_raise(L, &err);
        if (!has_header(headers, "content-type")) add_header(headers, "Content-Type", "application/json");
    }
    lua_pop(L, 2);
}

/* Arguments 1 (URL) and 2 (options); pushes an arena that holds what `o` and `tls` point to. */
static void read_options(lua_State *L, tl_http_options *o, tl_tls *tls)
{
    header_list headers = {0};
    o->url = luaL_checkstring(L, 1);
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    headers.arena = tl_push_arena(L, 0);
    o->method = tl_opt_string(L, 2, "method", NULL);
    o->unix_socket = tl_opt_string(L, 2, "unix", NULL);
    o->timeout_ms = tl_opt_ms(L, 2, "timeout", o->timeout_ms);
    o->connect_timeout_ms = tl_opt_ms(L, 2, "connect_timeout", 0);
    o->fresh = tl_opt_bool(L, 2, "fresh", 0);
    o->follow = tl_opt_bool(L, 2, "follow", 1);
    o->max_body = (size_t)tl_opt_number(L, 2, "max_body", 0);
    o->proxy = tl_opt_string(L, 2, "proxy", NULL);
    o->username = tl_opt_string(L, 2, "username", NULL);
    o->password = tl_opt_string(L, 2, "password", NULL);
    tls->ca_pem = tl_opt_string(L, 2, "ca", NULL);
    tls->ca_file = tl_opt_string(L, 2, "ca_file", NULL);
    tls->cert_pem = tl_opt_string(L, 2, "cert", NULL);
    tls->key_pem = tl_opt_string(L, 2, "key", NULL);
    tls->insecure = tl_opt_bool(L, 2, "insecure", 0);
    o->tls = tls;
    read_headers(L, 2, &headers);
    read_body(L, 2, o, &headers);
    o->headers = headers.items;
    o->header_count = headers.count;
}

/* One request, or the stream of its answer. */

typedef struct operation {
    tl_http_request *request;
    tl_wait wait;
    int ready, ended, paused; /* ready: the headers are there */
    size_t most;              /* bytes that may wait in `held` */
    tl_buf held;
} operation;

static int l_release(lua_State *L)
{
    operation *op = lua_touserdata(L, 1);
    tl_http_free(op->request);
    op->request = NULL;
    tl_buf_dispose(&op->held);
    tl_wake(&op->wait); /* a task that reads meanwhile sees the end */
    return 0;
}

static void cancel(tl_wait *wait)
{
    operation *op = wait->data;
    tl_http_cancel(op->request);
}

static operation *push_operation(lua_State *L, const char *type)
{
    operation *op = lua_newuserdatauv(L, sizeof *op, 1);
    memset(op, 0, sizeof *op);
    op->wait.on_cancel = cancel;
    op->wait.data = op;
    op->most = READ_AHEAD;
    tl_buf_init(&op->held, SIZE_MAX);
    luaL_setmetatable(L, type);
    return op;
}

static void on_done(tl_http_request *request, void *data)
{
    (void)request;
    operation *op = data;
    op->ended = 1;
    tl_wake(&op->wait);
}

static void push_headers(lua_State *L, const tl_http_request *request)
{
    size_t count;
    const tl_header *headers = tl_http_headers(request, &count);
    lua_createtable(L, 0, (int)count);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, headers[i].value);
        lua_setfield(L, -2, headers[i].name);
    }
}

static int k_request(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    operation *op = lua_touserdata(L, (int)index);
    if (tl_http_error(op->request)) {
        tl_error err = {0};
        tl_error_move(&err, tl_http_error(op->request));
        return tl_raise(L, &err);
    }
    const tl_buf *body = tl_http_body(op->request);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, tl_http_status(op->request));
    lua_setfield(L, -2, "status");
    lua_pushstring(L, tl_http_status_text(op->request));
    lua_setfield(L, -2, "status_text");
    push_headers(L, op->request);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, body->data, body->len);
    lua_setfield(L, -2, "body");
    tl_http_free(op->request);
    op->request = NULL;
    return 1;
}

static int l_request(lua_State *L)
{
    tl_error err = {0};
    tl_tls tls = {0};
    tl_http_options o = {.timeout_ms = TIMEOUT_MS};
    read_options(L, &o, &tls);
    tl_net *net = tl_lua_net(L);
    operation *op = push_operation(L, REQUEST_TYPE);
    o.on_done = on_done;
    o.data = op;
    op->request = tl_http_start(net, &o, &err);
    if (!op->request) return tl_raise(L, &err);
    return tl_await(L, &op->wait, lua_gettop(L), k_request);
}

/* Streams. User value 1 holds what scripts see as fields. */

static void on_headers(tl_http_request *request, void *data)
{
    (void)request;
    operation *op = data;
    op->ready = 1;
    tl_wake(&op->wait);
}

static int on_body(tl_http_request *request, const char *bytes, size_t length, void *data)
{
    (void)request;
    operation *op = data;
    if (op->held.len && op->held.len + length > op->most) {
        op->paused = 1;
        tl_wake(&op->wait);
        return TL_HTTP_PAUSE;
    }
    tl_buf_add(&op->held, bytes, length);
    tl_wake(&op->wait);
    return 0;
}

static void go_on(operation *op)
{
    if (!op->paused) return;
    op->paused = 0;
    tl_http_resume(op->request);
}

static int raise_failure(lua_State *L, operation *op)
{
    tl_error err = {0}, *failure = tl_http_error(op->request);
    tl_error_set(&err, failure->kind, "%s", failure->message);
    if (failure->hint) tl_error_hint(&err, "%s", failure->hint);
    return tl_raise(L, &err);
}

static int k_stream(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    operation *op = lua_touserdata(L, (int)index);
    op->wait.woken = 0;
    if (!op->ready && !op->ended) return tl_await(L, &op->wait, index, k_stream);
    if (!op->ready) return raise_failure(L, op);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, tl_http_status(op->request));
    lua_setfield(L, -2, "status");
    push_headers(L, op->request);
    lua_setfield(L, -2, "headers");
    lua_setiuservalue(L, (int)index, 1);
    lua_pushvalue(L, (int)index);
    return 1;
}

int tl_http_await_stream(lua_State *L, tl_http_options *o)
{
    tl_error err = {0};
    tl_net *net = tl_lua_net(L);
    operation *op = push_operation(L, STREAM_TYPE);
    o->on_headers = on_headers;
    o->on_body = on_body;
    o->on_done = on_done;
    o->data = op;
    op->request = tl_http_start(net, o, &err);
    if (!op->request) return tl_raise(L, &err);
    return tl_await(L, &op->wait, lua_gettop(L), k_stream);
}

static int l_stream(lua_State *L)
{
    tl_tls tls = {0};
    tl_http_options o = {.http1 = 1};
    read_options(L, &o, &tls);
    return tl_http_await_stream(L, &o);
}

static operation *check_stream(lua_State *L)
{
    operation *op = luaL_checkudata(L, 1, STREAM_TYPE);
    lua_settop(L, 1);
    if (!op->request) tl_raisef(L, "closed", "the stream is closed");
    if (op->wait.task) tl_raisef(L, "usage", "another task reads this stream already");
    return op;
}

static int push_held(lua_State *L, operation *op, size_t length, size_t dropped)
{
    lua_pushlstring(L, op->held.data, length);
    tl_buf_consume(&op->held, length + dropped);
    op->most = READ_AHEAD;
    go_on(op);
    return 1;
}

static int wait_more(lua_State *L, operation *op, lua_KFunction k)
{
    op->wait.woken = 0;
    return tl_await(L, &op->wait, 0, k);
}

static int k_read(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    operation *op = lua_touserdata(L, 1);
    if (!op->request) return 0; /* closed while it was waited for */
    if (op->held.len) return push_held(L, op, op->held.len, 0);
    if (!op->ended) return wait_more(L, op, k_read);
    return tl_http_error(op->request) ? raise_failure(L, op) : 0;
}

static int l_read(lua_State *L)
{
    check_stream(L);
    return k_read(L, LUA_OK, 0);
}

static int k_read_line(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    operation *op = lua_touserdata(L, 1);
    if (!op->request) return 0;
    const char *newline = op->held.len ? memchr(op->held.data, '\n', op->held.len) : NULL;
    if (newline) {
        size_t length = (size_t)(newline - op->held.data), dropped = 1;
        if (length && newline[-1] == '\r') {
            length--;
            dropped++;
        }
        return push_held(L, op, length, dropped);
    }
    if (!op->ended) {
        if (op->paused && op->most >= LONGEST_LINE) return tl_raisef(L, "too_large", "a line of the answer is too long");
        if (op->paused) op->most *= 2;
        go_on(op);
        return wait_more(L, op, k_read_line);
    }
    if (tl_http_error(op->request)) return raise_failure(L, op);
    return op->held.len ? push_held(L, op, op->held.len, 0) : 0;
}

static int l_read_line(lua_State *L)
{
    check_stream(L);
    return k_read_line(L, LUA_OK, 0);
}

static int l_close(lua_State *L)
{
    luaL_checkudata(L, 1, STREAM_TYPE);
    return l_release(L);
}

static int l_stream_index(lua_State *L)
{
    luaL_checkudata(L, 1, STREAM_TYPE);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) return 0;
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

static int l_escape(lua_State *L)
{
    size_t length;
    const unsigned char *text = (const unsigned char *)luaL_checklstring(L, 1, &length);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        int plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-._~", c));
        if (plain) {
            luaL_addchar(&b, (char)c);
        } else {
            luaL_addchar(&b, '%');
            luaL_addchar(&b, "0123456789ABCDEF"[c >> 4]);
            luaL_addchar(&b, "0123456789ABCDEF"[c & 15]);
        }
    }
    luaL_pushresult(&b);
    return 1;
}

static const luaL_Reg functions[] = {
    {"request", l_request},
    {"stream", l_stream},
    {"escape", l_escape},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"read", l_read},
    {"read_line", l_read_line},
    {"close", l_close},
    {NULL, NULL},
};

int luaopen_http(lua_State *L);

int luaopen_http(lua_State *L)
{
    tl_new_type(L, REQUEST_TYPE, NULL, l_release);
    tl_new_type(L, STREAM_TYPE, methods, l_release);
    luaL_getmetatable(L, STREAM_TYPE);
    lua_getfield(L, -1, "__index");
    lua_pushcclosure(L, l_stream_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    tl_tcp_open(L);
    return tl_program_extend(L, "lua/lib/http.lua", 0);
}
