/* Parses what stands inside actions: tokens, operands, commands, pipelines. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "data/number.h"
#include "template/complex.h"
#include "template/parser.h"

/* ---- errors ---- */

void *tl_parser_fail(tl_parser *p, const char *format, ...)
{
    if (p->error) return NULL;
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_buf_addf(&text, "template: %s:%d: ", p->source->name,
                tl_lexer_line(p->source->text, p->tokens[0].pos));
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
static const char *token_text(tl_parser *p, tl_token token)
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

void *tl_parser_unexpected(tl_parser *p, tl_token token, const char *context)
{
    if (p->error) return NULL;
    if (token.type != TL_TOKEN_ERROR) return tl_parser_fail(p, "unexpected %s in %s", token_text(p, token), context);
    const char *extra = "";
    int line = p->action ? tl_lexer_line(p->source->text, p->action - 1) : 0;
    if (line && line != tl_lexer_line(p->source->text, token.pos)) {
        size_t length = token.val.len;
        int action = length > 7 && !memcmp(token.val.s + length - 7, " action", 7);
        extra = tl_arena_printf(p->arena, "%s started at %s:%d", action ? "" : " in action", p->source->name,
                                line);
    }
    return tl_parser_fail(p, "%s%s", token_text(p, token), extra);
}

tl_token tl_parser_expect(tl_parser *p, tl_token_type type, const char *context)
{
    tl_token token = tl_parser_next(p);
    if (token.type != type) tl_parser_unexpected(p, token, context);
    return token;
}

/* ---- nodes ---- */

#define END_OF(member) (offsetof(tl_node, member) + sizeof((tl_node *)NULL)->member)

static size_t node_size(tl_node_type type)
{
    switch (type) {
    case TL_NODE_BREAK:
    case TL_NODE_CONTINUE:
    case TL_NODE_DOT:
    case TL_NODE_NIL:
    case TL_NODE_BOOL:
    case TL_NODE_ELSE: return offsetof(tl_node, as);
    case TL_NODE_LIST:
    case TL_NODE_COMMAND: return END_OF(as.items);
    case TL_NODE_FIELD: return END_OF(as.names);
    case TL_NODE_TEXT: return END_OF(as.written);
    case TL_NODE_ACTION:
    case TL_NODE_PIPE: return END_OF(vars);
    case TL_NODE_CHAIN: return END_OF(term);
    case TL_NODE_IF:
    case TL_NODE_WITH:
    case TL_NODE_RANGE: return END_OF(branch);
    default: return sizeof(tl_node);
    }
}

tl_node *tl_parser_node(tl_parser *p, tl_node_type type, uint32_t pos)
{
    tl_node *node = tl_arena_zalloc(p->arena, node_size(type));
    node->type = (uint8_t)type;
    node->pos = pos;
    return node;
}

void tl_parser_open(tl_parser *p, tl_node *child)
{
    if (p->open_count == p->open_cap) {
        size_t cap = p->open_cap ? p->open_cap * 2 : 256;
        p->open = tl_realloc(p->open, cap * sizeof child);
        p->open_cap = cap;
    }
    p->open[p->open_count++] = child;
}

void tl_parser_close(tl_parser *p, tl_node *node, size_t mark)
{
    size_t count = p->open_count - mark;
    node->as.items = tl_arena_alloc(p->arena, count * sizeof *node->as.items);
    if (count) memcpy(node->as.items, p->open + mark, count * sizeof *node->as.items);
    node->count = (uint32_t)count;
    p->open_count = mark;
}

/* Splits ".A.B" or "A.B" at the dots. */
static void split_names(tl_parser *p, tl_node *node, const char *text, size_t length)
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

static tl_node *new_variable(tl_parser *p, uint32_t pos, tl_span name)
{
    tl_node *node = tl_parser_node(p, TL_NODE_VARIABLE, pos);
    node->text = name;
    node->slot = -1;
    return node;
}

/* In "$x := append $x 1" the second $x is the one declared before; where there is none, the new one, which has no value
 * yet: that is an error when it is executed. */
static tl_parser_variable *find_variable(tl_parser *p, tl_span name)
{
    tl_parser_variable *pending = NULL;
    for (size_t i = p->var_count; i-- > p->first_var;) {
        tl_parser_variable *v = &p->vars[i];
        if (v->name.len != name.len || memcmp(v->name.s, name.s, name.len)) continue;
        if (!v->pending) return v;
        pending = v;
    }
    return pending;
}

void tl_parser_push_variable(tl_parser *p, tl_node *node, int declare)
{
    if (p->var_count == p->var_cap) {
        p->var_cap = p->var_cap ? p->var_cap * 2 : 16;
        p->vars = tl_realloc(p->vars, p->var_cap * sizeof *p->vars);
    }
    if (declare) {
        node->slot = (int32_t)p->next_slot++;
        if (p->next_slot > p->slots) p->slots = p->next_slot;
    } else {
        tl_parser_variable *v = find_variable(p, node->text);
        node->slot = v ? v->slot : -1;
    }
    p->vars[p->var_count++] = (tl_parser_variable){node->text, node->slot, 0};
}

static tl_node *use_variable(tl_parser *p, tl_token token)
{
    tl_parser_variable *v = find_variable(p, token.val);
    if (!v) {
        tl_buf quoted = TL_BUF_INIT(4096);
        tl_go_quote(&quoted, token.val.s, token.val.len);
        tl_parser_fail(p, "undefined variable %s", quoted.data);
        tl_buf_dispose(&quoted);
        return NULL;
    }
    tl_node *node = new_variable(p, token.pos, token.val);
    node->slot = v->pending ? -1 : v->slot;
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

static tl_node *new_number(tl_parser *p, tl_token token)
{
    tl_node *node = tl_parser_node(p, TL_NODE_NUMBER, token.pos);
    const char *text = token.val.s;
    size_t length = token.val.len;
    node->text = token.val;
    if (token.type == TL_TOKEN_CHAR_CONSTANT) {
        uint32_t rune;
        int status = tl_unquote_char(text, length, &rune);
        if (status == -2) return tl_parser_fail(p, "malformed character constant: %.*s", (int)length, text);
        if (status) return tl_parser_fail(p, "invalid syntax");
        node->flags = TL_NUM_INT | TL_NUM_UINT | TL_NUM_FLOAT;
        node->as.number.i = rune;
        node->as.number.d = rune;
        return node;
    }
    if (token.type == TL_TOKEN_COMPLEX || text[length - 1] == 'i') {
        tl_complex number;
        const char *error;
        if (tl_complex_parse(text, length, &number, &error)) {
            if (token.type == TL_TOKEN_COMPLEX) return tl_parser_fail(p, "%s", error);
            return tl_parser_fail(p, "illegal number syntax: \"%.*s\"", (int)length, text);
        }
        node->flags = TL_NUM_COMPLEX;
        if (!number.imaginary) number_from_float(node, number.real);
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
        if (!looks_float) return tl_parser_fail(p, "integer overflow: \"%.*s\"", (int)length, text);
        number_from_float(node, d);
    }
    if (!node->flags) return tl_parser_fail(p, "illegal number syntax: \"%.*s\"", (int)length, text);
    return node;
}

static tl_node *new_string(tl_parser *p, tl_token token)
{
    tl_node *node = tl_parser_node(p, TL_NODE_STRING, token.pos);
    node->as.written = token.val;
    if (tl_unquote(p->arena, token.val.s, token.val.len, &node->text)) return tl_parser_fail(p, "invalid syntax");
    return node;
}

/* ---- expressions ---- */

static const tl_function *find_added(tl_parser *p, tl_span name)
{
    for (const tl_template_function *f = p->source->functions; f && f->name; f++) {
        if (strlen(f->name) != name.len || memcmp(f->name, name.s, name.len)) continue;
        tl_added_function *made = tl_arena_alloc(p->arena, sizeof *made);
        *made = (tl_added_function){{f->name, "a*", NULL}, f};
        return &made->base;
    }
    return NULL;
}

static tl_node *parse_identifier(tl_parser *p, tl_token token)
{
    tl_node *node = tl_parser_node(p, TL_NODE_IDENT, token.pos);
    node->text = token.val;
    node->as.function = tl_function_find_in(p->source->language, token.val.s, token.val.len);
    if (!node->as.function) node->as.function = find_added(p, token.val);
    if (node->as.function) return node;
    tl_buf quoted = TL_BUF_INIT(4096);
    tl_go_quote(&quoted, token.val.s, token.val.len);
    tl_parser_fail(p, "function %s not defined", quoted.data);
    tl_buf_dispose(&quoted);
    return NULL;
}

static tl_node *parse_parens(tl_parser *p)
{
    if (p->nesting >= TL_PARSER_NESTING) return tl_parser_fail(p, "max expression depth exceeded");
    p->nesting++;
    tl_node *node = tl_parser_pipeline(p, "parenthesized pipeline", TL_TOKEN_RIGHT_PAREN);
    p->nesting--;
    return node;
}

/* A simple expression; NULL where the next token starts none (or on errors). */
static tl_node *parse_term(tl_parser *p)
{
    tl_token token = tl_parser_next(p);
    tl_node *node;
    switch (token.type) {
    case TL_TOKEN_IDENTIFIER: return parse_identifier(p, token);
    case TL_TOKEN_DOT: return tl_parser_node(p, TL_NODE_DOT, token.pos);
    case TL_TOKEN_NIL: return tl_parser_node(p, TL_NODE_NIL, token.pos);
    case TL_TOKEN_VARIABLE: return use_variable(p, token);
    case TL_TOKEN_FIELD:
        node = tl_parser_node(p, TL_NODE_FIELD, token.pos);
        split_names(p, node, token.val.s + 1, token.val.len - 1);
        return node;
    case TL_TOKEN_BOOL:
        node = tl_parser_node(p, TL_NODE_BOOL, token.pos);
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
    if (!p->error) tl_parser_backup(p);
    return NULL;
}

static void join_names(tl_parser *p, tl_node *node, const tl_span *more, uint32_t count)
{
    tl_span *names = tl_arena_alloc(p->arena, (node->count + count) * sizeof *names);
    if (node->count) memcpy(names, node->as.names, node->count * sizeof *names);
    memcpy(names + node->count, more, count * sizeof *names);
    node->as.names = names;
    node->count += count;
}

/* Whether a field follows that belongs to what stands before it. */
static int at_chain(tl_parser *p)
{
    tl_token token = tl_parser_peek(p);
    return token.type == TL_TOKEN_FIELD && !token.spaced;
}

static tl_node *chained(tl_parser *p, tl_node *node)
{
    tl_span few[16], *names = few;
    uint32_t pos = tl_parser_peek(p).pos, end = pos, count = 0, cap = sizeof few / sizeof *few;
    while (at_chain(p)) {
        tl_token token = tl_parser_next(p);
        end = token.pos + token.val.len;
        if (count == cap) {
            tl_span *more = tl_arena_alloc(p->arena, 2 * cap * sizeof *names);
            names = memcpy(more, names, count * sizeof *names);
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
        if (tl_parser_peek(p).spaced) p->tokens[0].pos = end; /* Go has read no further than the blanks */
        tl_parser_fail(p, "unexpected . after term %s", quoted.data);
        tl_buf_dispose(&text);
        tl_buf_dispose(&quoted);
        return NULL;
    }
    default: {
        tl_node *chain = tl_parser_node(p, TL_NODE_CHAIN, pos);
        chain->term = node;
        join_names(p, chain, names, count);
        return chain;
    }
    }
}

/* An operand alone is its command. */
static tl_node *close_command(tl_parser *p, uint32_t pos, size_t mark)
{
    size_t count = p->open_count - mark;
    if (!count) return tl_parser_fail(p, "empty command");
    if (count == 1) return p->open[--p->open_count];
    tl_node *command = tl_parser_node(p, TL_NODE_COMMAND, pos);
    tl_parser_close(p, command, mark);
    return command;
}

static tl_node *parse_command(tl_parser *p)
{
    uint32_t pos = tl_parser_peek(p).pos;
    size_t mark = p->open_count;
    for (;;) {
        tl_parser_peek(p);
        tl_node *operand = parse_term(p);
        if (operand && at_chain(p)) operand = chained(p, operand);
        if (p->error) return NULL;
        if (operand) tl_parser_open(p, operand);
        if (operand && tl_parser_peek(p).spaced) continue;
        tl_token token = tl_parser_next(p);
        if (token.type == TL_TOKEN_RIGHT_DELIM || token.type == TL_TOKEN_RIGHT_PAREN)
            tl_parser_backup(p);
        else if (token.type != TL_TOKEN_PIPE)
            return tl_parser_unexpected(p, token, "operand");
        break;
    }
    return close_command(p, pos, mark);
}

static void add_declared(tl_parser *p, tl_node *pipe, tl_token token, int declare)
{
    tl_node *node = new_variable(p, token.pos, token.val);
    tl_parser_push_variable(p, node, declare);
    p->vars[p->var_count - 1].pending = declare;
    if (!pipe->vars) pipe->vars = tl_arena_zalloc(p->arena, 2 * sizeof *pipe->vars);
    pipe->vars[pipe->declared++] = node;
}

/* "$a, $b := " before a pipeline. A loop's first variable is only known to be declared or assigned at the second. */
static int parse_declarations(tl_parser *p, tl_node *pipe, const char *context)
{
    tl_token held[2];
    int count = 0;
    for (;;) {
        tl_token v = tl_parser_peek(p);
        if (v.type != TL_TOKEN_VARIABLE) return 0;
        tl_parser_next(p);
        tl_token following = tl_parser_peek(p);
        if (following.type == TL_TOKEN_ASSIGN || following.type == TL_TOKEN_DECLARE) {
            int declare = following.type == TL_TOKEN_DECLARE;
            pipe->flags = !declare;
            tl_parser_next(p);
            held[count++] = v;
            for (int i = 0; i < count; i++) add_declared(p, pipe, held[i], declare);
            return 0;
        }
        if (following.type == TL_TOKEN_CHAR && following.val.len == 1 && following.val.s[0] == ',') {
            tl_parser_next(p);
            held[count++] = v;
            if (!strcmp(context, "range") && count < 2) {
                tl_token_type type = tl_parser_peek(p).type;
                if (type == TL_TOKEN_VARIABLE || type == TL_TOKEN_RIGHT_DELIM || type == TL_TOKEN_RIGHT_PAREN) continue;
                tl_parser_fail(p, "range can only initialize variables");
                return -1;
            }
            tl_parser_fail(p, "too many declarations in %s", context);
            return -1;
        }
        p->tokens[1] = v;
        p->peeked = 2;
        for (int i = 0; i < count; i++) add_declared(p, pipe, held[i], 1);
        return p->error ? -1 : 0;
    }
}

/* The pipeline's own variables, the first of them at `first`, have their values from here on: they come after those
 * that were declared inside it. */
static void settle_variables(tl_parser *p, size_t first, size_t count)
{
    tl_parser_variable own[2];
    if (!count) return;
    memcpy(own, p->vars + first, count * sizeof *own);
    memmove(p->vars + first, p->vars + first + count, (p->var_count - first - count) * sizeof *own);
    for (size_t i = 0; i < count; i++) {
        own[i].pending = 0;
        p->vars[p->var_count - count + i] = own[i];
    }
}

static tl_node *check_pipeline(tl_parser *p, tl_node *pipe, const char *context)
{
    if (!pipe->count) return tl_parser_fail(p, "missing value for %s", context);
    for (uint32_t i = 1; i < pipe->count; i++) {
        switch (tl_node_first(pipe->as.items[i])->type) {
        case TL_NODE_BOOL:
        case TL_NODE_DOT:
        case TL_NODE_NIL:
        case TL_NODE_NUMBER:
        case TL_NODE_STRING: return tl_parser_fail(p, "non executable command in pipeline stage %u", i + 1);
        default: break;
        }
    }
    return pipe;
}

tl_node *tl_parser_pipeline(tl_parser *p, const char *context, tl_token_type end)
{
    tl_node *pipe = tl_parser_node(p, TL_NODE_PIPE, tl_parser_peek(p).pos);
    size_t first = p->var_count, mark = p->open_count;
    if (parse_declarations(p, pipe, context)) return NULL;
    for (;;) {
        tl_token token = tl_parser_next(p);
        if (p->error) return NULL;
        if (token.type == end) {
            tl_parser_close(p, pipe, mark);
            settle_variables(p, first, pipe->declared);
            return check_pipeline(p, pipe, context);
        }
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
            tl_parser_backup(p);
            tl_node *command = parse_command(p);
            if (!command) return NULL;
            tl_parser_open(p, command);
            break;
        }
        default: return tl_parser_unexpected(p, token, context);
        }
    }
}
