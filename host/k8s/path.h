#ifndef TL_K8S_PATH_H
#define TL_K8S_PATH_H

#include "base/buf.h"
#include "base/error.h"

/* One resource type of the server. */
typedef struct tl_k8s_resource {
    const char *group; /* "" for the core group */
    const char *version;
    const char *kind;
    const char *plural;
    const char *singular;           /* may be "" */
    const char *const *short_names; /* NULL-ended */
    int namespaced;
} tl_k8s_resource;

/* Appends "/api/v1/namespaces/NS/pods/NAME/SUB" (each part escaped). `namespace` is left out for resources without
 * one, and where it is NULL (all namespaces); `name` and `subresource` may be NULL. Kind "usage" for a name that
 * cannot be a path segment (empty, ".", "..", or with a slash or percent sign, as the server refuses them). */
int tl_k8s_path(tl_buf *out, const tl_k8s_resource *resource, const char *namespace, const char *name,
                const char *subresource, tl_error *err);

/* Appends "?key=value" or "&key=value", the value escaped; nothing where the value is NULL. */
void tl_k8s_query(tl_buf *out, const char *key, const char *value);
void tl_k8s_query_int(tl_buf *out, const char *key, long long value);

/* Appends the bytes percent-encoded as one path segment or query value (RFC 3986 unreserved characters stay). */
void tl_k8s_escape(tl_buf *out, const char *text);

#endif
