/* The redactor and the store of secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/base64.h"
#include "secret/redact.h"
#include "secret/store.h"

static void check(tl_redactor *r, const char *text, const char *want)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    tl_redact(r, text, strlen(text), &out);
    assert_string_equal(out.data, want);
    tl_buf_dispose(&out);
}

static tl_redactor *knowing(const char *secret)
{
    tl_redactor *r = tl_redactor_new();
    tl_redactor_add(r, secret, strlen(secret));
    return r;
}

static void redact_finds_every_form(void **state)
{
    (void)state;
    tl_redactor *r = knowing("p@ss word\"<1");
    check(r, "raw p@ss word\"<1.", "raw •••.");
    check(r, "url p%40ss%20word%22%3C1 p%40ss+word%22%3c1", "url ••• •••");
    check(r, "url p%40ss%20word%22%3c1 p%40ss+word%22%3C1", "url ••• •••");
    check(r, "json p@ss word\\\"<1 p@ss word\\\"\\u003c1", "json ••• •••");
    check(r, "p@ss wor", "p@ss wor");
    check(r, "p@ss word\"<1p@ss word\"<1", "••••••");
    tl_redactor_free(r);
}

static void redact_finds_base64_at_every_alignment(void **state)
{
    (void)state;
    static const char secret[] = "correct-horse?>~";
    tl_redactor *r = knowing(secret);
    for (size_t before = 0; before < 9; before++) {
        for (int url = 0; url < 2; url++) {
            char plain[64], want[64];
            tl_buf text = TL_BUF_INIT(SIZE_MAX), out = TL_BUF_INIT(SIZE_MAX);
            snprintf(plain, sizeof plain, "%.*s%s:and more", (int)before, "abcdefgh", secret);
            tl_base64_encode(&text, plain, strlen(plain), url ? TL_BASE64_URL : TL_BASE64_STD);
            tl_redact(r, text.data, text.len, &out);
            /* at most one character on each side is shared with the neighbours */
            snprintf(want, sizeof want, "%.*s", (int)(before * 8 / 6), text.data);
            assert_memory_equal(out.data, want, strlen(want));
            assert_non_null(strstr(out.data, TL_REDACTED));
            assert_true(out.len <= text.len - (sizeof secret - 1) * 8 / 6 + strlen(TL_REDACTED) + 2);
            tl_buf_dispose(&text);
            tl_buf_dispose(&out);
        }
    }
    tl_redactor_free(r);
}

static void redact_short_secrets_are_left(void **state)
{
    (void)state;
    tl_redactor *r = knowing("12345");
    check(r, "x 12345 y", "x 12345 y");
    tl_redactor_add(r, "123456", 6);
    check(r, "x 123456 y", "x ••• y");
    tl_redactor_free(r);
}

static void redact_longest_secret_wins(void **state)
{
    (void)state;
    tl_redactor *r = knowing("secret");
    tl_redactor_add(r, "secret-and-more", 15);
    check(r, "secret-and-more secret-and-less", "••• •••-and-less");
    tl_redactor_free(r);
}

static void redact_lines_of_a_key_count_one_by_one(void **state)
{
    (void)state;
    tl_redactor *r = knowing("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEA\n-----END KEY-----\n");
    check(r, "  -----BEGIN KEY-----\n  MIIEvQIBADANBgkqhkiG9w0B\n", "  -----BEGIN KEY-----\n  •••\n");
    tl_redactor_free(r);
}

/* Feeds the text split at `cut`. */
static void check_split(tl_redactor *r, const char *text, size_t cut, const char *want)
{
    tl_redact_stream stream;
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    tl_redact_stream_init(&stream, r);
    tl_redact_stream_feed(&stream, text, cut, &out);
    tl_redact_stream_feed(&stream, text + cut, strlen(text) - cut, &out);
    tl_redact_stream_flush(&stream, &out);
    assert_string_equal(out.data, want);
    tl_redact_stream_dispose(&stream);
    tl_buf_dispose(&out);
}

