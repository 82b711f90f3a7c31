/* The JSON reader and writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "data/json.h"

static tl_value parsed(tl_arena *arena, const char *text, size_t length, const tl_json_options *options)
{
    tl_value value;
    tl_error err = {0};
    if (tl_json_parse(arena, text, length, options, &value, &err)) fail_msg("%s: %s", text, err.message);
    return value;
}

static void check_error(const char *text, const tl_json_options *options, const char *message)
{
    tl_arena *arena = tl_arena_new(0);
    tl_value value;
    tl_error err = {0};
    assert_int_equal(tl_json_parse(arena, text, strlen(text), options, &value, &err), -1);
    assert_string_equal(err.message, message);
    tl_error_dispose(&err);
    tl_arena_free(arena);
}

static void check_written(tl_value value, const tl_json_write_options *options, const char *want)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    assert_int_equal(tl_json_write(&out, value, options, NULL), 0);
    assert_string_equal(out.data, want);
    tl_buf_dispose(&out);
}

static void json_parse_keeps_integers_order_and_nul(void **state)
{
    (void)state;
    static const char text[] = "{\"b\":9007199254740993,\"a\":[-1, 1.5,1e3,18446744073709551616,-0],\"s\":\"x\\u0000\\ud83d\\ude00\"}";
    tl_arena *arena = tl_arena_new(0);
    tl_value v = parsed(arena, text, sizeof text - 1, NULL);
    assert_true(tl_map_gets(v.as.map, "b")->as.i == 9007199254740993);
    tl_list *list = tl_map_gets(v.as.map, "a")->as.list;
    assert_int_equal(list->items[0].as.i, -1);
    assert_int_equal(list->items[1].type, TL_FLOAT);
    assert_int_equal(list->items[2].type, TL_FLOAT);
    assert_true(list->items[3].type == TL_FLOAT && list->items[3].as.d == 18446744073709551616.0);
    tl_value *s = tl_map_gets(v.as.map, "s");
    assert_int_equal(s->len, 6);
    assert_memory_equal(s->as.s, "x\0\xF0\x9F\x98\x80", 6);
    check_written(v, NULL, "{\"b\":9007199254740993,\"a\":[-1,1.5,1000,18446744073709552000,0],\"s\":\"x\\u0000\xF0\x9F\x98\x80\"}");
    tl_arena_free(arena);
}

static void json_parse_floats_only_for_chart_values(void **state)
{
    (void)state;
    const tl_json_options options = {.numbers = TL_JSON_FLOATS};
    tl_arena *arena = tl_arena_new(0);
    tl_value v = parsed(arena, "[3,-0]", 6, &options);
    assert_int_equal(v.as.list->items[0].type, TL_FLOAT);
    assert_true(signbit(v.as.list->items[1].as.d));
    tl_arena_free(arena);
}

static void json_parse_last_of_equal_keys_wins(void **state)
{
    (void)state;
    tl_arena *arena = tl_arena_new(0);
    check_written(parsed(arena, "{\"a\":1,\"b\":2,\"a\":3}", 19, NULL), NULL, "{\"a\":3,\"b\":2}");
    tl_arena_free(arena);
}

static void json_parse_bad_utf8_and_surrogates_become_replacements(void **state)
{
    (void)state;
    tl_arena *arena = tl_arena_new(0);
    check_written(parsed(arena, "[\"\xff\",\"\\ud800\",\"\\ude00x\"]", 24, NULL), NULL,
                  "[\"\xEF\xBF\xBD\",\"\xEF\xBF\xBD\",\"\xEF\xBF\xBDx\"]");
    tl_arena_free(arena);
}

static void json_parse_borrowing_points_into_the_text(void **state)
{
    (void)state;
    static const char text[] = "[\"plain\",\"esc\\n\"]";
    const tl_json_options options = {.borrow = 1};
    tl_arena *arena = tl_arena_new(0);
    tl_value v = parsed(arena, text, sizeof text - 1, &options);
    assert_ptr_equal(v.as.list->items[0].as.s, text + 2);
    assert_true(tl_value_is(v.as.list->items[1], "esc\n"));
    tl_arena_free(arena);
}

static void json_parse_error_has_line_and_column(void **state)
{
    (void)state;
    const tl_json_options named = {.name = "values.json"}, go = {.go_messages = 1};
    check_error("{\"a\":1,\n \"b\" 2}", NULL, "JSON 2:6: invalid character '2' after object key");
    check_error("[1,\n2", &named, "values.json:2:2: unexpected end of JSON input");
    check_error("[1] x", &go, "invalid character 'x' after top-level value");
    check_error("{'a'", &go, "invalid character '\\'' looking for beginning of object key string");
    check_error("[tru\"", &go, "invalid character '\"' in literal true (expecting 'e')");
    check_error("\"\t\"", &go, "invalid character '\\t' in string literal");
    check_error("1.x", &go, "invalid character 'x' after decimal point in numeric literal");
    check_error("01", &go, "invalid character '1' after top-level value");
    check_error("", &go, "unexpected end of JSON input");
    check_error("\"\\u12", &go, "invalid character ' ' in \\u hexadecimal character escape");
    check_error("1e999", &go, "json: cannot unmarshal number 1e999 into Go value of type float64");
}

static void json_parse_depth_and_size_are_bounded(void **state)
{
    (void)state;
    char deep[2002];
    memset(deep, '[', 2000);
    deep[2000] = 0;
    check_error(deep, NULL, "JSON 1:1001: exceeded max depth");
    const tl_json_options small = {.max_bytes = 10};
    check_error("[1,2,3,4,5,6]", &small, "the JSON text is larger than 10 bytes");
}

/* Feeds the text in pieces of `piece` bytes and counts the documents; each must equal the first. */
static int count_documents(const char *text, size_t piece)
{
    tl_arena *arena = tl_arena_new(0);
    tl_json_reader *r = tl_json_reader_new(NULL);
    size_t length = strlen(text), fed = 0;
    tl_value first = tl_null(), value;
    int count = 0, status;
    while ((status = tl_json_reader_value(r, arena, &value, NULL)) != 2) {
        assert_true(status >= 0);
        if (status == 1) {
            if (count++ == 0) first = value;
            assert_true(tl_value_equal(first, value));
            tl_json_reader_again(r);
        } else if (fed < length) {
            size_t n = length - fed < piece ? length - fed : piece;
            assert_int_equal(tl_json_reader_feed(r, text + fed, n, NULL), 0);
            fed += n;
        } else {
            tl_json_reader_end(r);
        }
    }
    tl_json_reader_free(r);
    tl_arena_free(arena);
    return count;
}

