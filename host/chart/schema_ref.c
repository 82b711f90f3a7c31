/* References inside of a JSON schema. */
#include "chart/schema_ref.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The part of a document at a JSON pointer (percent signs of a URL decoded); NULL where there is none. */
static tl_value *at_pointer(tl_arena *arena, tl_value *root, const char *pointer)
{
    while (root && *pointer == '/') {
        char *token = tl_arena_strdup(arena, ++pointer), *out = token;
        size_t length = strcspn(token, "/");
        pointer += length;
        for (size_t i = 0; i < length; i++) {
            if (token[i] == '~' && i + 1 < length)
                *out++ = token[++i] == '1' ? '/' : '~';
            else if (token[i] == '%' && i + 2 < length)
                *out++ = (char)strtol((char[]){token[i + 1], token[i + 2], 0}, NULL, 16), i += 2;
            else
                *out++ = token[i];
        }
        *out = 0;
        if (root->type == TL_MAP) {
            root = tl_map_get(root->as.map, token, (size_t)(out - token));
        } else if (root->type == TL_LIST) {
            size_t index = strtoul(token, NULL, 10);
            root = index < root->as.list->len ? &root->as.list->items[index] : NULL;
        } else {
            root = NULL;
        }
    }
    return root;
}

/* The subschema that names itself: by $anchor, $dynamicAnchor, $id or (draft 4) id. */
static tl_value *find_named(tl_value *schema, const char *name, int depth)
{
    static const char *const names[] = {"$anchor", "$dynamicAnchor", "$id", "id"};
    tl_value *found = NULL;
    if (depth > 64) return NULL;
    if (schema->type == TL_LIST)
        for (size_t i = 0; i < schema->as.list->len && !found; i++)
            found = find_named(&schema->as.list->items[i], name, depth + 1);
    if (schema->type != TL_MAP) return found;
    for (int i = 0; i < 4; i++) {
        tl_value *own = tl_map_gets(schema->as.map, names[i]);
        if (!own || own->type != TL_STRING) continue;
        if (tl_value_is(*own, name)) return schema;
        if (own->len && *own->as.s == '#' && own->len - 1 == strlen(name) && !memcmp(own->as.s + 1, name, own->len - 1))
            return schema;
    }
    uint32_t cursor = 0;
    for (tl_entry *e; !found && (e = tl_map_next(schema->as.map, &cursor));) found = find_named(&e->value, name,
            depth + 1);
    return found;
}

/* The file that a reference to another document means: helm resolves it as if the schema lay in the root folder. NULL where
 * it is none. */
static const char *file_of(tl_arena *arena, const char *ref, size_t length)
{
    if (length > 7 && !memcmp(ref, "file://", 7)) return tl_arena_strndup(arena, ref + 7, length - 7);
    if (memchr(ref, ':', length) || strstr(ref, "..") || !length) return NULL;
    return tl_arena_printf(arena, "%s%.*s", *ref == '/' ? "" : "/", (int)length, ref);
}

tl_value *tl_schema_resolve(tl_arena *arena, tl_value *root, const char *ref, const char **broken)
{
    const char *hash = strchr(ref, '#');
    tl_value *base = root;
    size_t length = hash ? (size_t)(hash - ref) : strlen(ref);
    if (length) base = find_named(root, tl_arena_strndup(arena, ref, length), 0);
    if (base && hash && hash[1]) base = hash[1] == '/' ? at_pointer(arena, base, hash + 1) : find_named(base,
            hash + 1, 0);
    if (base || *broken) return base;
    const char *path = length ? file_of(arena, ref, length) : NULL;
    struct stat st;
    if (path && stat(path, &st) && errno == ENOENT)
        *broken = tl_arena_printf(arena, "failing loading \"file://%s\": open %s: no such file or directory", path, path);
    else if (length)
        *broken = tl_arena_printf(arena,
                                  "the schema refers to \"%s\", which is not in it; other files and addresses are not "
                                  "read here", ref);
    else
        *broken = tl_arena_printf(arena, "%s in \"file:///values.schema.json%s\" not found",
                                  hash[1] == '/' ? "json-pointer" : "anchor", ref);
    return NULL;
}
