/* What macOS tells about folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/folder.h"

int tl_folder_read(int folder, void (*on_entry)(void *context, const char *name, unsigned char type), void *context)
{
    int own = fcntl(folder, F_DUPFD_CLOEXEC, 0); /* closedir takes the descriptor with it */
    DIR *dir = own < 0 ? NULL : fdopendir(own);
    if (!dir) {
        int code = errno;
        if (own >= 0) close(own);
        errno = code;
        return -1;
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir));) on_entry(context, entry->d_name, entry->d_type);
    int code = errno;
    closedir(dir);
    errno = code;
    return code ? -1 : 0;
}

int64_t tl_folder_changed(const struct stat *st)
{
    return (int64_t)st->st_ctimespec.tv_sec * 1000000000 + st->st_ctimespec.tv_nsec;
}
