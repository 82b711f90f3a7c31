/* Templates against helm's engine: every case of tests/unit/data/template/GROUP.txt. Names of groups as arguments run
 * only these; -v prints each difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/yaml.h"
#include "template/template.h"

#define DIR "tests/unit/data/template/"

static int verbose;

static void read_file(const char *path, tl_buf *out)
{
    tl_error err = {0};
    tl_buf_init(out, SIZE_MAX);
    if (tl_file_read(path, out, &err) != 1) fail_msg("%s", err.message ? err.message : path);
}

static void unescape(tl_buf *out, const char *text, size_t length)
{
    tl_buf_clear(out);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\' && i + 1 < length) {
            i++;
            tl_buf_addc(out, text[i] == 'n' ? '\n' : text[i] == 'r' ? '\r' : text[i]);
        } else {
            tl_buf_addc(out, text[i]);
        }
    }
}

/* What helm's engine gives a chart "c" with these values. */
static tl_value make_root(tl_arena *arena, tl_value values)
{
    tl_map *root = tl_map_new(arena, 8), *release = tl_map_new(arena, 4), *chart = tl_map_new(arena, 2);
    tl_map_sets(release, "Name", tl_cstring_ref("rel"));
    tl_map_sets(release, "Namespace", tl_cstring_ref("ns"));
    tl_map_sets(release, "IsInstall", tl_bool(1));
    tl_map_sets(release, "Revision", tl_as_go(tl_int(1), TL_GO_INT));
    tl_map_sets(chart, "Name", tl_cstring_ref("c"));
    tl_map_sets(chart, "Version", tl_cstring_ref("1.2.3"));
    tl_map_sets(root, "Values", tl_as_go(values, TL_GO_NAMED_MAP));
    tl_map_sets(root, "Release", tl_map_value(release));
    tl_map_sets(root, "Chart", tl_map_value(chart));
    tl_map_sets(root, "Capabilities", tl_null());
    tl_map_sets(root, "Files", tl_map_value(tl_map_new(arena, 0)));
    tl_map_sets(root, "Subcharts", tl_map_value(tl_map_new(arena, 0)));
    tl_map_sets(root, "Template", tl_map_value(tl_map_new(arena, 0)));
    return tl_as_go(tl_map_value(root), TL_GO_NAMED_MAP);
}

typedef struct golden {
    tl_buf helpers, values;
} golden;

/* Renders one template alone; its output or error message goes to *out. 1 for an output, 0 for an error. */
static int render(const golden *g, const tl_buf *text, tl_buf *out)
{
    tl_arena *arena = tl_arena_new(0);
    tl_template_set *set = tl_template_set_new();
    tl_yaml_options options = {.floats = 1};
    tl_error err = {0};
    tl_value values;
    assert_int_equal(tl_yaml_parse(arena, g->values.data, g->values.len, &options, &values, &err), 1);
    int ok = !tl_template_parse(set, "c/templates/t", text->data, text->len, &err) &&
             !tl_template_parse(set, "c/templates/_helpers.tpl", g->helpers.data, g->helpers.len, &err);
    tl_template_render *r = tl_template_render_new(set, arena, NULL);
    tl_buf_clear(out);
    if (ok) ok = !tl_template_execute(r, "c/templates/t", make_root(arena, values), out, &err);
    if (!ok) {
        assert_non_null(err.message);
        tl_buf_clear(out);
        tl_buf_adds(out, err.message);
    }
    tl_error_dispose(&err);
    tl_template_render_free(r);
    tl_template_set_free(set);
    tl_arena_free(arena);
    return ok;
}

static void check_case(const golden *g, const char *lines[2], const size_t lengths[2], int *wrong)
{
    tl_buf text = TL_BUF_INIT(SIZE_MAX), want = TL_BUF_INIT(SIZE_MAX), got = TL_BUF_INIT(64u << 20);
    unescape(&text, lines[0] + 2, lengths[0] - 2);
    unescape(&want, lines[1] + 2, lengths[1] - 2);
    int ok = render(g, &text, &got);
    if (ok != (lines[1][0] == '=') || got.len != want.len || memcmp(got.data, want.data, got.len) != 0) {
        (*wrong)++;
        if (verbose)
            print_message("%s\n  want %c %.*s\n  got  %c %.*s\n", text.data, lines[1][0], (int)(want.len > 900 ? 900 : want.len),
                          want.data, ok ? '=' : '!', (int)(got.len > 900 ? 900 : got.len), got.data);
    }
    tl_buf_dispose(&text);
    tl_buf_dispose(&want);
    tl_buf_dispose(&got);
}

static void check_group(void **state)
{
    golden g;
    tl_buf file;
    char path[256];
    int cases = 0, wrong = 0;
    const char *name = *state;
    int given = strchr(name, '/') != NULL; /* a file that is not kept */
    snprintf(path, sizeof path, "%s%s%s", given ? "" : DIR, name, given ? "" : ".txt");
    read_file(path, &file);
    read_file(DIR "helpers.tpl", &g.helpers);
    read_file(DIR "values.yaml", &g.values);
    const char *lines[2] = {NULL, NULL};
    size_t lengths[2] = {0, 0};
    for (const char *at = file.data, *end = at + file.len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        int which = *at == '>' ? 0 : *at == '=' || *at == '!' ? 1 : -1;
        if (which >= 0) {
            lines[which] = at;
            lengths[which] = length;
        }
        if (which == 1) {
            check_case(&g, lines, lengths, &wrong);
            cases++;
        }
        at += length + 1;
    }
    tl_buf_dispose(&file);
    tl_buf_dispose(&g.helpers);
    tl_buf_dispose(&g.values);
    assert_true(cases > 0);
    if (wrong) fail_msg("%s: %d of %d cases differ from helm", (const char *)*state, wrong, cases);
}

int main(int argc, char **argv)
{
    static const char *const groups[] = {"language", "builtin", "printf", "complex", "string", "convert", "math", "list",
                                         "dict",     "keys",    "encode",  "regex",  "path",   "semver",  "date", "url",
                                         "toml",     "random"};
    struct CMUnitTest tests[sizeof groups / sizeof groups[0] + 16];
    size_t n = 0;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        int wanted = argc < 2 || (argc == 2 && !strcmp(argv[1], "-v"));
        for (int a = 1; a < argc; a++) wanted |= !strcmp(argv[a], groups[i]);
        if (wanted) tests[n++] = (struct CMUnitTest){groups[i], check_group, NULL, NULL, (void *)groups[i]};
    }
    for (int a = 1; a < argc; a++)
        if (strchr(argv[a], '/')) tests[n++] = (struct CMUnitTest){argv[a], check_group, NULL, NULL, argv[a]};
    for (int a = 1; a < argc; a++) verbose |= !strcmp(argv[a], "-v");
    setenv("TZ", "UTC", 1);
    return _cmocka_run_group_tests("templates_as_helm", tests, n, NULL, NULL);
}
