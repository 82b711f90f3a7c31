/* Remembers what the consumer of a watch has been told. */
#include "k8s/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "k8s/status.h"

#define LINE_ARENA ((size_t)256 << 20)

/* One known object; the strings follow the struct. */
typedef struct known {
    struct known *next;
    unsigned hash, seen; /* seen: the number of the last list that had it */
    const char *namespace, *name, *uid, *version;
} known;

struct tl_tracker {
    tl_tracker_emit *emit;
    void *data;
    char *version; /* where to go on */
    char *newest;  /* that the consumer was told of; kept while `version` is NULL */
    int listed;    /* what is known came from a list of ours */
    unsigned list_number;
    known **buckets;
    size_t bucket_count, count;
    char *api_version, *kind; /* for objects that are reported after their end */
};

/* ---- documents ---- */

tl_doc *tl_doc_new(size_t limit)
{
    tl_doc *doc = tl_malloc(sizeof *doc);
    *doc = (tl_doc){tl_arena_new(limit), 1};
    return doc;
}

void tl_doc_keep(tl_doc *doc)
{
    doc->refs++;
}

void tl_doc_drop(tl_doc *doc)
{
    if (--doc->refs) return;
    tl_arena_free(doc->arena);
    free(doc);
}

/* ---- what is known ---- */

typedef struct identity {
    const char *namespace, *name, *uid, *version;
} identity;

/* A Table of the server stands for the object of its row. */
static identity identify(tl_arena *arena, const tl_value *object)
{
    const tl_value *rows = tl_value_path(object, "rows", NULL);
    if (rows && rows->type == TL_LIST && rows->as.list->len) object = tl_value_path(&rows->as.list->items[0], "object", NULL);
    const tl_value *meta = tl_value_path(object, "metadata", NULL);
    return (identity){tl_value_text(arena, tl_value_path(meta, "namespace", NULL), ""),
                      tl_value_text(arena, tl_value_path(meta, "name", NULL), ""),
                      tl_value_text(arena, tl_value_path(meta, "uid", NULL), ""),
                      tl_value_text(arena, tl_value_path(meta, "resourceVersion", NULL), "")};
}

