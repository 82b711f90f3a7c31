/* Where a chart's files come from: a folder under its .helmignore, or a packed chart. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chart/chart.h"
#include "chart/decode.h"
#include "chart/helmignore.h"
#include "chart/text.h"
#include "data/gzip.h"
#include "data/tar.h"

void tl_chart_files_add(tl_arena *arena, tl_chart_files *files, const char *name, const char *data, size_t size)
{
    if (files->len == files->cap) {
        size_t cap = files->cap ? files->cap * 2 : 16;
        files->items = tl_arena_grow(arena, files->items, files->cap * sizeof *files->items,
                                     cap * sizeof *files->items);
        files->cap = cap;
    }
    files->items[files->len++] = (tl_chart_file){name, data, size};
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

typedef struct walk {
    tl_arena *arena;
    tl_chart_files *files;
    const tl_helmignore *rules;
    const char *root; /* with symbolic links resolved */
    size_t total;
    int depth;
} walk;

static int walk_folder(walk *w, const char *path, const char *relative, tl_error *err);

static int add_file(walk *w, const char *path, const char *relative, off_t file_size, tl_error *err)
{
    const char *data, *base = strrchr(relative, '/');
    size_t size;
    if (file_size > TL_CHART_MAX_FILE)
        return tl_error_set(err, "chart", "chart file %s is larger than the maximum file size %u",
                            tl_text_quote(w->arena, base ? base + 1 : relative, strlen(base ? base + 1 : relative)),
                            TL_CHART_MAX_FILE);
    if (tl_decode_read_file(w->arena, path, &data, &size, err))
        return tl_error_wrap(err, "error reading %s: %s", relative, err && err->message ? err->message : "");
    w->total += size;
    if (w->total > TL_CHART_MAX_TOTAL)
        return tl_error_set(err, "chart", "the files of the chart are larger than %u bytes together",
                            TL_CHART_MAX_TOTAL);
    skip_mark(&data, &size);
    tl_chart_files_add(w->arena, w->files, relative, data, size);
    return 0;
}

/* helm follows links wherever they lead; here a link must stay inside the chart, so that a stranger's chart cannot read
 * this machine's files. */
static int check_link(const walk *w, const char *path, const char *relative, tl_error *err)
{
    char *target = realpath(path, NULL);
    size_t length = strlen(w->root);
    if (!target) return tl_error_errno(err, errno, "error evaluating symlink %s", path);
    int inside = !strncmp(target, w->root, length) && (target[length] == '/' || !target[length]);
    free(target);
    if (inside) return 0;
    tl_error_set(err, "chart", "the link %s leads out of the chart", relative);
    tl_error_hint(err, "copy the file into the chart, or name the link in .helmignore");
    return -1;
}

static int walk_entry(walk *w, const char *path, const char *relative, tl_error *err)
{
    struct stat st;
    if (lstat(path, &st)) return tl_error_errno(err, errno, "lstat %s", path);
    if (S_ISLNK(st.st_mode)) {
        struct stat target;
        int is_dir = !stat(path, &target) && S_ISDIR(target.st_mode);
        if (tl_helmignore_match(w->rules, relative, is_dir)) return 0;
        if (check_link(w, path, relative, err)) return -1;
        if (stat(path, &st)) return tl_error_errno(err, errno, "stat %s", path);
    }
    if (tl_helmignore_match(w->rules, relative, S_ISDIR(st.st_mode))) return 0;
    if (S_ISDIR(st.st_mode)) return walk_folder(w, path, relative, err);
    if (!S_ISREG(st.st_mode))
        return tl_error_set(err, "chart", "cannot load irregular file %s as it has file mode type bits set", path);
    return add_file(w, path, relative, st.st_size, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_folder(walk *w, const char *path, const char *relative, tl_error *err)
{
    struct dirent **names;
    int count, result = -1;
    if (w->depth > 100)
        return tl_error_set(err, "chart", "the folders of the chart are nested too deeply at %s", relative);
    count = scandir(path, &names, NULL, by_name);
    if (count < 0) return tl_error_errno(err, errno, "open %s", path);
    w->depth++;
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        const char *below = tl_arena_printf(w->arena, "%s%s%s", relative, *relative ? "/" : "", name);
        if (walk_entry(w, tl_arena_printf(w->arena, "%s/%s", path, name), below, err)) goto out;
    }
    result = 0;
out:
    w->depth--;
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
    return result;
}

int tl_chart_read_folder(tl_chart_files *out, tl_arena *arena, const char *path, tl_error *err)
{
    const char *ignored = "";
    size_t size = 0;
    struct stat st;
    const char *ignore_path = tl_arena_printf(arena, "%s/.helmignore", path);
    if (!stat(ignore_path, &st) && tl_decode_read_file(arena, ignore_path, &ignored, &size, err)) return -1;
    walk w = {.arena = arena, .files = out, .rules = tl_helmignore_parse(arena, ignored, size, err)};
    if (!w.rules) return -1;
    char *root = realpath(path, NULL);
    if (!root) return tl_error_errno(err, errno, "stat %s", path);
    w.root = tl_arena_strdup(arena, root);
    free(root);
    return walk_folder(&w, w.root, "", err);
}

typedef struct unpacking {
    tl_arena *arena;
    tl_chart_files *files;
} unpacking;

static int on_entry(void *context, const tl_tar_entry *entry, const void *bytes, tl_error *err)
{
    unpacking *u = context;
    if (entry->kind != TL_TAR_FILE) return 0;
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
