/* Functions on strings that keep their letters: trim, cut, join, split, search, indent, quote. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "template/internal.h"
#include "template/unicode.h"

static tl_value part(tl_value text, size_t from, size_t to)
{
    return tl_string_ref(text.as.s + from, to - from);
}

static const char *find(const char *text, size_t length, tl_value wanted)
{
    return wanted.len ? memmem(text, length, wanted.as.s, wanted.len) : text;
}

/* ---- trim ---- */

static int in_set(uint32_t rune, size_t width, const char *at, tl_value set)
{
    (void)rune;
    for (size_t i = 0, w; i < set.len; i += w) {
        tl_utf8_decode(set.as.s + i, set.len - i, &w);
        if (w == width && !memcmp(set.as.s + i, at, w)) return 1;
    }
    return 0;
}

static size_t last_rune(const char *text, size_t length, uint32_t *rune)
{
    size_t from = length - 1, width;
    while (from > 0 && length - from < 4 && ((unsigned char)text[from] & 0xC0) == 0x80) from--;
    *rune = tl_utf8_decode(text + from, length - from, &width);
    if (from + width == length) return width;
    *rune = TL_UTF8_BAD;
    return 1;
}

/* set NULL: white space. */
static tl_value trimmed(tl_value text, const tl_value *set)
{
    size_t from = 0, to = text.len, width;
    uint32_t rune;
    while (from < to) {
        rune = tl_utf8_decode(text.as.s + from, to - from, &width);
        if (set ? !in_set(rune, width, text.as.s + from, *set) : !tl_rune_is_space(rune)) break;
        from += width;
    }
    while (to > from) {
        width = last_rune(text.as.s + from, to - from, &rune);
        if (set ? !in_set(rune, width, text.as.s + to - width, *set) : !tl_rune_is_space(rune)) break;
        to -= width;
    }
    return part(text, from, to);
}

TL_FUNCTION(fn_trim)
{
    *out = trimmed(args[0], NULL);
    return 0;
}

TL_FUNCTION(fn_trim_all)
{
    *out = trimmed(args[1], &args[0]);
    return 0;
}

static int starts(tl_value text, tl_value with)
{
    return text.len >= with.len && (!with.len || !memcmp(text.as.s, with.as.s, with.len));
}

static int ends(tl_value text, tl_value with)
{
    return text.len >= with.len && (!with.len || !memcmp(text.as.s + text.len - with.len, with.as.s, with.len));
}

TL_FUNCTION(fn_trim_prefix)
{
    *out = starts(args[1], args[0]) ? part(args[1], args[0].len, args[1].len) : args[1];
    return 0;
}

TL_FUNCTION(fn_trim_suffix)
{
    *out = ends(args[1], args[0]) ? part(args[1], 0, args[1].len - args[0].len) : args[1];
    return 0;
}

TL_FUNCTION(fn_has_prefix)
{
    *out = tl_bool(starts(args[1], args[0]));
    return 0;
}

TL_FUNCTION(fn_has_suffix)
{
    *out = tl_bool(ends(args[1], args[0]));
    return 0;
}

TL_FUNCTION(fn_contains)
{
    *out = tl_bool(find(args[1].as.s, args[1].len, args[0]) != NULL);
    return 0;
}

/* ---- cut ---- */

TL_FUNCTION(fn_trunc)
{
    int64_t c = args[0].as.i, length = args[1].len;
    *out = args[1];
    if (c < 0 && length + c > 0) *out = part(args[1], (size_t)(length + c), args[1].len);
    if (c >= 0 && length > c) *out = part(args[1], 0, (size_t)c);
    return 0;
}

