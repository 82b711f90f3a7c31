/* A kubeconfig, read from a file in memory; every context is resolved. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "k8s/kubeconfig.h"

static int file = -1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    tl_error err = {0};
    if (file < 0) file = memfd_create("kubeconfig", 0);
    if (ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    tl_kubeconfig_options options = {.path = path, .service_account_dir = "/nonexistent"};
    tl_kubeconfig *config = tl_kubeconfig_load(&options, &err);
    size_t count = 0;
    const char *const *names = config ? tl_kubeconfig_contexts(config, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        tl_kube_target target;
        tl_error_dispose(&err);
        tl_kubeconfig_target(config, (tl_kube_choice){.context = names[i]}, &target, &err);
        tl_kubeconfig_describe(config, names[i], &target);
    }
    if (config) tl_kubeconfig_free(config);
    tl_error_dispose(&err);
    return 0;
}
