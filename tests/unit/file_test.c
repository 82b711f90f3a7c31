/* Files and trees on disk; text with escape sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ansi.h"
#include "base/file.h"
#include "base/folder.h"

static char folder[] = "/tmp/tl-file-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return tl_file_remove(folder, NULL) < 0;
}

static int mode_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static void file_write_then_read_gives_the_bytes(void **state)
{
    (void)state;
    const char *path = in_folder("a");
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    assert_int_equal(tl_file_read(path, &out, NULL), 0);
    assert_int_equal(tl_file_write(path, "x\0y", 3, 0600, NULL), 0);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(tl_file_write(path, "more", 4, -1, NULL), 0);
    assert_int_equal(mode_of(path), 0600); /* a private file stays private */
    assert_int_equal(tl_file_append(path, "!\n", 2, -1, NULL), 0);
    assert_int_equal(tl_file_read(path, &out, NULL), 1);
    assert_string_equal(out.data, "more!\n");
    tl_buf_dispose(&out);
}

static void file_read_past_the_limit_is_an_error(void **state)
{
    (void)state;
    const char *path = in_folder("large");
    char *bytes = calloc(1, 200000);
    tl_buf exact = TL_BUF_INIT(200000), small = TL_BUF_INIT(199999);
    tl_error err = {0};
    assert_int_equal(tl_file_write(path, bytes, 200000, -1, NULL), 0);
    assert_int_equal(tl_file_read(path, &exact, NULL), 1);
    assert_int_equal(exact.len, 200000);
    assert_int_equal(tl_file_read(path, &small, &err), -1);
    assert_string_equal(err.kind, "limit");
    assert_int_equal(tl_file_read(folder, &exact, &err), -1);
    tl_error_dispose(&err);
    tl_buf_dispose(&exact);
    tl_buf_dispose(&small);
    free(bytes);
}

static void file_write_through_a_link_keeps_the_link(void **state)
{
    (void)state;
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    assert_int_equal(tl_file_write(in_folder("target"), "old", 3, -1, NULL), 0);
    assert_int_equal(symlink("target", in_folder("link")), 0);
    assert_int_equal(tl_file_write(in_folder("link"), "new", 3, -1, NULL), 0);
    assert_int_equal(tl_file_read(in_folder("target"), &out, NULL), 1);
    assert_string_equal(out.data, "new");
    tl_buf_dispose(&out);
}

static void file_write_into_no_folder_names_the_path(void **state)
{
    (void)state;
    tl_error err = {0};
    assert_int_equal(tl_file_write(in_folder("none/a"), "x", 1, -1, &err), -1);
    assert_string_equal(err.kind, "not_found");
    assert_non_null(strstr(err.message, "none/a"));
    tl_error_dispose(&err);
}

static void file_mkdirs_and_remove_tree(void **state)
{
    (void)state;
    tl_error err = {0};
    assert_int_equal(tl_file_mkdirs(in_folder("t/u//v"), 0755, NULL), 0);
    assert_int_equal(tl_file_mkdirs(in_folder("t/u/v/"), 0755, NULL), 0);
    assert_int_equal(tl_file_write(in_folder("kept"), "x", 1, -1, NULL), 0);
    assert_int_equal(symlink(in_folder("kept"), in_folder("t/u/link")), 0);
    assert_int_equal(symlink("/", in_folder("t/u/root")), 0);
    assert_int_equal(tl_file_mkdirs(in_folder("kept/x"), 0755, &err), -1);
    assert_int_equal(tl_file_remove(in_folder("t"), NULL), 1);
    assert_int_equal(tl_file_remove(in_folder("t"), NULL), 0);
    assert_int_equal(mode_of(in_folder("t")), -1);
    assert_true(mode_of(in_folder("kept")) > 0);
    tl_error_dispose(&err);
}

