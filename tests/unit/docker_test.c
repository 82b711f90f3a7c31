/* What the engine says: progress messages, frames of output, errors, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "docker/demux.h"
#include "docker/engine.h"
#include "docker/progress.h"

static tl_buf seen = TL_BUF_INIT(SIZE_MAX);

static void on_event(void *context, const tl_progress_event *e)
{
    (void)context;
    static const char *const names[] = {"step", "output", "pull"};
    tl_buf_addf(&seen, "%s %d/%d %s", names[e->kind], e->step, e->steps, e->text);
    if (e->total) tl_buf_addf(&seen, " %lld/%lld", (long long)e->bytes, (long long)e->total);
    tl_buf_addc(&seen, '\n');
}

/* Feeds the text in pieces of `size` bytes. */
static tl_progress *feed(const char *text, size_t size)
{
    tl_error err = {0};
    tl_progress *p = tl_progress_new(on_event, NULL, &err);
    assert_non_null(p);
    tl_buf_clear(&seen);
    for (size_t left = strlen(text); left;) {
        size_t piece = size < left ? size : left;
        assert_int_equal(tl_progress_feed(p, text, piece, &err), 0);
        text += piece;
        left -= piece;
    }
    return p;
}

static const char build[] = "{\"stream\":\"Step 1/3 : FROM scratch\"}\r\n{\"stream\":\"\\n\"}\r\n{\"stream\":\" ---\\u003e \\n\"}\r\n"
                            "{\"stream\":\"Step 2/3 : COPY a /\"}\r\n{\"stream\":\"\\n\"}\r\n"
                            "{\"stream\":\" ---\\u003e Using cache\\n\"}\r\n{\"stream\":\" ---\\u003e aaaa\\n\"}\r\n"
                            "{\"stream\":\"Step 3/3 : RUN make\"}\r\n{\"stream\":\"\\n\"}\r\n"
                            "{\"stream\":\" ---\\u003e Running in bbbb\\n\"}\r\n{\"stream\":\"half a \"}\r\n"
                            "{\"stream\":\"line\\nbar 1%\\rbar 100%\\n\"}\r\n{\"stream\":\"\\u001b[91mred\\n\\u001b[0m\"}\r\n"
                            "{\"stream\":\"Removing intermediate container bbbb\\n\"}\r\n";

static void build_messages_become_steps_and_lines(void **state)
{
    (void)state;
    const char *expected = "step 1/3 FROM scratch\nstep 2/3 COPY a /\nstep 3/3 RUN make\n"
                           "output 3/3 half a line\noutput 3/3 bar 100%\noutput 3/3 red\n";
    const size_t sizes[] = {1, 7, 4096};
    for (int i = 0; i < 3; i++) {
        tl_error err = {0};
        tl_progress *p = feed(build, sizes[i]);
        const char *end = "{\"aux\":{\"ID\":\"sha256:cc\"}}\r\n{\"stream\":\"Successfully built cc\\n\"}\r\n";
        assert_int_equal(tl_progress_feed(p, end, strlen(end), &err), 0);
        assert_int_equal(tl_progress_end(p, &err), 0);
        assert_string_equal(seen.data, expected);
        assert_string_equal(tl_progress_id(p), "sha256:cc");
        assert_int_equal(tl_progress_cached(p), 0);
        tl_progress_free(p);
    }
}

static void build_failure_names_step_status_and_tail(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_progress *p = feed(build, 100);
    const char *end = "{\"errorDetail\":{\"code\":2,\"message\":\"returned a non-zero code: 2\"},\"error\":\"returned a "
                      "non-zero code: 2\"}\r\n";
    tl_progress_feed(p, end, strlen(end), &err);
    assert_int_equal(tl_progress_end(p, &err), -1);
    assert_string_equal(err.kind, "build");
    assert_int_equal(err.status, 2);
    assert_string_equal(err.message, "step 3 of 3 failed: RUN make: returned a non-zero code: 2");
    assert_string_equal(tl_progress_tail(p), "half a line\nbar 100%\nred\n");
    tl_error_dispose(&err);
    tl_progress_free(p);
}

