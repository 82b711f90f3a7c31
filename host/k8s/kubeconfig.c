/* Reads and merges kubeconfig files. */
#include "k8s/kubeconfig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "data/base64.h"
#include "data/yaml.h"
#include "k8s/fingerprint.h"
#include "k8s/textfile.h"

#define CONFIG_LIMIT ((size_t)8 << 20)
#define ARENA_LIMIT ((size_t)64 << 20)
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

struct tl_kubeconfig {
    tl_arena *arena;
    tl_map *clusters, *users, *contexts; /* name to body; "\001dir" in a body is its file's folder */
    const char *current;
    const char **names;
    char *looked_for; /* the files that were tried, for messages */
    int files;
};

/* A key that no YAML kubeconfig can mean: the folder that relative paths of this entry start from. */
static const char DIR_KEY[] = "\001dir";

static const char *text_at(const tl_map *map, const char *key)
{
    const tl_value *value = map ? tl_map_gets(map, key) : NULL;
    if (!value || value->type != TL_STRING || value->len == 0) return NULL;
    return value->as.s; /* values are normalised to NUL-ended strings by add_entries */
}

static const tl_map *map_at(const tl_map *map, const char *key)
{
    const tl_value *value = map ? tl_map_gets(map, key) : NULL;
    return value && value->type == TL_MAP ? value->as.map : NULL;
}

static int flag_at(const tl_map *map, const char *key)
{
    const tl_value *value = map ? tl_map_gets(map, key) : NULL;
    return value && value->type == TL_BOOL && value->as.b;
}

/* Gives every string of the body a final NUL, so that the rest of this file can use them as they are. */
static void end_strings(tl_arena *arena, tl_map *body)
{
    uint32_t cursor = 0;
    for (tl_entry *entry; (entry = tl_map_next(body, &cursor));)
        if (entry->value.type == TL_STRING) entry->value = tl_string(arena, entry->value.as.s, entry->value.len);
}

/* Takes the entries of one list ("clusters") that no earlier file has named. */
static void add_entries(tl_kubeconfig *config, tl_map *into, const tl_value *list, const char *field, const char *dir)
{
    if (!list || list->type != TL_LIST) return;
    for (size_t i = 0; i < list->as.list->len; i++) {
        const tl_value *item = &list->as.list->items[i];
        if (item->type != TL_MAP) continue;
        const tl_value *name = tl_map_gets(item->as.map, "name");
        const tl_value *body = tl_map_gets(item->as.map, field);
        if (!name || name->type != TL_STRING || tl_map_get(into, name->as.s, name->len)) continue;
        tl_map *copy = body && body->type == TL_MAP ? body->as.map : tl_map_new(config->arena, 1);
        end_strings(config->arena, copy);
        tl_map_sets(copy, DIR_KEY, tl_cstring_ref(dir));
        tl_map_set(into, name->as.s, name->len, tl_map_value(copy));
    }
}

static int add_text(tl_kubeconfig *config, const char *path, const char *text, size_t length, tl_error *err)
{
    tl_value root = tl_null();
    /* names such as y and no stay names */
    const tl_yaml_options options = {.flavour = TL_YAML_CORE, .name = path};
    if (tl_yaml_parse(config->arena, text, length, &options, &root, err) < 0) return -1;
    if (root.type == TL_NULL) return 0;
    if (root.type != TL_MAP) return tl_error_set(err, "parse", "kubeconfig %s is not a mapping", path);
    const char *slash = strrchr(path, '/');
    const char *dir = slash ? tl_arena_strndup(config->arena, path, slash == path ? 1 : (size_t)(slash - path)) : ".";
    add_entries(config, config->clusters, tl_map_gets(root.as.map, "clusters"), "cluster", dir);
    add_entries(config, config->users, tl_map_gets(root.as.map, "users"), "user", dir);
    add_entries(config, config->contexts, tl_map_gets(root.as.map, "contexts"), "context", dir);
    const tl_value *current = tl_map_gets(root.as.map, "current-context");
    if (!config->current && current && current->type == TL_STRING && current->len)
        config->current = tl_arena_strndup(config->arena, current->as.s, current->len);
    return 0;
}

