#ifndef TL_K8S_GUARD_H
#define TL_K8S_GUARD_H

#include "base/error.h"

/* Decides what a request may do to the cluster, from its method and path alone, so that nothing above the client can
 * call a write a read. Reads: GET and HEAD (get, list, watch, logs, discovery), but not of the subresources exec,
 * attach, portforward and proxy, which act on pods with GET; and POST to the review APIs of authentication.k8s.io and
 * authorization.k8s.io, which only ask. The path is judged as the server decodes it. Returns 1 for a read, 0 for a
 * write, -1 with kind "usage" for a path that is not plain (no leading slash, "." or ".." segments, bad escapes). */
int tl_k8s_is_read(const char *method, const char *path, tl_error *err);

#endif
