/* Functions on maps. Maps are shared references: set, unset and merge change the map they are given. */
#include <string.h>

#include "template/internal.h"

/* Of values that one call copies or merges. */
#define MAX_NODES 10000000

static tl_map *map_of(tl_value value)
{
    return value.type == TL_MAP ? value.as.map : NULL;
}

static tl_value plain_map(tl_map *map)
{
    return tl_map_value(map);
}

TL_FUNCTION(fn_dict)
{
    tl_map *map = tl_map_new(x->arena, (count + 1) / 2);
    for (size_t i = 0; i < count; i += 2) {
        tl_span key = tl_strval(x, args[i]);
        tl_map_set(map, key.s, key.len, i + 1 < count ? args[i + 1] : tl_cstring_ref(""));
    }
    *out = plain_map(map);
    return 0;
}

TL_FUNCTION(fn_get)
{
    const tl_value *found = tl_map_get(map_of(args[0]), args[1].as.s, args[1].len);
    *out = found ? *found : tl_cstring_ref("");
    return 0;
}

TL_FUNCTION(fn_set)
{
    tl_map *map = map_of(args[0]);
    if (!map || map->nil) return tl_fail(x, "assignment to entry in nil map");
    tl_map_set(map, args[1].as.s, args[1].len, args[2]);
    *out = plain_map(map);
    return 0;
}

TL_FUNCTION(fn_unset)
{
    tl_map *map = map_of(args[0]);
    if (map) tl_map_delete(map, args[1].as.s, args[1].len);
    *out = plain_map(map ? map : tl_map_new(x->arena, 0));
    return 0;
}

TL_FUNCTION(fn_has_key)
{
    *out = tl_bool(tl_map_get(map_of(args[0]), args[1].as.s, args[1].len) != NULL);
    return 0;
}

TL_FUNCTION(fn_pluck)
{
    tl_list *list = tl_list_new(x->arena, count);
    for (size_t i = 1; i < count; i++) {
        const tl_value *found = tl_map_get(map_of(args[i]), args[0].as.s, args[0].len);
        if (found) tl_list_push(x->arena, list, *found);
    }
    *out = tl_list_value(list);
    return 0;
}

/* Go's order is random; ours is sorted, one map after the other. */
TL_FUNCTION(fn_keys)
{
    tl_list *list = tl_list_new(x->arena, 4);
    for (size_t i = 0; i < count; i++) {
        tl_map *map = map_of(args[i]);
        if (!map) continue;
        tl_entry **sorted = tl_map_sorted(map, x->arena);
        for (uint32_t k = 0; k < map->count; k++)
            tl_list_push(x->arena, list, tl_string_ref(sorted[k]->key, sorted[k]->key_len));
    }
    *out = tl_as_go(tl_list_value(list), TL_GO_STRINGS);
    return 0;
}

TL_FUNCTION(fn_values)
{
    tl_map *map = map_of(args[0]);
    tl_list *list = tl_list_new(x->arena, map ? map->count : 0);
    tl_entry **sorted = map ? tl_map_sorted(map, x->arena) : NULL;
    for (uint32_t k = 0; map && k < map->count; k++) tl_list_push(x->arena, list, sorted[k]->value);
    *out = tl_list_value(list);
    return 0;
}

TL_FUNCTION(fn_pick)
{
    tl_map *made = tl_map_new(x->arena, count);
    for (size_t i = 1; i < count; i++) {
        const tl_value *found = tl_map_get(map_of(args[0]), args[i].as.s, args[i].len);
        if (found) tl_map_set(made, args[i].as.s, args[i].len, *found);
    }
    *out = plain_map(made);
    return 0;
}

TL_FUNCTION(fn_omit)
{
    tl_map *map = map_of(args[0]), *made = tl_map_new(x->arena, map ? map->count : 0);
    uint32_t cursor = 0;
    for (tl_entry *e; map && (e = tl_map_next(map, &cursor));) {
        int omitted = 0;
        for (size_t i = 1; i < count && !omitted; i++)
            omitted = args[i].len == e->key_len && !memcmp(args[i].as.s, e->key, e->key_len);
        if (!omitted) tl_map_set(made, e->key, e->key_len, e->value);
    }
    *out = plain_map(made);
    return 0;
}

/* ---- merge, as mergo merges map[string]interface{} ---- */

typedef struct merging {
    int overwrite, depth, left; /* keys that may be looked at: maps within may be shared */
} merging;

static void merge_into(merging *m, tl_map *into, const tl_map *from);

