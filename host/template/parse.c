/* Turns tokens into the tree that is executed, as Go's text/template/parse parser does. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "data/number.h"
#include "template/internal.h"

#define MAX_NESTING 2000

typedef struct variable {
    tl_span name;
    int32_t slot; /* -1: assigned, never declared */
} variable;

typedef struct parser {
    tl_arena *arena;
    tl_scope *scope;
    tl_map *defined; /* names of this text -> position in `own` */
    tl_template **own;
    size_t own_count, own_cap;
    const tl_source *source;
    tl_lexer lexer;
    tl_token tokens[3];
    int peeked, action_line, range_depth, nesting;
    variable *vars;
    size_t var_count, var_cap;
    uint32_t next_slot, slots; /* of the template being parsed */
    const char *error;
} parser;

static tl_node *parse_pipeline(parser *p, const char *context, tl_token_type end);
static tl_node *parse_action(parser *p);

/* ---- tokens ---- */

static tl_token next(parser *p)
{
    if (p->error) return (tl_token){.type = TL_TOKEN_EOF};
    if (p->peeked)
        p->peeked--;
    else
        p->tokens[0] = tl_lexer_next(&p->lexer);
    return p->tokens[p->peeked];
}

static void backup(parser *p)
{
    p->peeked++;
}

static tl_token peek(parser *p)
{
    if (p->error) return (tl_token){.type = TL_TOKEN_EOF};
    if (p->peeked) return p->tokens[p->peeked - 1];
    p->peeked = 1;
    return p->tokens[0] = tl_lexer_next(&p->lexer);
}

static tl_token next_non_space(parser *p)
{
    tl_token token;
    do token = next(p);
    while (token.type == TL_TOKEN_SPACE);
    return token;
}

static tl_token peek_non_space(parser *p)
{
    tl_token token = next_non_space(p);
    if (!p->error) backup(p);
    return token;
}

static void *fail(parser *p, const char *format, ...) TL_PRINTF(2, 3);
static void *fail(parser *p, const char *format, ...)
{
    if (p->error) return NULL;
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_buf_addf(&text, "template: %s:%d: ", p->source->name, p->tokens[0].line);
    va_list args;
    va_start(args, format);
    char line[1024];
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    tl_buf_adds(&text, line);
    p->error = tl_arena_strndup(p->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return NULL;
}

/* Go's item.String(). */
static const char *token_text(parser *p, tl_token token)
{
    if (token.type == TL_TOKEN_EOF) return "EOF";
    const char *val = tl_arena_strndup(p->arena, token.val.s, token.val.len);
    if (token.type == TL_TOKEN_ERROR) return val;
    if (token.type > TL_TOKEN_KEYWORD) return tl_arena_printf(p->arena, "<%s>", val);
    size_t length = token.val.len;
    int cut = length > 10;
    if (cut) {
        size_t width, runes = 0;
        for (length = 0; runes < 10 && length < token.val.len; runes++) {
            tl_utf8_decode(token.val.s + length, token.val.len - length, &width);
            length += width;
        }
    }
    tl_buf quoted = TL_BUF_INIT(1 << 16);
    tl_go_quote(&quoted, token.val.s, length);
    if (cut) tl_buf_adds(&quoted, "...");
    const char *text = tl_arena_strndup(p->arena, quoted.data, quoted.len);
    tl_buf_dispose(&quoted);
    return text;
}

static void *unexpected(parser *p, tl_token token, const char *context)
{
    if (p->error) return NULL;
    if (token.type != TL_TOKEN_ERROR) return fail(p, "unexpected %s in %s", token_text(p, token), context);
    const char *extra = "";
    if (p->action_line && p->action_line != token.line) {
        size_t length = token.val.len;
        int action = length > 7 && !memcmp(token.val.s + length - 7, " action", 7);
        extra = tl_arena_printf(p->arena, "%s started at %s:%d", action ? "" : " in action", p->source->name,
                                p->action_line);
    }
    return fail(p, "%s%s", token_text(p, token), extra);
}

static tl_token expect(parser *p, tl_token_type type, const char *context)
{
    tl_token token = next_non_space(p);
    if (token.type != type) unexpected(p, token, context);
    return token;
}

/* ---- nodes ---- */

static tl_node *new_node(parser *p, tl_node_type type, uint32_t pos)
{
    tl_node *node = tl_arena_zalloc(p->arena, sizeof *node);
    node->type = (uint8_t)type;
    node->pos = pos;
    return node;
}

static void add_item(parser *p, tl_node *node, tl_node *item, uint32_t *cap)
{
    if (node->count == *cap) {
        uint32_t bigger = *cap ? *cap * 2 : 4;
        node->as.items = tl_arena_grow(p->arena, node->as.items, *cap * sizeof item, bigger * sizeof item);
        *cap = bigger;
    }
    node->as.items[node->count++] = item;
}

/* Splits ".A.B" or "A.B" at the dots. */
static void split_names(parser *p, tl_node *node, const char *text, size_t length)
{
    uint32_t count = 1;
    for (size_t i = 0; i < length; i++) count += text[i] == '.';
    node->as.names = tl_arena_alloc(p->arena, count * sizeof *node->as.names);
    node->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const char *dot = memchr(text, '.', length);
        size_t part = dot ? (size_t)(dot - text) : length;
        node->as.names[i] = (tl_span){text, (uint32_t)part};
        text += part + 1;
        length -= part + !!dot;
    }
}

