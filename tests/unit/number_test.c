/* Numbers, against what Go prints (tests/unit/data/number.golden). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/number.h"

#define FIELDS 10

static void check(const char *want, size_t length, const char *got)
{
    assert_string_equal(got, want);
    assert_int_equal(length, strlen(want));
}

static void check_line(char *line)
{
    char *field[FIELDS], *save, out[TL_NUMBER_MAX + 32];
    int count = 0;
    for (char *f = strtok_r(line, " \n", &save); f && count < FIELDS; f = strtok_r(NULL, " \n", &save)) field[count++] = f;
    assert_int_equal(count, FIELDS);
    uint64_t bits = strtoull(field[0], NULL, 16);
    int precision = atoi(field[6]);
    double number, again;
    memcpy(&number, &bits, sizeof number);
    check(field[1], tl_number_format(number, 'g', -1, 64, out), out);
    check(field[2], tl_number_format(number, 'e', -1, 64, out), out);
    check(field[3], tl_number_format(number, 'f', -1, 64, out), out);
    check(field[4], tl_number_format((float)number, 'g', -1, 32, out), out);
    check(field[5], tl_number_json(number, 64, out), out);
    check(field[7], tl_number_format(number, 'g', precision, 64, out), out);
    check(field[8], tl_number_format(number, 'e', precision, 64, out), out);
    check(field[9], tl_number_format(number, 'f', precision, 64, out), out);
    assert_int_equal(tl_number_parse_float(field[1], strlen(field[1]), &again), 0);
    assert_memory_equal(&again, &number, sizeof number);
}

static void number_format_gives_gos_text(void **state)
{
    (void)state;
    FILE *file = fopen("tests/unit/data/number.golden", "re");
    char line[1024];
    int lines = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (*line == '#') continue;
        check_line(line);
        lines++;
    }
    fclose(file);
    assert_true(lines > 90);
}

static void number_format_not_finite_has_names(void **state)
{
    (void)state;
    char out[TL_NUMBER_MAX];
    check("NaN", tl_number_format(NAN, 'g', -1, 64, out), out);
    check("+Inf", tl_number_format(INFINITY, 'f', 3, 64, out), out);
    check("-Inf", tl_number_format(-INFINITY, 'e', -1, 64, out), out);
}

static int64_t parsed_int(const char *text, int base, int want_status)
{
    int64_t out;
    assert_int_equal(tl_number_parse_int(text, strlen(text), base, &out), want_status);
    return out;
}

static void number_parse_int_takes_gos_forms(void **state)
{
    (void)state;
    assert_int_equal(parsed_int("-12", 10, 0), -12);
    assert_int_equal(parsed_int("0x_1F", 0, 0), 31);
    assert_int_equal(parsed_int("0b101", 0, 0), 5);
    assert_int_equal(parsed_int("0o17", 0, 0), 15);
    assert_int_equal(parsed_int("017", 0, 0), 15);
    assert_int_equal(parsed_int("1_000", 0, 0), 1000);
    assert_int_equal(parsed_int("+7", 0, 0), 7);
    assert_true(parsed_int("-9223372036854775808", 10, 0) == INT64_MIN);
    assert_true(parsed_int("9223372036854775808", 10, -2) == INT64_MAX);
    static const char *const bad[] = {"", "-", "08", "1__0", "_1", "1_", "0x", "1a", " 1", "1.0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) parsed_int(bad[i], 0, -1);
    parsed_int("1_000", 10, -1);
}

static void number_parse_float_refuses_what_go_refuses(void **state)
{
    (void)state;
    double out;
    static const char *const bad[] = {"", ".", "e5", "1e", "1e+", "0x1", "1..2", "_1", "1_", " 1", "1 ", "infinit", "0x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tl_number_parse_float(bad[i], strlen(bad[i]), &out), -1);
    assert_int_equal(tl_number_parse_float("0x1p-2", 6, &out), 0);
    assert_true(out == 0.25);
    assert_int_equal(tl_number_parse_float("-Infinity", 9, &out), 0);
    assert_true(isinf(out) && out < 0);
    assert_int_equal(tl_number_parse_float("1e999", 5, &out), -2);
}

static void number_beyond_float32_is_an_infinity_or_zero(void **state)
{
    (void)state;
    char out[TL_NUMBER_MAX + 32];
    check("+Inf", tl_number_format(4.4e56, 'g', -1, 32, out), out);
    check("-Inf", tl_number_format(-4.4e56, 'g', -1, 32, out), out);
    check("0", tl_number_format(1e-60, 'g', -1, 32, out), out);
    check("1e-45", tl_number_format(1e-45, 'g', -1, 32, out), out);
    check("+Inf", tl_number_format(4.4e56, 'f', 2, 32, out), out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_beyond_float32_is_an_infinity_or_zero),
        cmocka_unit_test(number_format_gives_gos_text),
        cmocka_unit_test(number_format_not_finite_has_names),
        cmocka_unit_test(number_parse_int_takes_gos_forms),
        cmocka_unit_test(number_parse_float_refuses_what_go_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
