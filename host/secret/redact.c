/* The redactor. */
#include "secret/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/base64.h"
#include "data/json.h"

#define HEAD 4 /* bytes that choose a bucket; every pattern is longer */
#define BUCKETS 4096
#define LONGEST (1u << 16)
#define SHORTEST_LINE 16 /* lines of a secret of many lines that are worth a pattern of their own */

typedef struct pattern {
    char *bytes;
    size_t length;
    int next; /* in the bucket, -1 at its end */
} pattern;

struct tl_redactor {
    pattern *patterns;
    int count, room;
    size_t longest;
    int buckets[BUCKETS]; /* first pattern, -1 for none */
};

tl_redactor *tl_redactor_new(void)
{
    tl_redactor *r = tl_calloc(1, sizeof *r);
    for (int i = 0; i < BUCKETS; i++) r->buckets[i] = -1;
    return r;
}

void tl_redactor_free(tl_redactor *redactor)
{
    if (!redactor) return;
    for (int i = 0; i < redactor->count; i++) {
        tl_cleanse(redactor->patterns[i].bytes, redactor->patterns[i].length);
        free(redactor->patterns[i].bytes);
    }
    free(redactor->patterns);
    free(redactor);
}

static unsigned bucket_of(const char *text)
{
    uint32_t head;
    memcpy(&head, text, HEAD);
    return (head * 2654435761u) >> 20;
}

static void add_pattern(tl_redactor *r, const char *bytes, size_t length)
{
    if (length < TL_REDACT_SHORTEST) return;
    unsigned bucket = bucket_of(bytes);
    for (int i = r->buckets[bucket]; i >= 0; i = r->patterns[i].next)
        if (r->patterns[i].length == length && !memcmp(r->patterns[i].bytes, bytes, length)) return;
    if (r->count == r->room) {
        r->room = r->room ? r->room * 2 : 32;
        r->patterns = tl_realloc(r->patterns, (size_t)r->room * sizeof *r->patterns);
    }
    r->patterns[r->count] = (pattern){tl_strndup(bytes, length), length, r->buckets[bucket]};
    r->buckets[bucket] = r->count++;
    if (length > r->longest) r->longest = length;
}

static void dispose_clean(tl_buf *buf)
{
    tl_cleanse(buf->data, buf->cap);
    tl_buf_dispose(buf);
}

/* The characters of base64 that the secret alone decides when `before` other bytes (0 to 2) stand in front of it. */
static void add_base64(tl_redactor *r, const char *secret, size_t length, size_t before, tl_base64 alphabet)
{
    tl_buf padded = TL_BUF_INIT(SIZE_MAX), text = TL_BUF_INIT(SIZE_MAX);
    tl_buf_add(&padded, "\0\0", before);
    tl_buf_add(&padded, secret, length);
    tl_base64_encode(&text, padded.data, padded.len, alphabet);
    size_t first = before ? before + 1 : 0, end = (before + length) * 8 / 6;
    add_pattern(r, text.data + first, end - first);
    if (!before) add_pattern(r, text.data, text.len);
    dispose_clean(&padded);
    dispose_clean(&text);
}

static void add_url(tl_redactor *r, const char *secret, size_t length, int plus, const char *digits)
{
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)secret[i];
        int letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
        if (letter || digit || (c && strchr("-_.~", c))) {
            tl_buf_addc(&text, (char)c);
        } else if (c == ' ' && plus) {
            tl_buf_addc(&text, '+');
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            tl_buf_add(&text, escape, sizeof escape);
        }
    }
    add_pattern(r, text.data, text.len);
    dispose_clean(&text);
}

static void add_json(tl_redactor *r, const char *secret, size_t length, int html)
{
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    tl_json_write_string(&text, secret, length, html);
    add_pattern(r, text.data + 1, text.len - 2);
    dispose_clean(&text);
}

/* A key in PEM form is printed with indentation in YAML, so its lines count one by one. */
static void add_lines(tl_redactor *r, const char *secret, size_t length)
{
    const char *end = secret + length;
    if (!memchr(secret, '\n', length)) return;
    for (const char *line = secret; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        if (stop - line >= SHORTEST_LINE && strncmp(line, "-----", 5)) add_pattern(r, line, (size_t)(stop - line));
        line = stop + 1;
    }
}