static tl_node *new_variable(parser *p, uint32_t pos, tl_span name)
{
    tl_node *node = new_node(p, TL_NODE_VARIABLE, pos);
    node->text = name;
    node->slot = -1;
    return node;
}

static variable *find_variable(parser *p, tl_span name)
{
    for (size_t i = p->var_count; i-- > 0;) {
        variable *v = &p->vars[i];
        if (v->name.len == name.len && !memcmp(v->name.s, name.s, name.len)) return v;
    }
    return NULL;
}

static void push_variable(parser *p, tl_node *node, int declare)
{
    if (p->var_count == p->var_cap) {
        size_t cap = p->var_cap ? p->var_cap * 2 : 16;
        p->vars = tl_arena_grow(p->arena, p->vars, p->var_cap * sizeof *p->vars, cap * sizeof *p->vars);
        p->var_cap = cap;
    }
    if (declare) {
        node->slot = (int32_t)p->next_slot++;
        if (p->next_slot > p->slots) p->slots = p->next_slot;
    } else {
        variable *v = find_variable(p, node->text);
        node->slot = v ? v->slot : -1;
    }
    p->vars[p->var_count++] = (variable){node->text, node->slot};
}

static void pop_variables(parser *p, size_t count)
{
    p->var_count = count;
}

static tl_node *use_variable(parser *p, tl_token token)
{
    variable *v = find_variable(p, token.val);
    if (!v) {
        tl_buf quoted = TL_BUF_INIT(4096);
        tl_go_quote(&quoted, token.val.s, token.val.len);
        fail(p, "undefined variable %s", quoted.data);
        tl_buf_dispose(&quoted);
        return NULL;
    }
    tl_node *node = new_variable(p, token.pos, token.val);
    node->slot = v->slot;
    return node;
}

static int fits_int(double d)
{
    return d >= -9223372036854775808.0 && d < 9223372036854775808.0 && (double)(int64_t)d == d;
}

static void number_from_float(tl_node *node, double d)
{
    node->flags |= TL_NUM_FLOAT;
    node->as.number.d = d;
    if (!(node->flags & TL_NUM_INT) && fits_int(d)) {
        node->flags |= TL_NUM_INT;
        node->as.number.i = (int64_t)d;
    }
    if (d >= 0 && d < 18446744073709551616.0 && (double)(uint64_t)d == d) node->flags |= TL_NUM_UINT;
}

