#ifndef TL_DATA_YAML_SCALAR_H
#define TL_DATA_YAML_SCALAR_H

#include <stddef.h>

#include "data/value.h"
#include "data/yaml.h"

/* What a plain scalar means; shared by the parser and the writer, which quotes what would not be a string. */
typedef enum tl_yaml_tag {
    TL_YAML_STR,
    TL_YAML_NULL,
    TL_YAML_BOOL,
    TL_YAML_INT,
    TL_YAML_UINT, /* above INT64_MAX, bits in as.i */
    TL_YAML_FLOAT,
    TL_YAML_TIMESTAMP,
    TL_YAML_MERGE
} tl_yaml_tag;

/* Resolves text as go-yaml v2's resolve does (helm flavour) or by the core schema. *out is the value; for strings,
 * timestamps and merge keys it borrows the text. `timestamps`: whether text may be a timestamp. */
tl_yaml_tag tl_yaml_resolve(const char *text, size_t length, tl_yaml_flavour flavour, int timestamps, tl_value *out);
/* A resolved number as callers get it: `floats` as in tl_yaml_options. */
tl_value tl_yaml_number(tl_value value, int floats);
/* "!!str" and so on. */
const char *tl_yaml_tag_name(tl_yaml_tag tag);
/* Whether go-yaml takes the text for a number in base 60, which it writes in quotes. */
int tl_yaml_base60(const char *text, size_t length);

#endif
