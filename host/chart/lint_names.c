/* What lint knows of names, addresses and retired kinds. */
#include "chart/lint_names.h"

#include <string.h>
#include <strings.h>

#include "chart/text.h"

/* Kinds that Kubernetes retired, all of version 1 (k8s.io/api v0.37, prerelease-lifecycle): deprecated in, removed
 * in (0: they stay). */
static const struct {
    const char *api_version, *kind;
    int deprecated, removed;
    const char *replacement;
} retired[] = {
    {"admission.k8s.io/v1beta1", "AdmissionReview", 19, 22, "admission.k8s.io/v1 AdmissionReview"},
    {"admissionregistration.k8s.io/v1alpha1", "MutatingAdmissionPolicy", 35, 38, NULL},
    {"admissionregistration.k8s.io/v1alpha1", "MutatingAdmissionPolicyBinding", 35, 38, NULL},
    {"admissionregistration.k8s.io/v1alpha1", "ValidatingAdmissionPolicy", 29, 32, NULL},
    {"admissionregistration.k8s.io/v1alpha1", "ValidatingAdmissionPolicyBinding", 29, 32, NULL},
    {"admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy", 37, 40,
     "admissionregistration.k8s.io/v1 MutatingAdmissionPolicy"},
    {"admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicyBinding", 37, 40,
     "admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding"},
    {"admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration", 16, 22,
     "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration"},
    {"admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy", 31, 34, NULL},
    {"admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicyBinding", 31, 34, NULL},
    {"admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration", 16, 22,
     "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration"},
    {"apidiscovery.k8s.io/v2beta1", "APIGroupDiscovery", 32, 35, NULL},
    {"apps/v1beta1", "ControllerRevision", 8, 16, "apps/v1 ControllerRevision"},
    {"apps/v1beta1", "Deployment", 8, 16, "apps/v1 Deployment"},
    {"apps/v1beta1", "DeploymentRollback", 8, 16, "apps/v1 DeploymentRollback"},
    {"apps/v1beta1", "Scale", 8, 16, "autoscaling/v1 Scale"},
    {"apps/v1beta1", "StatefulSet", 8, 16, "apps/v1 StatefulSet"},
    {"apps/v1beta2", "ControllerRevision", 9, 16, "apps/v1 ControllerRevision"},
    {"apps/v1beta2", "DaemonSet", 9, 16, "apps/v1 DaemonSet"},
    {"apps/v1beta2", "Deployment", 9, 16, "apps/v1 Deployment"},
    {"apps/v1beta2", "ReplicaSet", 9, 16, "apps/v1 ReplicaSet"},
    {"apps/v1beta2", "Scale", 9, 16, "autoscaling/v1 Scale"},
    {"apps/v1beta2", "StatefulSet", 9, 16, "apps/v1 StatefulSet"},
    {"authentication.k8s.io/v1alpha1", "SelfSubjectReview", 29, 32, NULL},
    {"authentication.k8s.io/v1beta1", "SelfSubjectReview", 30, 33, NULL},
    {"authentication.k8s.io/v1beta1", "TokenReview", 19, 22, "authentication.k8s.io/v1 TokenReview"},
    {"authorization.k8s.io/v1beta1", "LocalSubjectAccessReview", 19, 22,
     "authorization.k8s.io/v1 LocalSubjectAccessReview"},
    {"authorization.k8s.io/v1beta1", "SelfSubjectAccessReview", 19, 22,
     "authorization.k8s.io/v1 SelfSubjectAccessReview"},
    {"authorization.k8s.io/v1beta1", "SelfSubjectRulesReview", 19, 22,
     "authorization.k8s.io/v1 SelfSubjectRulesReview"},
    {"authorization.k8s.io/v1beta1", "SubjectAccessReview", 19, 22, "authorization.k8s.io/v1 SubjectAccessReview"},
    {"batch/v1beta1", "CronJob", 21, 25, "batch/v1 CronJob"},
    {"certificates.k8s.io/v1alpha1", "ClusterTrustBundle", 34, 37, NULL},
    {"certificates.k8s.io/v1beta1", "CertificateSigningRequest", 19, 22,
     "certificates.k8s.io/v1 CertificateSigningRequest"},
    {"certificates.k8s.io/v1beta1", "ClusterTrustBundle", 37, 40, "certificates.k8s.io/v1 ClusterTrustBundle"},
    {"certificates.k8s.io/v1beta1", "PodCertificateRequest", 37, 40, "certificates.k8s.io/v1 PodCertificateRequest"},
    {"coordination.k8s.io/v1alpha2", "LeaseCandidate", 35, 38, NULL},
    {"coordination.k8s.io/v1beta1", "Lease", 19, 22, "coordination.k8s.io/v1 Lease"},
    {"coordination.k8s.io/v1beta1", "LeaseCandidate", 36, 39, NULL},
    {"discovery.k8s.io/v1beta1", "EndpointSlice", 21, 25, "discovery.k8s.io/v1 EndpointSlice"},
    {"events.k8s.io/v1beta1", "Event", 22, 25, NULL},
    {"extensions/v1beta1", "DaemonSet", 8, 16, "apps/v1 DaemonSet"},
    {"extensions/v1beta1", "Deployment", 8, 16, "apps/v1 Deployment"},
    {"extensions/v1beta1", "DeploymentRollback", 8, 16, NULL},
    {"extensions/v1beta1", "Ingress", 14, 22, "networking.k8s.io/v1 Ingress"},
    {"extensions/v1beta1", "NetworkPolicy", 9, 16, "networking.k8s.io/v1 NetworkPolicy"},
    {"extensions/v1beta1", "ReplicaSet", 8, 16, "apps/v1 ReplicaSet"},
    {"extensions/v1beta1", "Scale", 2, 16, NULL},
    {"flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema", 23, 26, "flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema"},
    {"flowcontrol.apiserver.k8s.io/v1beta1", "PriorityLevelConfiguration", 23, 26,
     "flowcontrol.apiserver.k8s.io/v1beta3 PriorityLevelConfiguration"},
    {"flowcontrol.apiserver.k8s.io/v1beta2", "FlowSchema", 26, 29, "flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema"},
    {"flowcontrol.apiserver.k8s.io/v1beta2", "PriorityLevelConfiguration", 26, 29,
     "flowcontrol.apiserver.k8s.io/v1beta3 PriorityLevelConfiguration"},
    {"flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", 29, 32, "flowcontrol.apiserver.k8s.io/v1 FlowSchema"},
    {"flowcontrol.apiserver.k8s.io/v1beta3", "PriorityLevelConfiguration", 29, 32,
     "flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration"},
    {"lifecycle.k8s.io/v1alpha1", "Eviction", 40, 43, NULL},
    {"lifecycle.k8s.io/v1alpha1", "EvictionRequest", 40, 43, NULL},
    {"networking.k8s.io/v1beta1", "IPAddress", 34, 37, NULL},
    {"networking.k8s.io/v1beta1", "Ingress", 19, 22, "networking.k8s.io/v1 Ingress"},
    {"networking.k8s.io/v1beta1", "IngressClass", 19, 22, "networking.k8s.io/v1 IngressClassList"},
    {"networking.k8s.io/v1beta1", "ServiceCIDR", 34, 37, NULL},
    {"node.k8s.io/v1beta1", "RuntimeClass", 22, 25, NULL},
    {"policy/v1beta1", "Eviction", 22, 25, NULL},
    {"policy/v1beta1", "PodDisruptionBudget", 21, 25, "policy/v1 PodDisruptionBudget"},
    {"rbac.authorization.k8s.io/v1beta1", "ClusterRole", 17, 22, "rbac.authorization.k8s.io/v1 ClusterRole"},
    {"rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", 17, 22,
     "rbac.authorization.k8s.io/v1 ClusterRoleBinding"},
    {"rbac.authorization.k8s.io/v1beta1", "Role", 17, 22, "rbac.authorization.k8s.io/v1 Role"},
    {"rbac.authorization.k8s.io/v1beta1", "RoleBinding", 17, 22, "rbac.authorization.k8s.io/v1 RoleBinding"},
    {"resource.k8s.io/v1alpha3", "DeviceTaintRule", 36, 39, NULL},
    {"resource.k8s.io/v1alpha3", "ResourcePoolStatusRequest", 39, 42, NULL},
    {"resource.k8s.io/v1beta1", "DeviceClass", 35, 38, NULL},
    {"resource.k8s.io/v1beta1", "ResourceClaim", 35, 38, NULL},
    {"resource.k8s.io/v1beta1", "ResourceClaimTemplate", 35, 38, NULL},
    {"resource.k8s.io/v1beta1", "ResourceSlice", 35, 38, NULL},
    {"resource.k8s.io/v1beta2", "DeviceClass", 36, 39, NULL},
    {"resource.k8s.io/v1beta2", "DeviceTaintRule", 39, 42, NULL},
    {"resource.k8s.io/v1beta2", "ResourceClaim", 36, 39, NULL},
    {"resource.k8s.io/v1beta2", "ResourceClaimTemplate", 36, 39, NULL},
    {"resource.k8s.io/v1beta2", "ResourceSlice", 36, 39, NULL},
    {"scheduling.k8s.io/v1beta1", "PodGroup", 40, 43, NULL},
    {"scheduling.k8s.io/v1beta1", "PriorityClass", 14, 22, "scheduling.k8s.io/v1 PriorityClass"},
    {"scheduling.k8s.io/v1beta1", "Workload", 40, 43, NULL},
    {"storage.k8s.io/v1alpha1", "CSIStorageCapacity", 21, 24, "storage.k8s.io/v1beta1 CSIStorageCapacity"},
    {"storage.k8s.io/v1alpha1", "VolumeAttachment", 21, 24, "storage.k8s.io/v1 VolumeAttachment"},
    {"storage.k8s.io/v1alpha1", "VolumeAttributesClass", 32, 35, "storage.k8s.io/v1 VolumeAttributesClass"},
    {"storage.k8s.io/v1beta1", "CSIDriver", 19, 22, "storage.k8s.io/v1 CSIDriver"},
    {"storage.k8s.io/v1beta1", "CSINode", 17, 22, "storage.k8s.io/v1 CSINode"},
    {"storage.k8s.io/v1beta1", "CSIStorageCapacity", 24, 27, "storage.k8s.io/v1 CSIStorageCapacity"},
    {"storage.k8s.io/v1beta1", "StorageClass", 19, 22, "storage.k8s.io/v1 StorageClass"},
    {"storage.k8s.io/v1beta1", "VolumeAttachment", 19, 22, "storage.k8s.io/v1 VolumeAttachment"},
    {"storage.k8s.io/v1beta1", "VolumeAttributesClass", 34, 37, "storage.k8s.io/v1 VolumeAttributesClass"},
    {"storagemigration.k8s.io/v1beta1", "StorageVersionMigration", 37, 40,
     "storagemigration.k8s.io/v1 StorageVersionMigration"},
    {"v1", "ComponentStatus", 19, 0, NULL},
    {"v1", "Endpoints", 33, 0, "discovery.k8s.io/v1 EndpointSlice"},
};

