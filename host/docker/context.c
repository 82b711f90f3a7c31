/* A build context as a tar stream or a hash. */
#include "docker/context.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "data/digest.h"
#include "data/tar.h"
#include "docker/walk.h"

#define RULES_NAME ".dockerignore"
#define HIDDEN_DOCKERFILE ".dockerfile.todo-lua"
#define MOST_RULES_BYTES ((size_t)16 << 20)
#define CHUNK ((size_t)256 << 10)

struct tl_context {
    char *dir, *dockerfile;
    tl_buf dockerfile_bytes;
    tl_ignore *ignore;
    tl_named_bytes *files; /* copies */
    size_t file_count, next_file;
    tl_walk *walk;
    /* the tar stream */
    tl_tar_writer *writer;
    tl_buf out;
    size_t taken; /* bytes of `out` given out */
    int fd;       /* the file in work, or -1 */
    int64_t left; /* its bytes that are still owed */
    char *path;   /* its name, for messages */
    int64_t sent;
    int finished;
    char *chunk;
};

/* 1 and the content, 0 where there is no such file, -1 on failure. */
static int read_small(const char *path, tl_buf *out, tl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : tl_error_errno(err, errno, "cannot read %s", path);
    ssize_t got = 1;
    while (got > 0) {
        char *room = tl_buf_reserve(out, 65536);
        if (!room) break;
        got = read(fd, room, 65536);
        if (got > 0) tl_buf_add_len(out, (size_t)got);
    }
    int code = errno;
    close(fd);
    if (out->over) return tl_error_set(err, "too_large", "%s is too large", path);
    return got < 0 ? tl_error_errno(err, code, "cannot read %s", path) : 1;
}

static void add_file(tl_context *c, const char *name, const void *bytes, size_t length)
{
    c->files = tl_realloc(c->files, (c->file_count + 1) * sizeof *c->files);
    char *copy = tl_malloc(length + 1);
    if (length) memcpy(copy, bytes, length);
    c->files[c->file_count++] = (tl_named_bytes){tl_strdup(name), copy, length};
}

static int is_added(const tl_context *c, const char *name)
{
    for (size_t i = 0; i < c->file_count; i++)
        if (!strcmp(c->files[i].name, name)) return 1;
    return 0;
}

static int read_rules(tl_context *c, const tl_context_options *o, tl_error *err)
{
    tl_buf path = TL_BUF_INIT(SIZE_MAX), text = TL_BUF_INIT(MOST_RULES_BYTES);
    int found = 0;
    if (o->ignore_file) {
        tl_buf_adds(&path, o->ignore_file);
        found = read_small(path.data, &text, err);
        if (!found) found = tl_error_set(err, "not_found", "there is no ignore file %s", o->ignore_file);
    } else if (o->dockerfile) {
        tl_buf_addf(&path, "%s" RULES_NAME, o->dockerfile);
        found = read_small(path.data, &text, err);
    }
    if (!found) {
        tl_buf_clear(&path);
        tl_buf_addf(&path, "%s/" RULES_NAME, c->dir);
        found = read_small(path.data, &text, err);
    }
    if (found >= 0) c->ignore = tl_ignore_parse(text.data, text.len, err);
    if (found >= 0 && !c->ignore) tl_error_wrap(err, "%s: %s", path.data, err ? err->message : "");
    tl_buf_dispose(&path);
    tl_buf_dispose(&text);
    return c->ignore ? 0 : -1;
}

/* Whether the rules keep the file, folder by folder as the walk asks them. */
static int is_kept(const tl_context *c, const char *name)
{
    size_t rules = tl_ignore_count(c->ignore);
    char *parent = NULL;
    int ignored = 0;
    for (size_t at = 0; name[at]; at++) {
        at += strcspn(name + at, "/");
        char *part = tl_strndup(name, at), *matched = tl_malloc(rules + 1);
        ignored = tl_ignore_match(c->ignore, part, parent, matched);
        free(part);
        free(parent);
        parent = matched;
        if (!name[at]) break;
    }
    free(parent);
    return !ignored;
}

