/* The base layer and the value tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/dynlib.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "data/value.h"

static void buf_append_past_limit_is_remembered(void **state)
{
    (void)state;
    tl_buf b;
    tl_buf_init(&b, 10);
    assert_string_equal(b.data, "");
    tl_buf_adds(&b, "12345");
    tl_buf_addf(&b, "%d", 678);
    assert_false(b.over);
    tl_buf_adds(&b, "too much");
    assert_true(b.over);
    assert_string_equal(b.data, "12345678");
    tl_buf_consume(&b, 5);
    assert_string_equal(b.data, "678");
    char *taken = tl_buf_take(&b);
    assert_string_equal(taken, "678");
    assert_int_equal(b.len, 0);
    free(taken);
    tl_buf_dispose(&b);
}

static void buf_keeps_nul_bytes(void **state)
{
    (void)state;
    tl_buf b;
    tl_buf_init(&b, SIZE_MAX);
    tl_buf_add(&b, "a\0b", 3);
    for (int i = 0; i < 1000; i++) tl_buf_addc(&b, 'x');
    assert_int_equal(b.len, 1003);
    assert_memory_equal(b.data, "a\0bx", 4);
    assert_int_equal(b.data[b.len], 0);
    tl_buf_dispose(&b);
}

static void arena_cleared_serves_again_and_counts_anew(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new(3u << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) memset(tl_arena_alloc(a, 30000), round, 30000);
        memset(tl_arena_alloc(a, (2u << 20) - 32), round, (2u << 20) - 32); /* as large as the largest block */
        memset(tl_arena_alloc(a, 2u << 20), round, 2u << 20);
        assert_true(tl_arena_over(a));
        tl_arena_clear(a);
        assert_int_equal(tl_arena_used(a), 0);
        assert_false(tl_arena_over(a));
    }
    assert_string_equal(tl_arena_strdup(a, "kept"), "kept");
    tl_arena_free(a);
}

static void arena_over_limit_says_so_and_still_serves(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new(1000);
    char *first = tl_arena_strdup(a, "first");
    assert_false(tl_arena_over(a));
    for (int i = 0; i < 100; i++) memset(tl_arena_alloc(a, 100), 1, 100);
    assert_true(tl_arena_over(a));
    assert_string_equal(first, "first");
    char *big = tl_arena_alloc(a, 1 << 22);
    memset(big, 2, 1 << 22);
    char *grown = tl_arena_grow(a, tl_arena_strdup(a, "grow"), 5, 500);
    assert_string_equal(grown, "grow");
    tl_arena_free(a);
}

enum { SHARERS = 8, PIECES = 200 };

/* Arenas of many sizes, some freed while others fill: no byte may be handed out twice. */
static void *fill_arenas(void *data)
{
    static const size_t sizes[] = {40, 3000, 40000, 70000, 200000, 1u << 20};
    unsigned seed = *(unsigned *)data;
    const char *wrong = NULL;
    for (int round = 0; round < 6; round++) {
        tl_arena *arenas[SHARERS];
        unsigned char *pieces[PIECES];
        size_t lengths[PIECES];
        for (size_t i = 0; i < SHARERS; i++) arenas[i] = tl_arena_new(0);
        for (size_t i = 0; i < PIECES; i++) {
            seed = seed * 1103515245u + 12345u;
            lengths[i] = sizes[(seed >> 16) % (i % 20 ? 4 : 6)];
            pieces[i] = tl_arena_alloc(arenas[i % SHARERS], lengths[i]);
            memset(pieces[i], (int)((i + seed) & 0xff), lengths[i]);
            pieces[i][0] = (unsigned char)i;
            if (i == PIECES / 2) tl_arena_free(arenas[0]), arenas[0] = tl_arena_new(0);
        }
        for (size_t i = 0; i < PIECES; i++) {
            if (i % SHARERS == 0 && i <= PIECES / 2) continue; /* freed */
            for (size_t b = 2; b < lengths[i]; b++)
                if (pieces[i][b] != pieces[i][1]) wrong = "a byte changed";
            if (pieces[i][0] != (unsigned char)i) wrong = "a first byte changed";
        }
        for (size_t i = 0; i < SHARERS; i++) tl_arena_free(arenas[i]);
    }
    return (void *)(uintptr_t)wrong;
}

static void arenas_of_two_threads_share_memory_but_no_byte(void **state)
{
    (void)state;
    unsigned seeds[] = {1, 2};
    pthread_t other;
    void *result;
    tl_error err = {0};
    assert_int_equal(tl_thread_start(&other, fill_arenas, &seeds[1], &err), 0);
    assert_null(fill_arenas(&seeds[0]));
    assert_int_equal(pthread_join(other, &result), 0);
    assert_null(result);
}

static void error_wrap_keeps_kind_and_cause(void **state)
{
    (void)state;
    tl_error e = {0};
    assert_int_equal(tl_error_errno(&e, ENOENT, "cannot open %s", "x"), -1);
    assert_string_equal(e.kind, "not_found");
    tl_error_hint(&e, "make it");
    tl_error_wrap(&e, "no settings");
    assert_string_equal(e.message, "no settings");
    assert_string_equal(e.kind, "not_found");
    assert_string_equal(e.hint, "make it");
    assert_non_null(e.cause);
    assert_string_equal(e.cause->message, "cannot open x: No such file or directory");
    tl_error moved = {0};
    tl_error_move(&moved, &e);
    assert_null(e.message);
    tl_error_dispose(&moved);
    tl_error_dispose(&moved);
    assert_int_equal(tl_error_set(NULL, "io", "nobody listens"), -1);
}

