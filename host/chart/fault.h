#ifndef TL_CHART_FAULT_H
#define TL_CHART_FAULT_H

#include "chart/render.h"

/* Where rendered text stops being YAML, told in terms of the templates: helm tells the line of the rendered text alone. */

/* Gives the error of tl_manifest_sort a hint with the places that wrote the line. They are found by one more render, so a
 * chart without faults pays nothing. `rendered` is what the failed render gave. */
void tl_chart_explain_fault(tl_error *err, const tl_rendered *rendered, const tl_chart *chart, const tl_map *user,
                            const tl_render_options *options);

#endif
