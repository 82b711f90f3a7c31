#ifndef TL_DOCKER_OUTPUT_H
#define TL_DOCKER_OUTPUT_H

#include <stddef.h>

#include "base/buf.h"

#define TL_OUTPUT_LINES 20

/* What a step of a build prints: its lines one by one, the last of them kept. */
typedef struct tl_output {
    tl_buf line; /* one that has not ended */
    char *tail[TL_OUTPUT_LINES];
    size_t count; /* of all lines kept so far; the oldest make room */
} tl_output;

void tl_output_init(tl_output *output);
void tl_output_dispose(tl_output *output);
/* Takes any piece of the text: calls take with each line that has ended, without its newline; data is handed on. */
void tl_output_feed(tl_output *output, const char *text, size_t length, void (*take)(void *data, const char *line), void *data);
/* Takes what has not ended for a line, where there is any. */
void tl_output_flush(tl_output *output, void (*take)(void *data, const char *line), void *data);
void tl_output_keep(tl_output *output, const char *line);
/* Forgets the lines kept. */
void tl_output_forget(tl_output *output);
/* Appends the lines kept, each with a newline. */
void tl_output_tail(const tl_output *output, tl_buf *text);

#endif
