/* The parts of the Kubernetes client that need no server: paths, reads and writes, lines, errors, the watch's memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "data/json.h"
#include "k8s/discovery.h"
#include "k8s/guard.h"
#include "k8s/kinds.h"
#include "k8s/lines.h"
#include "k8s/path.h"
#include "k8s/rfc3339.h"
#include "k8s/status.h"
#include "k8s/tracker.h"

/* ---- paths ---- */

static const tl_k8s_resource pods = {
    .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .singular = "pod", .namespaced = 1};
static const tl_k8s_resource roles = {
    .group = "rbac.authorization.k8s.io", .version = "v1", .kind = "ClusterRole", .plural = "clusterroles"};

static void path_of_core_and_grouped_resources(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_buf path = TL_BUF_INIT(1000);
    assert_int_equal(tl_k8s_path(&path, &pods, "a", "x", "log", &err), 0);
    tl_k8s_query(&path, "labelSelector", "app=a,b in (c d)");
    tl_k8s_query(&path, "absent", NULL);
    tl_k8s_query_int(&path, "limit", 5);
    assert_string_equal(path.data,
                        "/api/v1/namespaces/a/pods/x/log?labelSelector=app%3Da%2Cb%20in%20%28c%20d%29&limit=5");
    tl_buf_clear(&path);
    assert_int_equal(tl_k8s_path(&path, &pods, NULL, NULL, NULL, &err), 0);
    assert_string_equal(path.data, "/api/v1/pods");
    tl_buf_clear(&path);
    assert_int_equal(tl_k8s_path(&path, &roles, "ignored", "system:node", NULL, &err), 0);
    assert_string_equal(path.data, "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode");
    tl_buf_dispose(&path);
}

static void path_refuses_names_that_would_leave_the_resource(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "a/b", "a%2fb"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tl_error err = {0};
        tl_buf path = TL_BUF_INIT(1000);
        assert_int_equal(tl_k8s_path(&path, &pods, "n", bad[i], NULL, &err), -1);
        assert_string_equal(err.kind, "usage");
        tl_error_dispose(&err);
        assert_int_equal(tl_k8s_path(&path, &pods, bad[i], "x", NULL, &err), -1);
        tl_error_dispose(&err);
        tl_buf_dispose(&path);
    }
}

/* ---- the guard ---- */

static void guard_tells_reads_from_writes(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        int read;
    } cases[] = {
        {"GET", "/api/v1/namespaces/n/pods", 1},
        {"GET", "/api/v1/namespaces/n/pods/x/log?follow=true", 1},
        {"GET", "/api/v1/namespaces/n/pods/exec", 1}, /* a pod of that name */
        {"GET", "/api/v1/namespaces/n/status", 1},
        {"GET", "/api/v1/watch/namespaces/n/pods", 1},
        {"GET", "/version", 1},
        {"HEAD", "/apis/apps/v1/deployments", 1},
        {"GET", "/api/v1/namespaces/n/pods/x/exec?command=rm", 0},
        {"GET", "/api/v1/namespaces/n/pods/x/%65xec", 0},
        {"GET", "//api//v1/namespaces/n/pods/x/attach", 0},
        {"GET", "/api/v1/namespaces/n/pods/x/portforward", 0},
        {"GET", "/api/v1/namespaces/n/services/x/proxy/a/b", 0},
        {"GET", "/api/v1/nodes/x/proxy/run", 0},
        {"GET", "/api/v1/proxy/namespaces/n/pods/x", 0},
        {"POST", "/api/v1/namespaces/n/pods", 0},
        {"PUT", "/api/v1/namespaces/n/pods/x", 0},
        {"PATCH", "/api/v1/namespaces/n/pods/x?dryRun=All", 0},
        {"DELETE", "/api/v1/namespaces/n/pods/x", 0},
        {"OPTIONS", "/api", 0},
        {"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 1},
        {"POST", "/apis/authorization.k8s.io/v1/namespaces/n/localsubjectaccessreviews", 1},
        {"POST", "/apis/authentication.k8s.io/v1/tokenreviews", 1},
        {"POST", "/apis/example.com/v1/selfsubjectaccessreviews", 0},
        {"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x", 0},
        {"PUT", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tl_error err = {0};
        int read = tl_k8s_is_read(cases[i].method, cases[i].path, &err);
        if (read != cases[i].read) fail_msg("%s %s: %d", cases[i].method, cases[i].path, read);
    }
}

static void guard_refuses_paths_that_are_not_plain(void **state)
{
    (void)state;
    static const char *const bad[] = {"api/v1", "/api/../x", "/api/%2e%2e/x", "/a/./b", "/a%zz",
                                      "/a%0ab", "/a#b",      "/a%00",         "/a%2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tl_error err = {0};
        if (tl_k8s_is_read("GET", bad[i], &err) != -1) fail_msg("%s was taken", bad[i]);
        assert_string_equal(err.kind, "usage");
        tl_error_dispose(&err);
    }
}

/* ---- kinds ---- */

static void kind_parse_takes_kubectls_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *group, *version, *name;
    } cases[] = {{"pods", NULL, NULL, "pods"},
                 {"deployments.apps", "apps", NULL, "deployments"},
                 {"deployments.v1.apps", "apps", "v1", "deployments"},
                 {"pods.v1.", "", "v1", "pods"},
                 {"leases.coordination.k8s.io", "coordination.k8s.io", NULL, "leases"},
                 {"apps/v1/Deployment", "apps", "v1", "Deployment"},
                 {"v1/Pod", "", "v1", "Pod"}};
    tl_arena *arena = tl_arena_new(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tl_kind_ref ref;
        tl_error err = {0};
        assert_int_equal(tl_kind_parse(arena, cases[i].text, &ref, &err), 0);
        assert_string_equal(ref.name, cases[i].name);
        assert_string_equal(ref.group ? ref.group : "any", cases[i].group ? cases[i].group : "any");
        assert_string_equal(ref.version ? ref.version : "any", cases[i].version ? cases[i].version : "any");
    }
    static const char *const bad[] = {"", "a b", "/", "apps//x", "a?b", ".apps"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tl_kind_ref ref;
        tl_error err = {0};
        if (!tl_kind_parse(arena, bad[i], &ref, &err)) fail_msg("\"%s\" was taken", bad[i]);
        tl_error_dispose(&err);
    }
    tl_arena_free(arena);
}

