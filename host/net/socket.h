#ifndef TL_NET_SOCKET_H
#define TL_NET_SOCKET_H

#include "base/error.h"
#include "loop/loop.h"
#include "net/resolve.h"

/* Plain TCP. Descriptors are non-blocking, close-on-exec, without Nagle's delay; the caller closes them. */

/* Listens on host ("127.0.0.1", "::1"; "" for every interface) and port (0: any free one; *port tells which). Kinds
 * "exists" where the port is taken, "denied", "dns", "io". Returns the descriptor or -1. */
int tl_socket_listen(const char *host, int *port, tl_error *err);
/* Takes one waiting connection: its descriptor, or -1 where there is none now. */
int tl_socket_accept(int listener);

/* A connection being made; zeroed before first use. The addresses of the host are tried in order. */
typedef struct tl_socket_connect {
    tl_loop *loop;
    char *host;
    int port, fd;
    tl_resolve resolve;
    struct addrinfo *next; /* the address to try */
    int code;              /* errno of the last one */
    int64_t timeout_ms;
    tl_watch watch;
    tl_timer timer;
    void (*on_done)(struct tl_socket_connect *connect);
    void *data;
    tl_error err;
} tl_socket_connect;

/* Starts; `on_done` and `data` are set by the caller before. on_done then finds `fd` (now its own), or -1 and `err` of
 * kind "connect", "dns" or "timeout". */
void tl_socket_connect_start(tl_loop *loop, tl_socket_connect *connect, const char *host, int port, int64_t timeout_ms);
/* Ends it at any time and frees what it holds; on_done will not come. Harmless twice. A descriptor that was taken over
 * (fd set to -1 by the caller) stays open. */
void tl_socket_connect_stop(tl_socket_connect *connect);

#endif
