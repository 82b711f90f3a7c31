/* Regular expressions. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "template/internal.h"
#include "template/regex.h"
#include "template/unicode.h"

#define MAX_GROUPS 64

/* Compiled once per render; NULL with the error in *message. */
static const tl_regex *compiled(tl_exec *x, tl_value pattern, const char **message)
{
    tl_template_render *r = x->render;
    if (!r->regexes) r->regexes = tl_map_new(r->arena, 0);
    tl_value *at = tl_map_get(r->regexes, pattern.as.s, pattern.len);
    if (at) return r->patterns[at->as.i];
    char error[1024];
    tl_regex *regex = tl_regex_new(pattern.as.s, pattern.len, error, sizeof error);
    if (!regex) {
        *message = tl_arena_strdup(x->arena, error);
        return NULL;
    }
    if (r->pattern_count == r->pattern_cap) {
        r->pattern_cap = r->pattern_cap ? r->pattern_cap * 2 : 8;
        r->patterns = tl_realloc(r->patterns, r->pattern_cap * sizeof *r->patterns);
    }
    tl_map_set(r->regexes, pattern.as.s, pattern.len, tl_int((int64_t)r->pattern_count));
    return r->patterns[r->pattern_count++] = regex;
}

static int raw_quotable(tl_value pattern)
{
    for (uint32_t i = 0; i < pattern.len; i++) {
        unsigned char c = (unsigned char)pattern.as.s[i];
        if ((c < ' ' && c != '\t') || c == '`' || c == 127) return 0;
    }
    return tl_utf8_valid(pattern.as.s, pattern.len);
}

static int must_compile(tl_exec *x, tl_value pattern, const tl_regex **regex)
{
    const char *message;
    *regex = compiled(x, pattern, &message);
    if (*regex) return 0;
    if (raw_quotable(pattern))
        return tl_fail(x, "regexp: Compile(`%.*s`): %s", (int)pattern.len, pattern.as.s, message);
    tl_buf quoted = tl_text_buf(x);
    tl_go_quote(&quoted, pattern.as.s, pattern.len);
    tl_fail(x, "regexp: Compile(%s): %s", quoted.data, message);
    tl_buf_dispose(&quoted);
    return -1;
}

/* The mustRegex… functions give the parser's error alone. */
static int compile(tl_exec *x, tl_value pattern, const tl_regex **regex)
{
    const char *message;
    *regex = compiled(x, pattern, &message);
    return *regex ? 0 : tl_fail(x, "%s", message);
}

typedef int (*compiler)(tl_exec *, tl_value, const tl_regex **);

TL_FUNCTION(fn_match)
{
    const char *message;
    const tl_regex *regex = compiled(x, args[0], &message);
    long at[2];
    *out = tl_bool(regex && tl_regex_match(regex, args[1].as.s, args[1].len, 0, at, 0));
    return 0;
}

TL_FUNCTION(fn_must_match)
{
    const tl_regex *regex;
    if (compile(x, args[0], &regex)) return -1;
    return fn_match(x, args, count, out);
}

static size_t rune_width(tl_value text, size_t at)
{
    size_t width = 0;
    if (at < text.len) tl_utf8_decode(text.as.s + at, text.len - at, &width);
    return width;
}

/* Go's successive matches: an empty match right behind another one does not count. */
static size_t all_matches(tl_exec *x, const tl_regex *regex, tl_value text, int64_t limit, long **out)
{
    size_t n = 0, cap = 8, pos = 0;
    long before = -1, at[2];
    *out = tl_arena_alloc(x->arena, cap * 2 * sizeof **out);
    while ((limit < 0 || (int64_t)n < limit) && pos <= text.len) {
        if (!tl_regex_match(regex, text.as.s, text.len, pos, at, 0)) break;
        int accept = 1;
        if ((size_t)at[1] == pos) {
            accept = at[0] != before;
            size_t width = rune_width(text, pos);
            pos = width ? pos + width : text.len + 1;
        } else {
            pos = (size_t)at[1];
        }
        before = at[1];
        if (!accept) continue;
        if (n == TL_MAX_ITEMS) {
            tl_limit(x, "more than %d matches of a pattern", TL_MAX_ITEMS);
            break;
        }
        if (n == cap) {
            *out = tl_arena_grow(x->arena, *out, cap * 2 * sizeof **out, cap * 4 * sizeof **out);
            cap *= 2;
        }
        (*out)[2 * n] = at[0];
        (*out)[2 * n++ + 1] = at[1];
    }
    return n;
}

