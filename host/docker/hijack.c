/* Requests whose connection turns into a byte stream ("Upgrade: tcp" in the engine's API). */
#include "docker/hijack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LONGEST_HEAD ((size_t)64 << 10)
#define MOST_REFUSAL ((size_t)1 << 20)
#define CHUNK 65536

struct tl_hijack {
    tl_engine *engine;
    tl_stream *stream;
    tl_buf unsent;
    tl_buf input; /* waits for the answer: the engine loses what it reads together with the request */
    tl_buf head; /* status line and headers, then an error's body */
    int status;  /* of the answer, 0 before */
    size_t body_left; /* of an error's body; SIZE_MAX until the end */
    int tty, input_closed, ended;
    tl_demux demux;
    tl_error err;
    tl_hijack_options options;
};

static void finish(tl_hijack *h)
{
    if (h->ended) return;
    h->ended = 1;
    tl_stream_pause(h->stream, 1);
    h->options.on_change(h, h->options.data);
}

static void on_frame(void *context, int stream, const char *bytes, size_t length)
{
    tl_hijack *h = context;
    h->options.on_output(h, stream, bytes, length, h->options.data);
}

static void refuse(tl_hijack *h, const char *body, size_t length)
{
    tl_engine_refused(h->status, body, length, &h->err);
    finish(h);
}

/* Looks for the end of the head: 1 and what follows it, 0 where more is needed. */
static int read_head(tl_hijack *h, const char **rest, size_t *length)
{
    char *stop = strstr(h->head.data, "\r\n\r\n");
    if (!stop) return 0;
    if (sscanf(h->head.data, "HTTP/%*d.%*d %d", &h->status) != 1) h->status = 500;
    *stop = 0;
    const char *size = strcasestr(h->head.data, "\r\nContent-Length:");
    h->body_left = size ? strtoul(size + strlen("\r\nContent-Length:"), NULL, 10) : SIZE_MAX;
    *rest = stop + 4;
    *length = h->head.len - (size_t)(*rest - h->head.data);
    return 1;
}

static void take_output(tl_hijack *h, const char *bytes, size_t length)
{
    if (h->tty)
        h->options.on_output(h, 1, bytes, length, h->options.data);
    else if (tl_demux_feed(&h->demux, bytes, length, &h->err) < 0)
        finish(h);
}

static void send_some(tl_hijack *h)
{
    tl_error err = {0};
    while (h->unsent.len) {
        int64_t put = tl_stream_write(h->stream, h->unsent.data, h->unsent.len, &err);
        if (put < 0) {
            /* A command that ends without reading its input; what it printed still comes. */
            tl_error_dispose(&err);
            tl_buf_clear(&h->unsent);
            return;
        }
        if (put == 0) return;
        tl_buf_consume(&h->unsent, (size_t)put);
    }
    if (h->input_closed && h->status) tl_stream_shutdown(h->stream);
}

static void start_input(tl_hijack *h)
{
    tl_buf_add(&h->unsent, h->input.data, h->input.len);
    tl_buf_dispose(&h->input);
    send_some(h);
    h->options.on_change(h, h->options.data);
}

static void take(tl_hijack *h, const char *bytes, size_t length)
{
    if (h->status && h->status < 400) {
        take_output(h, bytes, length);
        return;
    }
    tl_buf_add(&h->head, bytes, length);
    if (h->head.over) {
        tl_error_set(&h->err, "parse", "the engine's answer has no end of its headers");
        finish(h);
        return;
    }
    if (!h->status) {
        const char *rest;
        size_t left;
        if (!read_head(h, &rest, &left)) return;
        if (h->status < 400) {
            start_input(h);
            if (left) take_output(h, rest, left);
            return;
        }
        tl_buf_consume(&h->head, h->head.len - left);
        h->head.max = MOST_REFUSAL;
    }
    if (h->head.len >= h->body_left) refuse(h, h->head.data, h->head.len);
}

