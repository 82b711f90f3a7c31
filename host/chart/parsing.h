#ifndef TL_CHART_PARSING_H
#define TL_CHART_PARSING_H

#include "base/ahead.h"
#include "chart/chart.h"
#include "template/template.h"

/* How many texts are remembered: subcharts often bring the same files, which are parsed once. */
#define TL_CHART_RECENT 256

/* The templates of a chart and its subcharts, each parsed once for all renders of the chart: from when it was read on by
 * another thread, or when a render needs one that the thread has not come to. */
typedef struct tl_chart_parsing {
    tl_ahead *ahead;
    size_t size;    /* bytes of the templates so far */
    size_t folders; /* of subcharts, which are read ahead, too */
    tl_arena *owners, *others;
    tl_arena *read; /* what the other thread reads of the chart, which is the owner's once it is there */
    struct tl_chart_parsed *recent[TL_CHART_RECENT]; /* by size modulo their number */
} tl_chart_parsing;

/* Free with tl_chart_parsing_free. */
tl_chart_parsing *tl_chart_parsing_new(const tl_ahead_help *help);
void tl_chart_parsing_free(tl_chart_parsing *parsing);
/* Has the file's text parsed, and sets its `parsed`; the text must outlive the parsing, the file need not. */
void tl_chart_parsing_add(tl_chart_parsing *parsing, tl_chart_file *file);
/* The parsed form of a file; NULL where it has an error (see tl_template_text_new), or was not added. */
const tl_template_text *tl_chart_parsing_get(tl_chart_parsing *parsing, const tl_chart_file *file);

#endif
