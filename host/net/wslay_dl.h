#ifndef TL_NET_WSLAY_DL_H
#define TL_NET_WSLAY_DL_H

#include <wslay/wslay.h>

#include "base/error.h"

/* The functions of libwslay that are used, loaded on first use. */
#define TL_WSLAY_FUNCTIONS(X)         \
    X(context_client_init)            \
    X(context_free)                   \
    X(config_set_no_buffering)        \
    X(config_set_max_recv_msg_length) \
    X(set_error)                      \
    X(recv)                           \
    X(send)                           \
    X(want_read)                      \
    X(want_write)                     \
    X(queue_msg)                      \
    X(queue_close)                    \
    X(get_queued_msg_length)          \
    X(get_close_received)             \
    X(get_status_code_received)

typedef struct tl_wslay {
#define TL_WSLAY_MEMBER(name) __typeof__(&wslay_event_##name) name;
    TL_WSLAY_FUNCTIONS(TL_WSLAY_MEMBER)
#undef TL_WSLAY_MEMBER
} tl_wslay;

/* The loaded library, the same table at every call; NULL and kind "missing_library" where it cannot be loaded. */
const tl_wslay *tl_wslay_load(tl_error *err);

#endif