/* What an engine of version 20.10 sent for FROM and RUN sh -c 'echo bad; exit 3'. */
static const char trace[] =
    "{\"id\":\"moby.buildkit.trace\",\"aux\":\""
    "CqUBCkdzaGEyNTY6NjQ3MzRiM2I4MmYwOWRlNmFjZGM5YmM2MDRjOGI5MzQ0NThjZDBkYjJmODlmYTk0Y2E5NjYwNzFiNDNm"
    "YWJmMho+W2ludGVybmFsXSBsb2FkIG1ldGFkYXRhIGZvciBkb2NrZXIuaW8vbGlicmFyeS90b2RvLW1jcDpsYXRlc3QqDAi4"
    "iKjYBhDh76CYAjIMCLiIqNgGEIO3t5gCCncKR3NoYTI1Njo5OTNiZDNkOTY5NGUyYmYxZWI2OTU1ZDEzZmNjODAxOGU0MjA0"
    "NDJkMThiMGMxY2U0NmMyOWY1NDQyOGNiMWZlGixbMS8yXSBGUk9NIGRvY2tlci5pby9saWJyYXJ5L3RvZG8tbWNwOmxhdGVz"
    "dAq2AQpHc2hhMjU2OmMyM2NjZGFkZDg3MDVhNGRmZjdjMDFiZTUxZjY5ZDI2MzJmZjcxNjFlZDYzZWJlMmQzOGNhMjJhYmYx"
    "OGU4MmESR3NoYTI1Njo5OTNiZDNkOTY5NGUyYmYxZWI2OTU1ZDEzZmNjODAxOGU0MjA0NDJkMThiMGMxY2U0NmMyOWY1NDQy"
    "OGNiMWZlGiJbMi8yXSBSVU4gc2ggLWMgJ2VjaG8gYmFkOyBleGl0IDMn"
    "\"}\r\n"
    "{\"id\":\"moby.buildkit.trace\",\"aux\":\""
    "CpUBCkdzaGEyNTY6OTkzYmQzZDk2OTRlMmJmMWViNjk1NWQxM2ZjYzgwMThlNDIwNDQyZDE4YjBjMWNlNDZjMjlmNTQ0Mjhj"
    "YjFmZRosWzEvMl0gRlJPTSBkb2NrZXIuaW8vbGlicmFyeS90b2RvLW1jcDpsYXRlc3QgASoMCLiIqNgGEJyc8pgCMgwIuIio"
    "2AYQ4c/1mAI="
    "\"}\r\n"
    "{\"id\":\"moby.buildkit.trace\",\"aux\":\""
    "CsQBCkdzaGEyNTY6YzIzY2NkYWRkODcwNWE0ZGZmN2MwMWJlNTFmNjlkMjYzMmZmNzE2MWVkNjNlYmUyZDM4Y2EyMmFiZjE4"
    "ZTgyYRJHc2hhMjU2Ojk5M2JkM2Q5Njk0ZTJiZjFlYjY5NTVkMTNmY2M4MDE4ZTQyMDQ0MmQxOGIwYzFjZTQ2YzI5ZjU0NDI4"
    "Y2IxZmUaIlsyLzJdIFJVTiBzaCAtYyAnZWNobyBiYWQ7IGV4aXQgMycqDAi4iKjYBhCjydCZAg=="
    "\"}\r\n"
    "{\"id\":\"moby.buildkit.trace\",\"aux\":\""
    "Gl4KR3NoYTI1NjpjMjNjY2RhZGQ4NzA1YTRkZmY3YzAxYmU1MWY2OWQyNjMyZmY3MTYxZWQ2M2ViZTJkMzhjYTIyYWJmMThl"
    "ODJhEgsIuYio2AYQ/s6lHBgBIgRiYWQK"
    "\"}\r\n"
    "{\"id\":\"moby.buildkit.trace\",\"aux\":\""
    "Cp4CCkdzaGEyNTY6YzIzY2NkYWRkODcwNWE0ZGZmN2MwMWJlNTFmNjlkMjYzMmZmNzE2MWVkNjNlYmUyZDM4Y2EyMmFiZjE4"
    "ZTgyYRJHc2hhMjU2Ojk5M2JkM2Q5Njk0ZTJiZjFlYjY5NTVkMTNmY2M4MDE4ZTQyMDQ0MmQxOGIwYzFjZTQ2YzI5ZjU0NDI4"
    "Y2IxZmUaIlsyLzJdIFJVTiBzaCAtYyAnZWNobyBiYWQ7IGV4aXQgMycqDAi4iKjYBhCjydCZAjILCLmIqNgGEJjY7Hc6S2V4"
    "ZWN1dG9yIGZhaWxlZCBydW5uaW5nIFsvYmluL3NoIC1jIHNoIC1jICdlY2hvIGJhZDsgZXhpdCAzJ106IGV4aXQgY29kZTog"
    "Mw=="
    "\"}\r\n";

