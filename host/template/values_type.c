/* The methods of chartutil.Values: AsMap, YAML, Table, PathValue. */
#include <string.h>

#include "data/yaml.h"
#include "template/internal.h"

#define METHOD(name) static int name(const tl_method_call *call, tl_value *out, TL_UNUSED tl_error *err)

METHOD(as_map)
{
    *out = tl_as_go(call->self->content, TL_GO_DEFAULT);
    return 0;
}

METHOD(yaml)
{
    tl_yaml_write_options options = {.plain = tl_plain_object, .context = call->arena};
    tl_buf text = TL_BUF_INIT(64u << 20);
    int status = tl_yaml_write(&text, call->self->content, &options, err);
    if (!status) *out = tl_string(call->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return status;
}

static int not_found(tl_error *err, const char *name, size_t length, const char *what)
{
    tl_buf quoted = TL_BUF_INIT(1 << 20);
    tl_go_quote(&quoted, name, length);
    tl_error_set(err, "template", "%s is not a %s", quoted.data, what);
    tl_buf_dispose(&quoted);
    return -1;
}

/* Walks "a.b.c" to the table of that name. */
static int find_table(tl_value table, const char *path, size_t length, tl_value *out, tl_error *err)
{
    for (;;) {
        const char *dot = memchr(path, '.', length);
        size_t part = dot ? (size_t)(dot - path) : length;
        const tl_value *next = tl_map_get(table.as.map, path, part);
        if (!next || next->type != TL_MAP) return not_found(err, path, part, "table");
        table = *next;
        if (!dot) break;
        path = dot + 1;
        length -= part + 1;
    }
    *out = tl_as_go(table, TL_GO_NAMED_MAP);
    return 0;
}

METHOD(table)
{
    return find_table(call->self->content, call->args[0].as.s, call->args[0].len, out, err);
}

METHOD(path_value)
{
    const char *path = call->args[0].as.s;
    size_t length = call->args[0].len;
    if (!length) return tl_error_set(err, "template", "YAML path cannot be empty");
    const char *dot = memrchr(path, '.', length), *key = dot ? dot + 1 : path;
    size_t key_length = length - (size_t)(key - path);
    tl_value holder = call->self->content;
    const tl_value *found = NULL;
    tl_error ignored = {0};
    if (!dot || !find_table(holder, path, (size_t)(dot - path), &holder, &ignored))
        found = tl_map_get(holder.as.map, key, key_length);
    tl_error_dispose(&ignored);
    if (!found || found->type == TL_MAP) return not_found(err, key, key_length, "value");
    *out = *found;
    return 0;
}

static const tl_method methods[] = {
    {"AsMap", "", as_map}, {"YAML", "", yaml}, {"Table", "s", table}, {"PathValue", "s", path_value}, {NULL, NULL, NULL}};

const tl_object_type tl_values_type = {"chartutil.Values", TL_KIND_MAP, methods, NULL, NULL, NULL};
