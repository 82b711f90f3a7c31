/* Tar by libarchive. */
#include "data/tar.h"

#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/dynlib.h"
#include "base/mem.h"

typedef struct library {
    struct archive *(*write_new)(void);
    int (*write_pax)(struct archive *);
    int (*write_gzip)(struct archive *);
    int (*write_option)(struct archive *, const char *, const char *, const char *);
    int (*write_block)(struct archive *, int);
    int (*write_open)(struct archive *, void *, archive_open_callback *, archive_write_callback *,
                      archive_close_callback *);
    int (*write_header)(struct archive *, struct archive_entry *);
    la_ssize_t (*write_data)(struct archive *, const void *, size_t);
    int (*write_close)(struct archive *);
    int (*write_free)(struct archive *);
    struct archive *(*read_new)(void);
    int (*read_tar)(struct archive *);
    int (*read_gzip)(struct archive *);
    int (*read_open)(struct archive *, const void *, size_t);
    int (*read_header)(struct archive *, struct archive_entry **);
    la_ssize_t (*read_data)(struct archive *, void *, size_t);
    int (*read_free)(struct archive *);
    const char *(*error_string)(struct archive *);
    struct archive_entry *(*entry_new)(void);
    void (*entry_free)(struct archive_entry *);
    void (*set_path)(struct archive_entry *, const char *);
    void (*set_size)(struct archive_entry *, la_int64_t);
    void (*set_type)(struct archive_entry *, unsigned);
    void (*set_mode)(struct archive_entry *, __LA_MODE_T);
    void (*set_mtime)(struct archive_entry *, time_t, long);
    void (*set_target)(struct archive_entry *, const char *);
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
    "archive_write_new",
    "archive_write_set_format_pax_restricted",
    "archive_write_add_filter_gzip",
    "archive_write_set_filter_option",
    "archive_write_set_bytes_in_last_block",
    "archive_write_open",
    "archive_write_header",
    "archive_write_data",
    "archive_write_close",
    "archive_write_free",
    "archive_read_new",
    "archive_read_support_format_tar",
    "archive_read_support_filter_gzip",
    "archive_read_open_memory",
    "archive_read_next_header",
    "archive_read_data",
    "archive_read_free",
    "archive_error_string",
    "archive_entry_new",
    "archive_entry_free",
    "archive_entry_set_pathname",
    "archive_entry_set_size",
    "archive_entry_set_filetype",
    "archive_entry_set_perm",
    "archive_entry_set_mtime",
    "archive_entry_set_symlink",
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

struct tl_tar_writer {
    const library *lib;
    struct archive *archive;
    tl_tar_sink sink;
    void *context;
    tl_error failure; /* the sink's */
    int64_t missing;  /* bytes of the entry in work that have not come yet */
    int broken;
};

static la_ssize_t on_write(struct archive *archive, void *data, const void *bytes, size_t length)
{
    tl_tar_writer *w = data;
    (void)archive;
    if (w->broken || w->sink(w->context, bytes, length, &w->failure) < 0) {
        w->broken = 1;
        return -1;
    }
    return (la_ssize_t)length;
}

tl_tar_writer *tl_tar_writer_new(tl_tar_sink sink, void *context, int gzip, tl_error *err)
{
    const library *lib = load(err);
    if (!lib) return NULL;
    tl_tar_writer *w = tl_calloc(1, sizeof *w);
    *w = (tl_tar_writer){.lib = lib, .archive = lib->write_new(), .sink = sink, .context = context};
    lib->write_pax(w->archive);
    if (gzip) {
        lib->write_gzip(w->archive);
        lib->write_option(w->archive, "gzip", "timestamp", NULL); /* the same content gives the same bytes */
    }
    lib->write_block(w->archive, 1);
    if (lib->write_open(w->archive, w, NULL, on_write, NULL) == ARCHIVE_OK) return w;
    tl_error_set(err, "io", "cannot start a tar archive: %s", lib->error_string(w->archive));
    tl_tar_writer_free(w);
    return NULL;
}

static int fail_write(tl_tar_writer *w, tl_error *err)
{
    if (w->failure.message) {
        tl_error_move(err, &w->failure);
        return -1;
    }
    const char *text = w->lib->error_string(w->archive);
    return tl_error_set(err, "io", "cannot write a tar archive: %s", text ? text : "unknown error");
}

int tl_tar_writer_entry(tl_tar_writer *writer, const tl_tar_entry *entry, tl_error *err)
{
    const library *lib = writer->lib;
    static const unsigned types[] = {AE_IFREG, AE_IFDIR, AE_IFLNK};
    if (writer->missing) return tl_error_set(err, "usage", "the entry before %s is not complete", entry->path);
    struct archive_entry *e = lib->entry_new();
    lib->set_path(e, entry->path);
    lib->set_type(e, types[entry->kind]);
    lib->set_mode(e, (__LA_MODE_T)entry->mode);
    lib->set_size(e, entry->kind == TL_TAR_FILE ? entry->size : 0);
    lib->set_mtime(e, (time_t)entry->mtime, 0);
    if (entry->kind == TL_TAR_SYMLINK) lib->set_target(e, entry->target);
    int status = lib->write_header(writer->archive, e);
    lib->entry_free(e);
    writer->missing = entry->kind == TL_TAR_FILE ? entry->size : 0;
    /* A warning says that a name is not UTF-8 in the C locale; its bytes are written as they are. */
    return status == ARCHIVE_OK || status == ARCHIVE_WARN ? 0 : fail_write(writer, err);
}

int tl_tar_writer_data(tl_tar_writer *writer, const void *bytes, size_t length, tl_error *err)
{
    if (!length) return 0;
    if ((int64_t)length > writer->missing) return tl_error_set(err, "usage", "the entry has more bytes than announced");
    if (writer->lib->write_data(writer->archive, bytes, length) != (la_ssize_t)length) return fail_write(writer, err);
    writer->missing -= (int64_t)length;
    return 0;
}

int tl_tar_writer_finish(tl_tar_writer *writer, tl_error *err)
{
    if (writer->missing) return tl_error_set(err, "usage", "the last entry is not complete");
    return writer->lib->write_close(writer->archive) == ARCHIVE_OK ? 0 : fail_write(writer, err);
}

void tl_tar_writer_free(tl_tar_writer *writer)
{
    if (!writer) return;
    writer->broken = 1; /* freeing an archive that was not finished would write its end */
    writer->lib->write_free(writer->archive);
    tl_error_dispose(&writer->failure);
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
