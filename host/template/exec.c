/* Executes parsed templates, as Go's text/template does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "template/complex.h"
#include "template/internal.h"

#define STACK_BYTES (6u << 20)
#define MAX_DEPTH 100000
#define CHECK_STEPS 1024
/* A message that each level of an include or tpl quotes would double with every level. */
#define MAX_MESSAGE (256u << 10)

enum { WALK_OK, WALK_BREAK, WALK_CONTINUE };

static int walk(tl_exec *x, tl_value dot, const tl_node *node);

/* ---- errors ---- */

int tl_fail(tl_exec *x, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t length = (size_t)vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length > MAX_MESSAGE) length = MAX_MESSAGE;
    char *text = tl_arena_alloc(x->arena, length + 1);
    vsnprintf(text, length + 1, format, args);
    va_end(args);
    x->render->message = text;
    x->render->failure = TL_FAIL_PLAIN;
    return -1;
}

int tl_limit(tl_exec *x, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    x->render->message = tl_arena_strdup(x->arena, text);
    x->render->failure = TL_FAIL_LIMIT;
    return -1;
}

static void print_place(tl_buf *out, const tl_source *source, uint32_t pos)
{
    int line = 1;
    uint32_t column = pos;
    for (uint32_t i = 0; i < pos && i < source->length; i++) {
        if (source->text[i] != '\n') continue;
        line++;
        column = pos - i - 1;
    }
    tl_buf_addf(out, "%s:%d:%u", source->name, line, column);
}

int tl_exec_error(tl_exec *x, const char *format, ...)
{
    if (x->render->failure > TL_FAIL_PLAIN) return -1;
    tl_buf text = TL_BUF_INIT(MAX_MESSAGE);
    tl_buf_adds(&text, "template: ");
    if (x->node) {
        print_place(&text, x->tmpl->source, x->node->pos);
        tl_buf_adds(&text, ": executing ");
        tl_go_quote(&text, x->tmpl->name.s, x->tmpl->name.len);
        tl_buf_adds(&text, " at <");
        tl_node_print_executed(&text, x->node);
        tl_buf_adds(&text, ">: ");
    } else {
        tl_buf_add(&text, x->tmpl->name.s, x->tmpl->name.len);
        tl_buf_adds(&text, ": ");
    }
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *room = tl_buf_reserve(&text, (size_t)length);
    if (room) {
        vsnprintf(room, (size_t)length + 1, format, args);
        tl_buf_add_len(&text, (size_t)length);
    }
    va_end(args);
    x->render->message = tl_arena_strndup(x->arena, text.data, text.len);
    x->render->failure = TL_FAIL_TEMPLATE;
    tl_buf_dispose(&text);
    return -1;
}

static int check_seldom(tl_exec *x)
{
    tl_template_render *r = x->render;
    r->next_check = r->steps + CHECK_STEPS;
    if (r->steps > r->options.max_steps)
        return tl_limit(x, "the templates do not end: stopped after %llu steps",
                        (unsigned long long)r->options.max_steps);
    if (tl_arena_over(r->arena)) return tl_limit(x, "the templates need too much memory");
    if (r->deadline && tl_clock_ms() > r->deadline)
        return tl_limit(x, "the templates take longer than %llu s", (unsigned long long)r->options.max_time / 1000);
    if (r->options.outside.stop && r->options.outside.stop(r->options.outside.context)) {
        tl_limit(x, "cancelled");
        r->failure = TL_FAIL_STOP;
        return -1;
    }
    return 0;
}

int tl_spend(tl_exec *x, uint64_t steps)
{
    x->render->steps += steps;
    return x->render->steps < x->render->next_check ? 0 : check_seldom(x);
}

/* Every node passes here: the bounds of a render. */
static int check_limits(tl_exec *x)
{
    char here;
    if ((size_t)(x->render->stack_base - &here) > STACK_BYTES)
        return tl_limit(x, "templates are nested too deeply in \"%s\"", x->tmpl->source->name);
    return tl_spend(x, 1);
}

/* ---- variables ---- */

