/* Go's quoted strings: strconv.Quote and Unquote. */
#include <string.h>

#include "base/utf8.h"
#include "template/internal.h"
#include "template/unicode.h"

static void quote_rune(tl_buf *out, uint32_t rune, char quote, int ascii)
{
    static const char names[] = "abtnvfr";
    char utf8[4];
    if (rune == (uint32_t)quote || rune == '\\') {
        tl_buf_addc(out, '\\');
        tl_buf_addc(out, (char)rune);
    } else if (rune < 0x80 ? tl_rune_is_print(rune) : !ascii && tl_rune_is_print(rune)) {
        tl_buf_add(out, utf8, tl_utf8_encode(rune, utf8));
    } else if (rune >= 7 && rune <= 13) {
        tl_buf_addc(out, '\\');
        tl_buf_addc(out, names[rune - 7]);
    } else if (rune < 32 || rune == 127) {
        tl_buf_addf(out, "\\x%02x", rune);
    } else if (rune < 0x10000) {
        tl_buf_addf(out, "\\u%04x", rune);
    } else {
        tl_buf_addf(out, "\\U%08x", rune);
    }
}

void tl_go_quote_with(tl_buf *out, const char *text, size_t length, char quote, int ascii)
{
    tl_buf_addc(out, quote);
    for (size_t i = 0, width; i < length; i += width) {
        uint32_t rune = tl_utf8_decode(text + i, length - i, &width);
        if (rune == TL_UTF8_BAD && width == 1)
            tl_buf_addf(out, "\\x%02x", (unsigned char)text[i]);
        else
            quote_rune(out, rune, quote, ascii);
    }
    tl_buf_addc(out, quote);
}

void tl_go_quote(tl_buf *out, const char *text, size_t length)
{
    size_t plain = 0;
    while (plain < length && text[plain] >= 32 && text[plain] < 127 && text[plain] != '"' && text[plain] != '\\') plain++;
    if (plain < length) {
        tl_go_quote_with(out, text, length, '"', 0);
        return;
    }
    tl_buf_addc(out, '"');
    tl_buf_add(out, text, length);
    tl_buf_addc(out, '"');
}

void tl_go_quote_rune(tl_buf *out, uint32_t rune, int ascii)
{
    tl_buf_addc(out, '\'');
    quote_rune(out, rune > 0x10FFFF || (rune >= 0xD800 && rune < 0xE000) ? TL_UTF8_BAD : rune, '\'', ascii);
    tl_buf_addc(out, '\'');
}

static int hex_digits(const char *text, size_t count, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return -1;
        *out = *out << 4 | (uint32_t)digit;
    }
    return 0;
}

/* One escape after its backslash; returns the bytes read, 0 where it is wrong. *byte: the value is a byte, no rune. */
static size_t unescape(const char *text, size_t length, char quote, uint32_t *value, int *byte)
{
    static const char names[] = "abtnvfr";
    *byte = 0;
    if (!length) return 0;
    const char *at = text[0] ? strchr(names, text[0]) : NULL;
    if (at) {
        *value = (uint32_t)(7 + (at - names));
        return 1;
    }
    size_t digits = text[0] == 'x' ? 2 : text[0] == 'u' ? 4 : text[0] == 'U' ? 8 : 0;
    if (digits) {
        if (length < 1 + digits || hex_digits(text + 1, digits, value)) return 0;
        *byte = digits == 2;
        if (!*byte && (*value > 0x10FFFF || (*value >= 0xD800 && *value < 0xE000))) return 0;
        return 1 + digits;
    }
    if (text[0] >= '0' && text[0] <= '7') {
        if (length < 3 || text[1] < '0' || text[1] > '7' || text[2] < '0' || text[2] > '7') return 0;
        *value = (uint32_t)((text[0] - '0') * 64 + (text[1] - '0') * 8 + text[2] - '0');
        *byte = 1;
        return *value > 255 ? 0 : 3;
    }
    *value = (unsigned char)text[0];
    return text[0] == '\\' || text[0] == quote ? 1 : 0;
}

int tl_unquote(tl_arena *arena, const char *text, size_t length, tl_span *out)
{
    if (length < 2 || text[0] != text[length - 1]) return -1;
    const char *inner = text + 1;
    size_t count = length - 2;
    if (text[0] == '`') {
        if (!memchr(inner, '\r', count)) {
            *out = (tl_span){inner, (uint32_t)count};
            return 0;
        }
        char *copy = tl_arena_alloc(arena, count + 1), *end = copy;
        for (size_t i = 0; i < count; i++)
            if (inner[i] != '\r') *end++ = inner[i];
        *end = 0;
        *out = (tl_span){copy, (uint32_t)(end - copy)};
        return 0;
    }
    if (!memchr(inner, '\\', count)) {
        *out = (tl_span){inner, (uint32_t)count};
        return memchr(inner, '\n', count) ? -1 : 0;
    }
    char *copy = tl_arena_alloc(arena, count + 1), *end = copy;
    for (size_t i = 0; i < count;) {
        if (inner[i] != '\\') {
            *end++ = inner[i++];
            continue;
        }
        uint32_t value;
        int byte;
        size_t used = unescape(inner + i + 1, count - i - 1, '"', &value, &byte);
        if (!used) return -1;
        if (byte)
            *end++ = (char)value;
        else
            end += tl_utf8_encode(value, end);
        i += 1 + used;
    }
    *end = 0;
    *out = (tl_span){copy, (uint32_t)(end - copy)};
    return 0;
}

int tl_unquote_char(const char *text, size_t length, uint32_t *out)
{
    size_t used;
    int byte;
    if (length < 3) return -1;
    if (text[1] == '\\') {
        used = unescape(text + 2, length - 3, '\'', out, &byte);
        if (!used) return -1;
        used++;
    } else {
        if (text[1] == '\'') return -1;
        *out = tl_utf8_decode(text + 1, length - 1, &used);
    }
    return used + 2 == length ? 0 : -2;
}
