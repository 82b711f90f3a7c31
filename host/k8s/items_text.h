#ifndef TL_K8S_ITEMS_TEXT_H
#define TL_K8S_ITEMS_TEXT_H

#include "base/buf.h"
#include "base/error.h"

/* For output of lists that are too large to be held as trees: one page's text in, what is printed of it out. */
typedef struct tl_items_text {
    const char *api_version, *kind; /* set in items that lack them */
    int managed_fields;             /* keep metadata.managedFields */
} tl_items_text;

typedef struct tl_items_page {
    size_t count;
    char *more; /* the token of the next page, to be freed; NULL at the end */
} tl_items_page;

/* Appends the items of a list's JSON text as kubectl's JSON printer writes them inside a List (keys sorted, indented by
 * four, two levels deep), joined by commas and line ends. -1 where the text is no JSON. */
int tl_k8s_items_text(const char *text, size_t length, const tl_items_text *options, tl_buf *out,
                      tl_items_page *page, tl_error *err);

#endif
