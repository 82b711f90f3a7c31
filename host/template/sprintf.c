/* Go's Sprintf: the directives of a format. */
#include <string.h>

#include "base/utf8.h"
#include "template/printer.h"

typedef struct scan {
    const char *format;
    size_t length, i;
    const tl_value *args;
    size_t count, arg;
    int reordered, good, after_index;
} scan;

static int parse_number(scan *s, size_t end, int *number)
{
    size_t from = s->i;
    *number = 0;
    while (s->i < end && s->format[s->i] >= '0' && s->format[s->i] <= '9') {
        if (*number > TL_PRINTER_WIDTH) {
            *number = 0;
            return 0;
        }
        *number = *number * 10 + (s->format[s->i++] - '0');
    }
    return s->i > from;
}

/* "[3]": the argument to use next. */
static void arg_number(scan *s)
{
    s->after_index = 0;
    if (s->i >= s->length || s->format[s->i] != '[') return;
    s->reordered = 1;
    const char *close = memchr(s->format + s->i, ']', s->length - s->i);
    if (s->length - s->i < 3 || !close) {
        s->good = 0;
        s->i++;
        return;
    }
    size_t end = (size_t)(close - s->format);
    int number;
    s->i++;
    int ok = parse_number(s, end, &number) && s->i == end;
    s->i = end + 1;
    if (ok && number >= 1 && (size_t)number <= s->count) {
        s->arg = (size_t)number - 1;
        s->after_index = 1;
        return;
    }
    s->good = 0;
    s->after_index = ok;
}

static int star(scan *s, int *number)
{
    int ok = 0;
    *number = 0;
    if (s->arg < s->count) {
        tl_value value = s->args[s->arg++];
        ok = value.type == TL_INT && value.as.i >= -TL_PRINTER_WIDTH && value.as.i <= TL_PRINTER_WIDTH;
        if (ok) *number = (int)value.as.i;
    }
    return ok;
}

static void scan_flags(scan *s, tl_printer *p)
{
    for (; s->i < s->length; s->i++) {
        switch (s->format[s->i]) {
        case '#': p->sharp = 1; break;
        case '0': p->zero = 1; break;
        case '+': p->plus = 1; break;
        case '-': p->minus = 1; break;
        case ' ': p->space = 1; break;
        default: return;
        }
    }
}

static void scan_width(scan *s, tl_printer *p)
{
    arg_number(s);
    if (s->i < s->length && s->format[s->i] == '*') {
        s->i++;
        p->has_width = star(s, &p->width);
        if (!p->has_width) tl_buf_adds(p->out, "%!(BADWIDTH)");
        if (p->width < 0) {
            p->width = -p->width;
            p->minus = 1;
            p->zero = 0;
        }
        s->after_index = 0;
        return;
    }
    p->has_width = parse_number(s, s->length, &p->width);
    if (s->after_index && p->has_width) s->good = 0;
}

static void scan_precision(scan *s, tl_printer *p)
{
    if (s->i + 1 >= s->length || s->format[s->i] != '.') return;
    s->i++;
    if (s->after_index) s->good = 0;
    arg_number(s);
    if (s->i < s->length && s->format[s->i] == '*') {
        s->i++;
        p->has_precision = star(s, &p->precision);
        if (p->precision < 0) p->precision = p->has_precision = 0;
        if (!p->has_precision) tl_buf_adds(p->out, "%!(BADPREC)");
        s->after_index = 0;
        return;
    }
    p->has_precision = 1;
    if (!parse_number(s, s->length, &p->precision)) p->precision = 0;
}

static void print_directive(scan *s, tl_printer *p)
{
    scan_flags(s, p);
    scan_width(s, p);
    scan_precision(s, p);
    if (!s->after_index) arg_number(s);
    if (s->i >= s->length) {
        tl_buf_adds(p->out, "%!(NOVERB)");
        return;
    }
    size_t width;
    uint32_t verb = tl_utf8_decode(s->format + s->i, s->length - s->i, &width);
    s->i += width;
    if (verb == '%') {
        tl_buf_addc(p->out, '%');
    } else if (!s->good || s->arg >= s->count) {
        tl_buf_adds(p->out, "%!");
        tl_printer_verb(p, verb);
        tl_buf_adds(p->out, s->good ? "(MISSING)" : "(BADINDEX)");
    } else {
        if (verb == 'v' || verb == 'w') {
            p->sharp_v = p->sharp;
            p->plus_v = p->plus;
            p->sharp = p->plus = 0;
        }
        tl_printer_arg(p, s->args[s->arg++], verb, 0);
    }
}

static void print_extra(scan *s, tl_buf *out)
{
    tl_buf_adds(out, "%!(EXTRA ");
    for (size_t i = s->arg; i < s->count; i++) {
        if (i > s->arg) tl_buf_adds(out, ", ");
        if (s->args[i].type == TL_NULL) {
            tl_buf_adds(out, "<nil>");
            continue;
        }
        tl_buf_addf(out, "%s=", tl_go_type(s->args[i]));
        tl_go_print(out, s->args[i]);
    }
    tl_buf_addc(out, ')');
}

void tl_go_sprintf(tl_buf *out, const char *format, size_t length, const tl_value *args, size_t count)
{
    scan s = {.format = format, .length = length, .args = args, .count = count};
    while (s.i < length && !out->over) {
        const char *percent = memchr(format + s.i, '%', length - s.i);
        size_t end = percent ? (size_t)(percent - format) : length;
        tl_buf_add(out, format + s.i, end - s.i);
        s.i = end;
        if (s.i >= length) break;
        s.i++;
        s.good = 1;
        tl_printer p = {.out = out};
        print_directive(&s, &p);
    }
    if (!s.reordered && s.arg < count) print_extra(&s, out);
}
