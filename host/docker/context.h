#ifndef TL_DOCKER_CONTEXT_H
#define TL_DOCKER_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "docker/ignore.h"

/* A build context: the files of a folder that the ignore rules keep, as a tar stream or as one hash. Memory does not grow
 * with the context. So that the same sources give the same bytes on each machine, entries are sorted, owners are 0:0,
 * times are fixed and modes are 0644, or 0755 for folders and what somebody may execute. Ignored folders are not read
 * where no negated rule can match inside. */
typedef struct tl_context tl_context;

/* A file by its name in the context, or a build's secret by its id. */
typedef struct tl_named_bytes {
    const char *name;
    const void *bytes;
    size_t length;
} tl_named_bytes;

typedef struct tl_context_options {
    const char *dir;
    const char *dockerfile;  /* path, inside of the folder or not; NULL: none (hashing only) */
    const char *ignore_file; /* NULL: DOCKERFILE.dockerignore where it exists, else DIR/.dockerignore */
    int dockerfile_apart; /* it goes to the engine on its own: the files need not hold it */
    const tl_named_bytes *files; /* added after the rules, replacing files of the same name */
    size_t file_count;
} tl_context_options;

/* Reads the rules and the Dockerfile; the options are not needed afterwards. Kinds "not_found", "denied", "parse", "io".
 * Free with tl_context_free. */
tl_context *tl_context_open(const tl_context_options *options, tl_error *err);
void tl_context_free(tl_context *context);
/* The Dockerfile's name in the archive. One that is ignored or lies elsewhere gets a name of its own, which rules in the
 * archive make the engine drop before the first COPY. */
const char *tl_context_dockerfile(const tl_context *context);
/* The next bytes of the archive, at most `size`; 0 at the end, -1 on failure. */
int64_t tl_context_read(tl_context *context, char *buffer, size_t size, tl_error *err);
/* Bytes read so far. */
int64_t tl_context_sent(const tl_context *context);

/* What a sender of single files needs (docker/filesync.h). The folder's full path; its rules; the Dockerfile's bytes, of
 * which there are 0 without one; the file added at `index`, NULL past the last. Owned by the context. */
const char *tl_context_dir(const tl_context *context);
const tl_ignore *tl_context_rules(const tl_context *context);
const char *tl_context_dockerfile_bytes(const tl_context *context, size_t *length);
const tl_named_bytes *tl_context_added(const tl_context *context, size_t index);
/* The time of each file, in seconds. */
#define TL_CONTEXT_TIME 946684800 /* the year 2000: zip archives made from the files cannot hold earlier times */

/* Opens a file to send it; a hint says what to do with one that cannot be read. The descriptor, or -1. */
int tl_context_open_file(const char *path, tl_error *err);

/* Hexadecimal SHA-256 over names, kinds, executable bits, link targets and contents, the Dockerfile and the `extra`
 * texts. The context is used up. Pure C: safe on the worker thread. */
int tl_context_hash(tl_context *context, const char *const *extra, size_t extra_count, char hex[65], tl_error *err);

#endif
