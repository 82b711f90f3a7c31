/* Hashes, password hashes and encryption. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/base64.h"
#include "data/digest.h"
#include "template/internal.h"

static tl_value hexadecimal(tl_exec *x, const unsigned char *bytes, size_t length)
{
    char *text = tl_arena_alloc(x->arena, 2 * length + 1);
    tl_hex(bytes, length, text);
    return tl_string_ref(text, 2 * length);
}

/* Not by EVP_Digest: charts hash their files, and to set up libcrypto's providers would take longer than the render. */
TL_FUNCTION(fn_sha1)
{
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, args[0].as.s, args[0].len);
    SHA1_Final(digest, &context);
    *out = hexadecimal(x, digest, sizeof digest);
    return 0;
}

TL_FUNCTION(fn_sha256)
{
    char *text = tl_arena_alloc(x->arena, TL_SHA256_HEX);
    tl_sha256_hex(args[0].as.s, args[0].len, text);
    *out = tl_string_ref(text, TL_SHA256_HEX - 1);
    return 0;
}

TL_FUNCTION(fn_sha512)
{
    unsigned char digest[SHA512_DIGEST_LENGTH];
    SHA512_CTX context;
    SHA512_Init(&context);
    SHA512_Update(&context, args[0].as.s, args[0].len);
    SHA512_Final(digest, &context);
    *out = hexadecimal(x, digest, sizeof digest);
    return 0;
}

TL_FUNCTION(fn_adler32)
{
    uint32_t a = 1, b = 0;
    for (uint32_t i = 0; i < args[0].len; i++) {
        a = (a + (unsigned char)args[0].as.s[i]) % 65521;
        b = (b + a) % 65521;
    }
    *out = tl_cstring_ref(tl_arena_printf(x->arena, "%u", b << 16 | a));
    return 0;
}

/* ---- bcrypt ---- */

