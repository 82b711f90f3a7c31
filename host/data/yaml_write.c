/* Values as YAML, byte for byte as sigs.k8s.io/yaml (or go-yaml v3) writes them. */
#include "data/yaml.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/base64.h"
#include "data/number.h"
#include "data/yaml_emit.h"
#include "data/yaml_order.h"
#include "data/yaml_scalar.h"

#define MAX_DEPTH 1000
#define WIDTH 80
#define SIMPLE_KEY 128      /* bytes of the longest key that needs no "?" */
#define LONGEST_KEY 1024    /* characters of JSON that go-yaml's scanner takes for a key */

typedef struct writer {
    tl_yaml_emitter e;
    tl_yaml_write_options options;
    tl_arena *arena; /* made when it is needed */
    int depth;
} writer;

static tl_arena *scratch(writer *w)
{
    if (!w->arena) w->arena = tl_arena_new(0);
    return w->arena;
}

/* sigs.k8s.io/yaml writes JSON and reads that as YAML before it writes YAML. A string comes through with bad UTF-8
 * replaced, NEL folded as a line break in quotes is, and is refused where YAML does not allow a character. */
static int pass_json(writer *w, const char **text, size_t *length, tl_error *err)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    size_t run = 0, breaks = 0; /* of spaces and NELs at the end of `out` */
    for (size_t i = 0, width; i < *length; i += width) {
        char bytes[4];
        uint32_t rune = tl_utf8_decode(*text + i, *length - i, &width);
        if ((rune >= 0x7F && rune <= 0x9F && rune != 0x85) || rune == 0xFFFE || rune == 0xFFFF) {
            tl_buf_dispose(&out);
            return tl_error_set(err, "usage", "yaml: control characters are not allowed");
        }
        if (rune == ' ' || rune == 0x85) {
            run++;
            breaks += rune == 0x85;
        }
        if ((rune != ' ' && rune != 0x85) || i + width == *length) {
            size_t written = breaks > 1 ? breaks - 1 : breaks ? 1 : run;
            while (written--) tl_buf_addc(&out, breaks > 1 ? '\n' : ' ');
            run = breaks = 0;
        }
        if (rune != ' ' && rune != 0x85) tl_buf_add(&out, bytes, tl_utf8_encode(rune, bytes));
    }
    *text = tl_arena_strndup(scratch(w), out.data, out.len);
    *length = out.len;
    tl_buf_dispose(&out);
    return 0;
}

/* go-yaml v3 gets the value itself; only UTF-8 is demanded. */
static void mend_utf8(writer *w, const char **text, size_t *length)
{
    if (tl_utf8_valid(*text, *length)) return;
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    for (size_t i = 0, width; i < *length; i += width) {
        char bytes[4];
        tl_buf_add(&out, bytes, tl_utf8_encode(tl_utf8_decode(*text + i, *length - i, &width), bytes));
    }
    *text = tl_arena_strndup(scratch(w), out.data, out.len);
    *length = out.len;
    tl_buf_dispose(&out);
}

static int is_simple_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x7F) return 0;
    return 1;
}

static int write_string(writer *w, const char *text, size_t length, int simple_key, tl_error *err)
{
    tl_value ignored;
    if (!is_simple_ascii(text, length)) {
        if (w->options.style == TL_YAML_PRETTY)
            mend_utf8(w, &text, &length);
        else if (pass_json(w, &text, &length, err))
            return -1;
    }
    int quote = tl_yaml_resolve(text, length, TL_YAML_HELM, 1, &ignored) != TL_YAML_STR || tl_yaml_base60(text, length);
    tl_yaml_emit_string(&w->e, text, length, quote, simple_key);
    return 0;
}

