#ifndef TL_BASE_ERROR_H
#define TL_BASE_ERROR_H

#include <stdarg.h>

/* What went wrong, where it is known, and what to do next. A zeroed struct is "no error". Functions that fail return
 * a negative int and fill the struct passed as their last parameter; they never print. The strings belong to the
 * struct and are freed by tl_error_dispose. */
typedef struct tl_error {
    char kind[24];          /* short and stable, for programs: "io", "parse", "timeout", "not_found", "conflict", … */
    char *message;          /* one sentence for people, without a final newline; never NULL once set */
    char *hint;             /* the next step, or NULL */
    int status;             /* HTTP status or exit status where there is one, else 0 */
    struct tl_error *cause; /* the error below this one, or NULL */
} tl_error;

#if defined(__GNUC__)
#define TL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define TL_PRINTF(fmt, args)
#endif

/* Fills *err (NULL is allowed and ignored), replacing what it held. Always returns -1, so callers can return it. */
int tl_error_set(tl_error *err, const char *kind, const char *format, ...) TL_PRINTF(3, 4);

/* As tl_error_set with kind "io" and ": " + the text of errno value `code` appended. "not_found" for ENOENT,
 * "denied" for EACCES and EPERM, "exists" for EEXIST. */
int tl_error_errno(tl_error *err, int code, const char *format, ...) TL_PRINTF(3, 4);

/* Sets or replaces the hint of an error that is already set. */
void tl_error_hint(tl_error *err, const char *format, ...) TL_PRINTF(2, 3);

/* Puts a new message on top of *err, which becomes its cause; kind, hint and status are kept. Returns -1. */
int tl_error_wrap(tl_error *err, const char *format, ...) TL_PRINTF(2, 3);

/* Moves `from` into `to` (disposing what `to` held) and leaves `from` empty. */
void tl_error_move(tl_error *to, tl_error *from);

/* Frees the contents and zeroes the struct; harmless on a zeroed one. */
void tl_error_dispose(tl_error *err);

#endif
