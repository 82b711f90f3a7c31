#ifndef TL_DOCKER_IGNORE_H
#define TL_DOCKER_IGNORE_H

#include <stddef.h>

#include "base/error.h"

/* The rules of a .dockerignore file, as github.com/moby/patternmatcher v0.6.0 reads and matches them. */
typedef struct tl_ignore tl_ignore;

/* Parses the file's text. NULL with kind "parse" and the offending line's pattern. Free with tl_ignore_free. */
tl_ignore *tl_ignore_parse(const char *text, size_t length, tl_error *err);
void tl_ignore_free(tl_ignore *ignore);
/* How many patterns there are: the size of the match arrays below. */
size_t tl_ignore_count(const tl_ignore *ignore);
/* 1 where the path ("a/b", relative to the context) is ignored. `parent` is what the call for its folder wrote to
 * `matched` (NULL for the top level); which patterns matched goes to `matched` (NULL: not wanted). */
int tl_ignore_match(const tl_ignore *ignore, const char *path, const char *parent, char *matched);
/* 1 where no negated pattern can match anything below the ignored folder, so that it need not be read. */
int tl_ignore_prunes(const tl_ignore *ignore, const char *folder);

#endif
