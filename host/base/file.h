#ifndef TL_BASE_FILE_H
#define TL_BASE_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Whole files and trees on disk. Descriptors are close-on-exec; messages name the path. */

/* Appends the whole content. 1; 0 where there is no such file; -1 (kind "limit" past the buffer's limit). */
int tl_file_read(const char *path, tl_buf *out, tl_error *err);
/* Replaces the file at once: a temporary file in the same folder, fsync, rename. Through a symbolic link the file that
 * it names is replaced. mode -1: the mode the file has, else 0644 less the umask; other modes are set exactly. */
int tl_file_write(const char *path, const void *bytes, size_t length, int mode, tl_error *err);
/* Appends to the file, which is made with `mode` (-1: 0644), both less the umask. */
int tl_file_append(const char *path, const void *bytes, size_t length, int mode, tl_error *err);
/* Creates the folder and its parents; fine where it exists. */
int tl_file_mkdirs(const char *path, int mode, tl_error *err);
/* Removes a file, a link, or a folder with all in it; never follows links nor leaves the file system. 1, 0 where it was
 * not there, -1. */
int tl_file_remove(const char *path, tl_error *err);
/* Takes an exclusive lock on the file (created 0600, then holding our process id). The descriptor, which closing
 * unlocks; -1 with kind "locked" where another process has it (*holder: its id, or 0), or with another kind. */
int tl_file_lock(const char *path, pid_t *holder, tl_error *err);

#endif
