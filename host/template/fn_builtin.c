/* The functions of text/template itself: comparison, index, len, print, escapes. */
#include <string.h>

#include "base/utf8.h"
#include "template/complex.h"
#include "template/internal.h"
#include "template/unicode.h"

typedef enum basic { B_INVALID, B_BOOL, B_INT, B_UINT, B_FLOAT, B_COMPLEX, B_STRING } basic;

static basic basic_kind(tl_value value)
{
    switch (value.type) {
    case TL_BOOL: return B_BOOL;
    case TL_INT:
        return value.go == TL_GO_UINT || value.go == TL_GO_UINT8 || value.go == TL_GO_UINT32 || value.go == TL_GO_UINT64
                   ? B_UINT
                   : B_INT;
    case TL_FLOAT: return B_FLOAT;
    case TL_STRING: return B_STRING;
    case TL_OBJECT: return tl_complex_of(value) ? B_COMPLEX : B_INVALID;
    default: return B_INVALID;
    }
}

static int incompatible(tl_exec *x, tl_value a, tl_value b)
{
    return tl_fail(x, "incompatible types for comparison: %s and %s", tl_go_type(a), tl_go_type(b));
}

static int fail_formatted(tl_exec *x, const char *format, const tl_value *args, size_t count)
{
    tl_buf text = tl_text_buf(x);
    tl_go_sprintf(&text, format, strlen(format), args, count);
    tl_fail(x, "%s", text.data);
    tl_buf_dispose(&text);
    return -1;
}

static int is_nil(tl_value value)
{
    value = tl_content(value);
    return value.type == TL_NULL || (value.type == TL_LIST && value.as.list->nil && !value.as.list->len) ||
           (value.type == TL_MAP && value.as.map->nil && !value.as.map->count);
}

/* Values of no basic kind: nil equals nil, also where it is a slice or a map; everything else cannot be compared. */
static int compare_others(tl_exec *x, tl_value a, tl_value b, int *truth)
{
    *truth = is_nil(a) && is_nil(b);
    if (a.type == TL_NULL || b.type == TL_NULL) return 0;
    if (a.type == TL_OBJECT && b.type == TL_OBJECT) {
        *truth = a.as.object == b.as.object;
        return 0;
    }
    tl_value types[2] = {tl_cstring_ref(tl_go_type(a)), tl_cstring_ref(tl_go_type(b))};
    if (strcmp(tl_go_kind(a), tl_go_kind(b)) != 0) {
        tl_value parts[4] = {a, types[0], types[1], b};
        return fail_formatted(x, "non-comparable types %s: %v, %s: %v", parts, 4);
    }
    if (is_nil(a) || is_nil(b)) return 0;
    tl_value parts[2] = {b, types[1]};
    return fail_formatted(x, "non-comparable type %s: %v", parts, 2);
}

static int equal(tl_exec *x, tl_value a, tl_value b, int *truth)
{
    basic ka = basic_kind(a), kb = basic_kind(b);
    *truth = 0;
    if (ka != kb) {
        int ints = (ka == B_INT && kb == B_UINT) || (ka == B_UINT && kb == B_INT);
        if (ints)
            *truth = a.as.i == b.as.i && (ka == B_INT ? a.as.i : b.as.i) >= 0;
        else if (a.type != TL_NULL && b.type != TL_NULL)
            return incompatible(x, a, b);
        return 0;
    }
    switch (ka) {
    case B_BOOL: *truth = !a.as.b == !b.as.b; return 0;
    case B_INT:
    case B_UINT: *truth = a.as.i == b.as.i; return 0;
    case B_FLOAT: *truth = a.as.d == b.as.d; return 0;
    case B_COMPLEX: *truth = tl_complex_equal(a, b); return 0;
    case B_STRING: *truth = a.len == b.len && (!a.len || !memcmp(a.as.s, b.as.s, a.len)); return 0;
    default: return compare_others(x, a, b, truth);
    }
}

static int less(tl_exec *x, tl_value a, tl_value b, int *truth)
{
    basic ka = basic_kind(a), kb = basic_kind(b);
    if (ka == B_INVALID || kb == B_INVALID) return tl_fail(x, "invalid type for comparison");
    if (ka == B_INT && kb == B_UINT) {
        *truth = a.as.i < 0 || (uint64_t)a.as.i < (uint64_t)b.as.i;
        return 0;
    }
    if (ka == B_UINT && kb == B_INT) {
        *truth = b.as.i >= 0 && (uint64_t)a.as.i < (uint64_t)b.as.i;
        return 0;
    }
    if (ka != kb) return incompatible(x, a, b);
    switch (ka) {
    case B_INT: *truth = a.as.i < b.as.i; return 0;
    case B_UINT: *truth = (uint64_t)a.as.i < (uint64_t)b.as.i; return 0;
    case B_FLOAT: *truth = a.as.d < b.as.d; return 0;
    case B_STRING: {
        int order = memcmp(a.as.s, b.as.s, a.len < b.len ? a.len : b.len);
        *truth = order < 0 || (!order && a.len < b.len);
        return 0;
    }
    default: return tl_fail(x, "invalid type for comparison");
    }
}

