/* Tar: written here, read by libarchive. */
#include "data/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/buf.h"
#include "base/dynlib.h"
#include "base/mem.h"

typedef struct library {
    struct archive *(*read_new)(void);
    int (*read_tar)(struct archive *);
    int (*read_gzip)(struct archive *);
    int (*read_open)(struct archive *, const void *, size_t);
    int (*read_header)(struct archive *, struct archive_entry **);
    la_ssize_t (*read_data)(struct archive *, void *, size_t);
    int (*read_free)(struct archive *);
    const char *(*error_string)(struct archive *);
    const char *(*path)(struct archive_entry *);
    const char *(*path_utf8)(struct archive_entry *);
    const char *(*target)(struct archive_entry *);
    const char *(*hardlink)(struct archive_entry *);
    la_int64_t (*size)(struct archive_entry *);
    __LA_MODE_T (*type)(struct archive_entry *);
    __LA_MODE_T (*mode)(struct archive_entry *);
    time_t (*mtime)(struct archive_entry *);
} library;

static const char *const symbols[] = {
    "archive_read_new",
    "archive_read_support_format_tar",
    "archive_read_support_filter_gzip",
    "archive_read_open_memory",
    "archive_read_next_header",
    "archive_read_data",
    "archive_read_free",
    "archive_error_string",
    "archive_entry_pathname",
    "archive_entry_pathname_utf8",
    "archive_entry_symlink",
    "archive_entry_hardlink",
    "archive_entry_size",
    "archive_entry_filetype",
    "archive_entry_perm",
    "archive_entry_mtime",
};

static const library *load(tl_error *err)
{
    static const char *const names[] = {"libarchive.so.13", "libarchive.13.dylib", "libarchive.dylib", NULL};
    static library table;
    static int loaded;
    if (loaded) return &table;
    enum { COUNT = sizeof symbols / sizeof *symbols };
    void *found[COUNT];
    const tl_dynlib lib = {names, "libarchive13", symbols, COUNT};
    if (tl_dynlib_load(&lib, found, err)) return NULL;
    _Static_assert(sizeof table == sizeof found, "one pointer for each function");
    memcpy(&table, found, sizeof table);
    loaded = 1;
    return &table;
}

/* Writing. */

#define BLOCK 512

/* As GNU tar has it, its long names and its numbers in base 256 included ("Basic Tar Format" in its manual). */
typedef struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, target[100], magic[8], rest[247];
} header;

struct tl_tar_writer {
    tl_tar_sink sink;
    void *context;
    int64_t missing; /* bytes of the entry in work that have not come yet */
    size_t padding;  /* that follows them */
};

tl_tar_writer *tl_tar_writer_new(tl_tar_sink sink, void *context)
{
    tl_tar_writer *w = tl_calloc(1, sizeof *w);
    *w = (tl_tar_writer){.sink = sink, .context = context};
    return w;
}

static void put_text(char *field, size_t size, const char *text)
{
    memcpy(field, text, strnlen(text, size));
}

static void put_number(char *field, size_t size, int64_t value)
{
    if (value >> 3 * (size - 1) == 0) {
        snprintf(field, size, "%0*llo", (int)size - 1, (unsigned long long)value);
        return;
    }
    for (size_t i = size; i-- > 1; value >>= 8) field[i] = (char)(value & 255);
    field[0] = (char)0x80;
}

static int put_header(tl_tar_writer *w, char type, const char *name, const tl_tar_entry *e, tl_error *err)
{
    header h = {.type = type, .magic = "ustar  "};
    unsigned sum = 8 * ' '; /* of its own field */
    put_text(h.name, sizeof h.name, name);
    if (e->target) put_text(h.target, sizeof h.target, e->target);
    put_number(h.mode, sizeof h.mode, e->mode);
    put_number(h.uid, sizeof h.uid, 0);
    put_number(h.gid, sizeof h.gid, 0);
    put_number(h.size, sizeof h.size, e->size);
    put_number(h.mtime, sizeof h.mtime, e->mtime);
    for (size_t i = 0; i < sizeof h; i++) sum += ((const unsigned char *)&h)[i];
    snprintf(h.sum, sizeof h.sum, "%06o", sum);
    h.sum[7] = ' ';
    w->missing = e->size;
    w->padding = (size_t)(-e->size & (BLOCK - 1));
    return w->sink(w->context, &h, sizeof h, err);
}

/* An entry of its own before the one that it belongs to. */
static int put_long(tl_tar_writer *w, char type, const char *text, tl_error *err)
{
    const tl_tar_entry e = {.mode = 0644, .size = (int64_t)strlen(text) + 1};
    if (e.size <= (int64_t)sizeof((header *)0)->name) return 0;
    if (put_header(w, type, "././@LongLink", &e, err) < 0) return -1;
    return tl_tar_writer_data(w, text, (size_t)e.size, err);
}

int tl_tar_writer_entry(tl_tar_writer *w, const tl_tar_entry *entry, tl_error *err)
{
    static const char types[] = {[TL_TAR_FILE] = '0', [TL_TAR_DIR] = '5', [TL_TAR_SYMLINK] = '2'};
    if (w->missing) return tl_error_set(err, "usage", "the entry before %s is not complete", entry->path);
    tl_buf name = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&name, "%s%s", entry->path, entry->kind == TL_TAR_DIR ? "/" : "");
    int result = entry->target ? put_long(w, 'K', entry->target, err) : 0;
    if (result == 0) result = put_long(w, 'L', name.data, err);
    if (result == 0) result = put_header(w, types[entry->kind], name.data, entry, err);
    tl_buf_dispose(&name);
    return result;
}