static tl_node *new_number(parser *p, tl_token token)
{
    tl_node *node = new_node(p, TL_NODE_NUMBER, token.pos);
    const char *text = token.val.s;
    size_t length = token.val.len;
    node->text = token.val;
    if (token.type == TL_TOKEN_CHAR_CONSTANT) {
        uint32_t rune;
        int status = tl_unquote_char(text, length, &rune);
        if (status == -2) return fail(p, "malformed character constant: %.*s", (int)length, text);
        if (status) return fail(p, "invalid syntax");
        node->flags = TL_NUM_INT | TL_NUM_UINT | TL_NUM_FLOAT;
        node->as.number.i = rune;
        node->as.number.d = rune;
        return node;
    }
    if (token.type == TL_TOKEN_COMPLEX || text[length - 1] == 'i') {
        /* Complex numbers have no use in charts: they parse, and no function takes them. */
        node->flags = TL_NUM_COMPLEX;
        return node;
    }
    uint64_t u;
    double d;
    if (!tl_number_parse_uint(text, length, 0, &u)) node->flags |= TL_NUM_UINT;
    if (!tl_number_parse_int(text, length, 0, &node->as.number.i)) {
        node->flags |= TL_NUM_INT;
        if (!node->as.number.i) node->flags |= TL_NUM_UINT;
    }
    if (node->flags & TL_NUM_INT) {
        node->flags |= TL_NUM_FLOAT;
        node->as.number.d = (double)node->as.number.i;
    } else if (node->flags & TL_NUM_UINT) {
        node->flags |= TL_NUM_FLOAT;
        node->as.number.i = (int64_t)u;
        node->as.number.d = (double)u;
    } else if (!tl_number_parse_float(text, length, &d)) {
        int looks_float = 0;
        for (size_t i = 0; i < length; i++) looks_float |= strchr(".eEpP", text[i]) != NULL;
        if (!looks_float) return fail(p, "integer overflow: \"%.*s\"", (int)length, text);
        number_from_float(node, d);
    }
    if (!node->flags) return fail(p, "illegal number syntax: \"%.*s\"", (int)length, text);
    return node;
}

static tl_node *new_string(parser *p, tl_token token)
{
    tl_node *node = new_node(p, TL_NODE_STRING, token.pos);
    node->as.quoted = token.val;
    if (tl_unquote(p->arena, token.val.s, token.val.len, &node->text)) return fail(p, "invalid syntax");
    return node;
}

/* ---- expressions ---- */

static tl_node *parse_identifier(parser *p, tl_token token)
{
    tl_node *node = new_node(p, TL_NODE_IDENT, token.pos);
    node->text = token.val;
    node->as.function = tl_function_find(token.val.s, token.val.len);
    if (node->as.function) return node;
    tl_buf quoted = TL_BUF_INIT(4096);
    tl_go_quote(&quoted, token.val.s, token.val.len);
    fail(p, "function %s not defined", quoted.data);
    tl_buf_dispose(&quoted);
    return NULL;
}

static tl_node *parse_parens(parser *p)
{
    if (p->nesting >= MAX_NESTING) return fail(p, "max expression depth exceeded");
    p->nesting++;
    tl_node *node = parse_pipeline(p, "parenthesized pipeline", TL_TOKEN_RIGHT_PAREN);
    p->nesting--;
    return node;
}

/* A simple expression; NULL where the next token starts none (or on errors). */
static tl_node *parse_term(parser *p)
{
    tl_token token = next_non_space(p);
    tl_node *node;
    switch (token.type) {
    case TL_TOKEN_IDENTIFIER: return parse_identifier(p, token);
    case TL_TOKEN_DOT: return new_node(p, TL_NODE_DOT, token.pos);
    case TL_TOKEN_NIL: return new_node(p, TL_NODE_NIL, token.pos);
    case TL_TOKEN_VARIABLE: return use_variable(p, token);
    case TL_TOKEN_FIELD:
        node = new_node(p, TL_NODE_FIELD, token.pos);
        split_names(p, node, token.val.s + 1, token.val.len - 1);
        return node;
    case TL_TOKEN_BOOL:
        node = new_node(p, TL_NODE_BOOL, token.pos);
        node->flags = token.val.len == 4;
        return node;
    case TL_TOKEN_CHAR_CONSTANT:
    case TL_TOKEN_COMPLEX:
    case TL_TOKEN_NUMBER: return new_number(p, token);
    case TL_TOKEN_LEFT_PAREN: return parse_parens(p);
    case TL_TOKEN_STRING:
    case TL_TOKEN_RAW_STRING: return new_string(p, token);
    default: break;
    }
    if (!p->error) backup(p);
    return NULL;
}

static void join_names(parser *p, tl_node *node, const tl_span *more, uint32_t count)
{
    tl_span *names = tl_arena_alloc(p->arena, (node->count + count) * sizeof *names);
    if (node->count) memcpy(names, node->as.names, node->count * sizeof *names);
    memcpy(names + node->count, more, count * sizeof *names);
    node->as.names = names;
    node->count += count;
}

