#ifndef TL_DOCKER_PATTERN_H
#define TL_DOCKER_PATTERN_H

#include "base/error.h"

/* One cleaned pattern of an ignore file, compiled. For the files of this folder. */
typedef struct tl_pattern tl_pattern;

/* NULL and kind "parse" where the pattern is malformed. Free with tl_pattern_free. */
tl_pattern *tl_pattern_new(const char *text, tl_error *err);
void tl_pattern_free(tl_pattern *pattern);
/* 1 where the pattern matches this very path. */
int tl_pattern_match(const tl_pattern *pattern, const char *path);

#endif