TL_FUNCTION(fn_substr)
{
    int64_t start = args[0].as.i, end = args[1].as.i, length = args[2].len;
    const char *panic = "runtime error: slice bounds out of range";
    if (start < 0) {
        if (end < 0) return tl_fail(x, "%s [:%lld]", panic, (long long)end);
        if (end > length) return tl_fail(x, "%s [:%lld] with length %lld", panic, (long long)end, (long long)length);
        *out = part(args[2], 0, (size_t)end);
        return 0;
    }
    if (end < 0 || end > length) end = length;
    if (start > end) return tl_fail(x, "%s [%lld:%lld]", panic, (long long)start, (long long)end);
    *out = part(args[2], (size_t)start, (size_t)end);
    return 0;
}

static void abbreviate(tl_buf *out, const char *text, size_t length, int64_t offset, int64_t width)
{
    int64_t n = (int64_t)length;
    if (!n || width < 4) return;
    if (n <= width) {
        tl_buf_add(out, text, length);
        return;
    }
    if (offset > n) offset = n;
    if (n - offset < width - 3) offset = n - (width - 3);
    if (offset <= 4) {
        tl_buf_add(out, text, (size_t)(width - 3));
        tl_buf_adds(out, "...");
        return;
    }
    if (width < 7) return;
    tl_buf_adds(out, "...");
    if (offset + width - 3 < n)
        abbreviate(out, text + offset, (size_t)(n - offset), 0, width - 3);
    else
        tl_buf_add(out, text + (n - (width - 3)), (size_t)(width - 3));
}

TL_FUNCTION(fn_abbrev)
{
    *out = args[1];
    if (args[0].as.i < 4) return 0;
    tl_buf text = tl_text_buf(x);
    abbreviate(&text, args[1].as.s, args[1].len, 0, args[0].as.i);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_abbrev_both)
{
    int64_t left = args[0].as.i, right = args[1].as.i;
    *out = args[2];
    if (right < 4 || (left > 0 && right < 7)) return 0;
    if (left < 0 && args[2].len > right)
        left = 0;
    tl_buf text = tl_text_buf(x);
    abbreviate(&text, args[2].as.s, args[2].len, left, right);
    return tl_take_string(x, &text, out);
}

/* ---- make ---- */

static int repeat_into(tl_exec *x, tl_buf *text, const char *bytes, size_t length, int64_t count)
{
    if (count < 0) return tl_fail(x, "strings: negative Repeat count");
    if (length && (uint64_t)count > text->max / length) return tl_limit(x, "a repeated text is too large");
    for (int64_t i = 0; length && i < count; i++) tl_buf_add(text, bytes, length);
    return 0;
}

TL_FUNCTION(fn_repeat)
{
    tl_buf text = tl_text_buf(x);
    if (repeat_into(x, &text, args[1].as.s, args[1].len, args[0].as.i)) {
        tl_buf_dispose(&text);
        return -1;
    }
    return tl_take_string(x, &text, out);
}

static int indent(tl_exec *x, const tl_value *args, int newline, tl_value *out)
{
    static const char blanks[] = "                                ";
    int64_t spaces = args[0].as.i;
    if (spaces < 0) return tl_fail(x, "strings: negative Repeat count");
    const char *text = args[1].as.s, *end = text + args[1].len;
    size_t lines = 1;
    for (const char *at = text; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++) lines++;
    if ((uint64_t)spaces > x->render->options.max_output / lines) return tl_limit(x, "an indented text is too large");
    char *made = tl_arena_alloc(x->arena, lines * (size_t)spaces + args[1].len + 2), *to = made;
    if (newline) *to++ = '\n';
    for (;;) {
        for (size_t left = (size_t)spaces; left;) {
            size_t some = left < sizeof blanks - 1 ? left : sizeof blanks - 1;
            memcpy(to, blanks, some);
            to += some;
            left -= some;
        }
        const char *stop = text < end ? memchr(text, '\n', (size_t)(end - text)) : NULL;
        size_t length = (size_t)((stop ? stop + 1 : end) - text);
        if (length) memcpy(to, text, length);
        to += length;
        text += length;
        if (!stop) break;
    }
    *to = 0;
    *out = tl_string_ref(made, (size_t)(to - made));
    return 0;
}