static tl_node *chained(parser *p, tl_node *node)
{
    uint32_t pos = peek(p).pos, count = 0, cap = 8;
    tl_span *names = tl_arena_alloc(p->arena, cap * sizeof *names);
    while (peek(p).type == TL_TOKEN_FIELD) {
        tl_token token = next(p);
        if (count == cap) {
            names = tl_arena_grow(p->arena, names, cap * sizeof *names, 2 * cap * sizeof *names);
            cap *= 2;
        }
        names[count++] = (tl_span){token.val.s + 1, token.val.len - 1};
    }
    switch (node->type) {
    case TL_NODE_FIELD:
    case TL_NODE_VARIABLE:
        join_names(p, node, names, count);
        node->pos = pos;
        return node;
    case TL_NODE_BOOL:
    case TL_NODE_STRING:
    case TL_NODE_NUMBER:
    case TL_NODE_NIL:
    case TL_NODE_DOT: {
        tl_buf text = TL_BUF_INIT(4096), quoted = TL_BUF_INIT(8192);
        tl_node_print(&text, node);
        tl_go_quote(&quoted, text.data, text.len);
        fail(p, "unexpected . after term %s", quoted.data);
        tl_buf_dispose(&text);
        tl_buf_dispose(&quoted);
        return NULL;
    }
    default: {
        tl_node *chain = new_node(p, TL_NODE_CHAIN, pos);
        chain->with.term = node;
        chain->as.names = names;
        chain->count = count;
        return chain;
    }
    }
}

static tl_node *parse_command(parser *p)
{
    tl_node *command = new_node(p, TL_NODE_COMMAND, peek_non_space(p).pos);
    uint32_t cap = 0;
    for (;;) {
        peek_non_space(p);
        tl_node *operand = parse_term(p);
        if (operand && peek(p).type == TL_TOKEN_FIELD) operand = chained(p, operand);
        if (p->error) return NULL;
        if (operand) add_item(p, command, operand, &cap);
        tl_token token = next(p);
        if (token.type == TL_TOKEN_SPACE) continue;
        if (token.type == TL_TOKEN_RIGHT_DELIM || token.type == TL_TOKEN_RIGHT_PAREN)
            backup(p);
        else if (token.type != TL_TOKEN_PIPE)
            return unexpected(p, token, "operand");
        break;
    }
    if (!command->count) return fail(p, "empty command");
    return command;
}

static void add_declared(parser *p, tl_node *pipe, tl_token token, int declare)
{
    tl_node *node = new_variable(p, token.pos, token.val);
    push_variable(p, node, declare);
    if (!pipe->with.vars) pipe->with.vars = tl_arena_zalloc(p->arena, 2 * sizeof *pipe->with.vars);
    pipe->with.vars[pipe->declared++] = node;
}

/* "$a, $b := " before a pipeline. A loop's first variable is only known to be declared or assigned at the second. */
static int parse_declarations(parser *p, tl_node *pipe, const char *context)
{
    tl_token held[2];
    int count = 0;
    for (;;) {
        tl_token v = peek_non_space(p);
        if (v.type != TL_TOKEN_VARIABLE) return 0;
        next(p);
        tl_token after = peek(p), following = peek_non_space(p);
        if (following.type == TL_TOKEN_ASSIGN || following.type == TL_TOKEN_DECLARE) {
            int declare = following.type == TL_TOKEN_DECLARE;
            pipe->flags = !declare;
            next_non_space(p);
            held[count++] = v;
            for (int i = 0; i < count; i++) add_declared(p, pipe, held[i], declare);
            return 0;
        }
        if (following.type == TL_TOKEN_CHAR && following.val.len == 1 && following.val.s[0] == ',') {
            next_non_space(p);
            held[count++] = v;
            if (!strcmp(context, "range") && count < 2) {
                tl_token_type type = peek_non_space(p).type;
                if (type == TL_TOKEN_VARIABLE || type == TL_TOKEN_RIGHT_DELIM || type == TL_TOKEN_RIGHT_PAREN) continue;
                fail(p, "range can only initialize variables");
                return -1;
            }
            fail(p, "too many declarations in %s", context);
            return -1;
        }
        /* Only two tokens of look-ahead can be pushed back over the newest one. */
        p->tokens[1] = after.type == TL_TOKEN_SPACE ? after : v;
        p->tokens[2] = v;
        p->peeked = after.type == TL_TOKEN_SPACE ? 3 : 2;
        for (int i = 0; i < count; i++) add_declared(p, pipe, held[i], 1);
        return p->error ? -1 : 0;
    }
}

