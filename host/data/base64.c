/* Base64. */
#include "data/base64.h"

#include <stdint.h>
#include <string.h>

static const char std_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int is_url(tl_base64 alphabet)
{
    return alphabet == TL_BASE64_URL || alphabet == TL_BASE64_RAW_URL;
}

static int is_padded(tl_base64 alphabet)
{
    return alphabet == TL_BASE64_STD || alphabet == TL_BASE64_URL;
}

void tl_base64_encode(tl_buf *out, const void *bytes, size_t length, tl_base64 alphabet)
{
    const unsigned char *s = bytes;
    const char *digits = is_url(alphabet) ? url_digits : std_digits;
    if (length > SIZE_MAX / 2) {
        out->over = 1;
        return;
    }
    char *at = tl_buf_reserve(out, (length + 2) / 3 * 4);
    if (!at) return;
    char *start = at;
    while (length >= 3) {
        uint32_t group = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
        for (int shift = 18; shift >= 0; shift -= 6) *at++ = digits[group >> shift & 63];
        s += 3;
        length -= 3;
    }
    if (length) {
        uint32_t group = (uint32_t)s[0] << 16 | (length == 2 ? (uint32_t)s[1] << 8 : 0);
        *at++ = digits[group >> 18];
        *at++ = digits[group >> 12 & 63];
        if (length == 2) *at++ = digits[group >> 6 & 63];
        if (is_padded(alphabet))
            for (size_t i = length; i < 3; i++) *at++ = '=';
    }
    tl_buf_add_len(out, (size_t)(at - start));
}

static int digit_value(int c, int url)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (url ? '-' : '+')) return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

static int fail(tl_error *err, size_t at)
{
    return tl_error_set(err, "parse", "illegal base64 data at input byte %zu", at);
}

static size_t skip_breaks(const char *text, size_t i, size_t length)
{
    while (i < length && (text[i] == '\n' || text[i] == '\r')) i++;
    return i;
}

/* What follows the first "=" of a group of `have` digits: the second one where it is due, then only line breaks. */
static int check_padding(const char *text, size_t length, size_t i, int have, tl_error *err)
{
    if (have < 2) return fail(err, i);
    size_t after = skip_breaks(text, i + 1, length);
    if (have == 2) {
        if (after == length) return fail(err, length);
        if (text[after] != '=') return fail(err, after - 1);
        after++;
    }
    after = skip_breaks(text, after, length);
    return after < length ? fail(err, after) : 0;
}

static void put_group(tl_buf *out, uint32_t group, int have)
{
    char bytes[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};
    tl_buf_add(out, bytes, (size_t)have - 1);
}

int tl_base64_decode(tl_buf *out, const char *text, size_t length, tl_base64 alphabet, tl_error *err)
{
    uint32_t group = 0;
    int have = 0;
    for (size_t i = skip_breaks(text, 0, length); i < length; i = skip_breaks(text, i + 1, length)) {
        int value = digit_value((unsigned char)text[i], is_url(alphabet));
        if (value < 0) {
            if (text[i] != '=' || !is_padded(alphabet)) return fail(err, i);
            if (check_padding(text, length, i, have, err)) return -1;
            put_group(out, group << (6 * (4 - have)), have);
            have = 0;
            break;
        }
        group = group << 6 | (uint32_t)value;
        if (++have < 4) continue;
        put_group(out, group, 4);
        group = 0;
        have = 0;
    }
    if (have == 1 || (have && is_padded(alphabet))) return fail(err, length - (is_padded(alphabet) ? (size_t)have : 1));
    if (have) put_group(out, group << (6 * (4 - have)), have);
    if (out->over) return tl_error_set(err, "limit", "the decoded data is larger than %zu bytes", out->max);
    return 0;
}