/* The name relative to the context, or NULL where the Dockerfile lies elsewhere. */
static char *name_inside(const tl_context *c, const char *dockerfile)
{
    char *full = realpath(dockerfile, NULL), *name = NULL;
    size_t length = strlen(c->dir);
    if (full && !strncmp(full, c->dir, length) && full[length] == '/') name = tl_strdup(full + length + 1);
    free(full);
    return name;
}

static int hide_dockerfile(tl_context *c, tl_error *err)
{
    tl_buf path = TL_BUF_INIT(SIZE_MAX), rules = TL_BUF_INIT(MOST_RULES_BYTES);
    int found = 0;
    tl_buf_addf(&path, "%s/" RULES_NAME, c->dir);
    /* The context's own rules stay as they are where they are part of it; else both files are dropped. */
    if (is_kept(c, RULES_NAME)) found = read_small(path.data, &rules, err);
    if (!found) tl_buf_adds(&rules, RULES_NAME);
    tl_buf_adds(&rules, "\n" HIDDEN_DOCKERFILE "\n");
    if (found >= 0) {
        add_file(c, RULES_NAME, rules.data, rules.len);
        add_file(c, HIDDEN_DOCKERFILE, c->dockerfile_bytes.data, c->dockerfile_bytes.len);
        c->dockerfile = tl_strdup(HIDDEN_DOCKERFILE);
    }
    tl_buf_dispose(&path);
    tl_buf_dispose(&rules);
    return found < 0 ? -1 : 0;
}

static int read_dockerfile(tl_context *c, const tl_context_options *o, tl_error *err)
{
    int found = read_small(o->dockerfile, &c->dockerfile_bytes, err);
    if (found < 0) return -1;
    if (!found) return tl_error_set(err, "not_found", "there is no Dockerfile %s", o->dockerfile);
    if (o->dockerfile_apart) {
        const char *slash = strrchr(o->dockerfile, '/');
        c->dockerfile = tl_strdup(slash ? slash + 1 : o->dockerfile);
        return 0;
    }
    c->dockerfile = name_inside(c, o->dockerfile);
    if (c->dockerfile && is_kept(c, c->dockerfile)) return 0;
    free(c->dockerfile);
    c->dockerfile = NULL;
    return hide_dockerfile(c, err);
}

