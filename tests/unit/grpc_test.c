/* The gRPC server against nghttp2's client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/grpc.h"

/* ---- the server's methods ---- */

static int released, produced;

static void start_keeping(tl_grpc_call *call, void *data)
{
    assert_string_equal(data, "server");
    assert_string_equal(tl_grpc_metadata(call, "word", 0), "one");
    assert_string_equal(tl_grpc_metadata(call, "word", 1), "two");
    assert_null(tl_grpc_metadata(call, "word", 2));
    tl_grpc_keep(call, tl_strdup("own"));
}

static void echo(tl_grpc_call *call, const char *bytes, size_t length, void *data)
{
    (void)data;
    tl_grpc_send(call, bytes, length);
}

static void end_well(tl_grpc_call *call, void *data)
{
    assert_string_equal(data, "own");
    tl_grpc_finish(call, TL_GRPC_OK, NULL);
}

static void release(void *data)
{
    released++;
    free(data);
}

static void start_producing(tl_grpc_call *call, void *data)
{
    (void)data;
    produced = 0;
    tl_grpc_keep(call, tl_strdup("own"));
}

static void produce(tl_grpc_call *call, void *data)
{
    (void)data;
    char text[70000];
    memset(text, 'a' + produced, sizeof text);
    if (++produced <= 3) tl_grpc_send(call, text, sizeof text);
    else tl_grpc_finish(call, TL_GRPC_UNKNOWN, "100% of it\nis over");
}

static const tl_grpc_method methods[] = {
    {"/test/Echo", start_keeping, echo, NULL, end_well, release},
    {"/test/Produce", start_producing, echo, produce, NULL, release},
};

/* ---- both ends ---- */

static tl_grpc *server;
static nghttp2_session *client;
static size_t room; /* bytes that the connection takes at once */
static tl_buf to_client, answer, trailers, request;

