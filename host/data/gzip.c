/* Gzip by zlib. */
#include "data/gzip.h"

#include <limits.h>
#include <stdint.h>
#include <zlib.h>

#include "base/mem.h"

#define CHUNK 16384
#define GZIP_WRAPPER 16 /* zlib: window bits + 16 write a gzip header */

static size_t piece(size_t length)
{
    return length > UINT_MAX ? UINT_MAX : length;
}

int tl_gzip_compress(tl_buf *out, const void *bytes, size_t length, int level, tl_error *err)
{
    z_stream z = {0};
    unsigned char chunk[CHUNK];
    const unsigned char *s = bytes;
    if (deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return tl_error_set(err, "io", "zlib cannot start to compress");
    int status = Z_OK;
    while (status == Z_OK) {
        size_t n = piece(length);
        z.next_in = (unsigned char *)s;
        z.avail_in = (uInt)n;
        do {
            z.next_out = chunk;
            z.avail_out = sizeof chunk;
            status = deflate(&z, n == length ? Z_FINISH : Z_NO_FLUSH);
            tl_buf_add(out, chunk, sizeof chunk - z.avail_out);
        } while (status == Z_OK && (z.avail_in || z.avail_out == 0));
        s += n;
        length -= n;
    }
    deflateEnd(&z);
    if (out->over) return tl_error_set(err, "limit", "the compressed data is larger than %zu bytes", out->max);
    return status == Z_STREAM_END ? 0 : tl_error_set(err, "io", "zlib cannot compress");
}

int tl_gzip_decompress(tl_buf *out, const void *bytes, size_t length, tl_error *err)
{
    z_stream z = {0};
    unsigned char chunk[CHUNK];
    const unsigned char *s = bytes;
    if (inflateInit2(&z, MAX_WBITS + GZIP_WRAPPER) != Z_OK)
        return tl_error_set(err, "io", "zlib cannot start to decompress");
    int status = Z_OK;
    z.next_in = (unsigned char *)s;
    z.avail_in = (uInt)piece(length);
    length -= z.avail_in;
    while ((status == Z_OK || status == Z_BUF_ERROR) && !out->over) {
        if (!z.avail_in && length) {
            z.avail_in = (uInt)piece(length);
            length -= z.avail_in;
        }
        z.next_out = chunk;
        z.avail_out = sizeof chunk;
        status = inflate(&z, Z_NO_FLUSH);
        tl_buf_add(out, chunk, sizeof chunk - z.avail_out);
        if (status == Z_BUF_ERROR && !z.avail_in && !length) break;
        if (status == Z_STREAM_END && (z.avail_in || length)) /* another member follows */
            status = inflateReset(&z);
    }
    inflateEnd(&z);
    if (out->over) return tl_error_set(err, "limit", "the decompressed data is larger than %zu bytes", out->max);
    if (status == Z_STREAM_END) return 0;
    return tl_error_set(err, "parse", status == Z_BUF_ERROR || status == Z_OK ? "the gzip data ends too early"
                                                                              : "the data is not gzip, or damaged");
}

static uint32_t little_endian(const unsigned char *s)
{
    return s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
}

int tl_gzip_holds(const void *packed, size_t packed_length, const void *bytes, size_t length)
{
    if (packed_length < 18 || length > UINT_MAX) return 0; /* RFC 1952: a header of 10 bytes, and CRC32, ISIZE */
    const unsigned char *trailer = (const unsigned char *)packed + packed_length - 8;
    if (little_endian(trailer + 4) != length) return 0;
    return crc32(0, bytes, (uInt)length) == little_endian(trailer);
}

int tl_gzip_is(const void *bytes, size_t length)
{
    const unsigned char *s = bytes;
    return length >= 3 && s[0] == 0x1F && s[1] == 0x8B && s[2] == 8;
}
