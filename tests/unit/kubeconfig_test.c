/* Kubeconfig files: merging, paths, contexts, certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "k8s/credentials.h"
#include "k8s/fingerprint.h"
#include "k8s/kubeconfig.h"

/* A self-signed certificate made for this test; its DER has the digest below (openssl x509 -outform DER | sha256sum).
 */
static const char test_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBkzCCATmgAwIBAgIUIA8FrNzX3XthhFGXHy3fe2QTJ9YwCgYIKoZIzj0EAwIw\n"
                               "HjEcMBoGA1UEAwwTdW5pdC10ZXN0LWF1dGhvcml0eTAgFw0yNjExMjQwNDA4MDha\n"
                               "GA8yMTI2MTAzMTA0MDgwOFowHjEcMBoGA1UEAwwTdW5pdC10ZXN0LWF1dGhvcml0\n"
                               "eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHIhO9QWa6nNLmXZDJuTT6KjFh53\n"
                               "PUAALeMm/JuHSAmg1LYXrby02lnYnJWdnUSuuYowLDAuXhwPrwvmhJ6Rd9yjUzBR\n"
                               "MB0GA1UdDgQWBBRDbxJm7pd6yuVVvjPYy57NKxjZqDAfBgNVHSMEGDAWgBRDbxJm\n"
                               "7pd6yuVVvjPYy57NKxjZqDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gA\n"
                               "MEUCIFAGL/Ah6Wh7QK2L4M+j59VPS0fvlwRzmPLcHITaVEUNAiEA7KjSNSINgL2u\n"
                               "TS2cLTZbtvPlEKkQQa3Gpk3hjIXmcvY=\n"
                               "-----END CERTIFICATE-----\n";
static const char test_digest[] = "ea15a7e117fb0df00c0148b1b725b44eb849ad5a3e17e8da2d9dc905d4cec7a2";

static char dir[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/kubeconfig-test-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    setenv("HOME", dir, 1);
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static tl_kubeconfig *load_list(const char *first, const char *second, tl_error *err)
{
    char list[256];
    snprintf(list, sizeof list, "%s/absent:%s/%s::%s/%s", dir, dir, first, dir, second);
    setenv("KUBECONFIG", list, 1);
    return tl_kubeconfig_load(&(tl_kubeconfig_options){0}, err);
}

static const char first_file[] = "apiVersion: v1\nkind: Config\n"
                                 "clusters:\n- {name: c1, cluster: {server: 'https://one:6443/'}}\n"
                                 "users:\n- {name: u, user: {token: first}}\n"
                                 "contexts:\n- {name: both, context: {cluster: c1, user: u}}\n- {name: one, context: "
                                 "{cluster: c1, user: u, namespace: n1}}\n";
static const char second_file[] =
    "current-context: two\n"
    "clusters:\n- {name: c1, cluster: {server: 'https://other'}}\n"
    "- {name: c2, cluster: {server: 'https://two', tls-server-name: sni, proxy-url: 'http://p:1', "
    "insecure-skip-tls-verify: true}}\n"
    "users:\n- {name: u, user: {token: second, username: not-taken}}\n"
    "- {name: u2, user: {username: me, password: pw, as: boss, as-groups: [g1, g2]}}\n"
    "contexts:\n- {name: two, context: {cluster: c2, user: u2}}\n- {name: both, context: {cluster: c2, user: u2}}\n";

static void merge_first_file_wins_for_each_name(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_kube_target target;
    write_file("a", first_file);
    write_file("b", second_file);
    tl_kubeconfig *config = load_list("a", "b", &err);
    assert_non_null(config);
    size_t count;
    const char *const *names = tl_kubeconfig_contexts(config, &count);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "both");
    assert_string_equal(names[2], "two");
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){.context = "both"}, &target, &err), 0);
    assert_string_equal(target.server, "https://one:6443");
    assert_string_equal(target.auth.token, "first");
    assert_null(target.auth.username);
    assert_string_equal(target.namespace, "default");
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){.context = "one"}, &target, &err), 0);
    assert_string_equal(target.namespace, "n1");
    tl_kubeconfig_free(config);
}

