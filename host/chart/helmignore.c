/* Which files of a chart's folder are left out. */
#include "chart/helmignore.h"

#include <string.h>

#include "chart/path_match.h"
#include "chart/text.h"

typedef struct rule {
    const char *pattern;
    int negate, must_dir;
    enum { BY_BASE, BY_PATH } match;
    enum { PATTERN, LITERAL, SUFFIX } form; /* most rules are a name, or a star before one */
    size_t length;                          /* of the pattern, for SUFFIX without its star */
    struct rule *next;
} rule;

struct tl_helmignore {
    rule *first, **last;
};

static int add_rule(tl_helmignore *rules, tl_arena *arena, const char *text, size_t length, tl_error *err)
{
    tl_text_trim(&text, &length);
    if (!length || *text == '#') return 0;
    char *pattern = tl_arena_strndup(arena, text, length);
    if (strstr(pattern, "**")) return tl_error_set(err, "chart", "double-star (**) syntax is not supported");
    if (tl_path_match(pattern, "abc") < 0) return tl_error_set(err, "chart", "syntax error in pattern");

    rule *added = tl_arena_zalloc(arena, sizeof *added);
    if (*pattern == '!') {
        added->negate = 1;
        pattern++;
    }
    length = strlen(pattern);
    if (length && pattern[length - 1] == '/') {
        added->must_dir = 1;
        pattern[length - 1] = 0;
    }
    added->match = strchr(pattern, '/') ? BY_PATH : BY_BASE;
    if (*pattern == '/') pattern++;
    added->pattern = pattern;
    added->length = strlen(pattern);
    if (!strpbrk(pattern, "*?[\\"))
        added->form = LITERAL;
    else if (*pattern == '*' && added->match == BY_BASE && !strpbrk(pattern + 1, "*?[\\"))
        added->form = SUFFIX, added->pattern++, added->length--;
    *rules->last = added;
    rules->last = &added->next;
    return 0;
}

tl_helmignore *tl_helmignore_parse(tl_arena *arena, const char *text, size_t size, tl_error *err)
{
    tl_helmignore *rules = tl_arena_zalloc(arena, sizeof *rules);
    rules->last = &rules->first;
    if (size >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) {
        text += 3;
        size -= 3;
    }
    while (size) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline ? (size_t)(newline - text) : size;
        if (add_rule(rules, arena, text, length, err)) return NULL;
        if (newline) length++;
        text += length;
        size -= length;
    }
    if (add_rule(rules, arena, "templates/.?*", 13, err)) return NULL;
    return rules;
}

static int rule_matches(const rule *r, const char *name)
{
    switch (r->form) {
    case LITERAL: return !strcmp(r->pattern, name);
    case SUFFIX: {
        size_t length = strlen(name);
        return length >= r->length && !memcmp(name + length - r->length, r->pattern, r->length);
    }
    default: return tl_path_match(r->pattern, name) == 1;
    }
}

int tl_helmignore_match(const tl_helmignore *rules, const char *path, int is_dir)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    for (const rule *r = rules->first; r; r = r->next) {
        int matches = rule_matches(r, r->match == BY_BASE ? base : path);
        if (r->negate) { /* a negated rule ends the search for everything that it does not name */
            if ((r->must_dir && !is_dir) || !matches) return 1;
        } else if (matches && (!r->must_dir || is_dir)) {
            return 1;
        }
    }
    return 0;
}