TL_FUNCTION(fn_eq)
{
    int truth = 0;
    if (count < 2) return tl_fail(x, "missing argument for comparison");
    for (size_t i = 1; i < count && !truth; i++)
        if (equal(x, tl_unboxed(args[0]), tl_unboxed(args[i]), &truth)) return -1;
    *out = tl_bool(truth);
    return 0;
}

TL_FUNCTION(fn_ne)
{
    int truth;
    if (equal(x, tl_unboxed(args[0]), tl_unboxed(args[1]), &truth)) return -1;
    *out = tl_bool(!truth);
    return 0;
}

static int less_or_equal(tl_exec *x, const tl_value *args, int *truth)
{
    tl_value a = tl_unboxed(args[0]), b = tl_unboxed(args[1]);
    if (less(x, a, b, truth)) return -1;
    return *truth ? 0 : equal(x, a, b, truth);
}

TL_FUNCTION(fn_lt)
{
    int truth;
    if (less(x, tl_unboxed(args[0]), tl_unboxed(args[1]), &truth)) return -1;
    *out = tl_bool(truth);
    return 0;
}

TL_FUNCTION(fn_le)
{
    int truth;
    if (less_or_equal(x, args, &truth)) return -1;
    *out = tl_bool(truth);
    return 0;
}

TL_FUNCTION(fn_gt)
{
    int truth;
    if (less_or_equal(x, args, &truth)) return -1;
    *out = tl_bool(!truth);
    return 0;
}

TL_FUNCTION(fn_ge)
{
    int truth;
    if (less(x, tl_unboxed(args[0]), tl_unboxed(args[1]), &truth)) return -1;
    *out = tl_bool(!truth);
    return 0;
}

TL_FUNCTION(fn_not)
{
    *out = tl_bool(!tl_truth(args[0]));
    return 0;
}

/* and, or are evaluated by the caller; what is left is a pipeline's value alone. */
TL_FUNCTION(fn_last)
{
    *out = count ? args[count - 1] : tl_null();
    return 0;
}

static int index_list(tl_exec *x, tl_value list, tl_value index, tl_value *out)
{
    size_t length = list.type == TL_LIST ? list.as.list->len : list.len;
    if (index.type == TL_NULL) return tl_fail(x, "cannot index slice/array with nil");
    if (index.type != TL_INT) return tl_fail(x, "cannot index slice/array with type %s", tl_go_type(index));
    if (index.as.i < 0 || (uint64_t)index.as.i > length)
        return tl_fail(x, "index out of range: %lld", (long long)index.as.i);
    if ((uint64_t)index.as.i == length)
        return tl_fail(x, "reflect: %s index out of range", list.type == TL_STRING ? "string" : "slice");
    if (list.type == TL_STRING)
        *out = tl_as_go(tl_int((unsigned char)list.as.s[index.as.i]), TL_GO_UINT8);
    else
        *out = tl_item(list, (size_t)index.as.i);
    return 0;
}

static int index_map(tl_exec *x, tl_value map, tl_value index, tl_value *out)
{
    if (index.type == TL_NULL) return tl_fail(x, "value is nil; should be of type string");
    if (index.type != TL_STRING) return tl_fail(x, "value has type %s; should be string", tl_go_type(index));
    *out = tl_map_item(map, tl_map_get(map.as.map, index.as.s, index.len));
    return 0;
}

/* The type behind a pointer. */
static const char *pointed_type(tl_value value)
{
    const char *type = tl_go_type(value);
    return type + (type[0] == '*');
}

TL_FUNCTION(fn_index)
{
    tl_value item = tl_unboxed(args[0]);
    if (item.type == TL_NULL) return tl_fail(x, "index of untyped nil");
    for (size_t i = 1; i < count; i++) {
        tl_value index = tl_unboxed(args[i]);
        item = tl_content(item);
        if (item.type == TL_NULL) return tl_fail(x, "index of nil pointer");
        int status;
        if (item.type == TL_LIST || item.type == TL_STRING || item.type == TL_BYTES)
            status = index_list(x, item, index, &item);
        else if (item.type == TL_MAP)
            status = index_map(x, item, index, &item);
        else
            status = tl_fail(x, "can't index item of type %s", pointed_type(item));
        if (status) return -1;
    }
    *out = item;
    return 0;
}

TL_FUNCTION(fn_len)
{
    if (args[0].type == TL_NULL)
        return tl_fail(x, args[0].go & TL_BOXED ? "len of nil pointer"
                                                : "reflect: call of reflect.Value.Type on zero Value");
    tl_value item = tl_content(args[0]);
    switch (item.type) {
    case TL_STRING:
    case TL_BYTES: *out = tl_go_int(item.len); return 0;
    case TL_LIST: *out = tl_go_int((int64_t)item.as.list->len); return 0;
    case TL_MAP: *out = tl_go_int(item.as.map->count); return 0;
    default: return tl_fail(x, "len of type %s", pointed_type(item));
    }
}

