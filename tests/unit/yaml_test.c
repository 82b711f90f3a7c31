/* YAML: reading and writing against what Go's libraries give (tests/unit/data/yaml_*.golden), and the core schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/json.h"
#include "data/yaml.h"

static const tl_json_options floats = {.numbers = TL_JSON_FLOATS};

/* Ends the section that starts at text ("%%% NAME" lines stand between sections); returns where the next begins. */
static char *end_section(char *text, const char **name)
{
    char *mark = strstr(text, "%%% ");
    while (mark != text && mark[-1] != '\n') mark = strstr(mark + 1, "%%% ");
    char *newline = strchr(mark, '\n');
    *mark = *newline = 0;
    *name = mark + 4;
    return newline + 1;
}

static char *read_golden(const char *path, tl_buf *out)
{
    tl_error err = {0};
    tl_buf_init(out, SIZE_MAX);
    if (tl_file_read(path, out, &err) != 1) fail_msg("%s", err.message ? err.message : path);
    const char *name;
    return end_section(out->data, &name);
}

static void check_style(tl_value value, tl_yaml_style style, const char *want)
{
    const tl_yaml_write_options options = {.style = style};
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    if (tl_yaml_write(&out, value, &options, NULL))
        assert_string_equal(want, "ERROR\n");
    else
        assert_string_equal(out.data, want);
    tl_buf_dispose(&out);
}

static void yaml_write_gives_gos_bytes(void **state)
{
    (void)state;
    tl_buf golden;
    const char *name = "json";
    int cases = 0;
    for (char *at = read_golden("tests/unit/data/yaml_write.golden", &golden); strcmp(name, "end"); cases++) {
        char *json = at, *sigs = end_section(json, &name), *pretty = end_section(sigs, &name);
        at = end_section(pretty, &name);
        tl_arena *arena = tl_arena_new(0);
        tl_value value;
        assert_int_equal(tl_json_parse(arena, json, strlen(json), &floats, &value, NULL), 0);
        check_style(value, TL_YAML_SIGS, sigs);
        check_style(value, TL_YAML_PRETTY, pretty);
        tl_arena_free(arena);
    }
    tl_buf_dispose(&golden);
    assert_true(cases > 100);
}

static void yaml_parse_gives_gos_values_and_messages(void **state)
{
    (void)state;
    tl_buf golden;
    const char *name = "yaml";
    int cases = 0;
    for (char *at = read_golden("tests/unit/data/yaml_read.golden", &golden); strcmp(name, "end"); cases++) {
        const tl_yaml_options options = {.floats = 1};
        const tl_json_write_options go = {.sort = 1, .html = 1};
        char *yaml = at, *want = end_section(yaml, &name);
        int is_error = !strcmp(name, "error");
        at = end_section(want, &name);
        want[strlen(want) - 1] = 0;
        tl_arena *arena = tl_arena_new(0);
        tl_buf out = TL_BUF_INIT(SIZE_MAX);
        tl_value value;
        tl_error err = {0};
        int status = tl_yaml_parse(arena, yaml, strlen(yaml), &options, &value, &err);
        if (status >= 0) tl_json_write(&out, value, &go, NULL);
        assert_string_equal(status < 0 ? err.message : out.data, want);
        assert_int_equal(status < 0, is_error);
        tl_error_dispose(&err);
        tl_buf_dispose(&out);
        tl_arena_free(arena);
    }
    tl_buf_dispose(&golden);
    assert_true(cases > 150);
}

/* Parses and writes compact JSON, or the error's message, into text[512]. */
static const char *parsed(const char *yaml, const tl_yaml_options *options, char *text)
{
    tl_arena *arena = tl_arena_new(0);
    tl_buf out = TL_BUF_INIT(500);
    tl_value value;
    tl_error err = {0};
    int status = tl_yaml_parse(arena, yaml, strlen(yaml), options, &value, &err);
    if (status >= 0) tl_json_write(&out, value, NULL, &err);
    snprintf(text, 512, "%s", err.message ? err.message : out.data);
    tl_error_dispose(&err);
    tl_buf_dispose(&out);
    tl_arena_free(arena);
    return text;
}

