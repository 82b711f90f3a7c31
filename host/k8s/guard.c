/* Tells reads from writes. */
#include "k8s/guard.h"

#include <string.h>

#include "base/buf.h"

#define MAX_PATH 16384
#define MAX_SEGMENTS 64

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The path without its query, percent-decoded. Control characters are refused: no name has them, and they could end a
 * comparison or a request line early. */
static int decode(tl_buf *out, const char *path, tl_error *err)
{
    for (const char *c = path; *c && *c != '?'; c++) {
        int byte = (unsigned char)*c;
        if (byte == '%') {
            int high = hex(c[1]), low = high < 0 ? -1 : hex(c[2]);
            if (low < 0) return tl_error_set(err, "usage", "bad escape in the path %s", path);
            byte = high * 16 + low;
            c += 2;
        }
        if (byte < 32 || byte == 127 || byte == '#')
            return tl_error_set(err, "usage", "bad character in the path %s", path);
        tl_buf_addc(out, (char)byte);
    }
    return out->over ? tl_error_set(err, "usage", "the path is too long") : 0;
}

/* Cuts the decoded path at its slashes; empty segments are dropped. Returns the count or -1. */
static int split(char *path, const char **segments, tl_error *err)
{
    int count = 0;
    char *save = NULL;
    for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
            return tl_error_set(err, "usage", "the path must not contain \"%s\"", part);
        if (count == MAX_SEGMENTS) return tl_error_set(err, "usage", "the path has too many segments");
        segments[count++] = part;
    }
    return count;
}

static int one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0) return 1;
    return 0;
}

/* Skips the prefix up to the resource, as the server's RequestInfoFactory does; the index of the resource's plural, or
 * -1 for a path outside the resources. */
static int resource_index(const char *const *part, int count)
{
    static const char *const own[] = {"status", "finalize", NULL}; /* subresources of a namespace */
    int i;
    if (count >= 2 && strcmp(part[0], "api") == 0)
        i = 2;
    else if (count >= 3 && strcmp(part[0], "apis") == 0)
        i = 3;
    else
        return -1;
    if (i < count && (strcmp(part[i], "watch") == 0 || strcmp(part[i], "proxy") == 0)) i++;
    if (i + 2 < count && strcmp(part[i], "namespaces") == 0 && !one_of(part[i + 2], own)) i += 2;
    return i < count ? i : -1;
}

static int acts_with_get(const char *const *part, int count)
{
    static const char *const acting[] = {"exec", "attach", "portforward", "proxy", NULL};
    int prefix = count && strcmp(part[0], "apis") == 0 ? 3 : 2;
    if (prefix < count && strcmp(part[prefix], "proxy") == 0) return 1; /* the old prefix form */
    int i = resource_index(part, count);
    return i >= 0 && i + 2 < count && one_of(part[i + 2], acting);
}

static int is_review(const char *const *part, int count)
{
    static const char *const reviews[] = {"selfsubjectaccessreviews",
                                          "selfsubjectrulesreviews",
                                          "subjectaccessreviews",
                                          "localsubjectaccessreviews",
                                          "tokenreviews",
                                          "selfsubjectreviews",
                                          NULL};
    int i = resource_index(part, count);
    if (i < 3 || i + 1 != count || strcmp(part[0], "apis") != 0) return 0;
    if (strcmp(part[1], "authorization.k8s.io") != 0 && strcmp(part[1], "authentication.k8s.io") != 0) return 0;
    return one_of(part[i], reviews);
}

int tl_k8s_is_read(const char *method, const char *path, tl_error *err)
{
    int rc = -1;
    const char *segments[MAX_SEGMENTS];
    tl_buf decoded = TL_BUF_INIT(MAX_PATH);
    if (path[0] != '/') {
        tl_error_set(err, "usage", "the path \"%s\" does not start with a slash", path);
        goto out;
    }
    if (decode(&decoded, path, err)) goto out;
    int count = split(decoded.data, segments, err);
    if (count < 0) goto out;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        rc = !acts_with_get(segments, count);
    else
        rc = strcmp(method, "POST") == 0 && is_review(segments, count);
out:
    tl_buf_dispose(&decoded);
    return rc;
}
