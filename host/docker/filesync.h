#ifndef TL_DOCKER_FILESYNC_H
#define TL_DOCKER_FILESYNC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "docker/context.h"

/* The sender's side of the protocol by which BuildKit copies a client's files (FileSync.DiffCopy): packets of
 * github.com/tonistiigi/fsutil/types/wire.proto. Each file is told of, in order; the engine asks for those that it does
 * not have from an earlier build. So that it can tell them apart although all files have one time in seconds (which is
 * all that an image keeps), a file's nanoseconds differ once it was written to. */
typedef struct tl_filesync tl_filesync;

/* The context's files, or where `paths` are given those that these need: relative, some with wildcards. Borrows the
 * context. Kinds "denied", "io". Free with tl_filesync_free. */
tl_filesync *tl_filesync_context(const tl_context *context, const char *const *paths, size_t count, tl_error *err);
/* One file. The bytes are borrowed. */
tl_filesync *tl_filesync_file(const char *name, const char *bytes, size_t length);
void tl_filesync_free(tl_filesync *sync);
/* A packet from the engine. -1 with kind "engine" where it tells of a failure, "parse" where it makes no sense. */
int tl_filesync_take(tl_filesync *sync, const char *bytes, size_t length, tl_error *err);
/* The next packet, put in place of what is in `packet`: 1; 0 where none is due before the next of the engine's; -1 where
 * the files cannot be read. */
int tl_filesync_give(tl_filesync *sync, tl_buf *packet, tl_error *err);
/* A packet that tells the engine of a failure. */
void tl_filesync_fail(const char *why, tl_buf *packet);
/* 1 once the engine has all and knows that it was told so. */
int tl_filesync_done(const tl_filesync *sync);
/* Bytes of files given so far. */
int64_t tl_filesync_sent(const tl_filesync *sync);

#endif
