/* The writer of JSON, byte for byte as Go's encoding/json. */
#include "data/json.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "data/base64.h"
#include "data/number.h"

typedef struct writer {
    tl_buf *out;
    tl_json_write_options options;
    tl_arena *arena; /* sorted keys, plain forms of objects */
    int depth;
} writer;

static void escape_byte(tl_buf *out, unsigned char c)
{
    static const char named[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *at = c ? strchr(named, c) : NULL;
    if (at) {
        tl_buf_addc(out, '\\');
        tl_buf_addc(out, letters[at - named]);
    } else {
        tl_buf_addf(out, "\\u%04x", c);
    }
}

void tl_json_write_string(tl_buf *out, const char *text, size_t length, int html)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t start = 0, i = 0;
    tl_buf_addc(out, '"');
    while (i < length) {
        unsigned char c = s[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && !(html && (c == '<' || c == '>' || c == '&'))) {
            i++;
            continue;
        }
        size_t width = 1;
        uint32_t rune = c < 0x80 ? c : tl_utf8_decode(text + i, length - i, &width);
        int bad = c >= 0x80 && rune == TL_UTF8_BAD && width == 1;
        if (c < 0x80 || bad || rune == 0x2028 || rune == 0x2029) {
            tl_buf_add(out, text + start, i - start);
            if (c < 0x80)
                escape_byte(out, c);
            else
                tl_buf_addf(out, "\\u%04x", (unsigned)rune);
            start = i + width;
        }
        i += width;
    }
    tl_buf_add(out, text + start, length - start);
    tl_buf_addc(out, '"');
}

static void break_line(writer *w)
{
    if (!w->options.indent || !*w->options.indent) return;
    tl_buf_addc(w->out, '\n');
    for (int i = 0; i < w->depth; i++) tl_buf_adds(w->out, w->options.indent);
}

static int write_number(writer *w, tl_value value, tl_error *err)
{
    char text[TL_NUMBER_MAX];
    if (value.type == TL_INT) {
        if (value.go == TL_GO_UINT64 || value.go == TL_GO_UINT)
            tl_buf_addf(w->out, "%llu", (unsigned long long)value.as.i);
        else
            tl_buf_addf(w->out, "%lld", (long long)value.as.i);
        return 0;
    }
    int bits = value.go == TL_GO_FLOAT32 ? 32 : 64;
    if (!isfinite(value.as.d)) {
        tl_number_format(value.as.d, 'g', -1, bits, text);
        return tl_error_set(err, "usage", "json: unsupported value: %s", text);
    }
    tl_buf_add(w->out, text, tl_number_json(value.as.d, bits, text));
    return 0;
}

static int write_value(writer *w, tl_value value, tl_error *err);

static int write_list(writer *w, const tl_list *list, tl_error *err)
{
    tl_buf_addc(w->out, '[');
    w->depth++;
    for (size_t i = 0; i < list->len; i++) {
        if (i) tl_buf_addc(w->out, ',');
        break_line(w);
        if (write_value(w, list->items[i], err)) return -1;
    }
    w->depth--;
    if (list->len) break_line(w);
    tl_buf_addc(w->out, ']');
    return 0;
}

static int write_entry(writer *w, const tl_entry *entry, int first, tl_error *err)
{
    if (!first) tl_buf_addc(w->out, ',');
    break_line(w);
    tl_json_write_string(w->out, entry->key, entry->key_len, w->options.html);
    tl_buf_addc(w->out, ':');
    if (w->options.indent && *w->options.indent) tl_buf_addc(w->out, ' ');
    return write_value(w, entry->value, err);
}

static int write_map(writer *w, const tl_map *map, tl_error *err)
{
    tl_buf_addc(w->out, '{');
    w->depth++;
    if (w->options.sort) {
        if (!w->arena) w->arena = tl_arena_new(0);
        tl_entry **sorted = tl_map_sorted(map, w->arena);
        for (uint32_t i = 0; i < map->count; i++)
            if (write_entry(w, sorted[i], i == 0, err)) return -1;
    } else {
        uint32_t cursor = 0;
        int first = 1;
        for (tl_entry *e; (e = tl_map_next(map, &cursor)); first = 0)
            if (write_entry(w, e, first, err)) return -1;
    }
    w->depth--;
    if (map->count) break_line(w);
    tl_buf_addc(w->out, '}');
    return 0;
}

static int write_object(writer *w, tl_value value, tl_error *err)
{
    tl_value plain;
    if (!w->options.plain)
        return tl_error_set(err, "usage", "json: unsupported type: %s", value.as.object->type->go_name);
    if (w->options.plain(w->options.context, value, &plain, err)) return -1;
    if (plain.type == TL_OBJECT) return tl_error_set(err, "usage", "json: the plain form of an object is an object");
    return write_value(w, plain, err);
}

static int write_value(writer *w, tl_value value, tl_error *err)
{
    if (w->depth > TL_JSON_DEPTH)
        return tl_error_set(err, "usage", "json: unsupported value: encountered a cycle via %s",
                            value.type == TL_LIST ? "[]interface {}" : "map[string]interface {}");
    if (w->out->over) return tl_error_set(err, "limit", "the JSON text grows past %zu bytes", w->out->max);
    switch (value.type) {
    case TL_NULL: tl_buf_adds(w->out, "null"); return 0;
    case TL_BOOL: tl_buf_adds(w->out, value.as.b ? "true" : "false"); return 0;
    case TL_INT:
    case TL_FLOAT: return write_number(w, value, err);
    case TL_STRING: tl_json_write_string(w->out, value.as.s, value.len, w->options.html); return 0;
    case TL_BYTES:
        tl_buf_addc(w->out, '"');
        tl_base64_encode(w->out, value.as.s, value.len, TL_BASE64_STD);
        tl_buf_addc(w->out, '"');
        return 0;
    case TL_LIST:
        if (!value.as.list->nil) return write_list(w, value.as.list, err);
        tl_buf_adds(w->out, "null");
        return 0;
    case TL_MAP:
        if (!value.as.map->nil) return write_map(w, value.as.map, err);
        tl_buf_adds(w->out, "null");
        return 0;
    default: return write_object(w, value, err);
    }
}

int tl_json_write(tl_buf *out, tl_value value, const tl_json_write_options *options, tl_error *err)
{
    writer w = {.out = out};
    if (options) w.options = *options;
    w.depth = w.options.depth;
    int status = write_value(&w, value, err);
    if (!status && out->over) status = tl_error_set(err, "limit", "the JSON text grows past %zu bytes", out->max);
    tl_arena_free(w.arena);
    return status;
}
