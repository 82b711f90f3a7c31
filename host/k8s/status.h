#ifndef TL_K8S_STATUS_H
#define TL_K8S_STATUS_H

#include "base/error.h"
#include "data/value.h"

/* Turns a refused request into an error: kind by HTTP status and reason ("not_found", "exists", "conflict", "denied",
 * "invalid", "gone" for 410, "busy" for 429, "timeout", else "http"), the server's own message, and for field errors
 * and conflicts one cause for each field (kind = the cause's reason, message = "FIELD: text"). The body may be a Status
 * or anything else. `what` names the request ("GET /api/v1/pods"). Always returns -1. */
int tl_k8s_status_error(int status, const char *body, size_t length, const char *what, tl_error *err);
/* The same from a Status object (an ERROR event of a watch). */
int tl_k8s_status_value(const tl_value *object, tl_error *err);

#endif
