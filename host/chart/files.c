/* Where a chart's files come from: a folder under its .helmignore, or a packed chart. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "chart/chart.h"
#include "chart/decode.h"
#include "chart/helmignore.h"
#include "chart/parsing.h"
#include "chart/text.h"
#include "data/gzip.h"
#include "data/tar.h"

static void make_room(tl_arena *arena, tl_chart_files *files, size_t cap)
{
    files->items = tl_arena_grow(arena, files->items, files->cap * sizeof *files->items, cap * sizeof *files->items);
    files->cap = cap;
}

static void add(tl_arena *arena, tl_chart_files *files, tl_chart_file file)
{
    if (files->len == files->cap) make_room(arena, files, files->cap ? files->cap * 2 : 4);
    files->items[files->len++] = file;
}

void tl_chart_files_add(tl_arena *arena, tl_chart_files *files, const char *name, const char *data, size_t size)
{
    add(arena, files, (tl_chart_file){.name = name, .data = data, .size = size});
}

void tl_chart_files_share(tl_arena *arena, tl_chart_files *files, const char *name, const tl_chart_file *file)
{
    add(arena, files, (tl_chart_file){.name = name, .data = file->data, .size = file->size, .unread = file->unread,
                                         .parsed = file->parsed, .built = file->built});
}

const tl_chart_file *tl_chart_files_get(const tl_chart_files *files, const char *name)
{
    for (size_t i = 0; i < files->len; i++)
        if (!strcmp(files->items[i].name, name)) return &files->items[i];
    return NULL;
}

static void skip_mark(const char **data, size_t *size)
{
    if (*size < 3 || memcmp(*data, "\xEF\xBB\xBF", 3)) return;
    *data += 3;
    *size -= 3;
}

/* The folders of subcharts are read by whichever of two threads comes to them first, each into a list of its own. */
typedef struct walk {
    tl_arena *arena, *owners; /* of the thread that walks; of the chart */
    tl_chart_files *files;
    tl_chart_parsing *parsing; /* NULL: all is read where it is met */
    struct branch *first, *last;
    const tl_helmignore *rules;
    const char *root; /* with symbolic links resolved */
    _Atomic size_t *total;
    int depth;
} walk;

typedef struct branch {
    tl_ahead_item item;
    struct branch *next, *before;
    walk w;
    const char *name; /* relative to the root */
    size_t place;     /* in the list of the chart's files */
    tl_chart_files files;
    int result;
    tl_error err;
} branch;

/* Folders are walked by their descriptors: with names alone, each call would look up the whole path again. */
static int walk_folder(walk *w, int parent, const char *name, const char *relative, tl_error *err);

static const char *full_path(const walk *w, const char *relative)
{
    return *relative ? tl_arena_printf(w->arena, "%s/%s", w->root, relative) : w->root;
}

/* A file is the one that was found in the folder while these stay the same. */
struct tl_chart_unread {
    tl_arena *arena;
    const char *path, *relative;
    dev_t device;
    ino_t number;
    off_t size;
    const char *data; /* NULL: still unread */
    size_t length;
};

static int read_unread(tl_chart_unread *unread, int file, tl_error *err)
{
    struct stat st;
    const char *data;
    size_t length;
    if (fstat(file, &st)) return tl_text_errno(err, errno, "stat %s", unread->path);
    if (st.st_dev != unread->device || st.st_ino != unread->number || st.st_size != unread->size) {
        tl_error_set(err, "chart", "the chart's file %s has changed since the chart was loaded", unread->relative);
        tl_error_hint(err, "load the chart again");
        return -1;
    }
    const tl_decode_open open = {file, unread->relative, st.st_size};
    if (tl_decode_read_open(unread->arena, &open, &data, &length, err)) return -1;
    skip_mark(&data, &length);
    unread->data = data;
    unread->length = length;
    return 0;
}

