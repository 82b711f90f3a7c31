/* Reading and writing the fields of Protocol Buffers. */
#include "data/protobuf.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

tl_protobuf tl_protobuf_of(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    return (tl_protobuf){at, at + length};
}

size_t tl_protobuf_length(tl_protobuf bytes)
{
    return (size_t)(bytes.end - bytes.at);
}

static int read_varint(tl_protobuf *in, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        unsigned char byte = *in->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return 1;
    }
    return 0;
}

int tl_protobuf_next(tl_protobuf *in, tl_protobuf_field *f)
{
    uint64_t key, length;
    if (!read_varint(in, &key)) return 0;
    *f = (tl_protobuf_field){.number = (int)(key >> 3)};
    switch (key & 7) {
    case VARINT: return read_varint(in, &f->value);
    case FIXED64: length = 8; break;
    case FIXED32: length = 4; break;
    case BYTES:
        if (!read_varint(in, &length)) return 0;
        break;
    default: return 0;
    }
    if (length > (uint64_t)(in->end - in->at)) return 0;
    f->bytes = (tl_protobuf){in->at, in->at + length};
    in->at += length;
    return 1;
}

static void add_varint(tl_buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) tl_buf_addc(out, (char)(value | 0x80));
    tl_buf_addc(out, (char)value);
}

void tl_protobuf_add_number(tl_buf *out, int number, uint64_t value)
{
    if (!value) return;
    add_varint(out, (uint64_t)number << 3 | VARINT);
    add_varint(out, value);
}

void tl_protobuf_add_bytes(tl_buf *out, int number, const void *bytes, size_t length)
{
    add_varint(out, (uint64_t)number << 3 | BYTES);
    add_varint(out, length);
    tl_buf_add(out, bytes, length);
}
