/* gRPC's server side on nghttp2. */
#include "net/grpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/mem.h"

#define MOST_CALLS 100
#define LONGEST_MESSAGE ((size_t)4 << 20) /* as gRPC's own */
#define MOST_METADATA ((size_t)1 << 20)
#define MOST_FRAME ((size_t)16 << 20) /* of HTTP/2: a piece may reach into the next message */
#define PREFIX 5 /* bytes before each message: not compressed, length */
#define MOST_AT_ONCE ((size_t)4 << 20)

struct tl_grpc_call {
    tl_grpc *server;
    tl_grpc_call *next, **link;
    const tl_grpc_method *method; /* NULL until its path is known */
    void *data;
    int kept; /* data is the call's own */
    int32_t id;
    tl_buf metadata; /* name, NUL, value, NUL, … */
    tl_buf in, out;
    size_t taken; /* bytes of `out` that nghttp2 has */
    int finished, asleep, status;
    char *why;
};

struct tl_grpc {
    tl_grpc_options options;
    nghttp2_session *session;
    tl_grpc_call *calls;
    const uint8_t *left; /* what nghttp2 gave and the connection has not taken */
    size_t left_len;
};

/* ---- sending ---- */

static nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* Bytes that a header cannot hold are written as %XX. */
static void add_escaped(tl_buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c > '~' || c == '%')
            tl_buf_addf(out, "%%%02X", c);
        else
            tl_buf_addc(out, (char)c);
    }
}

static void submit_trailer(tl_grpc_call *call)
{
    char status[16];
    tl_buf why = TL_BUF_INIT(MOST_METADATA);
    snprintf(status, sizeof status, "%d", call->status);
    add_escaped(&why, call->why ? call->why : "");
    const nghttp2_nv trailer[] = {header("grpc-status", status), header("grpc-message", why.data)};
    nghttp2_submit_trailer(call->server->session, call->id, trailer, call->why ? 2 : 1);
    tl_buf_dispose(&why);
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *bytes, size_t length, uint32_t *flags,
                       nghttp2_data_source *source, void *data)
{
    (void)session;
    (void)id;
    (void)data;
    tl_grpc_call *call = source->ptr;
    if (call->taken == call->out.len) {
        tl_buf_clear(&call->out);
        call->taken = 0;
        if (!call->finished && call->method->produce) call->method->produce(call, call->data);
    }
    size_t there = call->out.len - call->taken;
    if (!there && !call->finished) {
        call->asleep = 1;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (!there) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailer(call);
        return 0;
    }
    if (there > length) there = length;
    memcpy(bytes, call->out.data + call->taken, there);
    call->taken += there;
    return (ssize_t)there;
}

static void answer(tl_grpc_call *call)
{
    const nghttp2_nv head[] = {header(":status", "200"), header("content-type", "application/grpc")};
    const nghttp2_data_provider provider = {.source.ptr = call, .read_callback = on_read};
    nghttp2_submit_response(call->server->session, call->id, head, 2, &provider);
}

void tl_grpc_wake(tl_grpc_call *call)
{
    if (!call->asleep) return;
    call->asleep = 0;
    nghttp2_session_resume_data(call->server->session, call->id);
}

void tl_grpc_send(tl_grpc_call *call, const void *bytes, size_t length)
{
    const unsigned char prefix[PREFIX] = {0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                          (unsigned char)(length >> 8), (unsigned char)length};
    if (call->finished) return;
    tl_buf_add(&call->out, prefix, PREFIX);
    tl_buf_add(&call->out, bytes, length);
    tl_grpc_wake(call);
}

void tl_grpc_finish(tl_grpc_call *call, int status, const char *message)
{
    if (call->finished) return;
    call->finished = 1;
    call->status = status;
    if (message) call->why = tl_strdup(message);
    tl_grpc_wake(call);
}

int tl_grpc_flush(tl_grpc *g, tl_error *err)
{
    for (size_t sent = 0; sent < MOST_AT_ONCE;) {
        if (!g->left_len) {
            ssize_t made = nghttp2_session_mem_send(g->session, &g->left);
            if (made < 0) return tl_error_set(err, "closed", "HTTP/2: %s", nghttp2_strerror((int)made));
            if (made == 0) return 0;
            g->left_len = (size_t)made;
        }
        int64_t put = g->options.write((const char *)g->left, g->left_len, g->options.data);
        if (put < 0) return tl_error_set(err, "closed", "the connection was closed");
        g->left += put;
        g->left_len -= (size_t)put;
        sent += (size_t)put;
        if (g->left_len) return 0;
    }
    return 1;
}

/* ---- receiving ---- */

