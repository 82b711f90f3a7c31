#ifndef TL_CHART_SCHEMA_META_H
#define TL_CHART_SCHEMA_META_H

#include "data/value.h"

/* The schemas of schemas: what JSON Schema itself (json-schema.org/specification) allows in a document of a draft. */
typedef struct tl_schema_draft {
    const char *url;
    int number;       /* 4, 6, 7, 2019, 2020 */
    const char *meta; /* JSON with ' in place of " */
} tl_schema_draft;

/* The draft that a document names in $schema, the newest one where it names none; NULL where it names something else. */
const tl_schema_draft *tl_schema_draft_of(tl_value root);
/* 1 where a document is a schema beyond doubt, which is told much faster than by its draft's own; 0 where that has to say. */
int tl_schema_is_plain(tl_arena *arena, tl_value root, const tl_schema_draft *draft);
/* The schema of the draft's documents. */
tl_value tl_schema_meta(tl_arena *arena, const tl_schema_draft *draft);

#endif