TL_FUNCTION(fn_indent)
{
    return indent(x, args, 0, out);
}

TL_FUNCTION(fn_nindent)
{
    return indent(x, args, 1, out);
}

TL_FUNCTION(fn_replace)
{
    tl_value old = args[0], new = args[1], src = args[2];
    const char *at = src.as.s, *end = at + src.len;
    if (old.len && !find(at, src.len, old)) {
        *out = src;
        return 0;
    }
    tl_buf text = tl_text_buf(x);
    if (!old.len) { /* before each rune and at the end */
        for (size_t width; at < end; at += width) {
            tl_utf8_decode(at, (size_t)(end - at), &width);
            tl_buf_add(&text, new.as.s, new.len);
            tl_buf_add(&text, at, width);
        }
        tl_buf_add(&text, new.as.s, new.len);
        return tl_take_string(x, &text, out);
    }
    for (const char *hit; (hit = find(at, (size_t)(end - at), old)); at = hit + old.len) {
        tl_buf_add(&text, at, (size_t)(hit - at));
        tl_buf_add(&text, new.as.s, new.len);
    }
    tl_buf_add(&text, at, (size_t)(end - at));
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_plural)
{
    *out = args[2].as.i == 1 ? args[0] : args[1];
    return 0;
}

TL_FUNCTION(fn_quote)
{
    tl_buf text = tl_text_buf(x);
    int some = 0;
    for (size_t i = 0; i < count; i++) {
        if (args[i].type == TL_NULL) continue;
        tl_span span = tl_strval(x, args[i]);
        if (some++) tl_buf_addc(&text, ' ');
        tl_go_quote(&text, span.s, span.len);
    }
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_squote)
{
    tl_buf text = tl_text_buf(x);
    int some = 0;
    for (size_t i = 0; i < count; i++) {
        if (args[i].type == TL_NULL) continue;
        tl_buf_adds(&text, some++ ? " '" : "'");
        tl_go_print(&text, args[i]);
        tl_buf_addc(&text, '\'');
    }
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_cat)
{
    tl_buf text = tl_text_buf(x);
    int some = 0;
    for (size_t i = 0; i < count; i++) {
        if (args[i].type == TL_NULL) continue;
        if (some++) tl_buf_addc(&text, ' ');
        tl_go_print(&text, args[i]);
    }
    return tl_take_string(x, &text, out);
}

/* ---- lists ---- */

TL_FUNCTION(fn_join)
{
    tl_list *list;
    if (tl_to_strings(x, args[1], &list)) return -1;
    tl_buf text = tl_text_buf(x);
    for (size_t i = 0; i < list->len; i++) {
        if (i) tl_buf_add(&text, args[0].as.s, args[0].len);
        tl_buf_add(&text, list->items[i].as.s, list->items[i].len);
    }
    return tl_take_string(x, &text, out);
}

static int too_many(tl_exec *x, const tl_list *list)
{
    return list->len >= TL_MAX_ITEMS && tl_limit(x, "a text with more than %d parts", TL_MAX_ITEMS);
}

tl_list *tl_split(tl_exec *x, tl_value text, tl_value separator, int64_t limit)
{
    tl_list *list = tl_list_new(x->arena, 4);
    const char *at = text.as.s, *end = at + text.len;
    if (!limit) return list;
    if (!separator.len) {
        for (size_t width; at < end && !too_many(x, list); at += width) {
            tl_utf8_decode(at, (size_t)(end - at), &width);
            if (limit > 0 && (int64_t)list->len == limit - 1) width = (size_t)(end - at);
            tl_list_push(x->arena, list, tl_string_ref(at, width));
        }
        return list;
    }
    for (const char *hit; limit < 0 || (int64_t)list->len < limit - 1; at = hit + separator.len) {
        hit = find(at, (size_t)(end - at), separator);
        if (!hit || too_many(x, list)) break;
        tl_list_push(x->arena, list, tl_string_ref(at, (size_t)(hit - at)));
    }
    tl_list_push(x->arena, list, tl_string_ref(at, (size_t)(end - at)));
    return list;
}

