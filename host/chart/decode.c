/* YAML, JSON and scalars as helm reads them. */
#include "chart/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "chart/text.h"
#include "chart/values.h"
#include "data/json.h"
#include "data/number.h"
#include "data/yaml.h"

#define MAX_INPUT (64u * 1024 * 1024)

int tl_decode_yaml(tl_arena *arena, const char *text, size_t size, int floats, tl_value *out, tl_error *err)
{
    tl_yaml_options options = {.flavour = TL_YAML_HELM, .floats = floats};
    if (tl_yaml_parse(arena, text, size, &options, out, err) < 0) {
        tl_error_wrap(err, "error converting YAML to JSON: %s", err && err->message ? err->message : "");
        return -1;
    }
    return 0;
}

/* Where the JSON value at the start of the text ends, as far as its outer form tells. */
static size_t json_extent(const char *text, size_t size)
{
    size_t depth = 0, i = 0;
    int in_string = 0;
    if (!strchr("{[\"", *text)) {
        while (i < size && !strchr(", \t\r\n]}", text[i])) i++;
        return i;
    }
    for (; i < size; i++) {
        if (in_string) {
            if (text[i] == '\\' && i + 1 < size)
                i++;
            else if (text[i] == '"')
                in_string = 0;
        } else if (text[i] == '"') {
            in_string = 1;
        } else if (text[i] == '{' || text[i] == '[') {
            depth++;
        } else if (text[i] == '}' || text[i] == ']') {
            if (depth) depth--;
        }
        if (!in_string && !depth) return i + 1;
    }
    return size;
}

int tl_decode_json_prefix(tl_arena *arena, const char *text, size_t size, tl_value *out, size_t *used, tl_error *err)
{
    tl_json_options options = {.numbers = TL_JSON_FLOATS, .go_messages = 1};
    *used = json_extent(text, size);
    return tl_json_parse(arena, text, *used, &options, out, err);
}

int tl_decode_int(const char *text, int64_t *out)
{
    return tl_number_parse_int(text, strlen(text), 10, out) == 0;
}

/* Into memory of the size that the file has; where it tells none (a pipe), to its end. */
static int read_all(tl_arena *arena, int file, size_t expected, const char **data, size_t *size)
{
    size_t cap = expected + 2, used = 0;
    char *bytes = tl_arena_alloc(arena, cap);
    for (ssize_t n = 1; n && used <= MAX_INPUT && (!expected || used < expected); used += (size_t)n) {
        if (used + 1 == cap) {
            bytes = tl_arena_grow(arena, bytes, cap, cap * 2 + 4096);
            cap = cap * 2 + 4096;
        }
        do n = read(file, bytes + used, cap - used - 1);
        while (n < 0 && errno == EINTR);
        if (n < 0) return -1;
    }
    bytes[used] = 0;
    *data = bytes;
    *size = used;
    return 0;
}

int tl_decode_read_open(tl_arena *arena, const tl_decode_open *file, const char **data, size_t *size, tl_error *err)
{
    *size = file->size > 0 ? (size_t)file->size : 0;
    if (*size <= MAX_INPUT && read_all(arena, file->descriptor, *size, data, size))
        return tl_text_errno(err, errno, "read %s", file->path);
    if (*size > MAX_INPUT) return tl_error_set(err, "limit", "%s is larger than %u bytes", file->path, MAX_INPUT);
    return 0;
}

int tl_decode_read_file(tl_arena *arena, const char *path, const char **data, size_t *size, tl_error *err)
{
    int is_stdin = !strcmp(path, "-");
    int file = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) return tl_error_set(err, "not_found", "open %s: no such file or directory", path);
    if (file < 0) return tl_text_errno(err, errno, "open %s", path);
    struct stat st;
    const tl_decode_open open = {file, path, !fstat(file, &st) && S_ISREG(st.st_mode) ? st.st_size : 0};
    int result = tl_decode_read_open(arena, &open, data, size, err);
    if (!is_stdin) close(file);
    return result;
}

tl_value *tl_decode_field(const tl_map *map, const char *name)
{
    size_t length = strlen(name);
    tl_value *exact = tl_map_get(map, name, length);
    if (exact) return exact;
    uint32_t cursor = 0;
    for (tl_entry *e; map && (e = tl_map_next(map, &cursor));)
        if (e->key_len == length && tl_text_same(e->key, length, name)) return &e->value;
    return NULL;
}

const char *tl_decode_scalar(tl_arena *arena, tl_value value)
{
    char number[TL_NUMBER_MAX];
    switch (value.type) {
    case TL_STRING: return tl_arena_strndup(arena, value.as.s, value.len);
    case TL_BOOL: return value.as.b ? "true" : "false";
    case TL_INT:
        if (value.go == TL_GO_UINT64) return tl_arena_printf(arena, "%llu", (unsigned long long)value.as.i);
        return tl_arena_printf(arena, "%lld", (long long)value.as.i);
    case TL_FLOAT: tl_number_format(value.as.d, 'g', -1, 64, number); return tl_arena_strdup(arena, number);
    default: return NULL;
    }
}

static const char *json_kind(tl_value value)
{
    switch (value.type) {
    case TL_BOOL: return "bool";
    case TL_INT:
    case TL_FLOAT: return "number";
    case TL_LIST: return "array";
    case TL_MAP: return "object";
    default: return "string";
    }
}

int tl_decode_mismatch(tl_error *err, tl_value value, const char *go_field, const char *go_type)
{
    return tl_error_set(err, "parse",
                        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s into Go %s%s"
                        " of type %s", json_kind(value), go_field ? "struct field " : "value",
                        go_field ? go_field : "", go_type);
}

int tl_decode_string(tl_arena *arena, const tl_map *map, const char *name, const char *go_field, const char **out,
                     tl_error *err)
{
    tl_value *value = tl_decode_field(map, name);
    if (!value || value->type == TL_NULL) return 0;
    const char *text = tl_decode_scalar(arena, *value);
    if (!text) return tl_decode_mismatch(err, *value, go_field, "string");
    *out = text;
    return 0;
}

tl_value tl_values_floats(tl_value value)
{
    if (value.type == TL_INT)
        return tl_float(value.go == TL_GO_UINT64 ? (double)(uint64_t)value.as.i : (double)value.as.i);
    if (value.type == TL_LIST)
        for (size_t i = 0; i < value.as.list->len; i++)
            value.as.list->items[i] = tl_values_floats(value.as.list->items[i]);
    if (value.type == TL_MAP) {
        uint32_t cursor = 0;
        for (tl_entry *e; (e = tl_map_next(value.as.map, &cursor));) e->value = tl_values_floats(e->value);
    }
    return value;
}

int tl_values_decode(tl_map **out, tl_arena *arena, const char *text, size_t size, tl_error *err)
{
    tl_value value = tl_null();
    *out = NULL;
    if (tl_decode_yaml(arena, text, size, 1, &value, err)) return -1;
    if (value.type == TL_MAP)
        *out = value.as.map;
    else if (value.type != TL_NULL)
        return tl_decode_mismatch(err, value, NULL, "map[string]interface {}");
    return 0;
}