static void json_reader_pieces_of_any_size_give_the_same(void **state)
{
    (void)state;
    static const char one[] = "{\"a\\\\\":[1.5e3,true,null,\"\\u00e9\xC3\xA9\"],\"b\":{}}\n";
    char text[4 * sizeof one] = "";
    for (int i = 0; i < 3; i++) strcat(text, one);
    for (size_t piece = 1; piece < 40; piece++) assert_int_equal(count_documents(text, piece), 3);
}

static void json_reader_walks_a_list_item_by_item(void **state)
{
    (void)state;
    static const char text[] = "{\"kind\":\"List\",\"items\":[{\"n\":1},{\"n\":2}],\"after\":0}";
    tl_json_reader *r = tl_json_reader_new(NULL);
    tl_arena *arena = tl_arena_new(0);
    tl_json_token token;
    tl_value item;
    tl_json_reader_feed(r, text, sizeof text - 1, NULL);
    tl_json_reader_end(r);
    do assert_int_equal(tl_json_reader_next(r, &token, NULL), 0);
    while (token.event != TL_JSON_KEY || !tl_value_is(token.value, "items"));
    tl_json_reader_next(r, &token, NULL);
    assert_int_equal(token.event, TL_JSON_LIST);
    for (int n = 1; n <= 2; n++) {
        assert_int_equal(tl_json_reader_value(r, arena, &item, NULL), 1);
        assert_int_equal(tl_map_gets(item.as.map, "n")->as.i, n);
    }
    assert_int_equal(tl_json_reader_value(r, arena, &item, NULL), 2);
    tl_json_reader_next(r, &token, NULL);
    assert_true(token.event == TL_JSON_KEY && tl_value_is(token.value, "after"));
    tl_json_reader_free(r);
    tl_arena_free(arena);
}

static void json_write_options_shape_the_text(void **state)
{
    (void)state;
    tl_arena *arena = tl_arena_new(0);
    tl_value v = parsed(arena, "{\"b\":[1,{}],\"a\":\"<&\xE2\x80\xA8\\b\"}", 26, NULL);
    const tl_json_write_options go = {.sort = 1, .html = 1, .indent = "  "};
    check_written(v, &go, "{\n  \"a\": \"\\u003c\\u0026\\u2028\\b\",\n  \"b\": [\n    1,\n    {}\n  ]\n}");
    check_written(v, NULL, "{\"b\":[1,{}],\"a\":\"<&\\u2028\\b\"}");
    tl_value bytes = tl_string_ref("hi", 2);
    bytes.type = TL_BYTES;
    check_written(bytes, NULL, "\"aGk=\"");
    check_written(tl_as_go(tl_int(-1), TL_GO_UINT64), NULL, "18446744073709551615");
    tl_arena_free(arena);
}

static void json_write_refuses_cycles_and_infinities(void **state)
{
    (void)state;
    tl_arena *arena = tl_arena_new(0);
    tl_list *list = tl_list_new(arena, 1);
    tl_list_push(arena, list, tl_list_value(list));
    tl_buf out = TL_BUF_INIT(SIZE_MAX), small = TL_BUF_INIT(4);
    tl_error err = {0};
    assert_int_equal(tl_json_write(&out, tl_list_value(list), NULL, &err), -1);
    assert_string_equal(err.kind, "usage");
    assert_int_equal(tl_json_write(&out, tl_float(INFINITY), NULL, &err), -1);
    assert_string_equal(err.message, "json: unsupported value: +Inf");
    assert_int_equal(tl_json_write(&small, tl_cstring_ref("longer"), NULL, &err), -1);
    assert_string_equal(err.kind, "limit");
    tl_error_dispose(&err);
    tl_buf_dispose(&out);
    tl_buf_dispose(&small);
    tl_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_parse_keeps_integers_order_and_nul),
        cmocka_unit_test(json_parse_floats_only_for_chart_values),
        cmocka_unit_test(json_parse_last_of_equal_keys_wins),
        cmocka_unit_test(json_parse_bad_utf8_and_surrogates_become_replacements),
        cmocka_unit_test(json_parse_borrowing_points_into_the_text),
        cmocka_unit_test(json_parse_error_has_line_and_column),
        cmocka_unit_test(json_parse_depth_and_size_are_bounded),
        cmocka_unit_test(json_reader_pieces_of_any_size_give_the_same),
        cmocka_unit_test(json_reader_walks_a_list_item_by_item),
        cmocka_unit_test(json_write_options_shape_the_text),
        cmocka_unit_test(json_write_refuses_cycles_and_infinities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