static void merge_key(merging *m, tl_map *into, const tl_entry *e)
{
    int overwrite = m->overwrite;
    tl_value *there = tl_map_get(into, e->key, e->key_len);
    if (e->value.type == TL_NULL) {
        if (overwrite) tl_map_set(into, e->key, e->key_len, e->value);
        return;
    }
    int from_map = e->value.type == TL_MAP, from_list = e->value.type == TL_LIST || e->value.type == TL_BYTES;
    if (from_map && there && there->type == TL_MAP) {
        merge_into(m, there->as.map, e->value.as.map);
        there = tl_map_get(into, e->key, e->key_len);
    }
    if (from_list && overwrite) {
        tl_map_set(into, e->key, e->key_len, e->value);
        return;
    }
    if (there && !tl_empty(*there) && (from_list || (from_map && there->type == TL_MAP))) return;
    if (overwrite || !there || tl_empty(*there)) tl_map_set(into, e->key, e->key_len, e->value);
}

static void merge_into(merging *m, tl_map *into, const tl_map *from)
{
    if (into == from || m->depth > 1000) return;
    uint32_t cursor = 0;
    m->depth++;
    for (tl_entry *e; m->left-- > 0 && (e = tl_map_next(from, &cursor));) merge_key(m, into, e);
    m->depth--;
}

static int merge(tl_exec *x, const tl_value *args, size_t count, int overwrite, tl_value *out)
{
    tl_map *map = map_of(args[0]);
    if (!map) {
        map = tl_map_new(x->arena, 0);
        map->nil = count == 1;
    }
    merging m = {overwrite, 0, MAX_NODES};
    for (size_t i = 1; i < count; i++)
        if (map_of(args[i])) merge_into(&m, map, args[i].as.map);
    *out = plain_map(map);
    return m.left < 0 ? tl_limit(x, "maps too large to merge") : 0;
}

TL_FUNCTION(fn_merge)
{
    return merge(x, args, count, 0, out);
}

TL_FUNCTION(fn_merge_overwrite)
{
    return merge(x, args, count, 1, out);
}

/* A map that holds itself cannot be copied, nor what is too large because it holds others more than once. */
static int copyable(tl_value value, int depth, int *left)
{
    if (depth > 1000 || --*left < 0) return 0;
    if (value.type == TL_LIST)
        for (size_t i = 0; i < value.as.list->len; i++)
            if (!copyable(value.as.list->items[i], depth + 1, left)) return 0;
    uint32_t cursor = 0;
    if (value.type == TL_MAP)
        for (tl_entry *e; (e = tl_map_next(value.as.map, &cursor));)
            if (!copyable(e->value, depth + 1, left)) return 0;
    return 1;
}

TL_FUNCTION(fn_deep_copy)
{
    if (args[0].type == TL_NULL) return tl_fail(x, "reflect: call of reflect.Value.Type on zero Value");
    int left = MAX_NODES;
    if (!copyable(args[0], 0, &left)) return tl_limit(x, "a value too large or nested too deeply cannot be copied");
    *out = tl_semver_copy(x->arena, tl_value_fork(x->arena, args[0]));
    return 0;
}

static int not_type(tl_exec *x, tl_value value, const char *wanted)
{
    const char *type = value.type == TL_NULL ? "nil" : tl_go_type(value);
    return tl_fail(x, "interface conversion: interface {} is %s, not %s", type, wanted);
}

static int plain_map_type(tl_value value)
{
    return value.type == TL_MAP && value.go == TL_GO_DEFAULT;
}

TL_FUNCTION(fn_dig)
{
    if (count < 3) return tl_fail(x, "dig needs at least three arguments");
    tl_value dict = args[count - 1];
    if (!plain_map_type(dict)) return not_type(x, dict, "map[string]interface {}");
    for (size_t i = 0; i + 2 < count; i++)
        if (args[i].type != TL_STRING) return not_type(x, args[i], "string");
    for (size_t i = 0; i + 2 < count; i++) {
        const tl_value *step = tl_map_get(dict.as.map, args[i].as.s, args[i].len);
        if (!step) {
            *out = args[count - 2];
            return 0;
        }
        *out = *step;
        if (i + 3 < count && !plain_map_type(*step)) return not_type(x, *step, "map[string]interface {}");
        dict = *step;
    }
    return 0;
}

const tl_function tl_functions_dict[] = {
    {"dict", "a*", fn_dict},
    {"get", "ms", fn_get},
    {"set", "msa", fn_set},
    {"unset", "ms", fn_unset},
    {"hasKey", "ms", fn_has_key},
    {"pluck", "sm*", fn_pluck},
    {"keys", "m*", fn_keys},
    {"values", "m", fn_values},
    {"pick", "ms*", fn_pick},
    {"omit", "ms*", fn_omit},
    {"merge", "mm*", fn_merge},
    {"mustMerge", "mm*", fn_merge},
    {"mergeOverwrite", "mm*", fn_merge_overwrite},
    {"mustMergeOverwrite", "mm*", fn_merge_overwrite},
    {"deepCopy", "a", fn_deep_copy},
    {"mustDeepCopy", "a", fn_deep_copy},
    {"dig", "a*", fn_dig},
    {NULL, NULL, NULL}};
