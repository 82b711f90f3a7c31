#ifndef TL_BASE_ANSI_H
#define TL_BASE_ANSI_H

#include <stddef.h>

#include "base/buf.h"

/* Text with terminal escape sequences in it. */

/* Columns the text takes: sequences and control characters none, wide runes two. */
int tl_ansi_width(const char *text, size_t length);
/* Appends the text cut to at most `columns`, ending in "…" where something was cut; sequences before the cut stay, and
 * styles are then reset. */
void tl_ansi_truncate(tl_buf *out, const char *text, size_t length, int columns);
/* Appends a stranger's text without escape sequences, control characters (tab and newline stay) and marks that reverse
 * the direction of writing; bad UTF-8 becomes U+FFFD. */
void tl_ansi_clean(tl_buf *out, const char *text, size_t length);

#endif
