/* Module chart: Helm's chart engine. */
#include <stdlib.h>
#include <string.h>

#include "chart/lint.h"
#include "chart/patch.h"
#include "chart/release.h"
#include "chart/render.h"
#include "chart/values.h"
#include "loop/loop.h"
#include "lua/await.h"
#include "lua/buffer.h"
#include "lua/chart.h"
#include "lua/chart_questions.h"
#include "lua/chart_script.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/preempt.h"

#define JOB_TYPE "todo.chart.Job"
#define MAX_ROUNDS 16
/* Bytes of templates that take longer to parse than a thread takes to start. */
#define WORK_AHEAD ((size_t)64 << 10)
/* A stranger's chart must not take the machine's memory. */
#define CHART_MEMORY ((size_t)512 << 20)

/* A render that may ask what only a script can find out: it runs again until no question is open. */
typedef struct job {
    tl_arena *arena;
    tl_render_options options;
    tl_template_output output;
    tl_map *user;
    tl_chart_questions questions;
    int rounds;
} job;

static int l_arena_owner_gc(lua_State *L)
{
    tl_arena **arena = lua_touserdata(L, 1); /* the first member of all types here */
    if (*arena) tl_arena_free(*arena);
    *arena = NULL;
    return 0;
}

static int l_chart_gc(lua_State *L)
{
    tl_chart_data *c = lua_touserdata(L, 1);
    tl_chart_parsing_free(c->parsing);
    c->parsing = NULL;
    return l_arena_owner_gc(L);
}

static void *push_owner(lua_State *L, size_t size, const char *type, size_t memory)
{
    void *owner = lua_newuserdatauv(L, size, 1);
    memset(owner, 0, size);
    tl_new_type(L, type, NULL, l_arena_owner_gc);
    luaL_setmetatable(L, type);
    *(tl_arena **)owner = tl_arena_new(memory);
    return owner;
}

/* ---- options ---- */

