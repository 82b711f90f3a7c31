/* Functions of text/template that Sprig's replace in helm's templates. */
#include "template/internal.h"

static int index_of(tl_exec *x, tl_value index, size_t limit, size_t *out)
{
    index = tl_unboxed(index);
    if (index.type == TL_NULL) return tl_fail(x, "cannot index slice/array with nil");
    if (index.type != TL_INT) return tl_fail(x, "cannot index slice/array with type %s", tl_go_type(index));
    if (index.as.i < 0 || (uint64_t)index.as.i > limit)
        return tl_fail(x, "index out of range: %lld", (long long)index.as.i);
    *out = (size_t)index.as.i;
    return 0;
}

static tl_value part(tl_exec *x, tl_value item, size_t from, size_t to)
{
    if (item.type == TL_STRING) return tl_string_ref(item.as.s + from, to - from);
    if (item.type == TL_BYTES) {
        item.as.s += from;
        item.len = (uint32_t)(to - from);
        return item;
    }
    tl_list *list = tl_list_new(x->arena, to - from);
    for (size_t i = from; i < to; i++) tl_list_push(x->arena, list, item.as.list->items[i]);
    return tl_as_go(tl_list_value(list), (tl_go)(item.go & ~TL_BOXED));
}

TL_FUNCTION(fn_slice)
{
    tl_value item = tl_content(args[0]);
    if (item.type == TL_NULL) return tl_fail(x, "slice of untyped nil");
    if (count > 4) return tl_fail(x, "too many slice indexes: %zu", count - 1);
    if (item.type != TL_STRING && item.type != TL_LIST && item.type != TL_BYTES)
        return tl_fail(x, "can't slice item of type %s", tl_go_type(args[0]));
    if (item.type == TL_STRING && count == 4) return tl_fail(x, "cannot 3-index slice a string");
    size_t length = item.type == TL_LIST ? item.as.list->len : item.len, at[3] = {0, length, length};
    for (size_t i = 0; i + 1 < count; i++)
        if (index_of(x, args[i + 1], length, &at[i])) return -1;
    if (at[0] > at[1]) return tl_fail(x, "invalid slice index: %zu > %zu", at[0], at[1]);
    if (count == 4 && at[1] > at[2]) return tl_fail(x, "invalid slice index: %zu > %zu", at[1], at[2]);
    *out = part(x, item, at[0], at[1]);
    return 0;
}

const tl_function tl_functions_go[] = {{"slice", "vv*", fn_slice}, {NULL, NULL, NULL}};