static void redact_stream_finds_secrets_split_anywhere(void **state)
{
    (void)state;
    static const char text[] = "before topsecretvalue and dG9wc2VjcmV0dmFsdWU= after";
    tl_redactor *r = knowing("topsecretvalue");
    for (size_t cut = 0; cut < sizeof text; cut++) check_split(r, text, cut, "before ••• and ••• after");
    tl_redactor_free(r);
}

static void redact_stream_holds_back_only_what_may_be_a_secret(void **state)
{
    (void)state;
    tl_redactor *r = knowing("topsecretvalue");
    tl_redact_stream stream;
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    tl_redact_stream_init(&stream, r);
    tl_redact_stream_feed(&stream, "hello\n", 6, &out);
    assert_string_equal(out.data, "hello\n");
    tl_redact_stream_feed(&stream, "tops", 4, &out);
    assert_int_equal(out.len, 6);
    tl_redact_stream_feed(&stream, "oil", 3, &out);
    assert_string_equal(out.data, "hello\ntopsoil");
    tl_redact_stream_feed(&stream, "topsecret", 9, &out);
    tl_redact_stream_flush(&stream, &out);
    assert_string_equal(out.data, "hello\ntopsoiltopsecret");
    tl_redact_stream_dispose(&stream);
    tl_buf_dispose(&out);
    tl_redactor_free(r);
}

static char folder[] = "/tmp/tl-store-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/secrets.json", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return tl_file_remove(folder, NULL) < 0;
}

static void store_keeps_secrets_in_a_private_file(void **state)
{
    (void)state;
    tl_secret_store *store;
    size_t length;
    struct stat st;
    assert_int_equal(tl_secret_store_open(path, &store, NULL), 0);
    assert_null(tl_secret_store_get(store, "b", &length));
    assert_int_equal(tl_secret_store_set(store, "b", "x\0\"y", 4, NULL), 0);
    assert_int_equal(tl_secret_store_set(store, "a", "one", 3, NULL), 0);
    assert_int_equal(tl_secret_store_set(store, "a", "two", 3, NULL), 0);
    assert_int_equal(tl_secret_store_set(store, "c", "gone", 4, NULL), 0);
    assert_int_equal(tl_secret_store_set(store, "c", NULL, 0, NULL), 0);
    assert_int_equal(tl_secret_store_set(store, "d", "\xff", 1, NULL), -1);
    tl_secret_store_free(store);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(tl_secret_store_open(path, &store, NULL), 0);
    assert_string_equal(tl_secret_store_get(store, "a", &length), "two");
    assert_memory_equal(tl_secret_store_get(store, "b", &length), "x\0\"y", 4);
    assert_int_equal(length, 4);
    assert_string_equal(tl_secret_store_name(store, 1), "b");
    assert_null(tl_secret_store_name(store, 2));
    tl_secret_store_free(store);
}

static void store_refuses_files_that_others_may_read(void **state)
{
    (void)state;
    tl_secret_store *store;
    tl_error err = {0};
    assert_int_equal(tl_secret_store_open(path, &store, NULL), 0);
    assert_int_equal(tl_secret_store_set(store, "a", "one", 3, NULL), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(tl_secret_store_set(store, "a", "two", 3, &err), -1);
    tl_secret_store_free(store);
    assert_int_equal(tl_secret_store_open(path, &store, &err), -1);
    assert_string_equal(err.kind, "denied");
    assert_non_null(strstr(err.hint, "chmod 600"));
    assert_null(store);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(tl_file_write(path, "[1]", 3, -1, NULL), 0);
    assert_int_equal(tl_secret_store_open(path, &store, &err), -1);
    assert_string_equal(err.kind, "parse");
    tl_error_dispose(&err);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redact_finds_every_form),
        cmocka_unit_test(redact_finds_base64_at_every_alignment),
        cmocka_unit_test(redact_short_secrets_are_left),
        cmocka_unit_test(redact_longest_secret_wins),
        cmocka_unit_test(redact_lines_of_a_key_count_one_by_one),
        cmocka_unit_test(redact_stream_finds_secrets_split_anywhere),
        cmocka_unit_test(redact_stream_holds_back_only_what_may_be_a_secret),
        cmocka_unit_test(store_keeps_secrets_in_a_private_file),
        cmocka_unit_test(store_refuses_files_that_others_may_read),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
