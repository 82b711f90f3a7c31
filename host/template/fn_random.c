/* Random texts and numbers, from the system's generator or the render's own. */
#include <string.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

#include "base/utf8.h"
#include "data/base64.h"
#include "template/internal.h"

#define MAX_RANDOM (16u << 20)

int tl_random(tl_exec *x, void *out, size_t length)
{
    const tl_template_outside *outside = &x->render->options.outside;
    if (outside->random) {
        tl_error err = {0};
        if (!outside->random(outside->context, out, length, &err)) return 0;
        tl_fail(x, "%s", err.message ? err.message : "no random bytes");
        tl_error_dispose(&err);
        return -1;
    }
    for (size_t done = 0; done < length;) {
        size_t some = length - done < 256 ? length - done : 256;
        if (getentropy((char *)out + done, some)) return tl_fail(x, "no random bytes");
        done += some;
    }
    return 0;
}

int tl_random_below(tl_exec *x, uint64_t limit, uint64_t *out)
{
    uint64_t ceiling = UINT64_MAX - UINT64_MAX % limit;
    do {
        if (tl_random(x, out, sizeof *out)) return -1;
    } while (*out >= ceiling);
    *out %= limit;
    return 0;
}

static int random_text(tl_exec *x, int64_t count, const char *alphabet, tl_value *out)
{
    size_t letters = strlen(alphabet);
    *out = tl_cstring_ref("");
    if (count <= 0) return 0;
    if (count > MAX_RANDOM) return tl_limit(x, "a random text is too large");
    char *text = tl_arena_alloc(x->arena, (size_t)count + 1);
    unsigned char pool[512];
    size_t used = sizeof pool, fair = 256 - 256 % letters;
    for (int64_t i = 0; i < count;) {
        if (used == sizeof pool) {
            if (tl_random(x, pool, sizeof pool)) return -1;
            used = 0;
        }
        unsigned char byte = pool[used++];
        if (byte < fair) text[i++] = alphabet[byte % letters];
    }
    text[count] = 0;
    tl_cleanse(pool, sizeof pool);
    *out = tl_string_ref(text, (size_t)count);
    return 0;
}

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

TL_FUNCTION(fn_alpha_num)
{
    return random_text(x, args[0].as.i, UPPER LOWER DIGITS, out);
}

TL_FUNCTION(fn_alpha)
{
    return random_text(x, args[0].as.i, UPPER LOWER, out);
}

TL_FUNCTION(fn_numeric)
{
    return random_text(x, args[0].as.i, DIGITS, out);
}

TL_FUNCTION(fn_ascii)
{
    return random_text(x, args[0].as.i, " !\"#$%&'()*+,-./" DIGITS ":;<=>?@" UPPER "[\\]^_`" LOWER "{|}~", out);
}

TL_FUNCTION(fn_bytes)
{
    int64_t length = args[0].as.i;
    if (length < 0) return tl_fail(x, "runtime error: makeslice: len out of range");
    if (length > MAX_RANDOM) return tl_limit(x, "a random text is too large");
    char *bytes = tl_arena_alloc(x->arena, (size_t)length + 1);
    if (tl_random(x, bytes, (size_t)length)) return -1;
    tl_buf text = tl_text_buf(x);
    tl_base64_encode(&text, bytes, (size_t)length, TL_BASE64_STD);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_int)
{
    int64_t min = args[0].as.i, max = args[1].as.i;
    uint64_t n;
    if (max <= min) return tl_fail(x, "invalid argument to Intn");
    if (tl_random_below(x, (uint64_t)max - (uint64_t)min, &n)) return -1;
    *out = tl_go_int((int64_t)((uint64_t)min + n));
    return 0;
}

TL_FUNCTION(fn_uuid)
{
    unsigned char b[16];
    if (tl_random(x, b, sizeof b)) return -1;
    b[6] = (b[6] & 0x0F) | 0x40;
    b[8] = (b[8] & 0x3F) | 0x80;
    char *text = tl_arena_printf(x->arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                                 b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                                 b[14], b[15]);
    *out = tl_cstring_ref(text);
    return 0;
}

TL_FUNCTION(fn_shuffle)
{
    size_t n = 0;
    tl_span *runes = tl_arena_alloc(x->arena, (args[0].len + 1) * sizeof *runes);
    for (size_t i = 0, width; i < args[0].len; i += width) {
        tl_utf8_decode(args[0].as.s + i, args[0].len - i, &width);
        runes[n++] = (tl_span){args[0].as.s + i, (uint32_t)width};
    }
    for (size_t i = n; i-- > 1;) {
        uint64_t k;
        if (tl_random_below(x, i + 1, &k)) return -1;
        tl_span held = runes[i];
        runes[i] = runes[k];
        runes[k] = held;
    }
    tl_buf text = tl_text_buf(x);
    for (size_t i = 0; i < n; i++) tl_buf_add(&text, runes[i].s, runes[i].len);
    return tl_take_string(x, &text, out);
}

const tl_function tl_functions_random[] = {
    {"randAlphaNum", "i", fn_alpha_num}, {"randAlpha", "i", fn_alpha}, {"randNumeric", "i", fn_numeric},
    {"randAscii", "i", fn_ascii},        {"randBytes", "i", fn_bytes}, {"randInt", "ii", fn_int},
    {"uuidv4", "", fn_uuid},             {"shuffle", "s", fn_shuffle}, {NULL, NULL, NULL}};