tl_context *tl_context_open(const tl_context_options *o, tl_error *err)
{
    tl_context *c = tl_calloc(1, sizeof *c);
    struct stat st;
    c->fd = -1;
    tl_buf_init(&c->dockerfile_bytes, MOST_RULES_BYTES);
    tl_buf_init(&c->out, SIZE_MAX);
    for (size_t i = 0; i < o->file_count; i++) add_file(c, o->files[i].name, o->files[i].bytes, o->files[i].length);
    c->dir = realpath(o->dir, NULL);
    if (!c->dir) {
        tl_error_errno(err, errno, "cannot use the build context %s", o->dir);
        goto failed;
    }
    if (stat(c->dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
        tl_error_set(err, "usage", "the build context %s is no folder", o->dir);
        goto failed;
    }
    if (read_rules(c, o, err) < 0) goto failed;
    if (o->dockerfile && read_dockerfile(c, o, err) < 0) goto failed;
    c->walk = tl_walk_new(c->dir, c->ignore, err);
    if (c->walk) return c;
failed:
    tl_context_free(c);
    return NULL;
}

void tl_context_free(tl_context *c)
{
    if (!c) return;
    if (c->fd >= 0) close(c->fd);
    tl_tar_writer_free(c->writer);
    tl_walk_free(c->walk);
    tl_ignore_free(c->ignore);
    for (size_t i = 0; i < c->file_count; i++) {
        free((char *)c->files[i].name);
        free((void *)c->files[i].bytes);
    }
    free(c->files);
    free(c->dir);
    free(c->dockerfile);
    free(c->path);
    free(c->chunk);
    tl_buf_dispose(&c->dockerfile_bytes);
    tl_buf_dispose(&c->out);
    free(c);
}

const char *tl_context_dockerfile(const tl_context *c)
{
    return c->dockerfile;
}

const char *tl_context_dir(const tl_context *c)
{
    return c->dir;
}

const tl_ignore *tl_context_rules(const tl_context *c)
{
    return c->ignore;
}

const char *tl_context_dockerfile_bytes(const tl_context *c, size_t *length)
{
    *length = c->dockerfile_bytes.len;
    return c->dockerfile_bytes.data;
}

const tl_named_bytes *tl_context_added(const tl_context *c, size_t index)
{
    return index < c->file_count ? &c->files[index] : NULL;
}

int64_t tl_context_sent(const tl_context *c)
{
    return c->sent;
}

/* What the walk gives, without the files that are replaced. 1, 0 at the end, -1. */
static int next_entry(tl_context *c, tl_walk_entry *entry, tl_error *err)
{
    int found;
    do found = tl_walk_next(c->walk, entry, err);
    while (found > 0 && entry->type != S_IFDIR && is_added(c, entry->path));
    return found;
}

static int read_target(const tl_walk_entry *entry, char target[PATH_MAX], tl_error *err)
{
    ssize_t length = readlink(entry->full, target, PATH_MAX - 1);
    if (length < 0) return tl_error_errno(err, errno, "cannot read the link %s", entry->full);
    target[length] = 0;
    return 0;
}

int tl_context_open_file(const char *path, tl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) return fd;
    tl_error_errno(err, errno, "cannot read %s", path);
    tl_error_hint(err, "name it in .dockerignore, or make it readable");
    return -1;
}

static int open_file(tl_context *c, const tl_walk_entry *entry, tl_error *err)
{
    c->fd = tl_context_open_file(entry->full, err);
    if (c->fd < 0) return -1;
    free(c->path);
    c->path = tl_strdup(entry->full);
    c->left = entry->size;
    return 0;
}

/* Reads a piece of the file in work to c->chunk: its length, or -1. Closes the file after its last byte. */
static int64_t read_piece(tl_context *c, tl_error *err)
{
    if (!c->chunk) c->chunk = tl_malloc(CHUNK);
    ssize_t got = 0;
    if (c->left) {
        do got = read(c->fd, c->chunk, c->left < (int64_t)CHUNK ? (size_t)c->left : CHUNK);
        while (got < 0 && errno == EINTR);
        if (got < 0) return tl_error_errno(err, errno, "cannot read %s", c->path);
        if (got == 0) return tl_error_set(err, "io", "%s became shorter while it was read", c->path);
        c->left -= got;
    }
    if (!c->left) {
        close(c->fd);
        c->fd = -1;
    }
    return got;
}

/* The tar stream. */

static int to_out(void *context, const void *bytes, size_t length, tl_error *err)
{
    (void)err;
    tl_buf_add(&((tl_context *)context)->out, bytes, length);
    return 0;
}

static int write_entry(tl_context *c, const tl_walk_entry *entry, tl_error *err)
{
    char target[PATH_MAX];
    tl_tar_entry e = {.path = entry->path, .mode = 0755, .mtime = TL_CONTEXT_TIME, .kind = TL_TAR_DIR};
    if (entry->type == S_IFLNK) {
        if (read_target(entry, target, err) < 0) return -1;
        e.kind = TL_TAR_SYMLINK;
        e.mode = 0777;
        e.target = target;
    } else if (entry->type == S_IFREG) {
        e.kind = TL_TAR_FILE;
        e.mode = entry->executable ? 0755 : 0644;
        e.size = entry->size;
        if (open_file(c, entry, err) < 0) return -1;
    }
    return tl_tar_writer_entry(c->writer, &e, err);
}

