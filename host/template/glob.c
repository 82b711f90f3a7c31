/* Patterns of .Files.Glob: gobwas/glob with '/' as separator. */
#include <string.h>

#include "base/utf8.h"
#include "template/template.h"

#define MAX_TRIES 1000000

typedef struct matcher {
    const char *end; /* of the pattern */
    unsigned tries;
} matcher;

static int match(matcher *m, const char *p, const char *name, const char *stop);

/* The ']' or '}' that closes what opens at p; NULL where there is none. */
static const char *closing(const char *p, const char *end, char open, char close)
{
    int depth = 0;
    for (; p < end; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == open) {
            depth++;
        } else if (*p == close && --depth == 0) {
            return p;
        }
    }
    return NULL;
}

static int in_class(const char *p, const char *end, uint32_t rune)
{
    int not = p < end && (*p == '!' || *p == '^'), found = 0;
    p += not;
    while (p < end) {
        size_t width;
        if (*p == '\\' && p + 1 < end) p++;
        uint32_t low = tl_utf8_decode(p, (size_t)(end - p), &width), high = low;
        p += width;
        if (p + 1 < end && *p == '-') {
            p++;
            high = tl_utf8_decode(p, (size_t)(end - p), &width);
            p += width;
        }
        found |= rune >= low && rune <= high;
    }
    return found != not;
}

/* "{a,b}": each alternative followed by the rest of the pattern. */
static int match_alternatives(matcher *m, const char *p, const char *name, const char *stop)
{
    const char *close = closing(p, m->end, '{', '}');
    if (!close) return 0;
    const char *from = p + 1;
    int depth = 0;
    for (const char *at = p + 1; at <= close; at++) {
        if (*at == '\\') {
            at++;
            continue;
        }
        if (*at == '{') depth++;
        if (*at == '}' && at < close) depth--;
        if (at < close && (*at != ',' || depth)) continue;
        size_t length = (size_t)(at - from), rest = (size_t)(m->end - close - 1);
        char joined[1024];
        if (length + rest >= sizeof joined) return 0;
        memcpy(joined, from, length);
        memcpy(joined + length, close + 1, rest);
        matcher inner = {joined + length + rest, m->tries};
        int found = match(&inner, joined, name, stop);
        m->tries = inner.tries;
        if (found) return 1;
        from = at + 1;
    }
    return 0;
}

static int match_star(matcher *m, const char *p, const char *name, const char *stop)
{
    int deep = p + 1 < m->end && p[1] == '*';
    while (p < m->end && *p == '*') p++;
    for (;;) {
        if (match(m, p, name, stop)) return 1;
        if (name == stop || (!deep && *name == '/')) return 0;
        name++;
    }
}

static int match(matcher *m, const char *p, const char *name, const char *stop)
{
    for (; p < m->end; p++) {
        size_t width;
        if (m->tries++ > MAX_TRIES) return 0;
        if (*p == '*') return match_star(m, p, name, stop);
        if (*p == '{') return match_alternatives(m, p, name, stop);
        if (name == stop) return 0;
        if (*p == '?') {
            if (*name == '/') return 0;
            tl_utf8_decode(name, (size_t)(stop - name), &width);
            name += width;
            continue;
        }
        if (*p == '[') {
            const char *close = closing(p, m->end, '[', ']');
            if (!close || !in_class(p + 1, close, tl_utf8_decode(name, (size_t)(stop - name), &width))) return 0;
            name += width;
            p = close;
            continue;
        }
        if (*p == '\\' && p + 1 < m->end) p++;
        if (*p != *name++) return 0;
    }
    return name == stop;
}

int tl_glob_match(const char *pattern, const char *name, size_t length)
{
    matcher m = {pattern + strlen(pattern), 0};
    return match(&m, pattern, name, name + length);
}
