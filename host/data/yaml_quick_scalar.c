/* Scalars and flow collections of the quick YAML reader. */
#include "data/yaml_quick_scalar.h"

#include <math.h>
#include <string.h>

#include "data/yaml_scalar.h"

#define MAX_FLOW_DEPTH 32

int tl_yaml_starts_plain(const tl_yaml_reader *r)
{
    static const unsigned char others[256] = {
        [0] = 1,   ['?'] = 1, [':'] = 1, [','] = 1, ['['] = 1,  [']'] = 1, ['{'] = 1, ['}'] = 1, ['#'] = 1,  ['&'] = 1,
        ['*'] = 1, ['!'] = 1, ['|'] = 1, ['>'] = 1, ['\''] = 1, ['"'] = 1, ['%'] = 1, ['@'] = 1, ['`'] = 1, ['\t'] = 1,
        ['\n'] = 1,
    };
    if (r->at >= r->end || others[(unsigned char)*r->at]) return 0;
    return *r->at != '-' || !tl_yaml_ends_word(r, r->at + 1);
}

static tl_value text_value(tl_yaml_reader *r, const char *text, size_t length)
{
    return r->unkept ? tl_string_ref(text, length) : tl_string(r->arena, text, length);
}

/* The value of a plain scalar. */
static int resolve(tl_yaml_reader *r, const char *text, size_t length, tl_value *out)
{
    tl_yaml_resolve(text, length, r->options->flavour, 1, out);
    if (out->type == TL_STRING)
        *out = text_value(r, text, length);
    else
        *out = tl_yaml_number(*out, r->options->floats);
    return out->type == TL_FLOAT && !isfinite(out->as.d) ? -1 : 0;
}

/* ---- plain scalars ---- */

/* One line of a plain scalar from r->at: its length without blanks at the end, or -1. Moves behind the line; *comment
 * says that one follows. */
static ptrdiff_t plain_line(tl_yaml_reader *r, int *comment)
{
    const char *from = r->at, *at = from, *stop;
    for (; (at = tl_yaml_plain_run(at, r->end)) < r->end && *at != '\n'; at++) {
        if (*at == ':' && tl_yaml_ends_word(r, at + 1)) return -1;
        if (*at == '\t') return -1;
        if (*at == '#' && at > from && at[-1] == ' ') break;
    }
    stop = at;
    *comment = at < r->end && *at == '#';
    if (*comment) {
        at = memchr(at, '\n', (size_t)(r->end - at));
        if (!at) at = r->end;
    }
    r->at = at < r->end ? at + 1 : at;
    while (stop > from && stop[-1] == ' ') stop--;
    return stop - from;
}

/* Appends the lines that continue a plain scalar: indented deeper than the collection it is in. */
static int plain_rest(tl_yaml_reader *r, int indent, tl_buf *text)
{
    for (size_t breaks = 0;;) {
        const char *line = r->at, *at = line;
        int comment;
        while (at < r->end && *at == ' ') at++;
        if (at == r->end) return 0;
        if (*at == '\n') {
            breaks++;
            r->at = at + 1;
            continue;
        }
        if (*at == '\t') return -1;
        if (at - line <= indent || *at == '#') return 0;
        r->at = at;
        ptrdiff_t length = plain_line(r, &comment);
        if (length < 0) return -1;
        if (!breaks) tl_buf_addc(text, ' ');
        for (; breaks; breaks--) tl_buf_addc(text, '\n');
        tl_buf_add(text, at, (size_t)length);
        if (comment) return 0;
    }
}

static int read_plain(tl_yaml_reader *r, int indent, tl_value *out)
{
    const char *from = r->at;
    int comment;
    if (!tl_yaml_starts_plain(r)) return -1;
    ptrdiff_t length = plain_line(r, &comment);
    const char *rest = r->at;
    if (length < 0 || tl_yaml_seek(r)) return -1;
    if (r->column <= indent) return resolve(r, from, (size_t)length, out);
    if (comment) return -1;
    tl_buf_clear(&r->scratch);
    tl_buf_add(&r->scratch, from, (size_t)length);
    r->at = rest;
    if (plain_rest(r, indent, &r->scratch) || resolve(r, r->scratch.data, r->scratch.len, out)) return -1;
    return tl_yaml_seek(r);
}

/* ---- quoted scalars ---- */

