#ifndef TL_TEMPLATE_PKI_H
#define TL_TEMPLATE_PKI_H

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "data/value.h"

/* Keys and certificates by libcrypto. */

/* What a certificate says. Lists hold strings, or are NULL. */
typedef struct tl_pki_request {
    const char *name; /* common name */
    size_t name_length;
    const tl_list *addresses, *hosts;
    int64_t now, days; /* now in seconds since 1970 */
    int authority;
    unsigned char serial[16];
} tl_pki_request;

/* "rsa:BITS", "dsa", "ecdsa" or "ed25519". NULL on errors. Free with tl_pki_key_free. */
EVP_PKEY *tl_pki_key_new(const char *type, tl_error *err);
void tl_pki_key_free(EVP_PKEY *key);
void tl_pki_certificate_free(X509 *certificate);
/* Appends PEM in the form Go gives (PKCS #1, SEC 1, PKCS #8 for ed25519). */
int tl_pki_key_write(EVP_PKEY *key, tl_buf *out, tl_error *err);
EVP_PKEY *tl_pki_key_read(const char *pem, size_t length, tl_error *err);
X509 *tl_pki_certificate_read(const char *pem, size_t length, tl_error *err);
/* Appends a certificate in PEM for `key`, signed by `signer` as `issuer` (NULL: self-signed). */
int tl_pki_sign(const tl_pki_request *request, EVP_PKEY *key, X509 *issuer, EVP_PKEY *signer, tl_buf *out,
                tl_error *err);

#endif