static int write_float(writer *w, tl_value value, tl_error *err)
{
    char text[TL_NUMBER_MAX];
    int bits = value.go == TL_GO_FLOAT32 ? 32 : 64, pretty = w->options.style == TL_YAML_PRETTY;
    if (!isfinite(value.as.d)) {
        if (pretty) {
            const char *name = isnan(value.as.d) ? ".nan" : value.as.d > 0 ? ".inf" : "-.inf";
            tl_yaml_emit_plain(&w->e, name, strlen(name));
            return 0;
        }
        tl_number_format(value.as.d, 'g', -1, bits, text);
        return tl_error_set(err, "usage", "json: unsupported value: %s", text);
    }
    size_t length = pretty ? tl_number_format(value.as.d, 'g', -1, bits, text) : tl_number_json(value.as.d, bits, text);
    int64_t integer;
    uint64_t large;
    if (!pretty && tl_number_parse_int(text, length, 10, &integer) == 0) {
        if (!integer) length = (size_t)snprintf(text, sizeof text, "0"); /* not -0 */
    } else if (!pretty && tl_number_parse_uint(text, length, 10, &large)) {
        double again;
        tl_number_parse_float(text, length, &again);
        length = tl_number_format(again, 'g', -1, 64, text);
    }
    tl_yaml_emit_plain(&w->e, text, length);
    return 0;
}

static int write_value(writer *w, tl_value value, int in_map, tl_error *err);

static int write_list(writer *w, const tl_list *list, int in_map, tl_error *err)
{
    tl_yaml_emitter *e = &w->e;
    if (!list->len) {
        tl_yaml_emit_indicator(e, "[", 1, 1, 0);
        tl_yaml_emit_indicator(e, "]", 0, 0, 0);
        return 0;
    }
    int outer = e->indent;
    if (outer < 0)
        e->indent = 0;
    else if (w->options.style == TL_YAML_PRETTY || !in_map || e->indention)
        e->indent = outer + 2;
    for (size_t i = 0; i < list->len; i++) {
        tl_yaml_emit_indent(e);
        tl_yaml_emit_indicator(e, "-", 1, 0, 1);
        if (write_value(w, list->items[i], 0, err)) return -1;
    }
    e->indent = outer;
    return 0;
}

/* Characters of the key as JSON, with its quotes. */
static size_t json_characters(const char *key, size_t length)
{
    size_t count = 2;
    for (size_t i = 0, width; i < length; i += width) {
        uint32_t rune = tl_utf8_decode(key + i, length - i, &width);
        int bad = rune == TL_UTF8_BAD && width == 1;
        int html = rune == '<' || rune == '>' || rune == '&' || rune == 0x2028 || rune == 0x2029;
        if (rune == '"' || rune == '\\' || (rune >= 8 && rune <= 13 && rune != 11))
            count += 2;
        else
            count += rune < 0x20 || html || bad ? 6 : 1;
    }
    return count;
}

/* What go-yaml's scanner does not take for a key of one line of JSON. */
static int check_key(const char *key, size_t length, tl_error *err)
{
    if (length > LONGEST_KEY / 6 && json_characters(key, length) > LONGEST_KEY)
        return tl_error_set(err, "usage", "yaml: a key is longer than %d characters", LONGEST_KEY);
    const char *nel = memchr(key, 0xC2, length); /* faster than a search for both bytes */
    if (nel && memmem(nel, length - (size_t)(nel - key), "\xC2\x85", 2))
        return tl_error_set(err, "usage", "yaml: a key holds a line break (NEL)");
    return 0;
}

static int write_entry(writer *w, const tl_entry *entry, tl_error *err)
{
    tl_yaml_emitter *e = &w->e;
    if (w->options.style == TL_YAML_SIGS && check_key(entry->key, entry->key_len, err)) return -1;
    tl_yaml_emit_indent(e);
    if (entry->key_len <= SIMPLE_KEY && !tl_yaml_has_break(entry->key, entry->key_len)) {
        if (write_string(w, entry->key, entry->key_len, 1, err)) return -1;
        tl_yaml_emit_indicator(e, ":", 0, 0, 0);
    } else {
        tl_yaml_emit_indicator(e, "?", 1, 0, 1);
        if (write_string(w, entry->key, entry->key_len, 0, err)) return -1;
        tl_yaml_emit_indent(e);
        tl_yaml_emit_indicator(e, ":", 1, 0, 1);
    }
    return write_value(w, entry->value, 1, err);
}

