#ifndef TL_CHART_RELEASE_H
#define TL_CHART_RELEASE_H

#include "chart/render.h"

/* Release records as helm 3 keeps them (helm.sh/helm/v3/pkg/release, pkg/storage/driver/util.go). */

typedef struct tl_release_info {
    const char *name, *namespace_;
    int revision;
    const char *status, *description;
    const char *first_deployed, *last_deployed; /* RFC 3339; NULL or "": never */
} tl_release_info;

/* The record of a render: a map in the field order of helm's struct. Parts of `rendered` are shared.
 * -1 where a file of the chart cannot be read any more. */
int tl_release_record(tl_map **out, tl_arena *arena, const tl_rendered *rendered, const tl_release_info *info,
                      tl_error *err);

/* The text that helm puts into data.release of its Secret, before the API's own base64: JSON, gzip, base64. */
int tl_release_encode(tl_buf *out, tl_value record, tl_error *err);
/* The other way; plain JSON inside the base64 is read too, as helm does. */
int tl_release_decode(tl_value *out, tl_arena *arena, const char *text, size_t size, tl_error *err);

#endif
