/* Random bytes by libcrypto. */
#include "secret/crypto.h"

#include <limits.h>
#include <openssl/rand.h>

int tl_random_bytes(void *out, size_t length, tl_error *err)
{
    if (length > INT_MAX || RAND_bytes(out, (int)length) != 1)
        return tl_error_set(err, "io", "the system gives no random bytes");
    return 0;
}
