/* A strategic merge patch applied to an object (k8s.io/apimachinery/pkg/util/strategicpatch, StrategicMergePatch). */
#include "chart/patch.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 200

static const char ORDER[] = "$setElementOrder/", DELETIONS[] = "$deleteFromPrimitiveList/";

typedef struct applier {
    tl_arena *arena;
    const char *kind;
    int depth;
    tl_error *err;
} applier;

static tl_map *apply_map(applier *a, const tl_map *original, const tl_map *patch, tl_patch_place place);

static const char *directive_of(const tl_map *patch)
{
    const tl_value *value = tl_map_gets(patch, "$patch");
    return value && value->type == TL_STRING ? value->as.s : "";
}

static int is_directive(const tl_value *item, const char *name)
{
    return item->type == TL_MAP && strcmp(directive_of(item->as.map), name) == 0;
}

static const tl_value *identity_of(const tl_value *item, const char *key)
{
    return item->type == TL_MAP ? tl_map_gets(item->as.map, key) : NULL;
}

/* Where the list has an element of this identity (key NULL: that is equal); -1 where it has none. */
static long index_of(const tl_list *list, const tl_value *item, const char *key)
{
    const tl_value *wanted = key ? identity_of(item, key) : item;
    for (size_t i = 0; list && wanted && i < list->len; i++) {
        const tl_value *found = key ? identity_of(&list->items[i], key) : &list->items[i];
        if (found && tl_value_equal(*found, *wanted)) return (long)i;
    }
    return -1;
}

/* What stands in a patch for something new: its directives are no content. */
static tl_value plain(applier *a, tl_value value, tl_patch_place place)
{
    if (value.type != TL_MAP) return value;
    tl_map *map = apply_map(a, tl_map_new(a->arena, 1), value.as.map, place);
    return map ? tl_map_value(map) : tl_null();
}

/* The elements that the patch names, each merged with the original's, in the patch's order; others of the original are
 * left out. */
static tl_list *merged_elements(applier *a, const tl_list *original, const tl_list *patch, tl_patch_field field)
{
    tl_list *out = tl_list_new(a->arena, patch->len);
    for (size_t i = 0; i < patch->len; i++) {
        const tl_value *item = &patch->items[i];
        if (field.key && !identity_of(item, field.key)) {
            if (is_directive(item, "replace") || is_directive(item, "merge")) continue;
            tl_error_set(a->err, "usage", "map: %s does not contain declared merge key: %s", "an element of the patch",
                         field.key);
            return NULL;
        }
        if (is_directive(item, "delete")) continue;
        long at = index_of(original, item, field.key);
        tl_value merged = *item;
        if (item->type == TL_MAP && at >= 0) {
            tl_map *map = apply_map(a, original->items[at].as.map, item->as.map, field.next);
            if (!map) return NULL;
            merged = tl_map_value(map);
        } else {
            merged = plain(a, *item, field.next);
        }
        if (index_of(out, &merged, field.key) < 0) tl_list_push(a->arena, out, merged);
    }
    return out;
}

typedef struct ranked {
    tl_value value;
    long rank;
} ranked;

static int by_rank(const void *left, const void *right)
{
    long a = ((const ranked *)left)->rank, b = ((const ranked *)right)->rank;
    return (a > b) - (a < b);
}

/* Puts the patch's elements into the order that the patch gives, those without a place in it last. */
static void sort_by_order(applier *a, tl_list *list, const tl_list *order, const char *key)
{
    ranked *items = tl_arena_alloc(a->arena, (list->len + 1) * sizeof *items);
    for (size_t i = 0; i < list->len; i++) {
        long at = index_of(order, &list->items[i], key);
        items[i] = (ranked){list->items[i], at >= 0 ? at : (long)(order->len + i)};
    }
    qsort(items, list->len, sizeof *items, by_rank);
    for (size_t i = 0; i < list->len; i++) list->items[i] = items[i].value;
}

static int is_gone(const tl_list *patch, const tl_list *deletions, const tl_value *item, const char *key)
{
    if (deletions && index_of(deletions, item, NULL) >= 0) return 1;
    long at = patch && key ? index_of(patch, item, key) : -1;
    return at >= 0 && is_directive(&patch->items[at], "delete");
}

/* The original's other elements between those of the patch, by where they stood. */
static tl_list *interleave(applier *a, const tl_list *original, const tl_list *chosen, const tl_list *others,
                           const char *key)
{
    tl_list *out = tl_list_new(a->arena, chosen->len + others->len);
    size_t i = 0, j = 0;
    while (i < chosen->len || j < others->len) {
        long left = i < chosen->len ? index_of(original, &chosen->items[i], key) : -1;
        long right = j < others->len ? index_of(original, &others->items[j], key) : -1;
        int take_other = i == chosen->len || (j < others->len && left >= 0 && right < left);
        tl_list_push(a->arena, out, take_other ? others->items[j++] : chosen->items[i++]);
    }
    return out;
}

