/* Plain TCP for module http: addresses, connect, bind, and the handles of connections and listeners. */
#include "lua/http.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lua/await.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "net/socket.h"

#define CONNECT_TYPE "todo.http.Connecting"
#define CONN_TYPE "todo.http.Conn"
#define LISTENER_TYPE "todo.http.Listener"
#define RESOLVING_TYPE "todo.http.Resolving"
#define CONNECT_TIMEOUT_MS 10000
#define CHUNK 65536
#define MOST_CHUNK (16 << 20)

/* One direction of a descriptor, or a listener's only one. */
typedef struct direction {
    tl_watch watch;
    tl_wait wait;
} direction;

typedef struct conn {
    int fd, port;
    direction in, out;
} conn;

static void on_ready(tl_watch *watch, short revents)
{
    (void)revents;
    direction *d = watch->data;
    tl_watch_stop(watch);
    tl_wake(&d->wait);
}

static void cancel_direction(tl_wait *wait)
{
    direction *d = wait->data;
    tl_watch_stop(&d->watch);
}

static void set_direction(direction *d)
{
    d->watch.on_ready = on_ready;
    d->watch.data = d->wait.data = d;
    d->wait.on_cancel = cancel_direction;
}

static conn *push_conn(lua_State *L, const char *type)
{
    conn *c = lua_newuserdatauv(L, sizeof *c, 0);
    memset(c, 0, sizeof *c);
    c->fd = -1;
    set_direction(&c->in);
    set_direction(&c->out);
    luaL_setmetatable(L, type);
    return c;
}

static int l_release(lua_State *L)
{
    conn *c = lua_touserdata(L, 1);
    if (c->fd < 0) return 0;
    tl_watch_stop(&c->in.watch);
    tl_watch_stop(&c->out.watch);
    close(c->fd);
    c->fd = -1;
    tl_wake(&c->in.wait); /* a task that waits here sees the end */
    tl_wake(&c->out.wait);
    return 0;
}

static int l_close(lua_State *L)
{
    luaL_checkudata(L, 1, CONN_TYPE);
    return l_release(L);
}

static int l_close_listener(lua_State *L)
{
    luaL_checkudata(L, 1, LISTENER_TYPE);
    return l_release(L);
}

static int wait_for(lua_State *L, direction *d, short events, lua_KFunction k)
{
    conn *c = lua_touserdata(L, 1);
    if (d->wait.task) return tl_raisef(L, "usage", "another task waits for this connection already");
    d->wait.woken = 0;
    tl_watch_start(tl_lua_loop(L), &d->watch, c->fd, events);
    return tl_await(L, &d->wait, 0, k);
}

static conn *check_open(lua_State *L)
{
    conn *c = luaL_checkudata(L, 1, CONN_TYPE);
    if (c->fd < 0) tl_raisef(L, "closed", "the connection is closed");
    return c;
}

/* Stack: 1 connection, 2 most bytes. */
static int k_read(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    conn *c = lua_touserdata(L, 1);
    if (c->fd < 0) return 0;
    size_t most = (size_t)lua_tointeger(L, 2);
    luaL_Buffer b;
    char *room = luaL_buffinitsize(L, &b, most);
    ssize_t got;
    do got = recv(c->fd, room, most, 0);
    while (got < 0 && errno == EINTR);
    int code = errno;
    luaL_pushresultsize(&b, got > 0 ? (size_t)got : 0);
    if (got > 0) return 1;
    lua_settop(L, 2);
    if (got == 0) return 0;
    if (code == EAGAIN || code == EWOULDBLOCK) return wait_for(L, &c->in, POLLIN, k_read);
    tl_error err = {0};
    tl_error_set(&err, "closed", "the connection broke: %s", strerror(code));
    return tl_raise(L, &err);
}

static int l_read(lua_State *L)
{
    check_open(L);
    /* As a loop's iterator it is given the bytes of the time before. */
    lua_Integer most = lua_type(L, 2) == LUA_TSTRING ? CHUNK : luaL_optinteger(L, 2, CHUNK);
    luaL_argcheck(L, most > 0 && most <= MOST_CHUNK, 2, "between 1 byte and 16 MiB expected");
    lua_settop(L, 1);
    lua_pushinteger(L, most);
    return k_read(L, LUA_OK, 0);
}

