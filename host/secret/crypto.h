#ifndef TL_SECRET_CRYPTO_H
#define TL_SECRET_CRYPTO_H

#include <stddef.h>

#include "base/error.h"

/* Cryptographically strong random bytes by OpenSSL's libcrypto. */
int tl_random_bytes(void *out, size_t length, tl_error *err);

#endif
