#ifndef TL_DATA_GZIP_H
#define TL_DATA_GZIP_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the bytes as one gzip member (RFC 1952, no name, no time). level 1 to 9. */
int tl_gzip_compress(tl_buf *out, const void *bytes, size_t length, int level, tl_error *err);
/* Appends the content of all members. Never more than the buffer's limit: -1 with kind "limit" past it, kind "parse"
 * where the data is damaged or cut. */
int tl_gzip_decompress(tl_buf *out, const void *bytes, size_t length, tl_error *err);
/* 1 where the member that ends the packed data is of a content of this length and checksum (CRC-32). */
int tl_gzip_holds(const void *packed, size_t packed_length, const void *bytes, size_t length);
/* 1 where the bytes start as gzip does. */
int tl_gzip_is(const void *bytes, size_t length);

#endif
