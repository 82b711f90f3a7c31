/* The client object: whom it speaks to, as whom, and what it may do. */
#include "k8s/client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "k8s/client_internal.h"

#define OVERRIDE_MEMORY ((size_t)16 << 20)

static int check_target(const tl_kube_target *target, tl_error *err)
{
    if (strncmp(target->server, "https://", 8) == 0 || strncmp(target->server, "http://", 7) == 0) return 0;
    return tl_error_set(err, "usage", "the server \"%s\" of cluster \"%s\" is no http or https URL", target->server,
                        target->cluster);
}

/* A server that is given needs no kubeconfig, only what that says where there is one. */
static int find_target(tl_k8s *client, const tl_k8s_options *options, tl_error *err)
{
    const tl_kubeconfig_options where = {.path = options->kubeconfig};
    tl_error why = {0};
    client->config = tl_kubeconfig_load(&where, &why);
    if (!client->config || tl_kubeconfig_target(client->config, options->choice, &client->target, &why)) {
        int alone = options->override.server && !options->choice.context && strcmp(why.kind, "not_found") == 0;
        if (!alone) {
            tl_error_move(err, &why);
            return -1;
        }
        tl_error_dispose(&why);
        client->target = (tl_kube_target){.context = "", .cluster = "", .namespace = "default"};
    }
    client->arena = tl_arena_new(OVERRIDE_MEMORY);
    if (tl_kube_override_apply(&options->override, client->arena, &client->target, err)) return -1;
    return check_target(&client->target, err);
}

tl_k8s *tl_k8s_new(const tl_k8s_options *options, tl_error *err)
{
    tl_k8s *client = tl_calloc(1, sizeof *client);
    client->loop = options->loop;
    client->net = options->net;
    client->timeout_ms = options->timeout_ms ? options->timeout_ms : 30000;
    client->trace = options->trace;
    client->random = (unsigned)tl_loop_now(options->loop) * 2654435761u ^ (unsigned)getpid();
    if (find_target(client, options, err)) goto fail;
    client->namespace = tl_strdup(options->namespace ? options->namespace : client->target.namespace);
    client->user_agent = tl_strdup(options->user_agent ? options->user_agent : "todo-lua");
    client->credentials = tl_credentials_new(options->loop, &client->target);
    if (client->target.insecure)
        tl_log(TL_LOG_WARN, "context %s trusts any server at %s (insecure-skip-tls-verify)", client->target.context,
               client->target.server);
    return client;
fail:
    tl_k8s_free(client);
    return NULL;
}

void tl_k8s_free(tl_k8s *client)
{
    if (!client) return;
    while (client->calls) tl_k8s_call_detach(client->calls);
    while (client->upgrades) tl_upgrade_detach(client->upgrades);
    tl_discovery_free(client->discovery);
    tl_credentials_free(client->credentials);
    tl_kubeconfig_free(client->config);
    tl_arena_free(client->arena);
    free(client->namespace);
    free(client->user_agent);
    free(client->read_only);
    free(client->pin);
    free(client->last_warning);
    free(client);
}

void tl_k8s_close(tl_k8s *client)
{
    client->closed = 1;
    while (client->calls) tl_k8s_call_abort(client->calls);
    while (client->upgrades) tl_upgrade_abort(client->upgrades);
    tl_credentials_close(client->credentials);
}

int tl_k8s_closed(const tl_k8s *client)
{
    return client->closed;
}

const tl_kube_target *tl_k8s_target(const tl_k8s *client)
{
    return &client->target;
}

const char *tl_k8s_namespace(const tl_k8s *client)
{
    return client->namespace;
}

tl_loop *tl_k8s_loop(const tl_k8s *client)
{
    return client->loop;
}

int tl_k8s_pin(tl_k8s *client, const char *uid, tl_error *err)
{
    if (!*uid) return tl_error_set(err, "usage", "a cluster cannot be pinned to an empty UID");
    if (client->pin && strcmp(client->pin, uid) != 0)
        return tl_error_set(err, "usage", "this client is pinned to the cluster %s already", client->pin);
    if (!client->pin) client->pin = tl_strdup(uid);
    return 0;
}

void tl_k8s_read_only(tl_k8s *client, const char *why)
{
    if (!client->read_only) client->read_only = tl_strdup(why);
}

void tl_k8s_trace(const tl_k8s *client, const char *method, const char *path, int status, int64_t since)
{
    if (!client->trace) return;
    /* asked for, so it is told at every level */
    tl_log(TL_LOG_ERROR, "%s %s%s %d in %lld ms", method, client->target.server, path, status,
           (long long)(tl_loop_now(client->loop) - since));
}

double tl_k8s_random(tl_k8s *client)
{
    client->random = client->random * 1664525u + 1013904223u;
    return (client->random >> 8) / 16777216.0;
}