static int write_added(tl_context *c, const tl_named_bytes *f, tl_error *err)
{
    const tl_tar_entry e = {
        .path = f->name, .mode = 0644, .mtime = TL_CONTEXT_TIME, .kind = TL_TAR_FILE, .size = (int64_t)f->length};
    if (tl_tar_writer_entry(c->writer, &e, err) < 0) return -1;
    return tl_tar_writer_data(c->writer, f->bytes, f->length, err);
}

/* Makes some more bytes. */
static int step(tl_context *c, tl_error *err)
{
    tl_walk_entry entry;
    if (c->fd >= 0) {
        int64_t got = read_piece(c, err);
        return got <= 0 ? (int)got : tl_tar_writer_data(c->writer, c->chunk, (size_t)got, err);
    }
    int found = next_entry(c, &entry, err);
    if (found < 0) return -1;
    if (found) return write_entry(c, &entry, err);
    if (c->next_file < c->file_count) return write_added(c, &c->files[c->next_file++], err);
    c->finished = 1;
    return tl_tar_writer_finish(c->writer, err);
}

int64_t tl_context_read(tl_context *c, char *buffer, size_t size, tl_error *err)
{
    if (c->taken == c->out.len) {
        tl_buf_clear(&c->out);
        c->taken = 0;
        if (!c->writer) c->writer = tl_tar_writer_new(to_out, c);
        while (!c->finished && c->out.len < size)
            if (step(c, err) < 0) return -1;
    }
    size_t length = c->out.len - c->taken;
    if (length > size) length = size;
    if (length) memcpy(buffer, c->out.data + c->taken, length);
    c->taken += length;
    c->sent += (int64_t)length;
    return (int64_t)length;
}

/* The hash. */

static void add_text(tl_sha256 *digest, const char *label, const char *text, size_t length)
{
    tl_buf head = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&head, "%s %zu", label, length);
    tl_sha256_add(digest, head.data, head.len + 1);
    tl_sha256_add(digest, text, length);
    tl_buf_dispose(&head);
}

static int hash_entry(tl_context *c, tl_sha256 *digest, const tl_walk_entry *entry, tl_error *err)
{
    char target[PATH_MAX];
    const char *kind = entry->type == S_IFDIR ? "folder" : entry->type == S_IFLNK ? "link" : entry->executable ? "program" : "file";
    add_text(digest, kind, entry->path, strlen(entry->path));
    if (entry->type == S_IFLNK) {
        if (read_target(entry, target, err) < 0) return -1;
        add_text(digest, "to", target, strlen(target));
    }
    if (entry->type != S_IFREG) return 0;
    if (open_file(c, entry, err) < 0) return -1;
    char size[32];
    snprintf(size, sizeof size, "%lld", (long long)entry->size);
    add_text(digest, "bytes", size, strlen(size));
    while (c->fd >= 0) {
        int64_t got = read_piece(c, err);
        if (got < 0) return -1;
        tl_sha256_add(digest, c->chunk, (size_t)got);
    }
    return 0;
}

int tl_context_hash(tl_context *c, const char *const *extra, size_t extra_count, char hex[65], tl_error *err)
{
    tl_walk_entry entry;
    int found;
    tl_sha256 digest;
    tl_sha256_start(&digest);
    add_text(&digest, "dockerfile", c->dockerfile_bytes.data, c->dockerfile_bytes.len);
    for (size_t i = 0; i < extra_count; i++) add_text(&digest, "extra", extra[i], strlen(extra[i]));
    while ((found = next_entry(c, &entry, err)) > 0)
        if (hash_entry(c, &digest, &entry, err) < 0) {
            found = -1;
            break;
        }
    for (size_t i = 0; i < c->file_count && found == 0; i++) {
        add_text(&digest, "file", c->files[i].name, strlen(c->files[i].name));
        add_text(&digest, "bytes", c->files[i].bytes, c->files[i].length);
    }
    if (found == 0) tl_sha256_end(&digest, hex);
    return found;
}
