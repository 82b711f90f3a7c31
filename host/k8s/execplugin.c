/* Runs credential plugins. */
#include "k8s/execplugin.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/tty.h"
#include "data/base64.h"
#include "data/json.h"
#include "k8s/rfc3339.h"
#include "loop/child.h"

#define ANSWER_LIMIT ((size_t)1 << 20)
#define DEADLINE_MS 60000

extern char **environ;

struct tl_exec_plugin {
    tl_loop *loop;
    const tl_kube_target *target;
    tl_child child;
    tl_watch output;
    tl_timer deadline;
    tl_buf text;
    int running, output_open, exited, interactive;
    tl_credential_wait *waiting, *telling; /* for the run to end; its end is being told */
    tl_arena *arena;                       /* of the answer */
    tl_credential answer;
    int answered;
    unsigned answer_number;
    int told_now; /* those who are told take the answer however short its life is */
    int64_t expires;  /* seconds since 1970, 0: never */
    tl_error failure; /* of the run that has just ended, while its waiters are told */
    int failed;
};

tl_exec_plugin *tl_exec_plugin_new(tl_loop *loop, const tl_kube_target *target)
{
    tl_exec_plugin *plugin = tl_calloc(1, sizeof *plugin);
    plugin->loop = loop;
    plugin->target = target;
    tl_buf_init(&plugin->text, ANSWER_LIMIT);
    return plugin;
}

static void stop_run(tl_exec_plugin *plugin)
{
    if (!plugin->running) return;
    plugin->running = 0;
    if (plugin->interactive) tl_tty_lend(0);
    tl_timer_stop(&plugin->deadline);
    tl_watch_stop(&plugin->output);
    if (plugin->child.pipes[1] >= 0) close(plugin->child.pipes[1]);
    plugin->child.pipes[1] = -1;
    tl_child_stop(&plugin->child, 1000);
}

static void forget_answer(tl_exec_plugin *plugin)
{
    if (plugin->text.cap) tl_cleanse(plugin->text.data, plugin->text.cap);
    tl_buf_dispose(&plugin->text);
    if (plugin->arena) tl_arena_free(plugin->arena);
    plugin->arena = NULL;
    plugin->answered = 0;
    plugin->answer = (tl_credential){0};
}

void tl_exec_plugin_free(tl_exec_plugin *plugin)
{
    if (!plugin) return;
    stop_run(plugin);
    forget_answer(plugin);
    tl_error_dispose(&plugin->failure);
    free(plugin);
}

void tl_exec_plugin_close(tl_exec_plugin *plugin)
{
    stop_run(plugin);
}

/* ---- the answer ---- */

static int read_answer(tl_exec_plugin *plugin, const char *version, tl_error *err)
{
    tl_arena *arena = plugin->arena;
    tl_value root;
    const tl_json_options options = {.name = "the credential plugin's output"};
    if (tl_json_parse(arena, plugin->text.data, plugin->text.len, &options, &root, err)) return -1;
    const char *got = tl_value_text(arena, tl_value_path(&root, "apiVersion", NULL), "");
    if (strcmp(got, version) != 0)
        return tl_error_set(err, "denied", "the credential plugin answered in version \"%s\" instead of %s", got,
                            version);
    const tl_value *status = tl_value_path(&root, "status", NULL);
    tl_credential *answer = &plugin->answer;
    answer->token = tl_value_text(arena, tl_value_path(status, "token", NULL), NULL);
    answer->cert_pem = tl_value_text(arena, tl_value_path(status, "clientCertificateData", NULL), NULL);
    answer->key_pem = tl_value_text(arena, tl_value_path(status, "clientKeyData", NULL), NULL);
    if (!answer->token && !answer->cert_pem && !answer->key_pem)
        return tl_error_set(err, "denied", "the credential plugin gave neither a token nor a certificate");
    if (!answer->cert_pem != !answer->key_pem)
        return tl_error_set(err, "denied", "the credential plugin gave a certificate or a key without the other");
    const char *expires = tl_value_text(arena, tl_value_path(status, "expirationTimestamp", NULL), NULL);
    int64_t at = expires ? tl_rfc3339(expires, NULL) : 0;
    plugin->expires = at / 1000000000;
    if (at < 0)
        return tl_error_set(err, "denied", "the credential plugin's expirationTimestamp \"%s\" is no time", expires);
    plugin->answered = 1;
    plugin->answer_number++;
    return 0;
}

