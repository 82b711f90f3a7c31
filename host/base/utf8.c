/* UTF-8 as Go's unicode/utf8 reads it. */
#include "base/utf8.h"

uint32_t tl_utf8_decode(const char *text, size_t length, size_t *width)
{
    const unsigned char *s = (const unsigned char *)text;
    *width = length ? 1 : 0;
    if (!length) return TL_UTF8_BAD;
    unsigned first = s[0];
    if (first < 0x80) return first;
    size_t need = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || need > length) return TL_UTF8_BAD;
    uint32_t rune = first & (0x7Fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xC0) != 0x80) return TL_UTF8_BAD;
        rune = rune << 6 | (s[i] & 0x3F);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (rune < least[need] || rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF)) return TL_UTF8_BAD;
    *width = need;
    return rune;
}

size_t tl_utf8_encode(uint32_t rune, char out[4])
{
    if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF)) rune = TL_UTF8_BAD;
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    size_t width = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = width - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (rune & 0x3F));
        rune >>= 6;
    }
    out[0] = (char)(lead[width] | rune);
    return width;
}

int tl_utf8_valid(const char *text, size_t length)
{
    while (length) {
        size_t width;
        if (tl_utf8_decode(text, length, &width) == TL_UTF8_BAD && width == 1) return 0;
        text += width;
        length -= width;
    }
    return 1;
}

size_t tl_utf8_count(const char *text, size_t length)
{
    size_t count = 0;
    while (length) {
        size_t width;
        tl_utf8_decode(text, length, &width);
        text += width;
        length -= width;
        count++;
    }
    return count;
}

int tl_utf8_columns(uint32_t rune)
{
    if (rune == 0 || (rune >= 0x300 && rune <= 0x36F) || (rune >= 0x200B && rune <= 0x200F) || rune == 0xFE0F) return 0;
    if ((rune >= 0x1100 && rune <= 0x115F) || (rune >= 0x2E80 && rune <= 0xA4CF && rune != 0x303F) ||
        (rune >= 0xAC00 && rune <= 0xD7A3) || (rune >= 0xF900 && rune <= 0xFAFF) || (rune >= 0xFE30 && rune <= 0xFE6F) ||
        (rune >= 0xFF00 && rune <= 0xFF60) || (rune >= 0xFFE0 && rune <= 0xFFE6) || (rune >= 0x1F300 && rune <= 0x1F64F) ||
        (rune >= 0x1F680 && rune <= 0x1F6FF) || (rune >= 0x1F900 && rune <= 0x1F9FF) || (rune >= 0x20000 && rune <= 0x3FFFD))
        return 2;
    return 1;
}
