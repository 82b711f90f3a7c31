/* A command line's own words for server, trust and user over those of the kubeconfig. */
#include "k8s/override.h"

#include <string.h>

#include "k8s/fingerprint.h"

/* Paths are appended to it. */
static const char *without_slash(tl_arena *arena, const char *url)
{
    size_t length = strlen(url);
    while (length && url[length - 1] == '/') length--;
    return tl_arena_strndup(arena, url, length);
}

static const tl_list *groups_of(tl_arena *arena, const char *const *names)
{
    tl_list *list = tl_list_new(arena, 4);
    for (; *names; names++) tl_list_push(arena, list, tl_cstring(arena, *names));
    return list;
}

/* As client-go: two ways to say who one is are refused, not ranked. */
static int override_auth(const tl_kube_override *override, tl_arena *arena, const char *user, tl_kube_auth *auth,
                         tl_error *err)
{
    if (override->token) {
        auth->token = tl_arena_strdup(arena, override->token);
        auth->token_file = NULL;
    }
    if (override->username) auth->username = tl_arena_strdup(arena, override->username);
    if (override->password) auth->password = tl_arena_strdup(arena, override->password);
    if (override->cert_pem) auth->cert_pem = tl_arena_strdup(arena, override->cert_pem);
    if (override->key_pem) auth->key_pem = tl_arena_strdup(arena, override->key_pem);
    if (!auth->cert_pem != !auth->key_pem)
        return tl_error_set(err, "usage", "a client certificate needs its key, and the key its certificate");
    if ((auth->token || auth->token_file) && auth->username)
        return tl_error_set(err, "usage", "there is a token and a user name, only one of which can say who asks");
    if (override->as) auth->as = tl_arena_strdup(arena, override->as);
    if (override->as_uid) auth->as_uid = tl_arena_strdup(arena, override->as_uid);
    if (override->as_groups && *override->as_groups) auth->as_groups = groups_of(arena, override->as_groups);
    if (!auth->as && (auth->as_uid || auth->as_groups))
        return tl_error_set(err, "usage", "invalid configuration: requesting uid, groups or user-extra for %s without "
                            "impersonating a user", user ? user : "");
    return 0;
}

int tl_kube_override_apply(const tl_kube_override *override, tl_arena *arena, tl_kube_target *target, tl_error *err)
{
    if (override->server) target->server = without_slash(arena, override->server);
    if (override->server || override->server_name)
        target->server_name = override->server_name ? tl_arena_strdup(arena, override->server_name) : NULL;
    if (override->insecure || override->ca_pem) {
        target->insecure = override->insecure;
        target->ca_pem = override->ca_pem ? tl_arena_strdup(arena, override->ca_pem) : NULL;
        target->ca_sha256 = target->ca_pem ? tl_pem_fingerprint(arena, target->ca_pem, err) : NULL;
        if (target->ca_pem && !target->ca_sha256) return -1;
    }
    return override_auth(override, arena, target->user, &target->auth, err);
}
