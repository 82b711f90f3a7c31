#ifndef TL_CHART_SAVE_H
#define TL_CHART_SAVE_H

#include "chart/chart.h"

/* Packed charts as helm packs them (helm.sh/helm/v3/pkg/chartutil/save.go). */

typedef struct tl_chart_save_options {
    const char *version, *app_version; /* in place of the chart's own; NULL: as they are */
} tl_chart_save_options;

/* Writes NAME-VERSION.tgz into the folder, which is made where it is missing; *path is the file's. The same chart gives
 * the same bytes: no time of packing is in them. options may be NULL. */
int tl_chart_save(const char **path, tl_arena *arena, const tl_chart *chart, const char *folder,
                  const tl_chart_save_options *options, tl_error *err);

#endif
