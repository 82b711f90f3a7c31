#ifndef TL_BASE_FOLDER_H
#define TL_BASE_FOLDER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/mem.h"

typedef struct tl_folder_entry {
    const char *name;
    unsigned char type; /* DT_REG and so on of dirent.h; DT_UNKNOWN where the file system does not keep it */
} tl_folder_entry;

/* What the open folder holds, by name, without "." and "..", in the arena. 0, or -1 with errno. The descriptor stays open;
 * it is read from where it stands, so list a folder once. */
int tl_folder_list(int folder, tl_arena *arena, tl_folder_entry **out, size_t *count);
/* The same by path. */
int tl_folder_list_path(const char *path, tl_arena *arena, tl_folder_entry **out, size_t *count);

/* The system's part: calls on_entry for each entry, in any order, "." and ".." included. 0, or -1 with errno. */
int tl_folder_read(int folder, void (*on_entry)(void *context, const char *name, unsigned char type), void *context);
/* The time of the last change of a file or of what is known of it, in nanoseconds; nobody can set it. */
int64_t tl_folder_changed(const struct stat *st);

#endif