static void drop_call(tl_grpc_call *call)
{
    *call->link = call->next;
    if (call->next) call->next->link = call->link;
    if (call->kept && call->method->release) call->method->release(call->data);
    tl_buf_dispose(&call->metadata);
    tl_buf_dispose(&call->in);
    tl_buf_dispose(&call->out);
    free(call->why);
    free(call);
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    tl_grpc *g = data;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    tl_grpc_call *call = tl_calloc(1, sizeof *call);
    call->server = g;
    call->data = g->options.data;
    call->id = frame->hd.stream_id;
    tl_buf_init(&call->metadata, MOST_METADATA);
    tl_buf_init(&call->in, LONGEST_MESSAGE + PREFIX + MOST_FRAME);
    tl_buf_init(&call->out, SIZE_MAX);
    call->next = g->calls;
    call->link = &g->calls;
    if (call->next) call->next->link = &call->next;
    g->calls = call;
    return nghttp2_session_set_stream_user_data(session, call->id, call);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *data)
{
    (void)flags;
    (void)data;
    tl_grpc_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!call) return 0;
    tl_buf_add(&call->metadata, name, name_len + 1); /* nghttp2 ends both with a NUL, and allows none in them */
    tl_buf_add(&call->metadata, value, value_len + 1);
    return call->metadata.over ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

const char *tl_grpc_metadata(const tl_grpc_call *call, const char *name, size_t index)
{
    const char *at = call->metadata.data, *end = at + call->metadata.len;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (!strcmp(at, name) && index-- == 0) return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

void tl_grpc_keep(tl_grpc_call *call, void *data)
{
    call->data = data;
    call->kept = 1;
}

static void begin_call(tl_grpc_call *call)
{
    static const tl_grpc_method unknown = {0};
    const tl_grpc *g = call->server;
    const char *path = tl_grpc_metadata(call, ":path", 0);
    call->method = &unknown;
    for (size_t i = 0; path && i < g->options.method_count; i++)
        if (!strcmp(g->options.methods[i].path, path)) call->method = &g->options.methods[i];
    if (call->method == &unknown)
        tl_grpc_finish(call, TL_GRPC_UNIMPLEMENTED, "unknown method");
    else if (call->method->start)
        call->method->start(call, call->data);
    answer(call);
}

/* Hands on the messages that are complete. */
static void take_messages(tl_grpc_call *call)
{
    size_t at = 0;
    while (!call->finished && call->in.len - at >= PREFIX) {
        const unsigned char *p = (const unsigned char *)call->in.data + at;
        size_t length = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        if (p[0])
            tl_grpc_finish(call, TL_GRPC_UNIMPLEMENTED, "compressed messages are not taken");
        else if (length > LONGEST_MESSAGE)
            tl_grpc_finish(call, TL_GRPC_EXHAUSTED, "the message is too long");
        else if (call->in.len - at - PREFIX < length)
            break;
        else
            call->method->message(call, (const char *)p + PREFIX, length, call->data);
        at += PREFIX + length;
    }
    if (call->finished)
        tl_buf_clear(&call->in);
    else
        tl_buf_consume(&call->in, at);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *data)
{
    (void)flags;
    (void)data;
    tl_grpc_call *call = nghttp2_session_get_stream_user_data(session, id);
    if (!call || !call->method || call->finished) return 0;
    tl_buf_add(&call->in, bytes, length);
    take_messages(call);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    (void)data;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    tl_grpc_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!call) return 0;
    if (!call->method) begin_call(call);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !call->finished && call->method->half_close)
        call->method->half_close(call, call->data);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
    (void)code;
    (void)data;
    tl_grpc_call *call = nghttp2_session_get_stream_user_data(session, id);
    if (call) drop_call(call);
    return 0;
}

int tl_grpc_feed(tl_grpc *g, const char *bytes, size_t length, tl_error *err)
{
    ssize_t taken = nghttp2_session_mem_recv(g->session, (const uint8_t *)bytes, length);
    return taken < 0 ? tl_error_set(err, "parse", "HTTP/2: %s", nghttp2_strerror((int)taken)) : 0;
}

tl_grpc *tl_grpc_new(const tl_grpc_options *options, tl_error *err)
{
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MOST_CALLS}};
    nghttp2_session_callbacks *callbacks = NULL;
    tl_grpc *g = tl_calloc(1, sizeof *g);
    g->options = *options;
    if (nghttp2_session_callbacks_new(&callbacks) == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        nghttp2_session_server_new(&g->session, callbacks, g);
        nghttp2_session_callbacks_del(callbacks);
    }
    if (g->session && nghttp2_submit_settings(g->session, NGHTTP2_FLAG_NONE, settings, 1) == 0) return g;
    tl_error_set(err, "io", "nghttp2 gave no session");
    tl_grpc_free(g);
    return NULL;
}

void tl_grpc_free(tl_grpc *g)
{
    if (!g) return;
    nghttp2_session_del(g->session);
    while (g->calls) drop_call(g->calls);
    free(g);
}
