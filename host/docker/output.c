/* Lines that a step of a build prints. */
#include "docker/output.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LONGEST_LINE ((size_t)64 << 10)

void tl_output_init(tl_output *o)
{
    memset(o, 0, sizeof *o);
    tl_buf_init(&o->line, LONGEST_LINE);
}

void tl_output_dispose(tl_output *o)
{
    tl_output_forget(o);
    tl_buf_dispose(&o->line);
}

void tl_output_forget(tl_output *o)
{
    size_t held = o->count < TL_OUTPUT_LINES ? o->count : TL_OUTPUT_LINES;
    for (size_t i = 0; i < held; i++) free(o->tail[i]);
    o->count = 0;
}

void tl_output_feed(tl_output *o, const char *text, size_t length, void (*take)(void *data, const char *line), void *data)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            take(data, o->line.data);
            tl_buf_clear(&o->line);
        } else if (text[i] == '\r') {
            /* A bar that draws over itself: what stands there in the end counts. */
            if (i + 1 == length || text[i + 1] != '\n') tl_buf_clear(&o->line);
        } else {
            tl_buf_addc(&o->line, text[i]);
        }
    }
}

void tl_output_flush(tl_output *o, void (*take)(void *data, const char *line), void *data)
{
    if (o->line.len) take(data, o->line.data);
    tl_buf_clear(&o->line);
}

void tl_output_keep(tl_output *o, const char *line)
{
    char **slot = &o->tail[o->count % TL_OUTPUT_LINES];
    if (o->count >= TL_OUTPUT_LINES) free(*slot);
    *slot = tl_strdup(line);
    o->count++;
}

void tl_output_tail(const tl_output *o, tl_buf *text)
{
    size_t first = o->count > TL_OUTPUT_LINES ? o->count - TL_OUTPUT_LINES : 0;
    for (size_t i = first; i < o->count; i++) tl_buf_addf(text, "%s\n", o->tail[i % TL_OUTPUT_LINES]);
}
