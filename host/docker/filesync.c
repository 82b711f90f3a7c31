/* Sending files to BuildKit, as many as it lacks. */
#include "docker/filesync.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/digest.h"
#include "data/protobuf.h"
#include "docker/walk.h"

#define PIECE ((size_t)64 << 10)
#define STATS_AT_ONCE 16 /* files told of before the next piece of one that was asked for */
#define NANOSECONDS 1000000000

enum { STAT = 0, REQUEST = 1, DATA = 2, FINISH = 3, FAILURE = 4 }; /* Packet.type */
enum { MODE_DIR = 1 << 31, MODE_LINK = 1 << 27 };                  /* bits of Go's fs.FileMode */

/* What is not read from the folder: files that were added, and the folders they need. */
typedef struct extra {
    char *path;
    const char *bytes; /* NULL of a folder */
    size_t length;
} extra;

/* What was told of, by its place in that order. */
typedef struct told {
    size_t path; /* where it begins in `paths`; SIZE_MAX of what cannot be asked for */
    int64_t size;
    const extra *extra; /* or NULL: in the folder */
} told;

typedef struct followed {
    char *path;
    size_t length;
} followed;

struct tl_filesync {
    const tl_context *context;
    tl_walk *walk; /* NULL where there is none, or no longer one */
    tl_walk_entry entry;
    int have; /* `entry` waits for its turn */
    extra *extras;
    size_t extra_count, next_extra;
    followed *follow; /* of 0: everything */
    size_t follow_count;
    told *told;
    size_t told_count, told_cap;
    tl_buf paths;
    uint32_t *asked;
    size_t asked_count, asked_cap, next_asked;
    uint32_t sending; /* of the file in work */
    int busy, fd;
    int64_t at; /* bytes of it given */
    char *chunk;
    int stats, all_told, finish_due, done;
    int64_t sent;
};

/* ---- which files ---- */

/* The end of a path comes before its slash, and that before every other byte. */
static int rank(char c)
{
    return !c ? 0 : c == '/' ? 1 : (unsigned char)c + 2;
}

/* fsutil's order: a folder's content comes before what is beside the folder. */
static int compare_paths(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return rank(*a) - rank(*b);
}

static int compare_extras(const void *a, const void *b)
{
    return compare_paths(((const extra *)a)->path, ((const extra *)b)->path);
}

static void add_extra(tl_filesync *s, char *path, const char *bytes, size_t length)
{
    for (size_t i = 0; i < s->extra_count; i++) {
        if (strcmp(s->extras[i].path, path) != 0) continue;
        free(path);
        return;
    }
    s->extras = tl_realloc(s->extras, (s->extra_count + 1) * sizeof *s->extras);
    s->extras[s->extra_count++] = (extra){path, bytes, length};
}

static void add_file(tl_filesync *s, const char *name, const char *bytes, size_t length)
{
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
        add_extra(s, tl_strndup(name, (size_t)(slash - name)), NULL, 0);
    add_extra(s, tl_strdup(name), bytes ? bytes : "", length);
}

/* Whether a part of the path is a link, so that more than the path is needed. */
static int goes_by_link(const tl_filesync *s, const char *path)
{
    struct stat st;
    tl_buf full = TL_BUF_INIT(SIZE_MAX);
    int found = 0;
    for (size_t at = 0; path[at] && !found; at += path[at] == '/') {
        at += strcspn(path + at, "/");
        tl_buf_clear(&full);
        tl_buf_addf(&full, "%s/%.*s", tl_context_dir(s->context), (int)at, path);
        found = lstat(full.data, &st) == 0 && S_ISLNK(st.st_mode);
    }
    tl_buf_dispose(&full);
    return found;
}

