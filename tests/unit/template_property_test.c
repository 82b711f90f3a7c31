/* What templates do that no golden file can hold: random texts, keys, the clock, look-ups, bounds, hints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <crypt.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template/internal.h"
#include "template/template.h"

typedef struct fixture {
    tl_arena *arena;
    tl_template_set *set;
    tl_template_options options;
    tl_buf out;
    tl_error err;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->arena = tl_arena_new(64u << 20);
    f->set = tl_template_set_new();
    tl_buf_init(&f->out, SIZE_MAX);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    tl_buf_dispose(&f->out);
    tl_error_dispose(&f->err);
    tl_template_set_free(f->set);
    tl_arena_free(f->arena);
    free(f);
    return 0;
}

static int render(fixture *f, const char *text)
{
    tl_map *root = tl_map_new(f->arena, 1), *values = tl_map_new(f->arena, 1), *image = tl_map_new(f->arena, 1);
    tl_map_sets(image, "repository", tl_cstring_ref("r"));
    tl_map_sets(values, "image", tl_map_value(image));
    tl_map_sets(root, "Values", tl_map_value(values));
    tl_buf_clear(&f->out);
    tl_error_dispose(&f->err);
    if (tl_template_parse(f->set, "t", text, strlen(text), &f->err)) return -1;
    tl_template_render *r = tl_template_render_new(f->set, f->arena, &f->options);
    int status = tl_template_execute(r, "t", tl_map_value(root), &f->out, &f->err);
    tl_template_render_free(r);
    return status;
}

static void random_texts_have_length_and_alphabet(void **state)
{
    fixture *f = *state;
    assert_int_equal(render(f, "{{ randAlphaNum 40 }}{{ randAlpha 20 }}"), 0);
    assert_int_equal(f->out.len, 60);
    for (size_t i = 0; i < 60; i++) assert_true(i < 40 ? isalnum(f->out.data[i]) : isalpha(f->out.data[i]));
    assert_int_equal(render(f, "{{ if eq (randAlphaNum 30) (randAlphaNum 30) }}same{{ end }}{{ randNumeric 0 }}"), 0);
    assert_string_equal(f->out.data, "");
    assert_int_equal(render(f, "{{ uuidv4 }}"), 0);
    assert_int_equal(f->out.len, 36);
    assert_int_equal(f->out.data[14], '4');
    assert_int_equal(render(f, "{{ randBytes 32 | b64dec | len }} {{ shuffle \"aaa\" }} {{ randInt 3 4 }}"), 0);
    assert_string_equal(f->out.data, "32 aaa 3");
}

static void bcrypt_hash_verifies(void **state)
{
    fixture *f = *state;
    assert_int_equal(render(f, "{{ htpasswd \"user\" \"secret\" }}"), 0);
    assert_int_equal(strncmp(f->out.data, "user:$2a$10$", 12), 0);
    const char *hash = f->out.data + 5;
    struct crypt_data data = {0};
    assert_string_equal(crypt_rn("secret", hash, &data, sizeof data), hash);
}

static void encrypted_text_decrypts(void **state)
{
    fixture *f = *state;
    assert_int_equal(render(f, "{{ encryptAES \"k\" \"hello ✓\" | decryptAES \"k\" }}"), 0);
    assert_string_equal(f->out.data, "hello ✓");
    assert_int_equal(render(f, "{{ derivePassword 1 \"long\" \"password\" \"user\" \"example.com\" }}"), 0);
    assert_string_equal(f->out.data, "ZedaFaxcZaso9*");
}

static void certificates_are_pem_and_sign_one_another(void **state)
{
    fixture *f = *state;
    assert_int_equal(render(f, "{{ $ca := genCA \"ca\" 10 }}{{ $c := genSignedCert \"c\" (list \"10.0.0.1\") (list \"a.b\") 5 $ca }}"
                               "{{ $d := genSignedCertWithKey \"d\" nil nil 5 $ca (genPrivateKey \"ecdsa\") }}"
                               "{{ (buildCustomCert ($c.Cert | b64enc) ($c.Key | b64enc)).Cert | trunc 27 }}|"
                               "{{ $c.Key | trunc 31 }}|{{ $d.Key | trunc 30 }}"), 0);
    assert_string_equal(f->out.data,
                        "-----BEGIN CERTIFICATE-----|-----BEGIN RSA PRIVATE KEY-----|-----BEGIN EC PRIVATE KEY-----");
    assert_int_equal(render(f, "{{ genSelfSignedCert \"c\" (list 1) nil 1 }}"), -1);
    assert_non_null(strstr(f->err.message, "error parsing ip: 1 is not a string"));
}

static int64_t fixed_now(void *context)
{
    (void)context;
    return 1700000000LL * 1000000000;
}

static void clock_comes_from_outside(void **state)
{
    fixture *f = *state;
    f->options.outside.now = fixed_now;
    assert_int_equal(render(f, "{{ now | unixEpoch }} {{ dateInZone \"2006-01-02\" now \"UTC\" }} {{ ago (int64 1699999990) }}"), 0);
    assert_string_equal(f->out.data, "1700000000 2023-11-14 10s");
}

static int answer(void *context, const tl_value query[4], tl_arena *arena, tl_value *out, tl_error *err)
{
    (void)err;
    if (!tl_value_is(query[3], "known")) return 0;
    tl_map *map = tl_map_new(arena, 1);
    tl_map_sets(map, "kind", query[1]);
    *out = tl_map_value(map);
    (*(int *)context)++;
    return 1;
}

static void lookup_answers_or_stops(void **state)
{
    fixture *f = *state;
    int asked = 0;
    f->options.outside.lookup = answer;
    f->options.outside.context = &asked;
    assert_int_equal(render(f, "{{ (lookup \"v1\" \"Secret\" \"ns\" \"known\").kind }}"), 0);
    assert_string_equal(f->out.data, "Secret");
    assert_int_equal(asked, 1);
    assert_int_equal(render(f, "{{ define \"x\" }}{{ lookup \"v1\" \"Secret\" \"ns\" \"other\" }}{{ end }}{{ include \"x\" . }}"), -1);
    assert_string_equal(f->err.kind, "lookup");
    f->options.lint = 1;
    assert_int_equal(render(f, "[{{ lookup \"v1\" \"Secret\" \"ns\" \"other\" }}{{ required \"x\" nil }}{{ fail \"y\" }}]"), 0);
    assert_string_equal(f->out.data, "[map[]]");
}

/* Values that are small, but have 2^40 parts, and values that are nested 20,000 deep. */
#define SHARED "{{ $a := dict \"k\" 1 }}{{ $b := dict \"k\" 1 }}{{ range until 40 }}{{ $a = dict \"a\" $a \"b\" $a }}"\
    "{{ $b = dict \"a\" $b \"b\" $b }}{{ end }}"
