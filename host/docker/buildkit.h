#ifndef TL_DOCKER_BUILDKIT_H
#define TL_DOCKER_BUILDKIT_H

#include <stddef.h>

#include "base/buf.h"
#include "docker/progress.h"

/* What BuildKit tells of a build: moby.buildkit.v1.StatusResponse (BuildKit's api/services/control/control.proto), of
 * which the engine puts one into each "moby.buildkit.trace" message. Steps run side by side there. */
typedef struct tl_buildkit tl_buildkit;

/* Free with tl_buildkit_free. */
tl_buildkit *tl_buildkit_new(tl_progress_sink sink, void *context);
void tl_buildkit_free(tl_buildkit *buildkit);
/* One message, base64. What is none is passed over: it would only be shown. */
void tl_buildkit_take(tl_buildkit *buildkit, const char *text);
/* 1 where every step so far came from the cache. */
int tl_buildkit_cached(const tl_buildkit *buildkit);
/* The step whose failure that is, or NULL: its instruction, its number and of how many; appends its last lines to `tail`. */
const char *tl_buildkit_failed(const tl_buildkit *buildkit, const char *failure, int *step, int *steps, tl_buf *tail);

#endif
