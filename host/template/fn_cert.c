/* Keys and certificates for templates: genPrivateKey, genCA, genSignedCert and their relatives. */
#include <stdio.h>
#include <string.h>

#include "data/base64.h"
#include "template/internal.h"
#include "template/pki.h"

const tl_object_type tl_certificate_type = {"sprig.certificate", TL_KIND_STRUCT, NULL, NULL, NULL, NULL};

/* Turns the error into the function's, with Sprig's words before it. */
static int fail(tl_exec *x, const char *before, tl_error *err)
{
    tl_fail(x, "%s%s", before, err->message ? err->message : "failed");
    tl_error_dispose(err);
    return -1;
}

TL_FUNCTION(fn_private_key)
{
    static const char *const types[][2] = {{"", "rsa:4096"}, {"rsa", "rsa:4096"}, {"dsa", "dsa"}, {"ecdsa", "ecdsa"},
                                           {"ed25519", "ed25519"}};
    const char *type = NULL;
    if (tl_spend(x, TL_SLOW)) return -1;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (tl_value_is(args[0], types[i][0])) type = types[i][1];
    if (!type) {
        *out = tl_cstring_ref(tl_arena_printf(x->arena, "Unknown type %.*s", (int)args[0].len, args[0].as.s));
        return 0;
    }
    tl_error err = {0};
    EVP_PKEY *key = tl_pki_key_new(type, &err);
    if (!key) return fail(x, "", &err);
    tl_buf pem = tl_text_buf(x);
    int status = tl_pki_key_write(key, &pem, &err);
    tl_pki_key_free(key);
    if (!status) return tl_take_string(x, &pem, out);
    tl_buf_dispose(&pem);
    return fail(x, "", &err);
}

static tl_value certificate(tl_exec *x, const tl_buf *cert, const tl_buf *key)
{
    tl_map *fields = tl_map_new(x->arena, 2);
    tl_map_sets(fields, "Cert", tl_string(x->arena, cert->data, cert->len));
    tl_map_sets(fields, "Key", tl_string(x->arena, key->data, key->len));
    return tl_object_value(x->arena, &tl_certificate_type, NULL, tl_map_value(fields));
}

/* Lists of names and addresses must hold strings. */
static int check_strings(tl_exec *x, tl_value list, const char *what)
{
    for (size_t i = 0; list.type == TL_LIST && i < list.as.list->len; i++) {
        if (list.as.list->items[i].type == TL_STRING) continue;
        tl_buf text = tl_text_buf(x);
        tl_go_print(&text, list.as.list->items[i]);
        tl_fail(x, "error %s: %s is not a string", what, text.data);
        tl_buf_dispose(&text);
        return -1;
    }
    return 0;
}

typedef struct job {
    tl_pki_request request;
    const tl_value *pem;    /* the key of the certificate; NULL: a new one */
    const tl_value *signer; /* a certificate object; NULL: self-signed */
} job;

static int read_signer(const tl_value *signer, X509 **issuer, EVP_PKEY **key, tl_error *err)
{
    const tl_map *fields = signer->as.object->content.as.map;
    const tl_value *cert = tl_map_gets(fields, "Cert"), *pem = tl_map_gets(fields, "Key");
    *issuer = tl_pki_certificate_read(cert->as.s, cert->len, err);
    if (!*issuer) return -1;
    *key = tl_pki_key_read(pem->as.s, pem->len, err);
    return *key ? 0 : tl_error_wrap(err, "error parsing private key: %s", err->message);
}

