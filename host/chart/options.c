/* The user's values from files and flags (helm.sh/helm/v3/pkg/cli/values). */
#include <string.h>

#include "chart/decode.h"
#include "chart/values.h"

static int merge_file(tl_map **base, tl_arena *arena, const char *path, tl_error *err)
{
    const char *data;
    size_t size;
    tl_map *map;
    if (tl_decode_read_file(arena, path, &data, &size, err)) return -1;
    if (tl_values_decode(&map, arena, data, size, err))
        return tl_error_wrap(err, "failed to parse %s: %s", path, err && err->message ? err->message : "");
    if (map) *base = tl_values_overlay(arena, *base, map);
    return 0;
}

const tl_values_flag tl_values_flags[] = {{TL_SET_JSON, "--set-json"},
                                          {TL_SET_TYPED, "--set"},
                                          {TL_SET_STRING, "--set-string"},
                                          {TL_SET_FILE, "--set-file"},
                                          {TL_SET_LITERAL, "--set-literal"},
                                          {TL_SET_TYPED, NULL}};

int tl_values_set_flag(tl_arena *arena, tl_map *dest, const char *line, const tl_values_flag *flag, tl_error *err)
{
    if (!tl_values_set(arena, dest, line, flag->mode, err)) return 0;
    if (flag->mode == TL_SET_JSON) return tl_error_set(err, "usage", "failed parsing --set-json data %s", line);
    return tl_error_wrap(err, "failed parsing %s data: %s", flag->flag, err && err->message ? err->message : "");
}

int tl_values_options_merge(tl_map **out, tl_arena *arena, const tl_values_options *options, tl_error *err)
{
    tl_map *base = tl_map_new(arena, 8);
    for (size_t i = 0; i < options->file_count; i++)
        if (merge_file(&base, arena, options->files[i], err)) return -1;
    if (options->values) {
        tl_value copy = tl_value_copy(arena, tl_map_value((tl_map *)options->values));
        base = tl_values_overlay(arena, base, copy.as.map);
    }
    for (const tl_values_flag *flag = tl_values_flags; flag->flag; flag++)
        for (size_t i = 0; i < options->set_count[flag->mode]; i++)
            if (tl_values_set_flag(arena, base, options->set[flag->mode][i], flag, err)) return -1;
    *out = base;
    return 0;
}
