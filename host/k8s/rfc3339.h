#ifndef TL_K8S_RFC3339_H
#define TL_K8S_RFC3339_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds since 1970 of the RFC 3339 time that the text starts with ("2026-01-02T03:04:05.6Z", any offset), for
 * years 1970 to 2262; *length is what it took of the text, NULL: it must take all. -1 where it is no time. The text
 * ends with a NUL or a space. */
int64_t tl_rfc3339(const char *text, size_t *length);

#endif
