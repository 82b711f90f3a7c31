/* From YAML text to nodes, by libyaml. */
#include "data/yaml_node.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "data/value.h"

#define MAX_DEPTH 1000

struct tl_yaml_parser {
    yaml_parser_t yaml;
    yaml_event_t event;
    int has_event, started, depth;
    tl_arena *arena;
    const char *text, *name;
    size_t length, mark_index, mark_byte; /* of a mark that was looked for: libyaml counts characters */
    tl_map *anchors; /* name to node, of the document in work; the node's address is the value's integer */
};

tl_yaml_parser *tl_yaml_parser_new(tl_arena *arena, const char *text, size_t length, const char *name)
{
    tl_yaml_parser *p = tl_calloc(1, sizeof *p);
    p->arena = arena;
    p->text = text;
    p->length = length;
    p->name = name;
    if (!yaml_parser_initialize(&p->yaml)) abort();
    yaml_parser_set_input_string(&p->yaml, (const unsigned char *)text, length);
    return p;
}

static void drop_event(tl_yaml_parser *p)
{
    if (p->has_event) yaml_event_delete(&p->event);
    p->has_event = 0;
}

void tl_yaml_parser_free(tl_yaml_parser *parser)
{
    if (!parser) return;
    drop_event(parser);
    yaml_parser_delete(&parser->yaml);
    free(parser);
}

/* The line as go-yaml counts it: a parser error's mark is one line behind what people count. */
static size_t go_line(const yaml_parser_t *yaml)
{
    if (yaml->problem_mark.line) return yaml->problem_mark.line + (yaml->error == YAML_SCANNER_ERROR);
    return yaml->context_mark.line;
}

static int fail_parse(tl_yaml_parser *p, tl_error *err)
{
    const yaml_parser_t *y = &p->yaml;
    const char *problem = y->problem ? y->problem : "unknown problem parsing YAML content";
    size_t line = y->problem_mark.line, column = y->problem_mark.column;
    if (!p->name) {
        size_t shown = go_line(y);
        if (!shown) return tl_error_set(err, "parse", "yaml: %s", problem);
        return tl_error_set(err, "parse", "yaml: line %zu: %s", shown, problem);
    }
    if (y->error == YAML_READER_ERROR) {
        line = column = 0;
        for (size_t i = 0; i < y->problem_offset && i < p->length; i++) {
            column = p->text[i] == '\n' ? 0 : column + 1;
            line += p->text[i] == '\n';
        }
    }
    tl_error_set(err, "parse", "%s:%zu:%zu: %s", p->name, line + 1, column + 1, problem);
    if (y->context && y->context_mark.line != line)
        tl_error_hint(err, "%s that starts in line %zu", y->context, y->context_mark.line + 1);
    return -1;
}

static int refuse_event(tl_yaml_parser *p, yaml_error_type_t kind, const char *problem, size_t line, tl_error *err)
{
    p->yaml.error = kind;
    p->yaml.problem = problem;
    p->yaml.problem_mark = (yaml_mark_t){.line = line};
    p->yaml.context_mark = (yaml_mark_t){0};
    drop_event(p);
    return fail_parse(p, err);
}

/* Where in the text a mark is; marks are asked for in their order. */
static size_t byte_of(tl_yaml_parser *p, size_t index)
{
    if (!p->mark_byte && p->length >= 3 && !memcmp(p->text, "\xef\xbb\xbf", 3)) p->mark_byte = 3;
    for (; p->mark_index < index && p->mark_byte < p->length; p->mark_index++)
        do p->mark_byte++;
        while (p->mark_byte < p->length && (p->text[p->mark_byte] & 0xc0) == 0x80);
    return p->mark_byte;
}

/* go-yaml reads YAML 1.1 alone, and no escaped slash. */
static int check_as_go(tl_yaml_parser *p, tl_error *err)
{
    const yaml_event_t *e = &p->event;
    if (e->type == YAML_DOCUMENT_START_EVENT && e->data.document_start.version_directive) {
        const yaml_version_directive_t *version = e->data.document_start.version_directive;
        if (version->major != 1 || version->minor != 1)
            return refuse_event(p, YAML_PARSER_ERROR, "found incompatible YAML document", e->start_mark.line, err);
    }
    if (e->type != YAML_SCALAR_EVENT || e->data.scalar.style != YAML_DOUBLE_QUOTED_SCALAR_STYLE) return 0;
    size_t line = e->start_mark.line, i = byte_of(p, e->start_mark.index), end = byte_of(p, e->end_mark.index);
    for (; i + 1 < end; i++) {
        if (p->text[i] == '\n') line++;
        if (p->text[i] != '\\') continue;
        if (p->text[i + 1] == '/')
            return refuse_event(p, YAML_SCANNER_ERROR, "found unknown escape character", line, err);
        if (p->text[i + 1] == '\n') line++;
        i++;
    }
    return 0;
}

