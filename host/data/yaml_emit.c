/* YAML scalars and indicators on lines. */
#include "data/yaml_emit.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* What a string allows. */
typedef struct shape {
    int plain, single_quoted, block, multiline, ascii;
} shape;

typedef struct text {
    const unsigned char *s;
    size_t n;
} text;

static size_t width_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

static int is_space(text t, size_t i)
{
    return i < t.n && t.s[i] == ' ';
}

/* CR, LF, NEL, LS, PS */
static int is_break(text t, size_t i)
{
    if (i >= t.n) return 0;
    unsigned char c = t.s[i];
    if (c < 0x80) return c == '\n' || c == '\r';
    if (c == 0xC2) return t.s[i + 1] == 0x85;
    return c == 0xE2 && t.s[i + 1] == 0x80 && (t.s[i + 2] == 0xA8 || t.s[i + 2] == 0xA9);
}

/* What libyaml prints as it is. Runes of four bytes are not among them. */
static int is_printable(text t, size_t i)
{
    const unsigned char *s = t.s + i;
    if (*s < 0x80) return *s == '\n' || (*s >= 0x20 && *s <= 0x7E);
    if (*s == 0xC2) return s[1] >= 0xA0;
    if (*s == 0xED) return s[1] < 0xA0;
    if (*s == 0xEF) return !(s[1] == 0xBB && s[2] == 0xBF) && !(s[1] == 0xBF && (s[2] == 0xBE || s[2] == 0xBF));
    return *s < 0xF0;
}

int tl_yaml_has_break(const char *string, size_t length)
{
    text t = {(const unsigned char *)string, length};
    for (size_t i = 0; i < length; i++)
        if ((t.s[i] < ' ' || t.s[i] >= 0x80) && is_break(t, i)) return 1;
    return 0;
}

/* Where a character means nothing to YAML: at the start of a word, further on in it, behind any first character. */
enum { FIRST = 1, LATER = 2, BEHIND = 4, ANYWHERE = FIRST | LATER | BEHIND };
static const unsigned char meaningless[256] = {
    ['!' ... '"'] = BEHIND,     ['$' ... ','] = BEHIND,   ['-' ... '.'] = LATER | BEHIND, ['/' ... '9'] = ANYWHERE,
    [';' ... '@'] = BEHIND,     ['A' ... 'Z'] = ANYWHERE, ['[' ... '^'] = BEHIND,         ['_'] = ANYWHERE,
    ['`'] = BEHIND,             ['a' ... 'z'] = ANYWHERE, ['{' ... '~'] = BEHIND,
};

/* Whether the character at i is an indicator that a plain scalar in a block may not have there. */
static int is_indicator(text t, size_t i, int space_before, int space_after)
{
    unsigned char c = t.s[i];
    if (c == ':') return space_after;
    if (i) return c == '#' && space_before;
    return (c == '?' || c == '-') ? space_after : c && strchr("#,[]{}&*!|>'\"%@`", c) != NULL;
}

static shape analyze(text t, int tabs_in_blocks)
{
    int special = 0, indicators = 0, breaks = 0, tabs = 0, edge_space = 0, edge_break = 0, trailing_space = 0;
    int break_space = 0, space_break = 0, after_space = 0, after_break = 0, space_before = 1, ascii = 1;
    if (!t.n) return (shape){.plain = 1, .single_quoted = 1};
    if (t.n >= 3 && (!memcmp(t.s, "---", 3) || !memcmp(t.s, "...", 3))) indicators = 1;
    for (size_t i = 0, w; i < t.n; i += w) {
        if (meaningless[t.s[i]] & (i ? BEHIND : FIRST)) { /* most characters */
            after_space = after_break = space_before = 0;
            w = 1;
            continue;
        }
        w = width_of(t.s[i]);
        ascii &= w == 1;
        int space_after = i + w >= t.n || t.s[i + w] == ' ' || t.s[i + w] == '\t';
        if (t.s[i] < 0x40 || i == 0) indicators |= is_indicator(t, i, space_before, space_after);
        if (t.s[i] == '\t' && tabs_in_blocks)
            tabs = 1;
        else if (!is_printable(t, i))
            special = 1;
        int space = t.s[i] == ' ', line_break = !space && is_break(t, i), edge = i == 0 || i + w == t.n;
        if (space) {
            edge_space |= edge;
            trailing_space |= i + w == t.n;
            break_space |= after_break;
        } else if (line_break) {
            breaks = 1;
            edge_break |= edge;
            space_break |= after_space;
        }
        after_space = space;
        after_break = line_break;
        space_before = space || line_break || t.s[i] == '\t' || t.s[i] == 0;
    }
    shape result = {.multiline = breaks, .ascii = ascii};
    int unquotable = space_break || special;
    result.plain = !(edge_space || edge_break || break_space || unquotable || tabs || breaks || indicators);
    result.single_quoted = !(break_space || unquotable || tabs);
    result.block = !(trailing_space || unquotable);
    return result;
}

