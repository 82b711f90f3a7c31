/* Go's fmt: values printed by verbs and flags; Sprint and Sprintln. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/number.h"
#include "template/complex.h"
#include "template/printer.h"
#include "template/unicode.h"

#define MAX_NESTED 200

static void pad(tl_printer *p, int count)
{
    for (int i = 0; i < count && !p->out->over; i++) tl_buf_addc(p->out, p->zero && !p->minus ? '0' : ' ');
}

static void padded(tl_printer *p, const char *text, size_t length)
{
    if (!p->has_width || !p->width) {
        tl_buf_add(p->out, text, length);
        return;
    }
    int gap = p->width - (int)tl_utf8_count(text, length);
    if (!p->minus) pad(p, gap);
    tl_buf_add(p->out, text, length);
    if (p->minus) pad(p, gap);
}

static void padded_plain(tl_printer *p, const char *text, size_t length)
{
    int zero = p->zero;
    p->zero = 0;
    padded(p, text, length);
    p->zero = zero;
}

void tl_printer_verb(tl_printer *p, uint32_t verb)
{
    char utf8[4];
    tl_buf_add(p->out, utf8, tl_utf8_encode(verb, utf8));
}

static void bad_verb(tl_printer *p, tl_value value, uint32_t verb)
{
    p->erroring = 1;
    tl_buf_adds(p->out, "%!");
    tl_printer_verb(p, verb);
    tl_buf_addc(p->out, '(');
    if (value.type == TL_NULL) {
        tl_buf_adds(p->out, "<nil>");
    } else {
        tl_buf_adds(p->out, tl_go_type(value));
        tl_buf_addc(p->out, '=');
        tl_printer_arg(p, value, 'v', 0);
    }
    tl_buf_addc(p->out, ')');
    p->erroring = 0;
}

/* ---- numbers ---- */

static void fmt_integer(tl_printer *p, uint64_t u, int is_signed, int base, uint32_t verb)
{
    const char *digits = verb == 'X' ? "0123456789ABCDEFX" : "0123456789abcdefx";
    int negative = is_signed && (int64_t)u < 0, precision = 0;
    if (negative) u = -u;
    if (p->has_precision) {
        precision = p->precision;
        if (!precision && !u) {
            int zero = p->zero;
            p->zero = 0;
            pad(p, p->has_width ? p->width : 0);
            p->zero = zero;
            return;
        }
    } else if (p->zero && !p->minus && p->has_width) {
        precision = p->width - (negative || p->plus || p->space);
    }
    char reversed[80];
    size_t n = 0;
    do reversed[n++] = digits[u % (unsigned)base];
    while ((u /= (unsigned)base));
    tl_buf text = TL_BUF_INIT(TL_PRINTER_WIDTH + 256);
    if (negative || p->plus || p->space) tl_buf_addc(&text, negative ? '-' : p->plus ? '+' : ' ');
    if (verb == 'O') tl_buf_adds(&text, "0o");
    int zeros = precision > (int)n ? precision - (int)n : 0;
    if (p->sharp && base == 2) tl_buf_adds(&text, "0b");
    if (p->sharp && base == 8 && !zeros && reversed[n - 1] != '0') tl_buf_addc(&text, '0');
    if (p->sharp && base == 16) tl_buf_adds(&text, verb == 'X' ? "0X" : "0x");
    while (zeros-- > 0) tl_buf_addc(&text, '0');
    while (n) tl_buf_addc(&text, reversed[--n]);
    padded_plain(p, text.data, text.len);
    tl_buf_dispose(&text);
}

static void fmt_unicode(tl_printer *p, uint64_t u)
{
    tl_buf text = TL_BUF_INIT(TL_PRINTER_WIDTH + 256);
    int precision = p->has_precision && p->precision > 4 ? p->precision : 4;
    tl_buf_addf(&text, "U+%0*llX", precision, (unsigned long long)u);
    if (p->sharp && u <= 0x10FFFF && tl_rune_is_print((uint32_t)u)) {
        char utf8[4];
        tl_buf_adds(&text, " '");
        tl_buf_add(&text, utf8, tl_utf8_encode((uint32_t)u, utf8));
        tl_buf_addc(&text, '\'');
    }
    padded_plain(p, text.data, text.len);
    tl_buf_dispose(&text);
}

