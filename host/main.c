/* todo-lua: command line, project, the main task. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/process.h"
#include "lua/await.h"
#include "lua/error.h"
#include "lua/modules.h"
#include "lua/program.h"
#include "lua/task.h"
#include "lua/term.h"
#include "repl.h"

enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2, SIGNALLED = 128 };

static const char usage[] =
    "Usage: todo-lua [options] [SCRIPT [arguments…]]\n"
    "\n"
    "Runs SCRIPT: a path, or a name in the project's lua/ folder, or an embedded one, with or without .lua.\n"
    "Without a script: a prompt over the same modules.\n"
    "\n"
    "Options:\n"
    "  -e CHUNK        run CHUNK instead of a script (may be repeated)\n"
    "  -i              a prompt after the script or chunk\n"
    "  -C DIR          work in DIR\n"
    "  --color WHEN    auto, always or never (NO_COLOR and CLICOLOR_FORCE are heeded)\n"
    "  -q, --quiet     only results and errors\n"
    "  -v, --verbose   say more\n"
    "  --version       print the version\n"
    "  -h, --help      print this; todo-lua SCRIPT --help prints a script's own options\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n"
    "\n"
    "Embedded scripts:";

typedef struct options {
    const char *chunks[32];
    int chunk_count;
    int interactive;
} options;

static tl_task *main_task;
static int interrupted_by, in_prompt; /* the signal's number; whether the prompt waits for a line or runs one */

/* What the program says goes through the redactor. */
static void say(lua_State *L, const char *text)
{
    tl_term_write(L, STDERR_FILENO, text, strlen(text));
}

/* 1 the error object; returns the exit status. A script's own error object may fail while it is printed. */
static int l_report(lua_State *L)
{
    tl_error_object(L, 1);
    const char *where = NULL, *message = NULL, *kind = NULL;
    if (lua_istable(L, 1)) {
        lua_getfield(L, 1, "where");
        where = lua_tostring(L, -1);
        lua_getfield(L, 1, "message");
        message = lua_tostring(L, -1);
        lua_getfield(L, 1, "kind");
        kind = lua_tostring(L, -1);
    }
    lua_pushinteger(L, kind && !strcmp(kind, "usage") ? WRONG_USAGE : FAILED);
    if (where && message && strstr(message, where)) where = NULL;
    const char *text = luaL_tolstring(L, 1, NULL);
    say(L, lua_pushfstring(L, "todo-lua: %s%s%s\n", where ? where : "", where ? ": " : "", text));
    lua_pop(L, 2);
    int verbose = !strcmp(tl_the_program.verbosity, "verbose") && lua_istable(L, 1);
    if (verbose && lua_getfield(L, 1, "traceback") == LUA_TSTRING) {
        say(L, lua_tostring(L, -1));
        say(L, "\n");
    }
    if (verbose) lua_pop(L, 1);
    return 1; /* the status is on top again */
}

/* Pops the error object and says it; returns the exit status. */
static int report_error(lua_State *L)
{
    lua_pushcfunction(L, l_report);
    lua_insert(L, -2);
    int status = FAILED;
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        status = (int)lua_tointeger(L, -1);
    else
        say(L, "todo-lua: an error object that cannot be printed\n");
    lua_pop(L, 1);
    return status;
}

int tl_task_main_cancel(lua_State *L)
{
    if (!main_task) return 0;
    tl_task_cancel(L, main_task);
    return 1;
}

static void on_interrupt(tl_signal *signal)
{
    lua_State *L = signal->data;
    if (signal->number == SIGINT && lua_rawgetp(L, LUA_REGISTRYINDEX, &tl_interrupt_key) == LUA_TFUNCTION) {
        tl_task_detach(tl_task_spawn(L, 0));
        lua_pop(L, 1);
        return;
    }
    if (signal->number == SIGINT) lua_pop(L, 1);
    if (in_prompt && signal->number == SIGINT) return; /* the prompt has a handler of its own */
    int impatient = interrupted_by != 0;
    interrupted_by = signal->number;
    if (in_prompt) tl_repl_end(L);
    if (main_task) tl_task_cancel(L, main_task);
    if (impatient) tl_scheduler_cancel_all(L, 1); /* the second time cleanup is given up, too */
}

/* Runs the chunk on top of the stack (popped) with the script's arguments as the main task. */
static int run_chunk(lua_State *L)
{
    int results = 0, top = lua_gettop(L) - 1;
    luaL_checkstack(L, tl_the_program.count + 8, "too many arguments");
    for (int i = 0; i < tl_the_program.count; i++) lua_pushstring(L, tl_the_program.args[i]);
    main_task = tl_task_spawn(L, tl_the_program.count);
    int status = tl_task_run(L, main_task, &results);
    main_task = NULL;
    int code = DONE;
    if (status != LUA_OK) {
        if (interrupted_by) {
            say(L, "todo-lua: interrupted\n");
            code = SIGNALLED + interrupted_by;
        } else {
            code = tl_the_program.exit_status >= 0 ? tl_the_program.exit_status : report_error(L);
        }
    } else if (results > 0 && lua_isinteger(L, top + 2)) {
        code = (int)lua_tointeger(L, top + 2); /* a script may return its exit status */
    }
    lua_settop(L, top);
    return code;
}