/* Tells everyone who waits; each asks again and finds the answer or the failure. */
static void end_run(tl_exec_plugin *plugin)
{
    stop_run(plugin);
    plugin->telling = plugin->waiting;
    plugin->waiting = NULL;
    plugin->told_now = 1;
    for (tl_credential_wait *wait; (wait = plugin->telling);) {
        plugin->telling = wait->next;
        wait->of = NULL;
        wait->on_ready(wait); /* may take others out of the list */
    }
    plugin->told_now = plugin->failed = 0;
    tl_error_dispose(&plugin->failure);
}

static const char *setting(tl_exec_plugin *plugin, const char *name, const char *fallback)
{
    const tl_value *value = tl_map_gets(plugin->target->auth.exec, name);
    return tl_value_text(plugin->arena, value, fallback);
}

static void settle(tl_exec_plugin *plugin)
{
    if (plugin->output_open || !plugin->exited) return;
    const char *hint = setting(plugin, "installHint", NULL);
    const char *command = setting(plugin, "command", "");
    plugin->failed = 1;
    if (plugin->child.status != 0) {
        tl_error_set(&plugin->failure, "denied", "the credential plugin %s ended with status %d", command,
                     plugin->child.status);
        plugin->failure.status = plugin->child.status;
        if (hint) tl_error_hint(&plugin->failure, "%s", hint);
    } else if (!read_answer(plugin, setting(plugin, "apiVersion", ""), &plugin->failure)) {
        plugin->failed = 0;
    }
    end_run(plugin);
}

static void on_exit_status(tl_child *child)
{
    tl_exec_plugin *plugin = child->data;
    plugin->exited = 1;
    settle(plugin);
}

static void on_output(tl_watch *watch, short revents)
{
    tl_exec_plugin *plugin = watch->data;
    char chunk[4096];
    (void)revents;
    ssize_t got = read(watch->fd, chunk, sizeof chunk);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0) {
        tl_buf_add(&plugin->text, chunk, (size_t)got);
        return;
    }
    plugin->output_open = 0;
    tl_watch_stop(watch);
    settle(plugin);
}

static void on_deadline(tl_timer *timer)
{
    tl_exec_plugin *plugin = timer->data;
    plugin->failed = 1;
    tl_error_set(&plugin->failure, "timeout", "the credential plugin %s gave no answer within %d s",
                 setting(plugin, "command", ""), DEADLINE_MS / 1000);
    end_run(plugin);
}

/* ---- the run ---- */

/* KUBERNETES_EXEC_INFO: an ExecCredential with the spec. */
static int make_info(tl_exec_plugin *plugin, const char *version, int interactive, const char **out, tl_error *err)
{
    tl_arena *arena = plugin->arena;
    const tl_kube_target *target = plugin->target;
    tl_map *root = tl_map_new(arena, 3), *spec = tl_map_new(arena, 2);
    tl_map_sets(root, "kind", tl_cstring_ref("ExecCredential"));
    tl_map_sets(root, "apiVersion", tl_cstring_ref(version));
    tl_map_sets(spec, "interactive", tl_bool(interactive));
    const tl_value *wanted = tl_map_gets(target->auth.exec, "provideClusterInfo");
    if (wanted && wanted->type == TL_BOOL && wanted->as.b) {
        tl_map *cluster = tl_map_new(arena, 6);
        tl_map_sets(cluster, "server", tl_cstring_ref(target->server));
        if (target->server_name) tl_map_sets(cluster, "tls-server-name", tl_cstring_ref(target->server_name));
        if (target->insecure) tl_map_sets(cluster, "insecure-skip-tls-verify", tl_bool(1));
        if (target->ca_pem) {
            tl_buf encoded = TL_BUF_INIT(SIZE_MAX);
            tl_base64_encode(&encoded, target->ca_pem, strlen(target->ca_pem), TL_BASE64_STD);
            tl_map_sets(cluster, "certificate-authority-data", tl_string(arena, encoded.data, encoded.len));
            tl_buf_dispose(&encoded);
        }
        if (target->proxy) tl_map_sets(cluster, "proxy-url", tl_cstring_ref(target->proxy));
        if (target->auth.exec_config) tl_map_sets(cluster, "config", *target->auth.exec_config);
        tl_map_sets(spec, "cluster", tl_map_value(cluster));
    }
    tl_map_sets(root, "spec", tl_map_value(spec));
    tl_buf text = TL_BUF_INIT(ANSWER_LIMIT);
    int rc = tl_json_write(&text, tl_map_value(root), NULL, err);
    if (!rc) *out = tl_arena_printf(arena, "KUBERNETES_EXEC_INFO=%s", text.data);
    tl_buf_dispose(&text);
    return rc;
}