const char *tl_lint_deprecation(tl_arena *arena, const char *api_version, const char *kind, int minor)
{
    for (size_t i = 0; i < sizeof retired / sizeof *retired; i++) {
        if (strcmp(retired[i].api_version, api_version) || strcmp(retired[i].kind, kind)) continue;
        if (retired[i].deprecated > minor) return NULL;
        const char *removal =
            retired[i].removed ? tl_arena_printf(arena, ", unavailable in v1.%d+", retired[i].removed) : "";
        return tl_arena_printf(arena, "%s %s is deprecated in v1.%d+%s%s%s", api_version, kind, retired[i].deprecated,
                               removal, retired[i].replacement ? "; use " : "",
                               retired[i].replacement ? retired[i].replacement : "");
    }
    return NULL;
}

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? between dots. */
static int is_subdomain(const char *name)
{
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    if (!*name) return 0;
    for (const char *c = name; *c; c++) {
        int edge = c == name || c[-1] == '.' || !c[1] || c[1] == '.';
        if (!strchr(alnum, *c) && (edge || (*c != '-' && *c != '.'))) return 0;
    }
    return 1;
}

static int is_label(const char *name, int letter_first)
{
    return is_subdomain(name) && !strchr(name, '.') && (!letter_first || *name > '9');
}

