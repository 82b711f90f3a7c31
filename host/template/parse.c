/* Parses texts with their actions into templates, as Go's text/template/parse does. */
#include <stdlib.h>
#include <string.h>

#include "template/parser.h"

static tl_node *parse_action(tl_parser *p);

static void pop_variables(tl_parser *p, size_t count)
{
    p->var_count = count;
}

/* ---- actions ---- */

static tl_node *parse_text_or_action(tl_parser *p)
{
    tl_token token = tl_parser_next(p);
    if (p->error) return NULL;
    if (token.type == TL_TOKEN_TEXT) {
        tl_node *node = tl_parser_node(p, TL_NODE_TEXT, token.pos);
        node->as.written = token.val;
        return node;
    }
    if (token.type != TL_TOKEN_LEFT_DELIM) return tl_parser_unexpected(p, token, "input");
    p->action = token.pos + 1;
    tl_node *node = parse_action(p);
    p->action = 0;
    return node;
}

/* Items up to {{end}} or {{else}}, which goes to *end. */
static tl_node *parse_list(tl_parser *p, tl_node **end)
{
    tl_node *list = tl_parser_node(p, TL_NODE_LIST, tl_parser_peek(p).pos);
    size_t mark = p->open_count;
    while (tl_parser_peek(p).type != TL_TOKEN_EOF) {
        tl_node *node = parse_text_or_action(p);
        if (!node) return NULL;
        if (node->type == TL_NODE_END || node->type == TL_NODE_ELSE) {
            *end = node;
            tl_parser_close(p, list, mark);
            return list;
        }
        tl_parser_open(p, node);
    }
    return tl_parser_fail(p, "unexpected EOF");
}

static tl_node *parse_control(tl_parser *p, tl_node_type type, const char *context)
{
    size_t vars = p->var_count;
    uint32_t slot = p->next_slot;
    if (p->nesting >= TL_PARSER_NESTING) return tl_parser_fail(p, "max expression depth exceeded");
    p->nesting++;
    tl_node *node = tl_parser_node(p, type, 0), *end = NULL;
    int range = type == TL_NODE_RANGE;
    node->branch.pipe = tl_parser_pipeline(p, context, TL_TOKEN_RIGHT_DELIM);
    if (!node->branch.pipe) return NULL;
    node->pos = node->branch.pipe->pos;
    p->range_depth += range;
    node->branch.body = parse_list(p, &end);
    p->range_depth -= range;
    if (!node->branch.body) return NULL;
    if (end->type == TL_NODE_ELSE) {
        tl_token_type follows = tl_parser_peek(p).type;
        int again = (type == TL_NODE_IF && follows == TL_TOKEN_IF) || (type == TL_NODE_WITH && follows == TL_TOKEN_WITH);
        if (again) {
            tl_parser_next(p);
            tl_node *list = tl_parser_node(p, TL_NODE_LIST, end->pos), *inner = parse_control(p, type, context);
            if (!inner) return NULL;
            tl_parser_open(p, inner);
            tl_parser_close(p, list, p->open_count - 1);
            node->branch.otherwise = list;
        } else {
            node->branch.otherwise = parse_list(p, &end);
            if (!node->branch.otherwise) return NULL;
            if (end->type != TL_NODE_END) return tl_parser_fail(p, "expected end; found {{else}}");
        }
    }
    p->nesting--;
    pop_variables(p, vars);
    p->next_slot = slot;
    return node;
}

static tl_node *parse_else(tl_parser *p)
{
    tl_token token = tl_parser_peek(p);
    if (token.type != TL_TOKEN_IF && token.type != TL_TOKEN_WITH) token = tl_parser_expect(p, TL_TOKEN_RIGHT_DELIM, "else");
    return p->error ? NULL : tl_parser_node(p, TL_NODE_ELSE, token.pos);
}

static tl_node *parse_jump(tl_parser *p, tl_node_type type, tl_token token)
{
    const char *name = type == TL_NODE_BREAK ? "{{break}}" : "{{continue}}";
    tl_token after = tl_parser_next(p);
    if (after.type != TL_TOKEN_RIGHT_DELIM) return tl_parser_unexpected(p, after, name);
    if (!p->range_depth) return tl_parser_fail(p, "%s outside {{range}}", name);
    return tl_parser_node(p, type, token.pos);
}

static int parse_name(tl_parser *p, tl_token token, const char *context, tl_span *out)
{
    if (token.type != TL_TOKEN_STRING && token.type != TL_TOKEN_RAW_STRING) {
        tl_parser_unexpected(p, token, context);
        return -1;
    }
    if (tl_unquote(p->arena, token.val.s, token.val.len, out)) {
        tl_parser_fail(p, "invalid syntax");
        return -1;
    }
    return 0;
}

static int blank_list(const tl_node *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const tl_node *node = list->as.items[i];
        if (node->type != TL_NODE_TEXT) return 0;
        for (uint32_t k = 0; k < node->as.written.len; k++)
            if (!strchr(" \t\r\n\v\f", node->as.written.s[k]) || !node->as.written.s[k]) return 0;
    }
    return 1;
}

