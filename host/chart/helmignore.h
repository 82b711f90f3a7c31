#ifndef TL_CHART_HELMIGNORE_H
#define TL_CHART_HELMIGNORE_H

#include "base/error.h"
#include "base/mem.h"

/* The rules of .helmignore (helm.sh/helm/v3/pkg/ignore). */
typedef struct tl_helmignore tl_helmignore;

/* Parses the text of a .helmignore (NULL: none) and adds helm's default rule. NULL and *err for a bad rule. */
tl_helmignore *tl_helmignore_parse(tl_arena *arena, const char *text, size_t size, tl_error *err);
/* 1 where the path (relative to the chart, slashes) is to be left out. */
int tl_helmignore_match(const tl_helmignore *rules, const char *path, int is_dir);

#endif
