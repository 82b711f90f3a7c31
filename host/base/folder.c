/* What folders hold. */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct listing {
    tl_arena *arena;
    tl_folder_entry *entries;
    size_t count, cap;
} listing;

static void keep(void *context, const char *name, unsigned char type)
{
    listing *l = context;
    if (!strcmp(name, ".") || !strcmp(name, "..")) return;
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        l->entries = tl_arena_grow(l->arena, l->entries, l->cap * sizeof *l->entries, cap * sizeof *l->entries);
        l->cap = cap;
    }
    l->entries[l->count++] = (tl_folder_entry){tl_arena_strdup(l->arena, name), type};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tl_folder_entry *)a)->name, ((const tl_folder_entry *)b)->name);
}

int tl_folder_list(int folder, tl_arena *arena, tl_folder_entry **out, size_t *count)
{
    listing l = {.arena = arena};
    int result = tl_folder_read(folder, keep, &l);
    if (l.count) qsort(l.entries, l.count, sizeof *l.entries, by_name);
    *out = l.entries;
    *count = l.count;
    return result;
}

int tl_folder_list_path(const char *path, tl_arena *arena, tl_folder_entry **out, size_t *count)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -1;
    int result = tl_folder_list(folder, arena, out, count), code = errno;
    close(folder);
    errno = code;
    return result;
}
