#ifndef TL_SECRET_STORE_H
#define TL_SECRET_STORE_H

#include "base/error.h"
#include "data/value.h"

/* Named secrets in one JSON file { "name": "text" } with mode 0600. The file is read and written whole. */
typedef struct tl_secret_store tl_secret_store;

/* Opens the file, which need not exist yet. -1 with kind "denied" (and the chmod command as hint) where group or others
 * may read or write it, or where it is not the user's; "parse" where it is no such file. Free with
 * tl_secret_store_free, which cleanses the texts. */
int tl_secret_store_open(const char *path, tl_secret_store **out, tl_error *err);
void tl_secret_store_free(tl_secret_store *store);
/* The text (*length bytes), valid until the next set; NULL where there is none of that name. */
const char *tl_secret_store_get(const tl_secret_store *store, const char *name, size_t *length);
/* Sets, or with text NULL removes, a secret and writes the file at once, atomically. */
int tl_secret_store_set(tl_secret_store *store, const char *name, const char *text, size_t length, tl_error *err);
/* The name at `position` in sorted order; NULL past the end. */
const char *tl_secret_store_name(const tl_secret_store *store, size_t position);

#endif
