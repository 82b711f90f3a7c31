#ifndef TL_DATA_YAML_H
#define TL_DATA_YAML_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "data/value.h"

typedef enum tl_yaml_flavour {
    TL_YAML_HELM, /* as sigs.k8s.io/yaml reads: YAML 1.1 scalars (yes, on, 010, 0b1, 1_000), keys become strings, a
                     merge key overrides what stands before it, the last of equal keys wins */
    TL_YAML_CORE  /* YAML 1.2 core schema: only true/false are booleans, 0o17 and 0x1F; explicit keys win over merged
                     ones, equal keys are an error */
} tl_yaml_flavour;

/* Source lines of mapping values, filled while parsing; lives in the arena it was made with. */
typedef struct tl_yaml_lines tl_yaml_lines;
tl_yaml_lines *tl_yaml_lines_new(tl_arena *arena);
/* 1-based line on which the value of `key` in `map` starts; 0 where unknown. */
int tl_yaml_lines_get(const tl_yaml_lines *lines, const tl_map *map, const char *key, size_t length);

typedef struct tl_yaml_options {
    tl_yaml_flavour flavour;
    int floats;           /* every number becomes TL_FLOAT (values files); default: integers are TL_INT */
    int strict;           /* equal keys are an error in the helm flavour too (UnmarshalStrict) */
    const char *name;     /* messages start with "NAME:LINE:COLUMN: "; NULL: exactly go-yaml's text ("yaml: line 4: did
                             not find expected key") */
    size_t max_nodes;     /* scalars, lists and maps after alias expansion; 0: 10 million */
    tl_yaml_lines *lines; /* or NULL */
    /* A hint for the helm flavour where not strict: of the document's map only the values of these keys, in any case, are
     * asked for; the others may be null, but what they hold is YAML. Ended by NULL; NULL: all are. */
    const char *const *keep;
} tl_yaml_options;

/* Parses the first document. Returns 1, 0 where the text holds no document (*out is null), or -1 with kind "parse".
 * Aliases are expanded to copies, bounded as go-yaml does; nesting is bounded at 1000. options may be NULL. What this
 * message says follows "error converting YAML to JSON: " in helm's own messages. */
int tl_yaml_parse(tl_arena *arena, const char *text, size_t length, const tl_yaml_options *options, tl_value *out,
                  tl_error *err);
/* Parses every document; those that are empty (null) are left out. */
int tl_yaml_parse_all(tl_arena *arena, const char *text, size_t length, const tl_yaml_options *options, tl_list **out,
                      tl_error *err);

typedef enum tl_yaml_style {
    TL_YAML_SIGS,  /* sigs.k8s.io/yaml Marshal: helm's toYaml, kubectl -o yaml */
    TL_YAML_PRETTY /* go-yaml v3 with indent 2: helm's toYamlPretty */
} tl_yaml_style;

typedef struct tl_yaml_write_options {
    tl_yaml_style style;
    int keep_order; /* keys in the order they have; default: go-yaml's natural order (a2 before a10) */
    /* Turns a TL_OBJECT into plain data before it is written; NULL: objects are an error. */
    int (*plain)(void *context, tl_value object, tl_value *out, tl_error *err);
    void *context;
} tl_yaml_write_options;

/* Appends one document in block style, with the bytes that sigs.k8s.io/yaml's Marshal gives, final newline included.
 * options may be NULL. Errors: kind "usage" for NaN, infinities, cycles and what go-yaml refuses too (control
 * characters such as DEL, keys past 1024 characters); "limit" where the buffer is full. */
int tl_yaml_write(tl_buf *out, tl_value value, const tl_yaml_write_options *options, tl_error *err);

#endif
