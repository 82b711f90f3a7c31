/* From YAML nodes to values. */
#include "data/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/base64.h"
#include "data/json.h"
#include "data/number.h"
#include "data/yaml_node.h"
#include "data/yaml_quick.h"
#include "data/yaml_scalar.h"

#define MAX_DEPTH 1000
#define DEFAULT_NODES 10000000
#define TAG_PREFIX "tag:yaml.org,2002:"

/* Keyed by the map's address followed by the key. */
struct tl_yaml_lines {
    tl_map *map;
};

typedef struct decoder {
    tl_arena *arena;
    const tl_yaml_options *options;
    size_t decoded, from_aliases, max_nodes; /* go-yaml's decodeCount, aliasCount */
    int alias_depth, depth, not_finite;
    tl_error deferred;   /* a key that JSON cannot carry: reported when the whole document was read, as Go does */
    tl_buf repeated; /* equal keys found in strict mode, one line each */
    tl_buf scratch;
} decoder;

tl_yaml_lines *tl_yaml_lines_new(tl_arena *arena)
{
    tl_yaml_lines *lines = tl_arena_alloc(arena, sizeof *lines);
    lines->map = tl_map_new(arena, 0);
    return lines;
}

static void line_key(tl_buf *out, const tl_map *map, const char *key, size_t length)
{
    tl_buf_clear(out);
    tl_buf_add(out, &map, sizeof map);
    tl_buf_add(out, key, length);
}

int tl_yaml_lines_get(const tl_yaml_lines *lines, const tl_map *map, const char *key, size_t length)
{
    tl_buf name = TL_BUF_INIT(SIZE_MAX);
    line_key(&name, map, key, length);
    tl_value *line = lines ? tl_map_get(lines->map, name.data, name.len) : NULL;
    tl_buf_dispose(&name);
    return line ? (int)line->as.i : 0;
}

/* "yaml: TEXT", or "NAME:LINE:COLUMN: TEXT". */
static int fail(decoder *d, const tl_yaml_node *node, tl_error *err, const char *format, const char *detail)
{
    char text[512];
    snprintf(text, sizeof text, format, detail);
    if (!d->options->name) return tl_error_set(err, "parse", "yaml: %s", text);
    return tl_error_set(err, "parse", "%s:%d:%d: %s", d->options->name, node->line + 1, node->column + 1, text);
}

static int decode(decoder *d, tl_yaml_node *node, tl_value *out, tl_error *err);

static const char *short_tag(const char *tag)
{
    return strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) ? NULL : tag + strlen(TAG_PREFIX);
}

