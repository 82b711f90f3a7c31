#ifndef TL_DATA_YAML_EMIT_H
#define TL_DATA_YAML_EMIT_H

#include <stddef.h>

#include "base/buf.h"

/* The layer of the YAML writer that puts scalars and indicators on lines, in the way of libyaml's emitter as go-yaml
 * has it: where a break or a space is due follows from what was written before. */
typedef struct tl_yaml_emitter {
    tl_buf *out;
    int column, indent; /* indent -1: outside the root */
    int whitespace;     /* the last thing written was a space or a break */
    int indention;      /* only indentation and indicators stand on this line so far */
    int width;          /* column after which text is folded */
    int tabs_in_blocks; /* go-yaml v3 keeps tabs in literal blocks, v2 quotes them */
} tl_yaml_emitter;

/* Starts a new line where something stands on this one, and indents it. */
void tl_yaml_emit_indent(tl_yaml_emitter *e);
/* A "-", "?", ":", "{" …: with a space before it where `spaced` and none is there yet; `indention`: what follows may
 * stand on the same line as if it were indented. */
void tl_yaml_emit_indicator(tl_yaml_emitter *e, const char *text, int spaced, int whitespace, int indention);
/* Text that is known to be fine as a plain scalar (numbers, true, null). */
void tl_yaml_emit_plain(tl_yaml_emitter *e, const char *text, size_t length);
/* A string, which must be valid UTF-8, in the style it needs; `quote`: plain would mean something else. In a simple
 * key nothing is folded. */
void tl_yaml_emit_string(tl_yaml_emitter *e, const char *text, size_t length, int quote, int simple_key);
/* Whether the string holds a line break of any kind (and so cannot be a simple key). */
int tl_yaml_has_break(const char *text, size_t length);

#endif