static tl_value *variable(tl_exec *x, const tl_node *node)
{
    return node->slot < 0 ? NULL : &x->render->stack[x->frame + (size_t)node->slot];
}

static int set_variable(tl_exec *x, const tl_node *node, tl_value value)
{
    tl_value *at = variable(x, node);
    if (!at) return tl_exec_error(x, "undefined variable: %.*s", (int)node->text.len, node->text.s);
    *at = value;
    return 0;
}

int tl_eval_variable(tl_exec *x, const tl_node *node, const tl_operands *operands, tl_value *out)
{
    x->node = node;
    tl_value *at = variable(x, node);
    if (!at) return tl_exec_error(x, "undefined variable: %.*s", (int)node->text.len, node->text.s);
    *out = *at;
    if (node->count) return tl_eval_field(x, node, operands, out);
    if (operands->count || operands->has_final)
        return tl_exec_error(x, "can't give argument to non-function %.*s", (int)node->text.len, node->text.s);
    return 0;
}

/* ---- pipelines ---- */

int tl_ideal_constant(tl_exec *x, const tl_node *node, tl_value *out)
{
    x->node = node;
    const char *text = node->text.s;
    size_t length = node->text.len;
    if (node->flags & TL_NUM_COMPLEX) {
        tl_complex number;
        const char *error;
        *out = tl_complex_parse(text, length, &number, &error) ? tl_null() : tl_complex_value(x->arena, number);
        return 0;
    }
    int hexadecimal = length > 2 && text[0] == '0' && (text[1] | 32) == 'x' && !memchr(text, 'p', length) &&
                      !memchr(text, 'P', length);
    int marked = 0;
    for (size_t i = 0; i < length; i++) marked |= strchr(".eEpP", text[i]) != NULL;
    if ((node->flags & TL_NUM_FLOAT) && !hexadecimal && text[0] != '\'' && marked) {
        *out = tl_float(node->as.number.d);
        return 0;
    }
    if (node->flags & TL_NUM_INT) {
        *out = tl_as_go(tl_int(node->as.number.i), TL_GO_INT);
        return 0;
    }
    if (node->flags & TL_NUM_UINT) return tl_exec_error(x, "%.*s overflows int", (int)length, text);
    *out = tl_null();
    return 0;
}

static int not_a_function(tl_exec *x, const tl_node *first, const tl_operands *operands)
{
    if (!operands->count && !operands->has_final) return 0;
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_node_print(&text, first);
    tl_exec_error(x, "can't give argument to non-function %s", text.data);
    tl_buf_dispose(&text);
    return -1;
}

static int eval_command(tl_exec *x, const tl_node *command, tl_operands *operands, tl_value *out)
{
    const tl_node *first = tl_node_first(command);
    operands->args = first == command ? NULL : command->as.items + 1;
    operands->count = first == command ? 0 : command->count - 1;
    switch (first->type) {
    case TL_NODE_FIELD:
        *out = operands->dot;
        x->node = first;
        return tl_eval_field(x, first, operands, out);
    case TL_NODE_CHAIN: return tl_eval_chain(x, first, operands, out);
    case TL_NODE_IDENT: return tl_eval_function(x, first, command, operands, out);
    case TL_NODE_PIPE:
        if (not_a_function(x, first, operands)) return -1;
        return tl_eval_pipeline(x, operands->dot, first, out);
    case TL_NODE_VARIABLE: return tl_eval_variable(x, first, operands, out);
    default: break;
    }
    x->node = first;
    if (not_a_function(x, first, operands)) return -1;
    switch (first->type) {
    case TL_NODE_BOOL: *out = tl_bool(first->flags); return 0;
    case TL_NODE_DOT: *out = operands->dot; return 0;
    case TL_NODE_NIL: return tl_exec_error(x, "nil is not a command");
    case TL_NODE_NUMBER: return tl_ideal_constant(x, first, out);
    default: *out = tl_string_ref(first->text.s, first->text.len); return 0;
    }
}

