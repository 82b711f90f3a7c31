/* Base64, gzip, tar, SHA-256. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "data/base64.h"
#include "data/digest.h"
#include "data/gzip.h"
#include "data/tar.h"
#include "secret/crypto.h"

static void check_base64(const char *bytes, size_t length, tl_base64 alphabet, const char *want)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX), back = TL_BUF_INIT(SIZE_MAX);
    tl_base64_encode(&out, bytes, length, alphabet);
    assert_string_equal(out.data, want);
    assert_int_equal(tl_base64_decode(&back, out.data, out.len, alphabet, NULL), 0);
    assert_int_equal(back.len, length);
    assert_memory_equal(back.data, bytes, length);
    tl_buf_dispose(&out);
    tl_buf_dispose(&back);
}

static void base64_round_trip_in_every_alphabet(void **state)
{
    (void)state;
    check_base64("", 0, TL_BASE64_STD, "");
    check_base64("f", 1, TL_BASE64_STD, "Zg==");
    check_base64("fo", 2, TL_BASE64_STD, "Zm8=");
    check_base64("foobar", 6, TL_BASE64_STD, "Zm9vYmFy");
    check_base64("\xff\xfe\0", 3, TL_BASE64_STD, "//4A");
    check_base64("\xff\xfe\0", 3, TL_BASE64_URL, "__4A");
    check_base64("f", 1, TL_BASE64_RAW, "Zg");
    check_base64("\xff\xff", 2, TL_BASE64_RAW_URL, "__8");
}

static void base64_decode_names_the_bad_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {{"Zm9v!", "illegal base64 data at input byte 4"},  {"Zg=", "illegal base64 data at input byte 3"},
                 {"Zg", "illegal base64 data at input byte 0"},     {"Zg==x", "illegal base64 data at input byte 4"},
                 {"Z===", "illegal base64 data at input byte 1"},   {"Zg=a", "illegal base64 data at input byte 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tl_buf out = TL_BUF_INIT(SIZE_MAX);
        tl_error err = {0};
        assert_int_equal(tl_base64_decode(&out, cases[i].text, strlen(cases[i].text), TL_BASE64_STD, &err), -1);
        assert_string_equal(err.message, cases[i].message);
        tl_error_dispose(&err);
        tl_buf_dispose(&out);
    }
}

static void base64_decode_skips_line_breaks(void **state)
{
    (void)state;
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    assert_int_equal(tl_base64_decode(&out, "Zm9v\r\nYmE=\n", 11, TL_BASE64_STD, NULL), 0);
    assert_string_equal(out.data, "fooba");
    tl_buf_dispose(&out);
}

static void gzip_round_trip_of_members_and_sizes(void **state)
{
    (void)state;
    tl_buf packed = TL_BUF_INIT(SIZE_MAX), back = TL_BUF_INIT(SIZE_MAX), text = TL_BUF_INIT(SIZE_MAX);
    for (int i = 0; i < 50000; i++) tl_buf_addf(&text, "line %d of it\n", i);
    assert_int_equal(tl_gzip_compress(&packed, text.data, text.len, 9, NULL), 0);
    assert_true(packed.len < text.len / 4 && tl_gzip_is(packed.data, packed.len));
    assert_int_equal(tl_gzip_compress(&packed, "", 0, 1, NULL), 0);
    assert_int_equal(tl_gzip_compress(&packed, "tail", 4, 1, NULL), 0);
    assert_int_equal(tl_gzip_decompress(&back, packed.data, packed.len, NULL), 0);
    assert_int_equal(back.len, text.len + 4);
    assert_memory_equal(back.data, text.data, text.len);
    assert_string_equal(back.data + text.len, "tail");
    tl_buf_dispose(&packed);
    tl_buf_dispose(&back);
    tl_buf_dispose(&text);
}

static void gzip_holds_tells_the_content_from_others(void **state)
{
    (void)state;
    tl_buf packed = TL_BUF_INIT(1 << 20);
    assert_int_equal(tl_gzip_compress(&packed, "content", 7, 9, NULL), 0);
    assert_true(tl_gzip_holds(packed.data, packed.len, "content", 7));
    assert_false(tl_gzip_holds(packed.data, packed.len, "cantent", 7));
    assert_false(tl_gzip_holds(packed.data, packed.len, "content", 6));
    assert_false(tl_gzip_holds(packed.data, 10, "", 0));
    tl_buf_dispose(&packed);
}

static void gzip_decompress_is_bounded_and_sees_damage(void **state)
{
    (void)state;
    tl_buf packed = TL_BUF_INIT(SIZE_MAX), back = TL_BUF_INIT(1000);
    char *zeros = calloc(1, 1 << 20);
    tl_error err = {0};
    tl_gzip_compress(&packed, zeros, 1 << 20, 9, NULL);
    assert_int_equal(tl_gzip_decompress(&back, packed.data, packed.len, &err), -1);
    assert_string_equal(err.kind, "limit");
    back.max = SIZE_MAX;
    tl_buf_clear(&back);
    assert_int_equal(tl_gzip_decompress(&back, packed.data, packed.len - 9, &err), -1);
    assert_string_equal(err.message, "the gzip data ends too early");
    tl_buf_clear(&back);
    packed.data[packed.len - 6] ^= 1; /* the checksum */
    assert_int_equal(tl_gzip_decompress(&back, packed.data, packed.len, &err), -1);
    assert_int_equal(tl_gzip_decompress(&back, "plain text", 10, &err), -1);
    assert_string_equal(err.kind, "parse");
    assert_int_equal(tl_gzip_decompress(&back, "", 0, &err), -1);
    tl_error_dispose(&err);
    free(zeros);
    tl_buf_dispose(&packed);
    tl_buf_dispose(&back);
}