void tl_redactor_add(tl_redactor *redactor, const char *secret, size_t length)
{
    if (length < TL_REDACT_SHORTEST || length > LONGEST) return;
    add_pattern(redactor, secret, length);
    for (size_t before = 0; before < 3; before++) {
        add_base64(redactor, secret, length, before, TL_BASE64_STD);
        add_base64(redactor, secret, length, before, TL_BASE64_URL);
    }
    for (int plus = 0; plus < 2; plus++) {
        add_url(redactor, secret, length, plus, "0123456789ABCDEF");
        add_url(redactor, secret, length, plus, "0123456789abcdef");
    }
    add_json(redactor, secret, length, 0);
    add_json(redactor, secret, length, 1);
    add_lines(redactor, secret, length);
}

/* The longest pattern that the text starts with; 0 for none. */
static size_t match(const tl_redactor *r, const char *text, size_t length)
{
    size_t best = 0;
    if (length < HEAD) return 0;
    for (int i = r->buckets[bucket_of(text)]; i >= 0; i = r->patterns[i].next) {
        const pattern *p = &r->patterns[i];
        if (p->length > best && p->length <= length && !memcmp(p->bytes, text, p->length)) best = p->length;
    }
    return best;
}

/* Whether all of the text is the start of a longer pattern. */
static int may_grow(const tl_redactor *r, const char *text, size_t length)
{
    if (length >= r->longest) return 0;
    if (length >= HEAD) {
        for (int i = r->buckets[bucket_of(text)]; i >= 0; i = r->patterns[i].next)
            if (r->patterns[i].length > length && !memcmp(r->patterns[i].bytes, text, length)) return 1;
        return 0;
    }
    for (int i = 0; i < r->count; i++)
        if (!memcmp(r->patterns[i].bytes, text, length)) return 1;
    return 0;
}

/* Redacts up to where a secret may go on in later text (`whole`: to the end); returns the bytes consumed. */
static size_t redact_some(const tl_redactor *r, const char *text, size_t length, int whole, tl_buf *out)
{
    size_t start = 0, i = 0;
    while (i < length) {
        if (!whole && may_grow(r, text + i, length - i)) break;
        size_t found = match(r, text + i, length - i);
        if (!found) {
            i++;
            continue;
        }
        tl_buf_add(out, text + start, i - start);
        tl_buf_adds(out, TL_REDACTED);
        i += found;
        start = i;
    }
    tl_buf_add(out, text + start, i - start);
    return i;
}

void tl_redact(tl_redactor *redactor, const char *text, size_t length, tl_buf *out)
{
    if (redactor && redactor->count)
        redact_some(redactor, text, length, 1, out);
    else
        tl_buf_add(out, text, length);
}

void tl_redact_stream_init(tl_redact_stream *stream, tl_redactor *redactor)
{
    stream->redactor = redactor;
    tl_buf_init(&stream->held, SIZE_MAX);
}

int tl_redact_stream_idle(const tl_redact_stream *stream)
{
    return !stream->held.len && !stream->redactor->count;
}

void tl_redact_stream_feed(tl_redact_stream *stream, const char *text, size_t length, tl_buf *out)
{
    if (tl_redact_stream_idle(stream)) {
        tl_buf_add(out, text, length);
        return;
    }
    tl_buf_add(&stream->held, text, length);
    size_t used = redact_some(stream->redactor, stream->held.data, stream->held.len, 0, out);
    tl_buf_consume(&stream->held, used);
}

void tl_redact_stream_flush(tl_redact_stream *stream, tl_buf *out)
{
    tl_redact(stream->redactor, stream->held.data, stream->held.len, out);
    tl_buf_clear(&stream->held);
}

void tl_redact_stream_dispose(tl_redact_stream *stream)
{
    tl_cleanse(stream->held.data, stream->held.cap);
    tl_buf_dispose(&stream->held);
}
