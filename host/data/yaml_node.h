#ifndef TL_DATA_YAML_NODE_H
#define TL_DATA_YAML_NODE_H

#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"

/* A YAML document as it is written: tags, anchors and places kept, nothing resolved. */

typedef enum tl_yaml_kind { TL_YAML_SCALAR_NODE, TL_YAML_LIST_NODE, TL_YAML_MAP_NODE, TL_YAML_ALIAS_NODE } tl_yaml_kind;

typedef struct tl_yaml_node {
    tl_yaml_kind kind;
    int plain;  /* a scalar that may be resolved (unquoted, without tag) */
    int active; /* an alias that is being expanded */
    int line, column; /* from 0 */
    const char *tag;  /* as libyaml expands it ("tag:yaml.org,2002:int"), or NULL */
    const char *text; /* of a scalar, and the name of an alias's anchor; NUL-ended */
    size_t length;
    struct tl_yaml_node *target;    /* of an alias */
    struct tl_yaml_node **children; /* items; of a map key, value, key, value … */
    size_t count, room;
} tl_yaml_node;

typedef struct tl_yaml_parser tl_yaml_parser;

/* Reads the text, which must outlive the parser; nodes go to the arena. `name` as in tl_yaml_options. */
tl_yaml_parser *tl_yaml_parser_new(tl_arena *arena, const char *text, size_t length, const char *name);
/* The next document's root node: 1, 0 at the end of the text, -1. */
int tl_yaml_parser_next(tl_yaml_parser *parser, tl_yaml_node **root, tl_error *err);
void tl_yaml_parser_free(tl_yaml_parser *parser);

#endif
