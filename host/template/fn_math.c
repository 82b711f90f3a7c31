/* Arithmetic. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "template/decimal.h"
#include "template/internal.h"


TL_FUNCTION(fn_add)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += (uint64_t)tl_cast_int(args[i]);
    *out = tl_int((int64_t)sum);
    return 0;
}

TL_FUNCTION(fn_add1)
{
    *out = tl_int((int64_t)((uint64_t)tl_cast_int(args[0]) + 1));
    return 0;
}

TL_FUNCTION(fn_sub)
{
    *out = tl_int((int64_t)((uint64_t)tl_cast_int(args[0]) - (uint64_t)tl_cast_int(args[1])));
    return 0;
}

TL_FUNCTION(fn_mul)
{
    uint64_t product = (uint64_t)tl_cast_int(args[0]);
    for (size_t i = 1; i < count; i++) product *= (uint64_t)tl_cast_int(args[i]);
    *out = tl_int((int64_t)product);
    return 0;
}

TL_FUNCTION(fn_div)
{
    int64_t a = tl_cast_int(args[0]), b = tl_cast_int(args[1]);
    if (!b) return tl_fail(x, "runtime error: integer divide by zero");
    *out = tl_int(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
    return 0;
}

TL_FUNCTION(fn_mod)
{
    int64_t a = tl_cast_int(args[0]), b = tl_cast_int(args[1]);
    if (!b) return tl_fail(x, "runtime error: integer divide by zero");
    *out = tl_int(b == -1 ? 0 : a % b);
    return 0;
}

TL_FUNCTION(fn_max)
{
    int64_t best = tl_cast_int(args[0]);
    for (size_t i = 1; i < count; i++) {
        int64_t other = tl_cast_int(args[i]);
        if (other > best) best = other;
    }
    *out = tl_int(best);
    return 0;
}

TL_FUNCTION(fn_min)
{
    int64_t best = tl_cast_int(args[0]);
    for (size_t i = 1; i < count; i++) {
        int64_t other = tl_cast_int(args[i]);
        if (other < best) best = other;
    }
    *out = tl_int(best);
    return 0;
}

/* math.Max and math.Min: NaN wins, and -0 is less than 0. */
static double extreme(double a, double b, int greatest)
{
    if (isinf(a) && (a > 0) == greatest) return a;
    if (isinf(b) && (b > 0) == greatest) return b;
    if (isnan(a) || isnan(b)) return NAN;
    if (a == 0 && a == b) return !!signbit(a) == greatest ? b : a;
    return (a > b) == greatest ? a : b;
}

TL_FUNCTION(fn_maxf)
{
    double best = tl_cast_float(args[0]);
    for (size_t i = 1; i < count; i++) best = extreme(best, tl_cast_float(args[i]), 1);
    *out = tl_float(best);
    return 0;
}

TL_FUNCTION(fn_minf)
{
    double best = tl_cast_float(args[0]);
    for (size_t i = 1; i < count; i++) best = extreme(best, tl_cast_float(args[i]), 0);
    *out = tl_float(best);
    return 0;
}

TL_FUNCTION(fn_ceil)
{
    *out = tl_float(ceil(tl_cast_float(args[0])));
    return 0;
}

TL_FUNCTION(fn_floor)
{
    *out = tl_float(floor(tl_cast_float(args[0])));
    return 0;
}

TL_FUNCTION(fn_round)
{
    double on = count > 2 ? args[2].as.d : 0.5, power = pow(10, (double)args[1].as.i), whole;
    double shifted = power * tl_cast_float(args[0]);
    double rounded = modf(shifted, &whole) >= on ? ceil(shifted) : floor(shifted);
    *out = tl_float(rounded / power);
    return 0;
}

/* ---- ranges ---- */

