/* --set and its sisters: the first byte says which, each line is one flag. */
#include "fuzz.h"

#include <string.h>

#include "chart/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tl_set_mode modes[] = {TL_SET_TYPED, TL_SET_STRING, TL_SET_JSON, TL_SET_LITERAL};
    if (!size) return 0;
    tl_arena *arena = tl_arena_new(64u << 20);
    tl_map *values = tl_map_new(arena, 0);
    char *text = tl_arena_strndup(arena, (const char *)data + 1, size - 1);
    for (char *line = text; line; ) {
        tl_error err = {0};
        char *end = strchr(line, '\n');
        if (end) *end++ = 0;
        tl_values_set(arena, values, line, modes[data[0] % 4], &err);
        tl_error_dispose(&err);
        line = end;
    }
    tl_arena_free(arena);
    return 0;
}