static int to_buf(void *context, const void *bytes, size_t length, tl_error *err)
{
    tl_buf_add(context, bytes, length);
    return ((tl_buf *)context)->over ? tl_error_set(err, "limit", "full") : 0;
}

static void write_archive(tl_buf *out, const char *name)
{
    tl_tar_writer *w = tl_tar_writer_new(to_buf, out);
    const tl_tar_entry dir = {.path = "d", .kind = TL_TAR_DIR, .mode = 0755, .mtime = 7};
    const tl_tar_entry file = {.path = name, .kind = TL_TAR_FILE, .mode = 0644, .size = 5};
    const tl_tar_entry link = {.path = "l", .kind = TL_TAR_SYMLINK, .mode = 0777, .target = "d/f"};
    assert_int_equal(tl_tar_writer_entry(w, &dir, NULL), 0);
    assert_int_equal(tl_tar_writer_entry(w, &file, NULL), 0);
    assert_int_equal(tl_tar_writer_entry(w, &link, NULL), -1); /* the file is not complete */
    assert_int_equal(tl_tar_writer_data(w, "hel", 3, NULL), 0);
    assert_int_equal(tl_tar_writer_data(w, "lo!", 3, NULL), -1);
    assert_int_equal(tl_tar_writer_data(w, "lo", 2, NULL), 0);
    assert_int_equal(tl_tar_writer_entry(w, &link, NULL), 0);
    assert_int_equal(tl_tar_writer_finish(w, NULL), 0);
    tl_tar_writer_free(w);
}

static int describe(void *context, const tl_tar_entry *e, const void *bytes, tl_error *err)
{
    (void)err;
    tl_buf_addf(context, "%s %d %o %d %s %s;", e->path, e->kind, (unsigned)e->mode, (int)e->mtime,
                e->target ? e->target : "-", bytes ? (const char *)bytes : "-");
    return 0;
}

