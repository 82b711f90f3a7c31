/* Patches from what was installed and what is there to what is wanted. A three-way strategic merge patch is computed in
 * one walk: what differs between live and target, without deletions, together with what the target dropped from the
 * original (k8s.io/apimachinery/pkg/util/strategicpatch computes the two apart and merges them). */
#include "chart/patch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 200

typedef struct differ {
    tl_arena *arena;
    const char *kind;
    int depth;
    tl_error *err;
} differ;

/* The same place in the three objects; NULL where an object does not have it. */
typedef struct trio {
    const tl_value *original, *target, *live;
} trio;

static tl_map *diff_maps(differ *d, trio maps, tl_patch_place place, int retain);

static const tl_value *field_of(const tl_value *value, const tl_entry *e)
{
    return value && value->type == TL_MAP ? tl_map_get(value->as.map, e->key, e->key_len) : NULL;
}

static int has_type(const tl_value *value, tl_type type)
{
    return value && value->type == type;
}

static void set_field(differ *d, tl_map *patch, const char *prefix, const tl_entry *e, tl_value value)
{
    tl_map_sets(patch, tl_arena_printf(d->arena, "%s%s", prefix, e->key), value);
}

/* Scalars are told apart by their printed form, as Go's %v gives it. */
static int compare_scalars(tl_value a, tl_value b)
{
    char left[32], right[32];
    const char *x = a.as.s, *y = b.as.s;
    size_t n = a.len, m = b.len;
    if (a.type != TL_STRING) n = (size_t)snprintf(left, sizeof left, "%lld", (long long)a.as.i), x = left;
    if (b.type != TL_STRING) m = (size_t)snprintf(right, sizeof right, "%lld", (long long)b.as.i), y = right;
    int order = memcmp(x, y, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static int by_scalar(const void *a, const void *b)
{
    return compare_scalars(*(const tl_value *)a, *(const tl_value *)b);
}

static int has_scalar(const tl_list *list, tl_value wanted)
{
    for (size_t i = 0; list && i < list->len; i++)
        if (list->items[i].type == wanted.type && !compare_scalars(list->items[i], wanted)) return 1;
    return 0;
}

static const tl_list *list_of(const tl_value *value)
{
    return has_type(value, TL_LIST) ? value->as.list : NULL;
}

/* A list of scalars that is merged (finalizers). */
static void diff_scalars(differ *d, tl_map *patch, const tl_entry *e, trio lists)
{
    const tl_list *original = list_of(lists.original), *target = list_of(lists.target), *live = list_of(lists.live);
    tl_list *added = tl_list_new(d->arena, target->len), *removed = tl_list_new(d->arena, 2);
    int differs = live && live->len && !tl_value_equal(*lists.live, *lists.target);
    for (size_t i = 0; i < target->len; i++)
        if (!has_scalar(live, target->items[i])) tl_list_push(d->arena, added, target->items[i]);
    for (size_t i = 0; original && i < original->len; i++)
        if (!has_scalar(target, original->items[i]) && !has_scalar(removed, original->items[i]))
            tl_list_push(d->arena, removed, original->items[i]);
    if (removed->len) qsort(removed->items, removed->len, sizeof *removed->items, by_scalar);
    if (added->len) set_field(d, patch, "", e, tl_list_value(added));
    if (removed->len) set_field(d, patch, "$deleteFromPrimitiveList/", e, tl_list_value(removed));
    if ((removed->len || differs) && target->len) set_field(d, patch, "$setElementOrder/", e, *lists.target);
}

static const tl_value *find_element(const tl_list *list, const char *key, const tl_value *identity)
{
    for (size_t i = 0; list && i < list->len; i++) {
        if (list->items[i].type != TL_MAP) continue;
        const tl_value *found = tl_map_gets(list->items[i].as.map, key);
        if (found && tl_value_equal(*found, *identity)) return &list->items[i];
    }
    return NULL;
}

/* The identity of an element; an error where it has none, as the API would refuse it. */
static const tl_value *identity_of(differ *d, tl_value element, const char *key)
{
    const tl_value *found = element.type == TL_MAP ? tl_map_gets(element.as.map, key) : NULL;
    if (!found) tl_error_set(d->err, "chart", "map: an element of a list has no %s, by which its elements are merged",
                             key);
    return found;
}

/* Elements of the original that the target dropped, in the order of their identities. */
static int add_deletions(differ *d, tl_list *out, trio lists, const char *key)
{
    const tl_list *original = list_of(lists.original), *target = list_of(lists.target);
    size_t count = 0;
    if (!original || !original->len) return 0;
    tl_value *gone = tl_arena_alloc(d->arena, original->len * sizeof *gone);
    for (size_t i = 0; i < original->len; i++) {
        const tl_value *identity = identity_of(d, original->items[i], key);
        if (!identity) return -1;
        if (!find_element(target, key, identity)) gone[count++] = *identity;
    }
    qsort(gone, count, sizeof *gone, by_scalar);
    for (size_t i = 0; i < count; i++) {
        tl_map *directive = tl_map_new(d->arena, 2);
        tl_map_sets(directive, "$patch", tl_cstring_ref("delete"));
        tl_map_sets(directive, key, gone[i]);
        tl_list_push(d->arena, out, tl_map_value(directive));
    }
    return 0;
}

static int same_order(const tl_list *live, const tl_list *target, const char *key)
{
    if (!live || live->len != target->len) return 0;
    for (size_t i = 0; i < target->len; i++) {
        const tl_value *identity = tl_map_gets(target->items[i].as.map, key);
        if (find_element(live, key, identity) != &live->items[i]) return 0;
    }
    return 1;
}

static tl_value element_order(differ *d, const tl_list *target, const char *key)
{
    tl_list *order = tl_list_new(d->arena, target->len);
    for (size_t i = 0; i < target->len; i++) {
        tl_map *identity = tl_map_new(d->arena, 1);
        tl_map_sets(identity, key, *tl_map_gets(target->items[i].as.map, key));
        tl_list_push(d->arena, order, tl_map_value(identity));
    }
    return tl_list_value(order);
}

/* Whether the target dropped something of the original: then even what the cluster does not have yet is ordered. */
static int drops_parts(differ *d, trio maps, tl_patch_place place)
{
    tl_map *changes = diff_maps(d, (trio){maps.original, maps.target, maps.target}, place, 0);
    return changes && changes->count > 0;
}

static int diff_element(differ *d, tl_list *out, trio element, tl_patch_field field, const tl_value *identity)
{
    if (!element.original && !element.live) {
        tl_list_push(d->arena, out, *element.target);
        return 0;
    }
    tl_map *changes = diff_maps(d, element, field.next, field.retain_keys);
    if (!changes) return -1;
    if (!changes->count) return 0;
    tl_map_sets(changes, field.key, *identity);
    tl_list_push(d->arena, out, tl_map_value(changes));
    return 0;
}

/* A list of maps that is merged by the identity of its elements. */
static int diff_elements(differ *d, tl_map *patch, const tl_entry *e, trio lists, tl_patch_field field)
{
    const tl_list *target = list_of(lists.target), *live = list_of(lists.live), *original = list_of(lists.original);
    tl_list *out = tl_list_new(d->arena, target->len);
    int live_known = live && live->len, dropped = 0;
    for (size_t i = 0; i < target->len; i++) {
        const tl_value *identity = identity_of(d, target->items[i], field.key);
        if (!identity) return -1;
        trio element = {find_element(original, field.key, identity), &target->items[i],
                        find_element(live, field.key, identity)};
        if (diff_element(d, out, element, field, identity)) return -1;
        if (!live_known && !dropped && element.original) dropped = drops_parts(d, element, field.next);
    }
    size_t changed = out->len;
    if (add_deletions(d, out, lists, field.key)) return -1;
    dropped = dropped || out->len > changed;
    if (out->len) set_field(d, patch, "", e, tl_list_value(out));
    if (!target->len) return 0;
    if (live_known ? out->len || !same_order(live, target, field.key) : dropped)
        set_field(d, patch, "$setElementOrder/", e, element_order(d, target, field.key));
    return 0;
}

static int diff_list(differ *d, tl_map *patch, const tl_entry *e, trio lists, tl_patch_field field)
{
    if (field.merge && field.key) return diff_elements(d, patch, e, lists, field);
    if (field.merge)
        diff_scalars(d, patch, e, lists);
    else if (!lists.live || !tl_value_equal(*lists.live, *lists.target))
        set_field(d, patch, "", e, *lists.target);
    return 0;
}

static int diff_field(differ *d, tl_map *patch, const tl_entry *e, trio values, tl_patch_place place)
{
    tl_patch_field field = tl_patch_lookup(place, d->kind, e->key);
    int is_new = !values.live || values.live->type != values.target->type;
    if (values.target->type == TL_MAP && !field.replace && (has_type(values.original, TL_MAP) || !is_new)) {
        tl_map *changes = diff_maps(d, values, field.next, field.retain_keys);
        if (!changes) return -1;
        if (changes->count || is_new) set_field(d, patch, "", e, tl_map_value(changes));
        return 0;
    }
    if (values.target->type == TL_LIST && (has_type(values.original, TL_LIST) || !is_new)) {
        if (diff_list(d, patch, e, (trio){values.original, values.target, is_new ? NULL : values.live},
                      field)) return -1;
        if (is_new && !tl_map_get(patch, e->key, e->key_len)) set_field(d, patch, "", e, *values.target);
        return 0;
    }
    if (is_new || !tl_value_equal(*values.live, *values.target)) set_field(d, patch, "", e, *values.target);
    return 0;
}

static int has_more(const tl_value *value, const tl_map *target)
{
    uint32_t cursor = 0;
    if (!has_type(value, TL_MAP)) return 0;
    for (tl_entry *e; (e = tl_map_next(value->as.map, &cursor));)
        if (e->value.type != TL_NULL && !tl_map_get(target, e->key, e->key_len)) return 1;
    return 0;
}

/* $retainKeys: the keys of a union that stay, so that the server clears the others. */
static void add_retained(differ *d, tl_map *patch, trio maps, tl_patch_place place)
{
    tl_list *keys = tl_list_new(d->arena, maps.target->as.map->count);
    tl_entry **sorted = tl_map_sorted(maps.target->as.map, d->arena);
    if (has_type(maps.live, TL_MAP) ? !patch->count && !has_more(maps.live, maps.target->as.map)
                                    : !drops_parts(d, maps, place))
        return;
    for (; *sorted; sorted++)
        if ((*sorted)->value.type != TL_NULL)
            tl_list_push(d->arena, keys, tl_string_ref((*sorted)->key, (*sorted)->key_len));
    if (keys->len) tl_map_sets(patch, "$retainKeys", tl_list_value(keys));
}

/* What brings `live` to `target`; an empty map for nothing, NULL for an error. */
static tl_map *diff_maps(differ *d, trio maps, tl_patch_place place, int retain)
{
    tl_map *patch = tl_map_new(d->arena, 4), *target = maps.target->as.map;
    uint32_t cursor = 0;
    if (++d->depth > MAX_DEPTH) {
        tl_error_set(d->err, "limit", "the object is nested more than %d deep", MAX_DEPTH);
        return NULL;
    }
    for (tl_entry *e; (e = tl_map_next(target, &cursor));)
        if (diff_field(d, patch, e, (trio){field_of(maps.original, e), &e->value, field_of(maps.live, e)}, place))
            return NULL;
    cursor = 0;
    if (has_type(maps.original, TL_MAP))
        for (tl_entry *e; (e = tl_map_next(maps.original->as.map, &cursor));)
            if (!tl_map_get(target, e->key, e->key_len)) tl_map_set(patch, e->key, e->key_len, tl_null());
    if (retain) add_retained(d, patch, maps, place);
    d->depth--;
    return patch;
}

/* RFC 7386, from original to target (jsonpatch.CreateMergePatch). */
static tl_map *merge_patch(tl_arena *arena, const tl_map *original, const tl_map *target)
{
    tl_map *patch = tl_map_new(arena, 4);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(target, &cursor));) {
        const tl_value *before = tl_map_get(original, e->key, e->key_len);
        if (before && before->type == TL_MAP && e->value.type == TL_MAP) {
            tl_map *inner = merge_patch(arena, before->as.map, e->value.as.map);
            if (inner->count) tl_map_set(patch, e->key, e->key_len, tl_map_value(inner));
        } else if (!before || !tl_value_equal(*before, e->value)) {
            tl_map_set(patch, e->key, e->key_len, e->value);
        }
    }
    cursor = 0;
    for (tl_entry *e; original && (e = tl_map_next(original, &cursor));)
        if (!tl_map_get(target, e->key, e->key_len)) tl_map_set(patch, e->key, e->key_len, tl_null());
    return patch;
}

int tl_patch_create(tl_value *out, tl_patch_type *type, tl_arena *arena, tl_value original, tl_value target,
                    tl_value live,
                    tl_error *err)
{
    if (target.type != TL_MAP) return tl_error_set(err, "usage", "the target of a patch must be an object");
    const char *version = tl_value_text(arena, tl_map_gets(target.as.map, "apiVersion"), "");
    const char *kind = tl_value_text(arena, tl_map_gets(target.as.map, "kind"), "");
    if (!tl_patch_known_group(version)) {
        *type = TL_PATCH_MERGE;
        *out = tl_map_value(merge_patch(arena, original.type == TL_MAP ? original.as.map : NULL, target.as.map));
        return 0;
    }
    differ d = {arena, kind, 0, err};
    tl_map *patch = diff_maps(&d, (trio){&original, &target, &live}, TL_PLACE_OBJECT, 0);
    if (!patch) return -1;
    *type = TL_PATCH_STRATEGIC;
    *out = tl_map_value(patch);
    return 0;
}
