#ifndef TL_K8S_DISCOVERY_H
#define TL_K8S_DISCOVERY_H

#include "k8s/client.h"
#include "k8s/path.h"

/* What a kind of the caller's is on this server. Only what is asked for is fetched, and kept for the client's life:
 * one group's version at a time where the group is known (built-in kinds are), else one aggregated document of all. A
 * name that a kept answer does not have is looked up once more on the server before it counts as absent. */

/* A parsed reference to a kind; strings live in the arena given to tl_kind_parse. */
typedef struct tl_kind_ref {
    const char *group;   /* NULL: any */
    const char *version; /* NULL: the server's preferred one */
    const char *name;    /* kind, plural, singular or short name, letter case as given */
} tl_kind_ref;

/* "pods", "Pod", "po", "deployments.apps", "deployments.v1.apps", "apps/v1/Deployment", "v1/Pod". Kind "usage" for
 * anything else. */
int tl_kind_parse(tl_arena *arena, const char *text, tl_kind_ref *out, tl_error *err);
/* From an object's apiVersion and kind. */
int tl_kind_of_object(tl_arena *arena, const char *api_version, const char *kind, tl_kind_ref *out, tl_error *err);

/* A look-up; lives in the caller, zeroed, must be stopped before it goes. */
typedef struct tl_lookup {
    tl_k8s *client;
    tl_kind_ref ref;
    const tl_k8s_resource *found; /* lives as long as the client; NULL: the server has none such */
    tl_error error;
    int failed;
    void (*on_done)(struct tl_lookup *lookup);
    void *data;
    /* its own */
    tl_k8s_call *call;
    tl_arena *arena;             /* paths, and the groups of a server without aggregated discovery */
    const char *group, *version; /* of the list that is being fetched; NULL: all groups */
    int stage, preferred;
    const tl_list *groups;
    size_t next_group;
} tl_lookup;

/* 1: lookup->found is set at once; 0: on_done will come; -1. The ref's strings must live until the end. */
int tl_lookup_start(tl_k8s *client, tl_lookup *lookup, tl_error *err);
void tl_lookup_stop(tl_lookup *lookup);

#endif