static void kind_hints_prefer_the_core_group(void **state)
{
    (void)state;
    assert_string_equal(tl_kind_hint_of("events")->group, "");
    assert_string_equal(tl_kind_hint_of("sts")->group, "apps");
    assert_null(tl_kind_hint_of("widgets"));
    assert_null(tl_kind_hint_of("pod pods"));
    assert_string_equal(tl_kind_hint_version("autoscaling"), "v2");
    assert_null(tl_kind_hint_version("example.com"));
}

/* ---- lines ---- */

static char seen_lines[4096];

static int on_line(void *data, const char *line, size_t length, int whole)
{
    (void)data;
    size_t at = strlen(seen_lines);
    snprintf(seen_lines + at, sizeof seen_lines - at, "%.*s%s", (int)length, line, whole ? "|" : "+");
    return 0;
}

static void feed_in_pieces(const char *text, size_t size, size_t max)
{
    tl_lines lines;
    seen_lines[0] = 0;
    tl_lines_init(&lines, max, on_line, NULL);
    for (size_t at = 0, length = strlen(text); at < length; at += size)
        tl_lines_feed(&lines, text + at, length - at < size ? length - at : size);
    tl_lines_end(&lines);
    tl_lines_dispose(&lines);
}

static void lines_are_the_same_however_the_bytes_come(void **state)
{
    (void)state;
    for (size_t size = 1; size < 20; size++) {
        feed_in_pieces("one\n\ntwo two\r\nlast", size, 100);
        assert_string_equal(seen_lines, "one||two two\r|last|");
    }
}

static void lines_longer_than_the_limit_come_in_pieces(void **state)
{
    (void)state;
    for (size_t size = 1; size < 20; size++) {
        feed_in_pieces("1234\n12345\n123456789\nx\n", size, 4);
        assert_string_equal(seen_lines, "1234|1234+5|1234+5678+9|x|");
    }
}

/* ---- errors ---- */

