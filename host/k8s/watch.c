/* Keeps a watch going. */
#include "k8s/watch.h"

#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "k8s/client_internal.h"
#include "k8s/lines.h"
#include "k8s/object.h"
#include "k8s/verb.h"

#define LINE_LIMIT ((size_t)16 << 20)
#define PAGE_LIMIT ((size_t)256 << 20)
#define PAGE_ITEMS 500
#define QUEUE_HIGH 2000 /* events; over QUEUE_BYTES they count earlier */
#define QUEUE_BYTES ((size_t)16 << 20)
#define STREAM_SECONDS                                                                                                 \
    90 /* the server ends a stream after so long (and a third more); silence past it means a dead peer */
#define SILENCE_MS 15000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 10000
#define STALE_LISTS 5    /* in a row; a server that goes on so had its data put back */
#define REFUSED_MS 60000 /* 401, 403 and 404 are given so long, as a starting server may say them */

typedef struct queued {
    struct queued *next;
    tl_k8s_event event;
    size_t bytes;
} queued;

struct tl_k8s_watch {
    tl_k8s *client;
    tl_arena *arena;
    tl_k8s_watch_options options;
    tl_tracker *tracker;
    tl_lookup lookup;
    const tl_k8s_resource *resource;
    tl_k8s_call *call; /* the list's page or the stream */
    tl_lines lines;
    tl_timer retry;
    queued *first, **last;
    size_t queue_count, queue_bytes, line_bytes;
    char *next_page; /* the server's token, or NULL */
    int held;        /* the next page or the stream waits for the consumer */
    int listed, attempts, expired, stale_lists;
    int64_t refused_since, opened;
    tl_error error;
    int failed;
};

static void proceed(tl_k8s_watch *watch);

static void wake(tl_k8s_watch *watch)
{
    if (watch->options.on_ready) watch->options.on_ready(watch, watch->options.data);
}

static void fail(tl_k8s_watch *watch, tl_error *why)
{
    tl_k8s_call_free(watch->call);
    watch->call = NULL;
    tl_timer_stop(&watch->retry);
    tl_error_move(&watch->error, why);
    watch->failed = 1;
    wake(watch);
}

/* ---- the queue ---- */

static int queue_full(const tl_k8s_watch *watch)
{
    return watch->queue_count >= QUEUE_HIGH || watch->queue_bytes >= QUEUE_BYTES;
}

static void on_event(void *data, const char *type, tl_value object, tl_doc *doc)
{
    tl_k8s_watch *watch = data;
    if (strcmp(type, "BOOKMARK") == 0 && !watch->options.bookmarks) return;
    if (!watch->options.managed_fields) tl_k8s_object_drop_managed_fields(&object);
    queued *item = tl_malloc(sizeof *item);
    tl_doc_keep(doc);
    *item = (queued){NULL, {type, object, doc}, watch->line_bytes};
    *watch->last = item;
    watch->last = &item->next;
    watch->queue_count++;
    watch->queue_bytes += item->bytes;
    wake(watch);
}

int tl_k8s_watch_next(tl_k8s_watch *watch, tl_k8s_event *event, tl_error *err)
{
    queued *item = watch->first;
    if (!item) {
        if (!watch->failed) return 0;
        tl_error_move(err, &watch->error);
        tl_error_set(&watch->error, "closed", "the watch has ended");
        return -1;
    }
    *event = item->event;
    watch->first = item->next;
    if (!watch->first) watch->last = &watch->first;
    watch->queue_count--;
    watch->queue_bytes -= item->bytes;
    free(item);
    if (watch->held && watch->queue_count <= QUEUE_HIGH / 2 && watch->queue_bytes <= QUEUE_BYTES / 2) {
        watch->held = 0;
        if (watch->call)
            tl_k8s_call_resume(watch->call);
        else
            proceed(watch);
    }
    return 1;
}

/* ---- trouble ---- */

static void on_retry(tl_timer *timer)
{
    proceed(timer->data);
}

static void try_later(tl_k8s_watch *watch)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (int i = 0; i < watch->attempts && ms < BACKOFF_LAST_MS; i++) ms *= 2;
    if (ms > BACKOFF_LAST_MS) ms = BACKOFF_LAST_MS;
    watch->attempts++;
    watch->retry.on_due = on_retry;
    watch->retry.data = watch;
    tl_timer_start(tl_k8s_loop(watch->client), &watch->retry,
                   (int64_t)((double)ms * (0.5 + tl_k8s_random(watch->client))));
}

/* A version from the future comes of a server whose data was put back: the same cure as for one that is too old. */
static int is_expired(const tl_error *why)
{
    return strcmp(why->kind, "gone") == 0 || strstr(why->message, "Too large resource version") != NULL;
}

