/* The line framer. */
#include "k8s/lines.h"

#include <string.h>

void tl_lines_init(tl_lines *lines, size_t max, int (*on_line)(void *, const char *, size_t, int), void *data)
{
    *lines = (tl_lines){.max = max, .on_line = on_line, .data = data};
    tl_buf_init(&lines->rest, max);
}

int tl_lines_feed(tl_lines *lines, const char *bytes, size_t length)
{
    while (length) {
        size_t room = lines->max - lines->rest.len;
        size_t look = length < room ? length : room;
        /* one byte more than the room, so that a line of exactly `max` bytes is still whole */
        const char *newline = memchr(bytes, '\n', length > look ? look + 1 : look);
        size_t take = newline ? (size_t)(newline - bytes) : look;
        int rc = 0;
        if (newline && !lines->rest.len) {
            rc = lines->on_line(lines->data, bytes, take, 1);
        } else if (newline || (take == room && length > take)) {
            tl_buf_add(&lines->rest, bytes, take);
            rc = lines->on_line(lines->data, lines->rest.data, lines->rest.len, newline != NULL);
            tl_buf_clear(&lines->rest);
        } else {
            tl_buf_add(&lines->rest, bytes, take);
        }
        take += newline != NULL;
        bytes += take;
        length -= take;
        if (rc) return rc;
    }
    return 0;
}

int tl_lines_end(tl_lines *lines)
{
    if (!lines->rest.len) return 0;
    int rc = lines->on_line(lines->data, lines->rest.data, lines->rest.len, 1);
    tl_buf_clear(&lines->rest);
    return rc;
}

void tl_lines_reset(tl_lines *lines)
{
    tl_buf_clear(&lines->rest);
}

void tl_lines_dispose(tl_lines *lines)
{
    tl_buf_dispose(&lines->rest);
}
