#ifndef TL_K8S_CLIENT_INTERNAL_H
#define TL_K8S_CLIENT_INTERNAL_H

#include "k8s/client.h"
#include "k8s/credentials.h"

/* What the files of this folder share that act for the client; nobody else includes it. */
struct tl_discovery;
struct tl_upgrade;

/* More connections than a client keeps open at once; the oldest are forgotten, and proven again. */
#define TL_K8S_PROVEN 32

struct tl_k8s {
    tl_loop *loop;
    tl_net *net;
    tl_kubeconfig *config; /* or NULL: where a server was given, none is needed */
    tl_arena *arena;       /* of what was given in its place */
    tl_kube_target target;
    tl_credentials *credentials;
    char *namespace, *user_agent;
    int64_t timeout_ms;
    int closed, trace;
    char *read_only; /* why, or NULL */
    char *pin;       /* the UID, or NULL */
    /* local ports of the connections over which the live UID was the pinned one */
    unsigned short proven[TL_K8S_PROVEN];
    int proven_count, proven_next;
    char *last_warning; /* of the server, so that each is logged once in a row */
    unsigned random;
    tl_k8s_call *calls;             /* those that run */
    struct tl_upgrade *upgrades;    /* connections that are streams, or will be */
    struct tl_discovery *discovery; /* made on first use by discovery.c */
};

/* Ends a running call: without calling back (its client goes), or with kind "closed". */
void tl_k8s_call_detach(tl_k8s_call *call);
void tl_k8s_call_abort(tl_k8s_call *call);
/* The same for an upgraded connection. */
void tl_upgrade_detach(struct tl_upgrade *upgrade);
void tl_upgrade_abort(struct tl_upgrade *upgrade);
/* Where the client is to tell its answers: this one, to a request that was sent at `since` of the loop's clock. */
void tl_k8s_trace(const tl_k8s *client, const char *method, const char *path, int status, int64_t since);
/* A number in [0, 1). */
double tl_k8s_random(tl_k8s *client);
void tl_discovery_free(struct tl_discovery *discovery);

#endif