int tl_eval_pipeline(tl_exec *x, tl_value dot, const tl_node *pipe, tl_value *out)
{
    *out = tl_null();
    if (!pipe) return 0;
    if (check_limits(x)) return -1;
    x->node = pipe;
    tl_operands operands = {.dot = dot};
    for (uint32_t i = 0; i < pipe->count; i++) {
        tl_value value;
        if (eval_command(x, pipe->as.items[i], &operands, &value)) return -1;
        operands.final = tl_unboxed(value);
        operands.has_final = 1;
    }
    *out = operands.final;
    for (uint16_t i = 0; i < pipe->declared; i++)
        if (set_variable(x, pipe->vars[i], *out)) return -1;
    return 0;
}

/* ---- control ---- */

static int print_value(tl_exec *x, const tl_node *node, tl_value value)
{
    size_t from = x->out->len;
    x->node = node;
    if (value.type == TL_STRING)
        tl_buf_add(x->out, value.as.s, value.len);
    else if (value.type == TL_NULL)
        tl_buf_add(x->out, "<no value>", 10);
    else
        tl_go_print(x->out, value);
    if (x->render->trace) tl_trace_wrote(x, node, from);
    if (x->out->over) return tl_limit(x, "the output of \"%s\" is too large", x->tmpl->source->name);
    return 0;
}

static int walk_if_or_with(tl_exec *x, tl_value dot, const tl_node *node)
{
    tl_value value;
    if (tl_eval_pipeline(x, dot, node->branch.pipe, &value)) return -1;
    if (tl_truth(value)) return walk(x, node->type == TL_NODE_WITH ? value : dot, node->branch.body);
    return node->branch.otherwise ? walk(x, dot, node->branch.otherwise) : WALK_OK;
}

/* One round of a loop. 0 to go on, 1 to end it, -1 on errors. */
static int iterate(tl_exec *x, const tl_node *node, const tl_value *index, tl_value item)
{
    const tl_node *pipe = node->branch.pipe;
    if (pipe->declared == 1 && set_variable(x, pipe->vars[0], item)) return -1;
    if (pipe->declared == 2) {
        if (set_variable(x, pipe->vars[0], index ? *index : tl_null())) return -1;
        if (set_variable(x, pipe->vars[1], item)) return -1;
    }
    if (check_limits(x)) return -1;
    int status = walk(x, item, node->branch.body);
    return status < 0 ? -1 : status == WALK_BREAK;
}

static int range_list(tl_exec *x, const tl_node *node, tl_value list)
{
    size_t length = list.type == TL_BYTES ? list.len : list.as.list->len;
    int status = 0;
    for (size_t i = 0; i < length && !status; i++) {
        tl_value index = tl_as_go(tl_int((int64_t)i), TL_GO_INT);
        status = iterate(x, node, &index, tl_item(list, i));
    }
    return status;
}

static int range_map(tl_exec *x, const tl_node *node, tl_value map)
{
    uint32_t count = map.as.map->count;
    tl_entry **sorted = tl_map_sorted(map.as.map, x->arena);
    /* The body may change the map: loop over what it held at the start. */
    struct {
        tl_value key, value;
    } *items = tl_arena_alloc(x->arena, (count + 1) * sizeof *items);
    for (uint32_t i = 0; i < count; i++) {
        items[i].key = tl_string_ref(sorted[i]->key, sorted[i]->key_len);
        items[i].value = tl_map_item(map, &sorted[i]->value);
    }
    int status = 0;
    for (uint32_t i = 0; i < count && !status; i++) status = iterate(x, node, &items[i].key, items[i].value);
    return status;
}

static int range_int(tl_exec *x, const tl_node *node, tl_value limit)
{
    int status = 0;
    if (node->branch.pipe->declared > 1) {
        tl_buf text = TL_BUF_INIT(1 << 16);
        tl_go_print(&text, limit);
        tl_exec_error(x, "can't use %s to iterate over more than one variable", text.data);
        tl_buf_dispose(&text);
        return -1;
    }
    for (int64_t i = 0; i < limit.as.i && !status; i++) {
        tl_value item = tl_as_go(tl_int(i), (tl_go)limit.go);
        status = iterate(x, node, NULL, item);
    }
    return status;
}

