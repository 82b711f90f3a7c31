#ifndef TL_K8S_OVERRIDE_H
#define TL_K8S_OVERRIDE_H

#include "k8s/kubeconfig.h"

/* What a command line says in place of the kubeconfig (client-go tools/clientcmd, ConfigOverrides); NULL where it says
 * nothing. */
typedef struct tl_kube_override {
    const char *server;
    const char *ca_pem;      /* this or `insecure` takes the place of all that the kubeconfig says of trust */
    const char *server_name; /* that of the kubeconfig goes with its server */
    const char *cert_pem, *key_pem; /* of the client */
    const char *token;
    const char *username, *password;
    const char *as, *as_uid;
    const char *const *as_groups; /* ends with NULL */
    int insecure;
} tl_kube_override;

/* Changes *target; strings are copied into the arena. */
int tl_kube_override_apply(const tl_kube_override *override, tl_arena *arena, tl_kube_target *target, tl_error *err);

#endif