static int bcrypt(tl_exec *x, tl_value password, tl_value *out)
{
    static const char alphabet[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if (password.len > 72) {
        *out = tl_cstring_ref("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
        return 0;
    }
    unsigned char random[16];
    if (tl_spend(x, TL_SLOW)) return -1;
    if (tl_random(x, random, sizeof random)) return -1;
    char setting[64] = "$2a$10$";
    size_t n = strlen(setting);
    for (unsigned bit = 0; bit < 128; bit += 6) {
        unsigned at = bit / 8, pair = (unsigned)random[at] << 8 | (at + 1 < sizeof random ? random[at + 1] : 0);
        setting[n++] = alphabet[pair >> (10 - bit % 8) & 63];
    }
    struct crypt_data *data = tl_calloc(1, sizeof *data);
    char *text = tl_strndup(password.as.s, password.len);
    /* crypt_rn and not crypt_r: the address sanitizer replaces the latter and does not find the archive's. */
    const char *hash = crypt_rn(text, setting, data, sizeof *data);
    int ok = hash != NULL;
    if (ok) *out = tl_cstring(x->arena, hash);
    tl_cleanse(text, password.len);
    tl_cleanse(data, sizeof *data);
    free(text);
    free(data);
    return ok ? 0 : tl_fail(x, "bcrypt is not available");
}

TL_FUNCTION(fn_bcrypt)
{
    return bcrypt(x, args[0], out);
}

TL_FUNCTION(fn_htpasswd)
{
    int colon = args[0].len && memchr(args[0].as.s, ':', args[0].len);
    tl_value hash;
    if (!colon && bcrypt(x, args[1], &hash)) return -1;
    tl_buf text = tl_text_buf(x);
    if (colon) tl_buf_adds(&text, "invalid username: ");
    tl_buf_add(&text, args[0].as.s, args[0].len);
    if (!colon) {
        tl_buf_addc(&text, ':');
        tl_buf_add(&text, hash.as.s, hash.len);
    }
    return tl_take_string(x, &text, out);
}

typedef struct password_type {
    const char *name, *templates[22];
} password_type;

static const password_type password_types[] = {
    {"maximum", {"anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"}},
    {"long", {"CvcvnoCvcvCvcv", "CvcvCvcvnoCvcv", "CvcvCvcvCvcvno", "CvccnoCvcvCvcv", "CvccCvcvnoCvcv", "CvccCvcvCvcvno",
              "CvcvnoCvccCvcv", "CvcvCvccnoCvcv", "CvcvCvccCvcvno", "CvcvnoCvcvCvcc", "CvcvCvcvnoCvcc", "CvcvCvcvCvccno",
              "CvccnoCvccCvcv", "CvccCvccnoCvcv", "CvccCvccCvcvno", "CvcvnoCvccCvcc", "CvcvCvccnoCvcc", "CvcvCvccCvccno",
              "CvccnoCvcvCvcc", "CvccCvcvnoCvcc", "CvccCvcvCvccno"}},
    {"medium", {"CvcnoCvc", "CvcCvcno"}},
    {"short", {"Cvcn"}},
    {"basic", {"aaanaaan", "aannaaan", "aaannaaa"}},
    {"pin", {"nnnn"}}};

static const char *template_characters(char class)
{
    switch (class) {
    case 'V': return "AEIOU";
    case 'C': return "BCDFGHJKLMNPQRSTVWXYZ";
    case 'v': return "aeiou";
    case 'c': return "bcdfghjklmnpqrstvwxyz";
    case 'A': return "AEIOUBCDFGHJKLMNPQRSTVWXYZ";
    case 'a': return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    case 'n': return "0123456789";
    case 'o': return "@&%?,=[]_:-+*$#!'^~;()/.";
    default: return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()";
    }
}

static void add_counted(tl_buf *out, tl_value text)
{
    for (int shift = 24; shift >= 0; shift -= 8) tl_buf_addc(out, (char)(text.len >> shift));
    tl_buf_add(out, text.as.s, text.len);
}

/* The Master Password algorithm. */
TL_FUNCTION(fn_derive_password)
{
    const password_type *type = NULL;
    if (tl_spend(x, TL_SLOW)) return -1;
    for (size_t i = 0; i < sizeof password_types / sizeof password_types[0]; i++)
        if (tl_value_is(args[1], password_types[i].name)) type = &password_types[i];
    if (!type) {
        *out = tl_cstring_ref(tl_arena_printf(x->arena, "cannot find password template %.*s", (int)args[1].len,
                                              args[1].as.s));
        return 0;
    }
    static const char seed_name[] = "com.lyndir.masterpassword";
    unsigned char key[64], seed[64];
    unsigned seed_length = 0;
    tl_buf salt = tl_text_buf(x);
    tl_buf_adds(&salt, seed_name);
    add_counted(&salt, args[3]);
    int ok = EVP_PBE_scrypt(args[2].as.s, args[2].len, (unsigned char *)salt.data, salt.len, 32768, 8, 2, 128 << 20, key,
                            sizeof key);
    salt.len = strlen(seed_name);
    add_counted(&salt, args[4]);
    for (int shift = 24; shift >= 0; shift -= 8) tl_buf_addc(&salt, (char)((uint32_t)args[0].as.i >> shift));
    if (ok)
        ok = HMAC(EVP_sha256(), key, sizeof key, (unsigned char *)salt.data, salt.len, seed, &seed_length) != NULL;
    tl_buf_dispose(&salt);
    if (!ok) return tl_fail(x, "failed to derive password");
    size_t count_of = 0;
    while (type->templates[count_of]) count_of++;
    const char *template = type->templates[seed[0] % count_of];
    char *password = tl_arena_strdup(x->arena, template);
    for (size_t i = 0; template[i]; i++) {
        const char *characters = template_characters(template[i]);
        password[i] = characters[seed[i + 1] % strlen(characters)];
    }
    *out = tl_cstring_ref(password);
    return 0;
}

/* AES-256-CBC of whole blocks; 0, or -1. */
static int aes_cbc(tl_value password, const unsigned char *iv, tl_span in, unsigned char *to, int encrypt)
{
    unsigned char key[32] = {0};
    int length = 0, ok;
    memcpy(key, password.as.s, password.len < sizeof key ? password.len : sizeof key);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    ok = context && EVP_CipherInit_ex(context, EVP_aes_256_cbc(), NULL, key, iv, encrypt) == 1;
    if (ok) EVP_CIPHER_CTX_set_padding(context, 0);
    ok = ok && EVP_CipherUpdate(context, to, &length, (const unsigned char *)in.s, (int)in.len) == 1;
    EVP_CIPHER_CTX_free(context);
    tl_cleanse(key, sizeof key);
    return ok ? 0 : -1;
}

TL_FUNCTION(fn_encrypt_aes)
{
    *out = tl_cstring_ref("");
    if (!args[1].len) return 0;
    size_t padding = 16 - args[1].len % 16, length = args[1].len + padding;
    char *plain = tl_arena_alloc(x->arena, length);
    unsigned char *made = tl_arena_alloc(x->arena, 16 + length);
    memcpy(plain, args[1].as.s, args[1].len);
    memset(plain + args[1].len, (int)padding, padding);
    if (tl_random(x, made, 16)) return -1;
    if (aes_cbc(args[0], made, (tl_span){plain, (uint32_t)length}, made + 16, 1))
        return tl_fail(x, "cannot encrypt");
    tl_buf text = tl_text_buf(x);
    tl_base64_encode(&text, made, 16 + length, TL_BASE64_STD);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_decrypt_aes)
{
    *out = tl_cstring_ref("");
    if (!args[1].len) return 0;
    tl_buf bytes = tl_text_buf(x);
    tl_error err = {0};
    int status = -1;
    if (tl_base64_decode(&bytes, args[1].as.s, args[1].len, TL_BASE64_STD, &err)) {
        tl_fail(x, "%s", err.message);
    } else if (bytes.len < 16) {
        tl_fail(x, "runtime error: slice bounds out of range [:16] with capacity %zu", bytes.len);
    } else if (bytes.len % 16) {
        tl_fail(x, "crypto/cipher: input not full blocks");
    } else if (bytes.len == 16) {
        tl_fail(x, "runtime error: index out of range [-1]");
    } else {
        size_t length = bytes.len - 16;
        unsigned char *plain = tl_arena_alloc(x->arena, length);
        status = aes_cbc(args[0], (unsigned char *)bytes.data, (tl_span){bytes.data + 16, (uint32_t)length}, plain, 0);
        size_t padding = plain[length - 1];
        if (status)
            tl_fail(x, "cannot decrypt");
        else if (padding > length)
            status = tl_fail(x, "runtime error: slice bounds out of range [:%ld]", (long)length - (long)padding);
        else
            *out = tl_string_ref((char *)plain, length - padding);
    }
    tl_error_dispose(&err);
    tl_buf_dispose(&bytes);
    return status;
}

const tl_function tl_functions_crypto[] = {
    {"sha1sum", "s", fn_sha1},       {"sha256sum", "s", fn_sha256},          {"sha512sum", "s", fn_sha512},
    {"adler32sum", "s", fn_adler32}, {"bcrypt", "s", fn_bcrypt},             {"htpasswd", "ss", fn_htpasswd},
    {"derivePassword", "ussss", fn_derive_password}, {"encryptAES", "ss", fn_encrypt_aes},
    {"decryptAES", "ss", fn_decrypt_aes}, {NULL, NULL, NULL}};
