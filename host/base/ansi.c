/* Text with terminal escape sequences. */
#include "base/ansi.h"

#include "base/utf8.h"

#define ESCAPE 0x1B
#define BELL 7

/* Bytes of the control string (OSC, DCS …) whose introducer takes `start` bytes; it ends with BEL or ESC \. */
static size_t string_length(const char *text, size_t length, size_t start)
{
    for (size_t i = start; i < length; i++) {
        if (text[i] == BELL) return i + 1;
        if (text[i] == ESCAPE) return i + 1 < length && text[i + 1] == '\\' ? i + 2 : i;
    }
    return length;
}

/* Bytes of the escape sequence at the start of the text (ECMA-48); 0 where there is none. */
static size_t sequence_length(const char *text, size_t length)
{
    if (!length || text[0] != ESCAPE) return 0;
    if (length == 1) return 1;
    if (text[1] == '[') {
        for (size_t i = 2; i < length; i++) {
            if (text[i] >= 0x40 && text[i] <= 0x7E) return i + 1;
            if (text[i] < 0x20) return i;
        }
        return length;
    }
    if (text[1] == ']' || text[1] == 'P' || text[1] == 'X' || text[1] == '^' || text[1] == '_')
        return string_length(text, length, 2);
    size_t i = 1;
    while (i < length && text[i] >= 0x20 && text[i] <= 0x2F) i++;
    return i < length && text[i] >= 0x30 && text[i] <= 0x7E ? i + 1 : i;
}

static int columns_of(uint32_t rune)
{
    return rune < 0x20 || (rune >= 0x7F && rune < 0xA0) ? 0 : tl_utf8_columns(rune);
}

int tl_ansi_width(const char *text, size_t length)
{
    int columns = 0;
    for (size_t i = 0, step; i < length; i += step) {
        step = sequence_length(text + i, length - i);
        if (!step) columns += columns_of(tl_utf8_decode(text + i, length - i, &step));
    }
    return columns;
}

void tl_ansi_truncate(tl_buf *out, const char *text, size_t length, int columns)
{
    int used = 0, styled = 0;
    if (tl_ansi_width(text, length) <= columns) {
        tl_buf_add(out, text, length);
        return;
    }
    for (size_t i = 0, step; i < length; i += step) {
        step = sequence_length(text + i, length - i);
        if (step) {
            styled = 1;
        } else {
            int wide = columns_of(tl_utf8_decode(text + i, length - i, &step));
            if (used + wide > columns - 1) break;
            used += wide;
        }
        tl_buf_add(out, text + i, step);
    }
    if (columns > 0) tl_buf_adds(out, "…");
    if (styled) tl_buf_adds(out, "\x1b[0m");
}

static int is_unwanted(uint32_t rune)
{
    if (rune == '\t' || rune == '\n') return 0;
    return rune < 0x20 || (rune >= 0x7F && rune < 0xA0) || (rune >= 0x202A && rune <= 0x202E) ||
           (rune >= 0x2066 && rune <= 0x2069);
}

void tl_ansi_clean(tl_buf *out, const char *text, size_t length)
{
    for (size_t i = 0, step; i < length; i += step) {
        step = sequence_length(text + i, length - i);
        if (step) continue;
        char bytes[4];
        uint32_t rune = tl_utf8_decode(text + i, length - i, &step);
        if (!is_unwanted(rune)) tl_buf_add(out, bytes, tl_utf8_encode(rune, bytes));
    }
}