/* A clean path up to its first part with a wildcard; "" is all. */
static char *plain_part(const char *path)
{
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && !memcmp(path, "..", 2)) {
            tl_buf_clear(&out);
            break;
        }
        if (strcspn(path, "*?[\\") < length) break;
        if (length && !(length == 1 && *path == '.')) {
            if (out.len) tl_buf_addc(&out, '/');
            tl_buf_addf(&out, "%.*s", (int)length, path);
        }
        path += length + (path[length] == '/');
    }
    return tl_buf_take(&out);
}

static void follow(tl_filesync *s, const char *const *paths, size_t count)
{
    int all = 0;
    s->follow = tl_calloc(count + 1, sizeof *s->follow);
    for (; s->follow_count < count; s->follow_count++) {
        followed *f = &s->follow[s->follow_count];
        f->path = plain_part(paths[s->follow_count]);
        f->length = f->path ? strlen(f->path) : 0;
        all |= !f->length || goes_by_link(s, f->path);
    }
    if (!all) return;
    while (s->follow_count) free(s->follow[--s->follow_count].path);
}

/* 1 where it is wanted, with all that it holds; -1 of a folder in which something is. */
static int is_wanted(const tl_filesync *s, const char *path)
{
    size_t length = strlen(path);
    if (!s->follow_count) return 1;
    int inside = 0;
    for (size_t i = 0; i < s->follow_count; i++) {
        const followed *f = &s->follow[i];
        if (length >= f->length && !memcmp(path, f->path, f->length) && (!path[f->length] || path[f->length] == '/')) return 1;
        inside |= f->length > length && !memcmp(path, f->path, length) && f->path[length] == '/';
    }
    return inside ? -1 : 0;
}

/* Sees to it that the folder's next entry is in s->entry, where there is one. */
static int look(tl_filesync *s, tl_error *err)
{
    while (s->walk && !s->have) {
        int found = tl_walk_next(s->walk, &s->entry, err);
        if (found < 0) return -1;
        if (!found) {
            tl_walk_free(s->walk);
            s->walk = NULL;
            return 0;
        }
        int wanted = is_wanted(s, s->entry.path), folder = s->entry.type == S_IFDIR;
        s->have = wanted > 0 || (wanted < 0 && folder);
        if (!wanted && folder) tl_walk_skip(s->walk, &s->entry);
    }
    return 0;
}

/* ---- telling of them ---- */

static void add_stat(tl_buf *packet, const char *path, uint32_t mode, int64_t size, uint64_t version, const char *target)
{
    tl_buf stat = TL_BUF_INIT(SIZE_MAX);
    tl_protobuf_add_bytes(&stat, 1, path, strlen(path));
    tl_protobuf_add_number(&stat, 2, mode);
    tl_protobuf_add_number(&stat, 5, (uint64_t)size);
    tl_protobuf_add_number(&stat, 6, (uint64_t)TL_CONTEXT_TIME * NANOSECONDS + version % NANOSECONDS);
    if (target) tl_protobuf_add_bytes(&stat, 7, target, strlen(target));
    tl_protobuf_add_bytes(packet, 2, stat.data, stat.len);
    tl_buf_dispose(&stat);
}

static void remember(tl_filesync *s, const char *path, int64_t size, const extra *extra)
{
    if (s->told_count == s->told_cap) {
        s->told_cap = s->told_cap ? s->told_cap * 2 : 64;
        s->told = tl_realloc(s->told, s->told_cap * sizeof *s->told);
    }
    s->told[s->told_count++] = (told){path ? s->paths.len : SIZE_MAX, size, extra};
    if (path) tl_buf_add(&s->paths, path, strlen(path) + 1);
}

static int tell_entry(tl_filesync *s, tl_buf *packet, tl_error *err)
{
    const tl_walk_entry *e = &s->entry;
    char target[PATH_MAX];
    if (e->type == S_IFDIR) {
        add_stat(packet, e->path, MODE_DIR | 0755u, 0, 0, NULL);
    } else if (e->type == S_IFLNK) {
        ssize_t length = readlink(e->full, target, sizeof target - 1);
        if (length < 0) return tl_error_errno(err, errno, "cannot read the link %s", e->full);
        target[length] = 0;
        add_stat(packet, e->path, MODE_LINK | 0777u, length, 0, target);
    } else {
        add_stat(packet, e->path, e->executable ? 0755 : 0644, e->size, e->version, NULL);
    }
    remember(s, e->type == S_IFREG ? e->path : NULL, e->size, NULL);
    return 1;
}

