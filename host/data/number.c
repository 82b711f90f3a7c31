/* Shortest and fixed decimal forms of floating-point numbers. */
#include "data/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMBS 40 /* 1280 bits: 2^1074 and 10^324, with room for the scaling */
#define DIGITS 17

/* Decimal digits d1 d2 … with the value 0.d1d2… * 10^point. */
typedef struct decimal {
    char digits[DIGITS + 3];
    int count, point;
} decimal;

typedef struct big {
    uint32_t limb[LIMBS];
    int used;
} big;

static void big_set(big *b, uint64_t value)
{
    b->limb[0] = (uint32_t)value;
    b->limb[1] = (uint32_t)(value >> 32);
    b->used = b->limb[1] ? 2 : b->limb[0] ? 1 : 0;
}

static void big_shift(big *b, int bits)
{
    int words = bits / 32, rest = bits % 32;
    if (!b->used) return;
    uint32_t top = rest ? b->limb[b->used - 1] >> (32 - rest) : 0;
    for (int i = b->used - 1; i >= 0; i--)
        b->limb[i + words] = b->limb[i] << rest | (rest && i ? b->limb[i - 1] >> (32 - rest) : 0);
    memset(b->limb, 0, (size_t)words * sizeof *b->limb);
    b->used += words;
    if (top) b->limb[b->used++] = top;
}

static void big_times(big *b, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < b->used; i++) {
        carry += (uint64_t)b->limb[i] * factor;
        b->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) b->limb[b->used++] = (uint32_t)carry;
}

static void big_times_power(big *b, int power)
{
    for (; power >= 9; power -= 9) big_times(b, 1000000000u);
    for (; power > 0; power--) big_times(b, 10);
}

