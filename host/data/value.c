/* The value tree. */
#include "data/value.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MAP 8

tl_value tl_null(void)
{
    return (tl_value){.type = TL_NULL};
}

tl_value tl_bool(int b)
{
    return (tl_value){.type = TL_BOOL, .as.b = !!b};
}

tl_value tl_int(int64_t i)
{
    return (tl_value){.type = TL_INT, .as.i = i};
}

tl_value tl_float(double d)
{
    return (tl_value){.type = TL_FLOAT, .as.d = d};
}

tl_value tl_string_ref(const char *text, size_t length)
{
    return (tl_value){.type = TL_STRING, .len = (uint32_t)length, .as.s = text};
}

tl_value tl_cstring_ref(const char *text)
{
    return tl_string_ref(text, strlen(text));
}

tl_value tl_string(tl_arena *arena, const char *text, size_t length)
{
    return tl_string_ref(tl_arena_strndup(arena, text, length), length);
}

tl_value tl_cstring(tl_arena *arena, const char *text)
{
    return tl_string(arena, text, strlen(text));
}

tl_value tl_list_value(tl_list *list)
{
    return (tl_value){.type = TL_LIST, .as.list = list};
}

tl_value tl_map_value(tl_map *map)
{
    return (tl_value){.type = TL_MAP, .as.map = map};
}

tl_value tl_object_value(tl_arena *arena, const tl_object_type *type, void *data, tl_value content)
{
    tl_object *object = tl_arena_alloc(arena, sizeof *object);
    *object = (tl_object){type, data, content};
    return (tl_value){.type = TL_OBJECT, .as.object = object};
}

tl_value tl_object_content(tl_object *object)
{
    if (object->type->open && object->content.type == TL_NULL) object->content = object->type->open(object);
    return object->content;
}

tl_value tl_as_go(tl_value value, tl_go go)
{
    value.go = (uint8_t)go;
    return value;
}

tl_list *tl_list_new(tl_arena *arena, size_t capacity)
{
    tl_list *list = tl_arena_zalloc(arena, sizeof *list);
    if (capacity) list->items = tl_arena_alloc(arena, capacity * sizeof *list->items);
    list->cap = capacity;
    return list;
}

void tl_list_push(tl_arena *arena, tl_list *list, tl_value value)
{
    if (list->len == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 4;
        list->items = tl_arena_grow(arena, list->items, list->cap * sizeof value, cap * sizeof value);
        list->cap = cap;
    }
    list->items[list->len++] = value;
}

static uint64_t load(const char *bytes, size_t count)
{
    uint64_t word = 0;
    memcpy(&word, bytes, count);
    return word;
}

/* Eight bytes at a time, then two halves that may overlap. */
static uint32_t hash_key(const char *key, size_t length)
{
    const uint64_t factor = 0x9E3779B97F4A7C15u; /* of the golden ratio: spreads bits upwards */
    uint64_t hash = length;
    for (; length > 8; key += 8, length -= 8) {
        hash = (hash ^ load(key, 8)) * factor;
        hash ^= hash >> 32;
    }
    if (length >= 4)
        hash ^= load(key, 4) << 32 | load(key + length - 4, 4);
    else
        for (size_t i = 0; i < length; i++) hash ^= (uint64_t)(unsigned char)key[i] << (8 * i);
    hash *= factor;
    return (uint32_t)(hash >> 32);
}

tl_map *tl_map_new(tl_arena *arena, size_t capacity)
{
    tl_map *map = tl_arena_zalloc(arena, sizeof *map);
    map->arena = arena;
    if (capacity) map->entries = tl_arena_alloc(arena, capacity * sizeof *map->entries);
    map->cap = (uint32_t)capacity;
    return map;
}

static tl_entry *find_entry(const tl_map *map, const char *key, size_t length, uint32_t hash)
{
    if (!map->index) {
        for (uint32_t i = 0; i < map->used; i++) {
            tl_entry *e = &map->entries[i];
            if (e->hash == hash && e->key && e->key_len == length && !memcmp(e->key, key, length)) return e;
        }
        return NULL;
    }
    uint32_t mask = map->index_size - 1;
    for (uint32_t slot = hash & mask; map->index[slot]; slot = (slot + 1) & mask) {
        tl_entry *e = &map->entries[map->index[slot] - 1];
        if (e->hash == hash && e->key && e->key_len == length && !memcmp(e->key, key, length)) return e;
    }
    return NULL;
}

