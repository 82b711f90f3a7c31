#ifndef TL_TEMPLATE_PRINTER_H
#define TL_TEMPLATE_PRINTER_H

#include "template/internal.h"

/* The state of one directive of Go's fmt. */

#define TL_PRINTER_WIDTH 1000000 /* as fmt: larger numbers are none */

typedef struct tl_printer {
    tl_buf *out;
    int sharp, zero, plus, minus, space, sharp_v, plus_v;
    int has_width, has_precision, width, precision;
    int erroring;
} tl_printer;

/* Prints a value with a verb; `depth` is 0 for an argument itself. */
void tl_printer_arg(tl_printer *p, tl_value value, uint32_t verb, int depth);
void tl_printer_verb(tl_printer *p, uint32_t verb);

#endif
