/* Build contexts: which files, in which form, as a stream and as a hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "data/tar.h"
#include "docker/context.h"
#include "folder.h"

static tl_context *open_context(const char *dockerfile)
{
    tl_error err = {0};
    tl_context_options o = {.dir = dir, .dockerfile = dockerfile};
    tl_context *c = tl_context_open(&o, &err);
    if (!c) fail_msg("%s", err.message);
    return c;
}

static void read_all(tl_context *c, size_t piece, tl_buf *out)
{
    tl_error err = {0};
    int64_t got;
    do {
        char *room = tl_buf_reserve(out, piece);
        got = tl_context_read(c, room, piece, &err);
        if (got < 0) fail_msg("%s", err.message);
        tl_buf_add_len(out, (size_t)got);
    } while (got > 0);
    assert_int_equal(tl_context_sent(c), (int64_t)out->len);
}

static int list_entry(void *context, const tl_tar_entry *entry, const void *bytes, tl_error *err)
{
    (void)err;
    tl_buf *list = context;
    assert_int_equal(entry->mtime, 946684800);
    if (entry->kind == TL_TAR_DIR) tl_buf_addf(list, "%s/ ", entry->path);
    if (entry->kind == TL_TAR_SYMLINK) tl_buf_addf(list, "%s->%s ", entry->path, entry->target);
    if (entry->kind != TL_TAR_FILE) return 0;
    tl_buf_addf(list, "%s%s=", entry->path, entry->mode == 0755 ? "*" : entry->mode == 0644 ? "" : "?");
    tl_buf_add(list, bytes, (size_t)entry->size);
    tl_buf_addc(list, ' ');
    return 0;
}

static void assert_holds(tl_context *c, const char *expected)
{
    tl_error err = {0};
    tl_buf archive = TL_BUF_INIT(SIZE_MAX), list = TL_BUF_INIT(SIZE_MAX);
    read_all(c, 1000, &archive);
    assert_int_equal(tl_tar_read(archive.data, archive.len, NULL, list_entry, &list, &err), 0);
    assert_string_equal(list.data, expected);
    tl_buf_dispose(&archive);
    tl_buf_dispose(&list);
    tl_context_free(c);
}

static void hash_of(const char *dockerfile, char hex[65])
{
    tl_error err = {0};
    tl_context *c = open_context(dockerfile);
    assert_int_equal(tl_context_hash(c, NULL, 0, hex, &err), 0);
    tl_context_free(c);
}

static void archive_is_sorted_with_plain_modes_and_links(void **state)
{
    (void)state;
    put("b/z", "2");
    put("b/a", "1");
    put("a.txt", "text");
    put("run", "#!");
    chmod(in_dir("run"), 0700);
    chmod(in_dir("a.txt"), 0600);
    assert_int_equal(symlink("b/a", in_dir("link")), 0);
    assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
    put("empty/x", "");
    unlink(in_dir("empty/x"));
    assert_holds(open_context(NULL), "a.txt=text b/ b/a=1 b/z=2 empty/ link->b/a run*=#! ");
}

static void kept_file_brings_its_ignored_folders(void **state)
{
    (void)state;
    put(".dockerignore", "*\n!deep/er/est/kept\n");
    put("deep/er/est/kept", "k");
    put("deep/er/other", "o");
    put("deep/a", "a");
    assert_holds(open_context(NULL), "deep/ deep/er/ deep/er/est/ deep/er/est/kept=k ");
}

static void dockerfile_that_is_ignored_is_sent_hidden(void **state)
{
    (void)state;
    char path[512];
    put("Dockerfile", "FROM x");
    put("a", "1");
    snprintf(path, sizeof path, "%s", in_dir("Dockerfile"));
    tl_context *c = open_context(path);
    assert_string_equal(tl_context_dockerfile(c), "Dockerfile");
    assert_holds(c, "Dockerfile=FROM x a=1 ");
    put(".dockerignore", "Dockerfile\n");
    c = open_context(path);
    assert_string_equal(tl_context_dockerfile(c), ".dockerfile.todo-lua");
    assert_holds(c, "a=1 .dockerignore=Dockerfile\n\n.dockerfile.todo-lua\n .dockerfile.todo-lua=FROM x ");
    put(".dockerignore", ".dockerignore\nDockerfile\n");
    assert_holds(open_context(path), "a=1 .dockerignore=.dockerignore\n.dockerfile.todo-lua\n .dockerfile.todo-lua=FROM x ");
}

static void added_files_replace_those_of_the_folder(void **state)
{
    (void)state;
    put("a", "old");
    put("b", "b");
    tl_error err = {0};
    const tl_named_bytes files[] = {{"a", "new\n", 4}, {"sub/c", "", 0}};
    tl_context_options o = {.dir = dir, .files = files, .file_count = 2};
    tl_context *c = tl_context_open(&o, &err);
    assert_non_null(c);
    assert_holds(c, "b=b a=new\n sub/c= ");
}

static void pieces_of_any_size_are_the_same_archive(void **state)
{
    (void)state;
    char name[32], text[4000];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "dir%d/file%d", i % 4, i);
        text[i * 130] = 0;
        put(name, text);
        text[i * 130] = 'x';
    }
    tl_buf first = TL_BUF_INIT(SIZE_MAX);
    tl_context *c = open_context(NULL);
    read_all(c, 1 << 20, &first);
    tl_context_free(c);
    const size_t sizes[] = {1, 511, 10240, 70000};
    for (int i = 0; i < 4; i++) {
        tl_buf again = TL_BUF_INIT(SIZE_MAX);
        c = open_context(NULL);
        read_all(c, sizes[i], &again);
        assert_int_equal(again.len, first.len);
        assert_memory_equal(again.data, first.data, first.len);
        tl_context_free(c);
        tl_buf_dispose(&again);
    }
    tl_buf_dispose(&first);
}

static void large_context_takes_no_more_memory(void **state)
{
    (void)state;
    static char piece[64 << 10];
    struct rusage before, after;
    tl_error err = {0};
    put("big", "");
    assert_int_equal(truncate(in_dir("big"), 300 << 20), 0);
    tl_context *c = open_context(NULL);
    tl_context_read(c, piece, sizeof piece, &err);
    getrusage(RUSAGE_SELF, &before);
    while (tl_context_read(c, piece, sizeof piece, &err) > 0) continue;
    getrusage(RUSAGE_SELF, &after);
    assert_true(tl_context_sent(c) > 300 << 20);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 << 10);
    tl_context_free(c);
}

static void file_that_shrinks_is_an_error(void **state)
{
    (void)state;
    static char piece[1000];
    tl_error err = {0};
    put("big", "");
    assert_int_equal(truncate(in_dir("big"), 4 << 20), 0);
    tl_context *c = open_context(NULL);
    assert_true(tl_context_read(c, piece, sizeof piece, &err) > 0);
    assert_int_equal(truncate(in_dir("big"), 1), 0);
    int64_t got;
    while ((got = tl_context_read(c, piece, sizeof piece, &err)) > 0) continue;
    assert_int_equal(got, -1);
    assert_non_null(strstr(err.message, "became shorter"));
    tl_error_dispose(&err);
    tl_context_free(c);
}

static void hash_follows_content_and_not_the_machine(void **state)
{
    (void)state;
    char dockerfile[512], one[65], two[65];
    put("Dockerfile", "FROM x");
    put("a", "1");
    put(".dockerignore", "junk\n");
    snprintf(dockerfile, sizeof dockerfile, "%s", in_dir("Dockerfile"));
    hash_of(dockerfile, one);
    put("junk", "j");
    chmod(in_dir("a"), 0600);
    hash_of(dockerfile, two);
    assert_string_equal(one, two);
    chmod(in_dir("a"), 0700);
    hash_of(dockerfile, two);
    assert_string_not_equal(one, two);
    chmod(in_dir("a"), 0644);
    rename(in_dir("a"), in_dir("c"));
    hash_of(dockerfile, two);
    assert_string_not_equal(one, two);
    rename(in_dir("c"), in_dir("a"));
    hash_of(dockerfile, two);
    assert_string_equal(one, two);
    put(".dockerignore", "junk\nDockerfile\n.dockerignore\n");
    hash_of(dockerfile, one);
    put("Dockerfile", "FROM y");
    hash_of(dockerfile, two);
    assert_string_not_equal(one, two);
}

static void assert_refused(tl_context_options o, const char *kind, const char *words)
{
    tl_error err = {0};
    assert_null(tl_context_open(&o, &err));
    assert_string_equal(err.kind, kind);
    if (!strstr(err.message, words)) fail_msg("message: %s", err.message);
    tl_error_dispose(&err);
}

static void what_is_not_there_is_named(void **state)
{
    (void)state;
    put("file", "x");
    assert_refused((tl_context_options){.dir = "/nonexistent/x"}, "not_found", "/nonexistent/x");
    assert_refused((tl_context_options){.dir = in_dir("file")}, "usage", "no folder");
    assert_refused((tl_context_options){.dir = dir, .dockerfile = "/nonexistent/D"}, "not_found", "/nonexistent/D");
    assert_refused((tl_context_options){.dir = dir, .ignore_file = "/nonexistent/i"}, "not_found", "/nonexistent/i");
    put(".dockerignore", "ok\n[broken\n");
    assert_refused((tl_context_options){.dir = dir}, "parse", ".dockerignore: syntax error in the ignore pattern \"[broken\"");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        CASE(archive_is_sorted_with_plain_modes_and_links),
        CASE(kept_file_brings_its_ignored_folders),
        CASE(dockerfile_that_is_ignored_is_sent_hidden),
        CASE(added_files_replace_those_of_the_folder),
        CASE(pieces_of_any_size_are_the_same_archive),
        CASE(large_context_takes_no_more_memory),
        CASE(file_that_shrinks_is_an_error),
        CASE(hash_follows_content_and_not_the_machine),
        CASE(what_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
