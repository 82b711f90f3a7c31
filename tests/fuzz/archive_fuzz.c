/* A packed chart. The first byte: 0 the rest is the .tgz itself, else it is the tar inside one. */
#include "fuzz.h"

#include <string.h>

#include "chart/chart.h"
#include "data/gzip.h"

/* No name may lead out of the folder that it is unpacked into. */
static void check_names(const tl_chart_files *files)
{
    for (size_t i = 0; i < files->len; i++) {
        const char *name = files->items[i].name;
        if (*name == '/' || !strncmp(name, "../", 3) || strstr(name, "/../")) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    tl_arena *arena = tl_arena_new(64u << 20);
    tl_buf packed = TL_BUF_INIT(16u << 20);
    tl_chart_files files = {0};
    tl_chart *chart;
    tl_error err = {0};
    if (data[0])
        tl_gzip_compress(&packed, data + 1, size - 1, 1, &err);
    else
        tl_buf_add(&packed, data + 1, size - 1);
    if (!tl_chart_unpack(&files, arena, packed.data, packed.len, &err)) {
        check_names(&files);
        tl_chart_load_files(&chart, arena, &files, NULL, &err);
    }
    tl_error_dispose(&err);
    tl_buf_dispose(&packed);
    tl_arena_free(arena);
    return 0;
}
