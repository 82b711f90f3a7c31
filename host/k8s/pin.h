#ifndef TL_K8S_PIN_H
#define TL_K8S_PIN_H

#include "k8s/client.h"

/* What a client may send: reads always, writes where it is not read-only, and with a pin only over a connection on which
 * the cluster's identity was read and is the pinned one. */

#define TL_K8S_IDENTITY_PATH "/api/v1/namespaces/kube-system"

/* 1 for a read, 0 for a write that may go on, -1 where it is refused; `what` names the request. */
int tl_k8s_allowed(const tl_k8s *client, const char *method, const char *path, const char *what, tl_error *err);
/* Compares the answer to a GET of TL_K8S_IDENTITY_PATH with the pin; -1 where `what` must not be sent. */
int tl_k8s_check_identity(const tl_k8s *client, const char *body, size_t length, const char *what, tl_error *err);

#endif