/* Finding the project and the script. */

static int is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static const char *find_project(lua_State *L)
{
    char folder[PATH_MAX];
    if (!getcwd(folder, sizeof folder)) return NULL;
    for (;;) {
        if (is_file(lua_pushfstring(L, "%s/lua/config.lua", folder))) {
            lua_pop(L, 1);
            return tl_strdup(folder);
        }
        lua_pop(L, 1);
        char *slash = strrchr(folder, '/');
        if (!slash || slash == folder) return NULL;
        *slash = 0;
    }
}

/* The name that people call the i-th embedded file by (its length in *length); NULL where it is no script. */
static const char *script_name(size_t i, int *length)
{
    const char *name = tl_embedded_files[i].name;
    size_t all = strlen(name);
    if (strncmp(name, "lua/", 4) || strchr(name + 4, '/') || strcmp(name + all - 4, ".lua")) return NULL;
    *length = (int)all - 8;
    return strcmp(name, "lua/config.lua") ? name + 4 : NULL;
}

/* Pushes " (did you mean NAME?)", or "" where no script's name is near. */
static const char *push_nearest(lua_State *L, const char *script)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "suggest");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "phrase");
    lua_pushstring(L, script);
    lua_newtable(L);
    for (size_t i = 0; i < tl_embedded_count; i++) {
        int length;
        const char *name = script_name(i, &length);
        if (!name) continue;
        lua_pushlstring(L, name, (size_t)length);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    lua_call(L, 2, 1);
    return lua_tostring(L, -1);
}

static int load_script(lua_State *L)
{
    static const char *const patterns[] = {"lua/%s", "lua/%s.lua"};
    const char *script = luaL_checkstring(L, 1);
    const char *with_suffix = lua_pushfstring(L, "%s.lua", script);
    for (int i = 0; i < 2; i++) {
        const char *path = i ? with_suffix : script;
        if (!is_file(path)) continue;
        return tl_program_load_file(L, path) ? 1 : tl_raisef(L, "denied", "cannot read %s", path);
    }
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (tl_program_chunk(L, lua_pushfstring(L, patterns[i], script))) return 1;
    tl_error err = {0};
    tl_error_set(&err, "usage", "there is no script %s%s", script, push_nearest(L, script));
    tl_error_hint(&err, "todo-lua --help lists the embedded ones");
    return tl_raise(L, &err);
}

/* Strict globals: a misspelt name is an error with its line. */

static int l_unknown_global(lua_State *L)
{
    return tl_raisef(L, "script", "undefined variable %s", luaL_tolstring(L, 2, NULL));
}

static int l_new_global(lua_State *L)
{
    lua_Debug ar;
    int known = lua_getstack(L, 1, &ar) && lua_getinfo(L, "S", &ar);
    if (known && (!strcmp(ar.source, "=prompt") || !strcmp(ar.source, "=-e"))) { /* what people type */
        lua_rawset(L, 1);
        return 0;
    }
    return tl_raisef(L, "script", "assignment to the undeclared global %s (write local before it)", luaL_tolstring(L, 2, NULL));
}