static void status_becomes_kind_message_and_causes(void **state)
{
    (void)state;
    static const char body[] =
        "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"Deployment \\\"x\\\" is "
        "invalid\",\"reason\":\"Invalid\",\"code\":422,"
        "\"details\":{\"causes\":[{\"reason\":\"FieldValueRequired\",\"message\":\"Required "
        "value\",\"field\":\"spec.selector\"},"
        "{\"reason\":\"FieldValueInvalid\",\"message\":\"too long\",\"field\":\"metadata.name\"}]}}";
    tl_error err = {0};
    assert_int_equal(tl_k8s_status_error(422, body, strlen(body), "POST /x", &err), -1);
    assert_string_equal(err.kind, "invalid");
    assert_int_equal(err.status, 422);
    assert_string_equal(err.message, "Deployment \"x\" is invalid");
    assert_string_equal(err.cause->kind, "FieldValueRequired");
    assert_string_equal(err.cause->message, "spec.selector: Required value");
    assert_string_equal(err.cause->cause->message, "metadata.name: too long");
    assert_null(err.cause->cause->cause);
    tl_error_dispose(&err);
}

static void status_kinds_by_code_and_reason(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body, *kind;
    } cases[] = {
        {409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"m\"}", "exists"},
        {409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"m\"}", "conflict"},
        {401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\",\"message\":\"m\"}", "denied"},
        {403, "<html>", "denied"},
        {404, "404 page not found\n", "not_found"},
        {410, "", "gone"},
        {429, "", "busy"},
        {504, "", "timeout"},
        {500, "{\"kind\":", "http"},
        {302, "\x01\x02", "http"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tl_error err = {0};
        tl_k8s_status_error(cases[i].status, cases[i].body, strlen(cases[i].body), "GET /x", &err);
        assert_string_equal(err.kind, cases[i].kind);
        assert_int_equal(err.status, cases[i].status);
        tl_error_dispose(&err);
    }
}

/* ---- times ---- */

static void rfc3339_reads_what_kubernetes_writes(void **state)
{
    (void)state;
    size_t length;
    assert_true(tl_rfc3339("1970-01-01T00:00:01Z", NULL) == 1000000000);
    assert_true(tl_rfc3339("2026-11-24T03:28:00.000000005+02:00 text", &length) == 1795483680000000005);
    assert_int_equal(length, 35);
    assert_true(tl_rfc3339("2026-11-24T03:28:00.5-01:30", NULL) == 1795496280500000000 - 0);
    static const char *const bad[] = {
        "", "2026", "2026-11-24 03:28:00Z", "2026-11-24T03:28:00", "2026-11-24T03:28:00+0200", "2026-11-24T03:28:00Zx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tl_rfc3339(bad[i], NULL) != -1) fail_msg("\"%s\" was taken", bad[i]);
}

/* ---- the watch's memory ---- */

static char told[8192];

static void on_event(void *data, const char *type, tl_value object, tl_doc *doc)
{
    (void)data;
    size_t at = strlen(told);
    snprintf(told + at, sizeof told - at, "%s %s@%s ", type,
             tl_value_text(doc->arena, tl_value_path(&object, "metadata", "name", NULL), "-"),
             tl_value_text(doc->arena, tl_value_path(&object, "metadata", "resourceVersion", NULL), "-"));
}

static void list(tl_tracker *tracker, const char *items, const char *version)
{
    tl_doc *doc = tl_doc_new(0);
    tl_value root;
    assert_int_equal(tl_json_parse(doc->arena, items, strlen(items), NULL, &root, NULL), 0);
    tl_tracker_list_begin(tracker);
    for (size_t i = 0; i < root.as.list->len; i++)
        tl_tracker_list_item(tracker, "v1", "Pod", root.as.list->items[i], doc);
    if (version) tl_tracker_list_end(tracker, version);
    tl_doc_drop(doc);
}

static int event(tl_tracker *tracker, const char *type, const char *name, const char *uid, int version)
{
    char line[512];
    snprintf(line, sizeof line,
             "{\"type\":\"%s\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\","
             "\"name\":\"%s\","
             "\"uid\":\"%s\",\"resourceVersion\":\"%d\"}}}",
             type, name, uid, version);
    return tl_tracker_line(tracker, line, strlen(line), NULL);
}

#define ITEM(name, uid, version)                                                                                       \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"" uid "\",\"resourceVersion\":\"" version "\"" \
    "}}"

static tl_tracker *listed_tracker(void)
{
    told[0] = 0;
    tl_tracker *tracker = tl_tracker_new(NULL, on_event, NULL);
    assert_null(tl_tracker_version(tracker));
    list(tracker, "[" ITEM("a", "1", "5") "," ITEM("b", "2", "6") "]", "10");
    assert_string_equal(told, "ADDED a@5 ADDED b@6 ");
    assert_string_equal(tl_tracker_version(tracker), "10");
    told[0] = 0;
    return tracker;
}