static int cannot_range(tl_exec *x, tl_value value)
{
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_go_print(&text, value);
    tl_exec_error(x, "range can't iterate over %s", text.data);
    tl_buf_dispose(&text);
    return -1;
}

static int walk_range(tl_exec *x, tl_value dot, const tl_node *node)
{
    tl_value value;
    x->node = node;
    if (tl_eval_pipeline(x, dot, node->branch.pipe, &value)) return -1;
    tl_value content = tl_content(value);
    int status, some;
    switch (content.type) {
    case TL_NULL: status = some = 0; break;
    case TL_INT:
        some = content.as.i > 0;
        status = range_int(x, node, content);
        break;
    case TL_BYTES:
        some = content.len > 0;
        status = range_list(x, node, content);
        break;
    case TL_LIST:
        some = content.as.list->len > 0;
        status = range_list(x, node, content);
        break;
    case TL_MAP:
        some = content.as.map->count > 0;
        status = range_map(x, node, content);
        break;
    default: return cannot_range(x, value);
    }
    if (status < 0) return -1;
    return !some && node->branch.otherwise ? walk(x, dot, node->branch.otherwise) : WALK_OK;
}

static int walk_template(tl_exec *x, tl_value dot, const tl_node *node)
{
    x->node = node;
    const tl_template *tmpl = tl_scope_find(x->scope, node->text.s, node->text.len);
    if (!tmpl) {
        tl_buf quoted = TL_BUF_INIT(1 << 16);
        tl_go_quote(&quoted, node->text.s, node->text.len);
        tl_exec_error(x, "template %s not defined", quoted.data);
        tl_buf_dispose(&quoted);
        return -1;
    }
    if (x->depth == MAX_DEPTH) return tl_exec_error(x, "exceeded maximum template depth (%d)", MAX_DEPTH);
    tl_value value;
    if (tl_eval_pipeline(x, dot, node->as.pipe, &value)) return -1;
    return tl_exec_template(x, tmpl, value, x->out);
}

static int walk_list(tl_exec *x, tl_value dot, const tl_node *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        int status = walk(x, dot, list->as.items[i]);
        if (status) return status;
    }
    return WALK_OK;
}

static int walk(tl_exec *x, tl_value dot, const tl_node *node)
{
    x->node = node;
    switch (node->type) {
    case TL_NODE_ACTION: {
        tl_value value;
        if (tl_eval_pipeline(x, dot, node, &value)) return -1;
        return node->declared ? WALK_OK : print_value(x, node, value);
    }
    case TL_NODE_TEXT:
        tl_buf_add(x->out, node->as.written.s, node->as.written.len);
        if (x->render->trace) tl_trace_wrote(x, node, x->out->len - node->as.written.len);
        return check_limits(x);
    case TL_NODE_LIST: return walk_list(x, dot, node);
    case TL_NODE_IF:
    case TL_NODE_WITH: return walk_if_or_with(x, dot, node);
    case TL_NODE_RANGE: return walk_range(x, dot, node);
    case TL_NODE_TEMPLATE: return walk_template(x, dot, node);
    case TL_NODE_BREAK: return WALK_BREAK;
    default: return WALK_CONTINUE;
    }
}

int tl_exec_template(tl_exec *x, const tl_template *tmpl, tl_value dot, tl_buf *out)
{
    tl_template_render *r = x->render;
    tl_exec inner = {.render = r, .arena = x->arena, .tmpl = tmpl, .scope = x->scope, .frame = r->stack_used,
                     .out = out, .depth = x->depth + 1};
    size_t need = r->stack_used + tmpl->slots;
    if (need > r->stack_cap) {
        r->stack_cap = need * 2 + 64;
        r->stack = tl_realloc(r->stack, r->stack_cap * sizeof *r->stack);
    }
    for (uint32_t i = 0; i < tmpl->slots; i++) r->stack[r->stack_used + i] = tl_null();
    r->stack[r->stack_used] = dot;
    r->stack_used = need;
    int status = check_limits(&inner) ? -1 : walk(&inner, dot, tmpl->root);
    r->stack_used = inner.frame;
    return status < 0 ? -1 : 0;
}
