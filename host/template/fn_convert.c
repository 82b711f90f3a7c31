/* Conversions between types, and what reflection tells: toString, int, quote's text, typeOf, kindIs. */
#include <math.h>
#include <string.h>

#include "data/number.h"
#include "template/internal.h"

tl_span tl_strval(tl_exec *x, tl_value value)
{
    if (value.type == TL_STRING || value.type == TL_BYTES) return (tl_span){value.as.s, value.len};
    tl_buf text = tl_text_buf(x);
    tl_go_print(&text, value);
    tl_span span = {tl_arena_strndup(x->arena, text.data, text.len), (uint32_t)text.len};
    tl_buf_dispose(&text);
    return span;
}

/* "10.00" is an integer: a point with nothing but zeros behind it (and at least one) is dropped. */
static size_t without_zero_decimals(const char *text, size_t length)
{
    int zero = 0;
    for (size_t i = length; i > 0; i--) {
        if (text[i - 1] == '.') {
            if (zero) return i - 1;
        } else if (text[i - 1] == '0') {
            zero = 1;
        } else {
            break;
        }
    }
    return length;
}

/* As amd64 converts: out of range gives the smallest integer. */
static int64_t float_to_int(double d)
{
    return d >= -9223372036854775808.0 && d < 9223372036854775808.0 ? (int64_t)d : INT64_MIN;
}

int64_t tl_cast_int(tl_value value)
{
    int64_t i;
    switch (value.type) {
    case TL_INT: return value.go == TL_GO_DURATION ? 0 : value.as.i; /* cast does not know durations */
    case TL_FLOAT: return float_to_int(value.as.d);
    case TL_BOOL: return value.as.b != 0;
    case TL_STRING:
        if (tl_number_parse_int(value.as.s, without_zero_decimals(value.as.s, value.len), 0, &i)) return 0;
        return i;
    default: return 0;
    }
}

double tl_cast_float(tl_value value)
{
    double d;
    switch (value.type) {
    case TL_INT:
        if (value.go == TL_GO_DURATION) return 0;
        return value.go == TL_GO_UINT64 ? (double)(uint64_t)value.as.i : (double)value.as.i;
    case TL_FLOAT: return value.as.d;
    case TL_BOOL: return value.as.b != 0;
    case TL_STRING: return tl_number_parse_float(value.as.s, value.len, &d) ? 0 : d;
    default: return 0;
    }
}

TL_FUNCTION(fn_to_string)
{
    tl_span span = tl_strval(x, args[0]);
    *out = tl_string_ref(span.s, span.len);
    return 0;
}

TL_FUNCTION(fn_int64)
{
    *out = tl_int(tl_cast_int(args[0]));
    return 0;
}

TL_FUNCTION(fn_int)
{
    *out = tl_go_int(tl_cast_int(args[0]));
    return 0;
}

TL_FUNCTION(fn_float64)
{
    *out = tl_float(tl_cast_float(args[0]));
    return 0;
}

TL_FUNCTION(fn_atoi)
{
    int64_t i = 0;
    int status = tl_number_parse_int(args[0].as.s, args[0].len, 10, &i);
    if (status == -2) i = args[0].as.s[0] == '-' ? INT64_MIN : INT64_MAX;
    *out = tl_go_int(status == -1 ? 0 : i);
    return 0;
}

TL_FUNCTION(fn_to_decimal)
{
    int64_t i;
    tl_buf text = tl_text_buf(x);
    tl_go_print(&text, args[0]);
    *out = tl_int(tl_number_parse_int(text.data, text.len, 8, &i) ? 0 : i);
    tl_buf_dispose(&text);
    return 0;
}

TL_FUNCTION(fn_to_strings)
{
    tl_value list = tl_content(args[0]);
    tl_list *strings = tl_list_new(x->arena, 4);
    *out = tl_as_go(tl_list_value(strings), TL_GO_STRINGS);
    if (list.type == TL_LIST && list.go == TL_GO_STRINGS) {
        *out = list;
        return 0;
    }
    if (list.type == TL_NULL) return 0;
    if (list.type != TL_LIST && list.type != TL_BYTES) {
        tl_span span = tl_strval(x, args[0]);
        tl_list_push(x->arena, strings, tl_string_ref(span.s, span.len));
        return 0;
    }
    size_t length = list.type == TL_BYTES ? list.len : list.as.list->len;
    for (size_t i = 0; i < length; i++) {
        tl_value item = tl_unboxed(tl_item(list, i));
        if (item.type == TL_NULL) continue;
        tl_span span = tl_strval(x, item);
        tl_list_push(x->arena, strings, tl_string_ref(span.s, span.len));
    }
    return 0;
}

int tl_to_strings(tl_exec *x, tl_value value, tl_list **out)
{
    tl_value list;
    if (fn_to_strings(x, &value, 1, &list)) return -1;
    *out = list.as.list;
    return 0;
}

TL_FUNCTION(fn_type_of)
{
    *out = tl_cstring_ref(tl_go_type(args[0]));
    return 0;
}

TL_FUNCTION(fn_type_is)
{
    *out = tl_bool(tl_value_is(args[0], tl_go_type(args[1])));
    return 0;
}

TL_FUNCTION(fn_type_is_like)
{
    const char *type = tl_go_type(args[1]);
    *out = tl_bool(tl_value_is(args[0], type) || (type[0] == '*' && tl_value_is(args[0], type + 1)));
    return 0;
}

TL_FUNCTION(fn_kind_of)
{
    *out = tl_cstring_ref(tl_go_kind(args[0]));
    return 0;
}

TL_FUNCTION(fn_kind_is)
{
    *out = tl_bool(tl_value_is(args[0], tl_go_kind(args[1])));
    return 0;
}

TL_FUNCTION(fn_deep_equal)
{
    *out = tl_bool(tl_deep_equal(x, args[0], args[1]));
    return 0;
}

const tl_function tl_functions_convert[] = {
    {"toString", "a", fn_to_string},     {"int64", "a", fn_int64},          {"int", "a", fn_int},
    {"float64", "a", fn_float64},        {"atoi", "s", fn_atoi},            {"toDecimal", "a", fn_to_decimal},
    {"toStrings", "a", fn_to_strings},   {"typeOf", "a", fn_type_of},       {"typeIs", "sa", fn_type_is},
    {"typeIsLike", "sa", fn_type_is_like}, {"kindOf", "a", fn_kind_of},     {"kindIs", "sa", fn_kind_is},
    {"deepEqual", "aa", fn_deep_equal},  {NULL, NULL, NULL}};
