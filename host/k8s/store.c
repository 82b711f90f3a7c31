/* Objects by name, with indexes. */
#include "k8s/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One value of one object in one index; in the list of its bucket and of its object. */
typedef struct posting {
    struct posting *next, **link; /* link: what points here */
    struct posting *sibling;      /* the object's next one */
    struct entry *entry;
    size_t index;
    unsigned hash;
    char value[];
} posting;

typedef struct entry {
    struct entry *next;
    unsigned hash;
    tl_text *text;
    posting *postings;
    const char *name;
    char namespace[]; /* and the name behind it */
} entry;

typedef struct buckets {
    void **heads; /* entry or posting */
    size_t size, used;
} buckets;

struct tl_store {
    tl_arena *arena; /* of the definitions */
    tl_store_index *indexes;
    size_t index_count;
    buckets entries, postings;
};

/* ---- texts ---- */

tl_text *tl_text_new(const char *bytes, size_t length)
{
    tl_text *text = tl_malloc(sizeof *text + length);
    text->refs = 1;
    text->length = length;
    memcpy(text->bytes, bytes, length);
    return text;
}

tl_text *tl_text_keep(tl_text *text)
{
    text->refs++;
    return text;
}

void tl_text_drop(tl_text *text)
{
    if (text && !--text->refs) free(text);
}

/* ---- hashing ---- */

static unsigned hash_text(unsigned hash, const char *text)
{
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 16777619u;
    return (hash ^ '/') * 16777619u;
}

static void buckets_init(buckets *table)
{
    table->size = 64;
    table->used = 0;
    table->heads = tl_calloc(table->size, sizeof(void *));
}

static void link_posting(posting **head, posting *item)
{
    item->next = *head;
    if (item->next) item->next->link = &item->next;
    item->link = head;
    *head = item;
}

static void grow_entries(buckets *table)
{
    size_t size = table->size * 2;
    void **heads = tl_calloc(size, sizeof(void *));
    for (size_t i = 0; i < table->size; i++)
        for (entry *item = table->heads[i], *next; item; item = next) {
            next = item->next;
            item->next = heads[item->hash & (size - 1)];
            heads[item->hash & (size - 1)] = item;
        }
    free(table->heads);
    table->heads = heads;
    table->size = size;
}

static void grow_postings(buckets *table)
{
    size_t size = table->size * 2;
    void **heads = tl_calloc(size, sizeof(void *));
    for (size_t i = 0; i < table->size; i++)
        for (posting *item = table->heads[i], *next; item; item = next) {
            next = item->next;
            link_posting((posting **)&heads[item->hash & (size - 1)], item);
        }
    free(table->heads);
    table->heads = heads;
    table->size = size;
}

/* ---- indexes ---- */

static void add_posting(tl_store *store, entry *of, size_t index, const tl_value *value)
{
    posting *item = tl_malloc(sizeof *item + value->len + 1);
    memcpy(item->value, value->as.s, value->len);
    item->value[value->len] = 0;
    item->entry = of;
    item->index = index;
    item->hash = hash_text(2166136261u + (unsigned)index, item->value);
    item->sibling = of->postings;
    of->postings = item;
    if (++store->postings.used > store->postings.size) grow_postings(&store->postings);
    link_posting((posting **)&store->postings.heads[item->hash & (store->postings.size - 1)], item);
}

static int has_posting(const entry *of, size_t index, const tl_value *value)
{
    for (const posting *item = of->postings; item; item = item->sibling)
        if (item->index == index && strlen(item->value) == value->len &&
            memcmp(item->value, value->as.s, value->len) == 0)
            return 1;
    return 0;
}

/* Goes down the path; the lists are the server's own, so the depth is the path's plus theirs. */
static void index_value(tl_store *store, entry *of, size_t index, const char *const *path, const tl_value *value)
{
    if (value->type == TL_LIST) {
        for (size_t i = 0; i < value->as.list->len; i++)
            index_value(store, of, index, path, &value->as.list->items[i]);
    } else if (*path && value->type == TL_MAP) {
        const tl_value *inner = tl_map_gets(value->as.map, *path);
        if (inner) index_value(store, of, index, path + 1, inner);
    } else if (!*path && value->type == TL_STRING && !has_posting(of, index, value)) {
        add_posting(store, of, index, value);
    }
}

static void drop_postings(tl_store *store, entry *of)
{
    for (posting *item = of->postings, *next; item; item = next) {
        next = item->sibling;
        *item->link = item->next;
        if (item->next) item->next->link = item->link;
        store->postings.used--;
        free(item);
    }
    of->postings = NULL;
}

/* ---- objects ---- */

