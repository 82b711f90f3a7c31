#ifndef TL_CHART_SCHEMA_REF_H
#define TL_CHART_SCHEMA_REF_H

#include "data/value.h"

/* The subschema of the document `root` that a $ref means: "#", a JSON pointer, an anchor, or the $id of a part.
 * NULL, with the reason in *broken where that was NULL, where there is none; nothing outside of the document is
 * read. */
tl_value *tl_schema_resolve(tl_arena *arena, tl_value *root, const char *ref, const char **broken);

#endif