int tl_chart_file_read(tl_chart_file *out, const tl_chart_file *file, tl_error *err)
{
    tl_chart_unread *unread = file->unread;
    *out = *file;
    if (!unread) return 0;
    if (!unread->data) {
        int fd = open(unread->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return tl_text_errno(err, errno, "error reading %s: open %s", unread->relative, unread->path);
        int result = read_unread(unread, fd, err);
        close(fd);
        if (result) return -1;
    }
    out->data = unread->data;
    out->size = unread->length;
    out->unread = NULL;
    return 0;
}

typedef enum use { LATER, AT_ONCE, TEMPLATE } use;

/* "charts/NAME" */
static int is_subchart(const char *relative)
{
    return !strncmp(relative, "charts/", 7) && !strchr(relative + 7, '/');
}

/* What loading a chart, or one of its subcharts, needs of a file's content. */
static use use_of(const char *relative)
{
    static const char *const names[] = {"Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock",
                                        "values.yaml", "values.schema.json", NULL};
    for (const char *below; !strncmp(relative, "charts/", 7); relative = below + 1)
        if (!(below = strchr(relative + 7, '/'))) return AT_ONCE;
    if (!strncmp(relative, "templates/", 10)) return TEMPLATE;
    for (size_t i = 0; names[i]; i++)
        if (!strcmp(relative, names[i])) return AT_ONCE;
    return LATER;
}

static int check_sizes(walk *w, const char *name, off_t file_size, tl_error *err)
{
    if (file_size > TL_CHART_MAX_FILE)
        return tl_error_set(err, "chart", "chart file %s is larger than the maximum file size %u",
                            tl_text_quote(w->arena, name, strlen(name)), TL_CHART_MAX_FILE);
    if (atomic_fetch_add(w->total, (size_t)file_size) + (size_t)file_size > TL_CHART_MAX_TOTAL)
        return tl_error_set(err, "chart", "the files of the chart are larger than %u bytes together",
                            TL_CHART_MAX_TOTAL);
    return 0;
}

/* The content of a regular file that is short, as most are, without asking for its size first; 0 where it is not. */
static int read_short(walk *w, int file, const char **data, size_t *size)
{
    char content[8192];
    ssize_t got = read(file, content, sizeof content);
    if (got < 0 || (size_t)got == sizeof content) return 0;
    *data = tl_arena_strndup(w->arena, content, (size_t)got);
    *size = (size_t)got;
    return 1;
}

static int add_file(walk *w, int folder, const char *name, const char *relative, tl_error *err)
{
    const char *data;
    size_t size;
    struct stat st;
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return tl_text_errno(err, errno, "error reading %s: open %s", relative, full_path(w, relative));
    use used = use_of(relative);
    int result;
    if (used != LATER && read_short(w, file, &data, &size)) {
        result = check_sizes(w, name, (off_t)size, err);
    } else {
        result = fstat(file, &st) ? tl_text_errno(err, errno, "stat %s", full_path(w, relative))
                                  : check_sizes(w, name, st.st_size, err);
        const tl_decode_open open = {file, relative, st.st_size};
        if (!result && used != LATER &&
            (lseek(file, 0, SEEK_SET) < 0 || tl_decode_read_open(w->arena, &open, &data, &size, err)))
            result = tl_error_wrap(err, "error reading %s: %s", relative, err && err->message ? err->message : "");
    }
    close(file);
    if (result) return -1;
    if (used == LATER) {
        tl_chart_unread *unread = tl_arena_alloc(w->arena, sizeof *unread);
        *unread = (tl_chart_unread){w->owners, full_path(w, relative), relative, st.st_dev, st.st_ino, st.st_size, NULL, 0};
        add(w->arena, w->files, (tl_chart_file){.name = relative, .unread = unread});
        return 0;
    }
    skip_mark(&data, &size);
    tl_chart_files_add(w->arena, w->files, relative, data, size);
    if (used == TEMPLATE && w->parsing) tl_chart_parsing_add(w->parsing, &w->files->items[w->files->len - 1]);
    return 0;
}

/* helm follows links wherever they lead; here a link must stay inside the chart, so that a stranger's chart cannot read
 * this machine's files. */
static int check_link(const walk *w, const char *relative, tl_error *err)
{
    char *target = realpath(full_path(w, relative), NULL);
    size_t length = strlen(w->root);
    if (!target) return tl_text_errno(err, errno, "error evaluating symlink %s", full_path(w, relative));
    int inside = !strncmp(target, w->root, length) && (target[length] == '/' || !target[length]);
    if (inside)
        tl_log(TL_LOG_WARN, "found symbolic link in path: %s resolves to %s. Contents of linked file included and used",
               full_path(w, relative), target);
    free(target);
    if (inside) return 0;
    tl_error_set(err, "chart", "the link %s leads out of the chart", relative);
    tl_error_hint(err, "copy the file into the chart, or name the link in .helmignore");
    return -1;
}

static unsigned char type_of(mode_t mode)
{
    return S_ISREG(mode) ? DT_REG : S_ISDIR(mode) ? DT_DIR : S_ISLNK(mode) ? DT_LNK : DT_UNKNOWN;
}

static void walk_branch(tl_ahead_item *item, tl_arena *arena)
{
    branch *b = (branch *)item;
    b->w.arena = arena;
    b->w.files = &b->files;
    b->result = walk_folder(&b->w, AT_FDCWD, full_path(&b->w, b->name), b->name, &b->err);
    if (!b->result && b->files.len) b->files.items->built = tl_chart_build_ahead(arena, &b->files, b->name);
}

static void add_branch(walk *w, const char *name)
{
    branch *b = tl_arena_alloc(w->arena, sizeof *b);
    *b = (branch){.item = {.work = walk_branch, .owners = w->arena, .others = w->parsing->read,
                           .size = TL_AHEAD_WORTH_WAKING},
                  .before = w->last, .w = *w, .name = name, .place = w->files->len};
    b->w.parsing = NULL;
    if (w->last)
        w->last->next = b;
    else
        w->first = b;
    w->last = b;
    w->parsing->folders++;
    tl_ahead_add(w->parsing->ahead, &b->item);
}

static void add_files(walk *w, const tl_chart_files *files, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) add(w->arena, w->files, files->items[i]);
}