static int find_all(tl_exec *x, const tl_value *args, compiler make, tl_value *out)
{
    const tl_regex *regex;
    if (make(x, args[0], &regex)) return -1;
    long *at;
    size_t n = all_matches(x, regex, args[1], args[2].as.i, &at);
    tl_list *list = tl_list_new(x->arena, n);
    list->nil = !n;
    for (size_t i = 0; i < n; i++)
        tl_list_push(x->arena, list, tl_string_ref(args[1].as.s + at[2 * i], (size_t)(at[2 * i + 1] - at[2 * i])));
    *out = tl_as_go(tl_list_value(list), TL_GO_STRINGS);
    return 0;
}

TL_FUNCTION(fn_find_all)
{
    return find_all(x, args, must_compile, out);
}

TL_FUNCTION(fn_must_find_all)
{
    return find_all(x, args, compile, out);
}

static int find(tl_exec *x, const tl_value *args, compiler make, tl_value *out)
{
    const tl_regex *regex;
    long at[2];
    if (make(x, args[0], &regex)) return -1;
    *out = tl_cstring_ref("");
    if (tl_regex_match(regex, args[1].as.s, args[1].len, 0, at, 0))
        *out = tl_string_ref(args[1].as.s + at[0], (size_t)(at[1] - at[0]));
    return 0;
}

TL_FUNCTION(fn_find)
{
    return find(x, args, must_compile, out);
}

TL_FUNCTION(fn_must_find)
{
    return find(x, args, compile, out);
}

/* ---- replace ---- */

static int is_name(uint32_t rune)
{
    return rune == '_' || tl_rune_is_letter(rune) || tl_rune_is_digit(rune);
}

/* "$name" or "${name}" at `text`; returns the bytes it takes, 0 where it is none. */
static size_t scan_name(const char *text, size_t length, tl_span *name)
{
    size_t from = 1, end, width;
    int brace = length > 1 && text[1] == '{';
    from += (size_t)brace;
    for (end = from; end < length && is_name(tl_utf8_decode(text + end, length - end, &width)); end += width) continue;
    if (end == from) return 0;
    *name = (tl_span){text + from, (uint32_t)(end - from)};
    if (!brace) return end;
    return end < length && text[end] == '}' ? end + 1 : 0;
}

static int group_number(const tl_regex *regex, tl_span name)
{
    int number = 0;
    for (uint32_t i = 0; i < name.len; i++) {
        if (name.s[i] < '0' || name.s[i] > '9' || number >= 100000000) return tl_regex_group(regex, name.s, name.len);
        number = number * 10 + (name.s[i] - '0');
    }
    if (name.len > 1 && name.s[0] == '0') return tl_regex_group(regex, name.s, name.len);
    return number;
}

static void expand(const tl_regex *regex, tl_value pattern, tl_value text, const long *at, tl_buf *out)
{
    const char *p = pattern.as.s, *end = p + pattern.len;
    int groups = tl_regex_groups(regex);
    if (groups >= MAX_GROUPS) groups = MAX_GROUPS - 1;
    while (p < end) {
        const char *dollar = memchr(p, '$', (size_t)(end - p));
        tl_buf_add(out, p, (size_t)((dollar ? dollar : end) - p));
        if (!dollar) break;
        p = dollar;
        tl_span name;
        size_t used = scan_name(p, (size_t)(end - p), &name);
        if (p + 1 < end && p[1] == '$') {
            tl_buf_addc(out, '$');
            p += 2;
        } else if (!used) {
            tl_buf_addc(out, '$');
            p++;
        } else {
            int group = group_number(regex, name);
            if (group >= 0 && group <= groups && at[2 * group] >= 0)
                tl_buf_add(out, text.as.s + at[2 * group], (size_t)(at[2 * group + 1] - at[2 * group]));
            p += used;
        }
    }
}