/* Decides after a failed request or a broken stream: list again, try again, or give up. */
static void recover(tl_k8s_watch *watch, tl_error *why)
{
    int64_t now = tl_loop_now(tl_k8s_loop(watch->client));
    int refused = why->status == 401 || why->status == 403 || why->status == 404;
    if (!refused)
        watch->refused_since = 0;
    else if (!watch->refused_since)
        watch->refused_since = now;
    int hopeless = strcmp(why->kind, "closed") == 0 && tl_k8s_closed(watch->client);
    if (!watch->listed && !is_expired(why)) hopeless = 1; /* the first answer tells the script at once what is wrong */
    if (refused && now - watch->refused_since > REFUSED_MS) hopeless = 1;
    if (strcmp(why->kind, "too_large") == 0) hopeless = 1;
    if (hopeless) {
        fail(watch, why);
        return;
    }
    free(watch->next_page);
    watch->next_page = NULL;
    int expired = is_expired(why);
    tl_error_dispose(why);
    if (expired && tl_tracker_version(watch->tracker) && tl_tracker_expire(watch->tracker, why))
        fail(watch, why);
    else
        try_later(watch);
}

/* ---- the list ---- */

static int take_page(tl_k8s_watch *watch, tl_error *err)
{
    size_t length;
    const char *body = tl_k8s_call_body(watch->call, &length);
    tl_doc *doc = tl_doc_new(PAGE_LIMIT);
    const tl_json_options options = {.name = "list"};
    tl_value root = tl_null();
    int rc = tl_json_parse(doc->arena, body, length, &options, &root, err);
    if (rc) goto out;
    const char *version = tl_value_text(doc->arena, tl_value_path(&root, "metadata", "resourceVersion", NULL), "");
    if (watch->stale_lists < STALE_LISTS && tl_tracker_list_is_stale(watch->tracker, version)) {
        watch->stale_lists++;
        rc = tl_error_set(err, "gone", "the server's list is older than what it told before");
        goto out;
    }
    const tl_k8s_resource *resource = watch->resource;
    const char *api_version =
        *resource->group ? tl_arena_printf(doc->arena, "%s/%s", resource->group, resource->version) : resource->version;
    const tl_value *items = tl_value_path(&root, "items", NULL);
    size_t count = items && items->type == TL_LIST ? items->as.list->len : 0;
    watch->line_bytes = count ? length / count : 0;
    for (size_t i = 0; i < count; i++)
        tl_tracker_list_item(watch->tracker, api_version, resource->kind, items->as.list->items[i], doc);
    const char *more = tl_value_text(doc->arena, tl_value_path(&root, "metadata", "continue", NULL), "");
    free(watch->next_page);
    watch->next_page = *more ? tl_strdup(more) : NULL;
    if (!watch->next_page) {
        tl_tracker_list_end(watch->tracker, version);
        watch->stale_lists = 0;
        tl_value *mark = tl_value_path(&root, "metadata", NULL);
        if (!watch->listed && mark) on_event(watch, "BOOKMARK", root, doc);
        watch->listed = 1;
    }
out:
    tl_doc_drop(doc);
    return rc;
}

static void on_page(tl_k8s_call *call, void *data)
{
    tl_k8s_watch *watch = data;
    tl_error why = {0}, *failure = tl_k8s_call_error(call);
    if (failure) tl_error_move(&why, failure);
    int failed = failure || take_page(watch, &why);
    tl_k8s_call_free(call);
    watch->call = NULL;
    if (failed) {
        recover(watch, &why);
        return;
    }
    watch->attempts = 0;
    watch->held = queue_full(watch);
    if (!watch->held) proceed(watch);
}

/* ---- the stream ---- */

static int on_line(void *data, const char *line, size_t length, int whole)
{
    tl_k8s_watch *watch = data;
    if (!whole)
        return tl_error_set(&watch->error, "too_large", "the server sent a watch event of over %zu MiB",
                            LINE_LIMIT >> 20);
    watch->line_bytes = length;
    int rc = tl_tracker_line(watch->tracker, line, length, &watch->error);
    watch->expired = rc == 1;
    return rc ? -1 : 0;
}

static int on_stream_body(tl_k8s_call *call, const char *bytes, size_t length, void *data)
{
    tl_k8s_watch *watch = data;
    (void)call;
    if (queue_full(watch)) {
        watch->held = 1;
        return TL_HTTP_PAUSE;
    }
    watch->attempts = 0;
    return tl_lines_feed(&watch->lines, bytes, length) ? -1 : 0;
}

static void on_stream_done(tl_k8s_call *call, void *data)
{
    tl_k8s_watch *watch = data;
    tl_error why = {0}, *failure = tl_k8s_call_error(call);
    if (watch->error.message)
        tl_error_move(&why, &watch->error); /* what a line said counts before the broken transfer */
    else if (watch->expired)
        tl_error_set(&why, "gone", "the watch's version has expired");
    else if (failure)
        tl_error_move(&why, failure);
    else if (watch->lines.rest.len)
        tl_error_set(&why, "closed", "the watch ended within an event");
    tl_lines_reset(&watch->lines);
    tl_k8s_call_free(call);
    watch->call = NULL;
    watch->held = watch->expired = 0;
    if (why.message) {
        recover(watch, &why);
        return;
    }
    /* the server's own end of the stream; one that ends at once again and again is trouble all the same */
    if (tl_loop_now(tl_k8s_loop(watch->client)) - watch->opened > 1000) watch->attempts = 0;
    try_later(watch);
}

