/* Reads a small local file into a buffer. */
#include "k8s/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int tl_textfile_read(const char *path, tl_buf *out, tl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tl_error_errno(err, errno, "%s", path);
    int rc = 0;
    for (;;) {
        char chunk[8192];
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) rc = tl_error_errno(err, errno, "%s", path);
        if (got <= 0) break;
        tl_buf_add(out, chunk, (size_t)got);
        if (out->over) {
            rc = tl_error_set(err, "too_large", "%s has more than %zu bytes", path, out->max);
            break;
        }
    }
    close(fd);
    return rc;
}
