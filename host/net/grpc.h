#ifndef TL_NET_GRPC_H
#define TL_NET_GRPC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* A gRPC server with one client, on a connection that somebody else keeps: https://github.com/grpc/grpc/blob/master/doc/
 * PROTOCOL-HTTP2.md on nghttp2. Calls run side by side; what they send is asked for when the client can take it. */
typedef struct tl_grpc tl_grpc;
typedef struct tl_grpc_call tl_grpc_call;

/* Status codes: https://grpc.io/docs/guides/status-codes. */
enum { TL_GRPC_OK = 0, TL_GRPC_UNKNOWN = 2, TL_GRPC_NOT_FOUND = 5, TL_GRPC_EXHAUSTED = 8, TL_GRPC_UNIMPLEMENTED = 12 };

/* What serves the calls of one method. `data` is the server's, until start gives the call its own with tl_grpc_keep. */
typedef struct tl_grpc_method {
    const char *path; /* "/package.Service/Method" */
    void (*start)(tl_grpc_call *call, void *data); /* its metadata is there; may be NULL */
    void (*message)(tl_grpc_call *call, const char *bytes, size_t length, void *data);
    void (*produce)(tl_grpc_call *call, void *data); /* nothing waits to be sent: sends a message, ends the call, or neither; may be NULL */
    void (*half_close)(tl_grpc_call *call, void *data); /* the client has sent all; may be NULL */
    void (*release)(void *data); /* the call is over, of what tl_grpc_keep was given; may be NULL */
} tl_grpc_method;

typedef struct tl_grpc_options {
    const tl_grpc_method *methods;
    size_t method_count;
    /* Sends: how many bytes were taken; where they were fewer, tl_grpc_flush is called once more fit. -1: broken. */
    int64_t (*write)(const char *bytes, size_t length, void *data);
    void *data;
} tl_grpc_options;

/* Borrows the methods. Kind "io". Free with tl_grpc_free. */
tl_grpc *tl_grpc_new(const tl_grpc_options *options, tl_error *err);
void tl_grpc_free(tl_grpc *server);
/* Bytes from the client. -1 with kind "parse" where they are no HTTP/2. */
int tl_grpc_feed(tl_grpc *server, const char *bytes, size_t length, tl_error *err);
/* Sends what there is: 1 where it ought to be called again soon since much was sent at once, 0, or -1 with kind "closed". */
int tl_grpc_flush(tl_grpc *server, tl_error *err);

/* What the client told with the call: the value at `index` among those of that name (lower-case), or NULL. */
const char *tl_grpc_metadata(const tl_grpc_call *call, const char *name, size_t index);
void tl_grpc_keep(tl_grpc_call *call, void *data);
/* Queues one message. Outside of the callbacks tl_grpc_flush follows. */
void tl_grpc_send(tl_grpc_call *call, const void *bytes, size_t length);
/* Ends the call after what is queued; `message` (or NULL) says why where the status is not TL_GRPC_OK. */
void tl_grpc_finish(tl_grpc_call *call, int status, const char *message);
/* There is something to produce again. tl_grpc_flush follows. */
void tl_grpc_wake(tl_grpc_call *call);

#endif