/* An absent file is passed over unless it was named by the caller. */
static int add_file(tl_kubeconfig *config, const char *path, int required, tl_error *err)
{
    tl_error below = {0};
    tl_buf text = TL_BUF_INIT(CONFIG_LIMIT);
    int rc = tl_textfile_read(path, &text, &below);
    if (rc && !required && strcmp(below.kind, "not_found") == 0) {
        tl_error_dispose(&below);
        rc = 0;
    } else if (rc) {
        tl_error_move(err, &below);
        if (strcmp(err->kind, "not_found") == 0) tl_error_hint(err, "check the path of the kubeconfig");
    } else {
        config->files++;
        rc = add_text(config, path, text.data, text.len, err);
    }
    tl_cleanse(text.data, text.cap);
    tl_buf_dispose(&text);
    return rc;
}

static int add_list(tl_kubeconfig *config, const char *list, tl_error *err)
{
    for (const char *start = list; *start;) {
        size_t length = strcspn(start, ":");
        if (length) {
            const char *path = tl_arena_strndup(config->arena, start, length);
            if (add_file(config, path, 0, err)) return -1;
        }
        start += length + (start[length] == ':');
    }
    return 0;
}

static void put(tl_kubeconfig *config, tl_map *map, const char *key, const char *text)
{
    tl_map_sets(map, key, tl_cstring(config->arena, text));
}

/* The pod's own identity, as client-go's rest.InClusterConfig finds it; 1 where there is one. */
static int add_in_cluster(tl_kubeconfig *config, const char *dir)
{
    tl_arena *arena = config->arena;
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    const char *token = tl_arena_printf(arena, "%s/token", dir);
    if (!host || !*host || !port || !*port || access(token, R_OK) != 0) return 0;
    tl_map *cluster = tl_map_new(arena, 4), *user = tl_map_new(arena, 4), *context = tl_map_new(arena, 4);
    put(config, cluster, "server",
        tl_arena_printf(arena, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port));
    const char *ca = tl_arena_printf(arena, "%s/ca.crt", dir);
    if (access(ca, R_OK) == 0) put(config, cluster, "certificate-authority", ca);
    put(config, user, "tokenFile", token);
    put(config, context, "cluster", "in-cluster");
    put(config, context, "user", "in-cluster");
    tl_buf namespace = TL_BUF_INIT(4096);
    if (!tl_textfile_read(tl_arena_printf(arena, "%s/namespace", dir), &namespace, NULL)) {
        namespace.data[strcspn(namespace.data, "\r\n")] = 0;
        put(config, context, "namespace", namespace.data);
    }
    tl_buf_dispose(&namespace);
    tl_map_sets(config->clusters, "in-cluster", tl_map_value(cluster));
    tl_map_sets(config->users, "in-cluster", tl_map_value(user));
    tl_map_sets(config->contexts, "in-cluster", tl_map_value(context));
    config->current = "in-cluster";
    return 1;
}

/* The files to read: KUBECONFIG where it is set and not empty, else the one in the home folder. */
static int load_files(tl_kubeconfig *config, const tl_kubeconfig_options *options, tl_error *err)
{
    if (options->path) return add_file(config, options->path, 1, err);
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    if (list && *list) {
        config->looked_for = tl_arena_printf(config->arena, "KUBECONFIG=%s", list);
        return add_list(config, list, err);
    }
    config->looked_for = tl_arena_printf(config->arena, "%s/.kube/config", home ? home : "");
    return add_file(config, config->looked_for, 0, err);
}

tl_kubeconfig *tl_kubeconfig_load(const tl_kubeconfig_options *options, tl_error *err)
{
    tl_kubeconfig *config = tl_calloc(1, sizeof *config);
    config->arena = tl_arena_new(ARENA_LIMIT);
    config->clusters = tl_map_new(config->arena, 4);
    config->users = tl_map_new(config->arena, 4);
    config->contexts = tl_map_new(config->arena, 4);
    if (load_files(config, options, err)) goto fail;
    const char *dir = options->service_account_dir ? options->service_account_dir : SERVICE_ACCOUNT;
    if (!config->files && !add_in_cluster(config, dir)) {
        tl_error_set(err, "not_found", "there is no kubeconfig: %s does not exist", config->looked_for);
        tl_error_hint(err,
                      "start a cluster (todo-lua deploy.lua does), or name a file with --kubeconfig or KUBECONFIG");
        goto fail;
    }
    return config;
fail:
    tl_kubeconfig_free(config);
    return NULL;
}

