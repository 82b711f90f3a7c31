#ifndef TL_DATA_DIGEST_H
#define TL_DATA_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TL_SHA256_SIZE 32
#define TL_SHA256_HEX (2 * TL_SHA256_SIZE + 1) /* digits and a NUL */

/* A running SHA-256: starts with tl_sha256_start, owns nothing. Safe on the worker thread. */
typedef struct tl_sha256 {
    uint64_t room[14]; /* libcrypto's SHA256_CTX */
} tl_sha256;

void tl_sha256_start(tl_sha256 *digest);
void tl_sha256_add(tl_sha256 *digest, const void *bytes, size_t length);
/* Ends the digest; it cannot be used again. */
void tl_sha256_end(tl_sha256 *digest, char hex[TL_SHA256_HEX]);

/* The digest of bytes, or of a file's content. `stop` (or NULL) is looked at between pieces: once it is not 0, reading
 * ends with kind "cancelled". */
void tl_sha256_hex(const void *bytes, size_t length, char hex[TL_SHA256_HEX]);
int tl_sha256_file(const char *path, const volatile int *stop, char hex[TL_SHA256_HEX], tl_error *err);

/* Writes 2 * length digits and a NUL. */
void tl_hex(const unsigned char *bytes, size_t length, char *out);

/* SHA-1 of the bytes, which nothing but an old protocol's handshake should want. */
void tl_sha1(const void *bytes, size_t length, unsigned char out[20]);

#endif
