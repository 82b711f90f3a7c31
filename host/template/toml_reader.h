#ifndef TL_TEMPLATE_TOML_READER_H
#define TL_TEMPLATE_TOML_READER_H

#include "template/internal.h"
#include "template/toml.h"

/* What the two halves of the TOML reader share: tables (toml_read.c) and scalars (toml_scalar.c). */

typedef struct tl_toml_reader {
    const char *start, *at, *end;
    tl_arena *arena;
    tl_map *root, *implicit; /* key -> the table was made for what is below it, and may still be defined */
    tl_list *prefix, *context, *key; /* where an inline table stands; the table in work; the last part of the key that is
                                      * given a value, or empty */
    const char *string;              /* where the string in work starts */
    int depth;
    tl_error *err;
} tl_toml_reader;

/* Sets the error with the line of `place` and the last key; returns -1. */
int tl_toml_fail(tl_toml_reader *r, const char *place, const char *format, ...) TL_PRINTF(3, 4);
/* `what`, the rune that stands here in quotes, `after`. */
int tl_toml_fail_rune(tl_toml_reader *r, const char *what, const char *after);
/* Appends the key of a table. */
void tl_toml_context(const tl_toml_reader *r, const tl_list *context, tl_buf *text);

static inline int tl_toml_at_end(const tl_toml_reader *r)
{
    return r->at >= r->end;
}

static inline int tl_toml_is(const tl_toml_reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

static inline int tl_toml_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline int tl_toml_at_newline(const tl_toml_reader *r)
{
    return tl_toml_is(r, '\n') || (tl_toml_is(r, '\r') && r->at + 1 < r->end && r->at[1] == '\n');
}

static inline void tl_toml_skip_blanks(tl_toml_reader *r)
{
    while (tl_toml_is(r, ' ') || tl_toml_is(r, '\t')) r->at++;
}

/* Bytes of the set. */
void tl_toml_skip_any(tl_toml_reader *r, const char *set);

/* A string that starts here; with may_span, three quotes open one of many lines. */
int tl_toml_string(tl_toml_reader *r, int may_span, tl_value *out);
/* A number or a point in time: a digit stands here. */
int tl_toml_number(tl_toml_reader *r, tl_value *out);
/* A sign stands here. */
int tl_toml_signed(tl_toml_reader *r, tl_value *out);
/* true, false, inf, nan. */
int tl_toml_word(tl_toml_reader *r, tl_value *out);

#endif
