#ifndef TL_K8S_CACHE_H
#define TL_K8S_CACHE_H

#include "k8s/store.h"
#include "k8s/watch.h"

/* A local copy of the objects of one kind that a watch keeps up to date, and the changes of that copy for whoever asks
 * for them. Objects are kept without metadata.managedFields, which is half of a small object and which no reader of a
 * cache looks at (the server keeps its own where an update comes without). */
typedef struct tl_k8s_cache tl_k8s_cache;

typedef struct tl_k8s_cache_options {
    tl_k8s_watch_options watch; /* its bookmarks, on_ready and data are the cache's own */
    const tl_store_index *indexes;
    size_t index_count;
    void (*on_change)(tl_k8s_cache *cache, void *data); /* a change to take, the first list is whole, or the end */
    void *data;
} tl_k8s_cache_options;

typedef struct tl_k8s_change {
    const char *type; /* "ADDED", "MODIFIED", "DELETED" */
    tl_text *object;  /* the new state; of DELETED the last that is known */
    tl_text *old;     /* the former state of MODIFIED, else NULL */
} tl_k8s_change;

tl_k8s_cache *tl_k8s_cache_start(tl_k8s *client, const tl_k8s_cache_options *options, tl_error *err);
void tl_k8s_cache_free(tl_k8s_cache *cache);
/* 1 once the first list is whole, 0 before; -1: the watch has failed for good. */
int tl_k8s_cache_synced(tl_k8s_cache *cache, tl_error *err);
/* The next change: 1 and *change, whose texts the caller drops; 0: none now; -1: failed. The first call begins with
 * every present object as ADDED; from then on a consumer that does not keep up holds the watch back, so that at most
 * some thousand changes wait. */
int tl_k8s_cache_next(tl_k8s_cache *cache, tl_k8s_change *change, tl_error *err);
const tl_store *tl_k8s_cache_store(const tl_k8s_cache *cache);

#endif
