#ifndef TL_BASE_UTF8_H
#define TL_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define TL_UTF8_BAD 0xFFFDu

/* Decodes one rune as Go does: an invalid byte is TL_UTF8_BAD with width 1; width 0 only at the end (length 0). */
uint32_t tl_utf8_decode(const char *text, size_t length, size_t *width);
/* Writes a rune (surrogates and values past 0x10FFFF as U+FFFD) to out[4]; returns its width, 1 to 4. */
size_t tl_utf8_encode(uint32_t rune, char out[4]);
int tl_utf8_valid(const char *text, size_t length);
/* Runes as Go's utf8.RuneCount counts them. */
size_t tl_utf8_count(const char *text, size_t length);
/* Columns the rune takes in a terminal: 0 (combining), 1 or 2 (East Asian wide, emoji). */
int tl_utf8_columns(uint32_t rune);

#endif
