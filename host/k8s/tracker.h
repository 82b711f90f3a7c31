#ifndef TL_K8S_TRACKER_H
#define TL_K8S_TRACKER_H

#include "base/error.h"
#include "data/value.h"

/* The memory of a watch: which objects the consumer has been told of, in which version. It turns lists and watch
 * events into the events that the consumer lacks, so that nothing is lost or doubled over a reconnection or a new
 * list. No input or output of its own. */
typedef struct tl_tracker tl_tracker;

/* A parsed document shared by the events made of it. */
typedef struct tl_doc {
    tl_arena *arena;
    int refs;
} tl_doc;
tl_doc *tl_doc_new(size_t limit); /* one reference, the caller's */
void tl_doc_keep(tl_doc *doc);
void tl_doc_drop(tl_doc *doc);

/* `type` is "ADDED", "MODIFIED", "DELETED" or "BOOKMARK"; the receiver keeps `doc` for as long as it needs `object`. */
typedef void tl_tracker_emit(void *data, const char *type, tl_value object, tl_doc *doc);

/* `resource_version`: the consumer knows everything up to here; NULL: it knows nothing, and a list comes first. */
tl_tracker *tl_tracker_new(const char *resource_version, tl_tracker_emit *emit, void *data);
void tl_tracker_free(tl_tracker *tracker);

/* A list in pages: begin (again, where a page failed), every item, end with the list's resourceVersion. Objects that
 * are gone since are reported as DELETED with what is known of them (apiVersion, kind, name, namespace, uid, last
 * resourceVersion). `api_version` and `kind` are filled into items, which lack them in lists. */
void tl_tracker_list_begin(tl_tracker *tracker);
void tl_tracker_list_item(tl_tracker *tracker, const char *api_version, const char *kind, tl_value item, tl_doc *doc);
void tl_tracker_list_end(tl_tracker *tracker, const char *resource_version);
/* Whether a list of this version is older than what the consumer was told: a server that has just started may answer
 * from a cache that is behind, and what such a list lacks is not gone. */
int tl_tracker_list_is_stale(const tl_tracker *tracker, const char *resource_version);

/* One line of a watch stream. Returns 0; 1 where the version is too old and a new list is needed; -1 with the error of
 * an ERROR event or of a line that is no event. */
int tl_tracker_line(tl_tracker *tracker, const char *line, size_t length, tl_error *err);

/* Where to go on, or NULL while a list is needed. */
const char *tl_tracker_version(const tl_tracker *tracker);
/* The version is of no use any more. -1 with kind "gone" where the consumer's knowledge did not come from a list of
 * ours, so that a new one could not be compared with it. */
int tl_tracker_expire(tl_tracker *tracker, tl_error *err);
size_t tl_tracker_count(const tl_tracker *tracker);

#endif
