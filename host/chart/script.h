#ifndef TL_CHART_SCRIPT_H
#define TL_CHART_SCRIPT_H

#include "chart/chart.h"
#include "chart/manifest.h"
#include "template/template.h"

/* Lua in charts. A chart that asks for it (annotation TL_SCRIPT_ANNOTATION: "1") may have lua/functions.lua, functions
 * for its templates, and lua/objects.lua, which changes the objects that they gave. This layer knows no Lua: what runs
 * it is handed in. */

#define TL_SCRIPT_ANNOTATION "todo-lua.dev/lua"

/* What one chart's lua/ folder gives; made by tl_script_runner.open. */
typedef struct tl_script {
    const char *const *functions; /* names, NULL-ended */
    int has_objects;
} tl_script;

/* Runs the Lua of charts. Whatever a script does, its calls return: memory and time are bounded. */
typedef struct tl_script_runner {
    /* Reads the files below lua/ of the chart. `path` is the chart's for messages ("a/charts/b"). Free with close. */
    int (*open)(tl_script **out, const tl_chart_files *files, const char *path, tl_error *err);
    int (*call)(tl_script *script, const char *function, const tl_value *args, size_t count, tl_arena *arena,
                tl_value *out, tl_error *err);
    /* args: the list of objects, values, release. *out is a list; from[i] is the place of its i-th item among the
     * objects that were given, or -1 where it is new. */
    int (*objects)(tl_script *script, const tl_value args[3], tl_arena *arena, tl_value *out, long **from, tl_error *err);
    void (*close)(tl_script *script);
} tl_script_runner;

/* The opened scripts of a tree of charts, those of subcharts before their parents'. */
typedef struct tl_scripts tl_scripts;

/* Opens those of the charts that ask for it; *out is NULL where none does. */
int tl_scripts_open(tl_scripts **out, tl_arena *arena, const tl_script_runner *runner, const tl_chart *chart,
                    tl_error *err);
/* What the chart's templates may call; NULL where it adds nothing. `scripts` may be NULL. */
const tl_template_function *tl_scripts_functions(const tl_scripts *scripts, const tl_chart *chart);
/* Lets every chart change its objects: those of its own templates and of its subcharts'. `values` are those of the root
 * chart; both lists are sorted anew. */
int tl_scripts_change(const tl_scripts *scripts, tl_manifests *manifests, tl_manifests *hooks, const tl_map *values,
                      tl_value release, tl_error *err);
/* NULL is allowed. */
void tl_scripts_close(tl_scripts *scripts);

#endif