/* This process's environment, then the plugin's own settings, then the info: where a name repeats the last one wins. */
static const char *const *make_env(tl_exec_plugin *plugin, const char *info)
{
    tl_arena *arena = plugin->arena;
    const tl_value *extra = tl_map_gets(plugin->target->auth.exec, "env");
    size_t inherited = 0, own = extra && extra->type == TL_LIST ? extra->as.list->len : 0, count = 0;
    while (environ[inherited]) inherited++;
    const char **env = tl_arena_zalloc(arena, (inherited + own + 2) * sizeof *env);
    for (size_t i = 0; i < inherited; i++) {
        size_t name = strcspn(environ[i], "=");
        int replaced = strncmp(environ[i], "KUBERNETES_EXEC_INFO=", name + 1) == 0;
        for (size_t j = 0; j < own && !replaced; j++) {
            const char *other = tl_value_text(arena, tl_value_path(&extra->as.list->items[j], "name", NULL), "");
            replaced = strlen(other) == name && strncmp(other, environ[i], name) == 0;
        }
        if (!replaced) env[count++] = environ[i];
    }
    for (size_t j = 0; j < own; j++)
        env[count++] = tl_arena_printf(
            arena, "%s=%s", tl_value_text(arena, tl_value_path(&extra->as.list->items[j], "name", NULL), ""),
            tl_value_text(arena, tl_value_path(&extra->as.list->items[j], "value", NULL), ""));
    env[count] = info;
    return env;
}

static const char *const *make_argv(tl_exec_plugin *plugin, const char *command)
{
    tl_arena *arena = plugin->arena;
    const tl_value *args = tl_map_gets(plugin->target->auth.exec, "args");
    size_t count = args && args->type == TL_LIST ? args->as.list->len : 0;
    const char **argv = tl_arena_zalloc(arena, (count + 2) * sizeof *argv);
    const char *dir = plugin->target->auth.exec_dir;
    argv[0] =
        strchr(command, '/') && command[0] != '/' && dir ? tl_arena_printf(arena, "%s/%s", dir, command) : command;
    for (size_t i = 0; i < count; i++) argv[i + 1] = tl_value_text(arena, &args->as.list->items[i], "");
    return argv;
}

static int check_version(const char *version, tl_error *err)
{
    if (strcmp(version, "client.authentication.k8s.io/v1") == 0) return 0;
    if (strcmp(version, "client.authentication.k8s.io/v1beta1") == 0) return 0;
    return tl_error_set(err, "usage", "the kubeconfig's credential plugin has the unknown apiVersion \"%s\"", version);
}