int tl_tar_writer_data(tl_tar_writer *w, const void *bytes, size_t length, tl_error *err)
{
    static const char zeros[BLOCK];
    if ((int64_t)length > w->missing) return tl_error_set(err, "usage", "the entry has more bytes than announced");
    if (length && w->sink(w->context, bytes, length, err) < 0) return -1;
    w->missing -= (int64_t)length;
    if (w->missing || !w->padding) return 0;
    size_t padding = w->padding;
    w->padding = 0;
    return w->sink(w->context, zeros, padding, err);
}

int tl_tar_writer_finish(tl_tar_writer *w, tl_error *err)
{
    static const char end[2 * BLOCK];
    if (w->missing) return tl_error_set(err, "usage", "the last entry is not complete");
    return w->sink(w->context, end, sizeof end, err);
}

void tl_tar_writer_free(tl_tar_writer *writer)
{
    free(writer);
}

/* Reading. */

typedef struct reader {
    const library *lib;
    struct archive *archive;
    tl_tar_limits limits;
    tl_tar_visit visit;
    void *context;
    size_t entries;
    int64_t total;
    char *path, *bytes; /* of the entry in work */
} reader;

/* A copy with single slashes and without "." parts; NULL where it is absolute or climbs out. */
static char *clean_path(const char *path)
{
    if (*path == '/') return NULL;
    char *clean = tl_malloc(strlen(path) + 1), *end = clean;
    while (*path) {
        size_t length = strcspn(path, "/");
        int up = length == 2 && !memcmp(path, "..", 2);
        if (up) {
            free(clean);
            return NULL;
        }
        if (length && !(length == 1 && *path == '.')) {
            if (end != clean) *end++ = '/';
            memcpy(end, path, length);
            end += length;
        }
        path += length;
        while (*path == '/') path++;
    }
    *end = 0;
    return clean;
}

static int fail_read(reader *r, tl_error *err)
{
    const char *text = r->lib->error_string(r->archive);
    return tl_error_set(err, "parse", "cannot read the tar archive: %s", text ? text : "damaged");
}

static int read_content(reader *r, tl_tar_entry *entry, tl_error *err)
{
    if (entry->size < 0 || entry->size > r->limits.file_bytes || (r->total += entry->size) > r->limits.total_bytes)
        return tl_error_set(err, "limit", "%s makes the archive larger than allowed", entry->path);
    r->bytes = tl_malloc((size_t)entry->size + 1);
    int64_t have = 0;
    while (have < entry->size) {
        la_ssize_t got = r->lib->read_data(r->archive, r->bytes + have, (size_t)(entry->size - have));
        if (got < 0) return fail_read(r, err);
        if (got == 0) return tl_error_set(err, "parse", "the archive ends inside %s", entry->path);
        have += got;
    }
    r->bytes[have] = 0;
    return 0;
}

static tl_tar_kind kind_of(__LA_MODE_T type, int is_hard_link)
{
    if (is_hard_link) return TL_TAR_OTHER;
    if (type == AE_IFDIR) return TL_TAR_DIR;
    if (type == AE_IFLNK) return TL_TAR_SYMLINK;
    return type == AE_IFREG ? TL_TAR_FILE : TL_TAR_OTHER;
}

static int read_entry(reader *r, struct archive_entry *e, tl_error *err)
{
    const char *raw = r->lib->path_utf8(e);
    if (!raw) raw = r->lib->path(e);
    if (!raw) return tl_error_set(err, "parse", "an archive entry has no name");
    r->path = clean_path(raw);
    if (!r->path) return tl_error_set(err, "denied", "the archive entry %s leads out of the archive's folder", raw);
    if (!*r->path) return 0; /* "./" */
    tl_tar_entry entry = {.path = r->path, .mode = (int)r->lib->mode(e), .mtime = r->lib->mtime(e)};
    __LA_MODE_T type = r->lib->type(e);
    entry.kind = kind_of(type, r->lib->hardlink(e) != NULL);
    if (entry.kind == TL_TAR_SYMLINK) entry.target = r->lib->target(e);
    if (entry.kind == TL_TAR_FILE) {
        entry.size = r->lib->size(e);
        if (read_content(r, &entry, err)) return -1;
    }
    return r->visit(r->context, &entry, r->bytes, err) < 0 ? -1 : 0;
}

static int read_entries(reader *r, tl_error *err)
{
    for (;;) {
        struct archive_entry *e;
        int status = r->lib->read_header(r->archive, &e);
        if (status == ARCHIVE_EOF) return 0;
        if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return fail_read(r, err);
        if (++r->entries > r->limits.entries)
            return tl_error_set(err, "limit", "the archive has more than %zu entries", r->limits.entries);
        status = read_entry(r, e, err);
        free(r->path);
        free(r->bytes);
        r->path = r->bytes = NULL;
        if (status) return -1;
    }
}

int tl_tar_read(const void *archive, size_t length, const tl_tar_limits *limits, tl_tar_visit visit, void *context,
                tl_error *err)
{
    reader r = {.lib = load(err), .visit = visit, .context = context};
    if (!r.lib) return -1;
    if (limits) r.limits = *limits;
    if (!r.limits.entries) r.limits.entries = 10000;
    if (!r.limits.file_bytes) r.limits.file_bytes = 32 << 20;
    if (!r.limits.total_bytes) r.limits.total_bytes = 256 << 20;
    r.archive = r.lib->read_new();
    r.lib->read_tar(r.archive);
    r.lib->read_gzip(r.archive);
    int opened = r.lib->read_open(r.archive, archive, length) == ARCHIVE_OK;
    int status = opened ? read_entries(&r, err) : fail_read(&r, err);
    r.lib->read_free(r.archive);
    return status;
}