/* A list of strings in field `name` of the options; its items are copied into the arena. */
static const char *const *read_list(lua_State *L, int index, const char *name, tl_arena *arena, size_t *count)
{
    *count = 0;
    if (lua_type(L, index) != LUA_TTABLE) return NULL;
    if (lua_getfield(L, index, name) == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    if (lua_type(L, -1) != LUA_TTABLE) tl_raisef(L, "usage", "option '%s' must be a list of strings", name);
    size_t length = (size_t)lua_rawlen(L, -1);
    const char **items = tl_arena_alloc(arena, (length + 1) * sizeof *items);
    for (size_t i = 0; i < length; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1);
        const char *text = lua_tostring(L, -1);
        if (!text) tl_raisef(L, "usage", "option '%s' must be a list of strings", name);
        items[i] = tl_arena_strdup(arena, text);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    *count = length;
    return items;
}

static const char *copy_option(lua_State *L, int index, const char *name, tl_arena *arena)
{
    const char *text = tl_opt_string(L, index, name, NULL);
    return text ? tl_arena_strdup(arena, text) : NULL;
}

tl_map *tl_lua_chart_table(lua_State *L, tl_arena *arena, const char *what)
{
    tl_error err = {0};
    tl_value values = tl_null();
    if (lua_type(L, -1) != LUA_TTABLE) tl_raisef(L, "usage", "%s must be a table", what);
    if (tl_to_value(L, lua_gettop(L), arena, TL_SECRETS_REVEAL, &values, &err)) tl_raise(L, &err);
    if (values.type != TL_MAP) tl_raisef(L, "usage", "%s must be a table of names, not a list", what);
    lua_pop(L, 1);
    return values.as.map;
}

void tl_lua_chart_values_options(lua_State *L, int index, tl_arena *arena, tl_values_options *out)
{
    static const char *const flags[] = {"set", "set_string", "set_json", "set_file", "set_literal"};
    *out = (tl_values_options){0};
    out->files = read_list(L, index, "values_files", arena, &out->file_count);
    for (int i = 0; i < 5; i++) out->set[i] = read_list(L, index, flags[i], arena, &out->set_count[i]);
}

tl_map *tl_lua_chart_values(lua_State *L, int index, tl_arena *arena)
{
    tl_values_options options;
    tl_error err = {0};
    tl_map *user = NULL;
    tl_lua_chart_values_options(L, index, arena, &options);
    if (lua_type(L, index) == LUA_TTABLE && lua_getfield(L, index, "values") != LUA_TNIL)
        options.values = tl_lua_chart_table(L, arena, "option 'values'");
    if (tl_values_options_merge(&user, arena, &options, &err)) tl_raise(L, &err);
    return user;
}

/* A render does not wait, so the loop hears of a signal only when it has ended. */
static int on_stop(void *context)
{
    (void)context;
    return tl_signals_pending();
}

static void read_render_options(lua_State *L, int index, job *j)
{
    tl_render_options *o = &j->options;
    o->outside.stop = on_stop;
    o->runner = &tl_chart_script_runner;
    o->release = copy_option(L, index, "release", j->arena);
    o->namespace_ = copy_option(L, index, "namespace", j->arena);
    o->revision = (int)tl_opt_number(L, index, "revision", 0);
    o->is_upgrade = tl_opt_bool(L, index, "is_upgrade", 0);
    o->kube_version = copy_option(L, index, "kube_version", j->arena);
    if (o->kube_version && !*o->kube_version) o->kube_version = NULL;
    o->api_versions = read_list(L, index, "api_versions", j->arena, &o->api_count);
    o->live = tl_opt_bool(L, index, "live", 0);
    o->include_crds = tl_opt_bool(L, index, "include_crds", 0);
    o->sub_notes = tl_opt_bool(L, index, "sub_notes", 0);
    o->skip_schema = tl_opt_bool(L, index, "skip_schema", 0);
    if (lua_type(L, index) == LUA_TTABLE && lua_getfield(L, index, "defaults") != LUA_TNIL)
        o->defaults = tl_lua_chart_table(L, j->arena, "option 'defaults'");
    j->output.no_hooks = tl_opt_bool(L, index, "no_hooks", 0);
    j->output.skip_tests = tl_opt_bool(L, index, "skip_tests", 0);
    j->output.show_only = read_list(L, index, "show_only", j->arena, &j->output.show_count);
}

/* ---- charts ---- */

static tl_chart_data *check_chart(lua_State *L, int index)
{
    return luaL_checkudata(L, index, TL_CHART_TYPE);
}

static void read_memory_files(lua_State *L, int index, tl_arena *arena, tl_chart_files *files)
{
    if (lua_getfield(L, index, "files") != LUA_TTABLE) luaL_argerror(L, index, "a path or {files = {…}} expected");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        size_t size;
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, index, "names of files must be strings");
        const char *data = lua_tolstring(L, -1, &size);
        luaL_argcheck(L, data, index, "contents of files must be strings");
        tl_chart_files_add(arena, files, tl_arena_strdup(arena, lua_tostring(L, -2)), tl_arena_strndup(arena, data,
                size),
                           size);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int by_file_name(const void *a, const void *b)
{
    return strcmp(((const tl_chart_file *)a)->name, ((const tl_chart_file *)b)->name);
}

static void push_text(lua_State *L, const char *text)
{
    lua_pushstring(L, text && *text ? text : NULL);
}

static void push_map(lua_State *L, tl_map *map)
{
    if (map)
        tl_push_value(L, tl_map_value(map));
    else
        lua_pushnil(L);
}

/* Pushes a field that scripts read of a chart; nil where there is none of that name. Values can be large, so that no field
 * is made before somebody reads it. */
static void push_chart_field(lua_State *L, const tl_chart_data *c, const char *name)
{
    const tl_chart *chart = c->chart;
    if (!strcmp(name, "name"))
        push_text(L, chart->name);
    else if (!strcmp(name, "version"))
        push_text(L, chart->version);
    else if (!strcmp(name, "app_version"))
        push_text(L, chart->app_version);
    else if (!strcmp(name, "dir"))
        push_text(L, chart->dir);
    else if (!strcmp(name, "metadata"))
        push_map(L, tl_chart_metadata_json(chart, c->arena));
    else if (!strcmp(name, "values"))
        push_map(L, chart->values ? chart->values : tl_map_new(c->arena, 0));
    else if (!strcmp(name, "lock"))
        push_map(L, tl_chart_lock_json(chart, c->arena));
    else
        lua_pushnil(L);
}

static void work_ahead(tl_job *job)
{
    tl_ahead_work(((tl_chart_data *)job->data)->parsing->ahead);
}

static void worked_ahead(tl_job *job)
{
    (void)job;
}

/* Subcharts are read and templates of a large chart parsed by the worker thread while this one reads files and merges
 * values. */
static int call_worker(void *context)
{
    tl_chart_data *c = context;
    tl_error ignored = {0};
    if (!c->parsing->folders && c->parsing->size < WORK_AHEAD) return 0;
    tl_job_stop(&c->ahead); /* has ended, but the loop does not know yet */
    c->ahead = (tl_job){.work = work_ahead, .on_done = worked_ahead, .data = c};
    int failed = tl_job_start(c->loop, &c->ahead, &ignored);
    tl_error_dispose(&ignored);
    return !failed;
}

static void dismiss_worker(void *context)
{
    tl_job_stop(&((tl_chart_data *)context)->ahead);
}

static int l_load(lua_State *L)
{
    tl_error err = {0};
    int is_path = lua_type(L, 1) == LUA_TSTRING, result;
    if (!is_path) luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    tl_chart_data *c = push_owner(L, sizeof *c, TL_CHART_TYPE, CHART_MEMORY);
    const tl_ahead_help help = {call_worker, dismiss_worker, c};
    c->loop = tl_lua_loop(L);
    c->parsing = tl_chart_parsing_new(&help);
    tl_ahead_open(c->parsing->ahead);
    if (is_path) {
        result = tl_chart_load(&c->chart, c->arena, lua_tostring(L, 1), c->parsing, &err);
    } else {
        tl_chart_files files = {0};
        read_memory_files(L, 1, c->arena, &files);
        if (files.len) qsort(files.items, files.len, sizeof *files.items, by_file_name);
        result = tl_chart_load_files(&c->chart, c->arena, &files, c->parsing, &err);
    }
    tl_ahead_close(c->parsing->ahead);
    if (result) return tl_raise(L, &err);
    lua_newtable(L); /* the fields that somebody read */
    lua_setiuservalue(L, 2, 1);
    return 1;
}

/* Methods (the upvalue) and fields. */
static int l_chart_index(lua_State *L)
{
    tl_chart_data *c = check_chart(L, 1);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING) return 1;
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
    push_chart_field(L, c, lua_tostring(L, 2));
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 4);
    return 1;
}

