/* The quick YAML reader against libyaml: what it takes has the same value, and it takes what charts consist of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/yaml.h"
#include "data/yaml_quick.h"

static const tl_yaml_options helm = {.flavour = TL_YAML_HELM};

/* With a table of lines to fill, everything goes through libyaml. */
static int read_by_libyaml(tl_arena *arena, const char *text, size_t length, tl_yaml_options options, tl_value *out)
{
    tl_error err = {0};
    options.lines = tl_yaml_lines_new(arena);
    int status = tl_yaml_parse(arena, text, length, &options, out, &err);
    tl_error_dispose(&err);
    return status;
}

/* Where only some keys are asked for, the same texts are taken, and those keys have the same values. */
static void check_kept(tl_arena *arena, const char *text, size_t length, tl_yaml_options options, int taken, tl_value all)
{
    static const char *const keep[] = {"B", "d", NULL};
    tl_value some;
    options.keep = keep;
    if (options.strict || options.flavour != TL_YAML_HELM) return;
    if (tl_yaml_quick(arena, text, length, &options, &some) != taken) fail_msg("with keys to keep, not %d:\n%s", taken, text);
    if (!taken || all.type != TL_MAP) return;
    assert_int_equal(some.type, TL_MAP);
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(all.as.map, &cursor));) {
        const tl_value *kept = tl_map_get(some.as.map, e->key, e->key_len);
        int wanted = !strcmp(e->key, "b") || !strcmp(e->key, "B") || !strcmp(e->key, "d") || !strcmp(e->key, "D");
        assert_non_null(kept);
        if (wanted && !tl_value_equal(*kept, e->value)) fail_msg("%s differs of\n%.*s", e->key, (int)length, text);
    }
}

static int check_same(const char *text, size_t length, tl_yaml_options options)
{
    tl_arena *arena = tl_arena_new(0);
    tl_value quick, slow;
    int taken = tl_yaml_quick(arena, text, length, &options, &quick);
    check_kept(arena, text, length, options, taken, quick);
    if (taken) {
        if (read_by_libyaml(arena, text, length, options, &slow) != 1) fail_msg("libyaml refuses:\n%.*s", (int)length, text);
        tl_buf a = TL_BUF_INIT(SIZE_MAX), b = TL_BUF_INIT(SIZE_MAX);
        tl_json_write(&a, quick, NULL, NULL);
        tl_json_write(&b, slow, NULL, NULL);
        if (strcmp(a.data, b.data)) fail_msg("of\n%.*s\nquick: %s\nlibyaml: %s", (int)length, text, a.data, b.data);
        tl_buf_dispose(&a);
        tl_buf_dispose(&b);
    }
    tl_arena_free(arena);
    return taken;
}

