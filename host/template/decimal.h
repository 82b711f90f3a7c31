#ifndef TL_TEMPLATE_DECIMAL_H
#define TL_TEMPLATE_DECIMAL_H

#include <stdint.h>

/* Decimal arithmetic as shopspring/decimal, for addf, subf, mulf and divf. */

#define TL_DECIMAL_DIGITS 2400

typedef struct tl_decimal {
    int negative, count, exponent;        /* value = digits * 10^exponent */
    uint8_t digits[TL_DECIMAL_DIGITS]; /* least significant first; none for zero */
} tl_decimal;

/* The shortest decimal that reads back as the number, which must be finite. */
void tl_decimal_from_float(tl_decimal *out, double number);
double tl_decimal_to_float(const tl_decimal *decimal);
/* a = a op b. 0; -1 where the result has too many digits (or, dividing, where b is zero: -2). */
int tl_decimal_add(tl_decimal *a, const tl_decimal *b, int subtract);
int tl_decimal_multiply(tl_decimal *a, const tl_decimal *b);
/* Rounded to 16 places, half away from zero. */
int tl_decimal_divide(tl_decimal *a, const tl_decimal *b);

#endif
