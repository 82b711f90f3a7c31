#ifndef TL_CHART_PARSING_H
#define TL_CHART_PARSING_H

#include "chart/chart.h"
#include "template/template.h"

/* The templates of a chart and its subcharts, each parsed once for all renders of the chart: ahead of them by a thread of
 * its own, or when a render needs one that the thread has not come to. */
typedef struct tl_chart_parsing tl_chart_parsing;

/* The chart must outlive it. Free with tl_chart_parsing_free, when no other thread works on it. */
tl_chart_parsing *tl_chart_parsing_new(tl_chart *chart);
void tl_chart_parsing_free(tl_chart_parsing *parsing);
/* Bytes of all templates. */
size_t tl_chart_parsing_size(const tl_chart_parsing *parsing);
/* For another thread: parses what is not parsed yet, in the order in which a render needs it last. */
void tl_chart_parsing_ahead(tl_chart_parsing *parsing);
/* Makes the other thread return from tl_chart_parsing_ahead soon. */
void tl_chart_parsing_stop(tl_chart_parsing *parsing);
/* The parsed form of a template of the chart; NULL where it has an error (see tl_template_text_new). */
const tl_template_text *tl_chart_parsing_get(tl_chart_parsing *parsing, const tl_chart_file *file);

#endif