static void merge_current_context_of_the_first_file_that_has_one(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_kube_target target;
    write_file("a", first_file);
    write_file("b", second_file);
    tl_kubeconfig *config = load_list("a", "b", &err);
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){0}, &target, &err), 0);
    assert_string_equal(target.context, "two");
    assert_string_equal(target.server_name, "sni");
    assert_string_equal(target.proxy, "http://p:1");
    assert_true(target.insecure);
    assert_string_equal(target.auth.username, "me");
    assert_string_equal(target.auth.password, "pw");
    assert_string_equal(target.auth.as, "boss");
    assert_int_equal(target.auth.as_groups->len, 2);
    assert_null(target.ca_sha256);
    tl_kubeconfig_free(config);
}

static void files_relative_paths_start_at_the_files_folder(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_kube_target target;
    char path[128];
    snprintf(path, sizeof path, "%s/sub", dir);
    mkdir(path, 0700);
    write_file("sub/ca.pem", test_pem);
    write_file("sub/token", "from-file\n");
    write_file("sub/config", "clusters:\n- {name: c, cluster: {server: 'https://s', certificate-authority: ca.pem}}\n"
                             "users:\n- {name: u, user: {tokenFile: ./token}}\n"
                             "contexts:\n- {name: x, context: {cluster: c, user: u}}\ncurrent-context: x\n");
    snprintf(path, sizeof path, "%s/sub/config", dir);
    tl_kubeconfig *config = tl_kubeconfig_load(&(tl_kubeconfig_options){.path = path}, &err);
    assert_non_null(config);
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){0}, &target, &err), 0);
    assert_string_equal(target.ca_pem, test_pem);
    assert_string_equal(target.ca_sha256, test_digest);
    snprintf(path, sizeof path, "%s/sub/./token", dir);
    assert_string_equal(target.auth.token_file, path);
    tl_kubeconfig_free(config);
}

static void data_embedded_wins_over_the_file(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_kube_target target;
    write_file("config", "clusters:\n- {name: c, cluster: {server: 'https://s'}}\n"
                         "users:\n- {name: u, user: {client-certificate: /nonexistent, client-certificate-data: "
                         "Y2VydA==, client-key-data: a2V5}}\n"
                         "contexts:\n- {name: x, context: {cluster: c, user: u}}\ncurrent-context: x\n");
    char path[128];
    snprintf(path, sizeof path, "%s/config", dir);
    tl_kubeconfig *config = tl_kubeconfig_load(&(tl_kubeconfig_options){.path = path}, &err);
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){0}, &target, &err), 0);
    assert_string_equal(target.auth.cert_pem, "cert");
    assert_string_equal(target.auth.key_pem, "key");
    tl_kubeconfig_free(config);
}

static void load_without_any_file_says_so(void **state)
{
    (void)state;
    tl_error err = {0};
    assert_null(tl_kubeconfig_load(&(tl_kubeconfig_options){0}, &err));
    assert_string_equal(err.kind, "not_found");
    assert_non_null(strstr(err.message, "/.kube/config"));
    assert_non_null(err.hint);
    tl_error_dispose(&err);
}

static void load_bad_yaml_names_file_and_line(void **state)
{
    (void)state;
    tl_error err = {0};
    char path[128];
    write_file("bad", "clusters:\n  - a: [\n");
    snprintf(path, sizeof path, "%s/bad", dir);
    assert_null(tl_kubeconfig_load(&(tl_kubeconfig_options){.path = path}, &err));
    assert_string_equal(err.kind, "parse");
    assert_non_null(strstr(err.message, path));
    tl_error_dispose(&err);
}

static void target_unknown_context_offers_the_others(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_kube_target target;
    write_file("a", first_file);
    write_file("b", second_file);
    tl_kubeconfig *config = load_list("a", "b", &err);
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){.context = "nope"}, &target, &err), -1);
    assert_string_equal(err.kind, "not_found");
    assert_non_null(strstr(err.hint, "both, one, two"));
    tl_error_dispose(&err);
    tl_kubeconfig_free(config);
}