/* Stack: 1 connection, 2 bytes; `offset` of them are sent. */
static int k_write(lua_State *L, int status, lua_KContext offset)
{
    (void)status;
    conn *c = lua_touserdata(L, 1);
    size_t length, sent = (size_t)offset;
    const char *bytes = lua_tolstring(L, 2, &length);
    while (sent < length) {
        if (c->fd < 0) return tl_raisef(L, "closed", "the connection is closed");
        ssize_t put = send(c->fd, bytes + sent, length - sent, MSG_NOSIGNAL);
        if (put >= 0) {
            sent += (size_t)put;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (c->out.wait.task) return tl_raisef(L, "usage", "another task writes to this connection already");
            c->out.wait.woken = 0;
            tl_watch_start(tl_lua_loop(L), &c->out.watch, c->fd, POLLOUT);
            return tl_await(L, &c->out.wait, (lua_KContext)sent, k_write);
        } else if (errno != EINTR) {
            tl_error err = {0};
            tl_error_set(&err, "closed", "the connection broke: %s", strerror(errno));
            return tl_raise(L, &err);
        }
    }
    return 0;
}

static int l_write(lua_State *L)
{
    check_open(L);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    return k_write(L, LUA_OK, 0);
}

static int l_shutdown(lua_State *L)
{
    shutdown(check_open(L)->fd, SHUT_WR);
    return 0;
}

/* Addresses. */

typedef struct resolving {
    tl_resolve resolve;
    tl_timer timer;
    tl_wait wait;
    int late;
} resolving;

static int l_resolving_gc(lua_State *L)
{
    resolving *r = lua_touserdata(L, 1);
    tl_timer_stop(&r->timer);
    tl_resolve_stop(&r->resolve);
    return 0;
}

static void cancel_resolve(tl_wait *wait)
{
    resolving *r = wait->data;
    tl_timer_stop(&r->timer);
    tl_resolve_stop(&r->resolve);
}

static void on_resolved(tl_resolve *resolve)
{
    tl_wake(&((resolving *)resolve->data)->wait);
}

static void on_late(tl_timer *timer)
{
    resolving *r = timer->data;
    r->late = 1;
    tl_wake(&r->wait);
}