/* ---- what comes next ---- */

static void add_selectors(const tl_k8s_watch *watch, tl_buf *path)
{
    tl_k8s_query(path, "labelSelector", watch->options.labels);
    tl_k8s_query(path, "fieldSelector", watch->options.fields);
}

static int build(tl_k8s_watch *watch, tl_buf *path, tl_error *err)
{
    const tl_k8s_watch_options *options = &watch->options;
    const char *namespace = options->namespace ? options->namespace : tl_k8s_namespace(watch->client);
    return tl_k8s_path(path, watch->resource, options->all_namespaces ? NULL : namespace, NULL, NULL, err);
}

/* Asks for the next page of the list, or opens the stream where the list is complete. */
static int ask(tl_k8s_watch *watch, tl_error *err)
{
    const char *version = tl_tracker_version(watch->tracker);
    tl_buf path = TL_BUF_INIT(SIZE_MAX);
    if (build(watch, &path, err)) goto out;
    tl_k8s_request request = {.on_done = on_page, .data = watch};
    if (!version || watch->next_page) {
        if (!watch->next_page) tl_tracker_list_begin(watch->tracker);
        tl_k8s_query_int(&path, "limit", PAGE_ITEMS);
        tl_k8s_query(&path, "continue", watch->next_page);
        request.max_body = PAGE_LIMIT;
    } else {
        int seconds = STREAM_SECONDS + (int)(tl_k8s_random(watch->client) * STREAM_SECONDS / 3);
        tl_k8s_query(&path, "watch", "true");
        tl_k8s_query(&path, "allowWatchBookmarks", "true");
        tl_k8s_query(&path, "resourceVersion", version);
        tl_k8s_query_int(&path, "timeoutSeconds", seconds);
        watch->opened = tl_loop_now(tl_k8s_loop(watch->client));
        request.accept = watch->options.accept;
        request.once = 1;
        request.idle_ms = seconds * 1000 + SILENCE_MS;
        request.on_body = on_stream_body;
        request.on_done = on_stream_done;
    }
    add_selectors(watch, &path);
    request.path = path.data;
    watch->call = tl_k8s_start(watch->client, &request, err);
out:
    tl_buf_dispose(&path);
    return watch->call ? 0 : -1;
}

static void proceed(tl_k8s_watch *watch)
{
    tl_error why = {0};
    if (ask(watch, &why)) recover(watch, &why);
}

static void on_lookup(tl_lookup *lookup)
{
    tl_k8s_watch *watch = lookup->data;
    tl_error why = {0};
    watch->resource = lookup->found;
    if (lookup->failed) {
        fail(watch, &lookup->error);
    } else if (!lookup->found) {
        tl_no_such_kind(&watch->options.kind, &why);
        fail(watch, &why);
    } else {
        proceed(watch);
    }
}

static void copy_options(tl_k8s_watch *watch, const tl_k8s_watch_options *from)
{
    tl_arena *arena = watch->arena;
    tl_k8s_watch_options *to = &watch->options;
    *to = *from;
    const char **texts[] = {&to->kind.group, &to->kind.version, &to->kind.name,
                            &to->namespace,  &to->labels,       &to->fields, &to->accept};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i]) *texts[i] = tl_arena_strdup(arena, *texts[i]);
    to->resource_version = NULL; /* the tracker has its own copy */
}

tl_k8s_watch *tl_k8s_watch_start(tl_k8s *client, const tl_k8s_watch_options *options, tl_error *err)
{
    tl_k8s_watch *watch = tl_calloc(1, sizeof *watch);
    watch->client = client;
    watch->arena = tl_arena_new(0);
    copy_options(watch, options);
    watch->last = &watch->first;
    watch->tracker = tl_tracker_new(options->resource_version, on_event, watch);
    watch->listed = options->resource_version != NULL;
    tl_lines_init(&watch->lines, LINE_LIMIT, on_line, watch);
    watch->lookup = (tl_lookup){.ref = watch->options.kind, .on_done = on_lookup, .data = watch};
    int rc = tl_lookup_start(client, &watch->lookup, err);
    if (rc == 1 && !watch->lookup.found) rc = tl_no_such_kind(&watch->options.kind, err);
    if (rc == 1) {
        watch->resource = watch->lookup.found;
        rc = ask(watch, err);
    }
    if (rc >= 0) return watch;
    tl_k8s_watch_free(watch);
    return NULL;
}

void tl_k8s_watch_free(tl_k8s_watch *watch)
{
    if (!watch) return;
    tl_lookup_stop(&watch->lookup);
    tl_k8s_call_free(watch->call);
    tl_timer_stop(&watch->retry);
    for (queued *item = watch->first, *next; item; item = next) {
        next = item->next;
        tl_doc_drop(item->event.doc);
        free(item);
    }
    tl_tracker_free(watch->tracker);
    tl_lines_dispose(&watch->lines);
    tl_error_dispose(&watch->error);
    free(watch->next_page);
    tl_arena_free(watch->arena);
    free(watch);
}