static void fmt_rune(tl_printer *p, uint64_t u, int quoted)
{
    tl_buf text = TL_BUF_INIT(64);
    uint32_t rune = u > 0x10FFFF ? TL_UTF8_BAD : (uint32_t)u;
    char utf8[4];
    if (quoted)
        tl_go_quote_rune(&text, rune, p->plus);
    else
        tl_buf_add(&text, utf8, tl_utf8_encode(rune, utf8));
    padded(p, text.data, text.len);
    tl_buf_dispose(&text);
}

static void fmt_int_value(tl_printer *p, tl_value value, uint32_t verb)
{
    int is_unsigned = value.go == TL_GO_UINT || value.go == TL_GO_UINT8 || value.go == TL_GO_UINT32 ||
                      value.go == TL_GO_UINT64;
    uint64_t u = (uint64_t)value.as.i;
    switch (verb) {
    case 'v':
        if (p->sharp_v && is_unsigned) {
            p->sharp = 1;
            fmt_integer(p, u, 0, 16, 'v');
            p->sharp = 0;
            break;
        } /* fall through */
    case 'd': fmt_integer(p, u, !is_unsigned, 10, verb); break;
    case 'b': fmt_integer(p, u, !is_unsigned, 2, verb); break;
    case 'o':
    case 'O': fmt_integer(p, u, !is_unsigned, 8, verb); break;
    case 'x':
    case 'X': fmt_integer(p, u, !is_unsigned, 16, verb); break;
    case 'c': fmt_rune(p, u, 0); break;
    case 'q': fmt_rune(p, u, 1); break;
    case 'U': fmt_unicode(p, u); break;
    default: bad_verb(p, value, verb);
    }
}

/* Verbs x, X and b of floats: hexadecimal as C's %a with two digits of exponent, or mantissa and binary exponent. */
static size_t binary_float(double d, char verb, int precision, char *out)
{
    if (!isfinite(d)) return tl_number_format(d, 'g', -1, 64, out);
    if (verb == 'b') {
        int exponent;
        double fraction = frexp(d, &exponent);
        int subnormal = fpclassify(d) == FP_SUBNORMAL || d == 0;
        long long mantissa = (long long)(subnormal ? ldexp(d, 1074) : ldexp(fraction, 53));
        return (size_t)snprintf(out, TL_NUMBER_MAX, "%s%lldp%+d", d == 0 && signbit(d) ? "-" : "", mantissa,
                                subnormal ? -1074 : exponent - 53);
    }
    int n = precision < 0 ? snprintf(out, TL_NUMBER_MAX, "%a", d)
                          : snprintf(out, TL_NUMBER_MAX + (size_t)precision, "%.*a", precision, d);
    char *p = strchr(out, 'p');
    if (p && !p[3]) {
        p[3] = p[2];
        p[2] = '0';
        p[4] = 0;
        n++;
    }
    for (char *c = out; verb == 'X' && *c; c++) *c = (char)toupper((unsigned char)*c);
    return (size_t)n;
}

/* "#": a decimal point always, and for %g the zeros up to the precision. */
static void sharpen(tl_buf *text, char verb, int precision)
{
    int digits = 0, point = 0, nonzero = 0;
    int hexadecimal = verb == 'x' || verb == 'X';
    if (verb == 'g' || verb == 'G' || verb == 'x') digits = precision < 0 ? 6 : precision;
    size_t end = 1;
    for (; end < text->len; end++) {
        char c = text->data[end];
        if (c == '.') {
            point = 1;
            continue;
        }
        if (c == 'p' || c == 'P' || (!hexadecimal && (c == 'e' || c == 'E'))) break;
        nonzero |= c != '0';
        if (nonzero) digits--;
    }
    char tail[16] = "";
    memcpy(tail, text->data + end, text->len - end < 15 ? text->len - end : 15);
    text->len = end;
    text->data[end] = 0;
    if (!point) {
        if (text->len == 2 && text->data[1] == '0') digits--;
        tl_buf_addc(text, '.');
    }
    while (digits-- > 0) tl_buf_addc(text, '0');
    tl_buf_adds(text, tail);
}

