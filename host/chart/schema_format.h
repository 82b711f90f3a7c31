#ifndef TL_CHART_SCHEMA_FORMAT_H
#define TL_CHART_SCHEMA_FORMAT_H

#include "base/mem.h"

/* Why the text is not of a JSON schema `format`; NULL where it is, or where the format is unknown. */
const char *tl_schema_format_fault(tl_arena *arena, const char *format, const char *text);

#endif
