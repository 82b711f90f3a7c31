/* Whole files and trees on disk. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/mem.h"

#define CHUNK 65536
#define DEEPEST 500 /* folders below a removed one; each level holds a descriptor */

static int read_all(int fd, tl_buf *out)
{
    for (;;) {
        char *room = tl_buf_reserve(out, CHUNK);
        size_t free_bytes = CHUNK;
        if (!room) { /* near the limit: only as much as still fits, and one byte more to see that it does not */
            free_bytes = out->max - out->len;
            out->over = 0;
            room = tl_buf_reserve(out, free_bytes);
        }
        char extra;
        ssize_t got = free_bytes ? read(fd, room, free_bytes) : read(fd, &extra, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return (int)got;
        if (!free_bytes) {
            errno = EFBIG;
            return -1;
        }
        tl_buf_add_len(out, (size_t)got);
    }
}

int tl_file_read(const char *path, tl_buf *out, tl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return 0;
    if (fd < 0) return tl_error_errno(err, errno, "cannot read %s", path);
    int status = read_all(fd, out), code = errno;
    close(fd);
    if (status == 0) return 1;
    if (code == EFBIG) return tl_error_set(err, "limit", "%s is larger than %zu bytes", path, out->max);
    return tl_error_errno(err, code, "cannot read %s", path);
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t put = write(fd, bytes, length);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return -1;
        bytes += put;
        length -= (size_t)put;
    }
    return 0;
}

static mode_t current_umask(void)
{
    mode_t mask = umask(077);
    umask(mask);
    return mask;
}

static int write_temporary(int fd, const void *bytes, size_t length, mode_t mode)
{
    return fchmod(fd, mode) < 0 || write_all(fd, bytes, length) < 0 || fsync(fd) < 0 ? -1 : 0;
}

/* The rename itself survives a crash only when its folder is on disk too. */
static void sync_folder(const char *path)
{
    char *folder = tl_strdup(path), *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

int tl_file_write(const char *path, const void *bytes, size_t length, int mode, tl_error *err)
{
    struct stat st;
    char resolved[PATH_MAX];
    const char *target = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && realpath(path, resolved) ? resolved : path;
    int there = stat(target, &st) == 0 && S_ISREG(st.st_mode);
    mode_t wanted = mode >= 0 ? (mode_t)mode : there ? st.st_mode & 07777 : 0644 & ~current_umask();
    char *temporary = tl_malloc(strlen(target) + 16);
    sprintf(temporary, "%s.tmp-XXXXXX", target);
    int fd = mkostemp(temporary, O_CLOEXEC), status = 0;
    if (fd < 0) {
        status = tl_error_errno(err, errno, "cannot write %s", path);
        goto out;
    }
    int failed = write_temporary(fd, bytes, length, wanted) < 0, code = errno;
    close(fd);
    if (!failed && rename(temporary, target) < 0) {
        failed = 1;
        code = errno;
    }
    if (failed) {
        unlink(temporary);
        status = tl_error_errno(err, code, "cannot write %s", path);
    } else {
        sync_folder(target);
    }
out:
    free(temporary);
    return status;
}

int tl_file_append(const char *path, const void *bytes, size_t length, int mode, tl_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode >= 0 ? (mode_t)mode : 0644);
    if (fd < 0) return tl_error_errno(err, errno, "cannot append to %s", path);
    int status = write_all(fd, bytes, length), code = errno;
    if (close(fd) < 0 && status == 0) {
        status = -1;
        code = errno;
    }
    return status == 0 ? 0 : tl_error_errno(err, code, "cannot append to %s", path);
}

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int tl_file_mkdirs(const char *path, int mode, tl_error *err)
{
    char *copy = tl_strdup(path);
    int status = 0;
    for (char *slash = copy + 1; !status && *copy; slash++) {
        int last = !*slash;
        if (!last && *slash != '/') continue;
        *slash = 0;
        int code = mkdir(copy, (mode_t)mode) < 0 ? errno : 0;
        if (code && !is_folder(copy)) status = tl_error_errno(err, code, "cannot make the folder %s", copy);
        if (last) break;
        *slash = '/';
    }
    free(copy);
    return status;
}

static int remove_entry(int folder, const char *name, dev_t device, int depth);

static int remove_content(int folder, dev_t device, int depth)
{
    tl_arena *arena = tl_arena_new(0);
    tl_folder_entry *entries;
    size_t count;
    int status = tl_folder_list(folder, arena, &entries, &count);
    for (size_t i = 0; i < count && !status; i++) status = remove_entry(folder, entries[i].name, device, depth);
    int code = errno;
    close(folder);
    tl_arena_free(arena);
    errno = code;
    return status;
}

static int remove_entry(int folder, const char *name, dev_t device, int depth)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return -1;
    if (!S_ISDIR(st.st_mode)) return unlinkat(folder, name, 0);
    if (st.st_dev != device || depth > DEEPEST) {
        errno = st.st_dev != device ? EXDEV : ELOOP;
        return -1;
    }
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || remove_content(fd, device, depth + 1) < 0) return -1;
    return unlinkat(folder, name, AT_REMOVEDIR);
}

int tl_file_remove(const char *path, tl_error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return 0;
        return tl_error_errno(err, errno, "cannot remove %s", path);
    }
    if (remove_entry(AT_FDCWD, path, st.st_dev, 0) < 0) return tl_error_errno(err, errno, "cannot remove %s", path);
    return 1;
}

int tl_file_lock(const char *path, pid_t *holder, tl_error *err)
{
    char text[32] = "";
    *holder = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return tl_error_errno(err, errno, "cannot lock %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int code = errno;
        ssize_t got = pread(fd, text, sizeof text - 1, 0);
        close(fd);
        if (code != EWOULDBLOCK) return tl_error_errno(err, code, "cannot lock %s", path);
        *holder = got > 0 ? (pid_t)atol(text) : 0;
        return tl_error_set(err, "locked", "%s is locked by process %ld", path, (long)*holder);
    }
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length) {
        int code = errno;
        close(fd);
        return tl_error_errno(err, code, "cannot lock %s", path);
    }
    return fd;
}