static void fmt_float_as(tl_printer *p, double d, int bits, char verb, int precision)
{
    if (p->has_precision) precision = p->precision;
    char *number = tl_malloc(TL_NUMBER_MAX + (precision > 0 ? (size_t)precision : 0));
    tl_buf text = TL_BUF_INIT(4 * TL_PRINTER_WIDTH);
    size_t length = verb == 'x' || verb == 'X' || verb == 'b' ? binary_float(d, verb, precision, number)
                                                              : tl_number_format(d, verb, precision, bits, number);
    if (number[0] != '-' && number[0] != '+') tl_buf_addc(&text, '+');
    tl_buf_add(&text, number, length);
    free(number);
    if (p->space && text.data[0] == '+' && !p->plus) text.data[0] = ' ';
    if (text.data[1] == 'I' || text.data[1] == 'N') {
        size_t skip = text.data[1] == 'N' && !p->space && !p->plus;
        if (text.data[1] == 'I' && text.data[0] == '+' && !p->plus) skip = 0;
        padded_plain(p, text.data + skip, text.len - skip);
        tl_buf_dispose(&text);
        return;
    }
    if (p->sharp && verb != 'b') sharpen(&text, verb, precision);
    if (p->plus || text.data[0] != '+') {
        if (p->zero && !p->minus && p->has_width && p->width > (int)text.len) {
            tl_buf_addc(p->out, text.data[0]);
            pad(p, p->width - (int)text.len);
            tl_buf_add(p->out, text.data + 1, text.len - 1);
        } else {
            padded(p, text.data, text.len);
        }
    } else {
        padded(p, text.data + 1, text.len - 1);
    }
    tl_buf_dispose(&text);
}

static void fmt_float_value(tl_printer *p, tl_value value, uint32_t verb)
{
    int bits = value.go == TL_GO_FLOAT32 ? 32 : 64;
    switch (verb) {
    case 'v': fmt_float_as(p, value.as.d, bits, 'g', -1); break;
    case 'b':
    case 'x':
    case 'X':
    case 'g':
    case 'G': fmt_float_as(p, value.as.d, bits, (char)verb, -1); break;
    case 'f':
    case 'e':
    case 'E': fmt_float_as(p, value.as.d, bits, (char)verb, 6); break;
    case 'F': fmt_float_as(p, value.as.d, bits, 'f', 6); break;
    default: bad_verb(p, value, verb);
    }
}

/* ---- strings ---- */

static size_t truncated(const tl_printer *p, const char *text, size_t length)
{
    if (!p->has_precision) return length;
    size_t i = 0, width;
    for (int n = p->precision; i < length && n > 0; n--, i += width) tl_utf8_decode(text + i, length - i, &width);
    return i;
}

static void fmt_hex(tl_printer *p, const char *text, size_t length, int upper)
{
    if (p->has_precision && (size_t)p->precision < length) length = (size_t)p->precision;
    if (!length) {
        pad(p, p->has_width ? p->width : 0);
        return;
    }
    int width = (int)(2 * length);
    if (p->space)
        width = (p->sharp ? 2 * width : width) + (int)length - 1;
    else if (p->sharp)
        width += 2;
    if (p->has_width && !p->minus) pad(p, p->width - width);
    for (size_t i = 0; i < length; i++) {
        if (p->space && i) tl_buf_addc(p->out, ' ');
        if (p->sharp && (!i || p->space)) tl_buf_adds(p->out, upper ? "0X" : "0x");
        tl_buf_addf(p->out, upper ? "%02X" : "%02x", (unsigned char)text[i]);
    }
    if (p->has_width && p->minus) pad(p, p->width - width);
}

static int can_backquote(const char *text, size_t length)
{
    for (size_t i = 0, width; i < length; i += width) {
        uint32_t rune = tl_utf8_decode(text + i, length - i, &width);
        if (width > 1 && rune == 0xFEFF) return 0;
        if (width == 1 && (rune == TL_UTF8_BAD || (rune < ' ' && rune != '\t') || rune == '`' || rune == 127)) return 0;
    }
    return 1;
}

static void fmt_quoted(tl_printer *p, const char *text, size_t length)
{
    tl_buf quoted = TL_BUF_INIT(p->out->max);
    length = truncated(p, text, length);
    if (p->sharp && can_backquote(text, length)) {
        tl_buf_addc(&quoted, '`');
        tl_buf_add(&quoted, text, length);
        tl_buf_addc(&quoted, '`');
    } else {
        tl_go_quote_with(&quoted, text, length, '"', p->plus);
    }
    padded(p, quoted.data, quoted.len);
    tl_buf_dispose(&quoted);
}

static void fmt_string(tl_printer *p, tl_value value, uint32_t verb)
{
    const char *text = value.as.s;
    size_t length = value.len;
    switch (verb) {
    case 'v':
        if (p->sharp_v) {
            fmt_quoted(p, text, length);
            break;
        } /* fall through */
    case 's': padded(p, text, truncated(p, text, length)); break;
    case 'x':
    case 'X': fmt_hex(p, text, length, verb == 'X'); break;
    case 'q': fmt_quoted(p, text, length); break;
    default: bad_verb(p, value, verb);
    }
}

