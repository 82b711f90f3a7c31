#ifndef TL_TEMPLATE_RSA_KEY_H
#define TL_TEMPLATE_RSA_KEY_H

#include <openssl/evp.h>

#include "base/error.h"

/* A new RSA key of `bits` with the exponent 65537; NULL on errors. Free as other keys. libcrypto's own key generation
 * computes a greatest common divisor in constant time for every candidate, which takes more than half of its time. */
EVP_PKEY *tl_rsa_key_new(int bits, tl_error *err);

#endif