/* Puts the files of the branches into their places; the first error by name is the one to tell. */
static int join_branches(walk *w, int result, tl_error *err)
{
    const tl_chart_files own = *w->files;
    size_t from = 0, total = own.len;
    int failed = 0;
    if (!w->first) return result;
    *w->files = (tl_chart_files){0};
    /* From the end, while the other thread works from the start: they meet once. */
    for (branch *b = w->last; b; b = b->before) {
        tl_ahead_finish(w->parsing->ahead, &b->item);
        total += b->files.len;
    }
    make_room(w->arena, w->files, total);
    for (branch *b = w->first; b; from = b->place, b = b->next) {
        add_files(w, &own, from, b->place);
        add_files(w, &b->files, 0, b->files.len);
        if (b->result && !failed) {
            failed = -1;
            if (err) tl_error_move(err, &b->err);
        }
        tl_error_dispose(&b->err);
    }
    add_files(w, &own, from, own.len);
    return failed ? failed : result;
}

/* `type` as the folder has it, which not every file system knows. */
static int walk_entry(walk *w, int folder, const char *name, unsigned char type, const char *relative, tl_error *err)
{
    struct stat st;
    if (type == DT_UNKNOWN) {
        if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
            return tl_text_errno(err, errno, "lstat %s", full_path(w, relative));
        type = type_of(st.st_mode);
    }
    if (type == DT_LNK) {
        int broken = fstatat(folder, name, &st, 0);
        if (tl_helmignore_match(w->rules, relative, !broken && S_ISDIR(st.st_mode))) return 0;
        if (check_link(w, relative, err)) return -1;
        type = broken ? DT_UNKNOWN : type_of(st.st_mode);
    }
    if (tl_helmignore_match(w->rules, relative, type == DT_DIR)) return 0;
    if (type == DT_DIR && w->parsing && is_subchart(relative)) {
        add_branch(w, relative);
        return 0;
    }
    if (type == DT_DIR) return walk_folder(w, folder, name, relative, err);
    if (type != DT_REG)
        return tl_error_set(err, "chart", "cannot load irregular file %s as it has file mode type bits set",
                            full_path(w, relative));
    return add_file(w, folder, name, relative, err);
}