static const char *defined_twice(tl_arena *arena, tl_span name)
{
    tl_buf quoted = TL_BUF_INIT(4096);
    tl_go_quote(&quoted, name.s, name.len);
    const char *text = tl_arena_printf(arena, "template: multiple definition of template %s", quoted.data);
    tl_buf_dispose(&quoted);
    return text;
}

/* One text may define a name once (empty ones aside). */
static int add_template(tl_parser *p, tl_template *tmpl)
{
    tl_parsed *to = p->parsed;
    tl_value *at = tl_map_get(to->defined, tmpl->name.s, tmpl->name.len);
    if (at) {
        tl_template **slot = &to->own[at->as.i];
        if (blank_list((*slot)->root)) {
            *slot = tmpl;
        } else if (!blank_list(tmpl->root)) {
            tl_parser_fail(p, "%s", defined_twice(p->arena, tmpl->name));
            return -1;
        }
        return 0;
    }
    if (to->count == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 8;
        to->own = tl_arena_grow(p->arena, to->own, to->cap * sizeof *to->own, cap * sizeof *to->own);
        to->cap = cap;
    }
    tl_map_set(to->defined, tmpl->name.s, tmpl->name.len, tl_int((int64_t)to->count));
    to->own[to->count++] = tmpl;
    return 0;
}

/* The body of a define or block: a template with variables of its own. */
static int parse_body(tl_parser *p, tl_span name, const char *context)
{
    size_t first_var = p->first_var;
    uint32_t next_slot = p->next_slot, slots = p->slots, action = p->action;
    int range_depth = p->range_depth;
    tl_node root_var = {.text = {"$", 1}}, *end = NULL;
    p->first_var = p->var_count;
    p->next_slot = p->slots = 0;
    p->range_depth = 0;
    p->action = 0;
    tl_parser_push_variable(p, &root_var, 1);
    tl_template *tmpl = tl_arena_zalloc(p->arena, sizeof *tmpl);
    tmpl->name = name;
    tmpl->source = p->source;
    if (p->nesting >= TL_PARSER_NESTING) tl_parser_fail(p, "max expression depth exceeded");
    p->nesting++;
    tmpl->root = parse_list(p, &end);
    p->nesting--;
    if (tmpl->root && end->type != TL_NODE_END) tl_parser_fail(p, "unexpected {{else}} in %s", context);
    tmpl->slots = p->slots;
    p->var_count = p->first_var;
    p->first_var = first_var;
    p->next_slot = next_slot;
    p->slots = slots;
    p->range_depth = range_depth;
    p->action = action;
    return p->error ? -1 : add_template(p, tmpl);
}

static tl_node *parse_block(tl_parser *p)
{
    tl_token token = tl_parser_next(p);
    tl_node *node = tl_parser_node(p, TL_NODE_TEMPLATE, token.pos);
    if (parse_name(p, token, "block clause", &node->text)) return NULL;
    node->as.pipe = tl_parser_pipeline(p, "block clause", TL_TOKEN_RIGHT_DELIM);
    if (!node->as.pipe || parse_body(p, node->text, "block clause")) return NULL;
    return node;
}

static tl_node *parse_template_call(tl_parser *p)
{
    tl_token token = tl_parser_next(p);
    tl_node *node = tl_parser_node(p, TL_NODE_TEMPLATE, token.pos);
    if (parse_name(p, token, "template clause", &node->text)) return NULL;
    if (tl_parser_next(p).type == TL_TOKEN_RIGHT_DELIM) return node;
    if (p->error) return NULL;
    tl_parser_backup(p);
    node->as.pipe = tl_parser_pipeline(p, "template clause", TL_TOKEN_RIGHT_DELIM);
    return node->as.pipe ? node : NULL;
}

/* The left delimiter is past. */
static tl_node *parse_action(tl_parser *p)
{
    tl_token token = tl_parser_next(p);
    switch (token.type) {
    case TL_TOKEN_BLOCK: return parse_block(p);
    case TL_TOKEN_BREAK: return parse_jump(p, TL_NODE_BREAK, token);
    case TL_TOKEN_CONTINUE: return parse_jump(p, TL_NODE_CONTINUE, token);
    case TL_TOKEN_ELSE: return parse_else(p);
    case TL_TOKEN_END: {
        static tl_node end = {.type = TL_NODE_END};
        tl_parser_expect(p, TL_TOKEN_RIGHT_DELIM, "end");
        return p->error ? NULL : &end;
    }
    case TL_TOKEN_IF: return parse_control(p, TL_NODE_IF, "if");
    case TL_TOKEN_RANGE: return parse_control(p, TL_NODE_RANGE, "range");
    case TL_TOKEN_TEMPLATE: return parse_template_call(p);
    case TL_TOKEN_WITH: return parse_control(p, TL_NODE_WITH, "with");
    default: break;
    }
    if (p->error) return NULL;
    tl_parser_backup(p);
    tl_node *node = tl_parser_pipeline(p, "command", TL_TOKEN_RIGHT_DELIM);
    if (node) node->type = TL_NODE_ACTION;
    return node;
}

