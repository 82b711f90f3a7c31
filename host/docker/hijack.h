#ifndef TL_DOCKER_HIJACK_H
#define TL_DOCKER_HIJACK_H

#include "docker/demux.h"
#include "docker/engine.h"

/* A connection that becomes a byte stream in both directions after a request (exec start, attach). */
typedef struct tl_hijack tl_hijack;

typedef struct tl_hijack_options {
    const char *path; /* without version */
    const char *protocol; /* that it becomes; NULL: "tcp" */
    const tl_header *headers;
    size_t header_count;
    const char *body; /* JSON */
    size_t body_len;
    int tty; /* the answer is one plain stream instead of frames */
    /* The container's output: stream 1 or 2. Reading stops while tl_hijack_pause is on. */
    void (*on_output)(tl_hijack *hijack, int stream, const char *bytes, size_t length, void *data);
    void (*on_change)(tl_hijack *hijack, void *data); /* connected, more can be written, or ended */
    void *data;
} tl_hijack_options;

/* NULL and *err where it cannot be started. Free with tl_hijack_free, which closes the connection. */
tl_hijack *tl_hijack_start(tl_net *net, tl_engine *engine, const tl_hijack_options *options, tl_error *err);
void tl_hijack_free(tl_hijack *hijack);
void tl_hijack_pause(tl_hijack *hijack, int paused);
/* Bytes for the container's standard input, kept until they can be sent; tl_hijack_unsent tells how many wait. */
void tl_hijack_write(tl_hijack *hijack, const char *bytes, size_t length);
size_t tl_hijack_unsent(const tl_hijack *hijack);
/* Sends without keeping: how many bytes were taken; where they were fewer, on_change comes once more fit. */
size_t tl_hijack_put(tl_hijack *hijack, const char *bytes, size_t length);
/* 1 once the engine has agreed and the connection is the stream. */
int tl_hijack_is_open(const tl_hijack *hijack);
/* Ends the standard input once all is sent. */
void tl_hijack_close_input(tl_hijack *hijack);
int tl_hijack_ended(const tl_hijack *hijack);
/* After the end: 0, or -1 and why (moved out: ask once). */
int tl_hijack_result(tl_hijack *hijack, tl_error *err);

#endif