static void buildkit_trace_becomes_steps_and_lines(void **state)
{
    (void)state;
    tl_error err = {0};
    const char *end = "{\"error\":\"failed to solve: executor failed running [/bin/sh -c sh -c 'echo bad; exit 3']: exit code: 3\"}\n";
    tl_progress *p = feed(trace, 50);
    assert_string_equal(seen.data, "step 1/2 FROM docker.io/library/todo-mcp:latest\nstep 2/2 RUN sh -c 'echo bad; exit 3'\n"
                                   "output 2/2 bad\n");
    assert_int_equal(tl_progress_feed(p, end, strlen(end), &err), 0);
    assert_int_equal(tl_progress_end(p, &err), -1);
    assert_string_equal(err.message, "step 2 of 2 failed: RUN sh -c 'echo bad; exit 3': The command returned a non-zero code: 3");
    assert_int_equal(err.status, 3);
    assert_string_equal(tl_progress_tail(p), "bad\n");
    tl_error_dispose(&err);
    tl_progress_free(p);
}

/* However a trace is cut or broken, it is passed over. */
static void broken_buildkit_trace_is_no_failure(void **state)
{
    (void)state;
    const char *const broken[] = {"", "!", "CgH/", "Cv////8P", "CgMK/38=", "GgUKA2FiYw=="};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char message[200];
        tl_error err = {0};
        snprintf(message, sizeof message, "{\"id\":\"moby.buildkit.trace\",\"aux\":\"%s\"}\n", broken[i]);
        tl_progress *p = feed(message, 1000);
        assert_int_equal(tl_progress_end(p, &err), 0);
        assert_string_equal(seen.data, "");
        tl_progress_free(p);
    }
}

static void build_wholly_from_cache_says_so(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_progress *p = feed("{\"stream\":\"Step 1/2 : FROM x\\n\"}\n{\"stream\":\" ---\\u003e aa\\n\"}\n"
                          "{\"stream\":\"Step 2/2 : RUN y\\n\"}\n{\"stream\":\" ---\\u003e Using cache\\n\"}\n",
                          10);
    assert_int_equal(tl_progress_end(p, &err), 0);
    assert_int_equal(tl_progress_cached(p), 1);
    tl_progress_free(p);
}

static void failure_of_disk_and_registry_has_its_kind(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"write /x: no space left on device", "no_space"},
        {"pull access denied for x, repository does not exist", "pull"},
        {"Get \\\"https://registry-1.docker.io/v2/\\\": dial tcp: lookup registry-1.docker.io: no such host", "pull"},
        {"something else", "engine"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        tl_error err = {0};
        snprintf(text, sizeof text, "{\"errorDetail\":{\"message\":\"%s\"}}", cases[i][0]);
        tl_progress *p = feed(text, 5);
        assert_int_equal(tl_progress_end(p, &err), -1);
        assert_string_equal(err.kind, cases[i][1]);
        assert_true(!err.hint == !strcmp(err.kind, "engine"));
        tl_error_dispose(&err);
        tl_progress_free(p);
    }
}

static void pull_adds_up_its_layers(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_progress *p = feed("{\"status\":\"Pulling from x\",\"id\":\"1\"}\n"
                          "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":10},\"id\":\"aa\"}\n"
                          "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"total\":30},\"id\":\"bb\"}\n"
                          "{\"status\":\"Download complete\",\"id\":\"aa\"}\n{\"status\":\"Digest: sha256:1\"}\n",
                          3);
    assert_int_equal(tl_progress_end(p, &err), 0);
    assert_non_null(strstr(seen.data, "pull 0/0 bb: Downloading 6/40\n"));
    assert_non_null(strstr(seen.data, "pull 0/0 aa: Download complete 11/40\n"));
    tl_progress_free(p);
}

static void load_and_import_tell_names_and_id(void **state)
{
    (void)state;
    tl_error err = {0};
    size_t count;
    tl_progress *p = feed("{\"stream\":\"Loaded image: a:1\\n\"}\n{\"stream\":\"Loaded image ID: sha256:9\\n\"}\n"
                          "{\"status\":\"sha256:77\"}\n",
                          1000);
    assert_int_equal(tl_progress_end(p, &err), 0);
    const char *const *names = tl_progress_loaded(p, &count);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "a:1");
    assert_string_equal(names[1], "sha256:9");
    assert_string_equal(tl_progress_id(p), "sha256:77");
    tl_progress_free(p);
}

static void garbage_is_a_parse_error(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_progress *p = tl_progress_new(on_event, NULL, &err);
    assert_int_equal(tl_progress_feed(p, "<html>\n", 7, &err), -1);
    assert_string_equal(err.kind, "parse");
    tl_error_dispose(&err);
    tl_progress_free(p);
}

static void take_frame(void *context, int stream, const char *bytes, size_t length)
{
    tl_buf_addf(context, "%d:", stream);
    tl_buf_add(context, bytes, length);
}

