#ifndef TL_NET_RESOLVE_H
#define TL_NET_RESOLVE_H

#include <netdb.h>

#include "base/error.h"
#include "loop/loop.h"

/* The addresses of a host, asked of the system's resolver on a thread of its own: it may take long, so that whoever
 * does not wait any longer leaves it behind. Zeroed before first use. */
typedef struct tl_resolve {
    struct tl_resolve_question *question; /* shared with the thread */
    tl_watch watch;
    struct addrinfo *addresses; /* the answer, owned by this struct; NULL where there is none */
    int code;                   /* getaddrinfo's result */
    void (*on_done)(struct tl_resolve *resolve);
    void *data;
} tl_resolve;

/* Starts; `on_done` and `data` are set by the caller before. -1 with *err where there can be no thread. */
int tl_resolve_start(tl_loop *loop, tl_resolve *resolve, const char *host, int port, tl_error *err);
/* Ends it at any time and frees the answer; on_done will not come. Harmless twice. */
void tl_resolve_stop(tl_resolve *resolve);

/* The same at once, on the caller's own thread: for what needs no asking (AI_NUMERICHOST) or may wait. getaddrinfo's
 * result; the caller frees *out. */
int tl_resolve_now(const char *host, int port, int flags, struct addrinfo **out);

/* Whether a host is an address already, in the forms that Go's netip.ParseAddr reads (not "127.1" or "0x7f000001"). */
int tl_is_address(const char *host);
/* One address of an answer in digits; "" where it cannot be told. */
void tl_resolve_text(const struct addrinfo *address, char out[64]);

#endif