static int make(tl_exec *x, job *j, tl_value *out)
{
    tl_error err = {0};
    X509 *issuer = NULL;
    EVP_PKEY *signer = NULL, *key = NULL;
    if (tl_spend(x, TL_SLOW)) return -1;
    tl_buf cert = tl_text_buf(x), pem = tl_text_buf(x);
    int status = -1;
    const char *before = j->pem ? "parsing private key: " : "error generating rsa key: ";
    key = j->pem ? tl_pki_key_read(j->pem->as.s, j->pem->len, &err) : tl_pki_key_new("rsa:2048", &err);
    if (!key) goto out;
    before = "";
    if (j->signer && read_signer(j->signer, &issuer, &signer, &err)) goto out;
    if (tl_random(x, j->request.serial, sizeof j->request.serial)) {
        tl_error_set(&err, "crypto", "%s", x->render->message);
        goto out;
    }
    j->request.now = tl_now(x) / 1000000000;
    if (tl_pki_sign(&j->request, key, issuer, signer, &cert, &err) || tl_pki_key_write(key, &pem, &err)) goto out;
    *out = certificate(x, &cert, &pem);
    status = 0;
out:
    tl_pki_key_free(key);
    tl_pki_key_free(signer);
    tl_pki_certificate_free(issuer);
    tl_cleanse(pem.data, pem.cap ? pem.len : 0);
    tl_buf_dispose(&cert);
    tl_buf_dispose(&pem);
    return status ? fail(x, before, &err) : 0;
}

static int authority(tl_exec *x, const tl_value *args, const tl_value *pem, tl_value *out)
{
    job j = {.request = {.name = args[0].as.s, .name_length = args[0].len, .days = args[1].as.i, .authority = 1}, .pem = pem};
    return make(x, &j, out);
}

TL_FUNCTION(fn_ca)
{
    return authority(x, args, NULL, out);
}

TL_FUNCTION(fn_ca_with_key)
{
    return authority(x, args, &args[2], out);
}

/* args: name, addresses, hosts, days */
static int leaf(tl_exec *x, const tl_value *args, const tl_value *signer, const tl_value *pem, tl_value *out)
{
    if (check_strings(x, args[1], "parsing ip") || check_strings(x, args[2], "processing alternate dns name")) return -1;
    job j = {.request = {.name = args[0].as.s, .name_length = args[0].len, .days = args[3].as.i}, .pem = pem,
             .signer = signer};
    if (args[1].type == TL_LIST) j.request.addresses = args[1].as.list;
    if (args[2].type == TL_LIST) j.request.hosts = args[2].as.list;
    return make(x, &j, out);
}

TL_FUNCTION(fn_self_signed)
{
    return leaf(x, args, NULL, NULL, out);
}

TL_FUNCTION(fn_self_signed_with_key)
{
    return leaf(x, args, NULL, &args[4], out);
}

TL_FUNCTION(fn_signed)
{
    return leaf(x, args, &args[4], NULL, out);
}

TL_FUNCTION(fn_signed_with_key)
{
    return leaf(x, args, &args[4], &args[5], out);
}

TL_FUNCTION(fn_custom)
{
    tl_buf cert = tl_text_buf(x), key = tl_text_buf(x);
    tl_error err = {0};
    X509 *read_cert = NULL;
    EVP_PKEY *read_key = NULL;
    int status = -1;
    const char *before = "";
    if (tl_base64_decode(&cert, args[0].as.s, args[0].len, TL_BASE64_STD, NULL)) {
        tl_error_set(&err, "crypto", "unable to decode base64 certificate");
    } else if (tl_base64_decode(&key, args[1].as.s, args[1].len, TL_BASE64_STD, NULL)) {
        tl_error_set(&err, "crypto", "unable to decode base64 private key");
    } else if ((read_cert = tl_pki_certificate_read(cert.data, cert.len, &err))) {
        before = "error parsing private key: ";
        read_key = tl_pki_key_read(key.data, key.len, &err);
        status = read_key ? 0 : -1;
    }
    if (!status) *out = certificate(x, &cert, &key);
    tl_pki_certificate_free(read_cert);
    tl_pki_key_free(read_key);
    tl_buf_dispose(&cert);
    tl_buf_dispose(&key);
    return status ? fail(x, before, &err) : 0;
}

const tl_function tl_functions_cert[] = {{"genPrivateKey", "s", fn_private_key},
                                         {"genCA", "si", fn_ca},
                                         {"genCAWithKey", "sis", fn_ca_with_key},
                                         {"genSelfSignedCert", "slli", fn_self_signed},
                                         {"genSelfSignedCertWithKey", "sllis", fn_self_signed_with_key},
                                         {"genSignedCert", "sllic", fn_signed},
                                         {"genSignedCertWithKey", "sllics", fn_signed_with_key},
                                         {"buildCustomCert", "ss", fn_custom},
                                         {NULL, NULL, NULL}};
