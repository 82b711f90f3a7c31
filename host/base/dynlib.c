/* Shared libraries loaded on first use. */
#include "base/dynlib.h"

#include <dlfcn.h>

int tl_dynlib_load(const tl_dynlib *lib, void **out, tl_error *err)
{
    void *handle = NULL;
    for (const char *const *name = lib->names; *name && !handle; name++) handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        tl_error_set(err, "missing_library", "cannot load %s: %s", lib->names[0], dlerror());
        tl_error_hint(err, "install the package %s", lib->package);
        return -1;
    }
    for (size_t i = 0; i < lib->count; i++) {
        out[i] = dlsym(handle, lib->symbols[i]);
        if (!out[i]) {
            tl_error_set(err, "missing_library", "%s has no function %s", lib->names[0], lib->symbols[i]);
            tl_error_hint(err, "install a newer version of the package %s", lib->package);
            return -1;
        }
    }
    return 0;
}
