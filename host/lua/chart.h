#ifndef TL_LUA_CHART_H
#define TL_LUA_CHART_H

#include <lauxlib.h>

#include "chart/chart.h"
#include "chart/parsing.h"
#include "chart/render.h"
#include "chart/values.h"
#include "loop/loop.h"

#define TL_CHART_TYPE "todo.chart.Chart"
/* A stranger's chart must not take the machine's memory. */
#define TL_LUA_RENDER_MEMORY ((size_t)1 << 30)

/* A loaded chart as scripts hold it. */
typedef struct tl_chart_data {
    tl_arena *arena; /* freed with the userdata */
    tl_chart *chart;
    tl_chart_parsing *parsing;
    tl_loop *loop;
    tl_job ahead; /* works ahead on the worker thread */
} tl_chart_data;

#define TL_RENDER_TYPE "todo.chart.Render"

/* A finished render, which a release record is made of. */
typedef struct tl_render_data {
    tl_arena *arena; /* freed with the userdata */
    tl_rendered rendered;
    tl_template_output output;
} tl_render_data;

/* Pushes what scripts read of the render at `index`: a table whose fields are made when they are asked for, since most
 * commands need few of them. Returns 1. */
int tl_lua_push_rendered(lua_State *L, int index);
/* chart.template. */
int tl_lua_chart_template(lua_State *L);
/* Sets a field of the table on top of the stack; nothing where the text is NULL or "". */
void tl_lua_chart_push_text(lua_State *L, const char *field, const char *text);

/* Files and flags of the option table at `index`, copied into the arena; its field `values` is not read. */
void tl_lua_chart_values_options(lua_State *L, int index, tl_arena *arena, tl_values_options *out);
/* Values of the table on top of the stack, which is popped; `what` names it in the error. Raises. */
tl_map *tl_lua_chart_table(lua_State *L, tl_arena *arena, const char *what);

/* The user's values from the option table at `index`, which may be nil. Raises. */
tl_map *tl_lua_chart_values(lua_State *L, int index, tl_arena *arena);

/* What chart_files.c and chart_trace.c add to the module and to its charts. */
extern const luaL_Reg tl_chart_file_functions[], tl_chart_file_methods[];
extern const luaL_Reg tl_chart_trace_methods[];

#endif
