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
    if (override->token) {
        target->auth.token = tl_arena_strdup(arena, override->token);
        target->auth.token_file = NULL;
    }
    if (override->as) target->auth.as = tl_arena_strdup(arena, override->as);
    if (override->as_groups && *override->as_groups)
        target->auth.as_groups = groups_of(arena, override->as_groups);
    return 0;
}