static void folder_list_is_sorted_and_complete(void **state)
{
    (void)state;
    char path[96], name[160];
    tl_folder_entry *entries;
    size_t count;
    tl_arena *arena = tl_arena_new(0);
    snprintf(path, sizeof path, "%s/many", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(tl_folder_list_path(path, arena, &entries, &count), 0);
    assert_int_equal(count, 0);
    /* More than one read of the system's gives. */
    for (int i = 1499; i >= 0; i--) {
        snprintf(name, sizeof name, "%s/entry-with-a-name-of-some-length-%04d", path, i);
        if (i % 3)
            assert_int_equal(tl_file_write(name, "x", 1, -1, NULL), 0);
        else
            assert_int_equal(i % 2 ? mkdir(name, 0700) : symlink("nowhere", name), 0);
    }
    assert_int_equal(tl_folder_list_path(path, arena, &entries, &count), 0);
    assert_int_equal(count, 1500);
    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof name, "entry-with-a-name-of-some-length-%04d", i);
        assert_string_equal(entries[i].name, name);
        if (entries[i].type != DT_UNKNOWN) assert_int_equal(entries[i].type, i % 3 ? DT_REG : i % 2 ? DT_DIR : DT_LNK);
    }
    snprintf(name, sizeof name, "%s/none", folder);
    errno = 0;
    assert_int_equal(tl_folder_list_path(name, arena, &entries, &count), -1);
    assert_int_equal(errno, ENOENT);
    tl_arena_free(arena);
}

static void file_lock_tells_who_has_it(void **state)
{
    (void)state;
    pid_t holder;
    tl_error err = {0};
    int fd = tl_file_lock(in_folder("lock"), &holder, NULL);
    assert_true(fd >= 0);
    assert_int_equal(tl_file_lock(in_folder("lock"), &holder, &err), -1);
    assert_string_equal(err.kind, "locked");
    assert_int_equal(holder, getpid());
    close(fd);
    fd = tl_file_lock(in_folder("lock"), &holder, NULL);
    assert_true(fd >= 0);
    close(fd);
    tl_error_dispose(&err);
}

static void check_clean(const char *text, const char *want)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    tl_ansi_clean(&out, text, strlen(text));
    assert_string_equal(out.data, want);
    tl_buf_dispose(&out);
}

static void ansi_clean_leaves_text_only(void **state)
{
    (void)state;
    check_clean("a\x1b[31;1mb\x1b[0m\tc\n", "ab\tc\n");
    check_clean("x\x1b]0;title\x07y\x1b]8;;http://a\x1b\\z", "xyz");
    check_clean("\x1bPq#0\x1b\\a\x1b(Bb\x1b" "c!", "ab!");
    check_clean("a\x08\r\x7f\xC2\x9B" "31mb", "a31mb");
    check_clean("\xff" "a\xE2\x80\xAE" "b", "\xEF\xBF\xBD" "ab");
    check_clean("cut\x1b[31", "cut");
    check_clean("cut\x1b", "cut");
}

static void check_cut(const char *text, int columns, const char *want)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    tl_ansi_truncate(&out, text, strlen(text), columns);
    assert_string_equal(out.data, want);
    assert_true(tl_ansi_width(out.data, out.len) <= columns);
    tl_buf_dispose(&out);
}

static void ansi_truncate_counts_columns(void **state)
{
    (void)state;
    check_cut("hello", 5, "hello");
    check_cut("hello!", 5, "hell…");
    check_cut("日本語", 5, "日本…");
    check_cut("日本語", 6, "日本語");
    check_cut("\x1b[1mhello!\x1b[0m", 4, "\x1b[1mhel…\x1b[0m");
    check_cut("abc", 1, "…");
    check_cut("abc", 0, "");
    assert_int_equal(tl_ansi_width("\x1b[1mé日\x1b[0m", 13), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_write_then_read_gives_the_bytes),
        cmocka_unit_test(file_read_past_the_limit_is_an_error),
        cmocka_unit_test(file_write_through_a_link_keeps_the_link),
        cmocka_unit_test(file_write_into_no_folder_names_the_path),
        cmocka_unit_test(file_mkdirs_and_remove_tree),
        cmocka_unit_test(folder_list_is_sorted_and_complete),
        cmocka_unit_test(file_lock_tells_who_has_it),
        cmocka_unit_test(ansi_clean_leaves_text_only),
        cmocka_unit_test(ansi_truncate_counts_columns),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
