/* WebSocket frames over a connected byte stream. */
#include "net/websocket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "net/wslay_dl.h"

#define PING_MS 5000
#define SILENCE_MS 60000
/* Pieces are handed on as they come, so a message's length says nothing about memory. */
#define LONGEST_MESSAGE ((uint64_t)1 << 62)

struct tl_websocket {
    const tl_wslay *wslay;
    wslay_event_context_ptr context;
    tl_stream *stream;
    tl_websocket_options options;
    tl_buf early;
    tl_timer timer;
    int64_t heard; /* when the last byte came */
    int paused, ended, control, first;
    int broken, deaf; /* nothing more can be read; the peer takes nothing more */
    tl_error err;
};

static void end(tl_websocket *s)
{
    if (s->ended) return;
    s->ended = 1;
    tl_timer_stop(&s->timer);
    tl_stream_pause(s->stream, 1);
    s->options.on_change(s->options.data);
}

/* ---- what wslay calls ---- */

static ssize_t on_recv(wslay_event_context_ptr context, uint8_t *bytes, size_t length, int flags, void *data)
{
    (void)flags;
    tl_websocket *s = data;
    tl_error err = {0};
    if (s->paused) {
        s->wslay->set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (s->early.len) {
        size_t got = s->early.len < length ? s->early.len : length;
        memcpy(bytes, s->early.data, got);
        tl_buf_consume(&s->early, got);
        return (ssize_t)got;
    }
    int64_t got = tl_stream_read(s->stream, (char *)bytes, length, &err);
    if (got > 0) {
        s->heard = tl_loop_now(s->options.loop);
        return (ssize_t)got;
    }
    int later = got < 0 && strcmp(err.kind, "again") == 0;
    if (!later) {
        s->broken = 1;
        if (got < 0) tl_error_move(&s->err, &err);
    }
    tl_error_dispose(&err);
    s->wslay->set_error(context, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *bytes, size_t length, int flags, void *data)
{
    (void)flags;
    tl_websocket *s = data;
    tl_error err = {0};
    int64_t put = tl_stream_write(s->stream, (const char *)bytes, length, &err);
    tl_error_dispose(&err); /* a peer that reads no more may have said why: reading goes on */
    if (put > 0) return (ssize_t)put;
    s->deaf |= put < 0;
    s->wslay->set_error(context, put == 0 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int on_mask(wslay_event_context_ptr context, uint8_t *bytes, size_t length, void *data)
{
    (void)context;
    (void)data;
    return getentropy(bytes, length);
}

static void on_frame(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *arg, void *data)
{
    (void)context;
    tl_websocket *s = data;
    s->control = wslay_is_ctrl_frame(arg->opcode);
    if (s->control) return;
    s->first = arg->opcode != WSLAY_CONTINUATION_FRAME;
    if (arg->payload_length || !s->first) return;
    s->options.on_piece(s->options.data, 1, "", 0);
    s->first = 0;
}

static void on_chunk(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_chunk_arg *arg, void *data)
{
    (void)context;
    tl_websocket *s = data;
    if (s->control) return;
    s->options.on_piece(s->options.data, s->first, (const char *)arg->data, arg->data_length);
    s->first = 0;
}

/* ---- the socket ---- */

static void flush(tl_websocket *s)
{
    if (!s->ended && s->wslay->want_write(s->context)) s->wslay->send(s->context);
}

void tl_websocket_readable(tl_websocket *s)
{
    if (s->ended) return;
    int rc = s->wslay->recv(s->context);
    if (s->ended) return;
    flush(s); /* answers to pings and to a close */
    if (s->wslay->get_close_received(s->context)) {
        tl_error_dispose(&s->err);
        int code = s->wslay->get_status_code_received(s->context);
        if (code != WSLAY_CODE_NORMAL_CLOSURE && code != WSLAY_CODE_GOING_AWAY && code != WSLAY_CODE_NO_STATUS_RCVD && code)
            tl_error_set(&s->err, "closed", "the peer ended the stream with WebSocket status %d", code);
        end(s);
    } else if (s->broken) {
        if (!s->err.message) tl_error_set(&s->err, "closed", "the connection was closed in the middle of the stream");
        end(s);
    } else if (rc || (!s->wslay->want_read(s->context) && !s->paused)) {
        tl_error_set(&s->err, "parse", "the peer broke the WebSocket protocol");
        end(s);
    }
}

void tl_websocket_writable(tl_websocket *s)
{
    if (s->ended) return;
    flush(s);
    s->options.on_change(s->options.data);
}

/* Where our own bytes wait the peer may be busy with what it has: TCP's own limits end a dead one then. */
static void on_timer(tl_timer *timer)
{
    tl_websocket *s = timer->data;
    int64_t now = tl_loop_now(timer->loop), quiet = now - s->heard;
    if (s->paused || (tl_websocket_unsent(s) && !s->deaf)) s->heard = now;
    if (quiet >= s->options.silence_ms && s->heard != now) {
        tl_error_set(&s->err, "timeout", "the peer has been silent for %lld s", (long long)(quiet / 1000));
        end(s);
        return;
    }
    const struct wslay_event_msg ping = {.opcode = WSLAY_PING};
    int64_t left = s->options.ping_ms - quiet;
    if (left <= 0) {
        s->wslay->queue_msg(s->context, &ping);
        left = s->options.silence_ms - quiet;
    }
    flush(s);
    tl_timer_start(timer->loop, timer, left > 0 && left < s->options.ping_ms ? left : s->options.ping_ms);
}

tl_websocket *tl_websocket_new(tl_stream *stream, const char *early, size_t length, const tl_websocket_options *options,
                               tl_error *err)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .genmask_callback = on_mask,
        .on_frame_recv_start_callback = on_frame,
        .on_frame_recv_chunk_callback = on_chunk,
    };
    const tl_wslay *wslay = tl_wslay_load(err);
    if (!wslay) return NULL;
    tl_websocket *s = tl_calloc(1, sizeof *s);
    s->wslay = wslay;
    if (wslay->context_client_init(&s->context, &callbacks, s)) {
        tl_error_set(err, "io", "wslay gave no context");
        free(s);
        return NULL;
    }
    wslay->config_set_no_buffering(s->context, 1);
    wslay->config_set_max_recv_msg_length(s->context, LONGEST_MESSAGE);
    s->stream = stream;
    s->options = *options;
    if (!s->options.silence_ms) s->options.silence_ms = SILENCE_MS;
    if (!s->options.ping_ms) s->options.ping_ms = s->options.silence_ms / 2 < PING_MS ? s->options.silence_ms / 2 : PING_MS;
    tl_buf_init(&s->early, SIZE_MAX);
    tl_buf_add(&s->early, early, length);
    s->heard = tl_loop_now(options->loop);
    s->timer.on_due = on_timer;
    s->timer.data = s;
    tl_timer_start(options->loop, &s->timer, s->options.ping_ms);
    return s;
}

void tl_websocket_free(tl_websocket *s)
{
    if (!s) return;
    tl_timer_stop(&s->timer);
    s->wslay->context_free(s->context);
    tl_buf_dispose(&s->early);
    tl_error_dispose(&s->err);
    free(s);
}

void tl_websocket_send(tl_websocket *s, const char *bytes, size_t length)
{
    const struct wslay_event_msg message = {
        .opcode = WSLAY_BINARY_FRAME, .msg = (const uint8_t *)bytes, .msg_length = length};
    if (s->ended) return;
    s->wslay->queue_msg(s->context, &message);
    flush(s);
}

size_t tl_websocket_unsent(const tl_websocket *s)
{
    return s->ended ? 0 : s->wslay->get_queued_msg_length(s->context);
}

void tl_websocket_close(tl_websocket *s)
{
    if (s->ended) return;
    s->wslay->queue_close(s->context, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    flush(s);
}

void tl_websocket_abort(tl_websocket *s)
{
    s->ended = 1;
    tl_timer_stop(&s->timer);
}

void tl_websocket_pause(tl_websocket *s, int paused)
{
    if (s->ended || s->paused == !!paused) return;
    s->paused = !!paused;
    if (!s->paused) s->heard = tl_loop_now(s->options.loop);
    tl_stream_pause(s->stream, paused);
}

int tl_websocket_ended(const tl_websocket *s)
{
    return s->ended;
}

tl_error *tl_websocket_error(tl_websocket *s)
{
    return s->err.message ? &s->err : NULL;
}