#define DEEP "{{ $a := dict }}{{ $b := dict }}{{ range until 20000 }}{{ $a = dict \"a\" $a }}{{ $b = dict \"a\" $b }}{{ end }}"

static void bounds_stop_a_render(void **state)
{
    fixture *f = *state;
    f->options.max_output = 1 << 20;
    f->options.max_steps = 100000;
    static const char *const endless[] = {
        "{{ range until 100000 }}{{ repeat 1000 \"x\" }}{{ end }}",
        "{{ range until 1000 }}{{ range until 1000 }}{{ . }}{{ end }}{{ end }}",
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        "{{ repeat 1000000000 \"xxxx\" }}",
        "{{ until 2000000000 }}",
        "{{ indent 1000000000 \"x\" }}",
        "{{ $x := \"x\" }}{{ range until 60 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}",
        "{{ range 100000000000 }}{{ end }}",
        "{{ range until 1000000 }}{{ if false }}x{{ end }}{{ end }}",
        "{{ define \"a\" }}{{ template \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
        "{{ define \"a\" }}{{ if . }}{{ template \"a\" (sub . 1) }}{{ template \"a\" (sub . 1) }}{{ end }}{{ end }}{{ template \"a\" 60 }}",
        "{{ range until 1000 }}{{ $x := repeat 1000000 \"x\" }}{{ end }}",
        "{{ range until 1000 }}{{ $x := until 100000 }}{{ end }}",
        "{{ seq 1 2000000000 }}",
        "{{ $x := list 1 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}",
        "{{ split \"x\" (repeat 1048575 \"x\") | len }}",
        "{{ splitList \"\" (repeat 1048575 \"x\") | len }}",
        "{{ regexFindAll \"x\" (repeat 1048575 \"x\") -1 | len }}",
        "{{ uniq (until 1000000) }}",
        "{{ range until 100000 }}{{ $x := bcrypt \"x\" }}{{ end }}",
        SHARED "{{ $a }}",
        SHARED "{{ deepCopy $a }}",
        SHARED "{{ deepEqual $a $b }}",
        SHARED "{{ has $a (list $b) }}",
        SHARED "{{ $x := merge $a $b }}",
        SHARED "{{ toYaml $a | len }}{{ toToml $a | len }}{{ toJson $a | len }}{{ $a }}",
        DEEP "{{ deepEqual $a $b }}",
        DEEP "{{ deepCopy $a }}",
        DEEP "{{ $a }}",
    };
    f->options.max_time = 1000;
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        if (render(f, endless[i]) != -1 || strcmp(f->err.kind, "limit")) fail_msg("%s: %s", endless[i], f->err.message);
        assert_true(tl_arena_used(f->arena) < 96u << 20);
        tl_arena_free(f->arena);
        f->arena = tl_arena_new(64u << 20);
    }
}

