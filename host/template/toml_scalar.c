/* Strings, numbers, times and words of TOML. */
#include <string.h>

#include "base/utf8.h"
#include "data/number.h"
#include "template/toml_reader.h"
#include "template/unicode.h"

/* ---- strings ---- */

static int fail_digits(tl_toml_reader *r, const char *place, size_t digits, const char *name)
{
    tl_buf quoted = TL_BUF_INIT(1u << 16);
    tl_go_quote(&quoted, r->string, (size_t)(place - r->string) + (place < r->end));
    tl_toml_fail(r, r->at, "expected %s hexadecimal digits after '\\%c', but got %s instead", name,
            digits == 2 ? 'x' : digits == 4 ? 'u' : 'U', quoted.data);
    tl_buf_dispose(&quoted);
    return -1;
}

static int unescape_unicode(tl_toml_reader *r, size_t digits, const char *name, tl_buf *text)
{
    uint32_t code = 0;
    char utf8[4];
    for (size_t i = 0; i < digits; i++) {
        char c = r->at + i < r->end ? r->at[i] : 0;
        int digit = tl_toml_is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return fail_digits(r, r->at + i, digits, name);
        code = code << 4 | (uint32_t)digit;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return tl_toml_fail(r, r->at, "Escaped character '\\u%.*s' is not valid UTF-8.", (int)digits, r->at);
    r->at += digits;
    tl_buf_add(text, utf8, tl_utf8_encode(code, utf8));
    return 0;
}

/* The backslash is past. */
static int unescape(tl_toml_reader *r, tl_buf *text)
{
    static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\x1b\"\\";
    char c = tl_toml_at_end(r) ? 0 : *r->at;
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        tl_buf_addc(text, to[found - from]);
        r->at++;
        return 0;
    }
    if (c == ' ' || c == '\t') return tl_toml_fail(r, r->at, "invalid escape: '\\%c'", c);
    r->at++;
    if (c == 'x') return unescape_unicode(r, 2, "two", text);
    if (c == 'u') return unescape_unicode(r, 4, "four", text);
    if (c == 'U') return unescape_unicode(r, 8, "eight", text);
    r->at--;
    size_t width = 0;
    if (!tl_toml_at_end(r)) tl_utf8_decode(r->at, (size_t)(r->end - r->at), &width);
    return tl_toml_fail(r, r->at, "invalid escape in string '\\%.*s'", (int)width, r->at);
}

/* A backslash before the end of a line takes all space that follows. */
static int skip_folded(tl_toml_reader *r)
{
    const char *from = r->at;
    tl_toml_skip_blanks(r);
    if (!tl_toml_at_newline(r)) {
        r->at = from;
        return 0;
    }
    while (!tl_toml_at_end(r) && strchr(" \t\r\n", *r->at)) r->at++;
    return 1;
}

static int read_multiline(tl_toml_reader *r, char quote, tl_buf *text)
{
    const char fence[] = {quote, quote, quote, 0};
    if (tl_toml_at_newline(r)) r->at += *r->at == '\r' ? 2 : 1;
    while (!tl_toml_at_end(r)) {
        if (r->end - r->at >= 3 && !memcmp(r->at, fence, 3)) {
            for (int extra = 0; extra < 2 && r->end - r->at > 3 && r->at[3] == quote; extra++) {
                tl_buf_addc(text, quote);
                r->at++;
            }
            r->at += 3;
            return 0;
        }
        if (quote == '"' && *r->at == '\\') {
            r->at++;
            if (!skip_folded(r) && unescape(r, text)) return -1;
        } else {
            tl_buf_addc(text, *r->at++);
        }
    }
    return tl_toml_fail(r, r->at, quote == '"' ? "unexpected EOF; expected '\"\"\"'" : "unexpected EOF; expected \"'''\"");
}

static int read_line(tl_toml_reader *r, char quote, tl_buf *text)
{
    while (!tl_toml_at_end(r)) {
        if (tl_toml_at_newline(r)) return tl_toml_fail(r, r->at, "strings cannot contain newlines");
        if (*r->at == quote) {
            r->at++;
            return 0;
        }
        if (quote == '"' && *r->at == '\\') {
            r->at++;
            if (unescape(r, text)) return -1;
        } else {
            tl_buf_addc(text, *r->at++);
        }
    }
    return tl_toml_fail(r, r->at, quote == '"' ? "unexpected EOF; expected '\"'" : "unexpected EOF; expected \"'\"");
}

