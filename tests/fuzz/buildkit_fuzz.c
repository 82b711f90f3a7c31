/* What BuildKit says: HTTP/2 frames to the session, packets of a file transfer, messages on a build; the first byte says
 * which. */
#include "fuzz.h"

#include "data/base64.h"
#include "docker/buildkit.h"
#include "docker/filesync.h"
#include "net/grpc.h"

static void echo(tl_grpc_call *call, const char *bytes, size_t length, void *data)
{
    (void)data;
    tl_grpc_metadata(call, "dir-name", 0);
    tl_grpc_send(call, bytes, length);
    if (length == 1) tl_grpc_finish(call, TL_GRPC_UNKNOWN, "one");
}

static const tl_grpc_method methods[] = {{"/test/Echo", NULL, echo, NULL, NULL, NULL}};

static int64_t write_bytes(const char *bytes, size_t length, void *data)
{
    volatile char last = length ? bytes[length - 1] : 0;
    (void)last, (void)data;
    return (int64_t)length;
}

static void feed_frames(const char *bytes, size_t length)
{
    tl_error err = {0};
    const tl_grpc_options o = {methods, 1, write_bytes, NULL};
    tl_grpc *server = tl_grpc_new(&o, &err);
    if (!server) abort();
    /* In two pieces: what is not whole is kept. */
    if (tl_grpc_feed(server, bytes, length / 2, &err) == 0 && tl_grpc_feed(server, bytes + length / 2, length - length / 2, &err) == 0)
        tl_grpc_flush(server, &err);
    tl_grpc_free(server);
    tl_error_dispose(&err);
}

/* Packets, each behind a byte with its length; after each what is due is given. */
static void feed_packets(const uint8_t *bytes, size_t length)
{
    tl_error err = {0};
    tl_buf packet = TL_BUF_INIT(SIZE_MAX);
    tl_filesync *sync = tl_filesync_file("folder/Dockerfile", "FROM scratch\n", 13);
    for (size_t at = 0, size; at < length && !err.message; at += size) {
        size = bytes[at++];
        if (size > length - at) size = length - at;
        for (int i = 0; i < 40 && tl_filesync_give(sync, &packet, &err) > 0;) i++;
        tl_filesync_take(sync, (const char *)bytes + at, size, &err);
    }
    tl_filesync_free(sync);
    tl_buf_dispose(&packet);
    tl_error_dispose(&err);
}

static void on_event(void *context, const tl_progress_event *event)
{
    (void)context;
    if (event->step > event->steps) abort();
}

static void feed_trace(const uint8_t *bytes, size_t length)
{
    tl_buf text = TL_BUF_INIT(SIZE_MAX), tail = TL_BUF_INIT(SIZE_MAX);
    int step, steps;
    tl_base64_encode(&text, (const char *)bytes, length, TL_BASE64_STD);
    tl_buildkit *buildkit = tl_buildkit_new(on_event, NULL);
    tl_buildkit_take(buildkit, text.data);
    tl_buildkit_take(buildkit, text.data);
    tl_buildkit_failed(buildkit, "exit code: 3", &step, &steps, &tail);
    tl_buildkit_cached(buildkit);
    tl_buildkit_free(buildkit);
    tl_buf_dispose(&text);
    tl_buf_dispose(&tail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    if (data[0] % 3 == 0) feed_frames((const char *)data + 1, size - 1);
    if (data[0] % 3 == 1) feed_packets(data + 1, size - 1);
    if (data[0] % 3 == 2) feed_trace(data + 1, size - 1);
    return 0;
}
