/* Slash-separated paths, as Go's path package. */
#include <string.h>

#include "template/internal.h"

TL_FUNCTION(fn_base)
{
    const char *path = args[0].as.s;
    size_t length = args[0].len;
    *out = tl_cstring_ref(length ? "/" : ".");
    while (length && path[length - 1] == '/') length--;
    if (!length) return 0;
    const char *slash = memrchr(path, '/', length);
    size_t from = slash ? (size_t)(slash - path) + 1 : 0;
    *out = tl_string_ref(path + from, length - from);
    return 0;
}

static tl_value clean(tl_exec *x, const char *path, size_t length)
{
    if (!length) return tl_cstring_ref(".");
    int rooted = path[0] == '/';
    char *made = tl_arena_alloc(x->arena, length + 2);
    size_t n = 0, up = 0, i = 0; /* up: where ".." stops to remove elements */
    if (rooted) made[n++] = '/';
    up = n;
    while (i < length) {
        size_t end = i;
        while (end < length && path[end] != '/') end++;
        size_t part = end - i;
        if (part == 2 && path[i] == '.' && path[i + 1] == '.') {
            if (n > up) {
                while (n > up && made[--n] != '/') continue;
            } else if (!rooted) {
                if (n) made[n++] = '/';
                made[n++] = '.';
                made[n++] = '.';
                up = n;
            }
        } else if (part && !(part == 1 && path[i] == '.')) {
            if (n > (size_t)rooted) made[n++] = '/';
            memcpy(made + n, path + i, part);
            n += part;
        }
        i = end + 1;
    }
    if (!n) made[n++] = '.';
    return tl_string_ref(made, n);
}

TL_FUNCTION(fn_clean)
{
    *out = clean(x, args[0].as.s, args[0].len);
    return 0;
}

TL_FUNCTION(fn_dir)
{
    const char *slash = args[0].len ? memrchr(args[0].as.s, '/', args[0].len) : NULL;
    *out = clean(x, args[0].as.s, slash ? (size_t)(slash - args[0].as.s) + 1 : 0);
    return 0;
}

TL_FUNCTION(fn_ext)
{
    const char *path = args[0].as.s;
    *out = tl_cstring_ref("");
    for (size_t i = args[0].len; i-- > 0 && path[i] != '/';) {
        if (path[i] != '.') continue;
        *out = tl_string_ref(path + i, args[0].len - i);
        break;
    }
    return 0;
}

TL_FUNCTION(fn_is_abs)
{
    *out = tl_bool(args[0].len && args[0].as.s[0] == '/');
    return 0;
}

const tl_function tl_functions_path[] = {
    {"base", "s", fn_base},     {"clean", "s", fn_clean},     {"dir", "s", fn_dir},       {"ext", "s", fn_ext},
    {"isAbs", "s", fn_is_abs},  {"osBase", "s", fn_base},     {"osClean", "s", fn_clean}, {"osDir", "s", fn_dir},
    {"osExt", "s", fn_ext},     {"osIsAbs", "s", fn_is_abs},  {NULL, NULL, NULL}};
