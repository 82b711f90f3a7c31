/* Requests to resources named by their kind. */
#include "k8s/verb.h"

#include <string.h>

#define PATH_LIMIT ((size_t)64 << 10)

int tl_no_such_kind(const tl_kind_ref *ref, tl_error *err)
{
    const char *group = ref->group ? ref->group : "", *version = ref->version ? ref->version : "";
    tl_error_set(err, "not_found", "the server has no resource type \"%s%s%s%s%s\"", group, *group ? "/" : "", version,
                 *version ? "/" : "", ref->name);
    tl_error_hint(err, "check the spelling, or install its CustomResourceDefinition first");
    return -1;
}

static void fail(tl_verb *verb, tl_error *why)
{
    tl_error_move(&verb->error, why);
    verb->failed = 1;
    verb->on_done(verb);
}

static void on_answer(tl_k8s_call *call, void *data)
{
    tl_verb *verb = data;
    tl_error *failure = tl_k8s_call_error(call);
    if (failure)
        fail(verb, failure);
    else
        verb->on_done(verb);
}

static int send(tl_verb *verb, tl_error *err)
{
    tl_k8s *client = verb->lookup.client;
    int rc = -1;
    tl_buf path = TL_BUF_INIT(PATH_LIMIT);
    if (!verb->lookup.found) {
        tl_no_such_kind(&verb->ref, err);
        goto out;
    }
    verb->resource = verb->lookup.found;
    const char *namespace = verb->all_namespaces ? NULL : verb->namespace ? verb->namespace : tl_k8s_namespace(client);
    if (tl_k8s_path(&path, verb->resource, namespace, verb->name, verb->subresource, err)) goto out;
    if (verb->query && *verb->query) tl_buf_addf(&path, "?%s", verb->query);
    if (path.over) {
        tl_error_set(err, "usage", "the path and query of the request are too long");
        goto out;
    }
    const tl_k8s_request request = {.method = verb->method,
                                    .path = path.data,
                                    .body = verb->body,
                                    .body_len = verb->body_len,
                                    .content_type = verb->content_type,
                                    .accept = verb->accept,
                                    .timeout_ms = verb->timeout_ms,
                                    .on_done = on_answer,
                                    .data = verb};
    verb->call = tl_k8s_start(client, &request, err);
    rc = verb->call ? 0 : -1;
out:
    tl_buf_dispose(&path);
    return rc;
}

static void on_lookup(tl_lookup *lookup)
{
    tl_verb *verb = lookup->data;
    tl_error why = {0};
    if (lookup->failed)
        fail(verb, &lookup->error);
    else if (send(verb, &why))
        fail(verb, &why);
}

int tl_verb_start(tl_k8s *client, tl_verb *verb, tl_error *err)
{
    verb->lookup = (tl_lookup){.ref = verb->ref, .on_done = on_lookup, .data = verb};
    int rc = tl_lookup_start(client, &verb->lookup, err);
    return rc <= 0 ? rc : send(verb, err);
}

void tl_verb_stop(tl_verb *verb)
{
    tl_lookup_stop(&verb->lookup);
    tl_k8s_call_free(verb->call);
    verb->call = NULL;
    tl_error_dispose(&verb->error);
    verb->failed = 0;
    verb->resource = NULL;
}