static int steps(tl_exec *x, int64_t start, int64_t stop, int64_t step, tl_list **out)
{
    *out = tl_list_new(x->arena, 8);
    if (stop < start ? step >= 0 : step <= 0) return 0;
    for (int64_t i = start; stop < start ? i > stop : i < stop;) {
        if ((*out)->len == TL_MAX_ITEMS) return tl_limit(x, "a range of more than %d numbers", TL_MAX_ITEMS);
        tl_list_push(x->arena, *out, tl_go_int(i));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    return 0;
}

static int range(tl_exec *x, int64_t start, int64_t stop, int64_t step, tl_value *out)
{
    tl_list *list;
    if (steps(x, start, stop, step, &list)) return -1;
    *out = tl_as_go(tl_list_value(list), TL_GO_INTS);
    return 0;
}

TL_FUNCTION(fn_until)
{
    return range(x, 0, args[0].as.i, args[0].as.i < 0 ? -1 : 1, out);
}

TL_FUNCTION(fn_until_step)
{
    return range(x, args[0].as.i, args[1].as.i, args[2].as.i, out);
}

TL_FUNCTION(fn_seq)
{
    *out = tl_cstring_ref("");
    if (!count || count > 3) return 0;
    int64_t start = count > 1 ? args[0].as.i : 1, end = args[count - 1].as.i, down = end < start ? -1 : 1;
    int64_t step = count == 3 ? args[1].as.i : down;
    if (count == 3 && down < 0 && step > 0) return 0;
    tl_list *list;
    if (steps(x, start, (int64_t)((uint64_t)end + (uint64_t)down), step, &list)) return -1;
    tl_buf text = tl_text_buf(x);
    for (size_t i = 0; i < list->len; i++) tl_buf_addf(&text, i ? " %lld" : "%lld", (long long)list->items[i].as.i);
    return tl_take_string(x, &text, out);
}

/* ---- decimals ---- */

static int to_decimal(tl_exec *x, double d, tl_decimal *out)
{
    if (isfinite(d)) {
        tl_decimal_from_float(out, d);
        return 0;
    }
    return tl_fail(x, "Cannot create a Decimal from %s", isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf");
}

static int combine(tl_exec *x, tl_decimal *total, double number, char op)
{
    tl_decimal other;
    if (to_decimal(x, number, &other)) return -1;
    int status = op == '*'   ? tl_decimal_multiply(total, &other)
                 : op == '/' ? tl_decimal_divide(total, &other)
                             : tl_decimal_add(total, &other, op == '-');
    if (status == -2) return tl_fail(x, "decimal division by 0");
    return status ? tl_limit(x, "a decimal number has too many digits") : 0;
}

static int fold(tl_exec *x, double first, const tl_value *args, size_t count, char op, tl_value *out)
{
    tl_decimal total;
    if (to_decimal(x, first, &total)) return -1;
    for (size_t i = 0; i < count; i++)
        if (combine(x, &total, tl_cast_float(args[i]), op)) return -1;
    *out = tl_float(tl_decimal_to_float(&total));
    return 0;
}

TL_FUNCTION(fn_addf)
{
    return fold(x, 0, args, count, '+', out);
}

TL_FUNCTION(fn_add1f)
{
    tl_value one = tl_go_int(1);
    return fold(x, tl_cast_float(args[0]), &one, 1, '+', out);
}

TL_FUNCTION(fn_subf)
{
    return fold(x, tl_cast_float(args[0]), args + 1, count - 1, '-', out);
}

TL_FUNCTION(fn_mulf)
{
    return fold(x, tl_cast_float(args[0]), args + 1, count - 1, '*', out);
}

TL_FUNCTION(fn_divf)
{
    return fold(x, tl_cast_float(args[0]), args + 1, count - 1, '/', out);
}

const tl_function tl_functions_math[] = {
    {"add", "a*", fn_add},       {"add1", "a", fn_add1},     {"sub", "aa", fn_sub},
    {"mul", "aa*", fn_mul},      {"div", "aa", fn_div},      {"mod", "aa", fn_mod},
    {"max", "aa*", fn_max},      {"biggest", "aa*", fn_max}, {"min", "aa*", fn_min},
    {"maxf", "aa*", fn_maxf},    {"minf", "aa*", fn_minf},   {"ceil", "a", fn_ceil},
    {"floor", "a", fn_floor},    {"round", "aif*", fn_round}, {"until", "i", fn_until},
    {"untilStep", "iii", fn_until_step}, {"seq", "i*", fn_seq}, {"addf", "a*", fn_addf},
    {"add1f", "a", fn_add1f},    {"subf", "aa*", fn_subf},   {"mulf", "aa*", fn_mulf},
    {"divf", "aa*", fn_divf},    {NULL, NULL, NULL}};
