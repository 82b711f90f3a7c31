/* Keeps a local copy of objects up to date. */
#include "k8s/cache.h"

#include <stdlib.h>
#include <string.h>

#include "data/json.h"

#define CHANGES_HIGH 2000

typedef struct waiting {
    struct waiting *next;
    tl_k8s_change change;
} waiting;

struct tl_k8s_cache {
    tl_k8s_watch *watch;
    tl_store *store;
    tl_buf text; /* scratch */
    waiting *first, **last;
    size_t waiting;
    int asked; /* somebody takes the changes */
    int synced, failed;
    tl_error error;
    void (*on_change)(tl_k8s_cache *cache, void *data);
    void *data;
};

static void add_change(tl_k8s_cache *cache, const char *type, tl_text *object, tl_text *old)
{
    waiting *item = tl_malloc(sizeof *item);
    *item = (waiting){NULL, {type, tl_text_keep(object), old ? tl_text_keep(old) : NULL}};
    *cache->last = item;
    cache->last = &item->next;
    cache->waiting++;
}

static void drop_change(tl_k8s_change *change)
{
    tl_text_drop(change->object);
    tl_text_drop(change->old);
}

/* ---- what the watch brings ---- */

static int text_of(tl_k8s_cache *cache, tl_value object, tl_text **text, tl_error *err)
{
    tl_buf_clear(&cache->text);
    if (tl_json_write(&cache->text, object, NULL, err)) return -1;
    *text = tl_text_new(cache->text.data, cache->text.len);
    return 0;
}

static int take_present(tl_k8s_cache *cache, tl_value object, tl_error *err)
{
    tl_text *text;
    if (text_of(cache, object, &text, err)) return -1;
    tl_text *old = tl_store_put(cache->store, &object, text);
    if (cache->asked) add_change(cache, old ? "MODIFIED" : "ADDED", text, old);
    tl_text_drop(old);
    tl_text_drop(text);
    return 0;
}

/* Of an object that went while nobody looked the watch knows the identity only; its last state is ours. */
static void take_end(tl_k8s_cache *cache, const tl_k8s_event *event)
{
    tl_arena *arena = event->doc->arena;
    const tl_value *meta = tl_value_path(&event->object, "metadata", NULL);
    tl_text *last = tl_store_remove(cache->store, tl_value_text(arena, tl_value_path(meta, "namespace", NULL), ""),
                                    tl_value_text(arena, tl_value_path(meta, "name", NULL), ""));
    if (!last) return;
    if (cache->asked) add_change(cache, "DELETED", last, NULL);
    tl_text_drop(last);
}

static int take_event(tl_k8s_cache *cache, const tl_k8s_event *event, tl_error *err)
{
    if (strcmp(event->type, "BOOKMARK") == 0) {
        cache->synced = 1; /* the first one ends the first list */
        return 0;
    }
    if (strcmp(event->type, "DELETED") == 0) {
        take_end(cache, event);
        return 0;
    }
    return take_present(cache, event->object, err);
}

/* Takes what the watch has, unless too many changes wait already. */
static void drain(tl_k8s_cache *cache)
{
    while (!cache->failed && cache->waiting < CHANGES_HIGH) {
        tl_k8s_event event;
        int rc = tl_k8s_watch_next(cache->watch, &event, &cache->error);
        if (rc == 0) return;
        if (rc > 0) {
            rc = take_event(cache, &event, &cache->error);
            tl_doc_drop(event.doc);
        }
        if (rc < 0) cache->failed = 1;
    }
}

static void on_ready(tl_k8s_watch *watch, void *data)
{
    tl_k8s_cache *cache = data;
    (void)watch;
    if (!cache->watch) return; /* still in tl_k8s_watch_start */
    drain(cache);
    if (cache->on_change) cache->on_change(cache, cache->data);
}

/* ---- the consumer's side ---- */

tl_k8s_cache *tl_k8s_cache_start(tl_k8s *client, const tl_k8s_cache_options *options, tl_error *err)
{
    tl_k8s_cache *cache = tl_calloc(1, sizeof *cache);
    cache->last = &cache->first;
    cache->on_change = options->on_change;
    cache->data = options->data;
    tl_buf_init(&cache->text, SIZE_MAX);
    cache->store = tl_store_new(options->indexes, options->index_count);
    tl_k8s_watch_options watch = options->watch;
    watch.bookmarks = 1;
    watch.resource_version = NULL;
    watch.on_ready = on_ready;
    watch.data = cache;
    cache->watch = tl_k8s_watch_start(client, &watch, err);
    if (cache->watch) return cache;
    tl_k8s_cache_free(cache);
    return NULL;
}

void tl_k8s_cache_free(tl_k8s_cache *cache)
{
    if (!cache) return;
    tl_k8s_watch_free(cache->watch);
    for (waiting *item = cache->first, *next; item; item = next) {
        next = item->next;
        drop_change(&item->change);
        free(item);
    }
    tl_store_free(cache->store);
    tl_buf_dispose(&cache->text);
    tl_error_dispose(&cache->error);
    free(cache);
}

static int failure(tl_k8s_cache *cache, tl_error *err)
{
    tl_error_move(err, &cache->error);
    tl_error_set(&cache->error, "closed", "the cache's watch has ended");
    return -1;
}

int tl_k8s_cache_synced(tl_k8s_cache *cache, tl_error *err)
{
    drain(cache);
    if (cache->synced) return 1;
    return cache->failed ? failure(cache, err) : 0;
}

int tl_k8s_cache_next(tl_k8s_cache *cache, tl_k8s_change *change, tl_error *err)
{
    drain(cache);
    if (!cache->asked) {
        size_t count;
        tl_text **present = tl_store_list(cache->store, NULL, &count);
        for (size_t i = 0; i < count; i++) add_change(cache, "ADDED", present[i], NULL);
        free(present);
        cache->asked = 1;
    }
    waiting *item = cache->first;
    if (!item) return cache->failed ? failure(cache, err) : 0;
    *change = item->change;
    cache->first = item->next;
    if (!cache->first) cache->last = &cache->first;
    cache->waiting--;
    free(item);
    return 1;
}

const tl_store *tl_k8s_cache_store(const tl_k8s_cache *cache)
{
    return cache->store;
}
