#ifndef TL_DOCKER_TRANSFER_H
#define TL_DOCKER_TRANSFER_H

#include "docker/context.h"
#include "docker/engine.h"
#include "docker/progress.h"
#include "docker/session.h"

/* One long request whose answer is a stream of progress messages: build, pull, push, load, import. Events are queued for
 * a reader that takes them when it likes; while too many wait, the engine is not read. */
typedef struct tl_transfer tl_transfer;

typedef enum tl_transfer_kind { TL_TRANSFER_SENT, TL_TRANSFER_STEP, TL_TRANSFER_OUTPUT, TL_TRANSFER_PULL } tl_transfer_kind;

typedef struct tl_transfer_event {
    tl_transfer_kind kind;
    int step, steps;
    char *text; /* owned by the event; NULL of TL_TRANSFER_SENT */
    int64_t bytes, total; /* of TL_TRANSFER_SENT: sent of total, which is 0 where it is unknown */
    struct tl_transfer_event *next;
} tl_transfer_event;

typedef struct tl_transfer_options {
    const char *path; /* without version, with query */
    const char *auth; /* value of X-Registry-Auth, or NULL */
    tl_context *context; /* the body: becomes the transfer's own, also on failure; or NULL */
    /* Or what BuildKit may ask for during the request, which begins once the engine has agreed to that and names it in its
     * query; on_change and data are not looked at. NULL: nothing. */
    const tl_session_options *session;
    const char *file;    /* the body: a file's path, or NULL */
    const char *content_type;
    void (*on_change)(tl_transfer *transfer, void *data); /* an event came, or the end */
    void *data;
} tl_transfer_options;

/* NULL and *err where it cannot be started. Free with tl_transfer_free, which cancels. */
tl_transfer *tl_transfer_start(tl_net *net, tl_engine *engine, const tl_transfer_options *options, tl_error *err);
void tl_transfer_free(tl_transfer *transfer);
/* Stops the request at once; on_change will not come. */
void tl_transfer_cancel(tl_transfer *transfer);
/* Takes the oldest event (free with tl_transfer_event_free), NULL where none waits. */
tl_transfer_event *tl_transfer_next(tl_transfer *transfer);
void tl_transfer_event_free(tl_transfer_event *event);
/* 1 once the answer is complete; events may still wait. */
int tl_transfer_ended(const tl_transfer *transfer);
/* After the end: 0, or -1 and why it failed (moved out: ask once). */
int tl_transfer_result(tl_transfer *transfer, tl_error *err);
/* What the messages told; owned by the transfer. */
const tl_progress *tl_transfer_progress(const tl_transfer *transfer);

#endif
