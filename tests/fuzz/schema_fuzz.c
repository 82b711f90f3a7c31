/* values.schema.json of a stranger, and values (YAML) behind a NUL. */
#include "fuzz.h"

#include <string.h>

#include "chart/schema.h"
#include "chart/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tl_arena *arena = tl_arena_new(64u << 20);
    const char *text = tl_arena_strndup(arena, (const char *)data, size), *cut = memchr(text, 0, size);
    size_t first = cut ? (size_t)(cut - text) : size;
    tl_map *values = NULL;
    tl_error err = {0};
    if (cut) tl_values_decode(&values, arena, cut + 1, size - first - 1, &err);
    tl_error_dispose(&err);
    tl_schema_check(arena, text, first, values ? values : tl_map_new(arena, 0), &err);
    tl_error_dispose(&err);
    tl_arena_free(arena);
    return 0;
}
