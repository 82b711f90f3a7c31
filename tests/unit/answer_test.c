/* One HTTP/1.1 answer, in pieces of every size, and answers that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/answer.h"

/* Feeds in pieces of `size`; what it took of the text, or -1. */
static int64_t feed(tl_answer *answer, const char *text, size_t length, size_t size)
{
    size_t at = 0;
    while (at < length && !answer->done) {
        tl_error err = {0};
        size_t piece = length - at < size ? length - at : size;
        int64_t used = tl_answer_feed(answer, text + at, piece, &err);
        tl_error_dispose(&err);
        if (used < 0) return -1;
        at += (size_t)used;
    }
    return (int64_t)at;
}

static void answer_of_each_framing_is_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *body, *rest;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellorest", 200, "hello", "rest"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nrest", 200, "", "rest"},
        {"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\nrest", 403,
         "abc0123456789", "rest"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Up\r\nUpgrade: websocket\r\n\r\n\x82\x01", 101, "", "\x82\x01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t size = 1; size < 40; size++) {
            tl_answer answer;
            tl_answer_init(&answer, 100);
            int64_t used = feed(&answer, cases[i].text, strlen(cases[i].text), size);
            assert_true(answer.done);
            assert_int_equal(answer.status, cases[i].status);
            assert_string_equal(answer.body.data, cases[i].body);
            assert_string_equal(cases[i].text + used, cases[i].rest);
            tl_answer_dispose(&answer);
        }
}

static void answer_until_the_end_of_the_connection_needs_it(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_answer answer;
    tl_buf value = TL_BUF_INIT(100);
    tl_answer_init(&answer, 100);
    const char *text = "HTTP/1.0 500 Oh\r\nX-Why:  because \r\n\r\nall of it";
    assert_int_equal(feed(&answer, text, strlen(text), 7), strlen(text));
    assert_false(answer.done);
    assert_int_equal(tl_answer_end(&answer, &err), 0);
    assert_string_equal(answer.body.data, "all of it");
    assert_true(tl_answer_header(&answer, "x-why", &value));
    assert_string_equal(value.data, "because");
    assert_false(tl_answer_header(&answer, "why", &value));
    tl_answer_clear(&answer);
    feed(&answer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 42, 100);
    assert_int_equal(tl_answer_end(&answer, &err), -1);
    assert_string_equal(err.kind, "closed");
    tl_error_dispose(&err);
    tl_answer_dispose(&answer);
    tl_buf_dispose(&value);
}

static void answer_that_is_none_or_too_large_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 9 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n",
        ("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"
         "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789more"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tl_answer answer;
        tl_answer_init(&answer, 100);
        assert_int_equal(feed(&answer, bad[i], strlen(bad[i]), 5), -1);
        tl_answer_dispose(&answer);
    }
    tl_answer answer;
    tl_answer_init(&answer, 100);
    char head[70000];
    memset(head, 'a', sizeof head);
    memcpy(head, "HTTP/1.1 200 OK\r\nX: ", 20);
    assert_int_equal(feed(&answer, head, sizeof head, 1000), -1);
    tl_answer_dispose(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_of_each_framing_is_read_in_pieces_of_any_size),
        cmocka_unit_test(answer_until_the_end_of_the_connection_needs_it),
        cmocka_unit_test(answer_that_is_none_or_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
