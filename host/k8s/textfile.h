#ifndef TL_K8S_TEXTFILE_H
#define TL_K8S_TEXTFILE_H

#include "base/buf.h"
#include "base/error.h"

/* Appends a whole regular file (or pipe) to `out`, whose limit bounds it. Kinds "not_found", "denied", "io", and
 * "too_large". Small local files only: it does not wait for the loop. */
int tl_textfile_read(const char *path, tl_buf *out, tl_error *err);

#endif
