/* Fingerprints certificates. */
#include "k8s/fingerprint.h"

#include <string.h>

#include "base/buf.h"
#include "data/base64.h"
#include "data/digest.h"

#define PEM_LIMIT ((size_t)4 << 20)
static const char BEGIN[] = "-----BEGIN CERTIFICATE-----";
static const char END[] = "-----END CERTIFICATE-----";

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
    tl_buf der = TL_BUF_INIT(PEM_LIMIT);
    if (collect_der(pem, &der, err) == 0) {
        hex = tl_arena_alloc(arena, TL_SHA256_HEX);
        tl_sha256_hex(der.data, der.len, hex);
    }
    tl_buf_dispose(&der);
    return hex;
}