static int l_chart_tostring(lua_State *L)
{
    tl_chart_data *c = check_chart(L, 1);
    lua_pushfstring(L, "chart %s %s", c->chart->name, c->chart->version);
    return 1;
}

static int l_merge(lua_State *L)
{
    tl_chart_data *c = check_chart(L, 1);
    tl_error err = {0};
    lua_settop(L, 2);
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    tl_map *user = tl_lua_chart_values(L, 2, arena);
    tl_chart *chart = tl_chart_clone(c->chart, arena);
    tl_map *values = NULL;
    if (!tl_values_process_dependencies(arena, chart, user, &err)) values = tl_values_coalesce(arena, chart, user,
            &err);
    if (!values) return tl_raise(L, &err);
    tl_push_value(L, tl_map_value(values));
    return 1;
}

/* ---- rendering ---- */

static int k_answer(lua_State *L, int status, lua_KContext context);
static int k_round(lua_State *L, int status, lua_KContext context);

/* Calls the script's function for the next open question. */
static int ask_next(lua_State *L, job *j)
{
    int count = tl_chart_question_push(L, &j->questions, 2);
    lua_callk(L, count, 1, 0, k_answer);
    return k_answer(L, LUA_OK, 0);
}

/* What was rendered goes into the error where it is no YAML, in the form in which helm shows it; nothing where templates
   failed before. */
static int raise_render(lua_State *L, const tl_rendered *rendered, tl_error *err)
{
    if (!rendered->begun) return tl_raise(L, err);
    int is_text = !strcmp(err->kind, "parse");
    tl_push_error(L, err);
    tl_buf *text = tl_push_buf(L, SIZE_MAX);
    if (is_text) tl_rendered_text(text, rendered);
    lua_pushlstring(L, text->data, text->len);
    tl_buf_dispose(text);
    lua_setfield(L, -3, "rendered");
    lua_pop(L, 1);
    return lua_error(L);
}

