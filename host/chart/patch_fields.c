/* Merge keys of Kubernetes' own types (the patchStrategy and patchMergeKey tags of k8s.io/api v0.37). */
#include <string.h>

#include "chart/patch.h"

enum { MERGE = 1, RETAIN = 2, REPLACE = 4 };

static const struct {
    tl_patch_place place;
    const char *kind; /* NULL: any */
    const char *field;
    int strategy;
    const char *key;
    tl_patch_place next;
} fields[] = {
    {TL_PLACE_OBJECT, NULL, "metadata", 0, NULL, TL_PLACE_META},
    {TL_PLACE_OBJECT, NULL, "status", 0, NULL, TL_PLACE_STATUS},
    {TL_PLACE_OBJECT, "Pod", "spec", 0, NULL, TL_PLACE_POD_SPEC},
    {TL_PLACE_OBJECT, "PodTemplate", "template", 0, NULL, TL_PLACE_TEMPLATE},
    {TL_PLACE_OBJECT, NULL, "spec", 0, NULL, TL_PLACE_SPEC},
    {TL_PLACE_OBJECT, "ServiceAccount", "secrets", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_OBJECT, "ValidatingWebhookConfiguration", "webhooks", MERGE, "name", TL_PLACE_WEBHOOK},
    {TL_PLACE_OBJECT, "MutatingWebhookConfiguration", "webhooks", MERGE, "name", TL_PLACE_WEBHOOK},
    {TL_PLACE_META, NULL, "ownerReferences", MERGE, "uid", TL_PLACE_PLAIN},
    {TL_PLACE_META, NULL, "finalizers", MERGE, NULL, TL_PLACE_PLAIN},
    {TL_PLACE_STATUS, NULL, "conditions", MERGE, "type", TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, NULL, "template", 0, NULL, TL_PLACE_TEMPLATE},
    {TL_PLACE_SPEC, "CronJob", "jobTemplate", 0, NULL, TL_PLACE_JOB_TEMPLATE},
    {TL_PLACE_SPEC, "Deployment", "strategy", RETAIN, NULL, TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, "Service", "ports", MERGE, "port", TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, "PodDisruptionBudget", "selector", REPLACE, NULL, TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, "Node", "podCIDRs", MERGE, NULL, TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, "CSINode", "drivers", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, "ValidatingAdmissionPolicy", "matchConditions", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, "ValidatingAdmissionPolicy", "variables", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_SPEC, "MutatingAdmissionPolicy", "matchConditions", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_JOB_TEMPLATE, NULL, "metadata", 0, NULL, TL_PLACE_META},
    {TL_PLACE_JOB_TEMPLATE, NULL, "spec", 0, NULL, TL_PLACE_SPEC},
    {TL_PLACE_TEMPLATE, NULL, "metadata", 0, NULL, TL_PLACE_META},
    {TL_PLACE_TEMPLATE, NULL, "spec", 0, NULL, TL_PLACE_POD_SPEC},
    {TL_PLACE_POD_SPEC, NULL, "volumes", MERGE | RETAIN, "name", TL_PLACE_PLAIN},
    {TL_PLACE_POD_SPEC, NULL, "initContainers", MERGE, "name", TL_PLACE_CONTAINER},
    {TL_PLACE_POD_SPEC, NULL, "containers", MERGE, "name", TL_PLACE_CONTAINER},
    {TL_PLACE_POD_SPEC, NULL, "ephemeralContainers", MERGE, "name", TL_PLACE_CONTAINER},
    {TL_PLACE_POD_SPEC, NULL, "imagePullSecrets", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_POD_SPEC, NULL, "hostAliases", MERGE, "ip", TL_PLACE_PLAIN},
    {TL_PLACE_POD_SPEC, NULL, "topologySpreadConstraints", MERGE, "topologyKey", TL_PLACE_PLAIN},
    {TL_PLACE_POD_SPEC, NULL, "schedulingGates", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_POD_SPEC, NULL, "resourceClaims", MERGE | RETAIN, "name", TL_PLACE_PLAIN},
    {TL_PLACE_CONTAINER, NULL, "ports", MERGE, "containerPort", TL_PLACE_PLAIN},
    {TL_PLACE_CONTAINER, NULL, "env", MERGE, "name", TL_PLACE_PLAIN},
    {TL_PLACE_CONTAINER, NULL, "volumeMounts", MERGE, "mountPath", TL_PLACE_PLAIN},
    {TL_PLACE_CONTAINER, NULL, "volumeDevices", MERGE, "devicePath", TL_PLACE_PLAIN},
    {TL_PLACE_WEBHOOK, NULL, "matchConditions", MERGE, "name", TL_PLACE_PLAIN},
};

tl_patch_field tl_patch_lookup(tl_patch_place place, const char *kind, const char *field)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].place != place || strcmp(fields[i].field, field)) continue;
        if (fields[i].kind && strcmp(fields[i].kind, kind)) continue;
        return (tl_patch_field){!!(fields[i].strategy & MERGE), fields[i].key, !!(fields[i].strategy & RETAIN),
                                !!(fields[i].strategy & REPLACE), fields[i].next};
    }
    return (tl_patch_field){.next = TL_PLACE_PLAIN};
}

int tl_patch_known_group(const char *api_version)
{
    static const char *const groups[] = {
        "admissionregistration.k8s.io", "apiextensions.k8s.io", "apps", "authentication.k8s.io", "authorization.k8s.io",
        "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
        "extensions", "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
        "policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io"};
    const char *slash = strchr(api_version, '/');
    if (!slash) return !strcmp(api_version, "v1");
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strlen(groups[i]) == (size_t)(slash - api_version) &&
            !strncmp(groups[i], api_version, strlen(groups[i])))
            return 1;
    return 0;
}