static tl_node *check_pipeline(parser *p, tl_node *pipe, const char *context)
{
    if (!pipe->count) return fail(p, "missing value for %s", context);
    for (uint32_t i = 1; i < pipe->count; i++) {
        switch (pipe->as.items[i]->as.items[0]->type) {
        case TL_NODE_BOOL:
        case TL_NODE_DOT:
        case TL_NODE_NIL:
        case TL_NODE_NUMBER:
        case TL_NODE_STRING: return fail(p, "non executable command in pipeline stage %u", i + 1);
        default: break;
        }
    }
    return pipe;
}

static tl_node *parse_pipeline(parser *p, const char *context, tl_token_type end)
{
    tl_node *pipe = new_node(p, TL_NODE_PIPE, peek_non_space(p).pos);
    uint32_t cap = 0;
    if (parse_declarations(p, pipe, context)) return NULL;
    for (;;) {
        tl_token token = next_non_space(p);
        if (p->error) return NULL;
        if (token.type == end) return check_pipeline(p, pipe, context);
        switch (token.type) {
        case TL_TOKEN_BOOL:
        case TL_TOKEN_CHAR_CONSTANT:
        case TL_TOKEN_COMPLEX:
        case TL_TOKEN_DOT:
        case TL_TOKEN_FIELD:
        case TL_TOKEN_IDENTIFIER:
        case TL_TOKEN_NUMBER:
        case TL_TOKEN_NIL:
        case TL_TOKEN_RAW_STRING:
        case TL_TOKEN_STRING:
        case TL_TOKEN_VARIABLE:
        case TL_TOKEN_LEFT_PAREN: {
            backup(p);
            tl_node *command = parse_command(p);
            if (!command) return NULL;
            add_item(p, pipe, command, &cap);
            break;
        }
        default: return unexpected(p, token, context);
        }
    }
}

/* ---- actions ---- */

static tl_node *parse_text_or_action(parser *p)
{
    tl_token token = next_non_space(p);
    if (p->error) return NULL;
    if (token.type == TL_TOKEN_TEXT) {
        tl_node *node = new_node(p, TL_NODE_TEXT, token.pos);
        node->text = token.val;
        return node;
    }
    if (token.type != TL_TOKEN_LEFT_DELIM) return unexpected(p, token, "input");
    p->action_line = token.line;
    tl_node *node = parse_action(p);
    p->action_line = 0;
    return node;
}

/* Items up to {{end}} or {{else}}, which goes to *end. */
static tl_node *parse_list(parser *p, tl_node **end)
{
    tl_node *list = new_node(p, TL_NODE_LIST, peek_non_space(p).pos);
    uint32_t cap = 0;
    while (peek_non_space(p).type != TL_TOKEN_EOF) {
        tl_node *node = parse_text_or_action(p);
        if (!node) return NULL;
        if (node->type == TL_NODE_END || node->type == TL_NODE_ELSE) {
            *end = node;
            return list;
        }
        add_item(p, list, node, &cap);
    }
    return fail(p, "unexpected EOF");
}

static tl_node *parse_control(parser *p, tl_node_type type, const char *context)
{
    size_t vars = p->var_count;
    uint32_t slot = p->next_slot;
    if (p->nesting >= MAX_NESTING) return fail(p, "max expression depth exceeded");
    p->nesting++;
    tl_node *node = new_node(p, type, 0), *end = NULL;
    int range = type == TL_NODE_RANGE;
    node->with.branch.pipe = parse_pipeline(p, context, TL_TOKEN_RIGHT_DELIM);
    if (!node->with.branch.pipe) return NULL;
    node->pos = node->with.branch.pipe->pos;
    p->range_depth += range;
    node->with.branch.body = parse_list(p, &end);
    p->range_depth -= range;
    if (!node->with.branch.body) return NULL;
    if (end->type == TL_NODE_ELSE) {
        tl_token_type follows = peek(p).type;
        int again = (type == TL_NODE_IF && follows == TL_TOKEN_IF) || (type == TL_NODE_WITH && follows == TL_TOKEN_WITH);
        if (again) {
            next(p);
            tl_node *list = new_node(p, TL_NODE_LIST, end->pos), *inner = parse_control(p, type, context);
            uint32_t cap = 0;
            if (!inner) return NULL;
            add_item(p, list, inner, &cap);
            node->with.branch.otherwise = list;
        } else {
            node->with.branch.otherwise = parse_list(p, &end);
            if (!node->with.branch.otherwise) return NULL;
            if (end->type != TL_NODE_END) return fail(p, "expected end; found {{else}}");
        }
    }
    p->nesting--;
    pop_variables(p, vars);
    p->next_slot = slot;
    return node;
}

