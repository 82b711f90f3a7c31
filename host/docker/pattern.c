/* One ignore pattern: moby translates it to a regular expression, which is read and run here with Go's meaning. */
#include "docker/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

typedef enum match_type { MATCH_EXACT, MATCH_PREFIX, MATCH_SUFFIX, MATCH_REGEX } match_type;

typedef struct range {
    uint32_t low, high;
} range;

/* A piece of the regular expression: a set of characters, once or any number of times; a group of folders that may be
 * absent; or an assertion about the place ('A' start, 'z' end, 'b' and 'B' word boundary or none). */
typedef enum item_kind { ITEM_ONE, ITEM_MANY, ITEM_FOLDERS, ITEM_ASSERT } item_kind;

typedef struct item {
    item_kind kind;
    int negated;
    char assertion;
    range *ranges;
    size_t count, cap;
} item;

struct tl_pattern {
    match_type type;
    char *text;
    item *items;
    size_t count, cap;
};

static int bad(const char *text, tl_error *err)
{
    return tl_error_set(err, "parse", "syntax error in the ignore pattern \"%s\"", text);
}

/* What filepath.Match accepts: classes are closed, not empty and well-formed, nothing ends in a backslash. */
static const char *check_class_char(const char *p)
{
    size_t width;
    if (!*p || *p == '-' || *p == ']') return NULL;
    if (*p == '\\' && !*++p) return NULL;
    if (tl_utf8_decode(p, strlen(p), &width) == TL_UTF8_BAD && width == 1) return NULL;
    return p[width] ? p + width : NULL;
}

static const char *check_class(const char *p)
{
    if (*p == '^') p++;
    for (int ranges = 0; !(*p == ']' && ranges > 0); ranges++) {
        if (!(p = check_class_char(p))) return NULL;
        if (*p == '-' && !(p = check_class_char(p + 1))) return NULL;
    }
    return p + 1;
}

static int check(const char *text, tl_error *err)
{
    const char *p = text;
    while (p && *p) {
        if (*p == '[')
            p = check_class(p + 1);
        else if (*p == '\\')
            p = p[1] ? p + 2 : NULL;
        else
            p++;
    }
    return p ? 0 : bad(text, err);
}

/* The translation, with moby's way of telling simple patterns apart. */
static const char *translate_stars(tl_pattern *pattern, const char *p, int first, tl_buf *regex)
{
    if (*p != '*') {
        tl_buf_adds(regex, "[^/]*");
        pattern->type = MATCH_REGEX;
        return p;
    }
    p++;
    if (*p == '/') p++;
    if (*p) {
        tl_buf_adds(regex, "(.*/)?");
        pattern->type = MATCH_REGEX;
    } else if (pattern->type == MATCH_EXACT) {
        pattern->type = MATCH_PREFIX;
    } else {
        tl_buf_adds(regex, ".*");
        pattern->type = MATCH_REGEX;
    }
    if (first) pattern->type = MATCH_SUFFIX;
    return p;
}

static void translate(tl_pattern *pattern, tl_buf *regex)
{
    const char *p = pattern->text;
    for (int first = 1; *p; first = 0) {
        char c = *p++;
        if (c == '*') {
            p = translate_stars(pattern, p, first, regex);
        } else if (c == '?') {
            tl_buf_adds(regex, "[^/]");
            pattern->type = MATCH_REGEX;
        } else if (strchr(".+()|{}$", c)) {
            tl_buf_addc(regex, '\\');
            tl_buf_addc(regex, c);
        } else if (c == '\\') {
            tl_buf_addc(regex, '\\');
            if (*p) {
                tl_buf_addc(regex, *p++);
                pattern->type = MATCH_REGEX;
            }
        } else {
            if (c == '[' || c == ']') pattern->type = MATCH_REGEX;
            tl_buf_addc(regex, c);
        }
    }
}

/* Reading the expression. */
static void add_range(item *set, uint32_t low, uint32_t high)
{
    if (set->count == set->cap) {
        set->cap = set->cap ? set->cap * 2 : 4;
        set->ranges = tl_realloc(set->ranges, set->cap * sizeof *set->ranges);
    }
    set->ranges[set->count++] = (range){low, high};
}

static void add_ranges(item *set, const char *pairs, int negated)
{
    uint32_t from = 0;
    for (; *pairs; pairs += 2) {
        uint32_t low = (unsigned char)pairs[0], high = (unsigned char)pairs[1];
        if (!negated)
            add_range(set, low, high);
        else if (low > from)
            add_range(set, from, low - 1);
        from = high + 1;
    }
    if (negated) add_range(set, from, 0x10FFFF);
}

