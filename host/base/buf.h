#ifndef TL_BASE_BUF_H
#define TL_BASE_BUF_H

#include <stddef.h>

#include "base/error.h"

/* A growing byte buffer with a limit. Appends past the limit set `over` and are dropped, so a chain of appends is
 * checked once, at its end. `data` always ends with a NUL that `len` does not count, and is "" while empty. */
typedef struct tl_buf {
    char *data;
    size_t len, cap, max;
    int over;
} tl_buf;

/* The static empty start: no memory is taken before the first byte. `limit` in bytes; SIZE_MAX where the content is
 * our own. */
#define TL_BUF_INIT(limit) {(char *)tl_buf_empty, 0, 0, (limit), 0}
extern const char tl_buf_empty[1];

void tl_buf_init(tl_buf *buf, size_t limit);
/* Frees the memory and returns to the empty start (the limit stays). */
void tl_buf_dispose(tl_buf *buf);
/* Forgets the content, keeps the memory. */
void tl_buf_clear(tl_buf *buf);
/* Room for `extra` more bytes at data + len; NULL (and `over`) past the limit. The caller then adds to len itself and
 * writes the final NUL with tl_buf_add_len. */
char *tl_buf_reserve(tl_buf *buf, size_t extra);
void tl_buf_add_len(tl_buf *buf, size_t added);
void tl_buf_add(tl_buf *buf, const void *bytes, size_t length);
void tl_buf_adds(tl_buf *buf, const char *text);
void tl_buf_addc(tl_buf *buf, char c);
void tl_buf_addf(tl_buf *buf, const char *format, ...) TL_PRINTF(2, 3);
/* Drops the first `length` bytes. */
void tl_buf_consume(tl_buf *buf, size_t length);
/* Hands the memory to the caller (free with free()) and empties the buffer. */
char *tl_buf_take(tl_buf *buf);

#endif