static unsigned hash_of(const identity *id)
{
    unsigned hash = 2166136261u;
    for (const char *c = id->namespace; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    hash = (hash ^ '/') * 16777619u;
    for (const char *c = id->name; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash;
}

/* The link that points to the entry, or to the NULL where it would stand. */
static known **find(tl_tracker *tracker, const identity *id)
{
    unsigned hash = hash_of(id);
    known **at = &tracker->buckets[hash & (tracker->bucket_count - 1)];
    while (*at &&
           ((*at)->hash != hash || strcmp((*at)->name, id->name) != 0 || strcmp((*at)->namespace, id->namespace) != 0))
        at = &(*at)->next;
    return at;
}

static void grow(tl_tracker *tracker)
{
    size_t count = tracker->bucket_count * 2;
    known **buckets = tl_calloc(count, sizeof(known *));
    for (size_t i = 0; i < tracker->bucket_count; i++)
        for (known *entry = tracker->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            entry->next = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    free(tracker->buckets);
    tracker->buckets = buckets;
    tracker->bucket_count = count;
}

static char *put_text(char **room, const char *text)
{
    size_t size = strlen(text) + 1;
    char *at = memcpy(*room, text, size);
    *room += size;
    return at;
}

static void forget(tl_tracker *tracker, known **at)
{
    known *entry = *at;
    *at = entry->next;
    free(entry);
    tracker->count--;
}

/* Adds, or replaces what stands at `at`. */
static void remember(tl_tracker *tracker, known **at, const identity *id)
{
    if (*at) forget(tracker, at);
    size_t size = strlen(id->namespace) + strlen(id->name) + strlen(id->uid) + strlen(id->version) + 4;
    known *entry = tl_malloc(sizeof *entry + size);
    char *room = (char *)(entry + 1);
    entry->hash = hash_of(id);
    entry->seen = tracker->list_number;
    entry->namespace = put_text(&room, id->namespace);
    entry->name = put_text(&room, id->name);
    entry->uid = put_text(&room, id->uid);
    entry->version = put_text(&room, id->version);
    entry->next = *at;
    *at = entry;
    if (++tracker->count > tracker->bucket_count) grow(tracker);
}

/* Reports the end of an object of which only its identity is left. */
static void emit_end(tl_tracker *tracker, const known *entry)
{
    tl_doc *doc = tl_doc_new(0);
    tl_map *object = tl_map_new(doc->arena, 3), *meta = tl_map_new(doc->arena, 4);
    tl_map_sets(object, "apiVersion", tl_cstring(doc->arena, tracker->api_version ? tracker->api_version : ""));
    tl_map_sets(object, "kind", tl_cstring(doc->arena, tracker->kind ? tracker->kind : ""));
    tl_map_sets(meta, "name", tl_cstring(doc->arena, entry->name));
    if (*entry->namespace) tl_map_sets(meta, "namespace", tl_cstring(doc->arena, entry->namespace));
    tl_map_sets(meta, "uid", tl_cstring(doc->arena, entry->uid));
    tl_map_sets(meta, "resourceVersion", tl_cstring(doc->arena, entry->version));
    tl_map_sets(object, "metadata", tl_map_value(meta));
    tracker->emit(tracker->data, "DELETED", tl_map_value(object), doc);
    tl_doc_drop(doc);
}

static void set_text(char **to, const char *text)
{
    if (*to && strcmp(*to, text) == 0) return;
    free(*to);
    *to = tl_strdup(text);
}

/* Versions are numbers of any length; whatever else a server calls them is not compared. */
static int is_older(const char *a, const char *b)
{
    size_t x = strspn(a, "0123456789"), y = strspn(b, "0123456789");
    if (!x || a[x] || !y || b[y]) return 0;
    return x != y ? x < y : strcmp(a, b) < 0;
}

/* The object exists in this version: says so where the consumer does not know it, as `type` where it is new. */
static void note_present(tl_tracker *tracker, const identity *id, const char *type, tl_value object, tl_doc *doc)
{
    known **at = find(tracker, id);
    if (*at && strcmp((*at)->uid, id->uid) == 0) {
        (*at)->seen = tracker->list_number;
        if (strcmp((*at)->version, id->version) == 0) return;
        type = "MODIFIED";
    } else if (*at) {
        emit_end(tracker, *at); /* deleted and made again while nobody looked */
        type = "ADDED";
    }
    remember(tracker, at, id);
    tracker->emit(tracker->data, type, object, doc);
}

/* ---- lists ---- */

tl_tracker *tl_tracker_new(const char *resource_version, tl_tracker_emit *emit, void *data)
{
    tl_tracker *tracker = tl_calloc(1, sizeof *tracker);
    tracker->emit = emit;
    tracker->data = data;
    tracker->bucket_count = 64;
    tracker->buckets = tl_calloc(tracker->bucket_count, sizeof(known *));
    if (resource_version) tracker->version = tl_strdup(resource_version);
    return tracker;
}

void tl_tracker_free(tl_tracker *tracker)
{
    if (!tracker) return;
    for (size_t i = 0; i < tracker->bucket_count; i++)
        while (tracker->buckets[i]) forget(tracker, &tracker->buckets[i]);
    free(tracker->buckets);
    free(tracker->version);
    free(tracker->newest);
    free(tracker->api_version);
    free(tracker->kind);
    free(tracker);
}

void tl_tracker_list_begin(tl_tracker *tracker)
{
    tracker->list_number++;
}

void tl_tracker_list_item(tl_tracker *tracker, const char *api_version, const char *kind, tl_value item, tl_doc *doc)
{
    if (item.type != TL_MAP) return;
    identity id = identify(doc->arena, &item);
    set_text(&tracker->api_version, api_version);
    set_text(&tracker->kind, kind);
    tl_map *object = tl_map_new(doc->arena, item.as.map->count + 2);
    tl_map_sets(object, "apiVersion", tl_cstring(doc->arena, api_version));
    tl_map_sets(object, "kind", tl_cstring(doc->arena, kind));
    uint32_t cursor = 0;
    for (tl_entry *entry; (entry = tl_map_next(item.as.map, &cursor));)
        tl_map_set(object, entry->key, entry->key_len, entry->value);
    note_present(tracker, &id, "ADDED", tl_map_value(object), doc);
}

void tl_tracker_list_end(tl_tracker *tracker, const char *resource_version)
{
    for (size_t i = 0; i < tracker->bucket_count; i++)
        for (known **at = &tracker->buckets[i]; *at;) {
            if ((*at)->seen == tracker->list_number) {
                at = &(*at)->next;
                continue;
            }
            emit_end(tracker, *at);
            forget(tracker, at);
        }
    tracker->listed = 1;
    free(tracker->version);
    tracker->version = tl_strdup(resource_version);
    set_text(&tracker->newest, resource_version);
}

int tl_tracker_list_is_stale(const tl_tracker *tracker, const char *resource_version)
{
    return tracker->newest && is_older(resource_version, tracker->newest);
}

/* ---- events ---- */

static void note_event(tl_tracker *tracker, const char *type, tl_value object, tl_doc *doc)
{
    identity id = identify(doc->arena, &object);
    tl_arena *arena = doc->arena;
    if (*id.version) {
        set_text(&tracker->version, id.version);
        set_text(&tracker->newest, id.version);
    }
    if (strcmp(type, "BOOKMARK") == 0) {
        tracker->emit(tracker->data, "BOOKMARK", object, doc);
        return;
    }
    set_text(&tracker->api_version, tl_value_text(arena, tl_value_path(&object, "apiVersion", NULL), ""));
    set_text(&tracker->kind, tl_value_text(arena, tl_value_path(&object, "kind", NULL), ""));
    known **at = find(tracker, &id);
    if (strcmp(type, "DELETED") == 0) {
        int told = *at != NULL;
        if (told) forget(tracker, at);
        if (told || !tracker->listed) tracker->emit(tracker->data, "DELETED", object, doc);
        return;
    }
    /* Without a list of ours the server's word decides whether the consumer knows the object. */
    int modified = !tracker->listed && strcmp(type, "MODIFIED") == 0;
    note_present(tracker, &id, modified ? "MODIFIED" : "ADDED", object, doc);
}

int tl_tracker_line(tl_tracker *tracker, const char *line, size_t length, tl_error *err)
{
    if (!length) return 0;
    int rc = -1;
    tl_doc *doc = tl_doc_new(LINE_ARENA);
    const tl_json_options options = {.name = "watch event"};
    tl_value event;
    if (tl_json_parse(doc->arena, line, length, &options, &event, err)) goto out;
    const tl_value *object = tl_value_path(&event, "object", NULL);
    const char *type = tl_value_text(doc->arena, tl_value_path(&event, "type", NULL), "");
    if (!object || object->type != TL_MAP) {
        tl_error_set(err, "parse", "the server sent a line that is no watch event");
    } else if (strcmp(type, "ERROR") == 0) {
        tl_error why = {0};
        tl_k8s_status_value(object, &why);
        rc = strcmp(why.kind, "gone") == 0 ? 1 : -1;
        if (rc < 0) tl_error_move(err, &why);
        tl_error_dispose(&why);
    } else {
        note_event(tracker, type, *object, doc);
        rc = 0;
    }
out:
    tl_doc_drop(doc);
    return rc;
}

const char *tl_tracker_version(const tl_tracker *tracker)
{
    return tracker->version;
}

int tl_tracker_expire(tl_tracker *tracker, tl_error *err)
{
    if (!tracker->listed) {
        tl_error_set(err, "gone", "the resource version %s is too old to watch from",
                     tracker->version ? tracker->version : "");
        tl_error_hint(err, "list again, or watch without resource_version");
        return -1;
    }
    free(tracker->version);
    tracker->version = NULL;
    return 0;
}

size_t tl_tracker_count(const tl_tracker *tracker)
{
    return tracker->count;
}