static void on_readable(tl_stream *stream, void *data)
{
    tl_hijack *h = data;
    char bytes[CHUNK];
    tl_error err = {0};
    int64_t got = tl_stream_read(stream, bytes, sizeof bytes, &err);
    if (got > 0) {
        take(h, bytes, (size_t)got);
    } else if (got == 0) {
        if (h->status >= 400)
            refuse(h, h->head.data, h->head.len);
        else if (!h->status)
            tl_error_set(&h->err, "closed", "the Docker engine closed the connection without an answer");
        finish(h);
    } else if (strcmp(err.kind, "again") != 0) {
        tl_error_move(&h->err, &err);
        finish(h);
    }
    tl_error_dispose(&err);
}

static void on_connect(tl_stream *stream, void *data)
{
    tl_hijack *h = data;
    if (tl_stream_error(stream)) {
        tl_engine_unreachable(h->engine, tl_stream_error(stream), &h->err);
        finish(h);
        return;
    }
    send_some(h);
}

static void on_writable(tl_stream *stream, void *data)
{
    (void)stream;
    tl_hijack *h = data;
    send_some(h);
    h->options.on_change(h, h->options.data);
}

tl_hijack *tl_hijack_start(tl_net *net, tl_engine *engine, const tl_hijack_options *o, tl_error *err)
{
    tl_hijack *h = tl_calloc(1, sizeof *h);
    tl_buf url = TL_BUF_INIT(SIZE_MAX);
    h->engine = tl_engine_share(engine);
    h->options = *o;
    h->options.path = h->options.body = h->options.protocol = NULL;
    h->options.headers = NULL;
    h->tty = o->tty;
    h->demux.sink = on_frame;
    h->demux.context = h;
    tl_buf_init(&h->unsent, SIZE_MAX);
    tl_buf_init(&h->input, SIZE_MAX);
    tl_buf_init(&h->head, LONGEST_HEAD);
    tl_buf_adds(&h->unsent, "POST ");
    tl_engine_path(engine, o->path, &h->unsent);
    tl_buf_addf(&h->unsent, " HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: %s\r\n", o->protocol ? o->protocol : "tcp");
    for (size_t i = 0; i < o->header_count; i++) tl_buf_addf(&h->unsent, "%s: %s\r\n", o->headers[i].name, o->headers[i].value);
    tl_buf_addf(&h->unsent, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", o->body_len);
    tl_buf_add(&h->unsent, o->body, o->body_len);
    tl_stream_options s = {.on_connect = on_connect, .on_readable = on_readable, .on_writable = on_writable, .data = h};
    tl_engine_aim_stream(engine, &url, &s);
    h->stream = tl_stream_open(net, &s, err);
    tl_buf_dispose(&url);
    if (h->stream) return h;
    tl_hijack_free(h);
    return NULL;
}

void tl_hijack_free(tl_hijack *h)
{
    if (!h) return;
    tl_stream_free(h->stream);
    tl_buf_dispose(&h->unsent);
    tl_buf_dispose(&h->input);
    tl_buf_dispose(&h->head);
    tl_error_dispose(&h->err);
    tl_engine_free(h->engine);
    free(h);
}

void tl_hijack_pause(tl_hijack *h, int paused)
{
    if (!h->ended) tl_stream_pause(h->stream, paused);
}

void tl_hijack_write(tl_hijack *h, const char *bytes, size_t length)
{
    tl_buf_add(h->status ? &h->unsent : &h->input, bytes, length);
    if (h->status) send_some(h);
}

size_t tl_hijack_put(tl_hijack *h, const char *bytes, size_t length)
{
    tl_error err = {0};
    if (!tl_hijack_is_open(h) || h->unsent.len) return 0;
    int64_t put = tl_stream_write(h->stream, bytes, length, &err);
    tl_error_dispose(&err); /* reading meets the end, and tells of it */
    return put < 0 ? 0 : (size_t)put;
}

int tl_hijack_is_open(const tl_hijack *h)
{
    return h->status && h->status < 400 && !h->ended;
}

size_t tl_hijack_unsent(const tl_hijack *h)
{
    return h->unsent.len + h->input.len;
}

void tl_hijack_close_input(tl_hijack *h)
{
    h->input_closed = 1;
    if (h->status && !h->unsent.len) tl_stream_shutdown(h->stream);
}

int tl_hijack_ended(const tl_hijack *h)
{
    return h->ended;
}

int tl_hijack_result(tl_hijack *h, tl_error *err)
{
    if (!h->err.message) return 0;
    tl_error_move(err, &h->err);
    return -1;
}
