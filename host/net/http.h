#ifndef TL_NET_HTTP_H
#define TL_NET_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "loop/loop.h"

/* HTTP(S) over TCP and unix sockets on libcurl's multi interface, driven by the loop. libcurl is loaded on the first
 * tl_net_new. One tl_net per program. */
typedef struct tl_net tl_net;

tl_net *tl_net_new(tl_loop *loop, tl_error *err);
void tl_net_free(tl_net *net);
tl_loop *tl_net_loop(const tl_net *net);

/* Client certificates, authorities and names; every string is borrowed for the time of the call that takes it.
 * PEM text is handed to TLS from memory and never written to a file. */
typedef struct tl_tls {
    const char *ca_pem;   /* authorities that are trusted instead of the system's, or NULL */
    const char *ca_file;  /* the same as a path, or NULL */
    const char *cert_pem; /* client certificate and key, or NULL */
    const char *key_pem;
    const char *server_name; /* verified instead of the URL's host, or NULL */
    int insecure;            /* no verification at all */
} tl_tls;

typedef struct tl_header {
    const char *name, *value;
} tl_header;

typedef struct tl_http_request tl_http_request;

typedef struct tl_http_options {
    const char *method; /* default GET */
    const char *url;
    const char *unix_socket; /* path, or NULL */
    const tl_header *headers;
    size_t header_count;
    const void *body; /* copied; NULL and 0: none */
    size_t body_len;
    /* A streamed body instead: fills at most `size` bytes and returns how many, 0 at the end, -1 to abort, or
     * TL_HTTP_PAUSE (call tl_http_resume when more is there). body_size is its length, or -1: chunked. */
    int64_t (*read_body)(void *data, char *buffer, size_t size);
    int64_t body_size;
    const tl_tls *tls;
    int64_t timeout_ms;         /* whole transfer, 0: none (watches, logs) */
    int64_t connect_timeout_ms; /* 0: 10 s */
    int64_t idle_timeout_ms;    /* no byte in either direction for so long fails with kind "timeout"; 0: none */
    const char *proxy;          /* NULL: the environment's; "": none */
    int http1;                  /* own HTTP/1.1 connection (long streams) */
    int fresh;                  /* a connection of its own, closed afterwards: proves a route anew */
    int follow;                 /* follow up to 10 redirects */
    size_t max_body;            /* collected bodies only; 0: 64 MiB; more fails with kind "too_large" */
    const char *username, *password; /* basic auth, or NULL */
    /* Called when the connection is chosen and before a byte of the request goes out; again where that connection turns
     * out dead and another one is taken. `local_port` tells connections to one server apart while they live; `fresh`:
     * it was made for this request. Return -1 to send nothing: the request ends with kind "aborted". May be NULL. */
    int (*before_send)(tl_http_request *request, int local_port, int fresh, void *data);
    /* Called with the status line and headers complete, before the body. May be NULL. */
    void (*on_headers)(tl_http_request *request, void *data);
    /* Streams the body instead of collecting it; return -1 to abort the transfer, TL_HTTP_PAUSE to stop reading until
     * tl_http_resume (the same bytes come again). May be NULL. */
    int (*on_body)(tl_http_request *request, const char *bytes, size_t length, void *data);
    /* Called once at the end, never after tl_http_cancel. Failure of the transfer: tl_http_error is set; an HTTP error
     * status is no failure here. The request may be freed inside. */
    void (*on_done)(tl_http_request *request, void *data);
    void *data;
} tl_http_options;

#define TL_HTTP_PAUSE (-2)

/* Starts a transfer. NULL and *err filled where the options are wrong. Free with tl_http_free. */
tl_http_request *tl_http_start(tl_net *net, const tl_http_options *options, tl_error *err);
/* Takes a transfer out at once; on_done will not come. Harmless after the end. */
void tl_http_cancel(tl_http_request *request);
/* Cancels if needed and frees. */
void tl_http_free(tl_http_request *request);
/* Continues after TL_HTTP_PAUSE, in both directions. */
void tl_http_resume(tl_http_request *request);

int tl_http_done(const tl_http_request *request);
/* HTTP status, 0 before the headers. */
int tl_http_status(const tl_http_request *request);
/* "404 Not Found" as the server's status line has it; NULL before the headers and where HTTP/2 is spoken, which has no
 * such text. */
const char *tl_http_status_text(const tl_http_request *request);
/* NULL where there is no such header; case-insensitive; the last one where it repeats. */
const char *tl_http_header(const tl_http_request *request, const char *name);
/* All headers in order, lower-case names. */
const tl_header *tl_http_headers(const tl_http_request *request, size_t *count);
/* The collected body; the request owns it. */
const tl_buf *tl_http_body(const tl_http_request *request);
/* NULL where the transfer did not fail. Kinds: "connect" (refused, no route), "dns", "tls", "timeout", "closed",
 * "too_large", "aborted", "io"; messages name host and port, hints the next step. */
tl_error *tl_http_error(tl_http_request *request);

/* A byte stream after a hijack (Docker attach and exec, WebSocket): connects, with TLS where asked, through libcurl's
 * CONNECT_ONLY in a multi of its own and hands out non-blocking reads and writes. */
typedef struct tl_stream tl_stream;
typedef struct tl_stream_options {
    const char *url;         /* scheme http or https decides on TLS; host and port */
    const char *unix_socket; /* or NULL */
    const tl_tls *tls;
    int64_t connect_timeout_ms;
    const char *proxy;
    void (*on_connect)(tl_stream *stream, void *data); /* connected, or failed: see tl_stream_error */
    void (*on_readable)(tl_stream *stream, void *data);
    void (*on_writable)(tl_stream *stream, void *data); /* only after a short write */
    void *data;
} tl_stream_options;
tl_stream *tl_stream_open(tl_net *net, const tl_stream_options *options, tl_error *err);
/* Bytes read; 0 at the peer's end; -1 with kind "again" where nothing is there now, else a failure. */
int64_t tl_stream_read(tl_stream *stream, char *buffer, size_t size, tl_error *err);
/* Bytes taken, possibly fewer than given (on_writable will come); -1 on failure. */
int64_t tl_stream_write(tl_stream *stream, const char *bytes, size_t length, tl_error *err);
/* Says that no more will be written (a TCP half-close); reading goes on. */
void tl_stream_shutdown(tl_stream *stream);
tl_error *tl_stream_error(tl_stream *stream);
/* Reading off and on again, for back-pressure. */
void tl_stream_pause(tl_stream *stream, int paused);
void tl_stream_free(tl_stream *stream);

#endif
