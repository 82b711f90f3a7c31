/* HTTP requests and byte streams against a real server of Python's on TCP and on a unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/http.h"

static struct {
    pid_t server;
    int stop_fd;
    int port;
    char dir[64], socket[96], url[64];
    tl_loop *loop;
    tl_net *net;
} t;

static int start_server(void **state)
{
    (void)state;
    strcpy(t.dir, "/tmp/tl-http-XXXXXX");
    if (!mkdtemp(t.dir)) return -1;
    snprintf(t.socket, sizeof t.socket, "%s/s", t.dir);
    int in[2], out[2];
    if (pipe(in) < 0 || pipe(out) < 0) return -1;
    t.server = fork();
    if (!t.server) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("python3", "python3", "tests/unit/net/server.py", t.socket, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    t.stop_fd = in[1];
    char line[32] = {0};
    if (read(out[0], line, sizeof line - 1) <= 0) return -1;
    close(out[0]);
    t.port = atoi(line);
    snprintf(t.url, sizeof t.url, "http://127.0.0.1:%d", t.port);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    close(t.stop_fd);
    waitpid(t.server, NULL, 0);
    unlink(t.socket);
    rmdir(t.dir);
    return 0;
}

static int open_net(void **state)
{
    (void)state;
    tl_error err = {0};
    t.loop = tl_loop_new(&err);
    t.net = tl_net_new(t.loop, &err);
    return t.net ? 0 : -1;
}

static int close_net(void **state)
{
    (void)state;
    tl_net_free(t.net);
    tl_loop_free(t.loop);
    return 0;
}

typedef struct seen {
    int done, headers, pauses;
    size_t bytes, pause_at, send_left;
    int64_t answer; /* of read_body once, before bytes */
    tl_http_request *free_in_done;
    uint32_t sum;
} seen;

static void on_done(tl_http_request *request, void *data)
{
    seen *s = data;
    s->done++;
    if (s->free_in_done) tl_http_free(request);
}

static void on_headers(tl_http_request *request, void *data)
{
    seen *s = data;
    assert_true(tl_http_status(request) > 0);
    s->headers++;
}

static int on_body(tl_http_request *request, const char *bytes, size_t length, void *data)
{
    seen *s = data;
    (void)request;
    if (s->pause_at && s->bytes >= s->pause_at) {
        s->pauses++;
        s->pause_at += 1 << 20;
        return TL_HTTP_PAUSE;
    }
    for (size_t i = 0; i < length; i++) s->sum = s->sum * 31 + (unsigned char)bytes[i];
    s->bytes += length;
    return 0;
}

static int64_t read_body(void *data, char *buffer, size_t size)
{
    seen *s = data;
    if (s->pauses == 0) {
        s->pauses++;
        return TL_HTTP_PAUSE;
    }
    if (size > s->send_left) size = s->send_left;
    memset(buffer, 'x', size);
    s->send_left -= size;
    return (int64_t)size;
}

static tl_http_request *start(const char *path, tl_http_options o, seen *s)
{
    char url[256];
    tl_error err = {0};
    snprintf(url, sizeof url, "%s%s", t.url, path);
    o.url = url;
    o.on_done = on_done;
    o.data = s;
    tl_http_request *r = tl_http_start(t.net, &o, &err);
    assert_non_null(r);
    return r;
}

static void run(const int *done)
{
    tl_error err = {0};
    for (int i = 0; i < 100000 && !*done; i++) assert_true(tl_loop_step(t.loop, 10000, &err) >= 0);
    assert_true(*done);
}

/* libcurl may keep a timer for a moment after a transfer. */
static void assert_loop_empties(void)
{
    tl_error err = {0};
    for (int i = 0; i < 50 && tl_loop_active(t.loop); i++) tl_loop_step(t.loop, 20, &err);
    assert_int_equal(tl_loop_active(t.loop), 0);
}

static void get_answers_with_status_headers_body(void **state)
{
    (void)state;
    seen s = {0};
    tl_http_request *r = start("/echo", (tl_http_options){.on_headers = on_headers}, &s);
    run(&s.done);
    assert_null(tl_http_error(r));
    assert_int_equal(tl_http_status(r), 200);
    assert_int_equal(s.headers, 1);
    assert_string_equal(tl_http_header(r, "X-TWICE"), "two");
    assert_string_equal(tl_http_body(r)->data, "GET /echo none 0\n");
    tl_http_free(r);
    assert_loop_empties();
}