static int replace(tl_exec *x, const tl_value *args, compiler make, int literal, tl_value *out)
{
    const tl_regex *regex;
    if (make(x, args[0], &regex)) return -1;
    tl_value text = args[1], with = args[2];
    tl_buf made = tl_text_buf(x);
    size_t last = 0, pos = 0;
    long at[2 * MAX_GROUPS];
    int groups = tl_regex_groups(regex);
    if (literal || groups >= MAX_GROUPS) groups = literal ? 0 : MAX_GROUPS - 1;
    while (pos <= text.len && tl_regex_match(regex, text.as.s, text.len, pos, at, groups)) {
        tl_buf_add(&made, text.as.s + last, (size_t)at[0] - last);
        if ((size_t)at[1] > last || at[0] == 0) {
            if (literal)
                tl_buf_add(&made, with.as.s, with.len);
            else
                expand(regex, with, text, at, &made);
        }
        last = (size_t)at[1];
        size_t width = rune_width(text, pos);
        if (pos + width > last)
            pos += width;
        else if (pos + 1 > last)
            pos++;
        else
            pos = last;
    }
    if (last < text.len) tl_buf_add(&made, text.as.s + last, text.len - last);
    return tl_take_string(x, &made, out);
}

TL_FUNCTION(fn_replace_all)
{
    return replace(x, args, must_compile, 0, out);
}

TL_FUNCTION(fn_must_replace_all)
{
    return replace(x, args, compile, 0, out);
}

TL_FUNCTION(fn_replace_literal)
{
    return replace(x, args, must_compile, 1, out);
}

TL_FUNCTION(fn_must_replace_literal)
{
    return replace(x, args, compile, 1, out);
}

static int split(tl_exec *x, const tl_value *args, compiler make, tl_value *out)
{
    const tl_regex *regex;
    if (make(x, args[0], &regex)) return -1;
    tl_value text = args[1];
    int64_t limit = args[2].as.i;
    tl_list *list = tl_list_new(x->arena, 4);
    *out = tl_as_go(tl_list_value(list), TL_GO_STRINGS);
    list->nil = !limit;
    if (!limit) return 0;
    if (args[0].len && !text.len) {
        tl_list_push(x->arena, list, tl_cstring_ref(""));
        return 0;
    }
    long *at, from = 0, end = 0;
    size_t n = all_matches(x, regex, text, limit, &at);
    for (size_t i = 0; i < n; i++) {
        if (limit > 0 && (int64_t)list->len == limit - 1) break;
        end = at[2 * i];
        if (at[2 * i + 1]) tl_list_push(x->arena, list, tl_string_ref(text.as.s + from, (size_t)(end - from)));
        from = at[2 * i + 1];
    }
    if (end != (long)text.len) tl_list_push(x->arena, list, tl_string_ref(text.as.s + from, text.len - (size_t)from));
    return 0;
}

TL_FUNCTION(fn_split)
{
    return split(x, args, must_compile, out);
}

TL_FUNCTION(fn_must_split)
{
    return split(x, args, compile, out);
}

TL_FUNCTION(fn_quote_meta)
{
    tl_buf made = tl_text_buf(x);
    for (uint32_t i = 0; i < args[0].len; i++) {
        char c = args[0].as.s[i];
        if (c && strchr("\\.+*?()|[]{}^$", c)) tl_buf_addc(&made, '\\');
        tl_buf_addc(&made, c);
    }
    return tl_take_string(x, &made, out);
}

const tl_function tl_functions_regex[] = {
    {"regexMatch", "ss", fn_match},
    {"mustRegexMatch", "ss", fn_must_match},
    {"regexFindAll", "ssi", fn_find_all},
    {"mustRegexFindAll", "ssi", fn_must_find_all},
    {"regexFind", "ss", fn_find},
    {"mustRegexFind", "ss", fn_must_find},
    {"regexReplaceAll", "sss", fn_replace_all},
    {"mustRegexReplaceAll", "sss", fn_must_replace_all},
    {"regexReplaceAllLiteral", "sss", fn_replace_literal},
    {"mustRegexReplaceAllLiteral", "sss", fn_must_replace_literal},
    {"regexSplit", "ssi", fn_split},
    {"mustRegexSplit", "ssi", fn_must_split},
    {"regexQuoteMeta", "s", fn_quote_meta},
    {NULL, NULL, NULL}};