/* 1: the plugin gets the terminal, 0: it gets no input. Only v1beta1 may leave the mode away. */
static int is_interactive(tl_exec_plugin *plugin, const char *version, const char *command, tl_error *err)
{
    const char *fallback = strcmp(version, "client.authentication.k8s.io/v1") == 0 ? "" : "IfAvailable";
    const char *mode = setting(plugin, "interactiveMode", fallback);
    if (!*mode)
        return tl_error_set(err, "usage", "the kubeconfig's credential plugin %s has no interactiveMode, which %s needs",
                            command, version);
    if (strcmp(mode, "Never") == 0) return 0;
    if (strcmp(mode, "IfAvailable") == 0) return isatty(STDIN_FILENO);
    if (strcmp(mode, "Always") != 0)
        return tl_error_set(err, "usage", "the kubeconfig's credential plugin %s has the unknown interactiveMode \"%s\"",
                            command, mode);
    if (isatty(STDIN_FILENO)) return 1;
    return tl_error_set(err, "denied", "the credential plugin %s needs a terminal", command);
}

static int start_run(tl_exec_plugin *plugin, tl_error *err)
{
    const char *info;
    forget_answer(plugin);
    plugin->arena = tl_arena_new(0);
    const char *version = setting(plugin, "apiVersion", ""), *command = setting(plugin, "command", "");
    if (check_version(version, err)) return -1;
    int interactive = is_interactive(plugin, version, command, err);
    if (interactive < 0) return -1;
    if (make_info(plugin, version, interactive, &info, err)) return -1;
    const tl_child_options options = {
        .argv = make_argv(plugin, command),
        .env = make_env(plugin, info),
        .stdio = {interactive ? TL_STDIO_INHERIT : TL_STDIO_NULL, TL_STDIO_PIPE, TL_STDIO_INHERIT}};
    plugin->child = (tl_child){.on_exit = on_exit_status, .data = plugin};
    if (tl_child_start(plugin->loop, &plugin->child, &options, err)) {
        const char *hint = setting(plugin, "installHint", NULL);
        tl_error_wrap(err, "the credential plugin of this context cannot be run");
        if (hint) tl_error_hint(err, "%s", hint);
        return -1;
    }
    plugin->running = plugin->output_open = 1;
    plugin->interactive = interactive;
    if (interactive) tl_tty_lend(1);
    plugin->exited = 0;
    plugin->output = (tl_watch){.on_ready = on_output, .data = plugin};
    tl_watch_start(plugin->loop, &plugin->output, plugin->child.pipes[1], POLLIN);
    plugin->deadline = (tl_timer){.on_due = on_deadline, .data = plugin};
    if (!interactive) tl_timer_start(plugin->loop, &plugin->deadline, DEADLINE_MS);
    return 0;
}

int tl_exec_plugin_get(tl_exec_plugin *plugin, tl_credential *out, tl_credential_wait *wait, tl_error *err)
{
    if (plugin->answered && (plugin->told_now || !plugin->expires || time(NULL) < plugin->expires)) {
        out->answer = plugin->answer_number;
        if (plugin->answer.token) out->token = plugin->answer.token;
        if (plugin->answer.cert_pem) out->cert_pem = plugin->answer.cert_pem, out->key_pem = plugin->answer.key_pem;
        return 1;
    }
    if (plugin->failed) {
        tl_error_set(err, plugin->failure.kind, "%s", plugin->failure.message);
        if (plugin->failure.hint) tl_error_hint(err, "%s", plugin->failure.hint);
        return -1;
    }
    if (!plugin->running && start_run(plugin, err)) return -1;
    wait->of = plugin;
    wait->for_people = plugin->interactive;
    wait->next = plugin->waiting;
    plugin->waiting = wait;
    return 0;
}

static void take_out(tl_credential_wait **list, tl_credential_wait *wait)
{
    while (*list && *list != wait) list = &(*list)->next;
    if (*list) *list = wait->next;
}

void tl_exec_plugin_forget(tl_credential_wait *wait)
{
    if (!wait->of) return;
    take_out(&wait->of->waiting, wait);
    take_out(&wait->of->telling, wait);
    wait->of = NULL;
}

int tl_exec_plugin_refused(tl_exec_plugin *plugin, unsigned answer)
{
    if (answer == plugin->answer_number) plugin->answered = 0;
    return 1;
}