int tl_toml_string(tl_toml_reader *r, int may_span, tl_value *out)
{
    char quote = *r->at++;
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    int multiline = may_span && r->end - r->at >= 2 && r->at[0] == quote && r->at[1] == quote;
    if (multiline) r->at += 2;
    r->string = r->at;
    int status = multiline ? read_multiline(r, quote, &text) : read_line(r, quote, &text);
    *out = tl_string(r->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return status;
}

/* ---- numbers, times, booleans ---- */

static int underscores_fit(const char *text, size_t length)
{
    int accept = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i] | 32;
        if (text[i] == '_' && !accept) return 0;
        accept = tl_toml_is_digit(text[i]) || (c >= 'a' && c <= 'f');
    }
    return accept;
}

static int has_leading_zero(const char *text, size_t length)
{
    if (length > 1 && text[0] == '0' && !strchr("box", text[1])) return 1;
    return length > 2 && (text[0] == '-' || text[0] == '+') && text[1] == '0';
}

static int bad_number(tl_toml_reader *r, const char *text, size_t length, const char *kind, const char *why)
{
    tl_buf quoted = TL_BUF_INIT(4096);
    tl_go_quote(&quoted, text, length);
    tl_toml_fail(r, text, "Invalid %s %s: %s", kind, quoted.data, why);
    tl_buf_dispose(&quoted);
    return -1;
}

static int take_integer(tl_toml_reader *r, const char *text, size_t length, tl_value *out)
{
    int64_t number;
    if (!underscores_fit(text, length))
        return bad_number(r, text, length, "integer", "underscores must be surrounded by digits");
    if (has_leading_zero(text, length)) return bad_number(r, text, length, "integer", "cannot have leading zeroes");
    if (tl_number_parse_int(text, length, 0, &number))
        return tl_toml_fail(r, text, "%.*s is out of range for int64", (int)length, text);
    *out = tl_int(number);
    return 0;
}

static int take_float(tl_toml_reader *r, const char *text, size_t length, tl_value *out)
{
    char plain[512];
    size_t n = 0, part = 0;
    double number;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && !strchr(".eE", text[i])) continue;
        if (i > part && !underscores_fit(text + part, i - part))
            return bad_number(r, text, length, "float", "underscores must be surrounded by digits");
        if (!part && has_leading_zero(text, i)) return bad_number(r, text, length, "float", "cannot have leading zeroes");
        if (i < length && text[i] == '.' && (i + 1 == length || !tl_toml_is_digit(text[i + 1])))
            return bad_number(r, text, length, "float", "'.' must be followed by one or more digits");
        part = i + 1;
    }
    for (size_t i = 0; i < length && n < sizeof plain; i++)
        if (text[i] != '_') plain[n++] = text[i];
    int status = tl_number_parse_float(plain, n, &number);
    if (status == -2) return tl_toml_fail(r, text, "%.*s is out of range for float64", (int)length, text);
    if (status) {
        tl_buf quoted = TL_BUF_INIT(4096);
        tl_go_quote(&quoted, text, length);
        tl_toml_fail(r, text, "Invalid float value: %s", quoted.data);
        tl_buf_dispose(&quoted);
        return -1;
    }
    *out = tl_float(number);
    return 0;
}

static int take_time(tl_toml_reader *r, const char *text, size_t length, tl_value *out)
{
    static const char *const layouts[] = {"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999",
                                          "2006-01-02", "15:04:05.999999999", "2006-01-02T15:04Z07:00",
                                          "2006-01-02T15:04", "15:04"};
    char *copy = tl_arena_strndup(r->arena, text, length);
    for (char *c = copy; *c; c++) *c = *c == 'z' ? 'Z' : *c == 't' || *c == ' ' ? 'T' : *c;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        tl_gotime time = {0};
        tl_buf reason = TL_BUF_INIT(4096);
        int status = tl_gotime_parse(layouts[i], strlen(layouts[i]), copy, length, &time, &reason);
        tl_buf_dispose(&reason);
        if (status) continue;
        *out = tl_time_value(r->arena, time);
        return 0;
    }
    tl_buf quoted = TL_BUF_INIT(4096);
    tl_go_quote(&quoted, copy, length);
    tl_toml_fail(r, text, "invalid datetime: %s", quoted.data);
    tl_buf_dispose(&quoted);
    return -1;
}