/* Makes p->event the next event. */
static int peek(tl_yaml_parser *p, tl_error *err)
{
    if (p->has_event) return 0;
    if (!yaml_parser_parse(&p->yaml, &p->event)) return fail_parse(p, err);
    p->has_event = 1;
    return p->name ? 0 : check_as_go(p, err);
}

static tl_yaml_node *new_node(tl_yaml_parser *p, tl_yaml_kind kind, const yaml_char_t *tag)
{
    tl_yaml_node *node = tl_arena_zalloc(p->arena, sizeof *node);
    node->kind = kind;
    node->line = (int)p->event.start_mark.line;
    node->column = (int)p->event.start_mark.column;
    if (tag && *tag) node->tag = tl_arena_strdup(p->arena, (const char *)tag);
    return node;
}

static void set_anchor(tl_yaml_parser *p, const yaml_char_t *anchor, tl_yaml_node *node)
{
    if (anchor) tl_map_sets(p->anchors, (const char *)anchor, tl_int((int64_t)(intptr_t)node));
}

static void add_child(tl_yaml_parser *p, tl_yaml_node *node, tl_yaml_node *child)
{
    if (node->count == node->room) {
        size_t room = node->room ? node->room * 2 : 4;
        node->children = tl_arena_grow(p->arena, node->children, node->room * sizeof child, room * sizeof child);
        node->room = room;
    }
    node->children[node->count++] = child;
}

static int fail_node(tl_yaml_parser *p, tl_error *err, const char *what, const char *name)
{
    size_t line = p->event.start_mark.line + 1, column = p->event.start_mark.column + 1;
    if (!p->name) return tl_error_set(err, "parse", "yaml: %s '%s' referenced", what, name);
    return tl_error_set(err, "parse", "%s:%zu:%zu: %s '%s' referenced", p->name, line, column, what, name);
}

static int read_node(tl_yaml_parser *p, tl_yaml_node **out, tl_error *err);

static int read_children(tl_yaml_parser *p, tl_yaml_node *node, yaml_event_type_t end, tl_error *err)
{
    drop_event(p);
    if (++p->depth > MAX_DEPTH)
        return tl_error_set(err, "parse", "yaml: line %d: exceeded max depth of %d", node->line + 1, MAX_DEPTH);
    for (;;) {
        tl_yaml_node *child;
        if (peek(p, err)) return -1;
        if (p->event.type == end) break;
        if (read_node(p, &child, err)) return -1;
        add_child(p, node, child);
    }
    p->depth--;
    drop_event(p);
    return 0;
}

/* The node that the event in hand starts. */
static int read_node(tl_yaml_parser *p, tl_yaml_node **out, tl_error *err)
{
    yaml_event_t *e = &p->event;
    tl_yaml_node *node;
    if (tl_arena_over(p->arena)) return tl_error_set(err, "limit", "the YAML document is too large");
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        *out = node = new_node(p, TL_YAML_SCALAR_NODE, e->data.scalar.tag);
        node->text = tl_arena_strndup(p->arena, (const char *)e->data.scalar.value, e->data.scalar.length);
        node->length = e->data.scalar.length;
        node->plain = e->data.scalar.plain_implicit;
        set_anchor(p, e->data.scalar.anchor, node);
        drop_event(p);
        return 0;
    case YAML_ALIAS_EVENT: {
        *out = node = new_node(p, TL_YAML_ALIAS_NODE, NULL);
        node->text = tl_arena_strdup(p->arena, (const char *)e->data.alias.anchor);
        tl_value *target = tl_map_gets(p->anchors, node->text);
        if (!target) return fail_node(p, err, "unknown anchor", node->text);
        node->target = (tl_yaml_node *)(intptr_t)target->as.i;
        drop_event(p);
        return 0;
    }
    case YAML_SEQUENCE_START_EVENT:
        *out = node = new_node(p, TL_YAML_LIST_NODE, e->data.sequence_start.tag);
        set_anchor(p, e->data.sequence_start.anchor, node);
        return read_children(p, node, YAML_SEQUENCE_END_EVENT, err);
    default:
        *out = node = new_node(p, TL_YAML_MAP_NODE, e->data.mapping_start.tag);
        set_anchor(p, e->data.mapping_start.anchor, node);
        return read_children(p, node, YAML_MAPPING_END_EVENT, err);
    }
}

int tl_yaml_parser_next(tl_yaml_parser *parser, tl_yaml_node **root, tl_error *err)
{
    tl_yaml_parser *p = parser;
    if (peek(p, err)) return -1;
    if (p->event.type == YAML_STREAM_START_EVENT) {
        drop_event(p);
        if (peek(p, err)) return -1;
    }
    if (p->event.type == YAML_STREAM_END_EVENT) return 0;
    drop_event(p); /* the document's start */
    p->anchors = tl_map_new(p->arena, 0);
    p->depth = 0;
    if (peek(p, err) || read_node(p, root, err) || peek(p, err)) return -1;
    drop_event(p); /* its end */
    return 1;
}
