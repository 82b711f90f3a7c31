/* Finds out what the server calls a kind. */
#include "k8s/discovery.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "data/json.h"
#include "k8s/client_internal.h"
#include "k8s/kinds.h"

#define DOCUMENT_LIMIT ((size_t)64 << 20)

/* The resources of one group's version. Sets that were fetched again stay allocated, as callers may hold resources of
 * them, but leave the list. */
typedef struct resource_set {
    const char *group, *version;
    int preferred; /* may answer a question that names no version; sets of a group stand in the server's order */
    size_t count;
    tl_k8s_resource *items;
    struct resource_set *next;
} resource_set;

struct tl_discovery {
    tl_arena *arena;
    resource_set *sets, **last;
};

static struct tl_discovery *discovery_of(tl_k8s *client)
{
    if (client->discovery) return client->discovery;
    struct tl_discovery *discovery = tl_calloc(1, sizeof *discovery);
    discovery->arena = tl_arena_new(0);
    discovery->last = &discovery->sets;
    return client->discovery = discovery;
}

void tl_discovery_free(struct tl_discovery *discovery)
{
    if (!discovery) return;
    tl_arena_free(discovery->arena);
    free(discovery);
}

/* ---- references ---- */

static int check_ref(const tl_kind_ref *ref, const char *text, tl_error *err)
{
    const char *bad = " /%?#&";
    if (!*ref->name || strpbrk(ref->name, bad) || (ref->group && strpbrk(ref->group, bad)) ||
        (ref->version && (!*ref->version || strpbrk(ref->version, bad))))
        return tl_error_set(
            err, "usage", "\"%s\" names no kind; write \"pods\", \"deployments.apps\" or \"apps/v1/Deployment\"", text);
    return 0;
}

int tl_kind_parse(tl_arena *arena, const char *text, tl_kind_ref *out, tl_error *err)
{
    *out = (tl_kind_ref){0};
    const char *slash = strrchr(text, '/'), *dot = strchr(text, '.');
    if (slash) {
        const char *api_version = tl_arena_strndup(arena, text, (size_t)(slash - text));
        return tl_kind_of_object(arena, api_version, slash + 1, out, err);
    }
    if (!dot) {
        out->name = tl_arena_strdup(arena, text);
        return check_ref(out, text, err);
    }
    out->name = tl_arena_strndup(arena, text, (size_t)(dot - text));
    out->group = tl_arena_strdup(arena, dot + 1);
    /* "deployments.v1.apps": a first part that looks like a version is one (client-go ParseResourceArg) */
    const char *second = strchr(dot + 1, '.');
    if (dot[1] == 'v' && dot[2] >= '0' && dot[2] <= '9') {
        out->version =
            second ? tl_arena_strndup(arena, dot + 1, (size_t)(second - dot - 1)) : tl_arena_strdup(arena, dot + 1);
        out->group = second ? tl_arena_strdup(arena, second + 1) : "";
    }
    return check_ref(out, text, err);
}

int tl_kind_of_object(tl_arena *arena, const char *api_version, const char *kind, tl_kind_ref *out, tl_error *err)
{
    const char *slash = strchr(api_version, '/');
    out->group = slash ? tl_arena_strndup(arena, api_version, (size_t)(slash - api_version)) : "";
    out->version = tl_arena_strdup(arena, slash ? slash + 1 : api_version);
    out->name = tl_arena_strdup(arena, kind);
    return check_ref(out, tl_arena_printf(arena, "%s/%s", api_version, kind), err);
}

/* ---- the cache ---- */

static const tl_k8s_resource *find_in_set(const resource_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        const tl_k8s_resource *item = &set->items[i];
        if (!strcasecmp(item->plural, name) || !strcasecmp(item->kind, name) || !strcasecmp(item->singular, name))
            return item;
    }
    for (size_t i = 0; i < set->count; i++)
        for (const char *const *other = set->items[i].short_names; *other; other++)
            if (!strcasecmp(*other, name)) return &set->items[i];
    return NULL;
}

static const tl_k8s_resource *find(const struct tl_discovery *discovery, const char *group, const tl_kind_ref *ref)
{
    for (const resource_set *set = discovery->sets; set; set = set->next) {
        if (group && strcmp(group, set->group) != 0) continue;
        if (ref->version ? strcmp(ref->version, set->version) != 0 : !set->preferred) continue;
        const tl_k8s_resource *found = find_in_set(set, ref->name);
        if (found) return found;
    }
    return NULL;
}