/* A message that every level quotes would double with each of them. */
static void messages_of_nested_templates_stay_short(void **state)
{
    fixture *f = *state;
    assert_int_equal(render(f, "{{ define \"a\" }}{{ tpl (printf \"{{ include \\\"a\\\" . }}%s\" .) (printf \"x%s\" .) }}{{ end }}"
                               "{{ include \"a\" \"y\" }}"), -1);
    assert_string_equal(f->err.kind, "template");
    assert_true(strlen(f->err.message) < 1u << 20);
}

static int always(void *context)
{
    ++*(int *)context;
    return 1;
}

static void caller_stops_a_render(void **state)
{
    fixture *f = *state;
    int asked = 0;
    f->options.outside.context = &asked;
    f->options.outside.stop = always;
    assert_int_equal(render(f, "{{ range 100000000000 }}{{ end }}"), -1);
    assert_string_equal(f->err.kind, "cancelled");
    assert_int_equal(asked, 1);
}

static void self_holding_maps_end(void **state)
{
    fixture *f = *state;
    assert_int_equal(render(f, "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}{{ toYaml $d }}|"), 0);
    assert_string_equal(f->out.data, "|");
    assert_int_equal(render(f, "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}"), -1);
    assert_int_equal(render(f, "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d | len }}"), -1);
}

static void nil_path_hints_at_first_absent_key(void **state)
{
    fixture *f = *state;
    assert_int_equal(render(f, "{{ .Values.imge.repository }}"), -1);
    assert_string_equal(f->err.hint, ".Values.imge is not set; did you mean image?");
    assert_int_equal(render(f, "{{ .Values.image.tag.x }}"), -1);
    assert_string_equal(f->err.hint, ".Values.image.tag is not set");
}

static int double_it(const tl_method_call *call, tl_value *out, tl_error *err)
{
    (void)err;
    *out = tl_int(2 * call->args[0].as.i);
    return 0;
}