static void utf8_decodes_as_go_does(void **state)
{
    (void)state;
    size_t w;
    assert_int_equal(tl_utf8_decode("\xE2\x82\xAC", 3, &w), 0x20AC);
    assert_int_equal(w, 3);
    static const char *const bad[] = {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(tl_utf8_decode(bad[i], strlen(bad[i]), &w), TL_UTF8_BAD);
        assert_int_equal(w, 1);
        assert_false(tl_utf8_valid(bad[i], strlen(bad[i])));
    }
    assert_int_equal(tl_utf8_count("a\xFF\xE2\x82\xAC", 5), 3);
    char out[4];
    assert_int_equal(tl_utf8_encode(0x1F600, out), 4);
    assert_memory_equal(out, "\xF0\x9F\x98\x80", 4);
    assert_int_equal(tl_utf8_columns(0x4E00), 2);
    assert_int_equal(tl_utf8_columns('a'), 1);
}

static void dynlib_missing_library_names_the_package(void **state)
{
    (void)state;
    static const char *const names[] = {"libnothing-here.so.9", NULL}, *const symbols[] = {"f"};
    void *out[1];
    tl_error e = {0};
    tl_dynlib lib = {names, "libnothing-dev", symbols, 1};
    assert_int_equal(tl_dynlib_load(&lib, out, &e), -1);
    assert_string_equal(e.kind, "missing_library");
    assert_non_null(strstr(e.hint, "libnothing-dev"));
    tl_error_dispose(&e);
}

static void map_keeps_order_over_deletes_and_growth(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new(0);
    tl_map *m = tl_map_new(a, 0);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);
        tl_map_set(m, key, (size_t)n, tl_int(i));
    }
    for (int i = 0; i < 1000; i += 2) {
        int n = snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(tl_map_delete(m, key, (size_t)n), 1);
        assert_int_equal(tl_map_delete(m, key, (size_t)n), 0);
    }
    tl_map_sets(m, "k0", tl_int(-1));
    assert_int_equal(m->count, 501);
    uint32_t cursor = 0;
    int64_t expected = 1;
    for (int i = 0; i < 500; i++, expected += 2) assert_int_equal(tl_map_next(m, &cursor)->value.as.i, expected);
    assert_int_equal(tl_map_next(m, &cursor)->value.as.i, -1);
    assert_null(tl_map_next(m, &cursor));
    assert_null(tl_map_gets(m, "k2"));
    assert_int_equal(tl_map_gets(m, "k999")->as.i, 999);
    tl_arena_free(a);
}

static void map_sorts_by_bytes(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new(0);
    tl_map *m = tl_map_new(a, 0);
    tl_map_sets(m, "b", tl_null());
    tl_map_sets(m, "a10", tl_null());
    tl_map_sets(m, "a2", tl_null());
    tl_map_sets(m, "a", tl_null());
    tl_entry **e = tl_map_sorted(m, a);
    assert_string_equal(e[0]->key, "a");
    assert_string_equal(e[1]->key, "a10");
    assert_string_equal(e[2]->key, "a2");
    assert_string_equal(e[3]->key, "b");
    assert_null(e[4]);
    tl_arena_free(a);
}

static void value_copy_is_deep_and_equal(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new(0), *b = tl_arena_new(0);
    tl_map *m = tl_map_new(a, 0), *inner = tl_map_new(a, 0);
    tl_list *l = tl_list_new(a, 0);
    tl_list_push(a, l, tl_cstring(a, "x"));
    tl_map_sets(inner, "list", tl_list_value(l));
    tl_map_sets(m, "inner", tl_map_value(inner));
    tl_value copy = tl_value_copy(b, tl_map_value(m));
    assert_true(tl_value_equal(copy, tl_map_value(m)));
    tl_list_push(a, l, tl_int(2));
    assert_false(tl_value_equal(copy, tl_map_value(m)));
    tl_arena_free(a);
    tl_value *found = tl_value_path(&copy, "inner", "list", NULL);
    assert_true(tl_value_is(found->as.list->items[0], "x"));
    assert_null(tl_value_path(&copy, "inner", "list", "deeper", NULL));
    assert_false(tl_value_equal(tl_int(2), tl_float(2)));
    tl_arena_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_append_past_limit_is_remembered),
        cmocka_unit_test(buf_keeps_nul_bytes),
        cmocka_unit_test(arena_cleared_serves_again_and_counts_anew),
        cmocka_unit_test(arena_over_limit_says_so_and_still_serves),
        cmocka_unit_test(arenas_of_two_threads_share_memory_but_no_byte),
        cmocka_unit_test(error_wrap_keeps_kind_and_cause),
        cmocka_unit_test(utf8_decodes_as_go_does),
        cmocka_unit_test(dynlib_missing_library_names_the_package),
        cmocka_unit_test(map_keeps_order_over_deletes_and_growth),
        cmocka_unit_test(map_sorts_by_bytes),
        cmocka_unit_test(value_copy_is_deep_and_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
