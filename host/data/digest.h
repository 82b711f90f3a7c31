#ifndef TL_DATA_DIGEST_H
#define TL_DATA_DIGEST_H

#include <stddef.h>

#include "base/error.h"

/* Streaming SHA-256 by OpenSSL's libcrypto, loaded on first use (kind "missing_library" without it). One digest may be
 * used by one thread at a time. */
typedef struct tl_digest tl_digest;

/* NULL on failure. Free with tl_digest_free. */
tl_digest *tl_digest_new(tl_error *err);
void tl_digest_free(tl_digest *digest);
void tl_digest_add(tl_digest *digest, const void *bytes, size_t length);
/* Writes 64 hexadecimal digits with a final NUL; the digest cannot be used again. */
void tl_digest_end(tl_digest *digest, char hex[65]);
/* Loads the library now: call it on the main thread before a job on the worker thread needs a digest. */
int tl_digest_load(tl_error *err);

#endif
