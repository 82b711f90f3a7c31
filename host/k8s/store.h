#ifndef TL_K8S_STORE_H
#define TL_K8S_STORE_H

#include <stddef.h>

#include "data/value.h"

/* Objects by namespace and name, each kept as its JSON text (a fraction of what a tree takes), with indexes over values
 * inside them. No input or output of its own. */
typedef struct tl_store tl_store;

/* A shared JSON text. */
typedef struct tl_text {
    int refs;
    size_t length;
    char bytes[];
} tl_text;
tl_text *tl_text_new(const char *bytes, size_t length); /* one reference, the caller's */
tl_text *tl_text_keep(tl_text *text);
void tl_text_drop(tl_text *text); /* NULL is harmless */

/* An index: the strings found at a path of keys; a list on the way or at its end stands for each of its items. */
typedef struct tl_store_index {
    const char *name;
    const char *const *path; /* keys, ended by NULL */
} tl_store_index;

/* Copies the definitions. */
tl_store *tl_store_new(const tl_store_index *indexes, size_t count);
void tl_store_free(tl_store *store);
/* Adds or replaces an object; keeps a reference of its own to the text. Returns the former text, which the caller
 * drops, or NULL where it is new. */
tl_text *tl_store_put(tl_store *store, const tl_value *object, tl_text *text);
/* The same for one that is gone: its last text, or NULL. */
tl_text *tl_store_remove(tl_store *store, const char *namespace, const char *name);
/* Borrowed, or NULL. */
tl_text *tl_store_get(const tl_store *store, const char *namespace, const char *name);
size_t tl_store_count(const tl_store *store);

/* The texts of a selection, borrowed, sorted by namespace and name; free() the array. namespace NULL: of all. */
tl_text **tl_store_list(const tl_store *store, const char *namespace, size_t *count);
/* Those that have `value` in an index; NULL where there is no such index. */
tl_text **tl_store_find(const tl_store *store, const char *index, const char *value, size_t *count);

#endif