static void tar_round_trip_plain_and_compressed(void **state)
{
    (void)state;
    tl_buf archive = TL_BUF_INIT(SIZE_MAX), again = TL_BUF_INIT(SIZE_MAX), packed = TL_BUF_INIT(SIZE_MAX);
    write_archive(&archive, "d/\xC3\xA9");
    write_archive(&again, "d/\xC3\xA9");
    assert_int_equal(archive.len, again.len);
    assert_memory_equal(archive.data, again.data, archive.len);
    assert_int_equal(tl_gzip_compress(&packed, archive.data, archive.len, 6, NULL), 0);
    for (int i = 0; i < 2; i++) {
        const tl_buf *bytes = i ? &packed : &archive;
        tl_buf seen = TL_BUF_INIT(SIZE_MAX);
        assert_int_equal(tl_tar_read(bytes->data, bytes->len, NULL, describe, &seen, NULL), 0);
        assert_string_equal(seen.data, "d 1 755 7 - -;d/\xC3\xA9 0 644 0 - hello;l 2 777 0 d/f -;");
        tl_buf_dispose(&seen);
    }
    tl_buf_dispose(&archive);
    tl_buf_dispose(&again);
    tl_buf_dispose(&packed);
}

static void tar_keeps_long_names_and_targets(void **state)
{
    (void)state;
    for (size_t length = 98; length < 103; length++) {
        tl_buf archive = TL_BUF_INIT(SIZE_MAX), seen = TL_BUF_INIT(SIZE_MAX), expected = TL_BUF_INIT(SIZE_MAX);
        char text[128] = {0};
        memset(text, 'n', length);
        text[length / 2] = '/';
        tl_tar_writer *w = tl_tar_writer_new(to_buf, &archive);
        const tl_tar_entry dir = {.path = text, .kind = TL_TAR_DIR, .mode = 0755};
        const tl_tar_entry link = {.path = text, .kind = TL_TAR_SYMLINK, .mode = 0777, .target = text};
        assert_int_equal(tl_tar_writer_entry(w, &dir, NULL), 0);
        assert_int_equal(tl_tar_writer_entry(w, &link, NULL), 0);
        assert_int_equal(tl_tar_writer_finish(w, NULL), 0);
        assert_int_equal(archive.len % 512, 0);
        assert_int_equal(tl_tar_read(archive.data, archive.len, NULL, describe, &seen, NULL), 0);
        tl_buf_addf(&expected, "%s 1 755 0 - -;%s 2 777 0 %s -;", text, text, text);
        assert_string_equal(seen.data, expected.data);
        tl_tar_writer_free(w);
        tl_buf_dispose(&archive);
        tl_buf_dispose(&seen);
        tl_buf_dispose(&expected);
    }
}

/* More than eleven octal digits; the reader says how large it is when it refuses it. */
static void tar_size_over_8_gib(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_buf archive = TL_BUF_INIT(SIZE_MAX);
    tl_tar_writer *w = tl_tar_writer_new(to_buf, &archive);
    const tl_tar_entry file = {.path = "f", .kind = TL_TAR_FILE, .mode = 0644, .size = ((int64_t)1 << 33) + 5};
    const tl_tar_limits exact = {.file_bytes = file.size, .total_bytes = file.size - 1};
    assert_int_equal(tl_tar_writer_entry(w, &file, NULL), 0);
    assert_memory_equal(archive.data + 124, "\x80\0\0\0\0\0\0\2\0\0\0\5", 12);
    assert_int_equal(tl_tar_read(archive.data, archive.len, &exact, describe, NULL, &err), -1);
    assert_string_equal(err.kind, "limit");
    tl_tar_writer_free(w);
    tl_error_dispose(&err);
    tl_buf_dispose(&archive);
}

