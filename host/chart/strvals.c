/* The --set language (helm.sh/helm/v3/pkg/strvals). */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "chart/decode.h"
#include "chart/text.h"
#include "chart/values.h"

#define MAX_INDEX 65536
#define MAX_NESTING 30

/* Results of the parsing functions: AT_END is Go's io.EOF, which ends the line without being a failure. */
enum { FAILED = -1, DONE = 0, AT_END = 1 };

typedef struct parser {
    tl_arena *arena;
    const char *at, *end;
    tl_set_mode mode;
    tl_error *err;
} parser;

/* A piece of the line with its escapes removed. */
typedef struct piece {
    const char *text;
    size_t length;
    char stop; /* the character that ended it (consumed), 0 at the end of the line */
} piece;

static int fail(parser *p, const char *format, const char *argument)
{
    tl_error_set(p->err, "usage", format, argument);
    return FAILED;
}

static piece read_until(parser *p, const char *stops)
{
    char *out = tl_arena_alloc(p->arena, (size_t)(p->end - p->at) + 1);
    piece got = {out, 0, 0};
    while (p->at < p->end) {
        char c = *p->at++;
        if (c && strchr(stops, c)) {
            got.stop = c;
            break;
        }
        if (c == '\\' && p->mode != TL_SET_LITERAL) {
            if (p->at == p->end) break;
            c = *p->at++;
        }
        out[got.length++] = c;
    }
    out[got.length] = 0;
    return got;
}

static const char *quoted(parser *p, piece text)
{
    return tl_text_quote(p->arena, text.text, text.length);
}

/* %q of a []rune: ['a' 'b']. */
static const char *quoted_runes(parser *p, piece text)
{
    const char *out = "[";
    for (size_t i = 0, width; i < text.length; i += width) {
        tl_utf8_decode(text.text + i, text.length - i, &width);
        out = tl_arena_printf(p->arena, "%s%s'%.*s'", out, i ? " " : "", (int)width, text.text + i);
    }
    return tl_arena_printf(p->arena, "%s]", out);
}

static tl_value typed_value(parser *p, piece text)
{
    if (p->mode != TL_SET_TYPED) return tl_string_ref(text.text, text.length);
    if (tl_text_same(text.text, text.length, "true")) return tl_bool(1);
    if (tl_text_same(text.text, text.length, "false")) return tl_bool(0);
    if (tl_text_same(text.text, text.length, "null")) return tl_null();
    if (tl_text_same(text.text, text.length, "0")) return tl_int(0);
    const char *digits = text.text + (*text.text == '-' || *text.text == '+');
    if (*text.text != '0' && *digits >= '0' && *digits <= '9' && strlen(text.text) == text.length) {
        int64_t number;
        if (tl_decode_int(text.text, &number)) return tl_int(number);
    }
    return tl_string_ref(text.text, text.length);
}

/* The value of a piece as the mode wants it; --set-file reads the file that it names. */
static int convert_value(parser *p, piece text, tl_value *out)
{
    if (p->mode != TL_SET_FILE) {
        *out = typed_value(p, text);
        return DONE;
    }
    const char *data;
    size_t size;
    if (tl_decode_read_file(p->arena, text.text, &data, &size, p->err)) return FAILED;
    *out = tl_string_ref(data, size);
    return DONE;
}

/* Skips white space; 1 where a comma or the end follows (both consumed), as strvals' emptyVal. */
static int skip_empty(parser *p)
{
    while (p->at < p->end) {
        size_t width;
        if (*p->at == ',') {
            p->at++;
            return 1;
        }
        if (!tl_text_space(p->at, (size_t)(p->end - p->at), &width)) return 0;
        p->at += width;
    }
    return 1;
}

static int json_value(parser *p, tl_value *out)
{
    if (skip_empty(p)) {
        *out = tl_null();
        return DONE;
    }
    size_t used;
    if (tl_decode_json_prefix(p->arena, p->at, (size_t)(p->end - p->at), out, &used, p->err)) return FAILED;
    p->at += used;
    skip_empty(p);
    return DONE;
}

/* {a,b,c}: after the opening brace. */
static int list_value(parser *p, tl_value *out)
{
    tl_list *list = tl_list_new(p->arena, 4);
    *out = tl_list_value(list);
    for (;;) {
        tl_value item;
        piece text = read_until(p, ",}");
        if (!text.stop) return fail(p, "%s", "list must terminate with '}'");
        if (text.stop == '}' && p->at < p->end && *p->at == ',') p->at++;
        if (convert_value(p, text, &item)) return FAILED;
        tl_list_push(p->arena, list, item);
        if (text.stop == '}') return DONE;
    }
}

/* After the "=". AT_END where nothing follows: the value is then an empty string. */
static int assigned_value(parser *p, tl_value *out)
{
    if (p->mode == TL_SET_JSON) return json_value(p, out);
    if (p->mode == TL_SET_LITERAL) {
        piece text = read_until(p, "");
        *out = tl_string_ref(text.text, text.length);
        return DONE;
    }
    if (p->at == p->end) {
        *out = tl_string_ref("", 0);
        return AT_END;
    }
    if (*p->at == '{') {
        p->at++;
        return list_value(p, out);
    }
    return convert_value(p, read_until(p, ","), out);
}

static void set_key(tl_map *data, piece key, tl_value value)
{
    if (key.length) tl_map_set(data, key.text, key.length, value);
}

static int set_index(parser *p, tl_list *list, long index, tl_value value)
{
    if (index > MAX_INDEX) {
        tl_error_set(p->err, "usage", "index of %ld is greater than maximum supported index of %d", index, MAX_INDEX);
        return FAILED;
    }
    while (list->len <= (size_t)index) tl_list_push(p->arena, list, tl_null());
    list->items[index] = value;
    return DONE;
}