static void index_entry(tl_map *map, uint32_t position)
{
    uint32_t mask = map->index_size - 1, slot = map->entries[position].hash & mask;
    while (map->index[slot]) slot = (slot + 1) & mask;
    map->index[slot] = position + 1;
}

static void rebuild_index(tl_map *map)
{
    uint32_t size = 32;
    while (size < map->cap * 2) size *= 2;
    map->index = tl_arena_zalloc(map->arena, size * sizeof *map->index);
    map->index_size = size;
    for (uint32_t i = 0; i < map->used; i++)
        if (map->entries[i].key) index_entry(map, i);
}

static void make_room(tl_map *map)
{
    if (map->used < map->cap) return;
    uint32_t live = 0;
    if (map->count < map->used / 2) { /* mostly holes: close them instead of growing */
        for (uint32_t i = 0; i < map->used; i++)
            if (map->entries[i].key) map->entries[live++] = map->entries[i];
        map->used = live;
    } else {
        uint32_t cap = map->cap ? map->cap * 2 : 4;
        map->entries = tl_arena_grow(map->arena, map->entries, map->cap * sizeof *map->entries,
                                     cap * sizeof *map->entries);
        map->cap = cap;
    }
    if (map->cap > SMALL_MAP) rebuild_index(map);
}

tl_value *tl_map_get(const tl_map *map, const char *key, size_t length)
{
    if (!map || !map->count) return NULL;
    tl_entry *e = find_entry(map, key, length, hash_key(key, length));
    return e ? &e->value : NULL;
}

tl_value *tl_map_gets(const tl_map *map, const char *key)
{
    return tl_map_get(map, key, strlen(key));
}

/* A key that the map does not have. */
static void add_entry(tl_map *map, const char *key, size_t length, uint32_t hash, tl_value value)
{
    make_room(map);
    map->entries[map->used] = (tl_entry){tl_arena_strndup(map->arena, key, length), (uint32_t)length, hash, value};
    if (map->index)
        index_entry(map, map->used);
    else if (map->cap > SMALL_MAP) {
        map->used++;
        rebuild_index(map);
        map->used--;
    }
    map->used++;
    map->count++;
}

void tl_map_set(tl_map *map, const char *key, size_t length, tl_value value)
{
    uint32_t hash = hash_key(key, length);
    tl_entry *found = find_entry(map, key, length, hash);
    if (found)
        found->value = value;
    else
        add_entry(map, key, length, hash, value);
}

void tl_map_sets(tl_map *map, const char *key, tl_value value)
{
    tl_map_set(map, key, strlen(key), value);
}

int tl_map_delete(tl_map *map, const char *key, size_t length)
{
    tl_entry *e = map->count ? find_entry(map, key, length, hash_key(key, length)) : NULL;
    if (!e) return 0;
    e->key = NULL;
    map->count--;
    return 1;
}

