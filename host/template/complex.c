/* Go's complex numbers. */
#include "template/complex.h"

#include <string.h>

#include "data/number.h"

const tl_object_type tl_complex_type = {"complex128", TL_KIND_COMPLEX, NULL, NULL, NULL, NULL};

typedef struct scan {
    const char *text;
    size_t length, at;
} scan;

static int accept(scan *s, const char *valid)
{
    int fits = s->at < s->length && strchr(valid, s->text[s->at]);
    s->at += (size_t)fits;
    return fits;
}

static void accept_run(scan *s, const char *valid)
{
    while (accept(s, valid)) continue;
}

/* What fmt's Scan takes for a floating-point number (floatToken of package fmt). */
static void scan_float(scan *s)
{
    const char *digits = "0123456789_", *exponent = "eEpP";
    accept(s, "+-");
    accept(s, "i"); /* the beginning of an Inf */
    if (accept(s, "0") && accept(s, "xX")) {
        digits = "0123456789aAbBcCdDeEfF_";
        exponent = "pP";
    }
    accept_run(s, digits);
    if (accept(s, ".")) accept_run(s, digits);
    if (accept(s, exponent)) {
        accept(s, "+-");
        accept_run(s, "0123456789_");
    }
}

static int convert(const char *text, size_t length, double *out, const char **error)
{
    int status = tl_number_parse_float(text, length, out);
    *error = status == -2 ? "value out of range" : "invalid syntax";
    return status;
}

int tl_complex_parse(const char *text, size_t length, tl_complex *out, const char **error)
{
    scan s = {text, length, 0};
    out->real = 0;
    if (!tl_number_parse_float(text, length - 1, &out->imaginary)) return 0;
    scan_float(&s);
    size_t middle = s.at;
    *error = "syntax error scanning complex number";
    if (!accept(&s, "+-")) return -1;
    scan_float(&s);
    size_t end = s.at;
    if (!accept(&s, "i")) return -1;
    return convert(text, middle, &out->real, error) || convert(text + middle, end - middle, &out->imaginary, error) ? -1 : 0;
}

tl_value tl_complex_value(tl_arena *arena, tl_complex number)
{
    tl_complex *copy = tl_arena_alloc(arena, sizeof *copy);
    *copy = number;
    return tl_object_value(arena, &tl_complex_type, copy, tl_null());
}

const tl_complex *tl_complex_of(tl_value value)
{
    return value.type == TL_OBJECT && value.as.object->type == &tl_complex_type ? value.as.object->data : NULL;
}

int tl_complex_equal(tl_value a, tl_value b)
{
    const tl_complex *x = tl_complex_of(a), *y = tl_complex_of(b);
    return x && y && x->real == y->real && x->imaginary == y->imaginary;
}