static int walk_folder(walk *w, int parent, const char *name, const char *relative, tl_error *err)
{
    int result = 0, fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t count, length = strlen(relative);
    tl_folder_entry *entries;
    if (fd < 0) return tl_text_errno(err, errno, "open %s", full_path(w, relative));
    if (tl_folder_list(fd, w->arena, &entries, &count))
        result = tl_text_errno(err, errno, "open %s", full_path(w, relative));
    if (++w->depth > 100)
        result = tl_error_set(err, "chart", "the folders of the chart are nested too deeply at %s", relative);
    for (size_t i = 0; i < count && !result; i++) {
        size_t own = strlen(entries[i].name);
        char *below = tl_arena_alloc(w->arena, length + own + 2);
        memcpy(below, relative, length);
        if (length) below[length] = '/';
        memcpy(below + length + !!length, entries[i].name, own + 1);
        result = walk_entry(w, fd, entries[i].name, entries[i].type, below, err);
    }
    w->depth--;
    close(fd);
    return result;
}

int tl_chart_read_folder(tl_chart_files *out, tl_arena *arena, const char *path, tl_chart_parsing *parsing,
                         tl_error *err)
{
    const char *ignored = "";
    size_t size = 0;
    struct stat st;
    const char *ignore_path = tl_arena_printf(arena, "%s/.helmignore", path);
    if (!stat(ignore_path, &st) && tl_decode_read_file(arena, ignore_path, &ignored, &size, err)) return -1;
    _Atomic size_t total = 0;
    walk w = {.arena = arena, .owners = arena, .files = out, .parsing = parsing, .total = &total,
              .rules = tl_helmignore_parse(arena, ignored, size, err)};
    if (!w.rules) return -1;
    char *root = realpath(path, NULL);
    if (!root) return tl_text_errno(err, errno, "stat %s", path);
    w.root = tl_arena_strdup(arena, root);
    free(root);
    return join_branches(&w, walk_folder(&w, AT_FDCWD, w.root, "", err), err);
}

typedef struct unpacking {
    tl_arena *arena;
    tl_chart_files *files;
} unpacking;

static int on_entry(void *context, const tl_tar_entry *entry, const void *bytes, tl_error *err)
{
    unpacking *u = context;
    if (entry->kind == TL_TAR_DIR) return 0; /* links and devices are empty files, as for helm */
    char delimiter = strchr(entry->path, '\\') ? '\\' : '/'; /* packed on Windows */
    const char *slash = strchr(entry->path, delimiter);
    if (!strcmp(entry->path, "Chart.yaml")) return tl_error_set(err, "chart", "chart yaml not in base directory");
    if (!slash || !slash[1])
        return tl_error_set(err, "chart", "chart illegally contains content outside the base directory: %s",
                            tl_text_quote(u->arena, entry->path, strlen(entry->path)));
    char *name = tl_arena_strdup(u->arena, slash + 1);
    for (char *c = name; *c; c++)
        if (*c == delimiter) *c = '/';
    if (*name == '/') return tl_error_set(err, "chart", "chart illegally contains absolute paths");
    if (!strncmp(name, "..", 2)) return tl_error_set(err, "chart", "chart illegally references parent directory");
    if (strstr(name, "/../")) return tl_error_set(err, "chart", "chart illegally references parent directory");
    if (name[0] && name[1] == ':' && name[2] == '/')
        return tl_error_set(err, "chart", "chart contains illegally named files");
    if (tl_arena_over(u->arena))
        return tl_error_set(err, "limit", "the charts that are packed in the chart are too large together");
    const char *data = bytes ? tl_arena_strndup(u->arena, bytes, (size_t)entry->size) : "";
    size_t size = (size_t)entry->size;
    skip_mark(&data, &size);
    tl_chart_files_add(u->arena, u->files, name, data, size);
    return 0;
}

int tl_chart_unpack(tl_chart_files *out, tl_arena *arena, const void *bytes, size_t size, tl_error *err)
{
    unpacking u = {arena, out};
    tl_tar_limits limits = {.file_bytes = TL_CHART_MAX_FILE, .total_bytes = TL_CHART_MAX_TOTAL};
    if (tl_tar_read(bytes, size, &limits, on_entry, &u, err)) return -1;
    if (!out->len) return tl_error_set(err, "chart", "no files in chart archive");
    return 0;
}
