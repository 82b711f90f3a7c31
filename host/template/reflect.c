/* Values as Go's reflection sees them: types, kinds, truth, items, deep equality. */
#include <string.h>

#include "template/complex.h"
#include "template/internal.h"

#define MAX_DEPTH 10000 /* of values that are compared */

static const char *int_type(tl_value value)
{
    switch ((tl_go)(value.go & ~TL_BOXED)) {
    case TL_GO_INT: return "int";
    case TL_GO_INT32:
    case TL_GO_RUNE: return "int32";
    case TL_GO_UINT: return "uint";
    case TL_GO_UINT8: return "uint8";
    case TL_GO_UINT32: return "uint32";
    case TL_GO_UINT64: return "uint64";
    case TL_GO_DURATION: return "time.Duration";
    case TL_GO_MONTH: return "time.Month";
    case TL_GO_WEEKDAY: return "time.Weekday";
    default: return "int64";
    }
}

static const char *list_type(tl_value value)
{
    switch ((tl_go)(value.go & ~TL_BOXED)) {
    case TL_GO_STRINGS: return "[]string";
    case TL_GO_INTS: return "[]int";
    case TL_GO_MAPS: return "[]map[string]interface {}";
    case TL_GO_LISTS: return "[][]interface {}";
    default: return "[]interface {}";
    }
}

static const char *map_type(tl_value value)
{
    switch ((tl_go)(value.go & ~TL_BOXED)) {
    case TL_GO_STRING_MAP: return "map[string]string";
    case TL_GO_NAMED_MAP: return "chartutil.Values";
    case TL_GO_BOOL_MAP: return "map[string]bool";
    default: return "map[string]interface {}";
    }
}

const char *tl_go_type(tl_value value)
{
    switch ((tl_type)value.type) {
    case TL_BOOL: return "bool";
    case TL_INT: return int_type(value);
    case TL_FLOAT: return (value.go & ~TL_BOXED) == TL_GO_FLOAT32 ? "float32" : "float64";
    case TL_STRING: return "string";
    case TL_BYTES: return "[]uint8";
    case TL_LIST: return list_type(value);
    case TL_MAP: return map_type(value);
    case TL_OBJECT: return value.as.object->type->go_name;
    default: return "<nil>";
    }
}

const char *tl_go_static_type(tl_value value)
{
    return value.go & TL_BOXED ? "interface {}" : tl_go_type(value);
}

const char *tl_go_kind(tl_value value)
{
    switch ((tl_type)value.type) {
    case TL_NULL: return "invalid";
    case TL_INT: {
        tl_object named;
        if (!tl_named_int(&named, value)) return int_type(value);
        return (value.go & ~TL_BOXED) == TL_GO_DURATION ? "int64" : "int";
    }
    case TL_BYTES:
    case TL_LIST: return "slice";
    case TL_MAP: return "map";
    case TL_OBJECT: {
        static const char *const kinds[] = {"struct", "ptr", "complex128", "map", "slice"};
        return kinds[value.as.object->type->kind];
    }
    default: return tl_go_type(value);
    }
}

tl_value tl_content(tl_value value)
{
    value = tl_unboxed(value);
    if (value.type != TL_OBJECT || value.as.object->type->kind < TL_KIND_MAP) return value;
    return tl_object_content(value.as.object);
}

int tl_truth(tl_value value)
{
    value = tl_content(value);
    switch ((tl_type)value.type) {
    case TL_BOOL: return value.as.b;
    case TL_INT: return value.as.i != 0;
    case TL_FLOAT: return value.as.d != 0;
    case TL_STRING:
    case TL_BYTES: return value.len > 0;
    case TL_LIST: return value.as.list->len > 0;
    case TL_MAP: return value.as.map->count > 0;
    case TL_OBJECT: {
        const tl_complex *number = tl_complex_of(value);
        return !number || number->real != 0 || number->imaginary != 0;
    }
    default: return 0;
    }
}

int tl_empty(tl_value value)
{
    return !tl_truth(value);
}

tl_value tl_item(tl_value list, size_t position)
{
    if (list.type == TL_BYTES) return tl_as_go(tl_int((unsigned char)list.as.s[position]), TL_GO_UINT8);
    tl_value item = list.as.list->items[position];
    if ((list.go & ~TL_BOXED) == TL_GO_DEFAULT) item.go |= TL_BOXED;
    return item;
}