static void yaml_core_schema_knows_fewer_words(void **state)
{
    (void)state;
    const tl_yaml_options core = {.flavour = TL_YAML_CORE};
    char text[512];
    assert_string_equal(parsed("[yes, on, true, ~, 010, 0o17, 0x1F, 1_000, 1.5, 0b1, 2024-01-02]", &core, text),
                        "[\"yes\",\"on\",true,null,10,15,31,\"1_000\",1.5,\"0b1\",\"2024-01-02\"]");
    assert_string_equal(parsed("[yes, on, true, ~, 010, 0o17, 0x1F, 1_000, 1.5, 0b1, 2024-01-02]", NULL, text),
                        "[true,true,true,null,8,15,31,1000,1.5,1,\"2024-01-02\"]");
}

static void yaml_merge_follows_the_flavour(void **state)
{
    (void)state;
    static const char yaml[] = "base: &b {c: 1, d: 2}\nuse: {c: 9, <<: *b}\n";
    const tl_yaml_options core = {.flavour = TL_YAML_CORE};
    char text[512];
    assert_string_equal(parsed(yaml, NULL, text), "{\"base\":{\"c\":1,\"d\":2},\"use\":{\"c\":1,\"d\":2}}");
    assert_string_equal(parsed(yaml, &core, text), "{\"base\":{\"c\":1,\"d\":2},\"use\":{\"c\":9,\"d\":2}}");
}

static void yaml_equal_keys_follow_the_flavour(void **state)
{
    (void)state;
    const tl_yaml_options core = {.flavour = TL_YAML_CORE, .name = "f.yaml"}, strict = {.strict = 1};
    char text[512];
    assert_string_equal(parsed("a: 1\nb: 2\na: 3\n", NULL, text), "{\"a\":3,\"b\":2}");
    assert_string_equal(parsed("a: 1\na: 3\n", &core, text),
                        "f.yaml: unmarshal errors:\n  line 2: key \"a\" already set in map");
    assert_string_equal(parsed("a: 1\na: 3\n", &strict, text),
                        "yaml: unmarshal errors:\n  line 2: key \"a\" already set in map");
}

static void yaml_parse_named_error_has_line_and_column(void **state)
{
    (void)state;
    const tl_yaml_options named = {.name = "values.yaml"};
    char text[512];
    assert_string_equal(parsed("a: 1\n b: 2\n", &named, text),
                        "values.yaml:2:3: mapping values are not allowed in this context");
    assert_string_equal(parsed("a: 1\nb: *x\n", &named, text), "values.yaml:2:4: unknown anchor 'x' referenced");
    assert_string_equal(parsed("a: b\nc: \x01\n", &named, text), "values.yaml:2:4: control characters are not allowed");
}

