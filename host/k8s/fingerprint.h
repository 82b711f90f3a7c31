#ifndef TL_K8S_FINGERPRINT_H
#define TL_K8S_FINGERPRINT_H

#include "base/error.h"
#include "base/mem.h"

/* The SHA-256, in lower-case hex, of the DER bytes of all certificates in a PEM text, in their order; the string lives
 * in the arena. NULL and kind "parse" where the text holds no certificate. */
const char *tl_pem_fingerprint(tl_arena *arena, const char *pem, tl_error *err);

#endif
