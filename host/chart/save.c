/* A chart packed as .tgz (helm.sh/helm/v3/pkg/chartutil/save.go). */
#include "chart/save.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "data/gzip.h"
#include "data/json.h"
#include "data/tar.h"
#include "data/yaml.h"
#include "template/template.h"

/* No time of packing: the year in which zip archives begin, since some programs mistrust 1970. */
#define PACKED_AT 315532800
/* An archive holds at most what helm loads, and is no larger than that uncompressed. */
#define MAX_ARCHIVE ((size_t)TL_CHART_MAX_TOTAL * 2)

#define GZIP_LEVEL 6 /* what helm compresses with, too */

static int on_bytes(void *context, const void *bytes, size_t length, tl_error *err)
{
    tl_buf *out = context;
    tl_buf_add(out, bytes, length);
    return out->over ? tl_error_set(err, "limit", "the chart is larger than %zu bytes", MAX_ARCHIVE) : 0;
}

static int write_file(tl_tar_writer *tar, tl_arena *arena, const char *base, const tl_chart_file *file, tl_error *err)
{
    tl_chart_file read;
    if (tl_chart_file_read(&read, file, err)) return -1;
    tl_tar_entry entry = {.path = tl_arena_printf(arena, "%s/%s", base, read.name), .kind = TL_TAR_FILE,
                          .mode = 0644, .size = (int64_t)read.size, .mtime = PACKED_AT};
    if (tl_tar_writer_entry(tar, &entry, err)) return -1;
    return tl_tar_writer_data(tar, read.data, read.size, err);
}

static int write_yaml(tl_tar_writer *tar, tl_arena *arena, const char *base, const char *name, tl_map *map,
                      tl_error *err)
{
    tl_buf text = TL_BUF_INIT(TL_CHART_MAX_FILE);
    int result = tl_yaml_write(&text, tl_map_value(map), NULL, err);
    tl_chart_file file = {.name = name, .data = text.data, .size = text.len};
    if (!result) result = write_file(tar, arena, base, &file, err);
    tl_buf_dispose(&text);
    return result;
}

static int write_chart_yaml(tl_tar_writer *tar, tl_arena *arena, const char *base, const tl_chart *chart,
                            tl_error *err)
{
    tl_chart shown = *chart;
    int is_v1 = !strcmp(chart->api_version, "v1");
    if (is_v1) shown.dep_count = 0; /* they stay in requirements.yaml */
    if (write_yaml(tar, arena, base, "Chart.yaml", tl_chart_metadata_json(&shown, arena), err)) return -1;
    tl_map *lock = is_v1 ? NULL : tl_chart_lock_json(chart, arena);
    return lock ? write_yaml(tar, arena, base, "Chart.lock", lock, err) : 0;
}

static int write_schema(tl_tar_writer *tar, tl_arena *arena, const char *base, const tl_chart *chart, tl_error *err)
{
    tl_value ignored;
    tl_error why = {0};
    tl_chart_file file = {.name = "values.schema.json", .data = chart->schema, .size = chart->schema_size};
    if (!chart->schema) return 0;
    int result = tl_json_parse(arena, chart->schema, chart->schema_size, NULL, &ignored, &why);
    tl_error_dispose(&why);
    if (result < 0) return tl_error_set(err, "chart", "Invalid JSON in %s", file.name);
    return write_file(tar, arena, base, &file, err);
}

static int write_files(tl_tar_writer *tar, tl_arena *arena, const char *base, const tl_chart_files *files,
                       tl_error *err)
{
    for (size_t i = 0; i < files->len; i++)
        if (write_file(tar, arena, base, &files->items[i], err)) return -1;
    return 0;
}

static int write_chart(tl_tar_writer *tar, tl_arena *arena, const char *prefix, const tl_chart *chart, tl_error *err)
{
    const char *base = tl_arena_printf(arena, "%s%s", prefix, chart->name);
    const tl_chart_file *values = tl_chart_files_get(&chart->raw, "values.yaml");
    if (write_chart_yaml(tar, arena, base, chart, err)) return -1;
    if (values && write_file(tar, arena, base, values, err)) return -1;
    if (write_schema(tar, arena, base, chart, err) || write_files(tar, arena, base, &chart->templates, err) ||
        write_files(tar, arena, base, &chart->files, err))
        return -1;
    for (size_t i = 0; i < chart->chart_count; i++)
        if (write_chart(tar, arena, tl_arena_printf(arena, "%s/charts/", base), chart->charts[i], err)) return -1;
    return 0;
}

static int pack(tl_buf *out, tl_arena *arena, const tl_chart *chart, tl_error *err)
{
    tl_buf archive = TL_BUF_INIT(MAX_ARCHIVE);
    tl_tar_writer *tar = tl_tar_writer_new(on_bytes, &archive);
    int result = write_chart(tar, arena, "", chart, err);
    if (!result) result = tl_tar_writer_finish(tar, err);
    if (!result) result = tl_gzip_compress(out, archive.data, archive.len, GZIP_LEVEL, err);
    tl_tar_writer_free(tar);
    tl_buf_dispose(&archive);
    return result;
}

static void override(tl_chart *chart, tl_arena *arena, const char *field, const char *text)
{
    if (!text) return;
    chart->metadata = tl_value_copy(arena, tl_map_value(chart->metadata)).as.map;
    tl_map_sets(chart->metadata, field, tl_cstring(arena, text));
}

int tl_chart_save(const char **path, tl_arena *arena, const tl_chart *chart, const char *folder,
                  const tl_chart_save_options *options, tl_error *err)
{
    tl_chart *copy = tl_chart_clone(chart, arena);
    tl_buf packed = TL_BUF_INIT(MAX_ARCHIVE);
    int result = -1;
    if (options && options->version && tl_semver_compare(options->version, options->version) == -2)
        return tl_error_set(err, "chart", "invalid semantic version");
    if (options) {
        override(copy, arena, "version", options->version);
        override(copy, arena, "appVersion", options->app_version);
    }
    if (tl_chart_validate(copy, arena, err))
        return tl_error_wrap(err, "failed to save: chart validation: %s", err && err->message ? err->message : "");
    *path = tl_arena_printf(arena, "%s/%s-%s.tgz", folder, copy->name, copy->version);
    if (pack(&packed, arena, copy, err) || tl_file_mkdirs(folder, 0755, err)) goto out;
    result = tl_file_write(*path, packed.data, packed.len, 0644, err);
out:
    tl_buf_dispose(&packed);
    return result ? tl_error_wrap(err, "failed to save: %s", err && err->message ? err->message : "") : 0;
}