static int big_compare(const big *a, const big *b)
{
    if (a->used != b->used) return a->used < b->used ? -1 : 1;
    for (int i = a->used - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void big_add(big *a, const big *b)
{
    uint64_t carry = 0;
    int n = a->used > b->used ? a->used : b->used;
    for (int i = 0; i < n; i++) {
        carry += (uint64_t)(i < a->used ? a->limb[i] : 0) + (i < b->used ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    a->used = n;
    if (carry) a->limb[a->used++] = (uint32_t)carry;
}

static void big_subtract(big *a, const big *b)
{
    int64_t borrow = 0;
    for (int i = 0; i < a->used; i++) {
        int64_t d = (int64_t)a->limb[i] - (i < b->used ? b->limb[i] : 0) + borrow;
        a->limb[i] = (uint32_t)d;
        borrow = d < 0 ? -1 : 0;
    }
    while (a->used && !a->limb[a->used - 1]) a->used--;
}

/* Whether a + b reaches c. */
static int sum_reaches(const big *a, const big *b, const big *c, int inclusive)
{
    big sum = *a;
    big_add(&sum, b);
    int order = big_compare(&sum, c);
    return inclusive ? order >= 0 : order > 0;
}

/* A number is r/s; low/s and high/s are the distances to the midpoints with its neighbours. */
typedef struct scaled {
    big r, s, low, high;
    int even; /* the midpoints themselves read back as this number */
} scaled;

static void scale(scaled *n, uint64_t mantissa, int exponent, int narrow)
{
    big_set(&n->r, mantissa);
    big_set(&n->s, 1);
    big_set(&n->low, 1);
    big_set(&n->high, 1);
    n->even = !(mantissa & 1);
    /* A power of two is closer to the neighbour below it. */
    big_shift(&n->r, 1 + narrow + (exponent > 0 ? exponent : 0));
    big_shift(&n->s, 1 + narrow + (exponent < 0 ? -exponent : 0));
    big_shift(&n->high, narrow + (exponent > 0 ? exponent : 0));
    big_shift(&n->low, exponent > 0 ? exponent : 0);
}

/* Steele and White's free-format algorithm in Dragon4's form: exact, so always the fewest digits, and of these the
 * closest. */
static void shortest_exact(scaled *n, double number, decimal *out)
{
    int point = (int)ceil(log10(number) - 1e-10);
    if (point >= 0) {
        big_times_power(&n->s, point);
    } else {
        big_times_power(&n->r, -point);
        big_times_power(&n->low, -point);
        big_times_power(&n->high, -point);
    }
    if (sum_reaches(&n->r, &n->high, &n->s, n->even)) {
        point++;
    } else {
        big_times(&n->r, 10);
        big_times(&n->low, 10);
        big_times(&n->high, 10);
    }
    out->point = point;
    out->count = 0;
    for (;;) {
        int digit = 0;
        while (big_compare(&n->r, &n->s) >= 0) {
            big_subtract(&n->r, &n->s);
            digit++;
        }
        int order = big_compare(&n->r, &n->low);
        int down = n->even ? order <= 0 : order < 0, up = sum_reaches(&n->r, &n->high, &n->s, n->even);
        if (down || up) {
            if (down && up) {
                big_shift(&n->r, 1);
                int half = big_compare(&n->r, &n->s);
                up = half > 0 || (half == 0 && (digit & 1));
            }
            out->digits[out->count++] = (char)('0' + digit + up);
            return;
        }
        out->digits[out->count++] = (char)('0' + digit);
        big_times(&n->r, 10);
        big_times(&n->low, 10);
        big_times(&n->high, 10);
    }
}

static void trim_zeros(decimal *d)
{
    while (d->count > 1 && d->digits[d->count - 1] == '0') d->count--;
}

/* Fifteen digits (six of a float32) tell all normal numbers apart: where they read back, no other choice is shorter. */
static int shortest_fast(double number, int bits, decimal *out)
{
    int precision = bits == 32 ? 6 : 15;
    if (bits == 32 ? number < 1e-30 || number > 1e30 : number < 1e-290 || number > 1e290) return 0;
    char text[32];
    snprintf(text, sizeof text, "%.*e", precision - 1, number);
    if (bits == 32 ? strtof(text, NULL) != (float)number : strtod(text, NULL) != number) return 0;
    out->digits[0] = text[0];
    memcpy(out->digits + 1, text + 2, (size_t)precision - 1);
    out->count = precision;
    out->point = atoi(strchr(text, 'e') + 1) + 1;
    trim_zeros(out);
    return 1;
}

static void shortest(double number, int bits, decimal *out)
{
    if (number == 0) {
        *out = (decimal){.digits = "0", .count = 1, .point = 1};
        return;
    }
    if (shortest_fast(number, bits, out)) return;
    scaled n;
    uint64_t mantissa;
    int exponent, narrow;
    if (bits == 32) {
        float f = (float)number;
        uint32_t raw;
        memcpy(&raw, &f, sizeof raw);
        int biased = (int)(raw >> 23 & 0xFF);
        mantissa = (raw & 0x7FFFFF) | (biased ? 0x800000u : 0);
        exponent = (biased ? biased : 1) - 150;
        narrow = !(raw & 0x7FFFFF) && biased > 1;
    } else {
        uint64_t raw;
        memcpy(&raw, &number, sizeof raw);
        int biased = (int)(raw >> 52 & 0x7FF);
        mantissa = (raw & 0xFFFFFFFFFFFFFull) | (biased ? 1ull << 52 : 0);
        exponent = (biased ? biased : 1) - 1075;
        narrow = !(raw & 0xFFFFFFFFFFFFFull) && biased > 1;
    }
    scale(&n, mantissa, exponent, narrow);
    shortest_exact(&n, number, out);
    trim_zeros(out);
}

static size_t write_exponent(const decimal *d, char verb, char *out)
{
    char *at = out;
    *at++ = d->digits[0];
    if (d->count > 1) {
        *at++ = '.';
        memcpy(at, d->digits + 1, (size_t)d->count - 1);
        at += d->count - 1;
    }
    int exponent = d->digits[0] == '0' ? 0 : d->point - 1;
    at += sprintf(at, "%c%c%02d", verb, exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
    return (size_t)(at - out);
}

static size_t write_plain(const decimal *d, char *out)
{
    char *at = out;
    if (d->point <= 0) {
        *at++ = '0';
    } else {
        for (int i = 0; i < d->point; i++) *at++ = i < d->count ? d->digits[i] : '0';
    }
    if (d->count > d->point) {
        *at++ = '.';
        for (int i = d->point; i < d->count; i++) *at++ = i < 0 ? '0' : d->digits[i];
    }
    *at = 0;
    return (size_t)(at - out);
}

static size_t write_special(double number, char *out)
{
    const char *text = isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf";
    strcpy(out, text);
    return strlen(text);
}

/* The C library rounds exactly; only the spelling of %g with a precision of 0 is the same as with 1 in both. */
static size_t write_fixed(double number, char verb, int precision, char *out)
{
    char format[] = {'%', '.', '*', verb, 0};
    return (size_t)snprintf(out, TL_NUMBER_MAX + (size_t)precision, format, precision, number);
}

size_t tl_number_format(double number, char verb, int precision, int bits, char *out)
{
    if (bits == 32) number = (float)number; /* may become infinite, or zero */
    if (!isfinite(number)) return write_special(number, out);
    if (precision >= 0) return write_fixed(number, verb, precision, out);
    size_t sign = 0;
    if (signbit(number)) {
        out[sign++] = '-';
        number = -number;
    }
    decimal d;
    shortest(number, bits, &d);
    int large = verb == 'e' || verb == 'E';
    if (verb == 'g' || verb == 'G') {
        large = number != 0 && (d.point - 1 < -4 || d.point - 1 >= 6);
        verb = verb == 'g' ? 'e' : 'E';
    }
    return sign + (large ? write_exponent(&d, verb, out + sign) : write_plain(&d, out + sign));
}

size_t tl_number_json(double number, int bits, char *out)
{
    double size = fabs(number);
    int large = bits == 32 ? (float)size < 1e-6f || (float)size >= 1e21f : size < 1e-6 || size >= 1e21;
    if (size == 0 || !large) return tl_number_format(number, 'f', -1, bits, out);
    size_t n = tl_number_format(number, 'e', -1, bits, out);
    if (n >= 4 && out[n - 4] == 'e' && out[n - 3] == '-' && out[n - 2] == '0') {
        out[n - 2] = out[n - 1];
        out[--n] = 0;
    }
    return n;
}