void tl_toml_skip_any(tl_toml_reader *r, const char *set)
{
    while (!tl_toml_at_end(r) && *r->at && strchr(set, *r->at)) r->at++;
}

/* A digit, or a sign before one, stands here. */
int tl_toml_number(tl_toml_reader *r, tl_value *out)
{
    const char *from = r->at;
    int is_signed = *from == '+' || *from == '-';
    r->at += is_signed;
    if (!is_signed && *from == '0' && r->at + 1 < r->end && strchr("box", r->at[1])) {
        r->at += 2;
        tl_toml_skip_any(r, from[1] == 'x' ? "0123456789abcdefABCDEF_" : from[1] == 'o' ? "01234567_" : "01_");
        return take_integer(r, from, (size_t)(r->at - from), out);
    }
    tl_toml_skip_any(r, "0123456789_");
    if (!is_signed && (tl_toml_is(r, '-') || tl_toml_is(r, ':'))) {
        tl_toml_skip_any(r, "0123456789-:Tt .Zz+");
        while (r->at[-1] == ' ') r->at--;
        return take_time(r, from, (size_t)(r->at - from), out);
    }
    if (!tl_toml_is(r, '.') && !tl_toml_is(r, 'e') && !tl_toml_is(r, 'E')) return take_integer(r, from, (size_t)(r->at - from), out);
    tl_toml_skip_any(r, "0123456789_.-+eE");
    return take_float(r, from, (size_t)(r->at - from), out);
}

static int is_word(const tl_toml_reader *r, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(r->end - r->at) >= length && !memcmp(r->at, word, length);
}

int tl_toml_signed(tl_toml_reader *r, tl_value *out)
{
    char next = r->at + 1 < r->end ? r->at[1] : 0;
    if (tl_toml_is_digit(next)) {
        if (next == '0' && r->at + 2 < r->end && strchr("box", r->at[2]))
            return tl_toml_fail(r, r->at, "cannot use sign with non-decimal numbers: '%.3s'", r->at);
        return tl_toml_number(r, out);
    }
    int negative = *r->at == '-';
    r->at++;
    if (is_word(r, "inf") || is_word(r, "nan")) {
        double number;
        tl_number_parse_float(r->at, 3, &number);
        *out = tl_float(negative ? -number : number);
        r->at += 3;
        return 0;
    }
    if (next == '.') return tl_toml_fail(r, r->at, "floats must start with a digit, not '.'");
    return tl_toml_fail_rune(r, "expected a digit but got ", "");
}

int tl_toml_word(tl_toml_reader *r, tl_value *out)
{
    static const struct {
        const char *word;
        tl_value value;
    } words[] = {{"true", {.type = TL_BOOL, .as.b = 1}}, {"false", {.type = TL_BOOL}}};
    const char *from = r->at;
    if (is_word(r, "inf") || is_word(r, "nan")) {
        double number;
        tl_number_parse_float(r->at, 3, &number);
        *out = tl_float(number);
        r->at += 3;
        return 0;
    }
    for (size_t width; !tl_toml_at_end(r); r->at += width)
        if (!tl_rune_is_letter(tl_utf8_decode(r->at, (size_t)(r->end - r->at), &width))) break;
    for (size_t i = 0; i < 2; i++) {
        if ((size_t)(r->at - from) != strlen(words[i].word) || memcmp(from, words[i].word, (size_t)(r->at - from))) continue;
        *out = words[i].value;
        return 0;
    }
    if (r->at == from) return tl_toml_fail_rune(r, "expected value but found ", " instead");
    tl_buf quoted = TL_BUF_INIT(4096);
    tl_go_quote(&quoted, from, (size_t)(r->at - from));
    tl_toml_fail(r, from, "expected value but found %s instead", quoted.data);
    tl_buf_dispose(&quoted);
    return -1;
}
