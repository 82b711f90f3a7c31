/* Frames of a container's output. */
#include "docker/demux.h"

#include <string.h>

static int read_header(tl_demux *demux, tl_error *err)
{
    const unsigned char *h = demux->header;
    if (h[0] > 2 || h[1] || h[2] || h[3]) return tl_error_set(err, "parse", "the engine's output stream has no frames");
    demux->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
    if (!demux->left) demux->have = 0;
    return 0;
}

int tl_demux_feed(tl_demux *demux, const char *bytes, size_t length, tl_error *err)
{
    while (length) {
        size_t piece;
        if (demux->have < sizeof demux->header) {
            piece = sizeof demux->header - demux->have;
            if (piece > length) piece = length;
            memcpy(demux->header + demux->have, bytes, piece);
            demux->have += piece;
            if (demux->have == sizeof demux->header && read_header(demux, err) < 0) return -1;
        } else {
            piece = demux->left < length ? demux->left : length;
            demux->sink(demux->context, demux->header[0] == 2 ? 2 : 1, bytes, piece);
            demux->left -= (uint32_t)piece;
            if (!demux->left) demux->have = 0;
        }
        bytes += piece;
        length -= piece;
    }
    return 0;
}