static void objects_have_methods_and_fields(void **state)
{
    static const tl_method methods[] = {{"Double", "i", double_it}, {NULL, NULL, NULL}};
    static const tl_object_type type = {"x.T", TL_KIND_STRUCT, methods, NULL, NULL, NULL};
    fixture *f = *state;
    tl_map *fields = tl_map_new(f->arena, 1), *root = tl_map_new(f->arena, 1);
    tl_map_sets(fields, "Name", tl_cstring_ref("n"));
    tl_map_sets(root, "O", tl_object_value(f->arena, &type, NULL, tl_map_value(fields)));
    static const char text[] = "{{ .O.Double 21 }} {{ 4 | .O.Double }} {{ .O.Name }} {{ .O }} {{ typeOf .O }} {{ toJson .O }}";
    assert_int_equal(tl_template_parse(f->set, "o", text, strlen(text), &f->err), 0);
    tl_template_render *r = tl_template_render_new(f->set, f->arena, NULL);
    assert_int_equal(tl_template_execute(r, "o", tl_map_value(root), &f->out, &f->err), 0);
    assert_string_equal(f->out.data, "42 8 n {n} x.T {\"Name\":\"n\"}");
    tl_template_render_free(r);
}

static void globs_match_as_gobwas(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        int match;
    } cases[] = {{"*.txt", "a.txt", 1},       {"*.txt", "d/a.txt", 0},     {"**.txt", "d/a.txt", 1},   {"d/**", "d/e/f", 1},
                 {"d/*", "d/e/f", 0},         {"{a,b}/c", "b/c", 1},       {"{a,b}/c", "d/c", 0},      {"[a-c]x", "bx", 1},
                 {"[!a-c]x", "bx", 0},        {"a?c", "abc", 1},           {"a?c", "a/c", 0},          {"a\\*", "a*", 1},
                 {"x{*.{yml,yaml}}", "xq.yaml", 1}, {"", "", 1},           {"**", "any/thing", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(tl_glob_match(cases[i].pattern, cases[i].name, strlen(cases[i].name)), cases[i].match);
}

/* The names and parameters of tests/unit/data/template/functions.txt, no more and no less. */
static void functions_are_those_of_helm(void **state)
{
    (void)state;
    FILE *golden = fopen("tests/unit/data/template/functions.txt", "r");
    char line[128], name[64];
    size_t count = 0, params;
    assert_non_null(golden);
    while (fgets(line, sizeof line, golden)) {
        if (*line == '#') continue;
        assert_int_equal(sscanf(line, "%63s %zu", name, &params), 2);
        const tl_function *f = tl_function_find(name, strlen(name));
        if (!f) fail_msg("there is no function %s", name);
        size_t length = strlen(f->params), variadic = length && f->params[length - 1] == '*';
        if (length - variadic != params || variadic != (strchr(line, '+') != NULL))
            fail_msg("%s has parameters \"%s\", helm's: %s", name, f->params, line);
        count++;
    }
    fclose(golden);
    assert_true(count > 200);
    assert_int_equal(tl_function_count(), count);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(random_texts_have_length_and_alphabet),
                                       TEST(bcrypt_hash_verifies),
                                       TEST(encrypted_text_decrypts),
                                       TEST(certificates_are_pem_and_sign_one_another),
                                       TEST(clock_comes_from_outside),
                                       TEST(lookup_answers_or_stops),
                                       TEST(bounds_stop_a_render),
                                       TEST(messages_of_nested_templates_stay_short),
                                       TEST(caller_stops_a_render),
                                       TEST(self_holding_maps_end),
                                       TEST(nil_path_hints_at_first_absent_key),
                                       TEST(objects_have_methods_and_fields),
                                       TEST(globs_match_as_gobwas),
                                       cmocka_unit_test(functions_are_those_of_helm)};
    return cmocka_run_group_tests_name("template_properties", tests, NULL, NULL);
}
