/* RSA keys of libcrypto's primes. */
#include "template/rsa_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

#define EXPONENT 65537

enum { N, E, D, P, Q, DP, DQ, QINV, PHI, P1, Q1, NUMBERS };

/* Rounds of Miller-Rabin after which a random number is prime enough for RSA, as in Go's keys, which helm makes: errors of
 * such numbers are far rarer than those of chosen ones, for which libcrypto has its 64. */
static int rounds_for(int bits)
{
    return bits >= 1536 ? 4 : bits >= 1024 ? 5 : 64;
}

typedef struct test {
    int rounds, passed;
} test;

/* Ends a test when the candidate has passed its rounds. */
static int on_step(int event, int round, BN_GENCB *callback)
{
    test *t = BN_GENCB_get_arg(callback);
    t->passed = event == 1 && round + 1 >= t->rounds;
    return !t->passed;
}

static int is_prime(const BIGNUM *candidate, BN_CTX *context)
{
    test t = {rounds_for(BN_num_bits(candidate)), 0};
    BN_GENCB *callback = BN_GENCB_new();
    if (!callback) return 0;
    BN_GENCB_set(callback, on_step, &t);
    int prime = BN_check_prime(candidate, context, callback) == 1 || t.passed;
    BN_GENCB_free(callback);
    return prime;
}

/* Odd numbers from a random one on, as many as hold eleven primes of 1024 bits, and the bound of the primes by which they
 * are sieved: one in nine stays. */
enum { SPAN = 4096, BOUND = 1 << 15 };

/* Marks in composite[i] whether a small prime divides start + 2i; start is odd. */
static void sieve(unsigned char composite[SPAN], const BIGNUM *start)
{
    unsigned char multiple[BOUND / 2] = {0}; /* of odd numbers: multiple[i] is 2i + 1's */
    memset(composite, 0, SPAN);
    for (unsigned prime = 3; prime < BOUND; prime += 2) {
        if (multiple[prime / 2]) continue;
        for (unsigned i = prime + prime / 2; i < BOUND / 2; i += prime) multiple[i] = 1;
        unsigned above = (prime - (unsigned)BN_mod_word(start, prime)) % prime;
        for (unsigned i = (above % 2 ? above + prime : above) / 2; i < SPAN; i += prime) composite[i] = 1;
    }
}

/* Fermat's test of two numbers at once, which libcrypto can do in the time of one where the processor has AVX-512. */
typedef struct pair {
    BIGNUM *candidate[2], *less_one[2], *power[2], *base;
} pair;

static int test_pair(pair *p, BN_CTX *context)
{
    for (int i = 0; i < 2; i++)
        if (!BN_copy(p->less_one[i], p->candidate[i]) || !BN_sub_word(p->less_one[i], 1)) return 0;
    return BN_mod_exp_mont_consttime_x2(p->power[0], p->base, p->less_one[0], p->candidate[0], NULL, p->power[1],
                                        p->base, p->less_one[1], p->candidate[1], NULL, context);
}

/* Looks for two primes with their two highest bits set, so that the product has all its bits; prime - 1 is no multiple of
 * the exponent, which is prime itself. Each thread takes numbers of its own until there are two. */
typedef struct search {
    int bits;
    pthread_mutex_t lock;
    BIGNUM *primes[2];
    _Atomic int found; /* -1: one could not be kept */
} search;

static void keep(search *s, const BIGNUM *prime)
{
    pthread_mutex_lock(&s->lock);
    if (s->found >= 0 && s->found < 2) s->found = BN_copy(s->primes[s->found], prime) ? s->found + 1 : -1;
    pthread_mutex_unlock(&s->lock);
}

static int is_open(search *s)
{
    int found = s->found;
    return found >= 0 && found < 2;
}

