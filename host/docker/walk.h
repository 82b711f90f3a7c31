#ifndef TL_DOCKER_WALK_H
#define TL_DOCKER_WALK_H

#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "docker/ignore.h"

/* Goes through a folder, sorted, leaving out what is ignored. For the files of this folder. */
typedef struct tl_walk tl_walk;

typedef struct tl_walk_entry {
    const char *path; /* relative to the folder */
    const char *full; /* to open it by */
    mode_t type;      /* S_IFDIR, S_IFREG or S_IFLNK */
    int executable;
    int64_t size;
    uint64_t version; /* another one once the file was written to or replaced */
} tl_walk_entry;

/* The rules are borrowed. Free with tl_walk_free. */
tl_walk *tl_walk_new(const char *dir, const tl_ignore *ignore, tl_error *err);
void tl_walk_free(tl_walk *walk);
/* 1 and the next entry (valid until the next call), 0 at the end, -1 on failure. Folders come before what they hold; an
 * ignored folder comes where something in it is kept. Sockets, pipes and devices are left out. */
int tl_walk_next(tl_walk *walk, tl_walk_entry *out, tl_error *err);
/* Leaves out what the folder holds which the last call gave. */
void tl_walk_skip(tl_walk *walk, const tl_walk_entry *folder);

#endif
