#ifndef TL_CHART_RELEASE_VIEW_H
#define TL_CHART_RELEASE_VIEW_H

#include "data/value.h"

/* A release's record as templates of Go see helm's struct: *release.Release with all its fields. `record` is what
 * tl_release_decode gives; parts of it are shared. */
tl_value tl_release_view(tl_arena *arena, tl_value record);

#endif