/* A line break inside quotes: blanks around it go, a single one becomes a space. */
static int fold(tl_yaml_reader *r, tl_buf *text, size_t kept, int escaped)
{
    size_t breaks = 0;
    while (!escaped && text->len > kept && (text->data[text->len - 1] == ' ' || text->data[text->len - 1] == '\t'))
        text->len--;
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n')) {
        if (*r->at++ != '\n') continue;
        breaks++;
        if (r->end - r->at >= 3 && (!memcmp(r->at, "---", 3) || !memcmp(r->at, "...", 3))) return -1;
    }
    if (breaks == 1 && !escaped) tl_buf_addc(text, ' ');
    for (; breaks > 1; breaks--) tl_buf_addc(text, '\n');
    return 0;
}

static int unescape(tl_yaml_reader *r, tl_buf *text)
{
    static const char from[] = "\"\\nt r", to[] = "\"\\\n\t \r"; /* go-yaml knows no escaped slash */
    const char *found = r->at < r->end && *r->at ? strchr(from, *r->at) : NULL;
    if (!found) return -1;
    tl_buf_addc(text, to[found - from]);
    r->at++;
    return 0;
}

/* A quoted scalar that has more than bytes that stand for themselves. */
static int quoted_text(tl_yaml_reader *r, char quote, tl_buf *text)
{
    size_t kept = 0; /* blanks that were written as escapes stay */
    while (r->at < r->end) {
        char c = *r->at;
        if (c == quote) {
            r->at++;
            if (quote != '\'' || r->at >= r->end || *r->at != '\'') return 0;
            tl_buf_addc(text, '\'');
            r->at++;
        } else if (c == '\n') {
            if (fold(r, text, kept, 0)) return -1;
        } else if (c == '\\' && quote == '"') {
            r->at++;
            if (r->at < r->end && *r->at == '\n' ? fold(r, text, kept, 1) : unescape(r, text)) return -1;
            kept = text->len;
        } else {
            tl_buf_addc(text, c);
            r->at++;
        }
    }
    return -1;
}

int tl_yaml_quoted(tl_yaml_reader *r, tl_value *out)
{
    const char quote = *r->at, *from = ++r->at, *at = from;
    while (at < r->end && *at != quote && *at != '\\' && *at != '\n') at++;
    if (at < r->end && *at == quote && (quote == '"' || at + 1 >= r->end || at[1] != '\'')) {
        *out = text_value(r, from, (size_t)(at - from));
        r->at = at + 1;
        return 0;
    }
    tl_buf_clear(&r->scratch);
    if (quoted_text(r, quote, &r->scratch)) return -1;
    *out = text_value(r, r->scratch.data, r->scratch.len);
    return 0;
}

/* ---- literal blocks ---- */

/* The indentation of a literal block from its first line that is not blank; 0 where it has none; -1 where it is none of
 * ours. */
static int literal_indent(const tl_yaml_reader *r, int indent)
{
    const char *at = r->at;
    int widest = 0;
    for (;;) {
        const char *line = at;
        while (at < r->end && *at == ' ') at++;
        int width = (int)(at - line);
        if (at == r->end || (*at != '\n' && width <= indent)) return 0;
        if (*at == '\t') return -1;
        if (*at != '\n') return width >= widest ? width : -1;
        if (width > widest) widest = width;
        at++;
    }
}

/* "|" with "-" or "+"; the lines are taken as they stand. */
static int read_literal(tl_yaml_reader *r, int indent, tl_value *out)
{
    char chomp = 0;
    r->at++;
    if (r->at < r->end && (*r->at == '-' || *r->at == '+')) chomp = *r->at++;
    if (tl_yaml_end_line(r)) return -1;
    int width = literal_indent(r, indent);
    if (width < 0 || (!width && chomp == '+')) return -1;
    if (!width) {
        *out = text_value(r, "", 0);
        return tl_yaml_seek(r);
    }
    tl_buf *text = &r->scratch;
    size_t content = 0; /* the text up to the last line that is not blank, with its break */
    tl_buf_clear(text);
    while (r->at < r->end) {
        const char *line = r->at, *newline = memchr(line, '\n', (size_t)(r->end - line));
        const char *stop = newline ? newline : r->end, *at = line;
        while (at < stop && at - line < width && *at == ' ') at++;
        if (at < stop && at - line < width) break;
        tl_buf_add(text, at, (size_t)(stop - at));
        if (newline) tl_buf_addc(text, '\n');
        if (at < stop) content = text->len;
        r->at = newline ? newline + 1 : r->end;
    }
    size_t length = chomp == '+' ? text->len : content;
    if (chomp == '-' && length && text->data[length - 1] == '\n') length--;
    *out = text_value(r, text->data, length);
    return tl_yaml_seek(r);
}