/* A list that is merged by its elements. `patch`, `order` and `deletions` may be NULL. */
static tl_list *apply_list(applier *a, const tl_list *original, const tl_list *patch, const tl_list *order,
                           const tl_list *deletions, tl_patch_field field)
{
    static const tl_list nothing = {0};
    if (!patch) patch = &nothing;
    for (size_t i = 0; i < patch->len; i++)
        if (is_directive(&patch->items[i], "replace")) return merged_elements(a, &nothing, patch, field);
    tl_list *chosen = merged_elements(a, original, patch, field), *others = tl_list_new(a->arena, 4);
    if (!chosen) return NULL;
    for (size_t i = 0; i < original->len; i++) {
        const tl_value *item = &original->items[i];
        if (is_gone(patch, deletions, item, field.key) || index_of(chosen, item, field.key) >= 0) continue;
        tl_list_push(a->arena, order && index_of(order, item, field.key) >= 0 ? chosen : others, *item);
    }
    if (order) sort_by_order(a, chosen, order, field.key);
    return interleave(a, original, chosen, others, field.key);
}

static const tl_list *list_at(const tl_map *map, tl_arena *arena, const char *prefix, const char *key)
{
    const tl_value *value = tl_map_gets(map, tl_arena_printf(arena, "%s%s", prefix, key));
    return value && value->type == TL_LIST ? value->as.list : NULL;
}

static int apply_list_field(applier *a, tl_map *out, const tl_map *patch, const char *key, tl_patch_field field)
{
    const tl_value *before = tl_map_gets(out, key);
    static const tl_list nothing = {0};
    const tl_list *original = before && before->type == TL_LIST ? before->as.list : &nothing;
    const tl_list *changes = list_at(patch, a->arena, "", key);
    if (!field.merge) {
        tl_map_sets(out, key, *tl_map_gets(patch, key));
        return 0;
    }
    tl_list *merged = apply_list(a, original, changes, list_at(patch, a->arena, ORDER, key),
                                 list_at(patch, a->arena, DELETIONS, key), field);
    if (!merged) return -1;
    tl_map_sets(out, key, tl_list_value(merged));
    return 0;
}

static int apply_field(applier *a, tl_map *out, const tl_map *patch, const tl_entry *e, tl_patch_place place)
{
    const char *key = e->key, *slash = strchr(key, '/');
    if (key[0] == '$') { /* a list of which only the order or deletions are given */
        if (!slash || tl_map_gets(patch, slash + 1)) return 0;
        return apply_list_field(a, out, patch, slash + 1, tl_patch_lookup(place, a->kind, slash + 1));
    }
    tl_patch_field field = tl_patch_lookup(place, a->kind, key);
    const tl_value *before = tl_map_gets(out, key);
    if (e->value.type == TL_NULL) {
        tl_map_delete(out, key, e->key_len);
    } else if (e->value.type == TL_LIST) {
        return apply_list_field(a, out, patch, key, field);
    } else if (e->value.type == TL_MAP && before && before->type == TL_MAP && !field.replace) {
        tl_map *map = apply_map(a, before->as.map, e->value.as.map, field.next);
        if (!map) return -1;
        tl_map_sets(out, key, tl_map_value(map));
    } else {
        tl_map_sets(out, key, plain(a, e->value, field.next));
    }
    return 0;
}

/* $retainKeys: all others go. */
static void retain(applier *a, tl_map *out, const tl_map *patch)
{
    const tl_list *keys = list_at(patch, a->arena, "", "$retainKeys");
    if (!keys) return;
    for (tl_entry **entry = tl_map_sorted(out, a->arena); *entry; entry++) {
        const tl_value name = tl_string_ref((*entry)->key, (*entry)->key_len);
        if (index_of(keys, &name, NULL) < 0) tl_map_delete(out, (*entry)->key, (*entry)->key_len);
    }
}

static tl_map *apply_map(applier *a, const tl_map *original, const tl_map *patch, tl_patch_place place)
{
    const char *directive = directive_of(patch);
    tl_map *out = tl_map_new(a->arena, original->count + 4);
    uint32_t cursor = 0;
    if (++a->depth > MAX_DEPTH) {
        tl_error_set(a->err, "limit", "the patch is nested more than %d deep", MAX_DEPTH);
        return NULL;
    }
    if (strcmp(directive, "replace") != 0 && strcmp(directive, "delete") != 0)
        for (tl_entry *e; (e = tl_map_next(original, &cursor));) tl_map_set(out, e->key, e->key_len, e->value);
    retain(a, out, patch);
    cursor = 0;
    if (strcmp(directive, "delete") != 0)
        for (tl_entry *e; (e = tl_map_next(patch, &cursor));)
            if (apply_field(a, out, patch, e, place)) return NULL;
    a->depth--;
    return out;
}

int tl_patch_apply(tl_value *out, tl_arena *arena, tl_value object, tl_value patch, tl_error *err)
{
    if (object.type != TL_MAP || patch.type != TL_MAP)
        return tl_error_set(err, "usage", "a strategic merge patch and what it changes must be objects");
    const char *version = tl_value_text(arena, tl_map_gets(object.as.map, "apiVersion"), "");
    if (!tl_patch_known_group(version))
        return tl_error_set(err, "usage", "strategic merge patch is not supported for %s, Kind=%s locally, try --type merge",
                            version, tl_value_text(arena, tl_map_gets(object.as.map, "kind"), ""));
    applier a = {arena, tl_value_text(arena, tl_map_gets(object.as.map, "kind"), ""), 0, err};
    tl_map *map = apply_map(&a, object.as.map, patch.as.map, TL_PLACE_OBJECT);
    if (!map) return -1;
    *out = tl_map_value(map);
    return 0;
}