void tl_kubeconfig_free(tl_kubeconfig *config)
{
    if (!config) return;
    tl_arena_free(config->arena);
    free(config->names);
    free(config);
}

const char *const *tl_kubeconfig_contexts(tl_kubeconfig *config, size_t *count)
{
    if (!config->names) {
        config->names = tl_calloc(config->contexts->count + 1, sizeof *config->names);
        uint32_t cursor = 0;
        size_t i = 0;
        for (tl_entry *entry; (entry = tl_map_next(config->contexts, &cursor));) config->names[i++] = entry->key;
    }
    *count = config->contexts->count;
    return config->names;
}

const char *tl_kubeconfig_current(const tl_kubeconfig *config)
{
    return config->current;
}

/* The contexts' names for a message, at most ten. */
static const char *names_of(tl_kubeconfig *config)
{
    tl_buf names = TL_BUF_INIT(2048);
    uint32_t cursor = 0;
    int i = 0;
    for (tl_entry *entry; (entry = tl_map_next(config->contexts, &cursor)) && i < 10; i++)
        tl_buf_addf(&names, "%s%s", i ? ", " : "", entry->key);
    const char *copy = tl_arena_strdup(config->arena, names.len ? names.data : "none");
    tl_buf_dispose(&names);
    return copy;
}

/* "KEY-data" (base64) wins over the file named by KEY; *out stays NULL where neither is given. */
static int load_material(tl_kubeconfig *config, const tl_map *body, const char *key, const char **out, tl_error *err)
{
    *out = NULL;
    const char *data = text_at(body, tl_arena_printf(config->arena, "%s-data", key));
    const char *path = text_at(body, key), *dir = text_at(body, DIR_KEY);
    tl_buf bytes = TL_BUF_INIT(CONFIG_LIMIT);
    int rc = 0;
    if (data) {
        rc = tl_base64_decode(&bytes, data, strlen(data), TL_BASE64_STD, err);
        if (rc) tl_error_wrap(err, "%s-data of the kubeconfig is not base64", key);
    } else if (path) {
        if (path[0] != '/') path = tl_arena_printf(config->arena, "%s/%s", dir ? dir : ".", path);
        rc = tl_textfile_read(path, &bytes, err);
        if (rc) tl_error_wrap(err, "cannot read the %s that the kubeconfig names", key);
    }
    if (!rc && (data || path)) *out = tl_arena_strndup(config->arena, bytes.data, bytes.len);
    if (bytes.cap) tl_cleanse(bytes.data, bytes.cap);
    tl_buf_dispose(&bytes);
    return rc;
}

static int load_auth(tl_kubeconfig *config, const tl_map *user, const tl_map *cluster, tl_kube_auth *auth,
                     tl_error *err)
{
    auth->token = text_at(user, "token");
    auth->token_file = text_at(user, "tokenFile");
    const char *dir = text_at(user, DIR_KEY);
    if (auth->token_file && auth->token_file[0] != '/')
        auth->token_file = tl_arena_printf(config->arena, "%s/%s", dir ? dir : ".", auth->token_file);
    auth->username = text_at(user, "username");
    auth->password = text_at(user, "password");
    auth->as = text_at(user, "as");
    auth->as_uid = text_at(user, "as-uid");
    const tl_value *groups = user ? tl_map_gets(user, "as-groups") : NULL;
    auth->as_groups = groups && groups->type == TL_LIST ? groups->as.list : NULL;
    auth->as_extra = map_at(user, "as-user-extra");
    auth->exec = map_at(user, "exec");
    auth->exec_dir = dir;
    const tl_value *extensions = cluster ? tl_map_gets(cluster, "extensions") : NULL;
    for (size_t i = 0; extensions && extensions->type == TL_LIST && i < extensions->as.list->len; i++) {
        const tl_value *item = &extensions->as.list->items[i];
        const tl_value *name = item->type == TL_MAP ? tl_map_gets(item->as.map, "name") : NULL;
        if (name && tl_value_is(*name, "client.authentication.k8s.io/exec"))
            auth->exec_config = tl_map_gets(item->as.map, "extension");
    }
    if (load_material(config, user, "client-certificate", &auth->cert_pem, err)) return -1;
    if (load_material(config, user, "client-key", &auth->key_pem, err)) return -1;
    if (!auth->cert_pem != !auth->key_pem)
        return tl_error_set(err, "usage", "the kubeconfig's user has a client certificate or key without the other");
    return 0;
}

