#ifndef TL_NET_ANSWER_H
#define TL_NET_ANSWER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Reads one HTTP/1.1 answer (RFC 9112) off a byte stream: for connections that libcurl only opens. */
typedef struct tl_answer {
    tl_buf head; /* status line and headers */
    tl_buf body;
    int status;  /* 0 before the head is complete; interim answers (1xx but 101) are skipped */
    int done;
    int state;     /* the reader's own */
    size_t left;   /* bytes of the body or of the chunk, SIZE_MAX: until the peer closes */
    tl_buf line;   /* of the chunked framing */
} tl_answer;

/* `limit` in bytes, of the body. */
void tl_answer_init(tl_answer *answer, size_t limit);
void tl_answer_dispose(tl_answer *answer);
/* Forgets everything, for the next answer on the same connection. */
void tl_answer_clear(tl_answer *answer);
/* Takes bytes until the answer is done: how many it took, or -1 with kind "parse" or "too_large". After 101 the bytes
 * that are left belong to the new protocol. */
int64_t tl_answer_feed(tl_answer *answer, const char *bytes, size_t length, tl_error *err);
/* The peer closed: fine where its end is the body's; -1 with kind "closed" else. */
int tl_answer_end(tl_answer *answer, tl_error *err);
/* Appends the header's value (the first one); 0 where there is no such header. */
int tl_answer_header(const tl_answer *answer, const char *name, tl_buf *out);

#endif
