/* Fingerprints certificates. */
#include "k8s/fingerprint.h"

#include <string.h>

#include "base/buf.h"
#include "base/dynlib.h"
#include "data/base64.h"

#define PEM_LIMIT ((size_t)4 << 20)
static const char BEGIN[] = "-----BEGIN CERTIFICATE-----";
static const char END[] = "-----END CERTIFICATE-----";

typedef unsigned char *sha256_fn(const unsigned char *bytes, size_t length, unsigned char *digest);

static int load_sha256(sha256_fn **out, tl_error *err)
{
    static const char *const names[] = {"libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib", NULL};
    static const char *const symbols[] = {"SHA256"};
    const tl_dynlib lib = {names, "libssl3", symbols, 1};
    void *address;
    if (tl_dynlib_load(&lib, &address, err)) return -1;
    memcpy(out, &address, sizeof address); /* ISO C has no cast from void * to a function */
    return 0;
}

/* Appends the DER of every certificate block in the text. */
static int collect_der(const char *pem, tl_buf *der, tl_error *err)
{
    for (const char *at = pem; (at = strstr(at, BEGIN));) {
        at += sizeof BEGIN - 1;
        const char *end = strstr(at, END);
        if (!end) return tl_error_set(err, "parse", "a certificate has no end line");
        tl_buf body = TL_BUF_INIT(PEM_LIMIT);
        for (; at < end; at++)
            if (!strchr(" \t\r\n", *at)) tl_buf_addc(&body, *at);
        int rc = tl_base64_decode(der, body.data, body.len, TL_BASE64_STD, err);
        tl_buf_dispose(&body);
        if (rc) return tl_error_wrap(err, "a certificate is not base64");
    }
    if (der->over) return tl_error_set(err, "too_large", "the certificates are too large");
    if (!der->len) return tl_error_set(err, "parse", "the certificate authority holds no PEM certificate");
    return 0;
}

const char *tl_pem_fingerprint(tl_arena *arena, const char *pem, tl_error *err)
{
    char *hex = NULL;
    sha256_fn *sha256;
    unsigned char digest[32];
    tl_buf der = TL_BUF_INIT(PEM_LIMIT);
    if (collect_der(pem, &der, err) || load_sha256(&sha256, err)) goto out;
    sha256((const unsigned char *)der.data, der.len, digest);
    hex = tl_arena_alloc(arena, 2 * sizeof digest + 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[2 * sizeof digest] = 0;
out:
    tl_buf_dispose(&der);
    return hex;
}