/* The fields that need no file. */
static void fill_plain(tl_kubeconfig *config, const tl_kube_choice *choice, const tl_map *context, tl_kube_target *out)
{
    out->context = tl_arena_strdup(config->arena, choice->context ? choice->context : "");
    out->cluster = choice->cluster ? tl_arena_strdup(config->arena, choice->cluster) : text_at(context, "cluster");
    out->user = choice->user ? tl_arena_strdup(config->arena, choice->user) : text_at(context, "user");
    const char *namespace = text_at(context, "namespace");
    out->namespace = namespace ? namespace : "default";
    const tl_map *cluster = out->cluster ? map_at(config->clusters, out->cluster) : NULL;
    const char *server = text_at(cluster, "server");
    if (server) {
        size_t length = strlen(server);
        while (length && server[length - 1] == '/') length--;
        out->server = tl_arena_strndup(config->arena, server, length);
    }
    out->server_name = text_at(cluster, "tls-server-name");
    out->proxy = text_at(cluster, "proxy-url");
    out->insecure = flag_at(cluster, "insecure-skip-tls-verify");
}

int tl_kubeconfig_describe(tl_kubeconfig *config, const char *name, tl_kube_target *out)
{
    *out = (tl_kube_target){0};
    const tl_map *context = map_at(config->contexts, name);
    if (!context) return -1;
    fill_plain(config, &(tl_kube_choice){.context = name}, context, out);
    const tl_map *cluster = out->cluster ? map_at(config->clusters, out->cluster) : NULL;
    tl_error ignored = {0};
    if (cluster && !load_material(config, cluster, "certificate-authority", &out->ca_pem, &ignored) && out->ca_pem)
        out->ca_sha256 = tl_pem_fingerprint(config->arena, out->ca_pem, &ignored);
    tl_error_dispose(&ignored);
    return 0;
}

/* The chosen context in *out; NULL where a cluster is chosen instead. */
static int find_context(tl_kubeconfig *config, const tl_kube_choice *choice, const tl_map **out, tl_error *err)
{
    const char *name = choice->context;
    *out = name ? map_at(config->contexts, name) : NULL;
    if (*out || (!name && choice->cluster)) return 0;
    if (!name) {
        tl_error_set(err, "not_found", "the kubeconfig has no current context");
        tl_error_hint(err, "name one with --context; there are: %s", names_of(config));
    } else {
        tl_error_set(err, "not_found", "context \"%s\" does not exist", name);
        tl_error_hint(err, "there are: %s", names_of(config));
    }
    return -1;
}

/* What the context names, or the choice in its place, has to be there. */
static int check_names(const tl_kube_target *target, const tl_kube_choice *choice, int cluster, int user, tl_error *err)
{
    const char *name = !cluster ? target->cluster : target->user, *what = !cluster ? "cluster" : "user";
    if (cluster && (user || !target->user)) return 0;
    if (!cluster ? choice->cluster : choice->user)
        return tl_error_set(err, "not_found", "the kubeconfig has no %s \"%s\"", what, name);
    return tl_error_set(err, "not_found", "context \"%s\" names the %s \"%s\", which the kubeconfig does not have",
                        target->context, what, name ? name : "");
}

int tl_kubeconfig_target(tl_kubeconfig *config, tl_kube_choice choice, tl_kube_target *out, tl_error *err)
{
    *out = (tl_kube_target){0};
    if (!choice.context) choice.context = config->current;
    const tl_map *context;
    if (find_context(config, &choice, &context, err)) return -1;
    fill_plain(config, &choice, context, out);
    const tl_map *cluster = out->cluster ? map_at(config->clusters, out->cluster) : NULL;
    const tl_map *user = out->user ? map_at(config->users, out->user) : NULL;
    if (check_names(out, &choice, cluster != NULL, user != NULL, err)) return -1;
    if (!out->server) return tl_error_set(err, "usage", "cluster \"%s\" of the kubeconfig has no server", out->cluster);
    if (load_material(config, cluster, "certificate-authority", &out->ca_pem, err)) return -1;
    if (out->ca_pem && !(out->ca_sha256 = tl_pem_fingerprint(config->arena, out->ca_pem, err))) return -1;
    return load_auth(config, user, cluster, &out->auth, err);
}
