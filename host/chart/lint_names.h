#ifndef TL_CHART_LINT_NAMES_H
#define TL_CHART_LINT_NAMES_H

#include "base/mem.h"

/* What lint knows of names, addresses and retired kinds. Faults are sentences in the arena, NULL for none. */

const char *tl_lint_name_fault(tl_arena *arena, const char *kind, const char *name);
/* Kubernetes' own warning where the kind is deprecated in version 1.MINOR. */
const char *tl_lint_deprecation(tl_arena *arena, const char *api_version, const char *kind, int minor);
int tl_lint_is_email(const char *text);
/* With or without a scheme (govalidator.IsURL); with one (IsRequestURL). */
int tl_lint_is_url(const char *text);
int tl_lint_is_request_url(const char *text);

#endif