tl_store *tl_store_new(const tl_store_index *indexes, size_t count)
{
    tl_store *store = tl_calloc(1, sizeof *store);
    store->arena = tl_arena_new(0);
    store->index_count = count;
    store->indexes = tl_arena_alloc(store->arena, (count + 1) * sizeof *store->indexes);
    for (size_t i = 0; i < count; i++) {
        size_t depth = 0;
        while (indexes[i].path[depth]) depth++;
        const char **path = tl_arena_alloc(store->arena, (depth + 1) * sizeof *path);
        for (size_t k = 0; k < depth; k++) path[k] = tl_arena_strdup(store->arena, indexes[i].path[k]);
        path[depth] = NULL;
        store->indexes[i] = (tl_store_index){tl_arena_strdup(store->arena, indexes[i].name), path};
    }
    buckets_init(&store->entries);
    buckets_init(&store->postings);
    return store;
}

static entry **find_entry(const tl_store *store, const char *namespace, const char *name, unsigned *hash)
{
    *hash = hash_text(hash_text(2166136261u, namespace), name);
    entry **at = (entry **)&store->entries.heads[*hash & (store->entries.size - 1)];
    while (*at &&
           ((*at)->hash != *hash || strcmp((*at)->name, name) != 0 || strcmp((*at)->namespace, namespace) != 0))
        at = &(*at)->next;
    return at;
}

static entry *new_entry(const char *namespace, const char *name, unsigned hash)
{
    size_t first = strlen(namespace) + 1, second = strlen(name) + 1;
    entry *item = tl_calloc(1, sizeof *item + first + second);
    memcpy(item->namespace, namespace, first);
    item->name = memcpy(item->namespace + first, name, second);
    item->hash = hash;
    return item;
}

tl_text *tl_store_put(tl_store *store, const tl_value *object, tl_text *text)
{
    tl_arena *arena = tl_arena_new(0);
    const tl_value *meta = tl_value_path(object, "metadata", NULL);
    const char *namespace = tl_value_text(arena, tl_value_path(meta, "namespace", NULL), "");
    const char *name = tl_value_text(arena, tl_value_path(meta, "name", NULL), "");
    unsigned hash;
    entry *item = *find_entry(store, namespace, name, &hash);
    if (!item) {
        item = new_entry(namespace, name, hash);
        if (++store->entries.used > store->entries.size) grow_entries(&store->entries);
        item->next = store->entries.heads[hash & (store->entries.size - 1)];
        store->entries.heads[hash & (store->entries.size - 1)] = item;
    }
    tl_text *former = item->text;
    item->text = tl_text_keep(text);
    drop_postings(store, item);
    for (size_t i = 0; i < store->index_count; i++) index_value(store, item, i, store->indexes[i].path, object);
    tl_arena_free(arena);
    return former;
}

tl_text *tl_store_remove(tl_store *store, const char *namespace, const char *name)
{
    unsigned hash;
    entry **at = find_entry(store, namespace, name, &hash), *item = *at;
    if (!item) return NULL;
    tl_text *last = item->text;
    drop_postings(store, item);
    *at = item->next;
    free(item);
    store->entries.used--;
    return last;
}

tl_text *tl_store_get(const tl_store *store, const char *namespace, const char *name)
{
    unsigned hash;
    const entry *item = *find_entry(store, namespace, name, &hash);
    return item ? item->text : NULL;
}

size_t tl_store_count(const tl_store *store)
{
    return store->entries.used;
}

void tl_store_free(tl_store *store)
{
    if (!store) return;
    for (size_t i = 0; i < store->entries.size; i++)
        for (entry *item = store->entries.heads[i], *next; item; item = next) {
            next = item->next;
            drop_postings(store, item);
            tl_text_drop(item->text);
            free(item);
        }
    free(store->entries.heads);
    free(store->postings.heads);
    tl_arena_free(store->arena);
    free(store);
}

/* ---- selections ---- */

static int by_name(const void *a, const void *b)
{
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    int order = strcmp(x->namespace, y->namespace);
    return order ? order : strcmp(x->name, y->name);
}

/* Sorts the entries and turns the array into one of their texts. */
static tl_text **texts_of(entry **found, size_t count)
{
    qsort(found, count, sizeof *found, by_name);
    tl_text **texts = tl_malloc((count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++) texts[i] = found[i]->text;
    free(found);
    return texts;
}

tl_text **tl_store_list(const tl_store *store, const char *namespace, size_t *count)
{
    entry **found = tl_malloc((store->entries.used + 1) * sizeof *found);
    *count = 0;
    for (size_t i = 0; i < store->entries.size; i++)
        for (entry *item = store->entries.heads[i]; item; item = item->next)
            if (!namespace || strcmp(item->namespace, namespace) == 0) found[(*count)++] = item;
    return texts_of(found, *count);
}

tl_text **tl_store_find(const tl_store *store, const char *index, const char *value, size_t *count)
{
    size_t at = 0;
    while (at < store->index_count && strcmp(store->indexes[at].name, index) != 0) at++;
    if (at == store->index_count) return NULL;
    unsigned hash = hash_text(2166136261u + (unsigned)at, value);
    entry **found = tl_malloc((store->entries.used + 1) * sizeof *found);
    *count = 0;
    for (const posting *item = store->postings.heads[hash & (store->postings.size - 1)]; item; item = item->next)
        if (item->index == at && item->hash == hash && strcmp(item->value, value) == 0)
            found[(*count)++] = item->entry;
    return texts_of(found, *count);
}
