#ifndef TL_DATA_BASE64_H
#define TL_DATA_BASE64_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

typedef enum tl_base64 {
    TL_BASE64_STD, /* RFC 4648 section 4, padded */
    TL_BASE64_URL, /* section 5, padded */
    TL_BASE64_RAW, /* section 4 without padding */
    TL_BASE64_RAW_URL
} tl_base64;

/* Appends the encoded form of the bytes. */
void tl_base64_encode(tl_buf *out, const void *bytes, size_t length, tl_base64 alphabet);
/* Appends the decoded bytes. Newlines are skipped, all else is strict, as in Go. -1 with kind "parse" and Go's text
 * ("illegal base64 data at input byte 4"); `out` then holds the bytes before it. */
int tl_base64_decode(tl_buf *out, const char *text, size_t length, tl_base64 alphabet, tl_error *err);

#endif
