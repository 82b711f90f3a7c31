/* Keys and certificates by OpenSSL's libcrypto. */
#include "template/pki.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/dsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "template/rsa_key.h"

static EVP_PKEY *dsa_key(void)
{
    EVP_PKEY *params = NULL, *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_DSA, NULL), *again = NULL;
    if (context && EVP_PKEY_paramgen_init(context) > 0 && EVP_PKEY_CTX_set_dsa_paramgen_bits(context, 2048) > 0 &&
        EVP_PKEY_CTX_set_dsa_paramgen_q_bits(context, 256) > 0 && EVP_PKEY_paramgen(context, &params) > 0)
        again = EVP_PKEY_CTX_new(params, NULL);
    if (again && EVP_PKEY_keygen_init(again) > 0) EVP_PKEY_keygen(again, &key);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_CTX_free(again);
    EVP_PKEY_free(params);
    return key;
}

EVP_PKEY *tl_pki_key_new(const char *type, tl_error *err)
{
    EVP_PKEY *key = NULL;
    if (!strncmp(type, "rsa:", 4)) return tl_rsa_key_new(atoi(type + 4), err);
    if (!strcmp(type, "ecdsa"))
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    else if (!strcmp(type, "ed25519"))
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        key = dsa_key();
    if (!key) tl_error_set(err, "crypto", "failed to generate private key");
    return key;
}

void tl_pki_key_free(EVP_PKEY *key)
{
    if (key) EVP_PKEY_free(key);
}

void tl_pki_certificate_free(X509 *certificate)
{
    if (certificate) X509_free(certificate);
}

/* A prompt for a password must never reach the terminal. */
static int no_password(char *buf, int size, int writing, void *context)
{
    (void)buf, (void)size, (void)writing, (void)context;
    return -1;
}

static int take_bio(BIO *bio, int ok, tl_buf *out, tl_error *err)
{
    char *text = NULL;
    long length = ok > 0 ? BIO_ctrl(bio, BIO_CTRL_INFO, 0, &text) : 0;
    if (length > 0) tl_buf_add(out, text, (size_t)length);
    BIO_free(bio);
    return length > 0 ? 0 : tl_error_set(err, "crypto", "error pem-encoding");
}

int tl_pki_key_write(EVP_PKEY *key, tl_buf *out, tl_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int pkcs8 = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
    int ok = pkcs8 ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                   : PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
    return take_bio(bio, ok, out, err);
}

EVP_PKEY *tl_pki_key_read(const char *pem, size_t length, tl_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, length > INT_MAX ? INT_MAX : (int)length);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (!key) tl_error_set(err, "crypto", "no PEM data in input");
    return key;
}

X509 *tl_pki_certificate_read(const char *pem, size_t length, tl_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, length > INT_MAX ? INT_MAX : (int)length);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (!certificate) tl_error_set(err, "crypto", "unable to decode certificate");
    return certificate;
}

/* ---- certificates ---- */

static int add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    memset(&context, 0, sizeof context);
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int ok = extension && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok ? 0 : -1;
}

static int push_name(OPENSSL_STACK *names, int type, const void *bytes, int length)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *string = ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
    ASN1_STRING_set(string, bytes, length);
    GENERAL_NAME_set0_value(name, type, string);
    return OPENSSL_sk_push(names, name) > 0 ? 0 : -1;
}

static int push_address(OPENSSL_STACK *names, tl_value address, tl_error *err)
{
    char text[64] = "";
    unsigned char bytes[16];
    if (address.len < sizeof text) memcpy(text, address.as.s, address.len);
    if (inet_pton(AF_INET, text, bytes) == 1) return push_name(names, GEN_IPADD, bytes, 4);
    if (inet_pton(AF_INET6, text, bytes) == 1) return push_name(names, GEN_IPADD, bytes, 16);
    return tl_error_set(err, "crypto", "error parsing ip: %.*s", (int)address.len, address.as.s);
}

static void free_name(void *name)
{
    GENERAL_NAME_free(name);
}

static int add_names(X509 *x, const tl_pki_request *request, tl_error *err)
{
    size_t hosts = request->hosts ? request->hosts->len : 0, addresses = request->addresses ? request->addresses->len : 0;
    if (!hosts && !addresses) return 0;
    OPENSSL_STACK *names = OPENSSL_sk_new_null();
    int status = 0;
    for (size_t i = 0; i < hosts && !status; i++)
        status = push_name(names, GEN_DNS, request->hosts->items[i].as.s, (int)request->hosts->items[i].len);
    for (size_t i = 0; i < addresses && !status; i++) status = push_address(names, request->addresses->items[i], err);
    if (!status) status = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1 ? 0 : -1;
    OPENSSL_sk_pop_free(names, free_name);
    return status;
}

static int set_serial(X509 *x, const unsigned char serial[16])
{
    BIGNUM *number = BN_bin2bn(serial, 16, NULL);
    int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    return ok ? 0 : -1;
}

static int fill(X509 *x, const tl_pki_request *request, X509 *issuer, tl_error *err)
{
    const char *usage = request->authority ? "critical,digitalSignature,keyEncipherment,keyCertSign"
                                           : "critical,digitalSignature,keyEncipherment";
    if (add_extension(x, issuer, NID_key_usage, usage) ||
        add_extension(x, issuer, NID_ext_key_usage, "serverAuth,clientAuth") ||
        add_extension(x, issuer, NID_basic_constraints, request->authority ? "critical,CA:TRUE" : "critical,CA:FALSE"))
        return -1;
    if (request->authority && add_extension(x, issuer, NID_subject_key_identifier, "hash")) return -1;
    if (issuer != x && X509_get0_subject_key_id(issuer) &&
        add_extension(x, issuer, NID_authority_key_identifier, "keyid:always"))
        return -1;
    return add_names(x, request, err);
}

int tl_pki_sign(const tl_pki_request *request, EVP_PKEY *key, X509 *issuer, EVP_PKEY *signer, tl_buf *out,
                tl_error *err)
{
    X509 *x = X509_new();
    int status = -1;
    if (!issuer) issuer = x;
    if (!signer) signer = key;
    X509_set_version(x, 2);
    if (set_serial(x, request->serial)) goto out;
    ASN1_TIME_set(X509_getm_notBefore(x), request->now);
    ASN1_TIME_set(X509_getm_notAfter(x), request->now + request->days * 86400);
    if (X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)request->name, (int)request->name_length, -1, 0) != 1)
        goto out;
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    if (X509_set_pubkey(x, key) != 1 || fill(x, request, issuer, err)) goto out;
    int id = EVP_PKEY_get_base_id(signer);
    if (X509_sign(x, signer, id == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) <= 0) goto out;
    BIO *bio = BIO_new(BIO_s_mem());
    status = take_bio(bio, PEM_write_bio_X509(bio, x), out, err);
out:
    X509_free(x);
    ERR_clear_error();
    if (status && err && !err->message) tl_error_set(err, "crypto", "error creating certificate");
    return status;
}
