/* Named secrets in a private file. */
#include "secret/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/json.h"

#define LARGEST (4u << 20)

typedef struct item {
    char *name, *text;
    size_t length;
} item;

struct tl_secret_store {
    char *path;
    item *items; /* sorted by name */
    size_t count;
};

static void drop_item(item *it)
{
    if (it->text) tl_cleanse(it->text, it->length);
    free(it->text);
    free(it->name);
}

void tl_secret_store_free(tl_secret_store *store)
{
    if (!store) return;
    for (size_t i = 0; i < store->count; i++) drop_item(&store->items[i]);
    free(store->items);
    free(store->path);
    free(store);
}

/* The position of the name, or where it belongs. */
static size_t find(const tl_secret_store *store, const char *name, int *there)
{
    size_t low = 0, high = store->count;
    *there = 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, store->items[middle].name);
        if (order == 0) {
            *there = 1;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void put(tl_secret_store *store, const char *name, const char *text, size_t length)
{
    int there;
    size_t at = find(store, name, &there);
    if (there) {
        item old = store->items[at];
        store->items[at].text = tl_strndup(text, length); /* before the old one goes: it may be the same */
        store->items[at].length = length;
        old.name = NULL;
        drop_item(&old);
        return;
    }
    store->items = tl_realloc(store->items, (store->count + 1) * sizeof *store->items);
    memmove(store->items + at + 1, store->items + at, (store->count - at) * sizeof *store->items);
    store->items[at] = (item){tl_strdup(name), tl_strndup(text, length), length};
    store->count++;
}

static void take_out(tl_secret_store *store, const char *name)
{
    int there;
    size_t at = find(store, name, &there);
    if (!there) return;
    drop_item(&store->items[at]);
    store->count--;
    memmove(store->items + at, store->items + at + 1, (store->count - at) * sizeof *store->items);
}

/* 1 where the file is there and private, 0 where there is none. */
static int check_private(const char *path, tl_error *err)
{
    struct stat st;
    if (stat(path, &st) < 0) return errno == ENOENT ? 0 : tl_error_errno(err, errno, "cannot read %s", path);
    if (!S_ISREG(st.st_mode)) return tl_error_set(err, "denied", "%s is not a regular file", path);
    if (st.st_uid != geteuid()) return tl_error_set(err, "denied", "%s belongs to another user", path);
    if (!(st.st_mode & 077)) return 1;
    tl_error_set(err, "denied", "%s holds secrets and may be read by others (mode %04o)", path,
                 (unsigned)st.st_mode & 07777);
    tl_error_hint(err, "chmod 600 %s", path);
    return -1;
}

static int parse(tl_secret_store *store, const tl_buf *text, tl_error *err)
{
    tl_arena *arena = tl_arena_new(0);
    const tl_json_options options = {.name = store->path};
    tl_value root;
    int status = tl_json_parse(arena, text->data, text->len, &options, &root, err);
    if (!status && root.type != TL_MAP) status = tl_error_set(err, "parse", "%s: an object expected", store->path);
    uint32_t cursor = 0;
    for (tl_entry *e; !status && (e = tl_map_next(root.as.map, &cursor));) {
        if (e->value.type != TL_STRING) {
            status = tl_error_set(err, "parse", "%s: %s is not a string", store->path, e->key);
        } else {
            put(store, e->key, e->value.as.s, e->value.len);
            tl_cleanse((char *)e->value.as.s, e->value.len);
        }
    }
    tl_arena_free(arena);
    return status;
}

int tl_secret_store_open(const char *path, tl_secret_store **out, tl_error *err)
{
    tl_buf text = TL_BUF_INIT(LARGEST);
    tl_secret_store *store = tl_calloc(1, sizeof *store);
    store->path = tl_strdup(path);
    int status = check_private(path, err);
    if (status == 1) status = tl_file_read(path, &text, err);
    if (status == 1) status = parse(store, &text, err);
    tl_cleanse(text.data, text.cap);
    tl_buf_dispose(&text);
    *out = status ? NULL : store;
    if (status) tl_secret_store_free(store);
    return status;
}

const char *tl_secret_store_get(const tl_secret_store *store, const char *name, size_t *length)
{
    int there;
    size_t at = find(store, name, &there);
    if (!there) return NULL;
    *length = store->items[at].length;
    return store->items[at].text;
}

int tl_secret_store_set(tl_secret_store *store, const char *name, const char *text, size_t length, tl_error *err)
{
    if (check_private(store->path, err) < 0) return -1;
    if (text && !tl_utf8_valid(text, length))
        return tl_error_set(err, "usage", "secret %s is not UTF-8 text: store it as base64", name);
    if (text)
        put(store, name, text, length);
    else
        take_out(store, name);
    tl_buf json = TL_BUF_INIT(LARGEST);
    tl_buf_adds(&json, "{");
    for (size_t i = 0; i < store->count; i++) {
        const item *it = &store->items[i];
        tl_buf_adds(&json, i ? ",\n  " : "\n  ");
        tl_json_write_string(&json, it->name, strlen(it->name), 0);
        tl_buf_adds(&json, ": ");
        tl_json_write_string(&json, it->text, it->length, 0);
    }
    tl_buf_adds(&json, store->count ? "\n}\n" : "}\n");
    int status = json.over ? tl_error_set(err, "limit", "%s would grow past %u bytes", store->path, LARGEST)
                           : tl_file_write(store->path, json.data, json.len, 0600, err);
    tl_cleanse(json.data, json.cap);
    tl_buf_dispose(&json);
    return status;
}

const char *tl_secret_store_name(const tl_secret_store *store, size_t position)
{
    return position < store->count ? store->items[position].name : NULL;
}
