/* Functions on lists. */
#include <stdlib.h>
#include <string.h>

#include "template/internal.h"

#define NIL_PANIC "runtime error: invalid memory address or nil pointer dereference"

/* The items of a list-like value; `what` starts the error of other types ("Cannot push on type"). */
static int items_of(tl_exec *x, tl_value value, const char *what, tl_value *list)
{
    *list = tl_content(value);
    if (list->type == TL_LIST) return 0;
    if (value.type == TL_NULL) return tl_fail(x, NIL_PANIC);
    if (list->type != TL_BYTES) return tl_fail(x, "%s %s", what, tl_go_kind(value));
    tl_list *numbers = tl_list_new(x->arena, list->len);
    for (size_t i = 0; i < list->len; i++) tl_list_push(x->arena, numbers, tl_item(*list, i));
    *list = tl_list_value(numbers);
    return 0;
}

static tl_list *copy_range(tl_exec *x, const tl_list *list, size_t from, size_t to, size_t room)
{
    tl_list *copy = tl_list_new(x->arena, to - from + room);
    if (to > from) memcpy(copy->items, list->items + from, (to - from) * sizeof *copy->items);
    copy->len = to - from;
    return copy;
}

TL_FUNCTION(fn_list)
{
    tl_list *list = tl_list_new(x->arena, count);
    for (size_t i = 0; i < count; i++) tl_list_push(x->arena, list, args[i]);
    *out = tl_list_value(list);
    return 0;
}

TL_FUNCTION(fn_append)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot push on type", &list)) return -1;
    tl_list *made = copy_range(x, list.as.list, 0, list.as.list->len, 1);
    tl_list_push(x->arena, made, args[1]);
    *out = tl_list_value(made);
    return 0;
}

TL_FUNCTION(fn_prepend)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot prepend on type", &list)) return -1;
    tl_list *made = tl_list_new(x->arena, list.as.list->len + 1);
    tl_list_push(x->arena, made, args[1]);
    for (size_t i = 0; i < list.as.list->len; i++) tl_list_push(x->arena, made, list.as.list->items[i]);
    *out = tl_list_value(made);
    return 0;
}

TL_FUNCTION(fn_first)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot find first on type", &list)) return -1;
    *out = list.as.list->len ? list.as.list->items[0] : tl_null();
    return 0;
}

TL_FUNCTION(fn_last)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot find last on type", &list)) return -1;
    *out = list.as.list->len ? list.as.list->items[list.as.list->len - 1] : tl_null();
    return 0;
}

TL_FUNCTION(fn_rest)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot find rest on type", &list)) return -1;
    size_t length = list.as.list->len;
    *out = tl_list_value(copy_range(x, list.as.list, length ? 1 : 0, length, 0));
    out->as.list->nil = !length;
    return 0;
}

TL_FUNCTION(fn_initial)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot find initial on type", &list)) return -1;
    size_t length = list.as.list->len;
    *out = tl_list_value(copy_range(x, list.as.list, 0, length ? length - 1 : 0, 0));
    out->as.list->nil = !length;
    return 0;
}

TL_FUNCTION(fn_reverse)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot find reverse on type", &list)) return -1;
    tl_list *made = tl_list_new(x->arena, list.as.list->len);
    for (size_t i = list.as.list->len; i-- > 0;) tl_list_push(x->arena, made, list.as.list->items[i]);
    *out = tl_list_value(made);
    return 0;
}

TL_FUNCTION(fn_compact)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot compact on type", &list)) return -1;
    tl_list *made = tl_list_new(x->arena, list.as.list->len);
    for (size_t i = 0; i < list.as.list->len; i++)
        if (!tl_empty(list.as.list->items[i])) tl_list_push(x->arena, made, list.as.list->items[i]);
    *out = tl_list_value(made);
    return 0;
}

/* -1 where a bound of the render is met. */
static int in_list(tl_exec *x, const tl_value *items, size_t count, tl_value wanted)
{
    if (tl_spend(x, count / 64)) return -1;
    for (size_t i = 0; i < count; i++)
        if (tl_deep_equal(x, items[i], wanted)) return 1;
    return 0;
}

TL_FUNCTION(fn_uniq)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot find uniq on type", &list)) return -1;
    tl_list *made = tl_list_new(x->arena, list.as.list->len);
    for (size_t i = 0; i < list.as.list->len; i++) {
        tl_value item = list.as.list->items[i];
        int found = in_list(x, made->items, made->len, item);
        if (found < 0) return -1;
        if (!found) tl_list_push(x->arena, made, item);
    }
    *out = tl_list_value(made);
    return 0;
}

TL_FUNCTION(fn_without)
{
    tl_value list;
    if (items_of(x, args[0], "Cannot find without on type", &list)) return -1;
    tl_list *made = tl_list_new(x->arena, list.as.list->len);
    for (size_t i = 0; i < list.as.list->len; i++) {
        tl_value item = list.as.list->items[i];
        int found = in_list(x, args + 1, count - 1, item);
        if (found < 0) return -1;
        if (!found) tl_list_push(x->arena, made, item);
    }
    *out = tl_list_value(made);
    return 0;
}

