#ifndef TL_K8S_CLIENT_H
#define TL_K8S_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "k8s/kubeconfig.h"
#include "k8s/override.h"
#include "net/http.h"

/* One client: a cluster, a user, a namespace. Everything that reaches the server passes tl_k8s_start, which is where
 * the pin and the read-only mode are enforced. */
typedef struct tl_k8s tl_k8s;

typedef struct tl_k8s_options {
    tl_loop *loop;
    tl_net *net;
    const char *kubeconfig; /* path, or NULL: as kubectl finds it */
    tl_kube_choice choice;
    const char *namespace;  /* or NULL: the context's */
    tl_kube_override override;
    const char *user_agent; /* or NULL */
    int64_t timeout_ms;     /* of a plain request; 0: 30 s */
    int trace;              /* log each answer: method, URL, status, time */
} tl_k8s_options;

/* Reads the kubeconfig; no request yet. The loop and the net must outlive the client. */
tl_k8s *tl_k8s_new(const tl_k8s_options *options, tl_error *err);
/* Ends every call of the client without calling back. The calls themselves stay to be freed by their owners. */
void tl_k8s_free(tl_k8s *client);
/* Ends every call with kind "closed" (their on_done comes before this returns); later ones are refused. */
void tl_k8s_close(tl_k8s *client);
int tl_k8s_closed(const tl_k8s *client);

const tl_kube_target *tl_k8s_target(const tl_k8s *client);
const char *tl_k8s_namespace(const tl_k8s *client);
tl_loop *tl_k8s_loop(const tl_k8s *client);

/* From now on every request that is no read (see guard.h) is refused with kind "wrong_cluster" unless the UID of the
 * kube-system namespace is `uid`. The UID is read once over each connection before that connection carries a write, so
 * a server that took the other's address gets none. A second pin to another UID is refused with kind "usage": -1. */
int tl_k8s_pin(tl_k8s *client, const char *uid, tl_error *err);
/* From now on every request that is no read is refused with kind "read_only" and this reason. Cannot be undone. */
void tl_k8s_read_only(tl_k8s *client, const char *why);

/* One request, with its credentials, its proof of identity, its repetitions and its deadline. */
typedef struct tl_k8s_call tl_k8s_call;

typedef struct tl_k8s_request {
    const char *method; /* default GET */
    const char *path;   /* with its query, below the server's URL */
    const void *body;   /* copied */
    size_t body_len;
    const char *content_type; /* default application/json where there is a body */
    const char *accept;       /* default application/json */
    const tl_header *headers; /* more headers, copied */
    size_t header_count;
    int64_t timeout_ms; /* 0: the client's. Of a stream: until its headers have come */
    int64_t idle_ms;    /* of a stream: no byte for so long ends it; 0: never */
    size_t max_body;    /* 0: 256 MiB */
    int once;           /* never repeated by itself */
    /* A stream: the body of a 2xx answer goes here on a connection of its own (a refusal is collected as usual).
     * Returns 0, -1 to abort, or TL_HTTP_PAUSE. */
    int (*on_body)(tl_k8s_call *call, const char *bytes, size_t length, void *data);
    void (*on_done)(tl_k8s_call *call, void *data); /* once, never from within tl_k8s_start; may free the call */
    void *data;
} tl_k8s_request;

/* Starts a request. NULL and *err where it is refused at once. Free with tl_k8s_call_free (which cancels). GET and HEAD
 * are repeated at most four times where the server answers 429 or 5xx with Retry-After, and once after a connection
 * that was closed before the answer; nothing else is ever sent twice. */
tl_k8s_call *tl_k8s_start(tl_k8s *client, const tl_k8s_request *request, tl_error *err);
void tl_k8s_call_free(tl_k8s_call *call);
/* After on_done: NULL for a 2xx answer, else why not (the Status of the server, or the transfer's failure). */
tl_error *tl_k8s_call_error(tl_k8s_call *call);
int tl_k8s_call_status(const tl_k8s_call *call);
/* The collected body, owned by the call. */
const char *tl_k8s_call_body(const tl_k8s_call *call, size_t *length);
const char *tl_k8s_call_header(const tl_k8s_call *call, const char *name);
/* Goes on after TL_HTTP_PAUSE. */
void tl_k8s_call_resume(tl_k8s_call *call);

#endif