static void tar_read_refuses_ways_out_and_too_much(void **state)
{
    (void)state;
    static const char *const names[] = {"../f", "/f", "d/../../f"};
    tl_error err = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tl_buf archive = TL_BUF_INIT(SIZE_MAX), seen = TL_BUF_INIT(SIZE_MAX);
        write_archive(&archive, names[i]);
        assert_int_equal(tl_tar_read(archive.data, archive.len, NULL, describe, &seen, &err), -1);
        assert_string_equal(err.kind, "denied");
        tl_buf_dispose(&archive);
        tl_buf_dispose(&seen);
    }
    tl_buf archive = TL_BUF_INIT(SIZE_MAX), seen = TL_BUF_INIT(SIZE_MAX);
    write_archive(&archive, "./d//f");
    const tl_tar_limits small_file = {.file_bytes = 4}, few = {.entries = 2};
    assert_int_equal(tl_tar_read(archive.data, archive.len, &small_file, describe, &seen, &err), -1);
    assert_string_equal(err.kind, "limit");
    assert_int_equal(tl_tar_read(archive.data, archive.len, &few, describe, &seen, &err), -1);
    assert_string_equal(err.kind, "limit");
    assert_int_equal(tl_tar_read(archive.data, 1500, NULL, describe, &seen, &err), -1);
    tl_buf_clear(&seen);
    assert_int_equal(tl_tar_read(archive.data, archive.len, NULL, describe, &seen, &err), 0);
    assert_non_null(strstr(seen.data, "d/f 0 644"));
    tl_error_dispose(&err);
    tl_buf_dispose(&archive);
    tl_buf_dispose(&seen);
}

static void tar_writer_stops_with_the_sinks_error(void **state)
{
    (void)state;
    tl_buf small = TL_BUF_INIT(600);
    tl_error err = {0};
    tl_tar_writer *w = tl_tar_writer_new(to_buf, &small);
    char bytes[4096] = {0};
    const tl_tar_entry file = {.path = "f", .kind = TL_TAR_FILE, .mode = 0644, .size = 1 << 20};
    int status = tl_tar_writer_entry(w, &file, &err);
    for (int i = 0; i < 256 && !status; i++) status = tl_tar_writer_data(w, bytes, sizeof bytes, &err);
    assert_int_equal(status, -1);
    assert_string_equal(err.message, "full");
    tl_tar_writer_free(w);
    tl_error_dispose(&err);
    tl_buf_dispose(&small);
}

static void sha256_of_bytes_and_files(void **state)
{
    (void)state;
    char hex[65], of_file[65];
    tl_error err = {0};
    tl_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(tl_sha256_file("/dev/null", NULL, of_file, NULL), 0);
    tl_sha256_hex("", 0, hex);
    assert_string_equal(of_file, hex);
    volatile int stop = 1;
    assert_int_equal(tl_sha256_file("/dev/zero", &stop, hex, &err), -1);
    assert_string_equal(err.kind, "cancelled");
    assert_int_equal(tl_sha256_file("/no/such/file", NULL, hex, &err), -1);
    assert_string_equal(err.kind, "not_found");
    tl_error_dispose(&err);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[32], b[32];
    assert_int_equal(tl_random_bytes(a, sizeof a, NULL), 0);
    assert_int_equal(tl_random_bytes(b, sizeof b, NULL), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_round_trip_in_every_alphabet),
        cmocka_unit_test(base64_decode_names_the_bad_byte),
        cmocka_unit_test(base64_decode_skips_line_breaks),
        cmocka_unit_test(gzip_round_trip_of_members_and_sizes),
        cmocka_unit_test(gzip_holds_tells_the_content_from_others),
        cmocka_unit_test(gzip_decompress_is_bounded_and_sees_damage),
        cmocka_unit_test(tar_round_trip_plain_and_compressed),
        cmocka_unit_test(tar_keeps_long_names_and_targets),
        cmocka_unit_test(tar_size_over_8_gib),
        cmocka_unit_test(tar_read_refuses_ways_out_and_too_much),
        cmocka_unit_test(tar_writer_stops_with_the_sinks_error),
        cmocka_unit_test(sha256_of_bytes_and_files),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