static int key_index(parser *p, long *out)
{
    piece text = read_until(p, "]");
    int64_t number;
    if (!text.stop) return fail(p, "error parsing index: %s", "EOF");
    if (!tl_decode_int(text.text, &number) || number > INT_MAX || number < INT_MIN)
        return fail(p, "error parsing index: strconv.Atoi: parsing %s: invalid syntax", quoted(p, text));
    if (number < 0) {
        tl_error_set(p->err, "usage", "negative %ld index not allowed", (long)number);
        return FAILED;
    }
    *out = (long)number;
    return DONE;
}

static const char *go_type(tl_value value)
{
    switch (value.type) {
    case TL_NULL: return "nil";
    case TL_BOOL: return "bool";
    case TL_INT: return "int64";
    case TL_FLOAT: return "float64";
    case TL_LIST: return "[]interface {}";
    case TL_MAP: return "map[string]interface {}";
    default: return "string";
    }
}

/* What Go's type assertion panics with. */
static int mismatch(parser *p, tl_value value, const char *wanted)
{
    tl_error_set(p->err, "usage", "unable to parse key: interface conversion: interface {} is %s, not %s",
                 go_type(value), wanted);
    return FAILED;
}

static int parse_key(parser *p, tl_map *data, int level);

/* a.b: the map under `key`, made where it is absent; the rest of the line goes into it. */
static int nested_key(parser *p, tl_map *data, piece key, int level)
{
    if (++level > MAX_NESTING) {
        tl_error_set(p->err, "usage", "value name nested level is greater than maximum supported nested level of %d",
                     MAX_NESTING);
        return FAILED;
    }
    tl_value *found = tl_map_get(data, key.text, key.length);
    if (found && found->type != TL_MAP) return mismatch(p, *found, "map[string]interface {}");
    tl_map *inner = found ? found->as.map : tl_map_new(p->arena, 2);
    int result = parse_key(p, inner, level);
    if (result == DONE && !inner->count) return fail(p, "key map %s has no value", quoted(p, key));
    if (inner->count) set_key(data, key, tl_map_value(inner));
    return result;
}

/* After a[i]: what follows the bracket goes into list[index]. */
static int list_item(parser *p, tl_list *list, long index, int level)
{
    piece text = read_until(p, "[.=");
    tl_value value = tl_null(), *existing = (size_t)index < list->len ? &list->items[index] : NULL;
    int result;
    if (text.length) return fail(p, "unexpected data at end of array index: %s", quoted_runes(p, text));
    if (!text.stop) return AT_END;
    if (text.stop == '=') {
        result = assigned_value(p, &value);
        if (result == FAILED) return FAILED;
        return set_index(p, list, index, value);
    }
    if (text.stop == '[') {
        long inner;
        tl_list *nested = NULL;
        if (key_index(p, &inner)) return FAILED;
        if (existing && existing->type != TL_NULL) {
            if (existing->type != TL_LIST) return mismatch(p, *existing, "[]interface {}");
            nested = existing->as.list;
        }
        if (!nested) nested = tl_list_new(p->arena, 1);
        result = list_item(p, nested, inner, level);
        return result ? result : set_index(p, list, index, tl_list_value(nested));
    }
    tl_map *inner = existing && existing->type == TL_MAP ? existing->as.map : tl_map_new(p->arena, 2);
    if (existing) *existing = tl_map_value(inner);
    result = parse_key(p, inner, level);
    return result ? result : set_index(p, list, index, tl_map_value(inner));
}

static int indexed_key(parser *p, tl_map *data, piece key, int level)
{
    long index;
    if (key_index(p, &index)) return FAILED;
    tl_value *found = tl_map_get(data, key.text, key.length);
    if (found && found->type != TL_LIST) return mismatch(p, *found, "[]interface {}");
    tl_list *list = found ? found->as.list : tl_list_new(p->arena, 1);
    int result = list_item(p, list, index, level);
    if (result != FAILED) set_key(data, key, tl_list_value(list));
    return result;
}

static int parse_key(parser *p, tl_map *data, int level)
{
    piece key = read_until(p, p->mode == TL_SET_LITERAL ? "=[." : "=[,.");
    tl_value value = tl_null();
    int result;
    switch (key.stop) {
    case 0: return key.length ? fail(p, "key %s has no value", quoted(p, key)) : AT_END;
    case '[': return indexed_key(p, data, key, level);
    case '.': return nested_key(p, data, key, level);
    case ',':
        return fail(p, "key %s has no value (cannot end with ,)", quoted(p, key));
    default:
        result = assigned_value(p, &value);
        if (result != FAILED) set_key(data, key, value);
        return result;
    }
}

/* Go reads the line as runes: a byte that is no UTF-8 comes out as U+FFFD. */
static const char *valid_line(tl_arena *arena, const char *line, size_t *length)
{
    *length = strlen(line);
    if (tl_utf8_valid(line, *length)) return line;
    char *clean = tl_arena_alloc(arena, *length * 3 + 1);
    size_t n = 0, left = *length;
    for (size_t width; left; line += width, left -= width)
        n += tl_utf8_encode(tl_utf8_decode(line, left, &width), clean + n);
    *length = n;
    clean[n] = 0;
    return clean;
}

int tl_values_set(tl_arena *arena, tl_map *dest, const char *line, tl_set_mode mode, tl_error *err)
{
    size_t length;
    parser p = {arena, valid_line(arena, line, &length), NULL, mode, err};
    p.end = p.at + length;
    int result;
    do result = parse_key(&p, dest, 0);
    while (result == DONE);
    return result == AT_END ? 0 : -1;
}
