#ifndef TL_K8S_VERB_H
#define TL_K8S_VERB_H

#include "k8s/discovery.h"

/* One request to one resource: finds out what the kind is called, builds the path, sends. Lives in the caller, zeroed;
 * every string it is given must live until it is stopped. */
typedef struct tl_verb {
    tl_kind_ref ref;
    const char *method;
    const char *namespace; /* NULL: the client's */
    int all_namespaces;
    const char *name, *subresource; /* or NULL */
    const char *query;              /* "a=b&c=d" escaped, or NULL */
    const void *body;
    size_t body_len;
    const char *content_type, *accept;
    int64_t timeout_ms;
    void (*on_done)(struct tl_verb *verb);
    void *data;
    /* the outcome */
    const tl_k8s_resource *resource;
    tl_k8s_call *call; /* with its answer */
    tl_error error;
    int failed;
    /* its own */
    tl_lookup lookup;
} tl_verb;

/* 0: on_done will come; -1: it will not. */
int tl_verb_start(tl_k8s *client, tl_verb *verb, tl_error *err);
/* Cancels if needed and frees what it holds; may be started again after changing its fields. */
void tl_verb_stop(tl_verb *verb);
/* The error for a kind that the server does not have. Returns -1. */
int tl_no_such_kind(const tl_kind_ref *ref, tl_error *err);

#endif