/* Stack: chart, options, job. */
static int run_round(lua_State *L, job *j)
{
    tl_chart_data *c = lua_touserdata(L, 1);
    tl_error err = {0};
    lua_settop(L, 3);
    tl_render_data *r = push_owner(L, sizeof *r, TL_RENDER_TYPE, TL_LUA_RENDER_MEMORY);
    lua_pushvalue(L, 3); /* the result refers to the user's values, which lie in the job's memory */
    lua_setiuservalue(L, 4, 1);
    size_t asked = j->questions.count;
    j->options.parsing = c->parsing;
    int result = tl_chart_render(&r->rendered, r->arena, c->chart, j->user, &j->options, &err);
    if (j->questions.count > asked) {
        tl_error_dispose(&err); /* what failed may have failed for want of the answers */
        if (++j->rounds > MAX_ROUNDS)
            return tl_raisef(L, "limit", "the chart still asks new questions after %d rounds of answers",
                             MAX_ROUNDS);
        return ask_next(L, j);
    }
    if (result && !strcmp(err.kind, "cancelled") && lua_isyieldable(L)) {
        tl_error_dispose(&err);
        return tl_preempt_yield(L, 0, k_round);
    }
    if (result) return raise_render(L, &r->rendered, &err);
    r->output = j->output;
    return tl_lua_push_rendered(L, 4);
}

/* After a signal that did not end the task. */
static int k_round(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return run_round(L, lua_touserdata(L, 3));
}

static int k_answer(lua_State *L, int status, lua_KContext context)
{
    job *j = lua_touserdata(L, 3);
    (void)status;
    (void)context;
    tl_chart_question_answer(L, &j->questions);
    lua_settop(L, 3);
    return tl_chart_questions_open(&j->questions) ? ask_next(L, j) : run_round(L, j);
}

static int l_render(lua_State *L)
{
    tl_chart_data *c = check_chart(L, 1);
    tl_error err = {0};
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    job *j = push_owner(L, sizeof *j, JOB_TYPE, TL_LUA_RENDER_MEMORY);
    lua_pushvalue(L, 1); /* and to the chart */
    lua_setiuservalue(L, 3, 1);
    read_render_options(L, 2, j);
    j->user = tl_lua_chart_values(L, 2, j->arena);
    lua_settop(L, 3);
    tl_chart_questions_offer(L, 2, &j->questions, j->arena, &j->options.outside);
    if (tl_chart_check_dependencies(c->chart, j->arena, &err) ||
        (j->options.release && tl_chart_check_release_name(j->options.release, &err)))
        return tl_raise(L, &err);
    return run_round(L, j);
}

static int l_check(lua_State *L)
{
    tl_chart_data *c = check_chart(L, 1);
    int installable = lua_toboolean(L, 2);
    tl_error err = {0};
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    if (installable ? tl_chart_check_installable(c->chart, arena, &err)
                    : tl_chart_check_dependencies(c->chart, arena, &err))
        return tl_raise(L, &err);
    return 0;
}

/* ---- lint, records, patches ---- */