static uint64_t version_of(const extra *e)
{
    char hex[TL_SHA256_HEX];
    tl_sha256_hex(e->bytes, e->length, hex);
    hex[15] = 0;
    return strtoull(hex, NULL, 16);
}

static void tell_extra(tl_filesync *s, const extra *e, tl_buf *packet)
{
    if (e->bytes)
        add_stat(packet, e->path, 0644, (int64_t)e->length, version_of(e), NULL);
    else
        add_stat(packet, e->path, MODE_DIR | 0755u, 0, 0, NULL);
    remember(s, e->bytes ? e->path : NULL, (int64_t)e->length, e);
}

static int tell_next(tl_filesync *s, tl_buf *packet, tl_error *err)
{
    if (look(s, err) < 0) return -1;
    const extra *e = s->next_extra < s->extra_count ? &s->extras[s->next_extra] : NULL;
    int order = !e ? -1 : !s->have ? 1 : compare_paths(s->entry.path, e->path);
    if (order < 0 && s->have) {
        s->have = 0;
        return tell_entry(s, packet, err);
    }
    if (!e) {
        s->all_told = 1; /* an empty packet says so */
        return 1;
    }
    s->next_extra++;
    if (order == 0) {
        s->have = 0;
        if (!e->bytes) return tell_entry(s, packet, err);
    }
    tell_extra(s, e, packet);
    return 1;
}

/* ---- giving what was asked for ---- */

static int begin_file(tl_filesync *s, tl_error *err)
{
    s->sending = s->asked[s->next_asked++];
    if (s->next_asked == s->asked_count) s->next_asked = s->asked_count = 0;
    s->at = 0;
    s->busy = 1;
    const told *t = &s->told[s->sending];
    if (t->extra) return 0;
    tl_buf full = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&full, "%s/%s", tl_context_dir(s->context), s->paths.data + t->path);
    s->fd = tl_context_open_file(full.data, err);
    tl_buf_dispose(&full);
    return s->fd < 0 ? -1 : 0;
}

/* The next piece of the file in work: its length, 0 after its last byte, -1. */
static int64_t read_piece(tl_filesync *s, const char **bytes, tl_error *err)
{
    const told *t = &s->told[s->sending];
    int64_t left = t->size - s->at, got = left < (int64_t)PIECE ? left : (int64_t)PIECE;
    if (t->extra) {
        *bytes = t->extra->bytes + s->at;
        return got;
    }
    if (!s->chunk) s->chunk = tl_malloc(PIECE);
    *bytes = s->chunk;
    do got = read(s->fd, s->chunk, PIECE);
    while (got < 0 && errno == EINTR);
    if (got < 0) return tl_error_errno(err, errno, "cannot read %s/%s", tl_context_dir(s->context), s->paths.data + t->path);
    if (got > left || (!got && left)) {
        tl_error_set(err, "io", "%s/%s was written to while it was sent", tl_context_dir(s->context), s->paths.data + t->path);
        tl_error_hint(err, "run again once nothing writes to it, or name it in .dockerignore");
        return -1;
    }
    return got;
}

static int give_piece(tl_filesync *s, tl_buf *packet, tl_error *err)
{
    const char *bytes = NULL;
    if (!s->busy && begin_file(s, err) < 0) return -1;
    int64_t got = read_piece(s, &bytes, err);
    if (got < 0) return -1;
    tl_protobuf_add_number(packet, 1, DATA);
    tl_protobuf_add_number(packet, 3, s->sending);
    s->at += got;
    s->sent += got;
    if (got) {
        tl_protobuf_add_bytes(packet, 4, bytes, (size_t)got);
        return 1;
    }
    s->busy = 0;
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    return 1;
}