static void parse_text(tl_parser *p, tl_template *tmpl)
{
    tmpl->root = tl_parser_node(p, TL_NODE_LIST, tl_parser_peek(p).pos);
    while (tl_parser_peek(p).type != TL_TOKEN_EOF) {
        if (tl_parser_peek(p).type == TL_TOKEN_LEFT_DELIM) {
            tl_token delim = tl_parser_next(p);
            if (tl_parser_next(p).type == TL_TOKEN_DEFINE) {
                tl_span name;
                tl_token token = tl_parser_next(p);
                if (parse_name(p, token, "define clause", &name)) return;
                tl_parser_expect(p, TL_TOKEN_RIGHT_DELIM, "define clause");
                if (p->error || parse_body(p, name, "define clause")) return;
                continue;
            }
            if (p->error) return;
            p->tokens[1] = delim;
            p->peeked = 2;
        }
        tl_node *node = parse_text_or_action(p);
        if (!node) return;
        if (node->type == TL_NODE_END || node->type == TL_NODE_ELSE) {
            tl_parser_fail(p, "unexpected %s", node->type == TL_NODE_END ? "{{end}}" : "{{else}}");
            return;
        }
        tl_parser_open(p, node);
    }
    tl_parser_close(p, tmpl->root, 0);
}

/* ---- scopes ---- */

tl_scope *tl_scope_new(tl_arena *arena, tl_scope *parent)
{
    tl_scope *scope = tl_arena_zalloc(arena, sizeof *scope);
    scope->parent = parent;
    scope->arena = arena;
    scope->index = tl_map_new(arena, 0);
    return scope;
}

tl_template *tl_scope_find(const tl_scope *scope, const char *name, size_t length)
{
    for (; scope; scope = scope->parent) {
        tl_value *at = tl_map_get(scope->index, name, length);
        if (at) return scope->templates[at->as.i];
    }
    return NULL;
}

static void add_to_scope(tl_scope *scope, tl_template *tmpl)
{
    if (blank_list(tmpl->root) && tl_scope_find(scope, tmpl->name.s, tmpl->name.len)) return;
    tl_value *at = tl_map_get(scope->index, tmpl->name.s, tmpl->name.len);
    if (at) {
        scope->templates[at->as.i] = tmpl;
        return;
    }
    if (scope->count == scope->cap) {
        size_t cap = scope->cap ? scope->cap * 2 : 8;
        scope->templates = tl_arena_grow(scope->arena, scope->templates, scope->cap * sizeof tmpl, cap * sizeof tmpl);
        scope->cap = cap;
    }
    tl_map_set(scope->index, tmpl->name.s, tmpl->name.len, tl_int((int64_t)scope->count));
    scope->templates[scope->count++] = tmpl;
}

int tl_parse_text(tl_parsed *out, tl_arena *arena, const tl_source *source, const char **message)
{
    tl_parser p = {.arena = arena, .parsed = out, .source = source};
    tl_node root_var = {.text = {"$", 1}};
    *out = (tl_parsed){.arena = arena, .defined = tl_map_new(arena, 0), .main = tl_arena_zalloc(arena, sizeof *out->main)};
    tl_lexer_init(&p.lexer, source->text, source->length, arena);
    tl_parser_push_variable(&p, &root_var, 1);
    parse_text(&p, out->main);
    out->main->slots = p.slots;
    free(p.open);
    free(p.vars);
    *message = p.error;
    return p.error ? -1 : 0;
}

/* The parsed form stays as it is, since a text may be in several scopes under several names. */
static tl_template *add_copy(tl_scope *scope, const tl_template *tmpl, const tl_source *source, tl_span name)
{
    tl_template *copy = tl_arena_alloc(scope->arena, sizeof *copy);
    *copy = *tmpl;
    copy->source = source;
    copy->name = name;
    add_to_scope(scope, copy);
    return copy;
}

int tl_scope_add(tl_scope *scope, const tl_parsed *parsed, const tl_source *source, tl_template **main,
                 const char **message)
{
    tl_span name = {source->name, (uint32_t)strlen(source->name)};
    const tl_value *at = tl_map_get(parsed->defined, name.s, name.len);
    const tl_template *rival = at ? parsed->own[at->as.i] : NULL;
    int yields = rival && blank_list(rival->root);
    if (rival && !yields && !blank_list(parsed->main->root)) {
        *message = tl_arena_printf(scope->arena, "template: %s:%d: %s", source->name,
                                   tl_lexer_line(source->text, (uint32_t)source->length),
                                   defined_twice(scope->arena, name));
        return -1;
    }
    for (size_t i = 0; i < parsed->count; i++)
        if (!yields || parsed->own[i] != rival) add_copy(scope, parsed->own[i], source, parsed->own[i]->name);
    *main = add_copy(scope, parsed->main, source, name);
    return 0;
}

int tl_parse_source(tl_scope *scope, const tl_source *source, tl_template **main, const char **message)
{
    tl_parsed parsed;
    return tl_parse_text(&parsed, scope->arena, source, message) ? -1 : tl_scope_add(scope, &parsed, source, main, message);
}
