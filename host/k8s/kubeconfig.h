#ifndef TL_K8S_KUBECONFIG_H
#define TL_K8S_KUBECONFIG_H

#include <stddef.h>

#include "base/error.h"
#include "data/value.h"

/* Kubeconfig files merged as kubectl merges them (client-go tools/clientcmd): $KUBECONFIG is a list, missing files of
 * it are passed over, the first file that names a cluster, user or context decides on all of it, and the first
 * current-context wins. Relative paths are relative to the file that holds them. */
typedef struct tl_kubeconfig tl_kubeconfig;

typedef struct tl_kubeconfig_options {
    const char *path;                /* exactly this file instead of $KUBECONFIG or ~/.kube/config, or NULL */
    const char *service_account_dir; /* of a pod; NULL: /var/run/secrets/kubernetes.io/serviceaccount */
} tl_kubeconfig_options;

/* Which context, and what is taken in place of what it names; NULL: as the kubeconfig has it. */
typedef struct tl_kube_choice {
    const char *context; /* NULL: current-context */
    const char *cluster, *user;
} tl_kube_choice;

/* Who speaks. Strings live in the kubeconfig's arena; NULL where not given. */
typedef struct tl_kube_auth {
    const char *token, *token_file; /* a readable file wins over the token and is read again when it changes */
    const char *username, *password;
    const char *cert_pem, *key_pem;
    const char *as, *as_uid; /* impersonation */
    const tl_list *as_groups;
    const tl_map *as_extra;
    const tl_map *exec;          /* the credential plugin's settings */
    const tl_value *exec_config; /* the cluster's extension for it */
    const char *exec_dir;        /* folder of the file that holds it: a command with a slash is relative to it */
} tl_kube_auth;

/* What a context resolves to, read once; certificate files are loaded into memory. */
typedef struct tl_kube_target {
    const char *context, *cluster, *user;
    const char *namespace;   /* never NULL: "default" where the context has none */
    const char *server;      /* URL without a final slash */
    const char *ca_pem;      /* or NULL: the system's authorities */
    const char *ca_sha256;   /* hex, of the DER of all certificates in ca_pem; NULL without ca_pem */
    const char *server_name; /* or NULL */
    const char *proxy;       /* or NULL: the environment's */
    int insecure;
    tl_kube_auth auth;
} tl_kube_target;

/* Reads and merges. Where no file exists and the program runs in a pod, the pod's service account becomes the context
 * "in-cluster". Kind "not_found" with a hint where there is neither; "parse" names file, line and column. */
tl_kubeconfig *tl_kubeconfig_load(const tl_kubeconfig_options *options, tl_error *err);
void tl_kubeconfig_free(tl_kubeconfig *config);

/* Fills *out; everything in it lives as long as the kubeconfig. With a cluster chosen there need be no context. */
int tl_kubeconfig_target(tl_kubeconfig *config, tl_kube_choice choice, tl_kube_target *out, tl_error *err);

/* Names of the contexts in order, an array that lives as long as the kubeconfig. */
const char *const *tl_kubeconfig_contexts(tl_kubeconfig *config, size_t *count);
/* NULL where none is set. */
const char *tl_kubeconfig_current(const tl_kubeconfig *config);
/* As tl_kubeconfig_target, but for showing: credentials are not read, and a dangling reference, a missing server or an
 * unreadable CA leave their fields NULL instead of failing. Returns 0, or -1 where there is no such context. */
int tl_kubeconfig_describe(tl_kubeconfig *config, const char *context, tl_kube_target *out);

#endif