static void tracker_events_move_the_version(void **state)
{
    (void)state;
    tl_tracker *tracker = listed_tracker();
    assert_int_equal(event(tracker, "ADDED", "c", "3", 11), 0);
    assert_int_equal(event(tracker, "MODIFIED", "a", "1", 12), 0);
    assert_int_equal(event(tracker, "DELETED", "b", "2", 13), 0);
    assert_int_equal(event(tracker, "BOOKMARK", "", "", 20), 0);
    assert_string_equal(told, "ADDED c@11 MODIFIED a@12 DELETED b@13 BOOKMARK @20 ");
    assert_string_equal(tl_tracker_version(tracker), "20");
    assert_int_equal(tl_tracker_count(tracker), 2);
    tl_tracker_free(tracker);
}

static void tracker_repeated_events_are_told_once(void **state)
{
    (void)state;
    tl_tracker *tracker = listed_tracker();
    event(tracker, "ADDED", "a", "1", 5);
    event(tracker, "MODIFIED", "a", "1", 12);
    event(tracker, "MODIFIED", "a", "1", 12);
    event(tracker, "DELETED", "b", "2", 13);
    event(tracker, "DELETED", "b", "2", 13);
    event(tracker, "ADDED", "a", "1", 14);
    assert_string_equal(told, "MODIFIED a@12 DELETED b@13 MODIFIED a@14 ");
    tl_tracker_free(tracker);
}

static void tracker_new_list_tells_the_difference(void **state)
{
    (void)state;
    tl_tracker *tracker = listed_tracker();
    event(tracker, "ADDED", "c", "3", 11);
    told[0] = 0;
    assert_int_equal(tl_tracker_expire(tracker, NULL), 0);
    assert_null(tl_tracker_version(tracker));
    /* a is unchanged, b was made anew, c is gone, d is new */
    list(tracker, "[" ITEM("a", "1", "5") "," ITEM("b", "9", "30") "," ITEM("d", "4", "31") "]", "40");
    assert_string_equal(told, "DELETED b@6 ADDED b@30 ADDED d@31 DELETED c@11 ");
    assert_string_equal(tl_tracker_version(tracker), "40");
    tl_tracker_free(tracker);
}

static void tracker_broken_list_starts_again_without_doubles(void **state)
{
    (void)state;
    told[0] = 0;
    tl_tracker *tracker = tl_tracker_new(NULL, on_event, NULL);
    list(tracker, "[" ITEM("a", "1", "5") "," ITEM("b", "2", "6") "]", NULL);
    list(tracker, "[" ITEM("a", "1", "5") "," ITEM("c", "3", "7") "]", "10");
    assert_string_equal(told, "ADDED a@5 ADDED b@6 ADDED c@7 DELETED b@6 ");
    tl_tracker_free(tracker);
}

static void tracker_error_events(void **state)
{
    (void)state;
    tl_tracker *tracker = listed_tracker();
    static const char gone[] = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"too old resource "
                               "version\",\"reason\":\"Expired\",\"code\":410}}";
    static const char broken[] = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"message\":\"etcd "
                                 "lost\",\"reason\":\"InternalError\",\"code\":500}}";
    tl_error err = {0};
    assert_int_equal(tl_tracker_line(tracker, gone, strlen(gone), &err), 1);
    assert_null(err.message);
    assert_int_equal(tl_tracker_line(tracker, broken, strlen(broken), &err), -1);
    assert_string_equal(err.message, "etcd lost");
    assert_int_equal(err.status, 500);
    assert_int_equal(tl_tracker_line(tracker, "{\"type\":", 8, &err), -1);
    assert_string_equal(err.kind, "parse");
    assert_int_equal(tl_tracker_line(tracker, "{}", 2, &err), -1);
    assert_int_equal(tl_tracker_line(tracker, "", 0, &err), 0);
    assert_string_equal(told, "");
    tl_error_dispose(&err);
    tl_tracker_free(tracker);
}

static void tracker_from_a_version_cannot_list_again(void **state)
{
    (void)state;
    told[0] = 0;
    tl_error err = {0};
    tl_tracker *tracker = tl_tracker_new("7", on_event, NULL);
    assert_string_equal(tl_tracker_version(tracker), "7");
    event(tracker, "MODIFIED", "x", "1", 8); /* known to the consumer, though not to us */
    event(tracker, "DELETED", "y", "2", 9);
    event(tracker, "ADDED", "z", "3", 10);
    assert_string_equal(told, "MODIFIED x@8 DELETED y@9 ADDED z@10 ");
    assert_int_equal(tl_tracker_expire(tracker, &err), -1);
    assert_string_equal(err.kind, "gone");
    tl_error_dispose(&err);
    tl_tracker_free(tracker);
}