TL_FUNCTION(fn_has)
{
    tl_value list;
    *out = tl_bool(0);
    if (args[1].type == TL_NULL) return 0;
    if (items_of(x, args[1], "Cannot find has on type", &list)) return -1;
    int found = in_list(x, list.as.list->items, list.as.list->len, args[0]);
    *out = tl_bool(found == 1);
    return found < 0 ? -1 : 0;
}

TL_FUNCTION(fn_slice)
{
    tl_value list = tl_content(args[0]);
    if (list.type == TL_NULL) return tl_fail(x, NIL_PANIC);
    if (list.type != TL_LIST && list.type != TL_BYTES)
        return tl_fail(x, "list should be type of slice or array but %s", tl_go_kind(args[0]));
    int64_t length = list.type == TL_LIST ? (int64_t)list.as.list->len : (int64_t)list.len;
    *out = tl_null();
    if (!length) return 0;
    int64_t start = count > 1 ? tl_cast_int(args[1]) : 0, end = count > 2 ? tl_cast_int(args[2]) : length;
    if (start < 0 || end < start || end > length) return tl_fail(x, "reflect.Value.Slice: slice index out of bounds");
    *out = list;
    if (list.type == TL_BYTES) {
        out->as.s += start;
        out->len = (uint32_t)(end - start);
    } else {
        out->as.list = copy_range(x, list.as.list, (size_t)start, (size_t)end, 0);
    }
    return 0;
}

TL_FUNCTION(fn_concat)
{
    tl_list *made = tl_list_new(x->arena, 8);
    for (size_t i = 0; i < count; i++) {
        tl_value list = tl_content(args[i]);
        if (list.type == TL_NULL) return tl_fail(x, NIL_PANIC);
        if (list.type != TL_LIST && list.type != TL_BYTES)
            return tl_fail(x, "Cannot concat type %s as list", tl_go_kind(args[i]));
        if (items_of(x, args[i], "", &list)) return -1;
        if (made->len + list.as.list->len > TL_MAX_ITEMS) return tl_limit(x, "a list of more than %d items", TL_MAX_ITEMS);
        for (size_t k = 0; k < list.as.list->len; k++) tl_list_push(x->arena, made, list.as.list->items[k]);
    }
    made->nil = !made->len;
    *out = tl_list_value(made);
    return 0;
}

TL_FUNCTION(fn_chunk)
{
    tl_value list;
    if (items_of(x, args[1], "Cannot chunk type", &list)) return -1;
    int64_t size = args[0].as.i, length = (int64_t)list.as.list->len;
    tl_list *made = tl_list_new(x->arena, 4);
    *out = tl_as_go(tl_list_value(made), TL_GO_LISTS);
    if (size > 0 ? !length : size < -1 && length > 1 && size <= 1 - length) return 0;
    if (size < -1 && length == 1) size = 1; /* Sprig divides and takes the remainder, and makes one chunk of it */
    if (size <= 0) return tl_fail(x, "runtime error: makeslice: len out of range");
    for (int64_t from = 0; from < length; from += size) {
        int64_t to = from + size < length ? from + size : length;
        tl_list_push(x->arena, made, tl_list_value(copy_range(x, list.as.list, (size_t)from, (size_t)to, 0)));
    }
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    const tl_value *p = a, *q = b;
    int order = memcmp(p->as.s, q->as.s, p->len < q->len ? p->len : q->len);
    return order ? order : (p->len > q->len) - (p->len < q->len);
}

TL_FUNCTION(fn_sort_alpha)
{
    tl_value value = tl_content(args[0]);
    tl_list *list;
    if (value.type == TL_LIST || value.type == TL_BYTES) {
        if (tl_to_strings(x, value, &list)) return -1;
        qsort(list->items, list->len, sizeof *list->items, by_bytes);
    } else {
        tl_span span = tl_strval(x, args[0]);
        list = tl_list_new(x->arena, 1);
        tl_list_push(x->arena, list, tl_string_ref(span.s, span.len));
    }
    *out = tl_as_go(tl_list_value(list), TL_GO_STRINGS);
    return 0;
}

const tl_function tl_functions_list[] = {
    {"list", "a*", fn_list},         {"tuple", "a*", fn_list},          {"append", "aa", fn_append},
    {"push", "aa", fn_append},       {"mustAppend", "aa", fn_append},   {"mustPush", "aa", fn_append},
    {"prepend", "aa", fn_prepend},   {"mustPrepend", "aa", fn_prepend}, {"first", "a", fn_first},
    {"mustFirst", "a", fn_first},    {"last", "a", fn_last},            {"mustLast", "a", fn_last},
    {"rest", "a", fn_rest},          {"mustRest", "a", fn_rest},        {"initial", "a", fn_initial},
    {"mustInitial", "a", fn_initial}, {"reverse", "a", fn_reverse},     {"mustReverse", "a", fn_reverse},
    {"compact", "a", fn_compact},    {"mustCompact", "a", fn_compact},  {"uniq", "a", fn_uniq},
    {"mustUniq", "a", fn_uniq},      {"without", "aa*", fn_without},    {"mustWithout", "aa*", fn_without},
    {"has", "aa", fn_has},           {"mustHas", "aa", fn_has},         {"slice", "aa*", fn_slice},
    {"mustSlice", "aa*", fn_slice},  {"concat", "a*", fn_concat},       {"chunk", "ia", fn_chunk},
    {"mustChunk", "ia", fn_chunk},   {"sortAlpha", "a", fn_sort_alpha}, {NULL, NULL, NULL}};
