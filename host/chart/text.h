#ifndef TL_CHART_TEXT_H
#define TL_CHART_TEXT_H

#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"

/* Go's views of text that helm's messages and splitting depend on. */

/* Narrows the range as strings.TrimSpace does (Unicode white space). */
void tl_text_trim(const char **text, size_t *length);
/* unicode.IsSpace of the rune at `text`; its width goes to *width. */
int tl_text_space(const char *text, size_t length, size_t *width);
/* A copy as %q prints it. */
const char *tl_text_quote(tl_arena *arena, const char *text, size_t length);
/* White space becomes a blank, what cannot be printed goes (chart.sanitizeString). */
const char *tl_text_sanitize(tl_arena *arena, const char *text, size_t length);
/* 1 where the strings are equal but for ASCII case. */
int tl_text_same(const char *text, size_t length, const char *word);
int tl_text_has_suffix(const char *text, const char *suffix);
/* 1 for the path of a partial, whose text only other templates see: its name begins with an underscore. */
int tl_text_names_partial(const char *path);

/* tl_error_errno with the reason as Go spells it: without a capital. */
#define tl_text_errno(err, ...) (tl_error_errno(err, __VA_ARGS__), tl_text_go_reason(err))
int tl_text_go_reason(tl_error *err);

#endif
