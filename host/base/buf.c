/* The growing byte buffer. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char tl_buf_empty[1] = {0};

void tl_buf_init(tl_buf *buf, size_t limit)
{
    *buf = (tl_buf)TL_BUF_INIT(limit);
}

void tl_buf_dispose(tl_buf *buf)
{
    if (buf->cap) free(buf->data);
    tl_buf_init(buf, buf->max);
}

void tl_buf_clear(tl_buf *buf)
{
    buf->len = 0;
    buf->over = 0;
    if (buf->cap) buf->data[0] = 0;
}

char *tl_buf_reserve(tl_buf *buf, size_t extra)
{
    if (extra > buf->max || buf->len > buf->max - extra) {
        buf->over = 1;
        return NULL;
    }
    if (buf->len + extra + 1 > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 64;
        while (cap < buf->len + extra + 1) cap *= 2;
        char *data = tl_realloc(buf->cap ? buf->data : NULL, cap);
        if (!buf->cap) data[0] = 0;
        buf->data = data;
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void tl_buf_add_len(tl_buf *buf, size_t added)
{
    buf->len += added;
    if (buf->cap) buf->data[buf->len] = 0;
}

void tl_buf_add(tl_buf *buf, const void *bytes, size_t length)
{
    if (!length) return;
    char *room = tl_buf_reserve(buf, length);
    if (!room) return;
    memcpy(room, bytes, length);
    tl_buf_add_len(buf, length);
}

void tl_buf_adds(tl_buf *buf, const char *text)
{
    tl_buf_add(buf, text, strlen(text));
}

void tl_buf_addc(tl_buf *buf, char c)
{
    tl_buf_add(buf, &c, 1);
}

void tl_buf_addf(tl_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) return;
    char *room = tl_buf_reserve(buf, (size_t)length);
    if (!room) return;
    va_start(args, format);
    vsnprintf(room, (size_t)length + 1, format, args);
    va_end(args);
    tl_buf_add_len(buf, (size_t)length);
}

void tl_buf_consume(tl_buf *buf, size_t length)
{
    if (length > buf->len) length = buf->len;
    if (!length) return;
    memmove(buf->data, buf->data + length, buf->len - length);
    buf->len -= length;
    buf->data[buf->len] = 0;
}

char *tl_buf_take(tl_buf *buf)
{
    char *data = buf->cap ? buf->data : tl_strdup("");
    tl_buf_init(buf, buf->max);
    return data;
}