static void add_set(struct tl_discovery *discovery, resource_set *set)
{
    for (resource_set **at = &discovery->sets; *at; at = &(*at)->next) {
        if (strcmp((*at)->group, set->group) != 0 || strcmp((*at)->version, set->version) != 0) continue;
        if ((*at)->preferred) set->preferred = 1;
        set->next = (*at)->next;
        if (discovery->last == &(*at)->next) discovery->last = &set->next;
        *at = set;
        return;
    }
    *discovery->last = set;
    discovery->last = &set->next;
}

static const char *const *short_names(tl_arena *arena, const tl_value *list)
{
    size_t count = list && list->type == TL_LIST ? list->as.list->len : 0;
    const char **names = tl_arena_zalloc(arena, (count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++) names[i] = tl_value_text(arena, &list->as.list->items[i], "");
    return names;
}

static const char *text_of(tl_arena *arena, const tl_value *map, const char *key)
{
    return tl_value_text(arena, tl_value_path(map, key, NULL), "");
}

/* `resources` of an APIResourceList, or of one version in an APIGroupDiscoveryList (aggregated = 1). */
static void add_resources(struct tl_discovery *discovery, const char *group, const char *version,
                          const tl_value *resources, int preferred, int aggregated)
{
    tl_arena *arena = discovery->arena;
    resource_set *set = tl_arena_zalloc(arena, sizeof *set);
    *set = (resource_set){tl_arena_strdup(arena, group), tl_arena_strdup(arena, version), preferred, 0, NULL, NULL};
    size_t count = resources && resources->type == TL_LIST ? resources->as.list->len : 0;
    set->items = tl_arena_zalloc(arena, (count + 1) * sizeof *set->items);
    for (size_t i = 0; i < count; i++) {
        const tl_value *from = &resources->as.list->items[i];
        tl_k8s_resource *to = &set->items[set->count];
        to->group = set->group;
        to->version = set->version;
        to->plural = text_of(arena, from, aggregated ? "resource" : "name");
        to->singular = text_of(arena, from, aggregated ? "singularResource" : "singularName");
        to->kind = aggregated ? tl_value_text(arena, tl_value_path(from, "responseKind", "kind", NULL), "")
                              : text_of(arena, from, "kind");
        const tl_value *namespaced = tl_value_path(from, "namespaced", NULL);
        to->namespaced = aggregated ? strcmp(text_of(arena, from, "scope"), "Namespaced") == 0
                                    : namespaced && namespaced->type == TL_BOOL && namespaced->as.b;
        to->short_names = short_names(arena, tl_value_path(from, "shortNames", NULL));
        if (*to->plural && *to->kind && !strchr(to->plural, '/')) set->count++; /* else a subresource */
    }
    add_set(discovery, set);
}

static void add_aggregated(struct tl_discovery *discovery, tl_arena *arena, const tl_value *root)
{
    const tl_value *groups = tl_value_path(root, "items", NULL);
    for (size_t i = 0; groups && groups->type == TL_LIST && i < groups->as.list->len; i++) {
        const tl_value *group = &groups->as.list->items[i];
        const char *name = tl_value_text(arena, tl_value_path(group, "metadata", "name", NULL), "");
        const tl_value *versions = tl_value_path(group, "versions", NULL);
        for (size_t j = 0; versions && versions->type == TL_LIST && j < versions->as.list->len; j++) {
            const tl_value *version = &versions->as.list->items[j];
            add_resources(discovery, name, text_of(arena, version, "version"),
                          tl_value_path(version, "resources", NULL), 1, 1);
        }
    }
}

/* ---- the look-up ---- */

static int advance(tl_lookup *lookup, tl_error *err);

static void finish(tl_lookup *lookup)
{
    tl_k8s_call_free(lookup->call);
    lookup->call = NULL;
    lookup->on_done(lookup);
}

static int take_answer(tl_lookup *lookup, tl_error *err)
{
    tl_error *failure = tl_k8s_call_error(lookup->call);
    if (failure && failure->status == 404) return 0; /* no such group or version here */
    if (failure) {
        tl_error_move(err, failure);
        return -1;
    }
    size_t length;
    const char *body = tl_k8s_call_body(lookup->call, &length);
    tl_arena *arena = tl_arena_new(DOCUMENT_LIMIT);
    const tl_json_options options = {.name = "the server's list of resources"};
    tl_value root = tl_null();
    int rc = tl_json_parse(arena, body, length, &options, &root, err);
    struct tl_discovery *discovery = discovery_of(lookup->client);
    if (rc) {
    } else if (lookup->group) {
        add_resources(discovery, lookup->group, lookup->version, tl_value_path(&root, "resources", NULL),
                      lookup->preferred, 0);
    } else if (strcmp(text_of(arena, &root, "kind"), "APIGroupList") == 0) {
        const tl_value *groups = tl_value_path(&root, "groups", NULL);
        if (groups && groups->type == TL_LIST) lookup->groups = tl_value_copy(lookup->arena, *groups).as.list;
    } else {
        add_aggregated(discovery, arena, &root);
    }
    tl_arena_free(arena);
    return rc;
}

static void on_answer(tl_k8s_call *call, void *data)
{
    tl_lookup *lookup = data;
    (void)call;
    int rc = take_answer(lookup, &lookup->error);
    if (!rc) {
        tl_k8s_call_free(lookup->call);
        lookup->call = NULL;
        rc = advance(lookup, &lookup->error);
        if (!rc) return;
    }
    lookup->failed = rc < 0;
    finish(lookup);
}

static int fetch(tl_lookup *lookup, const char *group, const char *version, int preferred, tl_error *err)
{
    static const char aggregated[] =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    lookup->group = group;
    lookup->version = version;
    lookup->preferred = preferred;
    const char *path = !group   ? "/apis"
                       : *group ? tl_arena_printf(lookup->arena, "/apis/%s/%s", group, version)
                                : tl_arena_printf(lookup->arena, "/api/%s", version);
    const tl_k8s_request request = {
        .path = path, .accept = group ? NULL : aggregated, .on_done = on_answer, .data = lookup};
    lookup->call = tl_k8s_start(lookup->client, &request, err);
    return lookup->call ? 0 : -1;
}

/* Of a server without aggregated discovery: the preferred version of one group after the other. 1 at the end. */
static int fetch_next_group(tl_lookup *lookup, tl_error *err)
{
    while (lookup->groups && lookup->next_group < lookup->groups->len) {
        const tl_value *group = &lookup->groups->items[lookup->next_group++];
        const char *name = text_of(lookup->arena, group, "name");
        const char *version =
            tl_value_text(lookup->arena, tl_value_path(group, "preferredVersion", "version", NULL), "");
        if (lookup->ref.group && strcmp(lookup->ref.group, name) != 0) continue;
        if (*name && *version) return fetch(lookup, name, version, 1, err);
    }
    return 1;
}

/* Goes on to the next place where the kind may be known. 1: the end (found or not), 0: a request is on its way, -1. */
static int advance(tl_lookup *lookup, tl_error *err)
{
    const tl_kind_ref *ref = &lookup->ref;
    const tl_kind_hint *hint = NULL;
    if (!ref->group) {
        char *lower = tl_arena_strdup(lookup->arena, ref->name);
        for (char *c = lower; *c; c++)
            if (*c >= 'A' && *c <= 'Z') *c += 'a' - 'A';
        hint = tl_kind_hint_of(lower);
    }
    const char *group = ref->group ? ref->group : hint ? hint->group : NULL;
    const char *version = ref->version ? ref->version : group ? tl_kind_hint_version(group) : NULL;
    struct tl_discovery *discovery = discovery_of(lookup->client);
    /* the hinted group first, and only that while it has not been asked */
    if ((lookup->found = find(discovery, group, ref))) return 1;
    if (lookup->stage == 0) {
        lookup->stage = 1;
        if (group && version) return fetch(lookup, group, version, !ref->version, err);
    }
    if (hint && lookup->stage > 1 && (lookup->found = find(discovery, NULL, ref))) return 1;
    if (lookup->stage == 1 && ref->version) return 1; /* that version was asked for, and it has none such */
    if (lookup->stage == 1) {
        lookup->stage = 2;
        return fetch(lookup, NULL, NULL, 1, err);
    }
    if (lookup->stage == 2) {
        int rc = fetch_next_group(lookup, err);
        if (rc <= 0) return rc;
        lookup->stage = 3;
        if (!group) return fetch(lookup, "", "v1", 1, err); /* a core kind newer than the hints */
    }
    return 1;
}

int tl_lookup_start(tl_k8s *client, tl_lookup *lookup, tl_error *err)
{
    lookup->client = client;
    lookup->arena = tl_arena_new(0);
    return advance(lookup, err);
}

void tl_lookup_stop(tl_lookup *lookup)
{
    tl_k8s_call_free(lookup->call);
    lookup->call = NULL;
    if (lookup->arena) tl_arena_free(lookup->arena);
    lookup->arena = NULL;
    tl_error_dispose(&lookup->error);
}
