/* Ignore rules against what moby's own matcher said (tests/judges/ignore writes docker/ignore.golden). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "docker/ignore.h"

#define GOLDEN "tests/unit/docker/ignore.golden"
#define MOST_PATHS 128
#define MOST_RULES 64

static char paths[MOST_PATHS][64];
static int parents[MOST_PATHS]; /* -1 at the top level */
static int path_count;

static void add_path(const char *name)
{
    assert_true(path_count < MOST_PATHS && strlen(name) < sizeof paths[0]);
    strcpy(paths[path_count], name);
    parents[path_count] = -1;
    for (int i = 0; i < path_count; i++) {
        size_t length = strlen(paths[i]);
        if (!strncmp(name, paths[i], length) && name[length] == '/' && !strchr(name + length + 1, '/')) parents[path_count] = i;
    }
    path_count++;
}

static size_t unhex(const char *hex, char *out)
{
    size_t n = 0;
    for (unsigned byte; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) out[n] = (char)byte;
    return n;
}

/* Where moby keeps something below a folder, that folder must be read. */
static void check_pruning(const tl_ignore *ignore, const char *expected, const char *text)
{
    for (int i = 0; i < path_count; i++) {
        if (expected[i] == '1') continue;
        for (int up = parents[i]; up >= 0; up = parents[up])
            if (expected[up] == '1' && tl_ignore_prunes(ignore, paths[up]))
                fail_msg("file \"%s\" keeps %s but %s was not read", text, paths[i], paths[up]);
    }
}

static void check_file(const char *text, size_t length, const char *expected)
{
    static char matched[MOST_PATHS][MOST_RULES];
    tl_error err = {0};
    tl_ignore *ignore = tl_ignore_parse(text, length, &err);
    if (!strcmp(expected, "E")) {
        if (ignore) fail_msg("file \"%s\" was not refused", text);
        assert_string_equal(err.kind, "parse");
        tl_error_dispose(&err);
        return;
    }
    if (!ignore) fail_msg("file \"%s\": %s", text, err.message);
    assert_true(tl_ignore_count(ignore) <= MOST_RULES);
    for (int i = 0; i < path_count; i++) {
        const char *parent = parents[i] >= 0 ? matched[parents[i]] : NULL;
        int ignored = tl_ignore_match(ignore, paths[i], parent, matched[i]);
        if (ignored != expected[i] - '0') fail_msg("file \"%s\", path %s: expected %c", text, paths[i], expected[i]);
    }
    check_pruning(ignore, expected, text);
    tl_ignore_free(ignore);
}

static void every_path_is_judged_as_moby_does(void **state)
{
    (void)state;
    static char line[1024], text[512];
    size_t length = 0;
    int files = 0;
    FILE *golden = fopen(GOLDEN, "r");
    assert_non_null(golden);
    while (fgets(line, sizeof line, golden)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == 'P') add_path(line + 2);
        if (line[0] == 'F') {
            length = unhex(line + 2, text);
            text[length] = 0;
        }
        if (line[0] == 'R') {
            check_file(text, length, line + 2);
            files++;
        }
    }
    fclose(golden);
    assert_true(files > 700);
}

static int prunes(const char *rules, const char *folder)
{
    tl_error err = {0};
    tl_ignore *ignore = tl_ignore_parse(rules, strlen(rules), &err);
    assert_non_null(ignore);
    int result = tl_ignore_prunes(ignore, folder);
    tl_ignore_free(ignore);
    return result;
}

static void folder_is_read_only_when_a_negation_may_match_inside(void **state)
{
    (void)state;
    assert_true(prunes("node_modules", "node_modules"));
    assert_true(prunes("*\n!src", "node_modules"));
    assert_true(prunes("*\n!src/*.js", "node_modules"));
    assert_true(prunes("*\n!node_modules_kept/x", "node_modules"));
    assert_true(prunes("src\n!src", "src"));
    assert_false(prunes("*\n!src/a/b", "src"));
    assert_false(prunes("*\n!src/a/b", "src/a"));
    assert_true(prunes("*\n!src/a/b", "src/a/b"));
    assert_true(prunes("*\n!src/a/b", "src/b"));
    assert_false(prunes("*\n!**/*.js", "node_modules"));
    assert_false(prunes("*\n!s*/a", "src"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_is_judged_as_moby_does),
        cmocka_unit_test(folder_is_read_only_when_a_negation_may_match_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
