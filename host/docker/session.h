#ifndef TL_DOCKER_SESSION_H
#define TL_DOCKER_SESSION_H

#include "docker/context.h"
#include "docker/engine.h"

/* What BuildKit asks the client of a build for while it builds: the files of the context that it lacks, secrets, an SSH
 * agent. It asks by gRPC, as the client, on a connection of the engine's /session: moby/buildkit's session/. */
typedef struct tl_session tl_session;

typedef struct tl_session_options {
    tl_context *context; /* with its Dockerfile apart; becomes the session's own, also on failure */
    const tl_named_bytes *secrets; /* copied, and cleansed at the end */
    size_t secret_count;
    const char *agent; /* socket of the SSH agent that steps may use, or NULL */
    void (*on_change)(tl_session *session, void *data); /* open, more sent, or ended; must not free it */
    void *data;
} tl_session_options;

/* NULL and *err where it cannot be started. Free with tl_session_free, which ends it. */
tl_session *tl_session_start(tl_net *net, tl_engine *engine, const tl_session_options *options, tl_error *err);
void tl_session_free(tl_session *session);
/* What the build names it by. */
const char *tl_session_id(const tl_session *session);
/* 1 once a build may name it. */
int tl_session_is_open(const tl_session *session);
int tl_session_ended(const tl_session *session);
/* Bytes of files sent so far. */
int64_t tl_session_sent(const tl_session *session);
/* Why it could not be opened, or what went wrong on this side, such as a file that cannot be read; NULL where nothing did. */
tl_error *tl_session_error(tl_session *session);

#endif