static int decode_binary(decoder *d, const tl_yaml_node *node, tl_value *out, tl_error *err)
{
    tl_buf_clear(&d->scratch);
    if (tl_base64_decode(&d->scratch, node->text, node->length, TL_BASE64_STD, NULL))
        return fail(d, node, err, "%s", "!!binary value contains invalid base64 data");
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    for (size_t i = 0, width; i < d->scratch.len; i += width) { /* JSON cannot carry other bytes */
        char rune[4];
        uint32_t code = tl_utf8_decode(d->scratch.data + i, d->scratch.len - i, &width);
        tl_buf_add(&text, rune, tl_utf8_encode(code, rune));
    }
    *out = tl_string(d->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

/* What a tag demands of the resolved scalar: 1 where it is met. */
static int tag_agrees(const char *wanted, tl_yaml_tag tag, tl_value *value)
{
    if (!strcmp(wanted, "float") && tag == TL_YAML_INT) {
        *value = tl_float((double)value->as.i);
        return 1;
    }
    return !strcmp(wanted, tl_yaml_tag_name(tag) + 2);
}

static int is_resolvable(const char *tag)
{
    static const char *const tags[] = {"", "bool", "int", "float", "null", "timestamp"};
    for (size_t i = 0; tag && i < sizeof tags / sizeof *tags; i++)
        if (!strcmp(tag, tags[i])) return 1;
    return 0;
}

/* The scalar as go-yaml resolves it, integers still integers; strings are borrowed. */
static int resolve_scalar(decoder *d, const tl_yaml_node *node, tl_value *out, tl_error *err)
{
    const char *wanted = node->tag ? short_tag(node->tag) : "";
    *out = tl_string_ref(node->text, node->length);
    if (wanted && !strcmp(wanted, "binary")) return decode_binary(d, node, out, err);
    if (!is_resolvable(wanted) || (!*wanted && !node->plain)) return 0;
    tl_yaml_tag tag = tl_yaml_resolve(node->text, node->length, d->options->flavour,
                                      !*wanted || !strcmp(wanted, "timestamp"), out);
    if (!*wanted || tag_agrees(wanted, tag, out)) return 0;
    char what[256];
    snprintf(what, sizeof what, "cannot decode %s `%.100s` as a !!%s", tl_yaml_tag_name(tag), node->text, wanted);
    return fail(d, node, err, "%s", what);
}

static int decode_scalar(decoder *d, const tl_yaml_node *node, tl_value *out, tl_error *err)
{
    if (resolve_scalar(d, node, out, err)) return -1;
    *out = tl_yaml_number(*out, d->options->floats);
    if (out->type == TL_STRING && out->as.s == node->text) *out = tl_string(d->arena, node->text, node->length);
    if (out->type == TL_FLOAT && !isfinite(out->as.d)) d->not_finite = 1;
    return 0;
}

static double allowed_alias_ratio(size_t decoded)
{
    const double low = 400000, high = 4000000;
    if ((double)decoded <= low) return 0.99;
    if ((double)decoded >= high) return 0.10;
    return 0.99 - 0.89 * (((double)decoded - low) / (high - low));
}

static int count_node(decoder *d, const tl_yaml_node *node, tl_error *err)
{
    d->decoded++;
    if (d->alias_depth) d->from_aliases++;
    if (d->from_aliases > 100 && d->decoded > 1000 &&
        (double)d->from_aliases / (double)d->decoded > allowed_alias_ratio(d->decoded))
        return fail(d, node, err, "%s", "document contains excessive aliasing");
    if (d->decoded > d->max_nodes || tl_arena_over(d->arena))
        return tl_error_set(err, "limit", "the YAML document is too large once its aliases are expanded");
    return 0;
}

/* %#v of what go-yaml prints in its messages about keys. */
static void print_go_syntax(tl_buf *out, tl_value value)
{
    char number[TL_NUMBER_MAX];
    uint32_t cursor = 0;
    switch (value.type) {
    case TL_MAP:
        tl_buf_adds(out, "map[interface {}]interface {}{");
        for (tl_entry *e; (e = tl_map_next(value.as.map, &cursor));) {
            if (out->data[out->len - 1] != '{') tl_buf_adds(out, ", ");
            print_go_syntax(out, tl_string_ref(e->key, e->key_len));
            tl_buf_addc(out, ':');
            print_go_syntax(out, e->value);
        }
        tl_buf_addc(out, '}');
        break;
    case TL_LIST:
        tl_buf_adds(out, "[]interface {}{");
        for (size_t i = 0; i < value.as.list->len; i++) {
            if (i) tl_buf_adds(out, ", ");
            print_go_syntax(out, value.as.list->items[i]);
        }
        tl_buf_addc(out, '}');
        break;
    case TL_STRING: tl_json_write(out, value, NULL, NULL); break;
    case TL_BOOL: tl_buf_adds(out, value.as.b ? "true" : "false"); break;
    case TL_INT: tl_buf_addf(out, "%lld", (long long)value.as.i); break;
    case TL_FLOAT: tl_buf_add(out, number, tl_number_format(value.as.d, 'g', -1, 64, number)); break;
    default: tl_buf_adds(out, "interface {}(nil)"); break;
    }
}

/* The value as go-yaml has it, integers still integers. */
static int decode_plain(decoder *d, tl_yaml_node *node, tl_value *out, tl_error *err)
{
    const tl_yaml_options *options = d->options;
    tl_yaml_options plain = *options;
    plain.floats = 0;
    d->options = &plain;
    int status = decode(d, node, out, err);
    d->options = options;
    return status;
}

static int refuse_key(decoder *d, tl_yaml_node *node, tl_error *err)
{
    tl_value key;
    if (d->options->name)
        return fail(d, node, err, "a key must be a scalar, not %s", node->kind == TL_YAML_MAP_NODE ? "a map" : "a list");
    if (decode_plain(d, node, &key, err)) return -1;
    tl_buf text = TL_BUF_INIT(1u << 16);
    print_go_syntax(&text, key);
    tl_error_set(err, "parse", "yaml: invalid map key: %s", text.data);
    tl_buf_dispose(&text);
    return -1;
}

/* The text of a mapping key, into d->scratch. */
static int decode_key(decoder *d, tl_yaml_node *node, tl_error *err)
{
    char text[TL_NUMBER_MAX];
    tl_value key;
    if (count_node(d, node, err)) return -1;
    if (node->kind == TL_YAML_ALIAS_NODE) {
        d->alias_depth++;
        int status = count_node(d, node->target, err);
        d->alias_depth--;
        if (status) return -1;
        node = node->target;
    }
    if (node->kind != TL_YAML_SCALAR_NODE) return refuse_key(d, node, err);
    if (resolve_scalar(d, node, &key, err)) return -1;
    if (key.type == TL_STRING) {
        if (key.as.s != d->scratch.data) {
            tl_buf_clear(&d->scratch);
            tl_buf_add(&d->scratch, key.as.s, key.len);
        }
        return 0;
    }
    tl_buf_clear(&d->scratch);
    switch (key.type) {
    case TL_BOOL: tl_buf_adds(&d->scratch, key.as.b ? "true" : "false"); return 0;
    case TL_FLOAT:
        tl_number_format(key.as.d, 'g', -1, 32, text);
        tl_buf_adds(&d->scratch, !strcmp(text, "NaN")    ? ".nan"
                                 : !strcmp(text, "+Inf") ? ".inf"
                                 : !strcmp(text, "-Inf") ? "-.inf"
                                                         : text);
        return 0;
    case TL_INT:
        if (key.go != TL_GO_UINT64) {
            tl_buf_addf(&d->scratch, "%lld", (long long)key.as.i);
            return 0;
        }
        break;
    default: break;
    }
    if (d->deferred.message) return 0;
    if (d->options->name)
        fail(d, node, &d->deferred, "%s", key.type == TL_INT ? "a key is too large" : "a key is null");
    else if (key.type == TL_INT)
        tl_error_set(&d->deferred, "parse", "unsupported map key of type: uint64, key: 0x%llx", (long long)key.as.i);
    else
        tl_error_set(&d->deferred, "parse", "unsupported map key of type: %%!s(<nil>), key: <nil>");
    return 0;
}

/* What the message about the pair's key ends with (sigs.k8s.io/yaml convertToJSONableObject). */
static int tell_value(decoder *d, tl_yaml_node *node, tl_error *err)
{
    tl_value value;
    if (decode_plain(d, node, &value, err)) return -1;
    tl_buf text = TL_BUF_INIT(1u << 16);
    tl_buf_adds(&text, d->deferred.message);
    tl_buf_adds(&text, ", value: ");
    if (value.type == TL_NULL)
        tl_buf_adds(&text, "<nil>");
    else
        print_go_syntax(&text, value);
    tl_error_set(&d->deferred, "parse", "%s", text.data);
    tl_buf_dispose(&text);
    return 0;
}

static int is_merge(const tl_yaml_node *node)
{
    if (node->kind != TL_YAML_SCALAR_NODE || strcmp(node->text, "<<")) return 0;
    return node->plain || (node->tag && !strcmp(node->tag, TAG_PREFIX "merge"));
}

/* How a pair goes into a map that may have the key already. */
typedef enum put_mode { PUT_OVER, PUT_ONCE, PUT_IF_ABSENT } put_mode;

static int decode_pair(decoder *d, tl_yaml_node **pair, tl_map *map, put_mode mode, tl_error *err)
{
    tl_value value;
    int told = d->deferred.message != NULL;
    if (decode_key(d, pair[0], err)) return -1;
    if (!told && d->deferred.message && !d->options->name && tell_value(d, pair[1], err)) return -1;
    size_t length = d->scratch.len;
    char small[128], *key = length < sizeof small ? small : tl_malloc(length + 1);
    memcpy(key, d->scratch.data, length + 1);
    int status = decode(d, pair[1], &value, err);
    if (status) goto out;
    int there = mode != PUT_OVER && tl_map_get(map, key, length);
    if (there && mode == PUT_ONCE)
        tl_buf_addf(&d->repeated, "\n  line %d: key \"%s\" already set in map", pair[1]->line + 1, key);
    if (there) goto out;
    tl_map_set(map, key, length, value);
    if (d->options->lines) {
        line_key(&d->scratch, map, key, length);
        tl_map_set(d->options->lines->map, d->scratch.data, d->scratch.len, tl_int(pair[1]->line + 1));
    }
out:
    if (key != small) free(key);
    return status;
}

static int merge(decoder *d, tl_yaml_node *node, tl_map *map, tl_error *err);

static int decode_pairs(decoder *d, tl_yaml_node *node, tl_map *map, put_mode mode, tl_error *err)
{
    int merges = 0, core = d->options->flavour == TL_YAML_CORE;
    for (size_t i = 0; i < node->count; i += 2) {
        if (!is_merge(node->children[i])) {
            if (decode_pair(d, node->children + i, map, mode, err)) return -1;
        } else if (core) {
            merges = 1;
        } else if (merge(d, node->children[i + 1], map, err)) {
            return -1;
        }
    }
    for (size_t i = 0; merges && i < node->count; i += 2)
        if (is_merge(node->children[i]) && merge(d, node->children[i + 1], map, err)) return -1;
    return 0;
}

static int merge_one(decoder *d, tl_yaml_node *node, tl_map *map, tl_error *err)
{
    put_mode mode = d->options->flavour == TL_YAML_CORE ? PUT_IF_ABSENT : d->options->strict ? PUT_ONCE : PUT_OVER;
    tl_yaml_node *source = node->kind == TL_YAML_ALIAS_NODE ? node->target : node;
    if (source->kind != TL_YAML_MAP_NODE)
        return fail(d, node, err, "%s", "map merge requires map or sequence of maps as the value");
    if (count_node(d, node, err)) return -1;
    if (node->kind != TL_YAML_ALIAS_NODE) return decode_pairs(d, source, map, mode, err);
    if (node->active) return fail(d, node, err, "anchor '%s' value contains itself", node->text);
    node->active = 1;
    d->alias_depth++;
    int status = count_node(d, source, err);
    if (!status) status = decode_pairs(d, source, map, mode, err);
    d->alias_depth--;
    node->active = 0;
    return status;
}

static int merge(decoder *d, tl_yaml_node *node, tl_map *map, tl_error *err)
{
    if (node->kind != TL_YAML_LIST_NODE) return merge_one(d, node, map, err);
    int core = d->options->flavour == TL_YAML_CORE; /* in both, what stands first wins */
    for (size_t i = 0; i < node->count; i++)
        if (merge_one(d, node->children[core ? i : node->count - 1 - i], map, err)) return -1;
    return 0;
}

static int decode_alias(decoder *d, tl_yaml_node *node, tl_value *out, tl_error *err)
{
    if (node->active) return fail(d, node, err, "anchor '%s' value contains itself", node->text);
    node->active = 1;
    d->alias_depth++;
    int status = decode(d, node->target, out, err);
    d->alias_depth--;
    node->active = 0;
    return status;
}

static int decode_list(decoder *d, tl_yaml_node *node, tl_value *out, tl_error *err)
{
    tl_list *list = tl_list_new(d->arena, node->count);
    *out = tl_list_value(list);
    for (size_t i = 0; i < node->count; i++) {
        tl_value item;
        if (decode(d, node->children[i], &item, err)) return -1;
        tl_list_push(d->arena, list, item);
    }
    return 0;
}

static int decode(decoder *d, tl_yaml_node *node, tl_value *out, tl_error *err)
{
    int status;
    *out = tl_null();
    if (count_node(d, node, err)) return -1;
    if (node->kind == TL_YAML_SCALAR_NODE) return decode_scalar(d, node, out, err);
    if (++d->depth > MAX_DEPTH) return fail(d, node, err, "%s", "exceeded max depth of 1000");
    if (node->kind == TL_YAML_ALIAS_NODE) {
        status = decode_alias(d, node, out, err);
    } else if (node->kind == TL_YAML_LIST_NODE) {
        status = decode_list(d, node, out, err);
    } else {
        tl_map *map = tl_map_new(d->arena, node->count / 2);
        *out = tl_map_value(map);
        int once = d->options->strict || d->options->flavour == TL_YAML_CORE;
        status = decode_pairs(d, node, map, once ? PUT_ONCE : PUT_OVER, err);
    }
    d->depth--;
    return status;
}

/* JSON has no infinities, and sigs.k8s.io/yaml goes through JSON. */
static int refuse_infinite(decoder *d, tl_value value, tl_error *err)
{
    int status = 0;
    if (value.type == TL_FLOAT && !isfinite(value.as.d)) {
        const char *text = isnan(value.as.d) ? "NaN" : value.as.d > 0 ? "+Inf" : "-Inf", *name = d->options->name;
        return tl_error_set(err, "parse", "%s: unsupported value: %s", name ? name : "json", text);
    }
    if (value.type == TL_LIST) {
        for (size_t i = 0; !status && i < value.as.list->len; i++)
            status = refuse_infinite(d, value.as.list->items[i], err);
    } else if (value.type == TL_MAP) {
        tl_entry **sorted = tl_map_sorted(value.as.map, d->arena);
        for (uint32_t i = 0; !status && i < value.as.map->count; i++)
            status = refuse_infinite(d, sorted[i]->value, err);
    }
    return status;
}

static int decode_document(tl_arena *arena, const tl_yaml_options *options, tl_yaml_node *root, tl_value *out,
                           tl_error *err)
{
    decoder d = {.arena = arena, .options = options, .decoded = 1};
    d.max_nodes = options->max_nodes ? options->max_nodes : DEFAULT_NODES;
    tl_buf_init(&d.repeated, 1 << 16);
    tl_buf_init(&d.scratch, SIZE_MAX);
    int status = decode(&d, root, out, err);
    if (!status && d.repeated.len) {
        const char *name = options->name;
        status = tl_error_set(err, "parse", "%s: unmarshal errors:%s", name ? name : "yaml", d.repeated.data);
    }
    if (!status && d.deferred.message) {
        tl_error_move(err, &d.deferred);
        status = -1;
    }
    if (!status && d.not_finite && options->flavour == TL_YAML_HELM) status = refuse_infinite(&d, *out, err);
    tl_error_dispose(&d.deferred);
    tl_buf_dispose(&d.repeated);
    tl_buf_dispose(&d.scratch);
    return status;
}

static const tl_yaml_options defaults = {0};

int tl_yaml_parse(tl_arena *arena, const char *text, size_t length, const tl_yaml_options *options, tl_value *out,
                  tl_error *err)
{
    if (!options) options = &defaults;
    if (tl_yaml_quick(arena, text, length, options, out)) return 1;
    tl_arena *nodes = tl_arena_new(0);
    tl_yaml_parser *parser = tl_yaml_parser_new(nodes, text, length, options->name);
    tl_yaml_node *root;
    *out = tl_null();
    int status = tl_yaml_parser_next(parser, &root, err);
    if (status == 1 && decode_document(arena, options, root, out, err)) status = -1;
    tl_yaml_parser_free(parser);
    tl_arena_free(nodes);
    return status;
}

int tl_yaml_parse_all(tl_arena *arena, const char *text, size_t length, const tl_yaml_options *options, tl_list **out,
                      tl_error *err)
{
    if (!options) options = &defaults;
    tl_arena *nodes = tl_arena_new(0);
    tl_yaml_parser *parser = tl_yaml_parser_new(nodes, text, length, options->name);
    tl_yaml_node *root;
    int status;
    *out = tl_list_new(arena, 0);
    while ((status = tl_yaml_parser_next(parser, &root, err)) == 1) {
        tl_value document;
        status = decode_document(arena, options, root, &document, err);
        if (status) break;
        if (document.type != TL_NULL) tl_list_push(arena, *out, document);
    }
    tl_yaml_parser_free(parser);
    tl_arena_free(nodes);
    return status;
}
