#ifndef TL_BASE_DYNLIB_H
#define TL_BASE_DYNLIB_H

#include <stddef.h>

#include "base/error.h"

/* What to load: file names tried in order (Linux soname, macOS dylib; NULL-ended), the Debian package that brings
 * it, and the wanted functions. */
typedef struct tl_dynlib {
    const char *const *names;
    const char *package;
    const char *const *symbols;
    size_t count;
} tl_dynlib;

/* Loads a shared library on first use, so that a command which does not need it does not pay for it. The addresses of
 * lib->symbols go to `out` in the same order. The library stays loaded until the program ends. Returns 0, or -1 with
 * kind "missing_library" and a hint that names the package. A failure may be tried again. */
int tl_dynlib_load(const tl_dynlib *lib, void **out, tl_error *err);

#endif
