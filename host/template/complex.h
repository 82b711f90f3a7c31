#ifndef TL_TEMPLATE_COMPLEX_H
#define TL_TEMPLATE_COMPLEX_H

#include "data/value.h"

/* Go's complex128, which only literals of templates make. */
typedef struct tl_complex {
    double real, imaginary;
} tl_complex;

extern const tl_object_type tl_complex_type;

/* Reads a literal: "2i", "1+2i". -1 with the end of Go's message in *error where it is none. */
int tl_complex_parse(const char *text, size_t length, tl_complex *out, const char **error);
tl_value tl_complex_value(tl_arena *arena, tl_complex number);
/* 1 where both are the same number. */
int tl_complex_equal(tl_value a, tl_value b);
/* NULL where the value is none. */
const tl_complex *tl_complex_of(tl_value value);

#endif
