#ifndef TL_K8S_LOGS_H
#define TL_K8S_LOGS_H

#include "k8s/client.h"

/* Reads the log of a container. While it follows, a broken connection is taken up again where it ended, by the
 * timestamps of the lines, without a gap and without doubles, also where the container has started anew meanwhile; it
 * ends when the container has. A reader that does not keep up makes the server wait. */
typedef struct tl_k8s_logs tl_k8s_logs;

typedef struct tl_k8s_logs_options {
    const char *namespace;       /* NULL: the client's */
    const char *pod, *container; /* container NULL: the only one, or the pod's default */
    int follow, previous, timestamps;
    int64_t tail;                                    /* lines, -1: all */
    int64_t since_s;                                 /* seconds, 0: all */
    const char *since_time;                          /* RFC 3339, NULL: all */
    const char *prefix;                              /* in front of each line, or NULL */
    int64_t limit;                                   /* bytes, 0: all */
    void (*on_ready)(tl_k8s_logs *logs, void *data); /* bytes to take, or the end */
    void *data;
} tl_k8s_logs_options;

/* Copies the options. NULL and *err where the request is refused at once. */
tl_k8s_logs *tl_k8s_logs_start(tl_k8s *client, const tl_k8s_logs_options *options, tl_error *err);
void tl_k8s_logs_free(tl_k8s_logs *logs);
/* What has come: 1 and the bytes, which are whole lines while it follows; 0: nothing new beyond `seen` bytes, on_ready
 * will come; 2: the end, with the bytes that are left (possibly none); -1: it failed, and everything before is taken.
 */
int tl_k8s_logs_peek(tl_k8s_logs *logs, size_t seen, const char **bytes, size_t *length, tl_error *err);
/* How often lines may be missing: the connection was broken while the node put a full file away, or while the container
 * ran more than once. */
size_t tl_k8s_logs_gaps(const tl_k8s_logs *logs);
void tl_k8s_logs_consume(tl_k8s_logs *logs, size_t length);

#endif
