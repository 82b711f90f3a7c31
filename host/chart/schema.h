#ifndef TL_CHART_SCHEMA_H
#define TL_CHART_SCHEMA_H

#include "chart/chart.h"

/* Checks the values of a chart and of its subcharts against their values.schema.json, where they have one. -1 with kind
 * "chart" and helm's message. */
int tl_schema_check_chart(tl_arena *arena, const tl_chart *chart, const tl_map *values, tl_error *err);

/* Checks one map against the text of a JSON schema. */
int tl_schema_check(tl_arena *arena, const char *schema, size_t size, const tl_map *values, tl_error *err);

#endif