/* ---- compound values ---- */

static void print_list(tl_printer *p, tl_value value, uint32_t verb, int depth)
{
    size_t length = value.type == TL_BYTES ? value.len : value.as.list->len;
    if (p->sharp_v && value.type == TL_LIST && value.as.list->nil) {
        tl_buf_addf(p->out, "%s(nil)", tl_go_type(value));
        return;
    }
    if (p->sharp_v) tl_buf_addf(p->out, "%s{", value.type == TL_BYTES ? "[]byte" : tl_go_type(value));
    else tl_buf_addc(p->out, '[');
    for (size_t i = 0; i < length && !p->out->over; i++) {
        if (i) tl_buf_adds(p->out, p->sharp_v ? ", " : " ");
        tl_printer_arg(p, tl_item(value, i), verb, depth + 1);
    }
    tl_buf_addc(p->out, p->sharp_v ? '}' : ']');
}

static void print_map(tl_printer *p, tl_value value, uint32_t verb, int depth)
{
    tl_map *map = value.as.map;
    tl_arena *scratch = tl_arena_new(0);
    tl_entry **sorted = tl_map_sorted(map, scratch);
    if (p->sharp_v) tl_buf_addf(p->out, "%s{", tl_go_type(value));
    else tl_buf_adds(p->out, "map[");
    for (uint32_t i = 0; i < map->count && !p->out->over; i++) {
        if (i) tl_buf_adds(p->out, p->sharp_v ? ", " : " ");
        tl_printer_arg(p, tl_string_ref(sorted[i]->key, sorted[i]->key_len), verb, depth + 1);
        tl_buf_addc(p->out, ':');
        tl_printer_arg(p, tl_map_item(value, &sorted[i]->value), verb, depth + 1);
    }
    tl_buf_addc(p->out, p->sharp_v ? '}' : ']');
    tl_arena_free(scratch);
}

static void print_struct(tl_printer *p, tl_object *object, uint32_t verb, int depth)
{
    if (object->type->kind == TL_KIND_POINTER) tl_buf_addc(p->out, '&');
    if (p->sharp_v) tl_buf_adds(p->out, object->type->go_name + (object->type->go_name[0] == '*'));
    tl_buf_addc(p->out, '{');
    uint32_t cursor = 0;
    int first = 1;
    if (tl_object_content(object).type == TL_MAP) {
        for (tl_entry *e; (e = tl_map_next(object->content.as.map, &cursor)); first = 0) {
            if (!first) tl_buf_adds(p->out, p->sharp_v ? ", " : " ");
            if (p->plus_v || p->sharp_v) tl_buf_addf(p->out, "%s:", e->key);
            tl_printer_arg(p, e->value, verb, depth + 1);
        }
    }
    tl_buf_addc(p->out, '}');
}

static int is_text_verb(const tl_printer *p, uint32_t verb)
{
    return !p->erroring && !p->sharp_v && verb < 128 && strchr("vsxXq", (int)verb);
}

/* What has a String() of Go. */
static void fmt_stringer(tl_printer *p, const tl_object *object, uint32_t verb)
{
    tl_buf text = TL_BUF_INIT(p->out->max);
    object->type->print(object, &text);
    fmt_string(p, tl_string_ref(text.data, text.len), verb);
    tl_buf_dispose(&text);
}

static void print_int(tl_printer *p, tl_value value, uint32_t verb)
{
    tl_object named;
    if (is_text_verb(p, verb) && tl_named_int(&named, value))
        fmt_stringer(p, &named, verb);
    else
        fmt_int_value(p, value, verb);
}

/* A time as fmt prints its private fields: nanoseconds, seconds since the year 1, and the location, which is nil for UTC
   (others have addresses in Go). */