static int k_addresses(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    resolving *r = lua_touserdata(L, (int)index);
    char text[64];
    tl_timer_stop(&r->timer);
    if (r->late) return tl_raisef(L, "timeout", "no address of %s in time", lua_tostring(L, 1));
    if (!r->resolve.addresses) return 0;
    lua_newtable(L);
    for (const struct addrinfo *a = r->resolve.addresses; a; a = a->ai_next) {
        tl_resolve_text(a, text);
        lua_pushstring(L, text);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    tl_resolve_stop(&r->resolve);
    return 1;
}

static int l_addresses(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    int64_t timeout = lua_isnoneornil(L, 2) ? CONNECT_TIMEOUT_MS : tl_check_ms(L, 2);
    tl_error err = {0};
    if (tl_is_address(host)) {
        lua_createtable(L, 1, 0);
        lua_pushvalue(L, 1);
        lua_rawseti(L, -2, 1);
        return 1;
    }
    struct addrinfo *digits = NULL;
    if (!tl_resolve_now(host, 0, AI_NUMERICHOST, &digits)) {
        freeaddrinfo(digits); /* "127.1", and no host at all: of C's old functions only */
        return 0;
    }
    resolving *r = lua_newuserdatauv(L, sizeof *r, 0);
    memset(r, 0, sizeof *r);
    luaL_setmetatable(L, RESOLVING_TYPE);
    r->wait.data = r->resolve.data = r->timer.data = r;
    r->wait.on_cancel = cancel_resolve;
    r->resolve.on_done = on_resolved;
    r->timer.on_due = on_late;
    if (tl_resolve_start(tl_lua_loop(L), &r->resolve, host, 0, &err)) return tl_raise(L, &err);
    tl_timer_start(tl_lua_loop(L), &r->timer, timeout);
    return tl_await(L, &r->wait, lua_gettop(L), k_addresses);
}

/* Connecting. */

typedef struct connecting {
    tl_socket_connect connect;
    tl_wait wait;
} connecting;

static int l_connecting_gc(lua_State *L)
{
    connecting *c = lua_touserdata(L, 1);
    tl_socket_connect_stop(&c->connect);
    return 0;
}

static void cancel_connect(tl_wait *wait)
{
    connecting *c = wait->data;
    tl_socket_connect_stop(&c->connect);
}

static void on_connected(tl_socket_connect *connect)
{
    tl_wake(&((connecting *)connect->data)->wait);
}

static int k_connect(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    connecting *c = lua_touserdata(L, (int)index);
    if (c->connect.fd < 0) return tl_raise(L, &c->connect.err);
    conn *open = push_conn(L, CONN_TYPE);
    open->fd = c->connect.fd;
    c->connect.fd = -1;
    return 1;
}

static int l_connect(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    lua_Integer port = luaL_checkinteger(L, 2);
    luaL_argcheck(L, port > 0 && port < 65536, 2, "a port number expected");
    int64_t timeout = lua_isnoneornil(L, 3) ? CONNECT_TIMEOUT_MS : tl_check_ms(L, 3);
    connecting *c = lua_newuserdatauv(L, sizeof *c, 0);
    memset(c, 0, sizeof *c);
    luaL_setmetatable(L, CONNECT_TYPE);
    c->wait.data = c->connect.data = c;
    c->wait.on_cancel = cancel_connect;
    c->connect.on_done = on_connected;
    tl_socket_connect_start(tl_lua_loop(L), &c->connect, host, (int)port, timeout);
    return tl_await(L, &c->wait, lua_gettop(L), k_connect);
}

/* Listeners. */

static int l_bind(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    lua_Integer wanted = luaL_optinteger(L, 2, 0);
    luaL_argcheck(L, wanted >= 0 && wanted < 65536, 2, "a port number expected");
    tl_error err = {0};
    int port = (int)wanted;
    conn *c = push_conn(L, LISTENER_TYPE);
    c->fd = tl_socket_listen(host, &port, &err);
    if (c->fd < 0) return tl_raise(L, &err);
    c->port = port;
    return 1;
}

static int k_accept(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    conn *c = lua_touserdata(L, 1);
    if (c->fd < 0) return 0;
    conn *open = push_conn(L, CONN_TYPE);
    open->fd = tl_socket_accept(c->fd);
    if (open->fd >= 0) return 1;
    lua_settop(L, 1);
    return wait_for(L, &c->in, POLLIN, k_accept);
}

static int l_accept(lua_State *L)
{
    luaL_checkudata(L, 1, LISTENER_TYPE);
    lua_settop(L, 1);
    return k_accept(L, LUA_OK, 0);
}

static int l_listener_index(lua_State *L)
{
    conn *c = luaL_checkudata(L, 1, LISTENER_TYPE);
    const char *name = luaL_checkstring(L, 2);
    if (!strcmp(name, "port")) {
        lua_pushinteger(L, c->port);
        return 1;
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
}

static const luaL_Reg conn_methods[] = {
    {"read", l_read},
    {"write", l_write},
    {"shutdown", l_shutdown},
    {"close", l_close},
    {NULL, NULL},
};

static const luaL_Reg listener_methods[] = {
    {"accept", l_accept},
    {"close", l_close_listener},
    {NULL, NULL},
};

void tl_tcp_open(lua_State *L)
{
    tl_new_type(L, RESOLVING_TYPE, NULL, l_resolving_gc);
    tl_new_type(L, CONNECT_TYPE, NULL, l_connecting_gc);
    tl_new_type(L, CONN_TYPE, conn_methods, l_release);
    tl_new_type(L, LISTENER_TYPE, listener_methods, l_release);
    luaL_getmetatable(L, LISTENER_TYPE);
    lua_getfield(L, -1, "__index");
    lua_pushcclosure(L, l_listener_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_addresses);
    lua_setfield(L, -2, "addresses");
    lua_pushcfunction(L, l_connect);
    lua_setfield(L, -2, "connect");
    lua_pushcfunction(L, l_bind);
    lua_setfield(L, -2, "bind");
}
