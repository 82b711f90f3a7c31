#ifndef TL_SECRET_CRYPTO_H
#define TL_SECRET_CRYPTO_H

#include <stddef.h>

#include "base/error.h"

/* Random bytes and digests by OpenSSL's libcrypto, which is loaded on first use (kind "missing_library" without it). */

/* Cryptographically strong random bytes. */
int tl_random_bytes(void *out, size_t length, tl_error *err);

#define TL_SHA256_SIZE 32

typedef struct tl_sha256 tl_sha256;
/* NULL on failure. Free with tl_sha256_free. One digest may be used by one thread at a time. */
tl_sha256 *tl_sha256_new(tl_error *err);
int tl_sha256_add(tl_sha256 *digest, const void *bytes, size_t length, tl_error *err);
/* Ends the digest; it cannot be used again. */
int tl_sha256_end(tl_sha256 *digest, unsigned char out[TL_SHA256_SIZE], tl_error *err);
void tl_sha256_free(tl_sha256 *digest);

/* Hexadecimal digest (64 characters and a NUL) of bytes, or of a file's content. Both are safe on the worker thread
 * once the library is loaded (tl_crypto_load). `stop` (or NULL) is looked at between pieces: once it is not 0, reading
 * ends with kind "cancelled". */
int tl_sha256_hex(const void *bytes, size_t length, char out[TL_SHA256_SIZE * 2 + 1], tl_error *err);
int tl_sha256_file(const char *path, const volatile int *stop, char out[TL_SHA256_SIZE * 2 + 1], tl_error *err);
void tl_hex(const unsigned char *bytes, size_t length, char *out);
/* Loads the library now: call it on the main thread before a job on the worker thread needs a digest. */
int tl_crypto_load(tl_error *err);

#endif