static tl_value numbered(tl_exec *x, const tl_list *list)
{
    tl_map *map = tl_map_new(x->arena, list->len);
    for (size_t i = 0; i < list->len; i++) {
        char key[32];
        int length = snprintf(key, sizeof key, "_%zu", i);
        tl_map_set(map, key, (size_t)length, list->items[i]);
    }
    return tl_as_go(tl_map_value(map), TL_GO_STRING_MAP);
}

TL_FUNCTION(fn_split)
{
    *out = numbered(x, tl_split(x, args[1], args[0], -1));
    return 0;
}

TL_FUNCTION(fn_splitn)
{
    *out = numbered(x, tl_split(x, args[2], args[0], args[1].as.i));
    return 0;
}

TL_FUNCTION(fn_split_list)
{
    *out = tl_as_go(tl_list_value(tl_split(x, args[1], args[0], -1)), TL_GO_STRINGS);
    return 0;
}

/* ---- wrap ---- */

static const char *last_space(const char *text, size_t length)
{
    return memrchr(text, ' ', length);
}

static int wrap(tl_exec *x, tl_value str, int64_t width, tl_value newline, int long_words, tl_value *out)
{
    tl_buf text = tl_text_buf(x);
    size_t offset = 0, length = str.len, w = width < 1 ? 1 : (size_t)width;
    if (!newline.len) newline = tl_cstring_ref("\n");
    while (offset < length && length - offset > w) {
        const char *at = str.as.s + offset;
        if (*at == ' ') {
            offset++;
            continue;
        }
        const char *space = last_space(at, w + 1);
        size_t take;
        if (space) {
            take = (size_t)(space - at);
            offset += take + 1;
        } else if (long_words) {
            take = w;
            offset += w;
        } else {
            space = memchr(at + w, ' ', length - offset - w);
            if (!space) break;
            take = (size_t)(space - at);
            offset += take + 1;
        }
        tl_buf_add(&text, at, take);
        tl_buf_add(&text, newline.as.s, newline.len);
    }
    if (offset < length) tl_buf_add(&text, str.as.s + offset, length - offset);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_wrap)
{
    return wrap(x, args[1], args[0].as.i, tl_cstring_ref("\n"), 0, out);
}

TL_FUNCTION(fn_wrap_with)
{
    return wrap(x, args[2], args[0].as.i, args[1], 1, out);
}

const tl_function tl_functions_string[] = {
    {"trim", "s", fn_trim},           {"trimAll", "ss", fn_trim_all},       {"trimall", "ss", fn_trim_all},
    {"trimPrefix", "ss", fn_trim_prefix}, {"trimSuffix", "ss", fn_trim_suffix}, {"hasPrefix", "ss", fn_has_prefix},
    {"hasSuffix", "ss", fn_has_suffix}, {"contains", "ss", fn_contains},    {"trunc", "is", fn_trunc},
    {"substr", "iis", fn_substr},     {"abbrev", "is", fn_abbrev},          {"abbrevboth", "iis", fn_abbrev_both},
    {"repeat", "is", fn_repeat},      {"indent", "is", fn_indent},          {"nindent", "is", fn_nindent},
    {"replace", "sss", fn_replace},   {"plural", "ssi", fn_plural},         {"quote", "a*", fn_quote},
    {"squote", "a*", fn_squote},      {"cat", "a*", fn_cat},                {"join", "sa", fn_join},
    {"split", "ss", fn_split},        {"splitn", "sis", fn_splitn},         {"splitList", "ss", fn_split_list},
    {"wrap", "is", fn_wrap},          {"wrapWith", "iss", fn_wrap_with},    {NULL, NULL, NULL}};
