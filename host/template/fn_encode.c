/* Encodings: base64, base32, JSON, YAML. */
#include <string.h>

#include "data/base64.h"
#include "data/json.h"
#include "data/yaml.h"
#include "template/complex.h"
#include "template/internal.h"
#include "template/toml.h"

/* ---- base64, base32 ---- */

TL_FUNCTION(fn_b64enc)
{
    tl_buf text = tl_text_buf(x);
    tl_base64_encode(&text, args[0].as.s, args[0].len, TL_BASE64_STD);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_b64dec)
{
    tl_buf text = tl_text_buf(x);
    tl_error err = {0};
    if (!tl_base64_decode(&text, args[0].as.s, args[0].len, TL_BASE64_STD, &err)) return tl_take_string(x, &text, out);
    *out = tl_cstring(x->arena, err.message);
    tl_error_dispose(&err);
    tl_buf_dispose(&text);
    return 0;
}

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

TL_FUNCTION(fn_b32enc)
{
    tl_buf text = tl_text_buf(x);
    const unsigned char *bytes = (const unsigned char *)args[0].as.s;
    for (size_t i = 0; i < args[0].len; i += 5) {
        size_t left = args[0].len - i < 5 ? args[0].len - i : 5;
        uint64_t group = 0;
        for (size_t k = 0; k < 5; k++) group = group << 8 | (k < left ? bytes[i + k] : 0);
        size_t chars = (left * 8 + 4) / 5;
        for (size_t k = 0; k < 8; k++) tl_buf_addc(&text, k < chars ? base32[group >> (35 - 5 * k) & 31] : '=');
    }
    return tl_take_string(x, &text, out);
}

/* What padding that begins at `at`, behind `chars` characters of its group, is wrong with, as decode_base32 tells it. */
static long padding_fault(const char *text, size_t length, size_t at, size_t chars)
{
    size_t left = length - at - 1;
    if (left + chars < 7) return (long)length;
    for (size_t k = 0; k < 7 - chars && k < left; k++)
        if (text[at + 1 + k] != '=') return (long)(at + k);
    return chars == 3 || chars == 6 ? (long)at : -1;
}

/* -1, or the offset that Go names of the text without newlines (encoding/base32). */
static long decode_base32(tl_buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i += 8) {
        uint64_t group = 0;
        size_t chars = 0;
        int ended = 0;
        for (; chars < 8; chars++) {
            size_t at = i + chars;
            if (at >= length) return (long)i;
            char c = text[at];
            if (c == '=' && chars >= 2 && length - at <= 8) {
                long fault = padding_fault(text, length, at, chars);
                if (fault >= 0) return fault;
                ended = 1;
                break;
            }
            const char *digit = c ? strchr(base32, c) : NULL;
            if (!digit) return (long)at;
            group |= (uint64_t)(digit - base32) << (35 - 5 * chars);
        }
        for (size_t k = 0; k < chars * 5 / 8; k++) tl_buf_addc(out, (char)(group >> (32 - 8 * k)));
        if (ended) break;
    }
    return -1;
}

TL_FUNCTION(fn_b32dec)
{
    tl_buf text = tl_text_buf(x), plain = tl_text_buf(x);
    for (size_t i = 0; i < args[0].len; i++)
        if (args[0].as.s[i] != '\n' && args[0].as.s[i] != '\r') tl_buf_addc(&plain, args[0].as.s[i]);
    long wrong = decode_base32(&text, plain.data, plain.len);
    tl_buf_dispose(&plain);
    if (wrong < 0) return tl_take_string(x, &text, out);
    tl_buf_dispose(&text);
    *out = tl_cstring(x->arena, tl_arena_printf(x->arena, "illegal base32 data at input byte %ld", wrong));
    return 0;
}

/* ---- writing JSON and YAML ---- */

int tl_plain_object(void *context, tl_value object, tl_value *out, tl_error *err)
{
    const tl_object_type *type = object.as.object->type;
    if (type->kind == TL_KIND_COMPLEX) return tl_error_set(err, "type", "json: unsupported type: %s", type->go_name);
    if (type->plain) return type->plain(object.as.object, context, out);
    *out = tl_object_content(object.as.object);
    if (out->type != TL_NULL || !type->print) return 0;
    tl_buf text = TL_BUF_INIT(1 << 16);
    type->print(object.as.object, &text);
    *out = tl_string(context, text.data, text.len);
    tl_buf_dispose(&text);
    (void)err;
    return 0;
}

