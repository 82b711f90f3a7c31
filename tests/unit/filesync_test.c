/* What is told and given to BuildKit of a context: which files, in which order, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/protobuf.h"
#include "docker/filesync.h"
#include "folder.h"

static tl_context *open_context(const tl_named_bytes *files, size_t count)
{
    tl_error err = {0};
    const tl_context_options o = {.dir = dir, .files = files, .file_count = count};
    tl_context *context = tl_context_open(&o, &err);
    if (!context) fail_msg("%s", err.message);
    return context;
}

/* A packet in words: "stat PATH MODE SIZE TARGET", "data ID TEXT", "end of stats", "finish". */
static void add_words(tl_buf *out, const tl_buf *packet, uint64_t *time)
{
    tl_protobuf in = tl_protobuf_of(packet->data, packet->len), stat = {0}, data = {0};
    uint64_t type = 0, id = 0, mode = 0, size = 0;
    tl_protobuf path = {0}, target = {0};
    for (tl_protobuf_field f; tl_protobuf_next(&in, &f);) {
        if (f.number == 1) type = f.value;
        if (f.number == 2) stat = f.bytes;
        if (f.number == 3) id = f.value;
        if (f.number == 4) data = f.bytes;
    }
    for (tl_protobuf_field f; stat.at && tl_protobuf_next(&stat, &f);) {
        if (f.number == 1) path = f.bytes;
        if (f.number == 2) mode = f.value;
        if (f.number == 5) size = f.value;
        if (f.number == 6 && time) *time = f.value;
        if (f.number == 7) target = f.bytes;
    }
    if (type == 0 && !path.at) tl_buf_adds(out, "end of stats\n");
    if (type == 0 && path.at)
        tl_buf_addf(out, "stat %.*s %llo %llu %.*s\n", (int)tl_protobuf_length(path), path.at, (unsigned long long)mode,
                    (unsigned long long)size, (int)tl_protobuf_length(target), target.at ? (const char *)target.at : "");
    if (type == 2) tl_buf_addf(out, "data %d %.*s\n", (int)id, (int)tl_protobuf_length(data), data.at ? (const char *)data.at : "");
    if (type == 3) tl_buf_adds(out, "finish\n");
}

/* All that is given now. */
static void drain(tl_filesync *sync, tl_buf *out)
{
    tl_error err = {0};
    tl_buf packet = TL_BUF_INIT(SIZE_MAX);
    int given;
    while ((given = tl_filesync_give(sync, &packet, &err)) > 0) add_words(out, &packet, NULL);
    if (given < 0) tl_buf_addf(out, "failure: %s\n", err.message);
    tl_error_dispose(&err);
    tl_buf_dispose(&packet);
}

static int take(tl_filesync *sync, uint64_t type, uint64_t id, const char *text, tl_error *err)
{
    tl_buf packet = TL_BUF_INIT(SIZE_MAX);
    tl_protobuf_add_number(&packet, 1, type);
    tl_protobuf_add_number(&packet, 3, id);
    if (text) tl_protobuf_add_bytes(&packet, 4, text, strlen(text));
    int rc = tl_filesync_take(sync, packet.data, packet.len, err);
    tl_buf_dispose(&packet);
    return rc;
}

static void files_are_told_in_fsutils_order_and_given_when_asked_for(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    char link[128];
    put("a/b", "in a");
    put("a.txt", "beside a");
    put("a-c/d", "x");
    snprintf(link, sizeof link, "%s/z", dir);
    assert_int_equal(symlink("a.txt", link), 0);
    /* One replaces a file, one is in a folder that is there, one in one that is not. */
    const tl_named_bytes files[] = {{"a.txt", "new", 3}, {"a/added", "", 0}, {"m/n/o", "12345", 5}};
    tl_context *context = open_context(files, 3);
    tl_filesync *sync = tl_filesync_context(context, NULL, 0, &err);
    assert_non_null(sync);
    drain(sync, &out);
    assert_string_equal(out.data,
                        "stat a 20000000755 0 \nstat a/added 644 0 \nstat a/b 644 4 \nstat a-c 20000000755 0 \nstat a-c/d 644 1 \n"
                        "stat a.txt 644 3 \nstat m 20000000755 0 \nstat m/n 20000000755 0 \nstat m/n/o 644 5 \n"
                        "stat z 1000000777 5 a.txt\nend of stats\n");
    tl_buf_clear(&out);
    assert_int_equal(take(sync, 1, 2, NULL, &err), 0);
    assert_int_equal(take(sync, 1, 1, NULL, &err), 0);
    assert_int_equal(take(sync, 1, 8, NULL, &err), 0);
    drain(sync, &out);
    assert_string_equal(out.data, "data 2 in a\ndata 2 \ndata 1 \ndata 8 12345\ndata 8 \n");
    assert_int_equal(tl_filesync_sent(sync), 9);
    assert_int_equal(tl_filesync_done(sync), 0);
    tl_buf_clear(&out);
    assert_int_equal(take(sync, 3, 0, NULL, &err), 0);
    drain(sync, &out);
    assert_string_equal(out.data, "finish\n");
    assert_int_equal(tl_filesync_done(sync), 1);
    tl_buf_dispose(&out);
    tl_filesync_free(sync);
    tl_context_free(context);
}