static void frames_are_told_apart_however_they_are_cut(void **state)
{
    (void)state;
    const char text[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\1X\1\0\0\0\0\0\0\2\0d";
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        tl_error err = {0};
        tl_buf out = TL_BUF_INIT(SIZE_MAX);
        tl_demux demux = {.sink = take_frame, .context = &out};
        assert_int_equal(tl_demux_feed(&demux, text, cut, &err), 0);
        assert_int_equal(tl_demux_feed(&demux, text + cut, sizeof text - 1 - cut, &err), 0);
        size_t content = 0;
        for (size_t i = 0; i < out.len; i++) content += out.data[i] != ':' && out.data[i] != '1' && out.data[i] != '2';
        assert_int_equal(content, 6);
        assert_non_null(strstr(out.data, "2:X"));
        tl_buf_dispose(&out);
    }
    tl_error err = {0};
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    tl_demux demux = {.sink = take_frame, .context = &out};
    assert_int_equal(tl_demux_feed(&demux, "plain text", 10, &err), -1);
    tl_error_dispose(&err);
    tl_buf_dispose(&out);
}

static void aim(const char *host, const char *path, const char *url, const char *socket)
{
    tl_error err = {0};
    tl_buf text = TL_BUF_INIT(SIZE_MAX);
    tl_http_options o = {0};
    tl_engine *e = tl_engine_new(&(tl_engine_options){.host = host, .tls_verify = -1}, &err);
    assert_non_null(e);
    assert_int_equal(tl_engine_negotiate(e, "1.41", &err), 0);
    tl_engine_aim(e, path, &text, &o);
    assert_string_equal(o.url, url);
    if (socket)
        assert_string_equal(o.unix_socket, socket);
    else
        assert_null(o.unix_socket);
    tl_buf_dispose(&text);
    tl_engine_free(e);
}

static void hosts_become_addresses(void **state)
{
    (void)state;
    aim("unix:///run/x.sock", "/info", "http://docker/v1.41/info", "/run/x.sock");
    aim("tcp://1.2.3.4:2375", "/info", "http://1.2.3.4:2375/v1.41/info", NULL);
    aim("tcp://somewhere/", "/info", "http://somewhere:2375/v1.41/info", NULL);
    aim("https://somewhere", "/info", "https://somewhere:2376/v1.41/info", NULL);
}

static void version_is_the_older_of_both(void **state)
{
    (void)state;
    const char *const cases[][2] = {{"1.41", "1.41"}, {"1.99", TL_ENGINE_API}, {"1.9", ""}, {"2.0", TL_ENGINE_API}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tl_error err = {0};
        tl_engine *e = tl_engine_new(&(tl_engine_options){.host = "unix:///x", .tls_verify = -1}, &err);
        assert_int_equal(tl_engine_negotiate(e, cases[i][0], &err), cases[i][1][0] ? 0 : -1);
        assert_string_equal(tl_engine_api(e), cases[i][1]);
        tl_error_dispose(&err);
        tl_engine_free(e);
    }
}

static void refusals_carry_the_engines_words(void **state)
{
    (void)state;
    tl_error err = {0};
    const char *body = "{\"message\":\"No such container: x\"}\n";
    tl_engine_refused(404, body, strlen(body), &err);
    assert_string_equal(err.kind, "not_found");
    assert_int_equal(err.status, 404);
    assert_string_equal(err.message, "docker: No such container: x");
    tl_engine_refused(500, "plain\n", 6, &err);
    assert_string_equal(err.kind, "engine");
    assert_string_equal(err.message, "docker: plain");
    tl_engine_refused(500, "", 0, &err);
    assert_string_equal(err.message, "docker: the engine gave no reason");
    tl_error_dispose(&err);
}

static int free_seen(void **state)
{
    (void)state;
    tl_buf_dispose(&seen);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(build_messages_become_steps_and_lines),
        cmocka_unit_test(build_failure_names_step_status_and_tail),
        cmocka_unit_test(buildkit_trace_becomes_steps_and_lines),
        cmocka_unit_test(broken_buildkit_trace_is_no_failure),
        cmocka_unit_test(build_wholly_from_cache_says_so),
        cmocka_unit_test(failure_of_disk_and_registry_has_its_kind),
        cmocka_unit_test(pull_adds_up_its_layers),
        cmocka_unit_test(load_and_import_tell_names_and_id),
        cmocka_unit_test(garbage_is_a_parse_error),
        cmocka_unit_test(frames_are_told_apart_however_they_are_cut),
        cmocka_unit_test(hosts_become_addresses),
        cmocka_unit_test(version_is_the_older_of_both),
        cmocka_unit_test(refusals_carry_the_engines_words),
    };
    return cmocka_run_group_tests(tests, NULL, free_seen);
}
