/* The values of a whole tree of charts against the schemas of each. */
#include "base/buf.h"
#include "chart/schema.h"

static void check_tree(tl_buf *out, tl_arena *arena, const tl_chart *chart, const tl_map *values)
{
    tl_error err = {0};
    if (chart->schema && tl_schema_check(arena, chart->schema, chart->schema_size, values, &err))
        tl_buf_addf(out, "%s:\n%s", chart->name, err.message);
    tl_error_dispose(&err);
    for (size_t i = 0; i < chart->chart_count; i++) {
        tl_value *below = tl_map_gets(values, chart->charts[i]->name);
        if (below && below->type == TL_MAP) check_tree(out, arena, chart->charts[i], below->as.map);
    }
}

int tl_schema_check_chart(tl_arena *arena, const tl_chart *chart, const tl_map *values, tl_error *err)
{
    tl_buf text = TL_BUF_INIT(1 << 22);
    check_tree(&text, arena, chart, values);
    int failed = text.len > 0;
    if (failed)
        tl_error_set(err, "chart",
                     "values don't meet the specifications of the schema(s) in the following chart(s):\n%s",
                     text.data);
    tl_buf_dispose(&text);
    return failed ? -1 : 0;
}
