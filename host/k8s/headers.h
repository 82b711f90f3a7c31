#ifndef TL_K8S_HEADERS_H
#define TL_K8S_HEADERS_H

#include "base/mem.h"
#include "k8s/credentials.h"
#include "k8s/kubeconfig.h"
#include "net/http.h"

/* The headers of one request; what they point to belongs to others. */
typedef struct tl_header_list {
    tl_header items[64];
    size_t count;
} tl_header_list;

/* Nothing where the value is NULL. */
void tl_headers_add(tl_header_list *list, const char *name, const char *value);
/* Who asks: the credential and whom it stands for; the values go to the arena. */
void tl_headers_add_identity(tl_header_list *list, const tl_kube_auth *auth, const tl_credential *credential,
                             tl_arena *arena);

#endif