static void quick_takes_what_charts_consist_of(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a: b", "a: b\n", "---\na: b\n", "--- # start\n# more\n\na: 1\n---\nb: 2\n", "- a\n- b\n", "a:\n- b\n- c\nd: e\n",
        "a:\n  - b: 1\n    c: 2\n  -\n    d: 3\n  - - x\n    - y\n  -\n", "a:\n  b:\n    c: d\n  e: f\ng:\n", "\"a b\": 'c'\n",
        "a: \"x\\n\\\"y\\\" \\\\ \\t\"\nb: 'it''s'\n", "a: [1, two, \"3\", ['x'], {}]\nb: {c: d, \"e\": [f]}\nc: []\n",
        "a: |\n  x\n    y\n\n  z\nb: |-\n  x\n\n\nc: |+\n  x\n\n\nd: e\n", "a: |\n  x", "a: |\n", "a: |", "a:\n  b: |\n\n  # x\n  c: |-\n   \n\nd: e\n", "- |\n- b\n", "a: |-\n  # x\n  \ty\n# z\n",
        "a: one\n  two\n\n  three # end\nb: c\n", "a: \"one\n  two \\\n  \\ three\n\n  four\"\nb: 'x\n  y'\n",
        "a: b # c\n# d\nc: d#e\n", "a.b/c-d: http://x:80/y?z=1\n", "a: -x\nb: - \n", "a: yes\nb: 010\nc: 1e3\nd: 2001-01-01\ne: ~\n",
        "  a: b\n  c: d\n", "a:\n  multi line\n  plain\nb: x\n", "k: é世\n", "a: b\na: c\n", "a:   |\n\n  x\n", "a: b:c\n",
    };
    int missed = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int taken = check_same(texts[i], strlen(texts[i]), helm);
        if (!taken && strcmp(texts[i], "a: -x\nb: - \n")) {
            print_error("not taken:\n%s\n", texts[i]);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

static int same_name(const char *text, const char *const *keep, tl_type type)
{
    tl_arena *arena = tl_arena_new(0);
    tl_yaml_options options = {.flavour = TL_YAML_HELM, .keep = keep};
    tl_value out;
    int same = tl_yaml_quick(arena, text, strlen(text), &options, &out) && out.as.map->count == 2 &&
               tl_map_gets(out.as.map, "x")->type == TL_NULL;
    uint32_t cursor = 0;
    for (tl_entry *e; same && (e = tl_map_next(out.as.map, &cursor));)
        if (strcmp(e->key, "x")) same = e->value.type == type;
    tl_arena_free(arena);
    return same;
}

static void quick_keeps_what_is_asked_for(void **state)
{
    static const char *const keep[] = {"metadata", "kind", NULL};
    (void)state;
    assert_true(same_name("kind: {a: b}\nx: [1]\n", keep, TL_MAP));
    assert_true(same_name("MetaData:\n  x: 1\nx:\n- |\n  a\n- {b: 'c'}\n", keep, TL_MAP));
    assert_true(same_name("\xe2\x84\xaaind: a\nx: b\n", keep, TL_STRING)); /* the Kelvin sign folds to k */
    assert_true(same_name("kinds: a\nx: b\n", keep, TL_NULL));
    assert_true(same_name("spec:\n  metadata: a\nx: b\n", keep, TL_NULL));
}

static void quick_leaves_to_libyaml_what_is_its_own(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "# nothing\n", "---\n", "a", "a: b: c\n", "a: &x b\nc: *x\n", "a: !!str 1\n", "<<: {a: b}\n", "? a\n: b\n", "a: >\n  x\n",
        "a: |2\n   x\n", "a:\tb\n", "\ta: b\n", "a: b\n c: d\n", "a:\n    b: c\n  d: e\n", "a: [1,\n 2]\n", "a: \"x\n", "%YAML 1.1\n---\na: b\n",
        "a: b\n...\n", "a: \"\\x41\"\n", "a: b\r\n", "1: a\n", "null: a\n", "a: @b\n", "a: .inf\n", "a: [b c]\n", "a: {b:c}\n", "a: b\x7f\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (check_same(texts[i], strlen(texts[i]), helm)) fail_msg("taken:\n%s", texts[i]);
}

/* Texts put together at random from what matters to YAML; the numbers are the same in every run. */
static void quick_and_libyaml_agree_on_any_text(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "a: ", "b:", "- ", "-", "\n", "\n", "\n", "\n  ", "\n    ", "\n  - ", "\n- ", "  ", " ", "x", "y z", "1", "-1.5", "yes", "\"", "\"q\"", "'",
        "'s'", "''", "\\", "\\n", "\\\"", "|", "|\n", "|-\n  ", ">", ">-\n", "#", " # c", ":", ": ", "[", "]", "[]", "{", "}", "{}", ", ", ",",
        "---\n", "...\n", "\t", "<<", "&x ", "*x", "!t ", "?", "~", "null", "é", "\xe2\x80\xa8", "\r", "2001-01-01", "0x1F", "key: value\n",
        "    deep: 1\n", "  c: d\n", "  - e\n", "\n\n", "%", "@", "`", "=", "/", "$",
    };
    unsigned taken = 0;
    uint32_t seed = 1;
    for (int round = 0; round < 150000; round++) {
        char text[512] = "";
        size_t length = 0;
        for (int count = 1 + round % 14; count; count--) {
            seed = seed * 1664525u + 1013904223u;
            const char *part = parts[(seed >> 8) % (sizeof parts / sizeof *parts)];
            memcpy(text + length, part, strlen(part));
            length += strlen(part);
        }
        tl_yaml_options options = {.flavour = round & 1 ? TL_YAML_CORE : TL_YAML_HELM, .floats = !(round & 2), .strict = !(round & 4)};
        taken += (unsigned)check_same(text, length, options);
    }
    assert_true(taken > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_takes_what_charts_consist_of),
        cmocka_unit_test(quick_keeps_what_is_asked_for),
        cmocka_unit_test(quick_leaves_to_libyaml_what_is_its_own),
        cmocka_unit_test(quick_and_libyaml_agree_on_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
