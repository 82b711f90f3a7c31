#ifndef TL_NET_WEBSOCKET_H
#define TL_NET_WEBSOCKET_H

#include "net/http.h"

/* WebSocket frames (RFC 6455, client side) over a byte stream whose handshake is done; wslay is loaded on first use. The
 * owner keeps the stream and passes its callbacks on. A peer from which not a byte comes, not even the answer to a ping,
 * ends the socket with kind "timeout". */
typedef struct tl_websocket tl_websocket;

typedef struct tl_websocket_options {
    tl_loop *loop;
    int64_t ping_ms;    /* how often a quiet peer is asked; 0: 5 s, or half the silence where that is less */
    int64_t silence_ms; /* how long it may say nothing; 0: 60 s */
    /* A piece of a data message; `first` at its start. May pause, must not free the socket. */
    void (*on_piece)(void *data, int first, const char *bytes, size_t length);
    void (*on_change)(void *data); /* fewer bytes are unsent, or it has ended; must not free the socket */
    void *data;
} tl_websocket_options;

/* `early` are bytes that the handshake read too many. Free with tl_websocket_free; the stream must outlive it. */
tl_websocket *tl_websocket_new(tl_stream *stream, const char *early, size_t length, const tl_websocket_options *options,
                               tl_error *err);
void tl_websocket_free(tl_websocket *socket);
/* For the stream's on_readable and on_writable. The former also takes the early bytes: call it once after _new. */
void tl_websocket_readable(tl_websocket *socket);
void tl_websocket_writable(tl_websocket *socket);
/* Queues one binary message (copied). Dropped after the end. */
void tl_websocket_send(tl_websocket *socket, const char *bytes, size_t length);
/* Bytes of messages that wait to be sent. */
size_t tl_websocket_unsent(const tl_websocket *socket);
/* Queues the close frame after what is unsent; the end comes with the peer's answer. */
void tl_websocket_close(tl_websocket *socket);
/* Ends it here and now, without calling back. */
void tl_websocket_abort(tl_websocket *socket);
/* While paused not a byte is read. */
void tl_websocket_pause(tl_websocket *socket, int paused);
int tl_websocket_ended(const tl_websocket *socket);
/* After the end: NULL where the peer closed in due form, else why it ended ("closed", "timeout", "parse"). */
tl_error *tl_websocket_error(tl_websocket *socket);

#endif
