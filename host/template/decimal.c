/* Decimal arithmetic on arrays of digits. */
#include "template/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/number.h"

#define PLACES 16

static void strip(tl_decimal *d)
{
    while (d->count && !d->digits[d->count - 1]) d->count--;
    if (!d->count) d->negative = 0;
}

void tl_decimal_from_float(tl_decimal *out, double number)
{
    char text[TL_NUMBER_MAX];
    size_t length = tl_number_format(number, 'e', -1, 64, text);
    const char *mark = memchr(text, 'e', length);
    out->count = 0;
    out->negative = text[0] == '-';
    out->exponent = mark ? atoi(mark + 1) : 0;
    int fraction = 0, point = 0;
    for (const char *c = text; c < mark; c++) {
        if (*c == '.') point = 1;
        else if (*c >= '0' && *c <= '9') fraction += point;
    }
    for (const char *c = mark; mark && c-- > text;)
        if (*c >= '0' && *c <= '9') out->digits[out->count++] = (uint8_t)(*c - '0');
    out->exponent -= fraction;
    strip(out);
    if (!out->count) out->exponent = 0;
}

double tl_decimal_to_float(const tl_decimal *d)
{
    char text[TL_DECIMAL_DIGITS + 32];
    int n = 0;
    if (!d->count) return 0;
    if (d->negative) text[n++] = '-';
    for (int i = d->count; i-- > 0;) text[n++] = (char)('0' + d->digits[i]);
    n += snprintf(text + n, 24, "e%d", d->exponent);
    double number = 0;
    tl_number_parse_float(text, (size_t)n, &number);
    return number;
}

/* Appends zeros so that the exponent falls to `exponent`. */
static int scale_down(tl_decimal *d, int exponent)
{
    int shift = d->exponent - exponent;
    if (shift <= 0) return 0;
    if (!d->count) {
        d->exponent = exponent;
        return 0;
    }
    if (shift > TL_DECIMAL_DIGITS - d->count) return -1;
    memmove(d->digits + shift, d->digits, (size_t)d->count);
    memset(d->digits, 0, (size_t)shift);
    d->count += shift;
    d->exponent = exponent;
    return 0;
}

static int compare(const tl_decimal *a, const tl_decimal *b)
{
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (int i = a->count; i-- > 0;)
        if (a->digits[i] != b->digits[i]) return a->digits[i] < b->digits[i] ? -1 : 1;
    return 0;
}

static int digit(const tl_decimal *d, int i)
{
    return i < d->count ? d->digits[i] : 0;
}

static int add_digits(tl_decimal *out, const tl_decimal *a, const tl_decimal *b)
{
    int longest = a->count > b->count ? a->count : b->count, carry = 0, count = 0;
    uint8_t digits[TL_DECIMAL_DIGITS]; /* out may be one of the operands */
    if (longest + 1 > TL_DECIMAL_DIGITS) return -1;
    for (int i = 0; i < longest || carry; i++) {
        int sum = digit(a, i) + digit(b, i) + carry;
        digits[i] = (uint8_t)(sum % 10);
        carry = sum / 10;
        count = i + 1;
    }
    memcpy(out->digits, digits, (size_t)count);
    out->count = count;
    return 0;
}

/* `a` is the larger. */
static void subtract_digits(tl_decimal *out, const tl_decimal *a, const tl_decimal *b)
{
    int borrow = 0, count = a->count;
    for (int i = 0; i < count; i++) {
        int difference = a->digits[i] - digit(b, i) - borrow;
        borrow = difference < 0;
        out->digits[i] = (uint8_t)(difference + 10 * borrow);
    }
    out->count = count;
}

int tl_decimal_add(tl_decimal *a, const tl_decimal *b, int subtract)
{
    tl_decimal other = *b;
    other.negative ^= subtract;
    if (scale_down(a, other.exponent) || scale_down(&other, a->exponent)) return -1;
    if (a->negative == other.negative || !a->count || !other.count) {
        if (!a->count) a->negative = other.negative;
        if (add_digits(a, a, &other)) return -1;
    } else if (compare(a, &other) >= 0) {
        subtract_digits(a, a, &other);
    } else {
        a->negative = other.negative;
        subtract_digits(a, &other, a);
    }
    strip(a);
    return 0;
}

int tl_decimal_multiply(tl_decimal *a, const tl_decimal *b)
{
    if (a->count + b->count > TL_DECIMAL_DIGITS) return -1;
    tl_decimal out = {.negative = a->negative ^ b->negative, .exponent = a->exponent + b->exponent};
    for (int i = 0; i < a->count; i++) {
        int carry = 0, k = i;
        for (int j = 0; j < b->count || carry; j++, k++) {
            int sum = out.digits[k] + a->digits[i] * digit(b, j) + carry;
            out.digits[k] = (uint8_t)(sum % 10);
            carry = sum / 10;
        }
    }
    out.count = a->count + b->count;
    strip(&out);
    *a = out;
    return 0;
}

/* quotient = a / b by long division; what is left stays in `rest`. */
static void long_division(const tl_decimal *a, const tl_decimal *b, tl_decimal *quotient, tl_decimal *rest)
{
    rest->count = 0;
    quotient->count = a->count;
    for (int i = a->count; i-- > 0;) {
        memmove(rest->digits + 1, rest->digits, (size_t)rest->count);
        rest->digits[0] = a->digits[i];
        rest->count++;
        strip(rest);
        int times = 0;
        while (compare(rest, b) >= 0) {
            subtract_digits(rest, rest, b);
            strip(rest);
            times++;
        }
        quotient->digits[i] = (uint8_t)times;
    }
}

int tl_decimal_divide(tl_decimal *a, const tl_decimal *b)
{
    if (!b->count) return -2;
    tl_decimal divisor = *b, quotient = {.exponent = -PLACES}, rest = {0}, one = {0, 1, -PLACES, {1}};
    quotient.negative = a->negative ^ b->negative;
    divisor.negative = 0;
    /* digits(a) * 10^shift / digits(b), so that the quotient counts units of 10^-16 */
    int shift = a->exponent - b->exponent + PLACES;
    if (shift >= 0) {
        if (scale_down(a, a->exponent - shift)) return -1;
    } else if (scale_down(&divisor, divisor.exponent + shift)) {
        return -1;
    }
    long_division(a, &divisor, &quotient, &rest);
    if (rest.count + 1 > TL_DECIMAL_DIGITS || add_digits(&rest, &rest, &rest)) return -1;
    int up = compare(&rest, &divisor) >= 0;
    one.negative = quotient.negative;
    int negative = quotient.negative;
    strip(&quotient);
    *a = quotient;
    if (!up) return 0;
    one.negative = negative;
    return tl_decimal_add(a, &one, 0);
}
