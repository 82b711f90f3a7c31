/* Plain TCP connections and listeners. */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

static void prepare(int fd)
{
    int on = 1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return 0;
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int try_listen(const struct addrinfo *address)
{
    int on = 1, fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (fd < 0) return -1;
    prepare(fd);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 128) == 0) return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

int tl_socket_listen(const char *host, int *port, tl_error *err)
{
    struct addrinfo *addresses = NULL;
    int fd = -1, code = tl_resolve_now(host, *port, AI_PASSIVE, &addresses);
    if (code) return tl_error_set(err, "dns", "cannot find the address %s: %s", host, gai_strerror(code));
    for (struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next) fd = try_listen(a);
    code = errno;
    freeaddrinfo(addresses);
    if (fd < 0) {
        tl_error_errno(err, code, "cannot listen on %s:%d", *host ? host : "*", *port);
        if (code == EADDRINUSE) {
            if (err) snprintf(err->kind, sizeof err->kind, "exists");
            tl_error_hint(err, "another program uses port %d: stop it, or choose another port", *port);
        }
        return -1;
    }
    *port = bound_port(fd);
    return fd;
}

int tl_socket_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0) prepare(fd);
    return fd;
}

static void settle(tl_socket_connect *c)
{
    tl_watch_stop(&c->watch);
    tl_timer_stop(&c->timer);
    tl_resolve_stop(&c->resolve);
    c->next = NULL;
}

static void finish(tl_socket_connect *c)
{
    settle(c);
    c->on_done(c);
}

static void close_try(tl_socket_connect *c)
{
    tl_watch_stop(&c->watch);
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static void try_next(tl_socket_connect *c)
{
    while (c->next) {
        struct addrinfo *a = c->next;
        c->next = a->ai_next;
        c->fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (c->fd < 0) {
            c->code = errno;
            continue;
        }
        prepare(c->fd);
        if (connect(c->fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS) {
            tl_watch_start(c->loop, &c->watch, c->fd, POLLOUT);
            return;
        }
        c->code = errno;
        close_try(c);
    }
    tl_error_set(&c->err, "connect", "cannot connect to %s:%d: %s", c->host, c->port, strerror(c->code));
    finish(c);
}

static void on_ready(tl_watch *watch, short revents)
{
    (void)revents;
    tl_socket_connect *c = watch->data;
    int code = 0;
    socklen_t length = sizeof code;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &length);
    if (!code) {
        finish(c);
        return;
    }
    c->code = code;
    close_try(c);
    try_next(c);
}

static void on_due(tl_timer *timer)
{
    tl_socket_connect *c = timer->data;
    close_try(c);
    tl_error_set(&c->err, "timeout", "no connection to %s:%d in time", c->host, c->port);
    finish(c);
}

static void on_resolved(tl_resolve *resolve)
{
    tl_socket_connect *c = resolve->data;
    c->next = resolve->addresses;
    if (!resolve->code) {
        try_next(c);
        return;
    }
    tl_error_set(&c->err, "dns", "cannot find the address of %s: %s", c->host, gai_strerror(resolve->code));
    finish(c);
}

/* Addresses in digits need no thread; the callback comes from the loop all the same. */
static void on_digits(tl_timer *timer)
{
    tl_socket_connect *c = timer->data;
    timer->on_due = on_due;
    tl_timer_start(c->loop, timer, c->timeout_ms);
    on_resolved(&c->resolve);
}

void tl_socket_connect_start(tl_loop *loop, tl_socket_connect *c, const char *host, int port, int64_t timeout_ms)
{
    c->loop = loop;
    c->host = tl_strdup(host);
    c->port = port;
    c->fd = -1;
    c->timeout_ms = timeout_ms;
    c->watch.on_ready = on_ready;
    c->watch.data = c->timer.data = c->resolve.data = c;
    c->resolve.on_done = on_resolved;
    c->timer.on_due = on_due;
    tl_timer_start(loop, &c->timer, timeout_ms);
    c->resolve.code = tl_resolve_now(host, port, AI_NUMERICHOST, &c->resolve.addresses);
    if (c->resolve.code && tl_resolve_start(loop, &c->resolve, host, port, &c->err) == 0) return;
    c->timer.on_due = on_digits;
    tl_timer_start(loop, &c->timer, 0);
}

void tl_socket_connect_stop(tl_socket_connect *c)
{
    if (!c->host) return;
    settle(c);
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    free(c->host);
    c->host = NULL;
    tl_error_dispose(&c->err);
}
