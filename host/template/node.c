/* Writes parsed nodes back as text, for the "at <…>" of error messages. */
#include "template/internal.h"

static void print_names(tl_buf *out, const tl_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        tl_buf_addc(out, '.');
        tl_buf_add(out, node->as.names[i].s, node->as.names[i].len);
    }
}

static void print_parens(tl_buf *out, const tl_node *node)
{
    int pipe = node->type == TL_NODE_PIPE;
    if (pipe) tl_buf_addc(out, '(');
    tl_node_print(out, node);
    if (pipe) tl_buf_addc(out, ')');
}

static void print_pipe(tl_buf *out, const tl_node *pipe)
{
    for (uint16_t i = 0; i < pipe->declared; i++) {
        if (i) tl_buf_adds(out, ", ");
        tl_node_print(out, pipe->vars[i]);
    }
    if (pipe->declared) tl_buf_adds(out, pipe->flags ? " = " : " := ");
    for (uint32_t i = 0; i < pipe->count; i++) {
        if (i) tl_buf_adds(out, " | ");
        print_parens(out, pipe->as.items[i]);
    }
}

static void print_branch(tl_buf *out, const char *name, const tl_node *node)
{
    tl_buf_addf(out, "{{%s ", name);
    tl_node_print(out, node->branch.pipe);
    tl_buf_adds(out, "}}");
    tl_node_print(out, node->branch.body);
    if (node->branch.otherwise) {
        tl_buf_adds(out, "{{else}}");
        tl_node_print(out, node->branch.otherwise);
    }
    tl_buf_adds(out, "{{end}}");
}

static void print_template(tl_buf *out, const tl_node *node)
{
    tl_buf_adds(out, "{{template ");
    tl_go_quote(out, node->text.s, node->text.len);
    if (node->as.pipe) {
        tl_buf_addc(out, ' ');
        tl_node_print(out, node->as.pipe);
    }
    tl_buf_adds(out, "}}");
}

void tl_node_print(tl_buf *out, const tl_node *node)
{
    switch ((tl_node_type)node->type) {
    case TL_NODE_TEXT:
    case TL_NODE_STRING: tl_buf_add(out, node->as.written.s, node->as.written.len); break;
    case TL_NODE_IDENT:
    case TL_NODE_NUMBER: tl_buf_add(out, node->text.s, node->text.len); break;
    case TL_NODE_ACTION:
        tl_buf_adds(out, "{{");
        print_pipe(out, node);
        tl_buf_adds(out, "}}");
        break;
    case TL_NODE_IF: print_branch(out, "if", node); break;
    case TL_NODE_WITH: print_branch(out, "with", node); break;
    case TL_NODE_RANGE: print_branch(out, "range", node); break;
    case TL_NODE_TEMPLATE: print_template(out, node); break;
    case TL_NODE_BREAK: tl_buf_adds(out, "{{break}}"); break;
    case TL_NODE_CONTINUE: tl_buf_adds(out, "{{continue}}"); break;
    case TL_NODE_LIST:
        for (uint32_t i = 0; i < node->count; i++) tl_node_print(out, node->as.items[i]);
        break;
    case TL_NODE_PIPE: print_pipe(out, node); break;
    case TL_NODE_COMMAND:
        for (uint32_t i = 0; i < node->count; i++) {
            if (i) tl_buf_addc(out, ' ');
            print_parens(out, node->as.items[i]);
        }
        break;
    case TL_NODE_FIELD: print_names(out, node); break;
    case TL_NODE_CHAIN:
        print_parens(out, node->term);
        print_names(out, node);
        break;
    case TL_NODE_VARIABLE:
        tl_buf_add(out, node->text.s, node->text.len);
        print_names(out, node);
        break;
    case TL_NODE_DOT: tl_buf_addc(out, '.'); break;
    case TL_NODE_NIL: tl_buf_adds(out, "nil"); break;
    case TL_NODE_BOOL: tl_buf_adds(out, node->flags ? "true" : "false"); break;
    case TL_NODE_END: tl_buf_adds(out, "{{end}}"); break;
    case TL_NODE_ELSE: tl_buf_adds(out, "{{else}}"); break;
    }
}

void tl_node_print_executed(tl_buf *out, const tl_node *node)
{
    if (node->type == TL_NODE_ACTION)
        print_pipe(out, node);
    else
        tl_node_print(out, node);
}