static tl_node *parse_else(parser *p)
{
    tl_token token = peek_non_space(p);
    if (token.type != TL_TOKEN_IF && token.type != TL_TOKEN_WITH) token = expect(p, TL_TOKEN_RIGHT_DELIM, "else");
    return p->error ? NULL : new_node(p, TL_NODE_ELSE, token.pos);
}

static tl_node *parse_jump(parser *p, tl_node_type type, tl_token token)
{
    const char *name = type == TL_NODE_BREAK ? "{{break}}" : "{{continue}}";
    tl_token after = next_non_space(p);
    if (after.type != TL_TOKEN_RIGHT_DELIM) return unexpected(p, after, name);
    if (!p->range_depth) return fail(p, "%s outside {{range}}", name);
    return new_node(p, type, token.pos);
}

static int parse_name(parser *p, tl_token token, const char *context, tl_span *out)
{
    if (token.type != TL_TOKEN_STRING && token.type != TL_TOKEN_RAW_STRING) {
        unexpected(p, token, context);
        return -1;
    }
    if (tl_unquote(p->arena, token.val.s, token.val.len, out)) {
        fail(p, "invalid syntax");
        return -1;
    }
    return 0;
}

static int blank_list(const tl_node *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const tl_node *node = list->as.items[i];
        if (node->type != TL_NODE_TEXT) return 0;
        for (uint32_t k = 0; k < node->text.len; k++)
            if (!strchr(" \t\r\n\v\f", node->text.s[k]) || !node->text.s[k]) return 0;
    }
    return 1;
}

/* One text may define a name once (empty ones aside). */
static int add_template(parser *p, tl_template *tmpl)
{
    tl_value *at = tl_map_get(p->defined, tmpl->name.s, tmpl->name.len);
    if (at) {
        tl_template **slot = &p->own[at->as.i];
        if (blank_list((*slot)->root)) {
            *slot = tmpl;
        } else if (!blank_list(tmpl->root)) {
            tl_buf quoted = TL_BUF_INIT(4096);
            tl_go_quote(&quoted, tmpl->name.s, tmpl->name.len);
            fail(p, "template: multiple definition of template %s", quoted.data);
            tl_buf_dispose(&quoted);
            return -1;
        }
        return 0;
    }
    if (p->own_count == p->own_cap) {
        size_t cap = p->own_cap ? p->own_cap * 2 : 8;
        p->own = tl_arena_grow(p->arena, p->own, p->own_cap * sizeof *p->own, cap * sizeof *p->own);
        p->own_cap = cap;
    }
    tl_map_set(p->defined, tmpl->name.s, tmpl->name.len, tl_int((int64_t)p->own_count));
    p->own[p->own_count++] = tmpl;
    return 0;
}

/* The body of a define or block: a template with variables of its own. */
static int parse_body(parser *p, tl_span name, const char *context)
{
    variable *vars = p->vars;
    size_t count = p->var_count, cap = p->var_cap;
    uint32_t next_slot = p->next_slot, slots = p->slots;
    int range_depth = p->range_depth, line = p->action_line;
    tl_node root_var = {.text = {"$", 1}}, *end = NULL;
    p->vars = NULL;
    p->var_count = p->var_cap = 0;
    p->next_slot = p->slots = 0;
    p->range_depth = p->action_line = 0;
    push_variable(p, &root_var, 1);
    tl_template *tmpl = tl_arena_zalloc(p->arena, sizeof *tmpl);
    tmpl->name = name;
    tmpl->source = p->source;
    if (p->nesting >= MAX_NESTING) fail(p, "max expression depth exceeded");
    p->nesting++;
    tmpl->root = parse_list(p, &end);
    p->nesting--;
    if (tmpl->root && end->type != TL_NODE_END) fail(p, "unexpected {{else}} in %s", context);
    tmpl->slots = p->slots;
    p->vars = vars;
    p->var_count = count;
    p->var_cap = cap;
    p->next_slot = next_slot;
    p->slots = slots;
    p->range_depth = range_depth;
    p->action_line = line;
    return p->error ? -1 : add_template(p, tmpl);
}

