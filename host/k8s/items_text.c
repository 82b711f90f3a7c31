/* Prints the items of a list. */
#include "k8s/items_text.h"

#include "data/json.h"
#include "k8s/object.h"

#define PAGE_TREE ((size_t)1 << 30)

static void complete(tl_arena *arena, tl_map *item, const tl_items_text *options)
{
    if (!tl_map_gets(item, "apiVersion")) tl_map_sets(item, "apiVersion", tl_cstring(arena, options->api_version));
    if (!tl_map_gets(item, "kind")) tl_map_sets(item, "kind", tl_cstring(arena, options->kind));
}

int tl_k8s_items_text(const char *text, size_t length, const tl_items_text *options, tl_buf *out,
                      tl_items_page *page, tl_error *err)
{
    static const tl_json_options reading = {.borrow = 1, .name = "the server's answer"};
    static const tl_json_write_options writing = {.indent = "    ", .sort = 1, .html = 1, .depth = 2};
    tl_arena *arena = tl_arena_new(PAGE_TREE);
    tl_value root = tl_null();
    *page = (tl_items_page){0};
    int rc = tl_json_parse(arena, text, length, &reading, &root, err);
    const tl_value *items = rc ? NULL : tl_value_path(&root, "items", NULL);
    size_t total = items && items->type == TL_LIST ? items->as.list->len : 0;
    for (size_t i = 0; !rc && i < total; i++) {
        tl_value item = items->as.list->items[i];
        if (item.type == TL_MAP) complete(arena, item.as.map, options);
        if (!options->managed_fields) tl_k8s_object_drop_managed_fields(&item);
        if (i) tl_buf_adds(out, ",\n        ");
        rc = tl_json_write(out, item, &writing, err);
    }
    const char *more = rc ? "" : tl_value_text(arena, tl_value_path(&root, "metadata", "continue", NULL), "");
    page->count = total;
    if (*more) page->more = tl_strdup(more);
    tl_arena_free(arena);
    return rc;
}