static void body_with_nul_arrives_whole(void **state)
{
    (void)state;
    seen s = {0};
    tl_http_request *r = start("/nul", (tl_http_options){0}, &s);
    run(&s.done);
    assert_int_equal(tl_http_body(r)->len, 5);
    assert_memory_equal(tl_http_body(r)->data, "a\0b\xff\xfe", 5);
    tl_http_free(r);
}

static void post_sends_body_and_type(void **state)
{
    (void)state;
    const tl_header headers[] = {{"Content-Type", "text/plain"}, {"X-Empty", ""}};
    seen s = {0};
    tl_http_options o = {.method = "POST", .body = "a\0b", .body_len = 3, .headers = headers, .header_count = 2};
    tl_http_request *r = start("/echo", o, &s);
    run(&s.done);
    assert_memory_equal(tl_http_body(r)->data, "POST /echo text/plain 3\na\0b", 27);
    tl_http_free(r);
    s.done = 0;
    r = start("/echo", (tl_http_options){.method = "DELETE", .body = "x", .body_len = 1}, &s);
    run(&s.done);
    assert_string_equal(tl_http_body(r)->data, "DELETE /echo none 1\nx");
    tl_http_free(r);
    s.done = 0;
    r = start("/echo", (tl_http_options){.method = "HEAD"}, &s);
    run(&s.done);
    assert_int_equal(tl_http_status(r), 200);
    assert_int_equal(tl_http_body(r)->len, 0);
    tl_http_free(r);
}

static void redirect_is_followed_when_asked(void **state)
{
    (void)state;
    seen s = {0};
    tl_http_request *r = start("/redirect", (tl_http_options){.follow = 1, .on_headers = on_headers}, &s);
    run(&s.done);
    assert_int_equal(tl_http_status(r), 200);
    assert_int_equal(s.headers, 1);
    assert_string_equal(tl_http_body(r)->data, "GET /echo none 0\n");
    tl_http_free(r);
    s.done = 0;
    r = start("/redirect", (tl_http_options){0}, &s);
    run(&s.done);
    assert_int_equal(tl_http_status(r), 302);
    assert_string_equal(tl_http_header(r, "location"), "/echo");
    tl_http_free(r);
    s.done = 0;
    r = start("/circle", (tl_http_options){.follow = 1}, &s);
    run(&s.done);
    assert_non_null(strstr(tl_http_error(r)->message, "redirects without end"));
    tl_http_free(r);
}

static void http_error_status_is_no_failure(void **state)
{
    (void)state;
    seen s = {0};
    tl_http_request *r = start("/missing", (tl_http_options){0}, &s);
    run(&s.done);
    assert_null(tl_http_error(r));
    assert_int_equal(tl_http_status(r), 404);
    assert_string_equal(tl_http_body(r)->data, "no such thing");
    tl_http_free(r);
}

static void basic_auth_is_sent(void **state)
{
    (void)state;
    seen s = {0};
    tl_http_request *r = start("/auth", (tl_http_options){.username = "me", .password = "p:w"}, &s);
    run(&s.done);
    assert_string_equal(tl_http_body(r)->data, "Basic bWU6cDp3");
    tl_http_free(r);
}

static void unix_socket_serves_requests(void **state)
{
    (void)state;
    seen s = {0};
    tl_http_request *r = start("/echo", (tl_http_options){.unix_socket = t.socket}, &s);
    run(&s.done);
    assert_string_equal(tl_http_body(r)->data, "GET /echo none 0\n");
    tl_http_free(r);
}

static void resume(tl_timer *timer)
{
    tl_http_resume(timer->data);
}

static void paused_body_comes_again_whole(void **state)
{
    (void)state;
    seen plain = {0}, s = {.pause_at = 1000};
    tl_http_request *r = start("/bytes/5000000", (tl_http_options){.on_body = on_body}, &plain);
    run(&plain.done);
    tl_http_free(r);
    r = start("/bytes/5000000", (tl_http_options){.on_body = on_body, .http1 = 1}, &s);
    tl_error err = {0};
    int resumed = 0;
    while (!s.done) {
        assert_true(tl_loop_step(t.loop, s.pauses > resumed ? 0 : 5000, &err) >= 0);
        if (s.pauses == resumed) continue;
        size_t held = s.bytes;
        tl_loop_step(t.loop, 20, &err);
        assert_int_equal(s.bytes, held); /* nothing comes while paused */
        tl_timer later = {.on_due = resume, .data = r};
        tl_timer_start(t.loop, &later, 1);
        while (later.slot) tl_loop_step(t.loop, 5, &err);
        resumed++;
    }
    assert_true(s.pauses >= 3);
    assert_int_equal(s.bytes, 5000000);
    assert_int_equal(s.sum, plain.sum);
    tl_http_free(r);
}

