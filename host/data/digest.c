/* SHA-256, and the SHA-1 of old protocols. Not by EVP_Digest: to set up libcrypto's providers would take longer than most
 * digests. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "data/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/mem.h"

#define FILE_CHUNK 65536

_Static_assert(sizeof(tl_sha256) >= sizeof(SHA256_CTX), "room for libcrypto's state");

void tl_sha256_start(tl_sha256 *digest)
{
    SHA256_Init((SHA256_CTX *)digest->room);
}

void tl_sha256_add(tl_sha256 *digest, const void *bytes, size_t length)
{
    SHA256_Update((SHA256_CTX *)digest->room, bytes, length);
}

void tl_sha256_end(tl_sha256 *digest, char hex[TL_SHA256_HEX])
{
    unsigned char sum[TL_SHA256_SIZE];
    SHA256_Final(sum, (SHA256_CTX *)digest->room);
    tl_hex(sum, sizeof sum, hex);
}

void tl_hex(const unsigned char *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = 0;
}

void tl_sha256_hex(const void *bytes, size_t length, char hex[TL_SHA256_HEX])
{
    tl_sha256 digest;
    tl_sha256_start(&digest);
    tl_sha256_add(&digest, bytes, length);
    tl_sha256_end(&digest, hex);
}

int tl_sha256_file(const char *path, const volatile int *stop, char hex[TL_SHA256_HEX], tl_error *err)
{
    int status = -1, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tl_error_errno(err, errno, "cannot read %s", path);
    tl_sha256 digest;
    tl_sha256_start(&digest);
    char *chunk = tl_malloc(FILE_CHUNK);
    for (;;) {
        ssize_t got = read(fd, chunk, FILE_CHUNK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            tl_error_errno(err, errno, "cannot read %s", path);
            goto out;
        }
        if (got == 0) break;
        if (stop && *stop) {
            tl_error_set(err, "cancelled", "reading %s was cancelled", path);
            goto out;
        }
        tl_sha256_add(&digest, chunk, (size_t)got);
    }
    tl_sha256_end(&digest, hex);
    status = 0;
out:
    free(chunk);
    close(fd);
    return status;
}

void tl_sha1(const void *bytes, size_t length, unsigned char out[20])
{
    SHA_CTX sum; /* SHA1() itself asks a provider */
    SHA1_Init(&sum);
    SHA1_Update(&sum, bytes, length);
    SHA1_Final(out, &sum);
}
