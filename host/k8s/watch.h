#ifndef TL_K8S_WATCH_H
#define TL_K8S_WATCH_H

#include "k8s/discovery.h"
#include "k8s/tracker.h"

/* Follows the objects of one kind: lists them in pages, then watches from that list's version on, reconnects with a
 * jittered back-off, lists again where the version has expired. What the consumer gets has no gap and no double. A
 * consumer that does not keep up makes the server wait: at most some MiB are queued. */
typedef struct tl_k8s_watch tl_k8s_watch;

typedef struct tl_k8s_watch_options {
    tl_kind_ref kind;
    const char *namespace; /* NULL: the client's */
    int all_namespaces;
    const char *labels, *fields;  /* selectors, or NULL */
    const char *resource_version; /* where to start; NULL: with the present objects as ADDED */
    const char *accept; /* media type of the objects, such as a Table's, or NULL; goes with a resource_version */
    int managed_fields;           /* keep the objects' metadata.managedFields */
    int bookmarks;                /* deliver BOOKMARK events too; the first one stands at the end of the first list */
    void (*on_ready)(tl_k8s_watch *watch, void *data); /* something to take, or the end */
    void *data;
} tl_k8s_watch_options;

typedef struct tl_k8s_event {
    const char *type;
    tl_value object;
    tl_doc *doc; /* owns the object; drop it */
} tl_k8s_event;

/* Copies the options. NULL and *err where the request is refused at once. */
tl_k8s_watch *tl_k8s_watch_start(tl_k8s *client, const tl_k8s_watch_options *options, tl_error *err);
void tl_k8s_watch_free(tl_k8s_watch *watch);
/* 1 and *event; 0: nothing now, on_ready will come; -1: the watch has failed for good (a failure before the first
 * list; refused for over a minute; a version that is too old). */
int tl_k8s_watch_next(tl_k8s_watch *watch, tl_k8s_event *event, tl_error *err);

#endif
