/* One HTTP/1.1 answer, read from pieces of any size. */
#include "net/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LONGEST_HEAD ((size_t)64 << 10)
#define LONGEST_LINE ((size_t)1024)

enum { HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, DONE };

void tl_answer_init(tl_answer *a, size_t limit)
{
    memset(a, 0, sizeof *a);
    tl_buf_init(&a->head, LONGEST_HEAD);
    tl_buf_init(&a->body, limit);
    tl_buf_init(&a->line, LONGEST_LINE);
}

void tl_answer_dispose(tl_answer *a)
{
    tl_buf_dispose(&a->head);
    tl_buf_dispose(&a->body);
    tl_buf_dispose(&a->line);
}

void tl_answer_clear(tl_answer *a)
{
    size_t limit = a->body.max;
    tl_answer_dispose(a);
    tl_answer_init(a, limit);
}

int tl_answer_header(const tl_answer *a, const char *name, tl_buf *out)
{
    size_t size = strlen(name);
    for (const char *line = strstr(a->head.data, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':') continue;
        const char *value = line + size + 1, *stop = strstr(line, "\r\n");
        while (*value == ' ' || *value == '\t') value++;
        while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t')) stop--;
        tl_buf_add(out, value, (size_t)(stop - value));
        return 1;
    }
    return 0;
}

static void finish(tl_answer *a)
{
    a->state = DONE;
    a->done = 1;
}

static int bad(tl_error *err)
{
    return tl_error_set(err, "parse", "the server's answer is no HTTP/1.1");
}

/* Digits of `base` that fill the whole text; -1 for anything else. */
static int64_t number(const char *text, int base)
{
    char *stop;
    if (!*text || strchr("+- \t", *text)) return -1;
    long long value = strtoll(text, &stop, base);
    return *stop || value < 0 ? -1 : value;
}

static int read_head(tl_answer *a, tl_error *err)
{
    int rc = -1;
    tl_buf value = TL_BUF_INIT(LONGEST_HEAD);
    const char *space = strchr(a->head.data, ' ');
    if (strlen(a->head.data) != a->head.len || strncmp(a->head.data, "HTTP/1.", 7) != 0 || !space) goto out;
    a->status = atoi(space + 1);
    if (a->status < 100 || a->status > 599) goto out;
    rc = 0;
    a->left = SIZE_MAX;
    a->state = BODY;
    if (a->status == 101 || a->status == 204 || a->status == 304) {
        finish(a);
    } else if (a->status < 200) {
        tl_buf_clear(&a->head);
        a->status = 0;
        a->state = HEAD;
    } else if (tl_answer_header(a, "Transfer-Encoding", &value)) {
        if (strcasecmp(value.data, "chunked") != 0) rc = -1;
        a->state = CHUNK_SIZE;
    } else if (tl_answer_header(a, "Content-Length", &value)) {
        int64_t length = number(value.data, 10);
        if (length < 0) rc = -1;
        a->left = (size_t)length;
        if (!length) finish(a);
    }
out:
    tl_buf_dispose(&value);
    return rc ? bad(err) : 0;
}

/* Adds bytes up to and with a line's end; 1 where the line is complete (without its end then). */
static int take_line(tl_buf *line, const char **bytes, const char *stop)
{
    const char *newline = memchr(*bytes, '\n', (size_t)(stop - *bytes));
    const char *end = newline ? newline + 1 : stop;
    tl_buf_add(line, *bytes, (size_t)(end - *bytes));
    *bytes = end;
    if (!newline || line->over) return 0;
    while (line->len && strchr("\r\n", line->data[line->len - 1])) line->data[--line->len] = 0;
    return 1;
}

static int take_head(tl_answer *a, const char **bytes, const char *stop, tl_error *err)
{
    while (*bytes < stop && a->state == HEAD) {
        const char *newline = memchr(*bytes, '\n', (size_t)(stop - *bytes));
        const char *end = newline ? newline + 1 : stop;
        tl_buf_add(&a->head, *bytes, (size_t)(end - *bytes));
        *bytes = end;
        if (a->head.over) return bad(err);
        if (a->head.len >= 4 && !memcmp(a->head.data + a->head.len - 4, "\r\n\r\n", 4) && read_head(a, err)) return -1;
    }
    return 0;
}

static void take_data(tl_answer *a, const char **bytes, const char *stop)
{
    size_t size = (size_t)(stop - *bytes);
    if (size > a->left) size = a->left;
    tl_buf_add(&a->body, *bytes, size);
    *bytes += size;
    if (a->left == SIZE_MAX) return;
    a->left -= size;
    if (a->left) return;
    if (a->state == BODY)
        finish(a);
    else
        a->state = CHUNK_END;
}

/* The lines of the chunked framing: a size, the end of a chunk, trailers. */
static int take_framing(tl_answer *a, const char **bytes, const char *stop, tl_error *err)
{
    if (!take_line(&a->line, bytes, stop)) return a->line.over ? bad(err) : 0;
    int empty = !a->line.len;
    if (a->state == CHUNK_SIZE) {
        a->line.data[strcspn(a->line.data, "; \t")] = 0;
        int64_t size = number(a->line.data, 16);
        if (size < 0) return bad(err);
        a->left = (size_t)size;
        a->state = size ? CHUNK_DATA : TRAILER;
    } else if (a->state == CHUNK_END) {
        if (!empty) return bad(err);
        a->state = CHUNK_SIZE;
    } else if (empty) {
        finish(a);
    }
    tl_buf_clear(&a->line);
    return 0;
}

int64_t tl_answer_feed(tl_answer *a, const char *bytes, size_t length, tl_error *err)
{
    const char *at = bytes, *stop = bytes + length;
    while (at < stop && a->state != DONE) {
        int rc = 0;
        if (a->state == HEAD)
            rc = take_head(a, &at, stop, err);
        else if (a->state == BODY || a->state == CHUNK_DATA)
            take_data(a, &at, stop);
        else
            rc = take_framing(a, &at, stop, err);
        if (rc) return -1;
        if (a->body.over) return tl_error_set(err, "too_large", "the answer has more than %zu bytes", a->body.max);
    }
    return at - bytes;
}

int tl_answer_end(tl_answer *a, tl_error *err)
{
    if (a->state == BODY && a->left == SIZE_MAX) finish(a);
    if (a->done) return 0;
    return tl_error_set(err, "closed", "the server closed the connection in the middle of its answer");
}
