/* SHA-256 by libcrypto. */
#include "data/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/dynlib.h"
#include "base/mem.h"

#define FUNCTIONS(X)      \
    X(EVP_MD_CTX_new)     \
    X(EVP_MD_CTX_free)    \
    X(EVP_sha256)         \
    X(EVP_DigestInit_ex)  \
    X(EVP_DigestUpdate)   \
    X(EVP_DigestFinal_ex)

static struct table {
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
} crypto;

static const char *const symbols[] = {
#define NAME(name) #name,
    FUNCTIONS(NAME)
};

struct tl_digest {
    EVP_MD_CTX *context;
};

int tl_digest_load(tl_error *err)
{
    static const char *const names[] = {"libcrypto.so.3", "libcrypto.3.dylib", "libcrypto.so.1.1", NULL};
    enum { COUNT = sizeof symbols / sizeof *symbols };
    const tl_dynlib lib = {names, "libssl3", symbols, COUNT};
    void *found[COUNT];
    if (crypto.EVP_sha256) return 0;
    if (tl_dynlib_load(&lib, found, err) < 0) return -1;
    _Static_assert(sizeof crypto == sizeof found, "one pointer for each function");
    memcpy(&crypto, found, sizeof crypto);
    return 0;
}

tl_digest *tl_digest_new(tl_error *err)
{
    if (tl_digest_load(err) < 0) return NULL;
    tl_digest *digest = tl_calloc(1, sizeof *digest);
    digest->context = crypto.EVP_MD_CTX_new();
    if (digest->context && crypto.EVP_DigestInit_ex(digest->context, crypto.EVP_sha256(), NULL) == 1) return digest;
    tl_error_set(err, "io", "libcrypto gave no SHA-256");
    tl_digest_free(digest);
    return NULL;
}

void tl_digest_free(tl_digest *digest)
{
    if (!digest) return;
    if (digest->context) crypto.EVP_MD_CTX_free(digest->context);
    free(digest);
}

void tl_digest_add(tl_digest *digest, const void *bytes, size_t length)
{
    crypto.EVP_DigestUpdate(digest->context, bytes, length);
}

void tl_digest_end(tl_digest *digest, char hex[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    crypto.EVP_DigestFinal_ex(digest->context, sum, &length);
    for (unsigned i = 0; i < length && i < 32; i++) snprintf(hex + 2 * (size_t)i, 3, "%02x", sum[i]);
}
