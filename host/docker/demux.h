#ifndef TL_DOCKER_DEMUX_H
#define TL_DOCKER_DEMUX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Splits the stream of a container without a terminal: frames of 8 bytes of header (stream, three zeros, length in
 * big-endian order) and content, as the engine's API describes under ContainerAttach. */
typedef struct tl_demux {
    unsigned char header[8];
    size_t have;   /* bytes of the header */
    uint32_t left; /* bytes of the content still to come */
    /* `stream` is 1 for standard output, 2 for standard error. */
    void (*sink)(void *context, int stream, const char *bytes, size_t length);
    void *context;
} tl_demux;

/* Any piece of the stream; it starts with a struct that is zeroed but for sink and context. -1 with kind "parse" where the bytes are no frames. */
int tl_demux_feed(tl_demux *demux, const char *bytes, size_t length, tl_error *err);

#endif
