#ifndef TL_K8S_LINES_H
#define TL_K8S_LINES_H

#include <stddef.h>

#include "base/buf.h"

/* Cuts a byte stream into lines, holding at most one line's worth of bytes beyond the piece that is being fed. */
typedef struct tl_lines {
    tl_buf rest; /* the unfinished line */
    size_t max;  /* bytes of a line */
    int (*on_line)(void *data, const char *line, size_t length, int whole);
    void *data;
} tl_lines;

/* on_line gets each line without its newline (a carriage return stays: it belongs to the text). A line longer than
 * `max` arrives in pieces of `max` bytes with whole = 0 until its last one. A non-zero result stops the feeding. */
void tl_lines_init(tl_lines *lines, size_t max, int (*on_line)(void *, const char *, size_t, int), void *data);
/* Returns 0, or what on_line returned. */
int tl_lines_feed(tl_lines *lines, const char *bytes, size_t length);
/* The stream has ended: delivers an unfinished last line. */
int tl_lines_end(tl_lines *lines);
/* Forgets an unfinished line. */
void tl_lines_reset(tl_lines *lines);
void tl_lines_dispose(tl_lines *lines);

#endif
