/* Where the built-in kinds live. */
#include "k8s/kinds.h"

#include <stdio.h>
#include <string.h>

/* The core group stands first: it wins for "events", as with kubectl. */
static const tl_kind_hint hints[] = {
    {"", "v1",
     " binding bindings componentstatus componentstatuses cs configmap configmaps cm endpoints ep event events ev "
     "limitrange "
     "limitranges limits namespace namespaces ns node nodes no persistentvolumeclaim persistentvolumeclaims pvc "
     "persistentvolume persistentvolumes pv pod pods po podtemplate podtemplates replicationcontroller "
     "replicationcontrollers rc resourcequota resourcequotas quota secret secrets serviceaccount serviceaccounts sa "
     "service "
     "services svc "},
    {"apps", "v1",
     " deployment deployments deploy daemonset daemonsets ds statefulset statefulsets sts replicaset replicasets rs "
     "controllerrevision controllerrevisions "},
    {"batch", "v1", " job jobs cronjob cronjobs cj "},
    {"networking.k8s.io", "v1",
     " ingress ingresses ing ingressclass ingressclasses networkpolicy networkpolicies netpol "},
    {"rbac.authorization.k8s.io", "v1",
     " role roles rolebinding rolebindings clusterrole clusterroles clusterrolebinding clusterrolebindings "},
    {"storage.k8s.io", "v1",
     " storageclass storageclasses sc csidriver csidrivers csinode csinodes volumeattachment volumeattachments "
     "csistoragecapacity csistoragecapacities "},
    {"autoscaling", "v2", " horizontalpodautoscaler horizontalpodautoscalers hpa "},
    {"policy", "v1", " poddisruptionbudget poddisruptionbudgets pdb "},
    {"apiextensions.k8s.io", "v1", " customresourcedefinition customresourcedefinitions crd crds "},
    {"apiregistration.k8s.io", "v1", " apiservice apiservices "},
    {"admissionregistration.k8s.io", "v1",
     " validatingwebhookconfiguration validatingwebhookconfigurations mutatingwebhookconfiguration "
     "mutatingwebhookconfigurations validatingadmissionpolicy validatingadmissionpolicies "
     "validatingadmissionpolicybinding validatingadmissionpolicybindings "},
    {"scheduling.k8s.io", "v1", " priorityclass priorityclasses pc "},
    {"coordination.k8s.io", "v1", " lease leases "},
    {"discovery.k8s.io", "v1", " endpointslice endpointslices "},
    {"events.k8s.io", "v1", " "},
    {"certificates.k8s.io", "v1", " certificatesigningrequest certificatesigningrequests csr "},
    {"node.k8s.io", "v1", " runtimeclass runtimeclasses "},
    {"authentication.k8s.io", "v1", " tokenreview tokenreviews selfsubjectreview selfsubjectreviews "},
    {"authorization.k8s.io", "v1",
     " selfsubjectaccessreview selfsubjectaccessreviews selfsubjectrulesreview selfsubjectrulesreviews "
     "subjectaccessreview subjectaccessreviews localsubjectaccessreview localsubjectaccessreviews "},
};

const tl_kind_hint *tl_kind_hint_of(const char *name)
{
    char word[128];
    if (strchr(name, ' ') || (size_t)snprintf(word, sizeof word, " %s ", name) >= sizeof word) return NULL;
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strstr(hints[i].names, word)) return &hints[i];
    return NULL;
}

const char *tl_kind_hint_version(const char *group)
{
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].group, group) == 0) return hints[i].version;
    return NULL;
}
