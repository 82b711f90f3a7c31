/* What Linux tells about folders, in a third of the system calls that readdir makes of it. */
#include <dirent.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/folder.h"

int tl_folder_read(int folder, void (*on_entry)(void *context, const char *name, unsigned char type), void *context)
{
    _Alignas(struct dirent64) char batch[32768];
    ssize_t got;
    while ((got = getdents64(folder, batch, sizeof batch)) > 0) {
        for (const char *at = batch; at < batch + got;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)at;
            on_entry(context, entry->d_name, entry->d_type);
            at += entry->d_reclen;
        }
    }
    return got < 0 ? -1 : 0;
}

int64_t tl_folder_changed(const struct stat *st)
{
    return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}
