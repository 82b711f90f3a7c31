/* RSA keys of libcrypto's primes. */
#include "template/rsa_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base/dynlib.h"
#include "base/thread.h"

#define EXPONENT 65537

#define CALLS(X)                                                                                                       \
    X(BN_CTX_new) X(BN_CTX_free) X(BN_secure_new) X(BN_clear_free) X(BN_generate_prime_ex) X(BN_mod_word) X(BN_cmp)    \
    X(BN_mul) X(BN_div) X(BN_set_word) X(BN_sub_word) X(BN_copy) X(BN_mod_inverse) X(BN_set_flags)           \
    X(OSSL_PARAM_BLD_new) X(OSSL_PARAM_BLD_free) X(OSSL_PARAM_BLD_push_BN) X(OSSL_PARAM_BLD_to_param)                  \
    X(OSSL_PARAM_free) X(EVP_PKEY_CTX_new_from_name) X(EVP_PKEY_CTX_free) X(EVP_PKEY_fromdata_init)                    \
    X(EVP_PKEY_fromdata) X(BN_GENCB_new) X(BN_GENCB_free) X(BN_GENCB_set) X(BN_GENCB_get_arg) X(BN_num_bits)

#define MEMBER(name) __typeof__(name) *name;
static union {
    struct {
        CALLS(MEMBER)
    } f;
    void *addresses[28];
} lib;

#define NAME(name) #name,
static const char *const symbols[] = {CALLS(NAME)};
#define COUNT (sizeof symbols / sizeof symbols[0])

enum { N, E, D, P, Q, DP, DQ, QINV, PHI, P1, Q1, NUMBERS };

static int load(tl_error *err)
{
    static const char *const names[] = {"libcrypto.so.3", "libcrypto.3.dylib", NULL};
    static const tl_dynlib library = {names, "libssl3", symbols, COUNT};
    _Static_assert(COUNT == 28, "room for all functions");
    if (lib.addresses[COUNT - 1]) return 0;
    return tl_dynlib_load(&library, lib.addresses, err);
}

/* Rounds of Miller-Rabin after which a random number is prime enough for RSA, as in Go's keys, which helm makes: errors of
 * such numbers are far rarer than those of chosen ones, for which libcrypto has its 64. */
static int rounds_for(int bits)
{
    return bits >= 1536 ? 4 : bits >= 1024 ? 5 : 64;
}

typedef struct test {
    int rounds, passed;
} test;

/* Ends the search when a candidate has passed its rounds. */
static int on_step(int event, int round, BN_GENCB *callback)
{
    test *t = lib.f.BN_GENCB_get_arg(callback);
    t->passed = event == 1 && round + 1 >= t->rounds;
    return !t->passed;
}

/* A prime with its two highest bits set, so that the product of two has all its bits; prime - 1 is no multiple of the
 * exponent, which is prime itself. */
static int find_prime(BIGNUM *out, int bits)
{
    test t = {rounds_for(bits), 0};
    BN_GENCB *callback = lib.f.BN_GENCB_new();
    int found = callback != NULL;
    if (found) lib.f.BN_GENCB_set(callback, on_step, &t);
    while (found) {
        found = lib.f.BN_generate_prime_ex(out, bits, 0, NULL, NULL, callback) || t.passed;
        /* An ended search leaves its candidate: not promised, so looked at. */
        if (found && lib.f.BN_num_bits(out) != bits) found = lib.f.BN_generate_prime_ex(out, bits, 0, NULL, NULL, NULL);
        if (found && lib.f.BN_mod_word(out, EXPONENT) != 1) break;
    }
    lib.f.BN_GENCB_free(callback);
    return found;
}

typedef struct search {
    BIGNUM *prime;
    int bits, found;
} search;

static void *run_search(void *data)
{
    search *s = data;
    s->found = find_prime(s->prime, s->bits);
    return NULL;
}

/* Two primes, which take nearly all of the time, on two threads. */
static int find_primes(BIGNUM *p, BIGNUM *q, int bits)
{
    pthread_t thread;
    search first = {p, bits, 0}, second = {q, bits, 0};
    tl_error ignored = {0};
    int parallel = !tl_thread_start(&thread, run_search, &first, &ignored);
    run_search(&second);
    if (parallel)
        pthread_join(thread, NULL);
    else
        run_search(&first);
    tl_error_dispose(&ignored);
    return first.found && second.found;
}

/* RFC 8017, section 3.2: everything that follows from the primes. */
static int derive(BIGNUM **n, BN_CTX *context)
{
    return lib.f.BN_set_word(n[E], EXPONENT) && lib.f.BN_copy(n[P1], n[P]) && lib.f.BN_sub_word(n[P1], 1) &&
           lib.f.BN_copy(n[Q1], n[Q]) && lib.f.BN_sub_word(n[Q1], 1) && lib.f.BN_mul(n[N], n[P], n[Q], context) &&
           lib.f.BN_mul(n[PHI], n[P1], n[Q1], context) && lib.f.BN_mod_inverse(n[D], n[E], n[PHI], context) &&
           lib.f.BN_div(NULL, n[DP], n[D], n[P1], context) && lib.f.BN_div(NULL, n[DQ], n[D], n[Q1], context) &&
           lib.f.BN_mod_inverse(n[QINV], n[Q], n[P], context);
}

static EVP_PKEY *assemble(BIGNUM **n)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = lib.f.EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *builder = lib.f.OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    int ok = builder && context;
    for (int i = N; ok && i <= QINV; i++) ok = lib.f.OSSL_PARAM_BLD_push_BN(builder, names[i], n[i]);
    if (ok) params = lib.f.OSSL_PARAM_BLD_to_param(builder);
    if (params && lib.f.EVP_PKEY_fromdata_init(context) > 0)
        lib.f.EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params);
    lib.f.OSSL_PARAM_free(params);
    lib.f.OSSL_PARAM_BLD_free(builder);
    lib.f.EVP_PKEY_CTX_free(context);
    return key;
}

EVP_PKEY *tl_rsa_key_new(int bits, tl_error *err)
{
    BIGNUM *n[NUMBERS] = {0};
    EVP_PKEY *key = NULL;
    if (load(err)) return NULL;
    BN_CTX *context = lib.f.BN_CTX_new();
    int ok = context != NULL;
    for (int i = 0; i < NUMBERS; i++) {
        n[i] = lib.f.BN_secure_new();
        if (n[i]) lib.f.BN_set_flags(n[i], BN_FLG_CONSTTIME);
        ok = ok && n[i];
    }
    do ok = ok && find_primes(n[P], n[Q], bits / 2);
    while (ok && !lib.f.BN_cmp(n[P], n[Q]));
    if (ok && derive(n, context)) key = assemble(n);
    for (int i = 0; i < NUMBERS; i++) lib.f.BN_clear_free(n[i]);
    lib.f.BN_CTX_free(context);
    if (!key) tl_error_set(err, "crypto", "failed to generate private key");
    return key;
}