static tl_node *parse_block(parser *p)
{
    tl_token token = next_non_space(p);
    tl_node *node = new_node(p, TL_NODE_TEMPLATE, token.pos);
    if (parse_name(p, token, "block clause", &node->text)) return NULL;
    node->with.branch.pipe = parse_pipeline(p, "block clause", TL_TOKEN_RIGHT_DELIM);
    if (!node->with.branch.pipe || parse_body(p, node->text, "block clause")) return NULL;
    return node;
}

static tl_node *parse_template_call(parser *p)
{
    tl_token token = next_non_space(p);
    tl_node *node = new_node(p, TL_NODE_TEMPLATE, token.pos);
    if (parse_name(p, token, "template clause", &node->text)) return NULL;
    if (next_non_space(p).type == TL_TOKEN_RIGHT_DELIM) return node;
    if (p->error) return NULL;
    backup(p);
    node->with.branch.pipe = parse_pipeline(p, "template clause", TL_TOKEN_RIGHT_DELIM);
    return node->with.branch.pipe ? node : NULL;
}

/* The left delimiter is past. */
static tl_node *parse_action(parser *p)
{
    tl_token token = next_non_space(p);
    switch (token.type) {
    case TL_TOKEN_BLOCK: return parse_block(p);
    case TL_TOKEN_BREAK: return parse_jump(p, TL_NODE_BREAK, token);
    case TL_TOKEN_CONTINUE: return parse_jump(p, TL_NODE_CONTINUE, token);
    case TL_TOKEN_ELSE: return parse_else(p);
    case TL_TOKEN_END: {
        tl_token end = expect(p, TL_TOKEN_RIGHT_DELIM, "end");
        return p->error ? NULL : new_node(p, TL_NODE_END, end.pos);
    }
    case TL_TOKEN_IF: return parse_control(p, TL_NODE_IF, "if");
    case TL_TOKEN_RANGE: return parse_control(p, TL_NODE_RANGE, "range");
    case TL_TOKEN_TEMPLATE: return parse_template_call(p);
    case TL_TOKEN_WITH: return parse_control(p, TL_NODE_WITH, "with");
    default: break;
    }
    if (p->error) return NULL;
    backup(p);
    tl_node *node = new_node(p, TL_NODE_ACTION, peek(p).pos);
    node->with.branch.pipe = parse_pipeline(p, "command", TL_TOKEN_RIGHT_DELIM);
    return node->with.branch.pipe ? node : NULL;
}

static void parse_text(parser *p, tl_template *tmpl)
{
    uint32_t cap = 0;
    tmpl->root = new_node(p, TL_NODE_LIST, peek(p).pos);
    while (peek(p).type != TL_TOKEN_EOF) {
        if (peek(p).type == TL_TOKEN_LEFT_DELIM) {
            tl_token delim = next(p);
            if (next_non_space(p).type == TL_TOKEN_DEFINE) {
                tl_span name;
                tl_token token = next_non_space(p);
                if (parse_name(p, token, "define clause", &name)) return;
                expect(p, TL_TOKEN_RIGHT_DELIM, "define clause");
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
            fail(p, "unexpected %s", node->type == TL_NODE_END ? "{{end}}" : "{{else}}");
            return;
        }
        add_item(p, tmpl->root, node, &cap);
    }
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

int tl_parse_source(tl_scope *scope, const tl_source *source, tl_template **main, const char **message)
{
    parser p = {.arena = scope->arena, .scope = scope, .source = source};
    tl_node root_var = {.text = {"$", 1}};
    p.defined = tl_map_new(scope->arena, 0);
    tl_lexer_init(&p.lexer, source->text, source->length, scope->arena);
    push_variable(&p, &root_var, 1);
    tl_template *tmpl = tl_arena_zalloc(scope->arena, sizeof *tmpl);
    tmpl->name = (tl_span){source->name, (uint32_t)strlen(source->name)};
    tmpl->source = source;
    parse_text(&p, tmpl);
    tmpl->slots = p.slots;
    if (!p.error) add_template(&p, tmpl);
    if (p.error) {
        *message = p.error;
        return -1;
    }
    for (size_t i = 0; i < p.own_count; i++) add_to_scope(scope, p.own[i]);
    *main = tmpl;
    return 0;
}