static const char *perl_class(char c)
{
    switch (c) {
    case 'd':
    case 'D': return "09";
    case 's':
    case 'S': return "\t\n\f\r  ";
    case 'w':
    case 'W': return "09AZ__az";
    default: return NULL;
    }
}

/* After a backslash: 1 for a whole class that was added, 0 for one character in *rune, -1 where Go knows no such escape. */
static int read_escape(const char **p, item *set, uint32_t *rune)
{
    size_t width;
    char c = **p;
    if (perl_class(c)) {
        add_ranges(set, perl_class(c), c < 'a');
        (*p)++;
        return 1;
    }
    const char *plain = "afnrtv", *meaning = "\a\f\n\r\t\v", *at = c ? strchr(plain, c) : NULL;
    *rune = at ? (unsigned char)meaning[at - plain] : tl_utf8_decode(*p, strlen(*p), &width);
    if (at) width = 1;
    int is_letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!c || (!at && (is_letter || *rune >= 0x80))) return -1;
    *p += width;
    return 0;
}

static int read_posix_class(const char **p, item *set)
{
    static const char *const table[][2] = {
        {"[:alnum:]", "09AZaz"}, {"[:alpha:]", "AZaz"}, {"[:blank:]", "\t\t  "}, {"[:cntrl:]", "\001\037\177\177"},
        {"[:digit:]", "09"},     {"[:graph:]", "!~"},   {"[:lower:]", "az"},     {"[:print:]", " ~"},
        {"[:punct:]", "!/:@[`{~"}, {"[:space:]", "\t\r  "}, {"[:upper:]", "AZ"}, {"[:word:]", "09AZ__az"},
        {"[:xdigit:]", "09AFaf"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t length = strlen(table[i][0]);
        if (strncmp(*p, table[i][0], length)) continue;
        add_ranges(set, table[i][1], 0);
        *p += length;
        return 1;
    }
    return 0;
}

static int read_class_char(const char **p, item *set, uint32_t *rune)
{
    size_t width;
    if (!**p) return -1;
    if (**p == '\\') {
        (*p)++;
        return read_escape(p, set, rune);
    }
    *rune = tl_utf8_decode(*p, strlen(*p), &width);
    *p += width;
    return 0;
}

static int read_class(const char **p, item *set)
{
    if (**p == '^') {
        set->negated = 1;
        (*p)++;
    }
    for (int first = 1; first || **p != ']'; first = 0) {
        uint32_t low = 0, high;
        if (**p == '[' && (*p)[1] == ':') {
            if (read_posix_class(p, set)) continue;
            if (strstr(*p + 2, ":]")) return -1;
        }
        int whole = read_class_char(p, set, &low);
        if (whole < 0) return -1;
        if (whole) continue;
        high = low;
        if (**p == '-' && (*p)[1] && (*p)[1] != ']') {
            (*p)++;
            if (read_class_char(p, set, &high) != 0 || high < low) return -1;
        }
        add_range(set, low, high);
    }
    (*p)++;
    return 0;
}

static item *add_item(tl_pattern *pattern, item_kind kind)
{
    if (pattern->count == pattern->cap) {
        pattern->cap = pattern->cap ? pattern->cap * 2 : 16;
        pattern->items = tl_realloc(pattern->items, pattern->cap * sizeof *pattern->items);
    }
    item *added = &pattern->items[pattern->count++];
    memset(added, 0, sizeof *added);
    added->kind = kind;
    return added;
}

static int read_item(tl_pattern *pattern, const char **p)
{
    uint32_t rune = 0;
    size_t width;
    item *set = add_item(pattern, ITEM_ONE);
    if (!strncmp(*p, "(.*/)?", 6)) {
        set->kind = ITEM_FOLDERS;
        *p += 6;
        return 0;
    }
    char c = *(*p)++;
    if (c == '^') {
        set->kind = ITEM_ASSERT;
        set->assertion = 'A';
    } else if (c == '\\' && **p && strchr("AzbB", **p)) {
        set->kind = ITEM_ASSERT;
        set->assertion = *(*p)++;
    } else if (c == '.') {
        set->negated = 1;
        add_range(set, '\n', '\n');
    } else if (c == '[') {
        if (read_class(p, set) < 0) return -1;
    } else if (c == '\\') {
        int whole = read_escape(p, set, &rune);
        if (whole < 0) return -1;
        if (!whole) add_range(set, rune, rune);
    } else {
        rune = tl_utf8_decode(*p - 1, strlen(*p - 1), &width);
        *p += width - 1;
        add_range(set, rune, rune);
    }
    if (**p == '*' && set->kind == ITEM_ONE) {
        set->kind = ITEM_MANY;
        (*p)++;
    }
    return **p == '*' ? -1 : 0;
}

tl_pattern *tl_pattern_new(const char *text, tl_error *err)
{
    if (check(text, err) < 0) return NULL;
    tl_pattern *pattern = tl_calloc(1, sizeof *pattern);
    pattern->text = tl_strdup(text);
    tl_buf regex = TL_BUF_INIT(SIZE_MAX);
    translate(pattern, &regex);
    int result = 0;
    const char *p = regex.data;
    while (pattern->type == MATCH_REGEX && *p && result == 0) result = read_item(pattern, &p);
    tl_buf_dispose(&regex);
    if (result == 0) return pattern;
    bad(text, err);
    tl_pattern_free(pattern);
    return NULL;
}

void tl_pattern_free(tl_pattern *pattern)
{
    if (!pattern) return;
    for (size_t i = 0; i < pattern->count; i++) free(pattern->items[i].ranges);
    free(pattern->items);
    free(pattern->text);
    free(pattern);
}

/* Running it: all ways at once. Bit 0 of reach[i]: before item i; bit 1: inside the folders of item i. */
static int set_has(const item *set, uint32_t rune)
{
    for (size_t i = 0; i < set->count; i++)
        if (rune >= set->ranges[i].low && rune <= set->ranges[i].high) return !set->negated;
    return set->negated;
}

static int is_word(uint32_t rune)
{
    return (rune >= '0' && rune <= '9') || (rune >= 'A' && rune <= 'Z') || (rune >= 'a' && rune <= 'z') || rune == '_';
}

/* Between two runes, 0 standing for the ends of the path. */
static int holds(char assertion, uint32_t before, uint32_t after)
{
    switch (assertion) {
    case 'A': return !before;
    case 'z': return !after;
    case 'b': return is_word(before) != is_word(after);
    default: return is_word(before) == is_word(after);
    }
}

static void skip_optional(const tl_pattern *pattern, char *reach, uint32_t before, const char *rest)
{
    size_t width;
    uint32_t after = *rest ? tl_utf8_decode(rest, strlen(rest), &width) : 0;
    for (size_t i = 0; i < pattern->count; i++) {
        const item *it = &pattern->items[i];
        if (!(reach[i] & 1) || it->kind == ITEM_ONE) continue;
        if (it->kind != ITEM_ASSERT || holds(it->assertion, before, after)) reach[i + 1] |= 1;
    }
}

static void advance(const tl_pattern *pattern, const char *reach, char *next, uint32_t rune)
{
    memset(next, 0, pattern->count + 1);
    for (size_t i = 0; i < pattern->count; i++) {
        const item *it = &pattern->items[i];
        if (!reach[i]) continue;
        if (it->kind == ITEM_ONE && set_has(it, rune)) next[i + 1] |= 1;
        if (it->kind == ITEM_MANY && set_has(it, rune)) next[i] |= 1;
        if (it->kind == ITEM_FOLDERS && rune == '/') next[i + 1] |= 1;
        if (it->kind == ITEM_FOLDERS && rune != '\n') next[i] |= 2;
    }
}

static int run(const tl_pattern *pattern, const char *path)
{
    char small[2][128];
    size_t size = pattern->count + 1;
    char *block = size > sizeof small[0] ? tl_malloc(2 * size) : NULL;
    char *reach = block ? block : small[0], *next = block ? block + size : small[1];
    memset(reach, 0, size);
    reach[0] = 1;
    skip_optional(pattern, reach, 0, path);
    while (*path) {
        size_t width;
        uint32_t rune = tl_utf8_decode(path, strlen(path), &width);
        path += width;
        advance(pattern, reach, next, rune);
        char *swap = reach;
        reach = next;
        next = swap;
        skip_optional(pattern, reach, rune, path);
    }
    int matched = reach[pattern->count] & 1;
    free(block);
    return matched;
}

int tl_pattern_match(const tl_pattern *pattern, const char *path)
{
    const char *text = pattern->text;
    size_t length = strlen(text), path_length = strlen(path);
    switch (pattern->type) {
    case MATCH_EXACT: return !strcmp(text, path);
    case MATCH_PREFIX: return path_length >= length - 2 && !strncmp(path, text, length - 2);
    case MATCH_SUFFIX:
        text += 2;
        length -= 2;
        if (path_length >= length && !strcmp(path + path_length - length, text)) return 1;
        return *text == '/' && !strcmp(path, text + 1);
    case MATCH_REGEX: return run(pattern, path);
    }
    return 0;
}