/* Tests what the sieve left of the numbers from start on, up to the first prime. Returns 0 on failure. */
static int search_span(search *s, const BIGNUM *start, const unsigned char *composite, pair *p, BN_CTX *context)
{
    for (int at = 0, held = 0; at < SPAN && is_open(s); at++) {
        if (composite[at]) continue;
        BIGNUM *candidate = p->candidate[held];
        if (!BN_copy(candidate, start) || !BN_add_word(candidate, 2 * (BN_ULONG)at)) return 0;
        if (BN_num_bits(candidate) != s->bits) return 1;
        held = !held;
        if (held) continue;
        if (!test_pair(p, context)) return 0;
        for (int i = 0; i < 2; i++) {
            candidate = p->candidate[i];
            if (!BN_is_one(p->power[i]) || BN_mod_word(candidate, EXPONENT) == 1) continue;
            if (!is_prime(candidate, context)) continue;
            keep(s, candidate);
            return 1;
        }
    }
    return 1;
}

static void *run_search(void *data)
{
    search *s = data;
    unsigned char composite[SPAN];
    pair p;
    BN_CTX *context = BN_CTX_secure_new();
    if (!context) return NULL;
    BN_CTX_start(context);
    for (int i = 0; i < 2; i++) {
        p.candidate[i] = BN_CTX_get(context);
        p.less_one[i] = BN_CTX_get(context);
        p.power[i] = BN_CTX_get(context);
    }
    p.base = BN_CTX_get(context);
    BIGNUM *start = BN_CTX_get(context);
    int ok = start != NULL; /* NULL where one before it is */
    while (ok && is_open(s)) {
        ok = BN_priv_rand(start, s->bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD) && BN_priv_rand_range(p.base, start);
        if (!ok) break;
        sieve(composite, start);
        ok = search_span(s, start, composite, &p, context);
    }
    tl_cleanse(composite, sizeof composite);
    BN_CTX_end(context);
    BN_CTX_free(context);
    return NULL;
}

/* Two primes, which take nearly all of the time, on two threads. */
static int find_primes(BIGNUM *p, BIGNUM *q, int bits)
{
    pthread_t thread;
    search s = {.bits = bits, .lock = PTHREAD_MUTEX_INITIALIZER, .primes = {p, q}};
    tl_error ignored = {0};
    int parallel = !tl_thread_start(&thread, run_search, &s, &ignored);
    run_search(&s);
    if (parallel) pthread_join(thread, NULL);
    tl_error_dispose(&ignored);
    return s.found == 2;
}

/* RFC 8017, section 3.2: everything that follows from the primes. */
static int derive(BIGNUM **n, BN_CTX *context)
{
    return BN_set_word(n[E], EXPONENT) && BN_copy(n[P1], n[P]) && BN_sub_word(n[P1], 1) &&
           BN_copy(n[Q1], n[Q]) && BN_sub_word(n[Q1], 1) && BN_mul(n[N], n[P], n[Q], context) &&
           BN_mul(n[PHI], n[P1], n[Q1], context) && BN_mod_inverse(n[D], n[E], n[PHI], context) &&
           BN_div(NULL, n[DP], n[D], n[P1], context) && BN_div(NULL, n[DQ], n[D], n[Q1], context) &&
           BN_mod_inverse(n[QINV], n[Q], n[P], context);
}

static EVP_PKEY *assemble(BIGNUM **n)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    int ok = builder && context;
    for (int i = N; ok && i <= QINV; i++) ok = OSSL_PARAM_BLD_push_BN(builder, names[i], n[i]);
    if (ok) params = OSSL_PARAM_BLD_to_param(builder);
    if (params && EVP_PKEY_fromdata_init(context) > 0)
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    return key;
}

EVP_PKEY *tl_rsa_key_new(int bits, tl_error *err)
{
    BIGNUM *n[NUMBERS] = {0};
    EVP_PKEY *key = NULL;
    BN_CTX *context = BN_CTX_new();
    int ok = context != NULL;
    for (int i = 0; i < NUMBERS; i++) {
        n[i] = BN_secure_new();
        if (n[i]) BN_set_flags(n[i], BN_FLG_CONSTTIME);
        ok = ok && n[i];
    }
    do ok = ok && find_primes(n[P], n[Q], bits / 2);
    while (ok && !BN_cmp(n[P], n[Q]));
    if (ok && derive(n, context)) key = assemble(n);
    for (int i = 0; i < NUMBERS; i++) BN_clear_free(n[i]);
    BN_CTX_free(context);
    if (!key) tl_error_set(err, "crypto", "failed to generate private key");
    return key;
}
