/* Frames of a WebSocket peer, which ends the stream after them. */
#include "fuzz.h"

#include "net/websocket.h"

/* The stream below: what it has is in the socket's early bytes; it takes all that is sent. */
int64_t tl_stream_read(tl_stream *stream, char *buffer, size_t size, tl_error *err)
{
    (void)stream, (void)buffer, (void)size, (void)err;
    return 0;
}

int64_t tl_stream_write(tl_stream *stream, const char *bytes, size_t length, tl_error *err)
{
    volatile char last = length ? bytes[length - 1] : 0;
    (void)stream, (void)last, (void)err;
    return (int64_t)length;
}

void tl_stream_pause(tl_stream *stream, int paused)
{
    (void)stream, (void)paused;
}

void tl_stream_shutdown(tl_stream *stream)
{
    (void)stream;
}

static void on_piece(void *data, int first, const char *bytes, size_t length)
{
    volatile char last = length ? bytes[length - 1] : 0;
    (void)data, (void)first, (void)last;
}

static void on_change(void *data)
{
    (void)data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tl_loop *loop;
    tl_error err = {0};
    if (!loop && !(loop = tl_loop_new(&err))) abort();
    tl_websocket_options options = {.loop = loop, .on_piece = on_piece, .on_change = on_change};
    tl_websocket *socket = tl_websocket_new(NULL, (const char *)data, size, &options, &err);
    if (!socket) abort();
    tl_websocket_send(socket, "ping", 4);
    tl_websocket_readable(socket);
    tl_websocket_writable(socket);
    tl_websocket_free(socket);
    tl_error_dispose(&err);
    return 0;
}
