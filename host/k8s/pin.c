/* The decision whether a request may be sent. */
#include "k8s/pin.h"

#include <string.h>

#include "data/json.h"
#include "k8s/client_internal.h"
#include "k8s/guard.h"

int tl_k8s_allowed(const tl_k8s *client, const char *method, const char *path, const char *what, tl_error *err)
{
    if (client->closed) return tl_error_set(err, "closed", "the client was closed");
    int read = tl_k8s_is_read(method, path, err);
    if (read || !client->read_only) return read;
    return tl_error_set(err, "read_only", "%s was not sent: %s", what, client->read_only);
}

int tl_k8s_check_identity(const tl_k8s *client, const char *body, size_t length, const char *what, tl_error *err)
{
    tl_value root = tl_null();
    tl_arena *arena = tl_arena_new(0);
    int rc = tl_json_parse(arena, body, length, NULL, &root, err);
    if (rc) goto out;
    const char *uid = tl_value_text(arena, tl_value_path(&root, "metadata", "uid", NULL), "");
    if (strcmp(uid, client->pin) == 0) goto out;
    rc = tl_error_set(err, "wrong_cluster", "%s was not sent: %s is the cluster %s now, not the one of this run (%s)",
                      what, client->target.server, *uid ? uid : "of no UID", client->pin);
    tl_error_hint(err, "the context \"%s\" points to another cluster than before: switch back, or start a new run",
                  client->target.context);
out:
    tl_arena_free(arena);
    return rc;
}
