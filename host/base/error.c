/* The error record that every layer passes up. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static char *format_text(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) return tl_strdup(format);
    char *text = tl_malloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

int tl_error_set(tl_error *err, const char *kind, const char *format, ...)
{
    if (!err) return -1;
    va_list args;
    va_start(args, format);
    char *message = format_text(format, args);
    va_end(args);
    tl_error_dispose(err);
    snprintf(err->kind, sizeof err->kind, "%s", kind);
    err->message = message;
    return -1;
}

static const char *kind_of_errno(int code)
{
    switch (code) {
    case ENOENT: return "not_found";
    case EACCES:
    case EPERM: return "denied";
    case EEXIST: return "exists";
    case ETIMEDOUT: return "timeout";
    case ENOSPC:
    case EDQUOT: return "no_space";
    default: return "io";
    }
}

int tl_error_errno(tl_error *err, int code, const char *format, ...)
{
    if (!err) return -1;
    va_list args;
    va_start(args, format);
    char *message = format_text(format, args);
    va_end(args);
    tl_error_set(err, kind_of_errno(code), "%s: %s", message, strerror(code));
    if (code == ENOSPC || code == EDQUOT) tl_error_hint(err, "free some space on that disk, then run again");
    free(message);
    return -1;
}

void tl_error_hint(tl_error *err, const char *format, ...)
{
    if (!err) return;
    va_list args;
    va_start(args, format);
    char *hint = format_text(format, args);
    va_end(args);
    free(err->hint);
    err->hint = hint;
}

int tl_error_wrap(tl_error *err, const char *format, ...)
{
    if (!err) return -1;
    va_list args;
    va_start(args, format);
    char *message = format_text(format, args);
    va_end(args);
    tl_error *cause = tl_malloc(sizeof *cause);
    *cause = *err;
    err->cause = cause;
    err->message = message;
    err->hint = cause->hint;
    cause->hint = NULL;
    return -1;
}

void tl_error_move(tl_error *to, tl_error *from)
{
    if (to) {
        tl_error_dispose(to);
        *to = *from;
        memset(from, 0, sizeof *from);
    } else {
        tl_error_dispose(from);
    }
}

void tl_error_dispose(tl_error *err)
{
    if (!err) return;
    tl_error *cause = err->cause;
    free(err->message);
    free(err->hint);
    memset(err, 0, sizeof *err);
    if (cause) {
        tl_error_dispose(cause);
        free(cause);
    }
}