static void print_time_fields(tl_printer *p, const tl_object *object, uint32_t verb, int depth)
{
    const tl_gotime *time = object->data;
    if (p->sharp_v) {
        tl_buf text = TL_BUF_INIT(1 << 10);
        tl_gotime_go_string(time, &text);
        tl_buf_add(p->out, text.data, text.len);
        tl_buf_dispose(&text);
        return;
    }
    tl_buf_adds(p->out, p->plus_v ? "{wall:" : "{");
    tl_printer_arg(p, tl_as_go(tl_int(time->nanoseconds), TL_GO_UINT64), verb, depth + 1);
    tl_buf_adds(p->out, p->plus_v ? " ext:" : " ");
    tl_printer_arg(p, tl_int(time->seconds + TL_GOTIME_YEAR_ONE), verb, depth + 1);
    tl_buf_adds(p->out, p->plus_v ? " loc:" : " ");
    if (verb < 128 && strchr("bodxX", (int)verb)) {
        fmt_integer(p, 0, 0, verb == 'b' ? 2 : verb == 'o' ? 8 : verb == 'd' ? 10 : 16, verb);
    } else if (verb == 'v') {
        padded(p, "<nil>", 5);
    } else {
        tl_buf_adds(p->out, "%!");
        tl_printer_verb(p, verb);
        tl_buf_adds(p->out, "(*time.Location=");
        padded(p, "<nil>", 5);
        tl_buf_addc(p->out, ')');
    }
    tl_buf_addc(p->out, '}');
}

static void fmt_complex(tl_printer *p, tl_value value, uint32_t verb)
{
    const tl_complex *number = tl_complex_of(value);
    if (verb >= 128 || !strchr("vbgGxXfFeE", (int)verb)) {
        bad_verb(p, value, verb);
        return;
    }
    int plus = p->plus;
    tl_buf_addc(p->out, '(');
    fmt_float_value(p, tl_float(number->real), verb);
    p->plus = 1; /* the imaginary part always has a sign */
    fmt_float_value(p, tl_float(number->imaginary), verb);
    p->plus = plus;
    tl_buf_adds(p->out, "i)");
}

static void print_object(tl_printer *p, tl_value value, uint32_t verb, int depth)
{
    tl_object *object = value.as.object;
    if (object->type->print && is_text_verb(p, verb))
        fmt_stringer(p, object, verb);
    else if (object->type == &tl_time_type)
        print_time_fields(p, object, verb, depth);
    else if (object->type->kind == TL_KIND_COMPLEX)
        fmt_complex(p, value, verb);
    else if (object->type->kind >= TL_KIND_MAP)
        tl_printer_arg(p, tl_object_content(object), verb, depth);
    else
        print_struct(p, object, verb, depth);
}

static void print_nil(tl_printer *p, tl_value value, uint32_t verb, int depth)
{
    if (depth && p->sharp_v)
        tl_buf_adds(p->out, "interface {}(nil)");
    else if (depth)
        tl_buf_adds(p->out, "<nil>");
    else if (verb == 'v' || verb == 'T')
        padded(p, "<nil>", 5);
    else
        bad_verb(p, value, verb);
}

void tl_printer_arg(tl_printer *p, tl_value value, uint32_t verb, int depth)
{
    value = tl_unboxed(value);
    if (depth > MAX_NESTED) p->out->over = 1; /* a map that holds itself */
    if (p->out->over) return;
    if (value.type != TL_NULL && verb == 'T') {
        const char *type = tl_go_type(value);
        padded(p, type, truncated(p, type, strlen(type)));
        return;
    }
    if (verb == 'w') {
        bad_verb(p, value, verb);
        return;
    }
    switch ((tl_type)value.type) {
    case TL_NULL: print_nil(p, value, verb, depth); break;
    case TL_BOOL:
        if (verb == 't' || verb == 'v')
            padded(p, value.as.b ? "true" : "false", value.as.b ? 4 : 5);
        else
            bad_verb(p, value, verb);
        break;
    case TL_INT: print_int(p, value, verb); break;
    case TL_FLOAT: fmt_float_value(p, value, verb); break;
    case TL_STRING: fmt_string(p, value, verb); break;
    case TL_BYTES:
        if (verb == 's' || verb == 'x' || verb == 'X' || verb == 'q')
            fmt_string(p, value, verb);
        else
            print_list(p, value, verb, depth);
        break;
    case TL_LIST: print_list(p, value, verb, depth); break;
    case TL_MAP: print_map(p, value, verb, depth); break;
    default: print_object(p, value, verb, depth);
    }
}

void tl_go_print(tl_buf *out, tl_value value)
{
    tl_printer p = {.out = out};
    if (value.type == TL_STRING)
        tl_buf_add(out, value.as.s, value.len);
    else
        tl_printer_arg(&p, value, 'v', 0);
}

void tl_go_sprint(tl_buf *out, const tl_value *args, size_t count, int line)
{
    int before = 0;
    for (size_t i = 0; i < count; i++) {
        int string = args[i].type == TL_STRING;
        if (i && (line || (!string && !before))) tl_buf_addc(out, ' ');
        tl_go_print(out, args[i]);
        before = string;
    }
    if (line) tl_buf_addc(out, '\n');
}
