/* Go's views of text. */
#include "chart/text.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "template/template.h"

static int rune_space(uint32_t r)
{
    if (r < 0x80) return r == ' ' || (r >= '\t' && r <= '\r');
    return r == 0x85 || r == 0xA0 || r == 0x1680 || (r >= 0x2000 && r <= 0x200A) || r == 0x2028 || r == 0x2029 ||
           r == 0x202F || r == 0x205F || r == 0x3000;
}

int tl_text_space(const char *text, size_t length, size_t *width)
{
    return rune_space(tl_utf8_decode(text, length, width)) && *width;
}

void tl_text_trim(const char **text, size_t *length)
{
    size_t width;
    while (*length && tl_text_space(*text, *length, &width)) {
        *text += width;
        *length -= width;
    }
    while (*length) {
        size_t back = 1;
        while (back < *length && back < 4 && ((*text)[*length - back] & 0xC0) == 0x80) back++;
        if (!tl_text_space(*text + *length - back, back, &width) || width != back) return;
        *length -= back;
    }
}

/* unicode.IsPrint but for unassigned code points, which no table here knows. */
static int rune_printable(uint32_t r)
{
    if (r < 0x20 || (r >= 0x7F && r < 0xA0) || r == 0xAD) return 0;
    if (r >= 0xA0 && rune_space(r)) return 0;
    if ((r >= 0x200B && r <= 0x200F) || (r >= 0x202A && r <= 0x202E) || (r >= 0x2060 && r <= 0x206F)) return 0;
    if (r == 0xFEFF || (r >= 0xFFF0 && r <= 0xFFFB) || (r >= 0xE000 && r <= 0xF8FF)) return 0;
    return r < 0xE0000;
}

const char *tl_text_quote(tl_arena *arena, const char *text, size_t length)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    tl_go_quote(&out, text, length);
    const char *quoted = tl_arena_strndup(arena, out.data, out.len);
    tl_buf_dispose(&out);
    return quoted;
}

const char *tl_text_sanitize(tl_arena *arena, const char *text, size_t length)
{
    char *clean = tl_arena_alloc(arena, length * 3 + 1);
    size_t n = 0;
    for (size_t width; length; text += width, length -= width) {
        uint32_t rune = tl_utf8_decode(text, length, &width);
        if (rune_space(rune))
            clean[n++] = ' ';
        else if (rune_printable(rune))
            n += tl_utf8_encode(rune, clean + n);
    }
    clean[n] = 0;
    return clean;
}

int tl_text_same(const char *text, size_t length, const char *word)
{
    if (strlen(word) != length) return 0;
    for (size_t i = 0; i < length; i++) {
        char a = text[i], b = word[i];
        if (a >= 'A' && a <= 'Z') a = (char)(a + 32);
        if (b >= 'A' && b <= 'Z') b = (char)(b + 32);
        if (a != b) return 0;
    }
    return 1;
}

int tl_text_has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && !strcmp(text + n - m, suffix);
}

int tl_text_names_partial(const char *path)
{
    const char *slash = strrchr(path, '/');
    return (slash ? slash[1] : *path) == '_';
}

int tl_text_go_reason(tl_error *err)
{
    char *colon = err && err->message ? strrchr(err->message, ':') : NULL;
    if (colon && colon[1] == ' ') colon[2] = (char)tolower((unsigned char)colon[2]);
    return -1;
}
