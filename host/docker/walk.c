/* The kept files of a folder, one after the other. */
#include "docker/walk.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/folder.h"
#include "base/mem.h"

typedef struct level {
    tl_arena *arena;
    tl_folder_entry *entries;
    size_t count, at;
    size_t path_len; /* of this folder's path */
    char *matched;   /* which rules matched this folder; NULL at the top */
    int owed;        /* an ignored folder that was not given out yet */
} level;

struct tl_walk {
    const tl_ignore *ignore;
    char *dir;
    level *levels;
    size_t depth, cap;
    tl_buf path, full, given; /* relative; to open; of the entry given out */
    tl_walk_entry entry;
    int have; /* `entry` waits for the folders owed before it */
};

static int read_names(const char *path, level *out, tl_error *err)
{
    out->arena = tl_arena_new(0);
    if (tl_folder_list_path(path, out->arena, &out->entries, &out->count) == 0) return 0;
    int code = errno;
    tl_error_errno(err, code, "cannot read the folder %s", path);
    if (code == EACCES) tl_error_hint(err, "name it in .dockerignore, or make it readable");
    return -1;
}

static void drop_level(level *l)
{
    tl_arena_free(l->arena);
    free(l->matched);
}

static void cut(tl_buf *buf, size_t length)
{
    buf->len = length;
    if (buf->cap) buf->data[length] = 0;
}

static const char *full_path(tl_walk *walk, const char *path)
{
    tl_buf_clear(&walk->full);
    tl_buf_adds(&walk->full, walk->dir);
    if (*path) tl_buf_addf(&walk->full, "/%s", path);
    return walk->full.data;
}

/* Takes over `matched`. */
static int enter(tl_walk *walk, char *matched, int owed, tl_error *err)
{
    level l = {.path_len = walk->path.len, .matched = matched, .owed = owed};
    if (read_names(full_path(walk, walk->path.data), &l, err) < 0) {
        drop_level(&l);
        return -1;
    }
    if (walk->depth == walk->cap) {
        walk->cap = walk->cap ? walk->cap * 2 : 16;
        walk->levels = tl_realloc(walk->levels, walk->cap * sizeof *walk->levels);
    }
    walk->levels[walk->depth++] = l;
    return 0;
}

tl_walk *tl_walk_new(const char *dir, const tl_ignore *ignore, tl_error *err)
{
    tl_walk *walk = tl_calloc(1, sizeof *walk);
    walk->dir = tl_strdup(dir);
    walk->ignore = ignore;
    tl_buf_init(&walk->path, SIZE_MAX);
    tl_buf_init(&walk->full, SIZE_MAX);
    tl_buf_init(&walk->given, SIZE_MAX);
    if (enter(walk, NULL, 0, err) == 0) return walk;
    tl_walk_free(walk);
    return NULL;
}

void tl_walk_free(tl_walk *walk)
{
    if (!walk) return;
    while (walk->depth) drop_level(&walk->levels[--walk->depth]);
    free(walk->levels);
    free(walk->dir);
    tl_buf_dispose(&walk->path);
    tl_buf_dispose(&walk->full);
    tl_buf_dispose(&walk->given);
    free(walk);
}

/* Nobody can write to a file without giving it another time of change. */
static uint64_t version_of(const struct stat *st)
{
    const uint64_t parts[] = {(uint64_t)tl_folder_changed(st), (uint64_t)st->st_ino, (uint64_t)st->st_dev, (uint64_t)st->st_size};
    uint64_t version = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        version = (version ^ parts[i]) * 0x9e3779b97f4a7c15;
        version ^= version >> 29;
    }
    return version;
}

static void keep(tl_walk *walk, const struct stat *st)
{
    walk->have = 1;
    walk->entry = (tl_walk_entry){.type = st->st_mode & S_IFMT, .executable = (st->st_mode & 0111) != 0, .size = st->st_size,
                                  .version = version_of(st)};
    tl_buf_clear(&walk->given);
    tl_buf_adds(&walk->given, walk->path.data);
}

/* Looks at the path that walk->path now names. */
static int look(tl_walk *walk, tl_error *err)
{
    struct stat st;
    if (lstat(full_path(walk, walk->path.data), &st) < 0) {
        if (errno == ENOENT) return 0; /* gone since the folder was read */
        return tl_error_errno(err, errno, "cannot read %s", walk->full.data);
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) return 0;
    size_t rules = tl_ignore_count(walk->ignore);
    char *matched = tl_malloc(rules + 1);
    int ignored = tl_ignore_match(walk->ignore, walk->path.data, walk->levels[walk->depth - 1].matched, matched);
    if (!ignored) keep(walk, &st);
    if (S_ISDIR(st.st_mode) && !(ignored && tl_ignore_prunes(walk->ignore, walk->path.data)))
        return enter(walk, matched, ignored, err);
    free(matched);
    return 0;
}

static int find(tl_walk *walk, tl_error *err)
{
    while (!walk->have && walk->depth) {
        level *top = &walk->levels[walk->depth - 1];
        if (top->at == top->count) {
            drop_level(top);
            walk->depth--;
            continue;
        }
        cut(&walk->path, top->path_len);
        if (walk->path.len) tl_buf_addc(&walk->path, '/');
        tl_buf_adds(&walk->path, top->entries[top->at++].name);
        if (look(walk, err) < 0) return -1;
    }
    return walk->have;
}

int tl_walk_next(tl_walk *walk, tl_walk_entry *out, tl_error *err)
{
    int found = find(walk, err);
    if (found <= 0) return found;
    /* Every folder on the stack holds the entry, or is the entry itself, which is not owed. */
    for (size_t i = 0; i < walk->depth; i++) {
        level *l = &walk->levels[i];
        if (!l->owed) continue;
        l->owed = 0;
        full_path(walk, walk->given.data);
        size_t prefix = strlen(walk->dir) + 1;
        cut(&walk->full, prefix + l->path_len);
        *out = (tl_walk_entry){.type = S_IFDIR, .executable = 1, .full = walk->full.data, .path = walk->full.data + prefix};
        return 1;
    }
    walk->have = 0;
    *out = walk->entry;
    out->path = walk->given.data;
    out->full = full_path(walk, out->path);
    return 1;
}

void tl_walk_skip(tl_walk *walk, const tl_walk_entry *folder)
{
    size_t length = strlen(folder->path);
    while (walk->depth && walk->levels[walk->depth - 1].path_len >= length) drop_level(&walk->levels[--walk->depth]);
    /* What waits to be given out is in the folder, where rules keep it in an ignored one. */
    walk->have = 0;
}
