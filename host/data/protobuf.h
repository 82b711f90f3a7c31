#ifndef TL_DATA_PROTOBUF_H
#define TL_DATA_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Messages of Protocol Buffers, as bytes: https://protobuf.dev/programming-guides/encoding. */

/* What is left of a message, borrowed. */
typedef struct tl_protobuf {
    const unsigned char *at, *end;
} tl_protobuf;

typedef struct tl_protobuf_field {
    int number;
    tl_protobuf bytes; /* of strings, bytes, messages and fixed numbers */
    uint64_t value;    /* of the other numbers */
} tl_protobuf_field;

tl_protobuf tl_protobuf_of(const void *bytes, size_t length);
size_t tl_protobuf_length(tl_protobuf bytes);
/* 1 and the next field; 0 at the end, and where the rest is no message. */
int tl_protobuf_next(tl_protobuf *in, tl_protobuf_field *field);

/* Append one field. A number that is 0 is left out, as it says nothing. */
void tl_protobuf_add_number(tl_buf *out, int number, uint64_t value);
void tl_protobuf_add_bytes(tl_buf *out, int number, const void *bytes, size_t length);

#endif