static void what_is_asked_for_wrongly_is_refused(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    put("a/b", "text");
    tl_context *context = open_context(NULL, 0);
    tl_filesync *sync = tl_filesync_context(context, NULL, 0, &err);
    assert_int_equal(take(sync, 1, 0, NULL, &err), -1); /* told of nothing yet */
    tl_error_dispose(&err);
    drain(sync, &out);
    assert_int_equal(take(sync, 1, 0, NULL, &err), -1); /* a folder */
    assert_string_equal(err.kind, "parse");
    tl_error_dispose(&err);
    assert_int_equal(take(sync, 1, (uint64_t)1 << 40, NULL, &err), -1);
    tl_error_dispose(&err);
    assert_int_equal(take(sync, 4, 0, "disk full", &err), -1);
    assert_string_equal(err.message, "BuildKit cannot take the files: disk full");
    tl_error_dispose(&err);
    assert_int_equal(take(sync, 77, 0, NULL, &err), 0);
    tl_buf_dispose(&out);
    tl_filesync_free(sync);
    tl_context_free(context);
}

static void changed(const char *text, tl_buf *out)
{
    tl_error err = {0};
    put("file", "0123456789");
    tl_context *context = open_context(NULL, 0);
    tl_filesync *sync = tl_filesync_context(context, NULL, 0, &err);
    drain(sync, out);
    put("file", text);
    tl_buf_clear(out);
    assert_int_equal(take(sync, 1, 0, NULL, &err), 0);
    drain(sync, out);
    tl_filesync_free(sync);
    tl_context_free(context);
}

static void file_of_another_length_than_told_is_a_failure(void **state)
{
    (void)state;
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    changed("012345678", &out);
    assert_non_null(strstr(out.data, "/file was written to while it was sent\n"));
    changed("0123456789a", &out);
    assert_non_null(strstr(out.data, "/file was written to while it was sent\n"));
    tl_buf_dispose(&out);
}

static void expect_followed(const char *const *paths, size_t count, const char *wanted)
{
    tl_error err = {0};
    tl_buf out = TL_BUF_INIT(SIZE_MAX), packet = TL_BUF_INIT(SIZE_MAX), names = TL_BUF_INIT(SIZE_MAX);
    tl_context *context = open_context(NULL, 0);
    tl_filesync *sync = tl_filesync_context(context, paths, count, &err);
    drain(sync, &out);
    for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n"))
        if (!strncmp(line, "stat ", 5)) tl_buf_addf(&names, "%.*s ", (int)strcspn(line + 5, " "), line + 5);
    assert_string_equal(names.data, wanted);
    tl_buf_dispose(&out);
    tl_buf_dispose(&packet);
    tl_buf_dispose(&names);
    tl_filesync_free(sync);
    tl_context_free(context);
}

static void only_what_a_build_copies_is_told_of(void **state)
{
    (void)state;
    char link[128];
    put("src/a/b", "1");
    put("src/ab", "1");
    put("srcs/x", "1");
    put("top", "1");
    put(".dockerignore", "src/no\n!src/no/yes\n");
    put("src/no/yes", "1");
    put("src/no/not", "1");
    const char *const all = ".dockerignore src src/a src/a/b src/ab src/no src/no/yes srcs srcs/x top ";
    expect_followed((const char *const[]){"src/a"}, 1, "src src/a src/a/b ");
    expect_followed((const char *const[]){"/src/a/", "./top"}, 2, "src src/a src/a/b top ");
    expect_followed((const char *const[]){"src/a*"}, 1, "src src/a src/a/b src/ab src/no src/no/yes ");
    expect_followed((const char *const[]){"src/a/b", "none"}, 2, "src src/a src/a/b ");
    expect_followed((const char *const[]){".dockerignore"}, 1, ".dockerignore ");
    expect_followed((const char *const[]){"*"}, 1, all);
    expect_followed((const char *const[]){"top", "/"}, 2, all);
    expect_followed((const char *const[]){"src/../.."}, 1, all);
    expect_followed(NULL, 0, all);
    snprintf(link, sizeof link, "%s/way", dir);
    assert_int_equal(symlink("src", link), 0);
    const char *const linked = ".dockerignore src src/a src/a/b src/ab src/no src/no/yes srcs srcs/x top way ";
    expect_followed((const char *const[]){"way/a"}, 1, linked);
    expect_followed((const char *const[]){"way"}, 1, linked);
}

static uint64_t time_of_file(void)
{
    tl_error err = {0};
    tl_buf packet = TL_BUF_INIT(SIZE_MAX), out = TL_BUF_INIT(SIZE_MAX);
    uint64_t time = 0;
    tl_context *context = open_context(NULL, 0);
    tl_filesync *sync = tl_filesync_context(context, NULL, 0, &err);
    assert_int_equal(tl_filesync_give(sync, &packet, &err), 1);
    add_words(&out, &packet, &time);
    assert_string_equal(out.data, "stat file 644 4 \n");
    tl_buf_dispose(&packet);
    tl_buf_dispose(&out);
    tl_filesync_free(sync);
    tl_context_free(context);
    return time;
}

static void written_file_has_another_time_of_the_same_second(void **state)
{
    (void)state;
    struct timespec times[2];
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/file", dir);
    put("file", "1234");
    assert_int_equal(stat(path, &st), 0);
    uint64_t first = time_of_file();
    assert_true(first == time_of_file());
    assert_true(first / 1000000000 == TL_CONTEXT_TIME);
    usleep(20000); /* as exact as the kernel's clock for files */
    put("file", "4321");
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    uint64_t second = time_of_file();
    assert_true(first != second);
    assert_true(second / 1000000000 == TL_CONTEXT_TIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_told_in_fsutils_order_and_given_when_asked_for, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_asked_for_wrongly_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(file_of_another_length_than_told_is_a_failure, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(only_what_a_build_copies_is_told_of, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(written_file_has_another_time_of_the_same_second, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
