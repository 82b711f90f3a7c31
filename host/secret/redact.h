#ifndef TL_SECRET_REDACT_H
#define TL_SECRET_REDACT_H

#include <stddef.h>

#include "base/buf.h"

/* Replaces known secrets in what the program prints. Each secret of six bytes or more is found raw, as standard and URL
 * base64 at each of the three alignments, URL-encoded and JSON-escaped, and becomes TL_REDACTED. */
#define TL_REDACTED "•••"
#define TL_REDACT_SHORTEST 6

typedef struct tl_redactor tl_redactor;
tl_redactor *tl_redactor_new(void);
/* Cleanses and frees what it knows. */
void tl_redactor_free(tl_redactor *redactor);
/* Learns a secret; one shorter than TL_REDACT_SHORTEST or already known is ignored. */
void tl_redactor_add(tl_redactor *redactor, const char *secret, size_t length);
/* Appends text with the secrets replaced. */
void tl_redact(tl_redactor *redactor, const char *text, size_t length, tl_buf *out);

/* A stream finds secrets that are split over two writes: it holds back the bytes at the end that may be the start of
 * one. Zero the struct, set `redactor`, and end with flush. */
typedef struct tl_redact_stream {
    tl_redactor *redactor;
    tl_buf held;
} tl_redact_stream;
void tl_redact_stream_init(tl_redact_stream *stream, tl_redactor *redactor);
/* 1 where text goes through as it is: no secret is known, none held back. */
int tl_redact_stream_idle(const tl_redact_stream *stream);
void tl_redact_stream_feed(tl_redact_stream *stream, const char *text, size_t length, tl_buf *out);
/* Lets go of what is held back (the text ends here, or people wait for it). */
void tl_redact_stream_flush(tl_redact_stream *stream, tl_buf *out);
void tl_redact_stream_dispose(tl_redact_stream *stream);

#endif
