#ifndef TL_K8S_CREDENTIALS_H
#define TL_K8S_CREDENTIALS_H

#include "base/error.h"
#include "k8s/kubeconfig.h"
#include "loop/loop.h"

/* What proves who we are, kept fresh: a token's file is read again when it changes, a credential plugin runs again when
 * its answer expires. */
typedef struct tl_credentials tl_credentials;

/* What a request takes along; borrowed until the next call of tl_credentials_get. NULL where there is none. */
typedef struct tl_credential {
    const char *token;
    const char *username, *password;
    const char *cert_pem, *key_pem;
    unsigned answer; /* the number of the plugin's answer, 0: it is not from a plugin */
} tl_credential;

/* A request that waits for a plugin: lives in the caller, zeroed, on_ready set; taken out by tl_credentials_forget. */
typedef struct tl_credential_wait {
    void (*on_ready)(struct tl_credential_wait *wait); /* ask tl_credentials_get again */
    void *data;
    struct tl_exec_plugin *of; /* while it waits */
    int for_people;            /* the plugin has the terminal: no deadline of the request counts meanwhile */
    struct tl_credential_wait *next;
} tl_credential_wait;

/* The target must outlive the credentials. */
tl_credentials *tl_credentials_new(tl_loop *loop, const tl_kube_target *target);
void tl_credentials_free(tl_credentials *credentials);
/* Ends a plugin that runs; nobody may wait for it any more. */
void tl_credentials_close(tl_credentials *credentials);

/* 1 and *out filled; 0: a plugin runs and wait->on_ready will come; -1 where there can be no credentials. */
int tl_credentials_get(tl_credentials *credentials, tl_credential *out, tl_credential_wait *wait, tl_error *err);
void tl_credentials_forget(tl_credential_wait *wait);
/* The server answered 401 to the credential with this answer's number: where nothing newer has come since, what is cached
 * is stale. 1 where asking again can help. */
int tl_credentials_refused(tl_credentials *credentials, unsigned answer);

#endif