static void target_dangling_cluster_or_half_a_certificate_fails(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_kube_target target;
    write_file(
        "config",
        "clusters:\n- {name: c, cluster: {server: 'https://s'}}\n- {name: d, cluster: {server: 'https://s', "
        "certificate-authority-data: '***'}}\n"
        "users:\n- {name: u, user: {client-key-data: a2V5}}\n"
        "contexts:\n- {name: x, context: {cluster: gone, user: u}}\n- {name: y, context: {cluster: c, user: u}}\n"
        "- {name: z, context: {cluster: d}}\n");
    char path[128];
    snprintf(path, sizeof path, "%s/config", dir);
    tl_kubeconfig *config = tl_kubeconfig_load(&(tl_kubeconfig_options){.path = path}, &err);
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){0}, &target, &err), -1);
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){.context = "x"}, &target, &err), -1);
    assert_non_null(strstr(err.message, "\"gone\""));
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){.context = "y"}, &target, &err), -1);
    assert_non_null(strstr(err.message, "without the other"));
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){.context = "z"}, &target, &err), -1);
    assert_non_null(strstr(err.message, "not base64"));
    /* for showing, a broken context is still a context */
    assert_int_equal(tl_kubeconfig_describe(config, "x", &target), 0);
    assert_string_equal(target.cluster, "gone");
    assert_null(target.server);
    tl_error_dispose(&err);
    tl_kubeconfig_free(config);
}

static void in_cluster_service_account_becomes_the_context(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_kube_target target;
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    write_file("token", "t");
    write_file("ca.crt", test_pem);
    write_file("namespace", "mine\n");
    tl_kubeconfig *config = tl_kubeconfig_load(&(tl_kubeconfig_options){.service_account_dir = dir}, &err);
    assert_non_null(config);
    assert_int_equal(tl_kubeconfig_target(config, (tl_kube_choice){0}, &target, &err), 0);
    assert_string_equal(target.server, "https://[fd00::1]:443");
    assert_string_equal(target.namespace, "mine");
    assert_string_equal(target.ca_sha256, test_digest);
    tl_kubeconfig_free(config);
}

static void credentials_token_file_is_read_again_when_it_changes(void **state)
{
    (void)state;
    tl_error err = {0};
    char path[128];
    write_file("token", "old\n");
    snprintf(path, sizeof path, "%s/token", dir);
    tl_kube_target target = {.auth = {.token_file = path}};
    tl_credentials *credentials = tl_credentials_new(NULL, &target);
    tl_credential got;
    tl_credential_wait wait = {0};
    assert_int_equal(tl_credentials_get(credentials, &got, &wait, &err), 1);
    assert_string_equal(got.token, "old");
    write_file("token.new", "new\n");
    char other[128];
    snprintf(other, sizeof other, "%s/token.new", dir);
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(tl_credentials_get(credentials, &got, &wait, &err), 1);
    assert_string_equal(got.token, "new");
    assert_int_equal(unlink(path), 0); /* between removal and replacement the old one counts */
    assert_int_equal(tl_credentials_get(credentials, &got, &wait, &err), 1);
    assert_string_equal(got.token, "new");
    tl_credentials_free(credentials);
}

static void fingerprint_of_no_certificate_is_an_error(void **state)
{
    (void)state;
    tl_error err = {0};
    tl_arena *arena = tl_arena_new(0);
    assert_null(tl_pem_fingerprint(arena, "nothing", &err));
    assert_string_equal(err.kind, "parse");
    assert_null(tl_pem_fingerprint(arena, "-----BEGIN CERTIFICATE-----\nAAAA", &err));
    assert_non_null(strstr(err.message, "no end"));
    tl_error_dispose(&err);
    tl_arena_free(arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(merge_first_file_wins_for_each_name),
        TEST(merge_current_context_of_the_first_file_that_has_one),
        TEST(files_relative_paths_start_at_the_files_folder),
        TEST(data_embedded_wins_over_the_file),
        TEST(load_without_any_file_says_so),
        TEST(load_bad_yaml_names_file_and_line),
        TEST(target_unknown_context_offers_the_others),
        TEST(target_dangling_cluster_or_half_a_certificate_fails),
        TEST(in_cluster_service_account_becomes_the_context),
        TEST(credentials_token_file_is_read_again_when_it_changes),
        TEST(fingerprint_of_no_certificate_is_an_error),
    };
    return cmocka_run_group_tests_name("kubeconfig", tests, NULL, NULL);
}