static void put(tl_yaml_emitter *e, char c)
{
    tl_buf_addc(e->out, c);
    e->column++;
}

static void put_break(tl_yaml_emitter *e)
{
    tl_buf_addc(e->out, '\n');
    e->column = 0;
}

/* Copies the rune at i; returns its width. */
static size_t put_rune(tl_yaml_emitter *e, text t, size_t i)
{
    size_t w = width_of(t.s[i]);
    tl_buf_add(e->out, t.s + i, w);
    e->column++;
    return w;
}

static size_t copy_break(tl_yaml_emitter *e, text t, size_t i)
{
    size_t w = 1;
    if (t.s[i] == '\n')
        put_break(e);
    else
        w = put_rune(e, t, i);
    e->column = 0;
    return w;
}

void tl_yaml_emit_indent(tl_yaml_emitter *e)
{
    int indent = e->indent < 0 ? 0 : e->indent;
    if (!e->indention || e->column > indent || (e->column == indent && !e->whitespace)) put_break(e);
    while (e->column < indent) put(e, ' ');
    e->whitespace = e->indention = 1;
}

void tl_yaml_emit_indicator(tl_yaml_emitter *e, const char *indicator, int spaced, int whitespace, int indention)
{
    if (spaced && !e->whitespace) put(e, ' ');
    for (; *indicator; indicator++) put(e, *indicator);
    e->whitespace = whitespace;
    e->indention = e->indention && indention;
}

void tl_yaml_emit_plain(tl_yaml_emitter *e, const char *string, size_t length)
{
    if (!e->whitespace) put(e, ' ');
    tl_buf_add(e->out, string, length);
    e->column += (int)length;
    e->whitespace = e->indention = 0;
}

/* Where the run of ordinary characters from i ends: no space, break, quote, or anything past ASCII. */
static size_t plain_run(text t, size_t i)
{
    while (i < t.n && t.s[i] > ' ' && t.s[i] < 0x80 && t.s[i] != '\'') i++;
    return i;
}

/* Plain and single-quoted text: folded at spaces past the width, breaks doubled. */
static void put_folded(tl_yaml_emitter *e, text t, const shape *is, int quoted, int fold)
{
    int spaces = 0, breaks = 0;
    if (is->ascii && !is->multiline && t.n <= (size_t)(e->width - e->column) && e->column <= e->width &&
        !(quoted && memchr(t.s, '\'', t.n))) { /* nothing to fold, nothing to double */
        tl_buf_add(e->out, t.s, t.n);
        e->column += (int)t.n;
        return;
    }
    for (size_t i = 0; i < t.n;) {
        if (t.s[i] == ' ') {
            int inside = !quoted || (i > 0 && i < t.n - 1);
            if (fold && !spaces && e->column > e->width && inside && !is_space(t, i + 1)) {
                tl_yaml_emit_indent(e);
                i++;
            } else {
                i += put_rune(e, t, i);
            }
            spaces = 1;
        } else if (is_break(t, i)) {
            if (!breaks && t.s[i] == '\n') put_break(e);
            i += copy_break(e, t, i);
            e->indention = breaks = 1;
        } else {
            if (breaks) tl_yaml_emit_indent(e);
            if (quoted && t.s[i] == '\'') put(e, '\'');
            size_t end = plain_run(t, i);
            if (end == i) {
                i += put_rune(e, t, i);
            } else {
                tl_buf_add(e->out, t.s + i, end - i);
                e->column += (int)(end - i);
                i = end;
            }
            e->indention = spaces = breaks = 0;
        }
    }
}

