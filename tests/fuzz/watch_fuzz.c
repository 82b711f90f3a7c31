/* What an API server and a container send: a watch stream, in pieces whose sizes the first byte decides; the same bytes
 * as frames of a container's output. */
#include "fuzz.h"

#include <string.h>

#include "docker/demux.h"
#include "k8s/lines.h"
#include "k8s/tracker.h"

static void on_event(void *data, const char *type, tl_value object, tl_doc *doc)
{
    (void)data, (void)type, (void)doc;
    if (object.type != TL_MAP) abort();
}

static int on_line(void *data, const char *line, size_t length, int whole)
{
    tl_error err = {0};
    if (length > 4096) abort();
    int status = whole ? tl_tracker_line(data, line, length, &err) : 0;
    tl_error_dispose(&err);
    return status < 0 ? -1 : 0;
}

static void on_output(void *context, int stream, const char *bytes, size_t length)
{
    volatile char last = length ? bytes[length - 1] : 0;
    (void)context, (void)last;
    if (stream < 0 || stream > 2) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    size_t step = (size_t)data[0] + 1;
    tl_tracker *tracker = tl_tracker_new("1", on_event, NULL);
    tl_demux demux = {.sink = on_output};
    tl_lines lines;
    tl_error err = {0};
    tl_lines_init(&lines, 4096, on_line, tracker);
    int stopped = 0, broken = 0;
    for (size_t at = 1; at < size; at += step) {
        size_t length = size - at < step ? size - at : step;
        if (!stopped) stopped = tl_lines_feed(&lines, (const char *)data + at, length);
        if (!broken) broken = tl_demux_feed(&demux, (const char *)data + at, length, &err);
    }
    if (!stopped) tl_lines_end(&lines);
    tl_lines_dispose(&lines);
    tl_tracker_free(tracker);
    tl_error_dispose(&err);
    return 0;
}