static void streamed_upload_pauses_and_finishes(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        seen s = {.send_left = 3000000};
        tl_http_options o = {.method = "POST", .read_body = read_body, .body_size = known ? 3000000 : -1};
        tl_http_request *r = start("/echo", o, &s);
        tl_error err = {0};
        for (int i = 0; !s.pauses && i < 100; i++) tl_loop_step(t.loop, 100, &err);
        assert_true(s.pauses);
        tl_loop_step(t.loop, 20, &err);
        assert_int_equal(s.send_left, 3000000);
        tl_http_resume(r);
        run(&s.done);
        assert_null(tl_http_error(r));
        assert_non_null(strstr(tl_http_body(r)->data, "POST /echo none 3000000\nxxx"));
        tl_http_free(r);
    }
}

static void assert_fails(const char *path, tl_http_options o, const char *kind, const char *words)
{
    seen s = {0};
    tl_http_request *r = start(path, o, &s);
    run(&s.done);
    assert_non_null(tl_http_error(r));
    assert_string_equal(tl_http_error(r)->kind, kind);
    if (!strstr(tl_http_error(r)->message, words)) fail_msg("message: %s", tl_http_error(r)->message);
    tl_http_free(r);
    assert_loop_empties();
}

static void failures_have_kinds_and_names(void **state)
{
    (void)state;
    assert_fails("/silent", (tl_http_options){.timeout_ms = 100}, "timeout", "did not finish");
    assert_fails("/stall", (tl_http_options){.idle_timeout_ms = 200}, "timeout", "silent");
    assert_fails("/cut", (tl_http_options){0}, "closed", "closed the connection");
    assert_fails("/bytes/100000", (tl_http_options){.max_body = 1000}, "too_large", "1000 bytes");
    assert_fails("/echo", (tl_http_options){.unix_socket = "/nonexistent/s"}, "connect", "/nonexistent/s: No such file");
    char saved[64];
    strcpy(saved, t.url);
    strcpy(t.url, "http://127.0.0.1:1");
    assert_fails("/", (tl_http_options){0}, "connect", "127.0.0.1:1: Connection refused");
    snprintf(t.url, sizeof t.url, "https://127.0.0.1:%d", t.port);
    assert_fails("/", (tl_http_options){0}, "tls", "no secure connection");
    strcpy(t.url, "http://does-not-exist.invalid");
    assert_fails("/", (tl_http_options){.proxy = ""}, "dns", "does-not-exist.invalid");
    strcpy(t.url, saved);
}

static void bad_url_is_refused_at_once(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_http_options o = {.url = "http://[broken"};
    assert_null(tl_http_start(t.net, &o, &err));
    assert_string_equal(err.kind, "usage");
    tl_error_dispose(&err);
}

static void cancel_leaves_the_loop_empty(void **state)
{
    (void)state;
    seen s = {0};
    tl_error err = {0};
    tl_http_request *r = start("/stall", (tl_http_options){.on_body = on_body}, &s);
    while (!s.bytes) tl_loop_step(t.loop, 1000, &err);
    tl_http_cancel(r);
    assert_loop_empties();
    assert_int_equal(s.done, 0);
    tl_http_free(r);
    r = start("/echo", (tl_http_options){0}, &s); /* taken out before its first step */
    tl_http_free(r);
    assert_loop_empties();
    assert_int_equal(s.done, 0);
}

static tl_http_request *other;

static int cancel_both(tl_http_request *request, const char *bytes, size_t length, void *data)
{
    (void)bytes;
    ((seen *)data)->bytes += length;
    tl_http_free(other);
    tl_http_free(request);
    return 0;
}