static int64_t write_bytes(const char *bytes, size_t length, void *data)
{
    (void)data;
    if (length > room) length = room;
    tl_buf_add(&to_client, bytes, length);
    room -= length;
    return (int64_t)length;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *data)
{
    (void)session, (void)frame, (void)flags, (void)data;
    tl_buf_addf(&trailers, "%.*s=%.*s\n", (int)name_len, name, (int)value_len, value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *data)
{
    (void)session, (void)flags, (void)id, (void)data;
    tl_buf_add(&answer, bytes, length);
    return 0;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *bytes, size_t length, uint32_t *flags,
                       nghttp2_data_source *source, void *data)
{
    (void)session, (void)id, (void)source, (void)data;
    if (length > request.len) length = request.len;
    memcpy(bytes, request.data, length);
    tl_buf_consume(&request, length);
    if (!request.len) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

static int start(void **state)
{
    (void)state;
    tl_error err = {0};
    nghttp2_session_callbacks *callbacks;
    const tl_grpc_options o = {methods, 2, write_bytes, "server"};
    released = 0;
    room = SIZE_MAX / 2;
    tl_buf_init(&to_client, SIZE_MAX);
    tl_buf_init(&answer, SIZE_MAX);
    tl_buf_init(&trailers, SIZE_MAX);
    tl_buf_init(&request, SIZE_MAX);
    server = tl_grpc_new(&o, &err);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_client_new(&client, callbacks, NULL);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, NULL, 0);
    return server ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    tl_grpc_free(server);
    nghttp2_session_del(client);
    tl_buf_dispose(&to_client);
    tl_buf_dispose(&answer);
    tl_buf_dispose(&trailers);
    tl_buf_dispose(&request);
    return 0;
}

static void add_message(char compressed, const char *text, size_t length)
{
    const char prefix[5] = {compressed, (char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length};
    tl_buf_add(&request, prefix, 5);
    tl_buf_add(&request, text, length);
}

static void call(const char *path)
{
    nghttp2_nv head[6];
    const char *const pairs[] = {":method", "POST", ":scheme", "http", ":authority", "localhost", ":path", path, "word", "one", "word", "two"};
    for (size_t i = 0; i < 6; i++)
        head[i] = (nghttp2_nv){(uint8_t *)pairs[2 * i], (uint8_t *)pairs[2 * i + 1], strlen(pairs[2 * i]), strlen(pairs[2 * i + 1]), 0};
    const nghttp2_data_provider body = {.read_callback = on_read};
    assert_true(nghttp2_submit_request(client, NULL, head, 6, &body, NULL) > 0);
}

/* Lets both ends talk until neither has anything to say; the server is fed `piece` bytes at a time. */
static void talk(size_t piece)
{
    tl_error err = {0};
    for (int idle = 0; idle < 2;) {
        const uint8_t *bytes;
        ssize_t made;
        idle++;
        while ((made = nghttp2_session_mem_send(client, &bytes)) > 0)
            for (ssize_t at = 0; at < made; at += (ssize_t)piece) {
                size_t length = (size_t)(made - at) < piece ? (size_t)(made - at) : piece;
                assert_int_equal(tl_grpc_feed(server, (const char *)bytes + at, length, &err), 0);
                idle = 0;
            }
        assert_true(tl_grpc_flush(server, &err) >= 0);
        if (to_client.len) {
            assert_int_equal(nghttp2_session_mem_recv(client, (const uint8_t *)to_client.data, to_client.len), to_client.len);
            tl_buf_clear(&to_client);
            idle = 0;
        }
    }
}

static void messages_go_both_ways_however_they_are_cut(void **state)
{
    (void)state;
    add_message(0, "hello", 5);
    add_message(0, "", 0);
    add_message(0, "you", 3);
    tl_buf wanted = TL_BUF_INIT(SIZE_MAX);
    tl_buf_add(&wanted, request.data, request.len);
    call("/test/Echo");
    talk(3);
    assert_int_equal(answer.len, wanted.len);
    assert_memory_equal(answer.data, wanted.data, wanted.len);
    assert_string_equal(trailers.data, ":status=200\ncontent-type=application/grpc\ngrpc-status=0\n");
    assert_int_equal(released, 1);
    tl_buf_dispose(&wanted);
}

static void what_is_produced_waits_for_the_connection_and_the_client(void **state)
{
    (void)state;
    room = 1000;
    add_message(0, "", 0);
    call("/test/Produce");
    talk(1 << 30);
    assert_true(answer.len < 1000 && produced <= 1);
    room = SIZE_MAX / 2;
    talk(1 << 30);
    assert_int_equal(answer.len, 3 * (5 + 70000) + 5);
    assert_int_equal(answer.data[answer.len - 1], 'c');
    assert_non_null(strstr(trailers.data, "grpc-status=2\ngrpc-message=100%25 of it%0Ais over\n"));
    assert_int_equal(released, 1);
}

static void what_is_no_call_of_ours_is_refused(void **state)
{
    (void)state;
    add_message(0, "x", 1);
    call("/test/None");
    talk(1 << 30);
    assert_non_null(strstr(trailers.data, "grpc-status=12\ngrpc-message=unknown method\n"));
    tl_buf_clear(&trailers);
    add_message(1, "x", 1);
    call("/test/Echo");
    talk(1 << 30);
    assert_non_null(strstr(trailers.data, "grpc-status=12\ngrpc-message=compressed messages are not taken\n"));
    tl_buf_clear(&trailers);
    tl_buf_add(&request, "\0\377\377\377\377", 5);
    call("/test/Echo");
    talk(1 << 30);
    assert_non_null(strstr(trailers.data, "grpc-status=8\ngrpc-message=the message is too long\n"));
}

static void what_is_no_http2_is_an_error(void **state)
{
    (void)state;
    tl_error err = {0};
    assert_int_equal(tl_grpc_feed(server, "GET / HTTP/1.1\r\n\r\n", 18, &err), -1);
    assert_string_equal(err.kind, "parse");
    tl_error_dispose(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_go_both_ways_however_they_are_cut, start, stop),
        cmocka_unit_test_setup_teardown(what_is_produced_waits_for_the_connection_and_the_client, start, stop),
        cmocka_unit_test_setup_teardown(what_is_no_call_of_ours_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(what_is_no_http2_is_an_error, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
