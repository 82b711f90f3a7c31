/* Ignore rules of a build context: reading the file, and which pattern decides on a path. */
#include "docker/ignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "docker/pattern.h"

#define LINE_LIMIT 65536 /* of Go's bufio.Scanner, which moby reads the file with */

typedef struct rule {
    int negated;
    char *text; /* cleaned, without the "!" */
    tl_pattern *pattern;
} rule;

struct tl_ignore {
    rule *rules;
    size_t count, cap;
};

static int is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Go's strings.TrimSpace. */
static void trim(const char **text, size_t *length)
{
    size_t width, kept = 0;
    while (*length && is_space(tl_utf8_decode(*text, *length, &width))) {
        *text += width;
        *length -= width;
    }
    for (size_t at = 0; at < *length; at += width)
        if (!is_space(tl_utf8_decode(*text + at, *length - at, &width))) kept = at + width;
    *length = kept;
}

static size_t last_slash(const tl_buf *path)
{
    size_t at = path->len;
    while (at && path->data[at - 1] != '/') at--;
    return at; /* the length up to and with the slash */
}

static void cut(tl_buf *path, size_t length)
{
    path->len = length;
    if (path->cap) path->data[length] = 0;
}

/* Go's filepath.Clean. */
static void clean(const char *text, size_t length, tl_buf *out)
{
    int rooted = length && *text == '/';
    size_t depth = 0;
    if (rooted) tl_buf_addc(out, '/');
    while (length) {
        size_t n = 0;
        while (n < length && text[n] != '/') n++;
        int is_dots = n == 2 && text[0] == '.' && text[1] == '.';
        if (n == 0 || (n == 1 && *text == '.')) {
            /* nothing */
        } else if (is_dots && depth > 0) {
            size_t slash = last_slash(out);
            cut(out, slash > (size_t)rooted ? slash - 1 : slash);
            depth--;
        } else if (!(is_dots && rooted)) {
            if (out->len > (size_t)rooted) tl_buf_addc(out, '/');
            tl_buf_add(out, text, n);
            if (!is_dots) depth++;
        }
        text += n + (n < length);
        length -= n + (n < length);
    }
    if (!out->len) tl_buf_addc(out, '.');
}

static int add_rule(tl_ignore *ignore, const char *text, tl_error *err)
{
    int negated = *text == '!';
    if (negated && !*++text) return tl_error_set(err, "parse", "the ignore pattern \"!\" names nothing");
    tl_pattern *pattern = tl_pattern_new(text, err);
    if (!pattern) return -1;
    if (ignore->count == ignore->cap) {
        ignore->cap = ignore->cap ? ignore->cap * 2 : 16;
        ignore->rules = tl_realloc(ignore->rules, ignore->cap * sizeof *ignore->rules);
    }
    ignore->rules[ignore->count++] = (rule){negated, tl_strdup(text), pattern};
    return 0;
}

/* As moby's ignorefile.ReadAll, then as patternmatcher.New cleans what that returned. */
static int read_line(tl_ignore *ignore, const char *line, size_t length, tl_error *err)
{
    if (length >= LINE_LIMIT) return tl_error_set(err, "parse", "a line of the ignore file is too long");
    if (length && *line == '#') return 0;
    trim(&line, &length);
    if (!length) return 0;
    tl_buf first = TL_BUF_INIT(SIZE_MAX), second = TL_BUF_INIT(SIZE_MAX);
    int negated = *line == '!';
    if (negated) {
        line++;
        length--;
        trim(&line, &length);
    }
    if (length) clean(line, length, &first);
    tl_buf whole = TL_BUF_INIT(SIZE_MAX);
    if (negated) tl_buf_addc(&whole, '!');
    tl_buf_adds(&whole, first.len > 1 && first.data[0] == '/' ? first.data + 1 : first.data);
    const char *text = whole.data;
    size_t text_length = whole.len;
    trim(&text, &text_length);
    int result = 0;
    if (text_length) {
        clean(text, text_length, &second);
        result = add_rule(ignore, second.data, err);
    }
    tl_buf_dispose(&first);
    tl_buf_dispose(&whole);
    tl_buf_dispose(&second);
    return result;
}

tl_ignore *tl_ignore_parse(const char *text, size_t length, tl_error *err)
{
    tl_ignore *ignore = tl_calloc(1, sizeof *ignore);
    if (length >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) {
        text += 3;
        length -= 3;
    }
    while (length) {
        const char *newline = memchr(text, '\n', length);
        size_t line = newline ? (size_t)(newline - text) : length, kept = line;
        if (kept && text[kept - 1] == '\r') kept--;
        if (read_line(ignore, text, kept, err) < 0) {
            tl_ignore_free(ignore);
            return NULL;
        }
        text += line + (newline != NULL);
        length -= line + (newline != NULL);
    }
    return ignore;
}

void tl_ignore_free(tl_ignore *ignore)
{
    if (!ignore) return;
    for (size_t i = 0; i < ignore->count; i++) {
        free(ignore->rules[i].text);
        tl_pattern_free(ignore->rules[i].pattern);
    }
    free(ignore->rules);
    free(ignore);
}

size_t tl_ignore_count(const tl_ignore *ignore)
{
    return ignore->count;
}

/* patternmatcher's MatchesUsingParentResults. */
int tl_ignore_match(const tl_ignore *ignore, const char *path, const char *parent, char *matched)
{
    int ignored = 0;
    for (size_t i = 0; i < ignore->count; i++) {
        const rule *r = &ignore->rules[i];
        int match = parent && parent[i];
        if (!match && r->negated == ignored) match = tl_pattern_match(r->pattern, path);
        if (matched) matched[i] = (char)match;
        if (match) ignored = !r->negated;
    }
    return ignored;
}

/* Compares part by part while the pattern's parts are plain. */
static int may_match_below(const char *pattern, const char *folder)
{
    for (;;) {
        size_t n = strcspn(pattern, "/"), m = strcspn(folder, "/");
        for (size_t i = 0; i < n; i++)
            if (strchr("*?[]\\^", pattern[i])) return 1;
        if (n != m || strncmp(pattern, folder, n)) return 0;
        if (!folder[m]) return pattern[n] == '/';
        if (!pattern[n]) return 0;
        pattern += n + 1;
        folder += m + 1;
    }
}

int tl_ignore_prunes(const tl_ignore *ignore, const char *folder)
{
    for (size_t i = 0; i < ignore->count; i++)
        if (ignore->rules[i].negated && may_match_below(ignore->rules[i].text, folder)) return 0;
    return 1;
}
