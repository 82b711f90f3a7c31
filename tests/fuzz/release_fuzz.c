/* A release record. The first byte: 0 the rest is what the cluster holds, else the JSON inside, packed here first. What
 * was decoded must be the same after encoding and decoding it, numbers as float64: a JSON text cannot tell 1.0 from 1. */
#include "fuzz.h"

#include "chart/release.h"
#include "chart/values.h"
#include "data/base64.h"
#include "data/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    tl_arena *arena = tl_arena_new(64u << 20);
    tl_buf json = TL_BUF_INIT(16u << 20), record = TL_BUF_INIT(16u << 20), again = TL_BUF_INIT(64u << 20);
    tl_value value, second;
    tl_error err = {0};
    if (data[0]) {
        tl_gzip_compress(&json, data + 1, size - 1, 1, &err);
        tl_base64_encode(&record, json.data, json.len, TL_BASE64_STD);
    } else {
        tl_buf_add(&record, data + 1, size - 1);
    }
    if (!tl_release_decode(&value, arena, record.data, record.len, &err)) {
        if (tl_release_encode(&again, value, &err)) abort();
        if (tl_release_decode(&second, arena, again.data, again.len, &err)) abort();
        if (!tl_value_equal(tl_values_floats(value), tl_values_floats(second))) abort();
    }
    tl_error_dispose(&err);
    tl_buf_dispose(&json);
    tl_buf_dispose(&record);
    tl_buf_dispose(&again);
    tl_arena_free(arena);
    return 0;
}