static int feed(void *data, const char *line, size_t length, int whole)
{
    return whole ? tl_tracker_line(data, line, length, NULL) : -1;
}

static void tracker_recorded_stream_in_any_pieces(void **state)
{
    (void)state;
    static const char stream[] =
        "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p1\","
        "\"namespace\":\"n\",\"uid\":\"u1\",\"resourceVersion\":\"101\"}}}\n"
        "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p1\","
        "\"namespace\":\"n\",\"uid\":\"u1\",\"resourceVersion\":\"102\"}}}\n"
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
        "\"110\"}}}\n"
        "{\"type\":\"DELETED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"p1\","
        "\"namespace\":\"n\",\"uid\":\"u1\",\"resourceVersion\":\"111\"}}}\n";
    for (size_t size = 1; size < sizeof stream; size += 13) {
        told[0] = 0;
        tl_tracker *tracker = tl_tracker_new(NULL, on_event, NULL);
        list(tracker, "[]", "100");
        tl_lines lines;
        tl_lines_init(&lines, 4096, feed, tracker);
        for (size_t at = 0; at < sizeof stream - 1; at += size)
            assert_int_equal(
                tl_lines_feed(&lines, stream + at, sizeof stream - 1 - at < size ? sizeof stream - 1 - at : size), 0);
        assert_string_equal(told, "ADDED p1@101 MODIFIED p1@102 BOOKMARK -@110 DELETED p1@111 ");
        assert_string_equal(tl_tracker_version(tracker), "111");
        assert_int_equal(tl_tracker_count(tracker), 0);
        tl_lines_dispose(&lines);
        tl_tracker_free(tracker);
    }
}

static void tracker_of_many_objects_keeps_them_apart(void **state)
{
    (void)state;
    tl_tracker *tracker = tl_tracker_new(NULL, on_event, NULL);
    list(tracker, "[]", "1");
    char name[32];
    for (int i = 0; i < 5000; i++) {
        told[0] = 0;
        snprintf(name, sizeof name, "pod-%d", i);
        event(tracker, "ADDED", name, name, i + 2);
        assert_memory_equal(told, "ADDED ", 6);
    }
    assert_int_equal(tl_tracker_count(tracker), 5000);
    for (int i = 0; i < 5000; i++) {
        told[0] = 0;
        snprintf(name, sizeof name, "pod-%d", i);
        event(tracker, "DELETED", name, name, i + 6000);
        assert_memory_equal(told, "DELETED ", 8);
    }
    assert_int_equal(tl_tracker_count(tracker), 0);
    tl_tracker_free(tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_of_core_and_grouped_resources),
        cmocka_unit_test(path_refuses_names_that_would_leave_the_resource),
        cmocka_unit_test(guard_tells_reads_from_writes),
        cmocka_unit_test(guard_refuses_paths_that_are_not_plain),
        cmocka_unit_test(kind_parse_takes_kubectls_forms),
        cmocka_unit_test(kind_hints_prefer_the_core_group),
        cmocka_unit_test(lines_are_the_same_however_the_bytes_come),
        cmocka_unit_test(lines_longer_than_the_limit_come_in_pieces),
        cmocka_unit_test(status_becomes_kind_message_and_causes),
        cmocka_unit_test(status_kinds_by_code_and_reason),
        cmocka_unit_test(rfc3339_reads_what_kubernetes_writes),
        cmocka_unit_test(tracker_events_move_the_version),
        cmocka_unit_test(tracker_repeated_events_are_told_once),
        cmocka_unit_test(tracker_new_list_tells_the_difference),
        cmocka_unit_test(tracker_broken_list_starts_again_without_doubles),
        cmocka_unit_test(tracker_error_events),
        cmocka_unit_test(tracker_from_a_version_cannot_list_again),
        cmocka_unit_test(tracker_recorded_stream_in_any_pieces),
        cmocka_unit_test(tracker_of_many_objects_keeps_them_apart),
    };
    return cmocka_run_group_tests_name("k8s", tests, NULL, NULL);
}
