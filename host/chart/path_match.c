/* Shell patterns as Go's path/filepath matches them. */
#include "chart/path_match.h"

#include <string.h>

#include "base/utf8.h"

#define MALFORMED (-1)

static uint32_t next_rune(const char **text)
{
    size_t width;
    uint32_t rune = tl_utf8_decode(*text, strlen(*text), &width);
    *text += width;
    return rune;
}

/* One end of a range in brackets: a rune, possibly escaped. */
static int class_rune(const char **pattern, uint32_t *out)
{
    if (!**pattern || **pattern == '-' || **pattern == ']') return MALFORMED;
    if (**pattern == '\\' && !*++*pattern) return MALFORMED;
    *out = next_rune(pattern);
    return **pattern ? 0 : MALFORMED;
}

/* After the "[": 1 where the rune is in the class. */
static int match_class(const char **pattern, uint32_t rune)
{
    int negated = **pattern == '^', found = 0;
    if (negated) ++*pattern;
    for (int ranges = 0;; ranges++) {
        uint32_t low, high;
        if (**pattern == ']' && ranges) break;
        if (class_rune(pattern, &low)) return MALFORMED;
        high = low;
        if (**pattern == '-') {
            ++*pattern;
            if (class_rune(pattern, &high)) return MALFORMED;
        }
        if (low <= rune && rune <= high) found = 1;
    }
    ++*pattern;
    return found != negated;
}

/* Walks over one chunk (no stars) at the start of `name`; *rest is what remains of the name. */
static int match_chunk(const char *chunk, const char *end, const char *name, const char **rest)
{
    int failed = 0;
    while (chunk < end) {
        if (!failed && !*name) failed = 1;
        if (*chunk == '[') {
            uint32_t rune = failed ? 0 : next_rune(&name);
            chunk++;
            int in = match_class(&chunk, rune);
            if (in == MALFORMED) return MALFORMED;
            if (!in) failed = 1;
        } else if (*chunk == '?') {
            chunk++;
            if (failed) continue;
            if (*name == '/') failed = 1;
            next_rune(&name);
        } else {
            if (*chunk == '\\' && ++chunk >= end) return MALFORMED;
            if (!failed && *chunk != *name++) failed = 1;
            chunk++;
        }
    }
    *rest = name;
    return !failed;
}

static const char *chunk_end(const char *pattern)
{
    int in_class = 0;
    for (; *pattern; pattern++) {
        if (*pattern == '\\' && pattern[1])
            pattern++;
        else if (*pattern == '[')
            in_class = 1;
        else if (*pattern == ']')
            in_class = 0;
        else if (*pattern == '*' && !in_class)
            break;
    }
    return pattern;
}

/* The rest of a pattern that cannot match any more is still checked for its form. */
static int check_rest(const char *pattern)
{
    while (*pattern) {
        const char *end, *rest;
        while (*pattern == '*') pattern++;
        end = chunk_end(pattern);
        if (match_chunk(pattern, end, "", &rest) == MALFORMED) return MALFORMED;
        pattern = end;
    }
    return 0;
}

/* A star, then the chunk up to `end`: tries every place up to the next slash. */
static int match_star(const char *chunk, const char *end, const char *name, const char **rest)
{
    if (chunk == end) {
        *rest = name + strlen(name);
        return !strchr(name, '/');
    }
    for (;; name++) {
        int matched = match_chunk(chunk, end, name, rest);
        if (matched == MALFORMED) return MALFORMED;
        if (matched && (*end || !**rest)) return 1;
        if (!*name || *name == '/') return 0;
    }
}

int tl_path_match(const char *pattern, const char *name)
{
    while (*pattern) {
        const char *end, *rest = name;
        int star = 0, matched;
        while (*pattern == '*') pattern++, star = 1;
        end = chunk_end(pattern);
        if (star)
            matched = match_star(pattern, end, name, &rest);
        else
            matched = match_chunk(pattern, end, name, &rest);
        if (matched == MALFORMED) return MALFORMED;
        if (!matched) return check_rest(end);
        if (!*end && *rest) return 0;
        name = rest;
        pattern = end;
    }
    return !*name;
}