tl_entry *tl_map_next(const tl_map *map, uint32_t *cursor)
{
    while (*cursor < map->used) {
        tl_entry *e = &map->entries[(*cursor)++];
        if (e->key) return e;
    }
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    const tl_entry *x = *(tl_entry *const *)a, *y = *(tl_entry *const *)b;
    uint32_t shorter = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = memcmp(x->key, y->key, shorter);
    return order ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

tl_entry **tl_map_sorted(const tl_map *map, tl_arena *arena)
{
    tl_entry **sorted = tl_arena_alloc(arena, (map->count + 1) * sizeof *sorted);
    uint32_t cursor = 0, n = 0;
    for (tl_entry *e; (e = tl_map_next(map, &cursor));) sorted[n++] = e;
    sorted[n] = NULL;
    qsort(sorted, n, sizeof *sorted, by_key);
    return sorted;
}

tl_value tl_value_copy(tl_arena *arena, tl_value value)
{
    switch (value.type) {
    case TL_STRING:
    case TL_BYTES: value.as.s = tl_arena_strndup(arena, value.as.s, value.len); return value;
    case TL_LIST: {
        tl_list *copy = tl_list_new(arena, value.as.list->len);
        copy->nil = value.as.list->nil;
        for (size_t i = 0; i < value.as.list->len && !tl_arena_over(arena); i++)
            tl_list_push(arena, copy, tl_value_copy(arena, value.as.list->items[i]));
        value.as.list = copy;
        return value;
    }
    case TL_MAP: {
        tl_map *copy = tl_map_new(arena, value.as.map->count);
        copy->nil = value.as.map->nil;
        uint32_t cursor = 0;
        for (tl_entry *e; !tl_arena_over(arena) && (e = tl_map_next(value.as.map, &cursor));)
            add_entry(copy, e->key, e->key_len, e->hash, tl_value_copy(arena, e->value));
        value.as.map = copy;
        return value;
    }
    default: return value;
    }
}

tl_value tl_value_fork(tl_arena *arena, tl_value value)
{
    if (value.type == TL_LIST) {
        const tl_list *list = value.as.list;
        tl_list *fork = tl_list_new(arena, list->len);
        fork->nil = list->nil;
        for (size_t i = 0; i < list->len && !tl_arena_over(arena); i++)
            fork->items[fork->len++] = tl_value_fork(arena, list->items[i]);
        value.as.list = fork;
    } else if (value.type == TL_MAP) {
        const tl_map *map = value.as.map;
        tl_map *fork = tl_map_new(arena, map->count);
        fork->nil = map->nil;
        uint32_t cursor = 0;
        for (tl_entry *e; !tl_arena_over(arena) && (e = tl_map_next(map, &cursor));)
            fork->entries[fork->used++] = (tl_entry){e->key, e->key_len, e->hash, tl_value_fork(arena, e->value)};
        fork->count = fork->used;
        if (fork->cap > SMALL_MAP) rebuild_index(fork);
        value.as.map = fork;
    }
    return value;
}

static int maps_equal(const tl_map *a, const tl_map *b)
{
    if (a->count != b->count) return 0;
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(a, &cursor));) {
        tl_value *other = tl_map_get(b, e->key, e->key_len);
        if (!other || !tl_value_equal(e->value, *other)) return 0;
    }
    return 1;
}

int tl_value_equal(tl_value a, tl_value b)
{
    if (a.type != b.type) return 0;
    switch (a.type) {
    case TL_NULL: return 1;
    case TL_BOOL: return a.as.b == b.as.b;
    case TL_INT: return a.as.i == b.as.i;
    case TL_FLOAT: return a.as.d == b.as.d;
    case TL_STRING:
    case TL_BYTES: return a.len == b.len && (!a.len || !memcmp(a.as.s, b.as.s, a.len));
    case TL_LIST:
        if (a.as.list == b.as.list) return 1;
        if (a.as.list->len != b.as.list->len) return 0;
        for (size_t i = 0; i < a.as.list->len; i++)
            if (!tl_value_equal(a.as.list->items[i], b.as.list->items[i])) return 0;
        return 1;
    case TL_MAP: return a.as.map == b.as.map || maps_equal(a.as.map, b.as.map);
    default: return a.as.object == b.as.object;
    }
}

tl_value *tl_value_path(const tl_value *value, ...)
{
    va_list keys;
    va_start(keys, value);
    for (const char *key; value && (key = va_arg(keys, const char *));)
        value = value->type == TL_MAP ? tl_map_gets(value->as.map, key) : NULL;
    va_end(keys);
    return (tl_value *)value;
}

const char *tl_value_text(tl_arena *arena, const tl_value *value, const char *fallback)
{
    return value && value->type == TL_STRING ? tl_arena_strndup(arena, value->as.s, value->len) : fallback;
}

const char *tl_type_name(tl_type type)
{
    static const char *const names[] = {"null", "bool", "int", "float", "string", "bytes", "list", "map", "object"};
    return names[type];
}

int tl_value_is(tl_value value, const char *text)
{
    return value.type == TL_STRING && value.len == strlen(text) && !memcmp(value.as.s, text, value.len);
}