tl_value tl_map_item(tl_value map, const tl_value *found)
{
    tl_go go = (tl_go)(map.go & ~TL_BOXED);
    if (go == TL_GO_STRING_MAP) return found ? *found : tl_cstring_ref("");
    if (go == TL_GO_BOOL_MAP) return found ? *found : tl_bool(0);
    tl_value item = found ? *found : tl_null();
    item.go |= TL_BOXED;
    return item;
}

typedef struct comparing {
    tl_exec *x;
    int left, depth;
} comparing;

static int equal(comparing *c, tl_value a, tl_value b);

static int equal_maps(comparing *c, tl_map *a, tl_map *b)
{
    if (a == b) return 1;
    if (a->count != b->count) return 0;
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(a, &cursor));) {
        tl_value *other = tl_map_get(b, e->key, e->key_len);
        if (!other || !equal(c, e->value, *other)) return 0;
    }
    return 1;
}

static int equal_lists(comparing *c, tl_list *a, tl_list *b)
{
    if (a->len != b->len || a->nil != b->nil) return 0;
    for (size_t i = 0; i < a->len; i++)
        if (!equal(c, a->items[i], b->items[i])) return 0;
    return 1;
}

static int equal_parts(comparing *c, tl_value a, tl_value b)
{
    switch ((tl_type)a.type) {
    case TL_LIST: return equal_lists(c, a.as.list, b.as.list);
    case TL_MAP: return equal_maps(c, a.as.map, b.as.map);
    default:
        if (tl_complex_of(a) && tl_complex_of(b)) return tl_complex_equal(a, b);
        return a.as.object == b.as.object || (a.as.object->type == b.as.object->type && tl_object_content(a.as.object).type &&
                                              equal(c, tl_object_content(a.as.object), tl_object_content(b.as.object)));
    }
}

static int equal(comparing *c, tl_value a, tl_value b)
{
    a = tl_unboxed(a);
    b = tl_unboxed(b);
    if (a.type != b.type) return 0;
    if (a.type == TL_NULL) return 1;
    if (a.go != b.go && strcmp(tl_go_type(a), tl_go_type(b)) != 0) return 0;
    switch ((tl_type)a.type) {
    case TL_BOOL: return !a.as.b == !b.as.b;
    case TL_INT: return a.as.i == b.as.i;
    case TL_FLOAT: return a.as.d == b.as.d;
    case TL_STRING:
    case TL_BYTES: return a.len == b.len && (!a.len || !memcmp(a.as.s, b.as.s, a.len));
    default: break;
    }
    if (--c->left < 0 || c->depth == MAX_DEPTH) {
        tl_limit(c->x, "values too large to compare");
        return 0;
    }
    c->depth++;
    int same = equal_parts(c, a, b);
    c->depth--;
    return same;
}

int tl_deep_equal(tl_exec *x, tl_value a, tl_value b)
{
    comparing c = {x, TL_MAX_ITEMS, 0};
    return equal(&c, a, b);
}

size_t tl_edit_distance(const char *a, size_t a_length, const char *b, size_t b_length, size_t limit)
{
    size_t row[64];
    if (a_length >= 64 || b_length >= 64) return limit;
    for (size_t j = 0; j <= b_length; j++) row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j], same = (a[i - 1] | 32) == (b[j - 1] | 32) ? 0 : 1;
            size_t best = diagonal + same;
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_length] < limit ? row[b_length] : limit;
}

tl_value tl_make_string(tl_exec *x, const char *text, size_t length)
{
    return tl_string(x->arena, text, length);
}

tl_buf tl_text_buf(const tl_exec *x)
{
    tl_buf buf;
    tl_buf_init(&buf, x->render->options.max_output);
    return buf;
}

int tl_take_string(tl_exec *x, tl_buf *buf, tl_value *out)
{
    if (buf->over) {
        tl_buf_dispose(buf);
        return tl_limit(x, "a text in \"%s\" is too large", x->tmpl->source->name);
    }
    *out = tl_string(x->arena, buf->data, buf->len);
    tl_buf_dispose(buf);
    return 0;
}
