#ifndef TL_TEMPLATE_SEMVER_H
#define TL_TEMPLATE_SEMVER_H

#include <stddef.h>
#include <stdint.h>

#include "template/internal.h"

/* Versions and constraints as Masterminds/semver 3.5 reads them. */

typedef struct tl_version {
    uint64_t major, minor, patch;
    tl_span pre, metadata, original; /* point into the text */
} tl_version;

/* NewVersion: "v1.2" is 1.2.0. On errors returns -1 with the library's text in `error`. */
int tl_version_parse(const char *text, size_t length, tl_version *out, char *error, size_t error_size);
int tl_version_compare(const tl_version *a, const tl_version *b);
/* 1, 0, or -1 with the library's text in `error`. */
int tl_constraint_check(const char *constraint, size_t length, const tl_version *version, char *error,
                        size_t error_size);

#endif