typedef struct json_style {
    const char *indent;
    int html, must; /* must: errors stop the template; else they give "" */
} json_style;

static int to_json(tl_exec *x, tl_value value, json_style style, tl_value *out)
{
    tl_json_write_options options = {.indent = style.indent, .sort = 1, .html = style.html, .plain = tl_plain_object,
                                     .context = x->arena};
    tl_buf text = tl_text_buf(x);
    tl_error err = {0};
    if (!tl_json_write(&text, value, &options, &err)) return tl_take_string(x, &text, out);
    *out = tl_cstring_ref("");
    if (style.must) tl_fail(x, "%s", err.message);
    tl_error_dispose(&err);
    tl_buf_dispose(&text);
    return style.must ? -1 : 0;
}

TL_FUNCTION(fn_to_json)
{
    return to_json(x, args[0], (json_style){NULL, 1, 0}, out);
}

TL_FUNCTION(fn_must_to_json)
{
    return to_json(x, args[0], (json_style){NULL, 1, 1}, out);
}

TL_FUNCTION(fn_to_pretty_json)
{
    return to_json(x, args[0], (json_style){"  ", 1, 0}, out);
}

TL_FUNCTION(fn_must_to_pretty_json)
{
    return to_json(x, args[0], (json_style){"  ", 1, 1}, out);
}

TL_FUNCTION(fn_to_raw_json)
{
    return to_json(x, args[0], (json_style){NULL, 0, 1}, out);
}

static int to_yaml(tl_exec *x, tl_value value, tl_yaml_style style, tl_value *out)
{
    tl_yaml_write_options options = {.style = style, .plain = tl_plain_object, .context = x->arena};
    tl_buf *text = &x->render->yaml;
    tl_error err = {0};
    tl_buf_clear(text);
    if (tl_yaml_write(text, value, &options, &err)) {
        int panics = style == TL_YAML_PRETTY && !strcmp(err.kind, "type"); /* gopkg.in/yaml.v3 encode.go */
        tl_error_dispose(&err);
        if (panics) return tl_fail(x, "cannot marshal type: %s", tl_complex_type.go_name);
        *out = tl_cstring_ref("");
        return 0;
    }
    if (text->len && text->data[text->len - 1] == '\n') text->len--;
    *out = tl_string(x->arena, text->data, text->len);
    return 0;
}

TL_FUNCTION(fn_to_yaml)
{
    return to_yaml(x, args[0], TL_YAML_SIGS, out);
}

TL_FUNCTION(fn_to_yaml_pretty)
{
    return to_yaml(x, args[0], TL_YAML_PRETTY, out);
}

/* ---- reading ---- */

static const char *json_kind(tl_value value)
{
    switch (value.type) {
    case TL_BOOL: return "bool";
    case TL_INT:
    case TL_FLOAT: return "number";
    case TL_STRING: return "string";
    case TL_LIST: return "array";
    default: return "object";
    }
}

/* The result of fromJson and its relatives: the wanted type, or the error inside one. */
/* What null becomes is an empty map or list; of JSON's lists a nil one, as json.Unmarshal leaves it. */
static tl_value wanted_or_error(tl_exec *x, tl_value value, tl_type wanted, const char *prefix, const char *error)
{
    if (!error && value.type == wanted) return value;
    if (!error && value.type != TL_NULL)
        error = tl_arena_printf(x->arena, "%sjson: cannot unmarshal %s into Go value of type %s", prefix,
                                json_kind(value), wanted == TL_MAP ? "map[string]interface {}" : "[]interface {}");
    if (wanted == TL_MAP) {
        tl_map *map = tl_map_new(x->arena, 1);
        if (error) tl_map_sets(map, "Error", tl_cstring_ref(error));
        return tl_map_value(map);
    }
    tl_list *list = tl_list_new(x->arena, 1);
    if (error) tl_list_push(x->arena, list, tl_cstring_ref(error));
    return tl_list_value(list);
}

