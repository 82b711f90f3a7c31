/* Builds the server paths of resources. */
#include "k8s/path.h"

#include <string.h>

void tl_k8s_escape(tl_buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~", *c))
            tl_buf_addc(out, (char)*c);
        else
            tl_buf_addf(out, "%%%02X", *c);
    }
}

static int segment(tl_buf *out, const char *what, const char *text, tl_error *err)
{
    if (!*text) return tl_error_set(err, "usage", "the %s is empty", what);
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || strpbrk(text, "/%"))
        return tl_error_set(err, "usage", "\"%s\" cannot be a %s", text, what);
    tl_buf_addc(out, '/');
    tl_k8s_escape(out, text);
    return 0;
}

int tl_k8s_path(tl_buf *out, const tl_k8s_resource *resource, const char *namespace, const char *name,
                const char *subresource, tl_error *err)
{
    if (*resource->group)
        tl_buf_addf(out, "/apis/%s/%s", resource->group, resource->version);
    else
        tl_buf_addf(out, "/api/%s", resource->version);
    if (resource->namespaced && namespace) {
        tl_buf_adds(out, "/namespaces");
        if (segment(out, "namespace", namespace, err)) return -1;
    }
    tl_buf_addf(out, "/%s", resource->plural);
    if (name && segment(out, "name", name, err)) return -1;
    if (subresource) {
        if (!name) return tl_error_set(err, "usage", "a subresource needs a name");
        if (segment(out, "subresource", subresource, err)) return -1;
    }
    return 0;
}

void tl_k8s_query(tl_buf *out, const char *key, const char *value)
{
    if (!value) return;
    tl_buf_addc(out, strchr(out->data, '?') ? '&' : '?');
    tl_buf_adds(out, key);
    tl_buf_addc(out, '=');
    tl_k8s_escape(out, value);
}

void tl_k8s_query_int(tl_buf *out, const char *key, long long value)
{
    tl_buf_addf(out, "%c%s=%lld", strchr(out->data, '?') ? '&' : '?', key, value);
}