int tl_filesync_give(tl_filesync *s, tl_buf *packet, tl_error *err)
{
    tl_buf_clear(packet);
    int wanted = s->busy || s->asked_count;
    if (!s->all_told && (!wanted || s->stats < STATS_AT_ONCE)) {
        s->stats++;
        return tell_next(s, packet, err);
    }
    s->stats = 0;
    if (wanted) return give_piece(s, packet, err);
    if (!s->finish_due) return 0;
    s->finish_due = 0;
    s->done = 1;
    tl_protobuf_add_number(packet, 1, FINISH);
    return 1;
}

void tl_filesync_fail(const char *why, tl_buf *packet)
{
    tl_buf_clear(packet);
    tl_protobuf_add_number(packet, 1, FAILURE);
    tl_protobuf_add_bytes(packet, 4, why, strlen(why));
}

static int ask(tl_filesync *s, uint64_t id, tl_error *err)
{
    if (id >= s->told_count || s->told[id].path == SIZE_MAX)
        return tl_error_set(err, "parse", "BuildKit asks for a file that it was not told of");
    if (s->asked_count == s->asked_cap) {
        s->asked_cap = s->asked_cap ? s->asked_cap * 2 : 64;
        s->asked = tl_realloc(s->asked, s->asked_cap * sizeof *s->asked);
    }
    s->asked[s->asked_count++] = (uint32_t)id;
    return 0;
}

int tl_filesync_take(tl_filesync *s, const char *bytes, size_t length, tl_error *err)
{
    tl_protobuf in = tl_protobuf_of(bytes, length), text = {0};
    uint64_t type = 0, id = 0;
    for (tl_protobuf_field f; tl_protobuf_next(&in, &f);) {
        if (f.number == 1) type = f.value;
        if (f.number == 3) id = f.value;
        if (f.number == 4) text = f.bytes;
    }
    if (type == REQUEST) return ask(s, id, err);
    if (type == FAILURE)
        return tl_error_set(err, "engine", "BuildKit cannot take the files: %.*s", (int)tl_protobuf_length(text), (const char *)text.at);
    s->finish_due |= type == FINISH;
    return 0;
}

int tl_filesync_done(const tl_filesync *s)
{
    return s->done;
}

int64_t tl_filesync_sent(const tl_filesync *s)
{
    return s->sent;
}

static tl_filesync *new_filesync(void)
{
    tl_filesync *s = tl_calloc(1, sizeof *s);
    s->fd = -1;
    tl_buf_init(&s->paths, SIZE_MAX);
    return s;
}

tl_filesync *tl_filesync_context(const tl_context *context, const char *const *paths, size_t count, tl_error *err)
{
    tl_filesync *s = new_filesync();
    const tl_named_bytes *f;
    s->context = context;
    for (size_t i = 0; (f = tl_context_added(context, i)); i++) add_file(s, f->name, f->bytes, f->length);
    if (s->extra_count) qsort(s->extras, s->extra_count, sizeof *s->extras, compare_extras);
    follow(s, paths, count);
    s->walk = tl_walk_new(tl_context_dir(context), tl_context_rules(context), err);
    if (s->walk) return s;
    tl_filesync_free(s);
    return NULL;
}

tl_filesync *tl_filesync_file(const char *name, const char *bytes, size_t length)
{
    tl_filesync *s = new_filesync();
    add_file(s, name, bytes, length);
    return s;
}

void tl_filesync_free(tl_filesync *s)
{
    if (!s) return;
    tl_walk_free(s->walk);
    for (size_t i = 0; i < s->extra_count; i++) free(s->extras[i].path);
    for (size_t i = 0; i < s->follow_count; i++) free(s->follow[i].path);
    free(s->extras);
    free(s->follow);
    free(s->told);
    free(s->asked);
    free(s->chunk);
    if (s->fd >= 0) close(s->fd);
    tl_buf_dispose(&s->paths);
    free(s);
}