static int l_lint(lua_State *L)
{
    static const char *const severities[] = {"", "info", "warning", "error"};
    const char *path = luaL_checkstring(L, 1);
    tl_error err = {0};
    tl_lint_messages found = {0};
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    job *j = push_owner(L, sizeof *j, JOB_TYPE, TL_LUA_RENDER_MEMORY);
    read_render_options(L, 2, j);
    j->user = tl_lua_chart_values(L, 2, j->arena);
    if (tl_chart_lint(&found, j->arena, path, j->user, &j->options, &err)) return tl_raise(L, &err);
    lua_createtable(L, (int)found.len, 0);
    for (size_t i = 0; i < found.len; i++) {
        lua_newtable(L);
        tl_lua_chart_push_text(L, "severity", severities[found.items[i].severity]);
        lua_pushstring(L, found.items[i].path);
        lua_setfield(L, -2, "path");
        tl_lua_chart_push_text(L, "message", found.items[i].text);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_encode_release(lua_State *L)
{
    tl_error err = {0};
    tl_value record;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    if (tl_to_value(L, 1, arena, TL_SECRETS_REVEAL, &record, &err)) return tl_raise(L, &err);
    tl_buf out = TL_BUF_INIT(SIZE_MAX);
    if (tl_release_encode(&out, record, &err)) {
        tl_buf_dispose(&out);
        return tl_raise(L, &err);
    }
    const char *text = tl_arena_strndup(arena, out.data, out.len);
    size_t length = out.len;
    tl_buf_dispose(&out);
    lua_pushlstring(L, text, length);
    return 1;
}

static int l_decode_release(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    tl_error err = {0};
    tl_value record;
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    if (tl_release_decode(&record, arena, text, size, &err)) return tl_raise(L, &err);
    tl_push_value(L, record);
    return 1;
}

static int l_release(lua_State *L)
{
    check_chart(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    lua_getfield(L, 2, "handle");
    tl_render_data *r = luaL_testudata(L, 4, TL_RENDER_TYPE);
    luaL_argcheck(L, r, 2, "the result of Chart:render expected");
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    tl_rendered_join(&r->rendered, r->arena);
    tl_rendered rendered = r->rendered;
    /* A script may have transformed what is installed; the record says what was. */
    if (lua_getfield(L, 2, "manifest") == LUA_TSTRING)
        rendered.manifest = lua_tolstring(L, -1, &rendered.manifest_size);
    rendered.notes = tl_opt_string(L, 2, "notes", rendered.notes);
    tl_release_info info = {.name = tl_opt_string(L, 3, "name", ""),
                            .namespace_ = tl_opt_string(L, 3, "namespace", ""),
                            .revision = (int)tl_opt_number(L, 3, "revision", 1),
                            .status = tl_opt_string(L, 3, "status", ""),
                            .description = tl_opt_string(L, 3, "description", ""),
                            .first_deployed = tl_opt_string(L, 3, "first_deployed", ""),
                            .last_deployed = tl_opt_string(L, 3, "last_deployed", "")};
    tl_error err = {0};
    tl_map *record;
    if (tl_release_record(&record, arena, &rendered, &info, &err)) return tl_raise(L, &err);
    tl_push_value(L, tl_map_value(record));
    return 1;
}

static int l_patch(lua_State *L)
{
    tl_error err = {0};
    tl_value objects[3], patch;
    tl_patch_type type;
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    for (int i = 0; i < 3; i++) {
        objects[i] = tl_null();
        if (lua_isnil(L, i + 1)) continue;
        if (tl_to_value(L, i + 1, arena, TL_SECRETS_REVEAL, &objects[i], &err)) return tl_raise(L, &err);
    }
    if (tl_patch_create(&patch, &type, arena, objects[0], objects[1], objects[2], &err)) return tl_raise(L, &err);
    if (patch.as.map->count)
        tl_push_value(L, patch);
    else
        lua_pushnil(L);
    lua_pushstring(L, type == TL_PATCH_STRATEGIC ? "application/strategic-merge-patch+json" : "application/merge-patch+json");
    return 2;
}

static int l_patched(lua_State *L)
{
    tl_error err = {0};
    tl_value object, patch, out;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    tl_arena *arena = tl_push_arena(L, TL_LUA_RENDER_MEMORY);
    if (tl_to_value(L, 1, arena, TL_SECRETS_REVEAL, &object, &err)) return tl_raise(L, &err);
    if (tl_to_value(L, 2, arena, TL_SECRETS_REVEAL, &patch, &err)) return tl_raise(L, &err);
    if (tl_patch_apply(&out, arena, object, patch, &err)) return tl_raise(L, &err);
    tl_push_value(L, out);
    return 1;
}

static const luaL_Reg methods[] = {
    {"check", l_check},
    {"merge", l_merge},
    {"render", l_render},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"decode_release", l_decode_release},
    {"encode_release", l_encode_release},
    {"lint", l_lint},
    {"load", l_load},
    {"patch", l_patch},
    {"patched", l_patched},
    {"release", l_release},
    {"template", tl_lua_chart_template},
    {NULL, NULL},
};

int luaopen_chart(lua_State *L);
int luaopen_chart(lua_State *L)
{
    tl_new_type(L, TL_CHART_TYPE, NULL, l_chart_gc);
    luaL_getmetatable(L, TL_CHART_TYPE);
    luaL_newlib(L, methods);
    luaL_setfuncs(L, tl_chart_file_methods, 0);
    luaL_setfuncs(L, tl_chart_trace_methods, 0);
    lua_pushcclosure(L, l_chart_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_chart_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    luaL_setfuncs(L, tl_chart_file_functions, 0);
    return 1;
}
