#ifndef TL_CHART_DECODE_H
#define TL_CHART_DECODE_H

#include <stdint.h>

#include "base/error.h"
#include "data/value.h"

/* How helm reads YAML, JSON and scalars: through sigs.k8s.io/yaml and encoding/json, whose conversions show. */

/* First YAML document; null for an empty one. With `floats` every number is a float64, as in values; without, integers
 * stay integers. Errors carry Go's text. */
int tl_decode_yaml(tl_arena *arena, const char *text, size_t size, int floats, tl_value *out, tl_error *err);
/* The JSON value at the start of `text`; its length goes to *used. Numbers are float64. */
int tl_decode_json_prefix(tl_arena *arena, const char *text, size_t size, tl_value *out, size_t *used, tl_error *err);
/* 1 where the text is a decimal integer that fits (strconv.ParseInt, base 10). */
int tl_decode_int(const char *text, int64_t *out);
/* The whole file (at most 64 MiB), NUL-ended; "-" is standard input. */
int tl_decode_read_file(tl_arena *arena, const char *path, const char **data, size_t *size, tl_error *err);
/* An open file, which stays open: its path for messages, its size, 0 where it tells none. */
typedef struct tl_decode_open {
    int descriptor;
    const char *path;
    int64_t size;
} tl_decode_open;
/* The same from an open file. */
int tl_decode_read_open(tl_arena *arena, const tl_decode_open *file, const char **data, size_t *size, tl_error *err);

/* Struct fields as encoding/json matches them: exactly, else but for case. NULL where absent. */
tl_value *tl_decode_field(const tl_map *map, const char *name);
/* Puts a field into *out: a string field of a Go struct takes numbers and bools too. Absent and null leave *out alone.
 * `go_field` names it in the error ("Metadata.name"). */
int tl_decode_string(tl_arena *arena, const tl_map *map, const char *name, const char *go_field, const char **out,
                     tl_error *err);
/* The text of a scalar as sigs.k8s.io/yaml turns it into a string; NULL for null, lists and maps. */
const char *tl_decode_scalar(tl_arena *arena, tl_value value);
/* encoding/json's refusal; go_field NULL for the whole value. Returns -1. */
int tl_decode_mismatch(tl_error *err, tl_value value, const char *go_field, const char *go_type);

#endif