static void free_inside_callbacks_is_safe(void **state)
{
    (void)state;
    seen s = {0}, s2 = {0};
    tl_error err = {0};
    other = start("/silent", (tl_http_options){0}, &s2);
    start("/bytes/100000", (tl_http_options){.on_body = cancel_both}, &s);
    while (!s.bytes) tl_loop_step(t.loop, 1000, &err);
    assert_loop_empties();
    assert_int_equal(s.done + s2.done, 0);
    seen s3 = {0};
    s3.free_in_done = start("/echo", (tl_http_options){0}, &s3);
    run(&s3.done);
    assert_loop_empties();
}

static void net_freed_before_request_is_safe(void **state)
{
    (void)state;
    seen s = {0};
    tl_http_request *r = start("/silent", (tl_http_options){0}, &s);
    tl_net_free(t.net);
    t.net = NULL;
    tl_http_free(r);
    assert_int_equal(tl_loop_active(t.loop), 0);
}

/* Streams */

static int connected;
static char got[1 << 16];
static size_t got_len;
static int ended;

static void on_connect(tl_stream *stream, void *data)
{
    (void)stream;
    (void)data;
    connected = 1;
}

static void on_readable(tl_stream *stream, void *data)
{
    (void)data;
    tl_error err = {0};
    int64_t n = tl_stream_read(stream, got + got_len, 16, &err); /* in small bites: the rest must come too */
    if (n > 0) got_len += (size_t)n;
    if (n == 0) ended = 1;
    if (n < 0) assert_string_equal(err.kind, "again");
    tl_error_dispose(&err);
}

static tl_stream *open_stream(const char *socket)
{
    tl_error err = {0};
    connected = ended = 0;
    got_len = 0;
    memset(got, 0, sizeof got);
    tl_stream_options o = {.url = t.url, .unix_socket = socket, .on_connect = on_connect, .on_readable = on_readable};
    tl_stream *s = tl_stream_open(t.net, &o, &err);
    assert_non_null(s);
    run(&connected);
    return s;
}

static void stream_speaks_raw_bytes(void **state)
{
    (void)state;
    const char *sockets[] = {NULL, t.socket};
    for (int i = 0; i < 2; i++) {
        tl_error err = {0};
        tl_stream *s = open_stream(sockets[i]);
        assert_null(tl_stream_error(s));
        const char *text = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert_int_equal(tl_stream_write(s, text, strlen(text), &err), strlen(text));
        run(&ended);
        assert_non_null(strstr(got, "HTTP/1.1 200 OK"));
        assert_non_null(strstr(got, "GET /echo none 0\n"));
        tl_stream_free(s);
        assert_loop_empties();
    }
}

static void stream_paused_reads_nothing_until_resumed(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_stream *s = open_stream(NULL);
    tl_stream_pause(s, 1);
    const char *text = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    tl_stream_write(s, text, strlen(text), &err);
    for (int i = 0; i < 5; i++) tl_loop_step(t.loop, 20, &err);
    assert_int_equal(got_len, 0);
    tl_stream_pause(s, 0);
    run(&ended);
    assert_non_null(strstr(got, "GET /echo none 0\n"));
    tl_stream_free(s);
}

static void stream_to_nowhere_says_so(void **state)
{
    (void)state;
    tl_stream *s = open_stream("/nonexistent/s");
    assert_non_null(tl_stream_error(s));
    assert_string_equal(tl_stream_error(s)->kind, "connect");
    tl_stream_free(s);
    assert_loop_empties();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_net, close_net)
    const struct CMUnitTest tests[] = {
        CASE(get_answers_with_status_headers_body),
        CASE(body_with_nul_arrives_whole),
        CASE(post_sends_body_and_type),
        CASE(redirect_is_followed_when_asked),
        CASE(http_error_status_is_no_failure),
        CASE(basic_auth_is_sent),
        CASE(unix_socket_serves_requests),
        CASE(paused_body_comes_again_whole),
        CASE(streamed_upload_pauses_and_finishes),
        CASE(failures_have_kinds_and_names),
        CASE(bad_url_is_refused_at_once),
        CASE(cancel_leaves_the_loop_empty),
        CASE(free_inside_callbacks_is_safe),
        CASE(net_freed_before_request_is_safe),
        CASE(stream_speaks_raw_bytes),
        CASE(stream_paused_reads_nothing_until_resumed),
        CASE(stream_to_nowhere_says_so),
    };
    alarm(120); /* a lost answer fails here instead of stopping all tests */
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