static const char *const by_label[] = {"namespace", NULL};
static const char *const by_path_segment[] = {"role", "clusterrole", "rolebinding", "clusterrolebinding", NULL};

static int one_of(const char *const *list, const char *kind)
{
    for (; *list; list++)
        if (!strcasecmp(*list, kind)) return 1;
    return 0;
}

static const char *path_segment_fault(const char *name)
{
    if (!strcmp(name, ".") || !strcmp(name, "..")) return !name[1] ? "may not be '.'" : "may not be '..'";
    if (strchr(name, '/')) return "may not contain '/'";
    return strchr(name, '%') ? "may not contain '%'" : NULL;
}

static const char *length_fault(const char *kind, const char *name)
{
    size_t length = strlen(name);
    if (one_of(by_path_segment, kind)) return NULL;
    if (one_of(by_label, kind) || !strcasecmp(kind, "service"))
        return length > 63 ? "must be no more than 63 characters" : NULL;
    return length > 253 ? "must be no more than 253 characters" : NULL;
}

const char *tl_lint_name_fault(tl_arena *arena, const char *kind, const char *name)
{
    const char *fault = NULL, *quoted = tl_text_quote(arena, name, strlen(name));
    if (!strcasecmp(kind, "certificatesigningrequest")) return NULL;
    if (one_of(by_path_segment, kind))
        fault = path_segment_fault(name);
    else if (!strcasecmp(kind, "service"))
        fault = is_label(name, 1) ? NULL
                                  : "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                                    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
                                    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
    else if (one_of(by_label, kind))
        fault = is_label(name, 0)    ? NULL
                : is_subdomain(name) ? "must not contain dots"
                                     : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                                       "and must start and end with an alphanumeric character (e.g. 'my-name',  or "
                                       "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    else if (!is_subdomain(name))
        fault = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
                "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    const char *length = length_fault(kind, name);
    if (!fault && !length) return NULL;
    const char *invalid = tl_arena_printf(arena, "metadata.name: Invalid value: %s: ", quoted);
    const char *faults = tl_arena_printf(arena, fault && length ? "[%s%s, %s%s]" : "%s%s", invalid,
                                         length ? length : fault, invalid, fault);
    return tl_arena_printf(arena, "object name does not conform to Kubernetes naming requirements: %s: %s", quoted, faults);
}

int tl_lint_is_email(const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || at == text || strchr(at + 1, '@') || strpbrk(text, " \t\r\n<>()[],;:\"")) return 0;
    const char *dot = strrchr(at, '.');
    return dot && dot > at + 1 && dot[1];
}

int tl_lint_is_request_url(const char *text)
{
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return scheme && text[scheme] == ':' && text[scheme + 1] && !strpbrk(text, " \t\r\n\x7f");
}

int tl_lint_is_url(const char *text)
{
    const char *host = strstr(text, "://");
    if (strlen(text) < 3 || strpbrk(text, " \t\r\n") || *text == '.') return 0;
    host = host ? host + 3 : text;
    size_t length = strcspn(host, "/?#");
    return length && (memchr(host, '.', length) || !strncmp(host, "localhost", 9));
}