static void yaml_parse_alias_bomb_is_refused(void **state)
{
    (void)state;
    char yaml[2048] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n", text[512];
    for (int i = 1; i < 9; i++) {
        char line[128];
        snprintf(line, sizeof line, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(yaml, line);
    }
    assert_string_equal(parsed(yaml, NULL, text), "yaml: document contains excessive aliasing");
    const tl_yaml_options few = {.max_nodes = 100};
    parsed(yaml, &few, text);
    assert_non_null(strstr(text, "too large"));
}

static void yaml_parse_depth_is_bounded(void **state)
{
    (void)state;
    char text[512], deep[4001];
    memset(deep, '[', 4000);
    deep[4000] = 0;
    parsed(deep, NULL, text);
    assert_non_null(strstr(text, "depth"));
}

static void yaml_aliases_are_copies(void **state)
{
    (void)state;
    static const char yaml[] = "a: &x {k: 1}\nb: *x\n";
    tl_arena *arena = tl_arena_new(0);
    tl_value v;
    assert_int_equal(tl_yaml_parse(arena, yaml, sizeof yaml - 1, NULL, &v, NULL), 1);
    tl_map_sets(tl_map_gets(v.as.map, "a")->as.map, "k", tl_int(2));
    assert_int_equal(tl_map_gets(tl_map_gets(v.as.map, "b")->as.map, "k")->as.i, 1);
    tl_arena_free(arena);
}

static void yaml_lines_tell_where_a_value_stands(void **state)
{
    (void)state;
    static const char yaml[] = "a: 1\n\nb:\n  c: 2\n  d: |\n    text\n";
    tl_arena *arena = tl_arena_new(0);
    tl_yaml_options options = {.lines = tl_yaml_lines_new(arena)};
    tl_value v;
    assert_int_equal(tl_yaml_parse(arena, yaml, sizeof yaml - 1, &options, &v, NULL), 1);
    tl_map *b = tl_map_gets(v.as.map, "b")->as.map;
    assert_int_equal(tl_yaml_lines_get(options.lines, v.as.map, "a", 1), 1);
    assert_int_equal(tl_yaml_lines_get(options.lines, b, "c", 1), 4);
    assert_int_equal(tl_yaml_lines_get(options.lines, b, "d", 1), 5);
    assert_int_equal(tl_yaml_lines_get(options.lines, b, "a", 1), 0);
    tl_arena_free(arena);
}

static void yaml_parse_all_leaves_empty_documents_out(void **state)
{
    (void)state;
    static const char yaml[] = "---\n# nothing\n---\na: 1\n...\n---\n- 2\n---\n";
    tl_arena *arena = tl_arena_new(0);
    tl_list *list;
    tl_value v;
    assert_int_equal(tl_yaml_parse_all(arena, yaml, sizeof yaml - 1, NULL, &list, NULL), 0);
    assert_int_equal(list->len, 2);
    assert_int_equal(list->items[1].type, TL_LIST);
    assert_int_equal(tl_yaml_parse(arena, "# only\n", 7, NULL, &v, NULL), 0);
    assert_int_equal(tl_yaml_parse(arena, "", 0, NULL, &v, NULL), 0);
    assert_int_equal(v.type, TL_NULL);
    tl_arena_free(arena);
}

static void yaml_write_keeps_order_when_asked(void **state)
{
    (void)state;
    const tl_yaml_write_options options = {.keep_order = 1};
    tl_arena *arena = tl_arena_new(0);
    tl_map *map = tl_map_new(arena, 0);
    tl_map_sets(map, "z", tl_int(1));
    tl_map_sets(map, "a", tl_as_go(tl_int(-1), TL_GO_UINT64));
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    assert_int_equal(tl_yaml_write(&out, tl_map_value(map), &options, NULL), 0);
    assert_string_equal(out.data, "z: 1\na: 18446744073709551615\n");
    tl_map_sets(map, "z", tl_map_value(map));
    assert_int_equal(tl_yaml_write(&out, tl_map_value(map), NULL, NULL), -1);
    tl_buf_dispose(&out);
    tl_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_write_gives_gos_bytes),
        cmocka_unit_test(yaml_parse_gives_gos_values_and_messages),
        cmocka_unit_test(yaml_core_schema_knows_fewer_words),
        cmocka_unit_test(yaml_merge_follows_the_flavour),
        cmocka_unit_test(yaml_equal_keys_follow_the_flavour),
        cmocka_unit_test(yaml_parse_named_error_has_line_and_column),
        cmocka_unit_test(yaml_parse_alias_bomb_is_refused),
        cmocka_unit_test(yaml_parse_depth_is_bounded),
        cmocka_unit_test(yaml_aliases_are_copies),
        cmocka_unit_test(yaml_lines_tell_where_a_value_stands),
        cmocka_unit_test(yaml_parse_all_leaves_empty_documents_out),
        cmocka_unit_test(yaml_write_keeps_order_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