static void put_escape(tl_yaml_emitter *e, uint32_t rune)
{
    static const struct {
        uint32_t rune;
        char letter;
    } named[] = {{0, '0'},   {7, 'a'},   {8, 'b'},     {9, 't'},    {10, 'n'},
                 {11, 'v'},  {12, 'f'},  {13, 'r'},    {27, 'e'},   {'"', '"'},
                 {'\\', '\\'}, {0x85, 'N'}, {0xA0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    put(e, '\\');
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (named[i].rune == rune) {
            put(e, named[i].letter);
            return;
        }
    }
    int digits = rune <= 0xFF ? 2 : rune <= 0xFFFF ? 4 : 8;
    put(e, digits == 2 ? 'x' : digits == 4 ? 'u' : 'U');
    tl_buf_addf(e->out, "%0*X", digits, (unsigned)rune);
    e->column += digits;
}

static void put_double_quoted(tl_yaml_emitter *e, text t, int fold)
{
    int spaces = 0;
    /* go-yaml asks for a byte order mark at the start of the text whatever the place. */
    int marked = t.n >= 3 && t.s[0] == 0xEF && t.s[1] == 0xBB && t.s[2] == 0xBF;
    tl_yaml_emit_indicator(e, "\"", 1, 0, 0);
    for (size_t i = 0; i < t.n;) {
        unsigned char c = t.s[i];
        if (marked || c == '"' || c == '\\' || !is_printable(t, i) || is_break(t, i)) {
            size_t w;
            put_escape(e, tl_utf8_decode((const char *)t.s + i, t.n - i, &w));
            i += w;
            spaces = 0;
        } else if (c == ' ') {
            if (fold && !spaces && e->column > e->width && i > 0 && i < t.n - 1) {
                tl_yaml_emit_indent(e);
                if (is_space(t, i + 1)) put(e, '\\');
                i++;
            } else {
                i += put_rune(e, t, i);
            }
            spaces = 1;
        } else {
            i += put_rune(e, t, i);
            spaces = 0;
        }
    }
    tl_yaml_emit_indicator(e, "\"", 0, 0, 0);
}

static size_t last_rune(text t, size_t end)
{
    do end--;
    while ((t.s[end] & 0xC0) == 0x80);
    return end;
}

static void put_literal(tl_yaml_emitter *e, text t)
{
    tl_yaml_emit_indicator(e, "|", 1, 0, 0);
    if (is_space(t, 0) || is_break(t, 0)) tl_yaml_emit_indicator(e, "2", 0, 0, 0);
    size_t last = last_rune(t, t.n);
    if (!is_break(t, last))
        tl_yaml_emit_indicator(e, "-", 0, 0, 0);
    else if (last == 0 || is_break(t, last_rune(t, last)))
        tl_yaml_emit_indicator(e, "+", 0, 0, 0);
    put_break(e);
    e->indention = e->whitespace = 1;
    int breaks = 1;
    for (size_t i = 0; i < t.n;) {
        if (is_break(t, i)) {
            i += copy_break(e, t, i);
            e->indention = breaks = 1;
        } else {
            if (breaks) tl_yaml_emit_indent(e);
            i += put_rune(e, t, i);
            e->indention = breaks = 0;
        }
    }
}

/* Most strings: nothing in them that could mean anything to YAML. */
static int is_word(const char *string, size_t length)
{
    if (!length || !(meaningless[(unsigned char)*string] & FIRST)) return 0;
    for (size_t i = 1; i < length; i++)
        if (!(meaningless[(unsigned char)string[i]] & LATER)) return 0;
    return 1;
}

void tl_yaml_emit_string(tl_yaml_emitter *e, const char *string, size_t length, int quote, int simple_key)
{
    if (!quote && is_word(string, length)) {
        tl_yaml_emit_plain(e, string, length);
        return;
    }
    text t = {(const unsigned char *)string, length};
    shape allowed = analyze(t, e->tabs_in_blocks);
    int outer = e->indent;
    e->indent = outer < 0 ? 2 : outer + 2;
    int literal = memchr(string, '\n', length) && allowed.block && !simple_key && length;
    int plain = !quote && !literal && !memchr(string, '\n', length) && allowed.plain && !(simple_key && !length);
    if (literal) {
        put_literal(e, t);
    } else if (plain) {
        if (!e->whitespace) put(e, ' ');
        put_folded(e, t, &allowed, 0, !simple_key);
        e->whitespace = e->indention = 0;
    } else if (!quote && !memchr(string, '\n', length) && allowed.single_quoted && !(simple_key && allowed.multiline)) {
        tl_yaml_emit_indicator(e, "'", 1, 0, 0);
        put_folded(e, t, &allowed, 1, !simple_key);
        tl_yaml_emit_indicator(e, "'", 0, 0, 0);
    } else {
        put_double_quoted(e, t, !simple_key);
    }
    e->indent = outer;
}
