#ifndef TL_TEMPLATE_PARSER_H
#define TL_TEMPLATE_PARSER_H

#include "template/internal.h"

/* What the two halves of the parser share: expressions (expression.c) and actions (parse.c). After an error every
 * function gives NULL (or an EOF token) until the parse is over. */

#define TL_PARSER_NESTING 2000

typedef struct tl_parser_variable {
    tl_span name;
    int32_t slot; /* -1: assigned, never declared */
    int pending;  /* declared by a pipeline that is not parsed to its end */
} tl_parser_variable;

typedef struct tl_parser {
    tl_arena *arena;
    tl_parsed *parsed;
    const tl_source *source;
    tl_lexer lexer;
    tl_token tokens[2];
    int peeked, range_depth, nesting;
    uint32_t action; /* 1 + the place at which the current action starts; 0: none */
    tl_parser_variable *vars;
    size_t var_count, var_cap, first_var; /* of the template being parsed */
    uint32_t next_slot, slots; /* of the template being parsed */
    tl_node **open; /* children of the nodes that are not complete */
    size_t open_count, open_cap;
    const char *error;
} tl_parser;

static inline tl_token tl_parser_next(tl_parser *p)
{
    if (p->error) return (tl_token){.type = TL_TOKEN_EOF};
    if (p->peeked)
        p->peeked--;
    else
        tl_lexer_next(&p->lexer, &p->tokens[0]);
    return p->tokens[p->peeked];
}

/* Up to two tokens can be put back. */
static inline void tl_parser_backup(tl_parser *p)
{
    p->peeked++;
}

static inline tl_token tl_parser_peek(tl_parser *p)
{
    if (p->error) return (tl_token){.type = TL_TOKEN_EOF};
    if (p->peeked) return p->tokens[p->peeked - 1];
    p->peeked = 1;
    tl_lexer_next(&p->lexer, &p->tokens[0]);
    return p->tokens[0];
}

tl_token tl_parser_expect(tl_parser *p, tl_token_type type, const char *context);
/* Sets the error, with the place, unless there is one; always NULL. */
void *tl_parser_fail(tl_parser *p, const char *format, ...) TL_PRINTF(2, 3);
void *tl_parser_unexpected(tl_parser *p, tl_token token, const char *context);
tl_node *tl_parser_node(tl_parser *p, tl_node_type type, uint32_t pos);
/* Children are collected behind those of the nodes around, from `mark` = open_count on, and then given to their node. */
void tl_parser_open(tl_parser *p, tl_node *child);
void tl_parser_close(tl_parser *p, tl_node *node, size_t mark);
/* Gives the variable a slot of its own, or with declare 0 that of the variable it assigns to. */
void tl_parser_push_variable(tl_parser *p, tl_node *node, int declare);
/* A pipeline with its declarations, up to the token `end`, which is consumed. */
tl_node *tl_parser_pipeline(tl_parser *p, const char *context, tl_token_type end);

#endif