static void make_strict(lua_State *L)
{
    static const luaL_Reg strict[] = {{"__index", l_unknown_global}, {"__newindex", l_new_global}, {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_newlib(L, strict);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

/* Lua's own allocator but for large blocks: rendered charts, replies, files. */
static void *allocate(void *unused, void *old, size_t old_size, size_t size)
{
    (void)unused;
    (void)old_size;
    if (!size) {
        free(old);
        return NULL;
    }
    return old || size < TL_LARGE ? realloc(old, size) : tl_malloc_large(size);
}

static lua_State *open_state(tl_error *err)
{
    lua_State *L = luaL_newstate();
    if (!L) tl_log_fatal("out of memory");
    lua_setallocf(L, allocate, NULL);
    luaL_openlibs(L);
    lua_gc(L, LUA_GCGEN, 0, 0);
    if (tl_scheduler_open(L, err) < 0) return NULL;
    tl_error_open(L);
    tl_program_open(L);
    tl_modules_open(L);
    tl_term_open(L);
    make_strict(L);
    return L;
}

/* The command line. */

static int wrong_usage(const char *what, const char *detail)
{
    fprintf(stderr, "todo-lua: %s%s\n  todo-lua --help lists the options\n", what, detail);
    return WRONG_USAGE;
}

/* The value of an option that takes one, as "-C DIR", "-CDIR", "--color=WHEN" or "--color WHEN"; "" where it is missing. */
static const char *value_of(const char *name, int argc, char **argv, int *i)
{
    size_t length = strlen(name);
    if (strncmp(argv[*i], name, length) != 0) return NULL;
    if (argv[*i][length] == '=' && name[1] == '-') return argv[*i] + length + 1;
    if (argv[*i][length]) return name[1] == '-' ? NULL : argv[*i] + length;
    return *i + 1 < argc ? argv[++*i] : "";
}

static void print_help(void)
{
    fputs(usage, stdout);
    for (size_t i = 0; i < tl_embedded_count; i++) {
        int length;
        const char *name = script_name(i, &length);
        if (name) printf(" %.*s", length, name);
    }
    fputs("\n", stdout);
}

/* Returns the index of the script, or -1 after printing something (exit status in *status). */
static int parse_options(int argc, char **argv, options *o, int *status)
{
    *status = WRONG_USAGE;
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *argument = argv[i], *value;
        if (!strcmp(argument, "--")) return i + 1;
        if (!strcmp(argument, "-h") || !strcmp(argument, "--help")) {
            print_help();
            *status = DONE;
            return -1;
        }
        if (!strcmp(argument, "--version")) {
            printf("todo-lua %s (%s)\n", tl_program_version, LUA_RELEASE);
            *status = DONE;
            return -1;
        }
        if ((value = value_of("-e", argc, argv, &i))) {
            if (!*value) return wrong_usage("-e needs a chunk", ""), -1;
            if (o->chunk_count == 32) return wrong_usage("too many -e", ""), -1;
            o->chunks[o->chunk_count++] = value;
        } else if ((value = value_of("-C", argc, argv, &i))) {
            if (!*value) return wrong_usage("-C needs a folder", ""), -1;
            if (chdir(value) < 0) return fprintf(stderr, "todo-lua: %s: %s\n", value, strerror(errno)), -1;
        } else if ((value = value_of("--color", argc, argv, &i))) {
            if (tl_term_set_color(value) < 0) return wrong_usage("--color takes auto, always or never, not ", value), -1;
        } else if (!strcmp(argument, "-i")) {
            o->interactive = 1;
        } else if (!strcmp(argument, "-q") || !strcmp(argument, "--quiet")) {
            tl_the_program.verbosity = "quiet";
        } else if (!strcmp(argument, "-v") || !strcmp(argument, "--verbose")) {
            tl_the_program.verbosity = "verbose";
            tl_log_set_level(TL_LOG_DEBUG);
        } else {
            return wrong_usage("unknown option ", argument), -1;
        }
    }
    return i;
}

/* Loads by a protected call, so that a syntax error is reported like any other. */
static int load_and_run(lua_State *L, lua_CFunction load, const char *text)
{
    lua_pushcfunction(L, load);
    lua_pushstring(L, text);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) return run_chunk(L);
    return report_error(L);
}

static int load_text(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_program_load(L, text, length, "=-e");
    return 1;
}

static int run_all(lua_State *L, const options *o)
{
    int status = DONE;
    for (int i = 0; i < o->chunk_count && status == DONE; i++) status = load_and_run(L, load_text, o->chunks[i]);
    if (status == DONE && tl_the_program.script) status = load_and_run(L, load_script, tl_the_program.script);
    if (interrupted_by || tl_the_program.exit_status >= 0) return status;
    if (o->interactive || (!o->chunk_count && !tl_the_program.script)) {
        in_prompt = 1;
        status = tl_repl(L);
        in_prompt = 0;
        if (interrupted_by) status = SIGNALLED + interrupted_by;
    }
    return status;
}

int main(int argc, char **argv)
{
    options o = {0};
    int status;
    int script = parse_options(argc, argv, &o, &status);
    if (script < 0) return status;
    if (script < argc) {
        tl_the_program.script = argv[script];
        tl_the_program.args = argv + script + 1;
        tl_the_program.count = argc - script - 1;
    }
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, not the end of the program */
    tl_error err = {0};
    lua_State *L = open_state(&err);
    if (!L) tl_log_fatal(err.message);
    char *executable = tl_process_executable();
    tl_the_program.executable = executable ? executable : argv[0];
    tl_the_program.project = find_project(L);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    tl_signal signals[3] = {0};
    for (int i = 0; i < 3; i++) {
        signals[i].data = L;
        signals[i].on_signal = on_interrupt;
        tl_signal_start(tl_lua_loop(L), &signals[i], numbers[i], NULL);
    }
    status = run_all(L, &o);
    /* What was left running ends; its deferred functions are waited for. */
    tl_scheduler_cancel_all(L, 0);
    while (tl_scheduler_cleaning(L)) tl_scheduler_turn(L);
    if (interrupted_by) status = SIGNALLED + interrupted_by;
    tl_scheduler_close(L);
    free(executable);
    free((char *)tl_the_program.project);
    return status;
}