TL_FUNCTION(fn_call)
{
    tl_value function = tl_unboxed(args[0]);
    if (function.type == TL_NULL) return tl_fail(x, "call of nil");
    tl_buf text = tl_text_buf(x);
    const tl_node *node = x->node;
    if (node->type == TL_NODE_COMMAND && node->count > 1)
        tl_node_print(&text, node->as.items[1]);
    else if (function.type == TL_STRING) /* piped in: reflect.Value.String names it */
        tl_buf_add(&text, function.as.s, function.len);
    else
        tl_buf_addf(&text, "<%s Value>", tl_go_type(function));
    tl_fail(x, "non-function %s of type %s", text.data, tl_go_type(function));
    tl_buf_dispose(&text);
    return -1;
}

TL_FUNCTION(fn_print)
{
    tl_buf text = tl_text_buf(x);
    tl_go_sprint(&text, args, count, 0);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_println)
{
    tl_buf text = tl_text_buf(x);
    tl_go_sprint(&text, args, count, 1);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_printf)
{
    tl_buf text = tl_text_buf(x);
    tl_go_sprintf(&text, args[0].as.s, args[0].len, args + 1, count - 1);
    return tl_take_string(x, &text, out);
}

/* ---- escapes ---- */

/* The arguments as one text, nil as "<no value>". */
static void joined_args(tl_exec *x, const tl_value *args, size_t count, tl_buf *text)
{
    tl_value *copy = tl_arena_alloc(x->arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++) copy[i] = args[i].type == TL_NULL ? tl_cstring_ref("<no value>") : args[i];
    tl_go_sprint(text, copy, count, 0);
}

TL_FUNCTION(fn_html)
{
    tl_buf text = tl_text_buf(x), escaped = tl_text_buf(x);
    joined_args(x, args, count, &text);
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case 0: tl_buf_adds(&escaped, "\xEF\xBF\xBD"); break;
        case '"': tl_buf_adds(&escaped, "&#34;"); break;
        case '\'': tl_buf_adds(&escaped, "&#39;"); break;
        case '&': tl_buf_adds(&escaped, "&amp;"); break;
        case '<': tl_buf_adds(&escaped, "&lt;"); break;
        case '>': tl_buf_adds(&escaped, "&gt;"); break;
        default: tl_buf_addc(&escaped, text.data[i]);
        }
    }
    tl_buf_dispose(&text);
    return tl_take_string(x, &escaped, out);
}

static void js_escape(tl_buf *out, uint32_t rune, const char *bytes, size_t width)
{
    if (rune == '\\' || rune == '\'' || rune == '"') {
        tl_buf_addc(out, '\\');
        tl_buf_addc(out, (char)rune);
    } else if (rune < ' ' || rune == '<' || rune == '>' || rune == '&' || rune == '=') {
        tl_buf_addf(out, "\\u%04X", rune);
    } else if (rune < 0x80 || tl_rune_is_print(rune)) {
        tl_buf_add(out, bytes, width);
    } else {
        tl_buf_addf(out, "\\u%04X", rune);
    }
}

TL_FUNCTION(fn_js)
{
    tl_buf text = tl_text_buf(x), escaped = tl_text_buf(x);
    joined_args(x, args, count, &text);
    for (size_t i = 0, width; i < text.len; i += width) {
        uint32_t rune = tl_utf8_decode(text.data + i, text.len - i, &width);
        js_escape(&escaped, rune, text.data + i, width);
    }
    tl_buf_dispose(&text);
    return tl_take_string(x, &escaped, out);
}

TL_FUNCTION(fn_urlquery)
{
    tl_buf text = tl_text_buf(x), escaped = tl_text_buf(x);
    joined_args(x, args, count, &text);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        int plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("-_.~", c));
        if (plain)
            tl_buf_addc(&escaped, (char)c);
        else if (c == ' ')
            tl_buf_addc(&escaped, '+');
        else
            tl_buf_addf(&escaped, "%%%02X", c);
    }
    tl_buf_dispose(&text);
    return tl_take_string(x, &escaped, out);
}

const tl_function tl_functions_builtin[] = {
    {"and", "vv*", fn_last},      {"or", "vv*", fn_last},         {"not", "v", fn_not},
    {"eq", "vv*", fn_eq},         {"ne", "vv", fn_ne},            {"lt", "vv", fn_lt},
    {"le", "vv", fn_le},          {"gt", "vv", fn_gt},            {"ge", "vv", fn_ge},
    {"index", "vv*", fn_index},   {"len", "v", fn_len},           {"call", "vv*", fn_call},
    {"print", "a*", fn_print},    {"println", "a*", fn_println},  {"printf", "sa*", fn_printf},
    {"html", "a*", fn_html},      {"js", "a*", fn_js},            {"urlquery", "a*", fn_urlquery},
    {NULL, NULL, NULL}};