static int write_map(writer *w, const tl_map *map, tl_error *err)
{
    tl_yaml_emitter *e = &w->e;
    if (!map->count) {
        tl_yaml_emit_indicator(e, "{", 1, 1, 0);
        tl_yaml_emit_indicator(e, "}", 0, 0, 0);
        return 0;
    }
    int outer = e->indent, status = 0;
    e->indent = outer < 0 ? 0 : outer + 2;
    if (w->options.keep_order) {
        uint32_t cursor = 0;
        for (tl_entry *entry; !status && (entry = tl_map_next(map, &cursor));) status = write_entry(w, entry, err);
    } else {
        tl_entry *few[16], **sorted = map->count <= sizeof few / sizeof *few ? few
                                          : tl_arena_alloc(scratch(w), map->count * sizeof *sorted);
        tl_yaml_sort(sorted, map, w->options.style);
        for (uint32_t i = 0; !status && i < map->count; i++) status = write_entry(w, sorted[i], err);
    }
    e->indent = outer;
    return status;
}

static int write_object(writer *w, tl_value value, int in_map, tl_error *err)
{
    tl_value plain;
    if (!w->options.plain)
        return tl_error_set(err, "usage", "json: unsupported type: %s", value.as.object->type->go_name);
    if (w->options.plain(w->options.context, value, &plain, err)) return -1;
    if (plain.type == TL_OBJECT) return tl_error_set(err, "usage", "yaml: the plain form of an object is an object");
    return write_value(w, plain, in_map, err);
}

static int write_bytes(writer *w, tl_value value, tl_error *err)
{
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    tl_base64_encode(&text, value.as.s, value.len, TL_BASE64_STD);
    int status = write_string(w, text.data, text.len, 0, err);
    tl_buf_dispose(&text);
    return status;
}

static int write_value(writer *w, tl_value value, int in_map, tl_error *err)
{
    char text[32];
    int status = 0;
    int nil = (value.type == TL_LIST && value.as.list->nil) || (value.type == TL_MAP && value.as.map->nil);
    if (nil && w->options.style == TL_YAML_SIGS) value = tl_null();
    if (w->depth >= MAX_DEPTH)
        return tl_error_set(err, "usage", "json: unsupported value: encountered a cycle via %s",
                            value.type == TL_LIST ? "[]interface {}" : "map[string]interface {}");
    if (w->e.out->over) return tl_error_set(err, "limit", "the YAML text grows past %zu bytes", w->e.out->max);
    w->depth++;
    switch (value.type) {
    case TL_NULL: tl_yaml_emit_plain(&w->e, "null", 4); break;
    case TL_BOOL: tl_yaml_emit_plain(&w->e, value.as.b ? "true" : "false", value.as.b ? 4 : 5); break;
    case TL_INT: {
        const char *format = value.go == TL_GO_UINT64 || value.go == TL_GO_UINT ? "%llu" : "%lld";
        tl_yaml_emit_plain(&w->e, text, (size_t)snprintf(text, sizeof text, format, (long long)value.as.i));
        break;
    }
    case TL_FLOAT: status = write_float(w, value, err); break;
    case TL_STRING: status = write_string(w, value.as.s, value.len, 0, err); break;
    case TL_BYTES: status = write_bytes(w, value, err); break;
    case TL_LIST: status = write_list(w, value.as.list, in_map, err); break;
    case TL_MAP: status = write_map(w, value.as.map, err); break;
    default: status = write_object(w, value, in_map, err);
    }
    w->depth--;
    return status;
}

int tl_yaml_write(tl_buf *out, tl_value value, const tl_yaml_write_options *options, tl_error *err)
{
    writer w = {.e = {.out = out, .indent = -1, .whitespace = 1, .indention = 1, .width = WIDTH}};
    if (options) w.options = *options;
    if (w.options.style == TL_YAML_PRETTY) {
        w.e.width = INT_MAX;
        w.e.tabs_in_blocks = 1;
    }
    int status = write_value(&w, value, 0, err);
    if (!status) tl_yaml_emit_indent(&w.e);
    if (!status && out->over) status = tl_error_set(err, "limit", "the YAML text grows past %zu bytes", out->max);
    tl_arena_free(w.arena);
    return status;
}