/* ---- flow collections ---- */

static int read_flow(tl_yaml_reader *r, int depth, tl_value *out);

static void skip_blanks(tl_yaml_reader *r)
{
    while (r->at < r->end && *r->at == ' ') r->at++;
}

/* A plain scalar of the bytes that mean nothing else in any flow collection. */
static int flow_plain(tl_yaml_reader *r, const char **text, size_t *length)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./$";
    const char *from = r->at;
    if (!strchr(safe, *from)) return -1;
    while (r->at < r->end && *r->at && (strchr(safe, *r->at) || *r->at == '-')) r->at++;
    *text = from;
    *length = (size_t)(r->at - from);
    return 0;
}

static int flow_key(tl_yaml_reader *r, tl_value *key)
{
    const char *text = r->at;
    size_t length;
    if (*text == '"' || *text == '\'') {
        if (tl_yaml_quoted(r, key)) return -1;
        if (memchr(text, '\n', (size_t)(r->at - text)) || r->at - text > 1000) return -1;
    } else {
        if (flow_plain(r, &text, &length) || length > 1000) return -1;
        tl_yaml_resolve(text, length, r->options->flavour, 1, key);
        if (key->type != TL_STRING) return -1;
    }
    if (r->end - r->at < 2 || r->at[0] != ':' || r->at[1] != ' ') return -1;
    r->at += 2;
    skip_blanks(r);
    return 0;
}

static int flow_item(tl_yaml_reader *r, int depth, tl_value *collection)
{
    tl_value key, value;
    int is_map = collection->type == TL_MAP;
    if (is_map && flow_key(r, &key)) return -1;
    if (r->at >= r->end || read_flow(r, depth + 1, &value)) return -1;
    if (!is_map) {
        if (!r->unkept) tl_list_push(r->arena, collection->as.list, value);
        return 0;
    }
    if (r->unkept) return 0;
    if (tl_map_get(collection->as.map, key.as.s, key.len)) return -1;
    tl_map_set(collection->as.map, key.as.s, key.len, value);
    return 0;
}

static int flow_collection(tl_yaml_reader *r, int depth, tl_value *out)
{
    char close = *r->at == '[' ? ']' : '}';
    if (close == ']')
        *out = tl_list_value(r->unkept ? NULL : tl_list_new(r->arena, 0));
    else
        *out = tl_map_value(r->unkept ? NULL : tl_map_new(r->arena, 0));
    if (depth > MAX_FLOW_DEPTH || tl_arena_over(r->arena)) return -1;
    r->at++;
    skip_blanks(r);
    if (r->at < r->end && *r->at == close) {
        r->at++;
        return 0;
    }
    for (;;) {
        if (r->at >= r->end || flow_item(r, depth, out)) return -1;
        skip_blanks(r);
        if (r->at >= r->end) return -1;
        if (*r->at == close) break;
        if (*r->at++ != ',') return -1;
        skip_blanks(r);
    }
    r->at++;
    return 0;
}

static int read_flow(tl_yaml_reader *r, int depth, tl_value *out)
{
    const char *text;
    size_t length;
    switch (*r->at) {
    case '[':
    case '{': return flow_collection(r, depth, out);
    case '"':
    case '\'': return tl_yaml_quoted(r, out);
    default: return flow_plain(r, &text, &length) ? -1 : resolve(r, text, length, out);
    }
}

int tl_yaml_scalar(tl_yaml_reader *r, int indent, tl_value *out)
{
    int status;
    switch (*r->at) {
    case '|': return read_literal(r, indent, out);
    case '"':
    case '\'': status = tl_yaml_quoted(r, out); break;
    case '[':
    case '{': status = flow_collection(r, 0, out); break;
    default: return read_plain(r, indent, out);
    }
    return status || tl_yaml_end_line(r) || tl_yaml_seek(r) ? -1 : 0;
}
