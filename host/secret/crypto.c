/* Random bytes by libcrypto. */
#include "secret/crypto.h"

#include <limits.h>
#include <string.h>

#include "base/dynlib.h"

typedef int random_fn(unsigned char *, int);

static random_fn *load(tl_error *err)
{
    static const char *const names[] = {"libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib", NULL};
    static const char *const symbols[] = {"RAND_bytes"};
    static const tl_dynlib lib = {names, "libssl3", symbols, 1};
    static random_fn *random_bytes;
    void *address;
    if (random_bytes) return random_bytes;
    if (tl_dynlib_load(&lib, &address, err)) return NULL;
    memcpy(&random_bytes, &address, sizeof address); /* ISO C has no cast from void * to a function */
    return random_bytes;
}

int tl_random_bytes(void *out, size_t length, tl_error *err)
{
    random_fn *random_bytes = load(err);
    if (!random_bytes) return -1;
    if (length > INT_MAX || random_bytes(out, (int)length) != 1)
        return tl_error_set(err, "io", "the system gives no random bytes");
    return 0;
}
