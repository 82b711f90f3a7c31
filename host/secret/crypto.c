/* Random bytes and SHA-256 by libcrypto. */
#include "secret/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/dynlib.h"
#include "base/mem.h"

#define FILE_CHUNK 65536

typedef struct library {
    int (*random_bytes)(unsigned char *, int);
    EVP_MD_CTX *(*context_new)(void);
    void (*context_free)(EVP_MD_CTX *);
    const EVP_MD *(*sha256)(void);
    int (*init)(EVP_MD_CTX *, const EVP_MD *, ENGINE *);
    int (*update)(EVP_MD_CTX *, const void *, size_t);
    int (*final)(EVP_MD_CTX *, unsigned char *, unsigned *);
} library;

static const char *const names[] = {"libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib", NULL};
static const char *const symbols[] = {"RAND_bytes",        "EVP_MD_CTX_new",   "EVP_MD_CTX_free",   "EVP_sha256",
                                      "EVP_DigestInit_ex", "EVP_DigestUpdate", "EVP_DigestFinal_ex"};

struct tl_sha256 {
    const library *lib;
    EVP_MD_CTX *context;
};

static const library *load(tl_error *err)
{
    static library table;
    static int loaded;
    if (loaded) return &table;
    enum { COUNT = sizeof symbols / sizeof *symbols };
    void *found[COUNT];
    const tl_dynlib lib = {names, "libssl3", symbols, COUNT};
    if (tl_dynlib_load(&lib, found, err)) return NULL;
    _Static_assert(sizeof table == sizeof found, "one pointer for each function");
    memcpy(&table, found, sizeof table);
    loaded = 1;
    return &table;
}

int tl_crypto_load(tl_error *err)
{
    return load(err) ? 0 : -1;
}

int tl_random_bytes(void *out, size_t length, tl_error *err)
{
    const library *lib = load(err);
    if (!lib) return -1;
    if (length > INT_MAX || lib->random_bytes(out, (int)length) != 1)
        return tl_error_set(err, "io", "the system gives no random bytes");
    return 0;
}

tl_sha256 *tl_sha256_new(tl_error *err)
{
    const library *lib = load(err);
    if (!lib) return NULL;
    tl_sha256 *digest = tl_calloc(1, sizeof *digest);
    digest->lib = lib;
    digest->context = lib->context_new();
    if (!digest->context || lib->init(digest->context, lib->sha256(), NULL) != 1) {
        tl_error_set(err, "io", "OpenSSL cannot start a SHA-256 digest");
        tl_sha256_free(digest);
        return NULL;
    }
    return digest;
}

int tl_sha256_add(tl_sha256 *digest, const void *bytes, size_t length, tl_error *err)
{
    if (digest->lib->update(digest->context, bytes, length) == 1) return 0;
    return tl_error_set(err, "io", "OpenSSL cannot continue a SHA-256 digest");
}

int tl_sha256_end(tl_sha256 *digest, unsigned char out[TL_SHA256_SIZE], tl_error *err)
{
    unsigned length = 0;
    if (digest->lib->final(digest->context, out, &length) == 1 && length == TL_SHA256_SIZE) return 0;
    return tl_error_set(err, "io", "OpenSSL cannot end a SHA-256 digest");
}

void tl_sha256_free(tl_sha256 *digest)
{
    if (!digest) return;
    if (digest->context) digest->lib->context_free(digest->context);
    free(digest);
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

static int end_hex(tl_sha256 *digest, char *out, tl_error *err)
{
    unsigned char bytes[TL_SHA256_SIZE];
    if (tl_sha256_end(digest, bytes, err)) return -1;
    tl_hex(bytes, sizeof bytes, out);
    return 0;
}

int tl_sha256_hex(const void *bytes, size_t length, char out[TL_SHA256_SIZE * 2 + 1], tl_error *err)
{
    tl_sha256 *digest = tl_sha256_new(err);
    int status = -1;
    if (digest && !tl_sha256_add(digest, bytes, length, err)) status = end_hex(digest, out, err);
    tl_sha256_free(digest);
    return status;
}

int tl_sha256_file(const char *path, const volatile int *stop, char out[TL_SHA256_SIZE * 2 + 1], tl_error *err)
{
    char *chunk = NULL;
    int status = -1, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tl_error_errno(err, errno, "cannot read %s", path);
    tl_sha256 *digest = tl_sha256_new(err);
    if (!digest) goto out;
    chunk = tl_malloc(FILE_CHUNK);
    for (;;) {
        ssize_t got = read(fd, chunk, FILE_CHUNK);
        if (got == 0) break;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            tl_error_errno(err, errno, "cannot read %s", path);
            goto out;
        }
        if (stop && *stop) {
            tl_error_set(err, "cancelled", "reading %s was cancelled", path);
            goto out;
        }
        if (tl_sha256_add(digest, chunk, (size_t)got, err)) goto out;
    }
    status = end_hex(digest, out, err);
out:
    tl_sha256_free(digest);
    free(chunk);
    close(fd);
    return status;
}
