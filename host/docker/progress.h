#ifndef TL_DOCKER_PROGRESS_H
#define TL_DOCKER_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The stream of JSON messages with which the engine tells how a build, pull, push, load or import goes. */
typedef struct tl_progress tl_progress;

typedef enum tl_progress_kind {
    TL_PROGRESS_STEP,   /* a step of a build begins: `text` is its instruction */
    TL_PROGRESS_OUTPUT, /* a line that the running step printed */
    TL_PROGRESS_PULL    /* layers move: `text` names the layer and what happens; bytes of total over all layers */
} tl_progress_kind;

typedef struct tl_progress_event {
    tl_progress_kind kind;
    int step, steps; /* the running step of how many; 0 outside of builds */
    const char *text; /* valid during the call */
    int64_t bytes, total;
} tl_progress_event;

typedef void (*tl_progress_sink)(void *context, const tl_progress_event *event);

/* NULL where cJSON cannot be loaded. Free with tl_progress_free. */
tl_progress *tl_progress_new(tl_progress_sink sink, void *context, tl_error *err);
void tl_progress_free(tl_progress *progress);
/* Any piece of the stream. -1 with kind "parse" where it is none. */
int tl_progress_feed(tl_progress *progress, const char *bytes, size_t length, tl_error *err);
/* After the last piece: 0, or -1 and what the engine reported as failure. Of a build: kind "build" (or "no_space",
 * "pull"), the step in the message and the exit status of its command in `status`. */
int tl_progress_end(tl_progress *progress, tl_error *err);
/* The last lines that the failing (or last) step printed, each with a newline; owned by the progress. */
const char *tl_progress_tail(const tl_progress *progress);
/* The image made ("sha256:…"), or NULL. */
const char *tl_progress_id(const tl_progress *progress);
/* Names (or ids) of loaded images. */
const char *const *tl_progress_loaded(const tl_progress *progress, size_t *count);
/* 1 where every step of the build came from the cache. */
int tl_progress_cached(const tl_progress *progress);

#endif