static int read_json(tl_exec *x, tl_value text, tl_value *out, const char **message)
{
    tl_json_options options = {.numbers = TL_JSON_FLOATS, .max_depth = 10000, .go_messages = 1};
    tl_error err = {0};
    *message = NULL;
    if (!tl_json_parse(x->arena, text.as.s, text.len, &options, out, &err)) return 0;
    *message = tl_arena_strdup(x->arena, err.message);
    tl_error_dispose(&err);
    *out = tl_null();
    return -1;
}

TL_FUNCTION(fn_from_json)
{
    const char *message;
    tl_value value;
    read_json(x, args[0], &value, &message);
    *out = wanted_or_error(x, value, TL_MAP, "", message);
    if (!message && value.type == TL_NULL) out->as.map->nil = 1;
    return 0;
}

TL_FUNCTION(fn_from_json_array)
{
    const char *message;
    tl_value value;
    read_json(x, args[0], &value, &message);
    *out = wanted_or_error(x, value, TL_LIST, "", message);
    if (!message && value.type == TL_NULL) out->as.list->nil = 1;
    return 0;
}

TL_FUNCTION(fn_must_from_json)
{
    const char *message;
    return read_json(x, args[0], out, &message) ? tl_fail(x, "%s", message) : 0;
}

/* Both give the error's text where there is one. */
TL_FUNCTION(fn_to_toml)
{
    tl_buf text = tl_text_buf(x);
    tl_error err = {0};
    if (args[0].type == TL_NULL) return tl_fail(x, "reflect: call of reflect.Value.Type on zero Value");
    if (tl_toml_write(&text, args[0], &err)) {
        tl_buf_clear(&text);
        tl_buf_adds(&text, err.message);
        tl_error_dispose(&err);
    }
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_from_toml)
{
    tl_error err = {0};
    if (!tl_toml_read(out, x->arena, args[0].as.s, args[0].len, &err)) return 0;
    *out = wanted_or_error(x, tl_null(), TL_MAP, "", tl_arena_strdup(x->arena, err.message));
    tl_error_dispose(&err);
    return 0;
}

static void read_yaml(tl_exec *x, tl_value text, tl_value *out, const char **message)
{
    tl_yaml_options options = {.flavour = TL_YAML_HELM, .floats = 1};
    tl_error err = {0};
    *message = NULL;
    *out = tl_null();
    if (tl_yaml_parse(x->arena, text.as.s, text.len, &options, out, &err) >= 0) return;
    *message = tl_arena_printf(x->arena, "error converting YAML to JSON: %s", err.message);
    tl_error_dispose(&err);
    *out = tl_null();
}

TL_FUNCTION(fn_from_yaml)
{
    const char *message;
    tl_value value;
    read_yaml(x, args[0], &value, &message);
    *out = wanted_or_error(x, value, TL_MAP, "error unmarshaling JSON: while decoding JSON: ", message);
    return 0;
}

TL_FUNCTION(fn_from_yaml_array)
{
    const char *message;
    tl_value value;
    read_yaml(x, args[0], &value, &message);
    *out = wanted_or_error(x, value, TL_LIST, "error unmarshaling JSON: while decoding JSON: ", message);
    return 0;
}

const tl_function tl_functions_encode[] = {
    {"b64enc", "s", fn_b64enc},
    {"b64dec", "s", fn_b64dec},
    {"b32enc", "s", fn_b32enc},
    {"b32dec", "s", fn_b32dec},
    {"toJson", "a", fn_to_json},
    {"mustToJson", "a", fn_must_to_json},
    {"toPrettyJson", "a", fn_to_pretty_json},
    {"mustToPrettyJson", "a", fn_must_to_pretty_json},
    {"toRawJson", "a", fn_to_raw_json},
    {"mustToRawJson", "a", fn_to_raw_json},
    {"toYaml", "a", fn_to_yaml},
    {"toYamlPretty", "a", fn_to_yaml_pretty},
    {"fromJson", "s", fn_from_json},
    {"fromJsonArray", "s", fn_from_json_array},
    {"mustFromJson", "s", fn_must_from_json},
    {"fromYaml", "s", fn_from_yaml},
    {"fromToml", "s", fn_from_toml},
    {"toToml", "a", fn_to_toml},
    {"fromYamlArray", "s", fn_from_yaml_array},
    {NULL, NULL, NULL}};
