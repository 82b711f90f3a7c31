#ifndef TL_DATA_TAR_H
#define TL_DATA_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Tar archives: written as streams, read from memory (libarchive, loaded on first use). */

typedef enum tl_tar_kind {
    TL_TAR_FILE,
    TL_TAR_DIR,
    TL_TAR_SYMLINK,
    TL_TAR_OTHER, /* hard link, device or pipe: only read, never written */
} tl_tar_kind;

typedef struct tl_tar_entry {
    const char *path; /* relative, "/" between parts, no leading "./" */
    tl_tar_kind kind;
    int mode;           /* permission bits */
    int64_t size;       /* of TL_TAR_FILE, bytes; else 0 */
    int64_t mtime;      /* seconds; owners are always 0:0 without names */
    const char *target; /* of TL_TAR_SYMLINK; else NULL */
} tl_tar_entry;

/* Receives archive bytes as they are made; a negative result stops the writer (fill *err). */
typedef int (*tl_tar_sink)(void *context, const void *bytes, size_t length, tl_error *err);

typedef struct tl_tar_writer tl_tar_writer;
/* Free with tl_tar_writer_free. */
tl_tar_writer *tl_tar_writer_new(tl_tar_sink sink, void *context);
/* Starts an entry; for a file exactly entry->size bytes follow by tl_tar_writer_data. */
int tl_tar_writer_entry(tl_tar_writer *writer, const tl_tar_entry *entry, tl_error *err);
int tl_tar_writer_data(tl_tar_writer *writer, const void *bytes, size_t length, tl_error *err);
/* Writes the end of the archive. */
int tl_tar_writer_finish(tl_tar_writer *writer, tl_error *err);
void tl_tar_writer_free(tl_tar_writer *writer);

/* Bounds of what a reader accepts; zero fields mean 10,000 entries, 32 MiB for one file, 256 MiB together. */
typedef struct tl_tar_limits {
    size_t entries;
    int64_t file_bytes, total_bytes;
} tl_tar_limits;

/* Called for each entry of an archive. `bytes` is the whole content of a file (entry->size of it), valid during the
 * call. A negative result stops the reading. */
typedef int (*tl_tar_visit)(void *context, const tl_tar_entry *entry, const void *bytes, tl_error *err);

/* Reads a tar archive in memory, compressed with gzip or not. Paths are cleaned ("./a//b" is "a/b"); one that is
 * absolute or climbs out with ".." is refused (kind "denied"); too large: kind "limit". limits may be NULL. */
int tl_tar_read(const void *archive, size_t length, const tl_tar_limits *limits, tl_tar_visit visit, void *context,
                tl_error *err);

#endif
