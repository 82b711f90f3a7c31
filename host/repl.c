/* The prompt: editing, history and completion by libedit (loaded on first use); plain lines where standard input is no
 * terminal. Tasks go on while it waits for a key. */
#include "repl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "base/buf.h"
#include "base/dynlib.h"
#include "base/mem.h"
#include "lua/await.h"
#include "lua/error.h"
#include "lua/program.h"
#include "lua/task.h"
#include "lua/term.h"

#define MAX_CHUNK (16u << 20)
#define HISTORY_LINES 2000

/* libedit's readline interface; the variables are reached by their addresses. */
typedef char **completer(const char *text, int start, int end);
typedef char *generator(const char *text, int state);
static struct {
    void (*callback_handler_install)(const char *prompt, void (*handler)(char *line));
    void (*callback_handler_remove)(void);
    void (*callback_read_char)(void);
    char **(*completion_matches)(const char *text, generator *next);
    int (*add_history)(const char *line);
    int (*read_history)(const char *path);
    int (*write_history)(const char *path);
    void (*stifle_history)(int lines);
    void (*prep_terminal)(int meta);
    void (*deprep_terminal)(void);
    void (*resize_terminal)(void);
    int (*forced_update_display)(void);
    int (*initialize)(void);
    int (*parse_and_bind)(const char *line);
    completer **attempted_completion_function;
    const char **completer_word_break_characters;
    int *completion_append_character;
    const char **readline_name;
    int *catch_signals;
} edit;

static const char *const edit_symbols[] = {
    "rl_callback_handler_install", "rl_callback_handler_remove", "rl_callback_read_char", "rl_completion_matches",
    "add_history", "read_history", "write_history", "stifle_history", "rl_prep_terminal", "rl_deprep_terminal",
    "rl_resize_terminal", "rl_forced_update_display", "rl_initialize", "rl_parse_and_bind",
    "rl_attempted_completion_function", "rl_completer_word_break_characters", "rl_completion_append_character",
    "rl_readline_name", "rl_catch_signals",
};

static struct {
    lua_State *L;
    char *line;    /* what was entered, NULL at the end of input */
    int entered;
    int interrupted;
    int ended; /* by a signal, or program.exit */
    int editing;
    int ready;    /* standard input, where it is no terminal: something can be read */
    tl_buf input; /* what was read of it beyond the line */
    struct tl_task *task; /* the line that runs */
    unsigned writes;      /* what was said before it began */
    int seconds;          /* for which it has run */
} repl;

static int load_editor(tl_error *err)
{
    static const char *const names[] = {"libedit.so.2", "libedit.3.dylib", "libedit.dylib", NULL};
    const tl_dynlib lib = {names, "libedit2", edit_symbols, sizeof edit_symbols / sizeof edit_symbols[0]};
    return tl_dynlib_load(&lib, (void **)&edit, err);
}

/* Pushes a function of the library's prompt (lua/lib/prompt.lua); 0 and nothing where it cannot be loaded. */
static int push_prompt_function(lua_State *L, const char *name)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "prompt");
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1)) {
        lua_getfield(L, -1, name);
        lua_remove(L, -2);
        return 1;
    }
    lua_pop(L, 1);
    return 0;
}

/* Completion of globals, modules and fields: "a.b:c" is walked from the globals. Nothing of a script is called; the host's
 * modules are loaded. What is not a Lua name (kinds and objects of the cluster) the library's prompt knows. */

#define MOST_LEVELS 8 /* of metatables whose __index is looked into */

/* Replaces the value on top by the table that its metatable's __index offers (the table of methods beside a host type's
 * __index function counts); 0, and the value is popped, where there is none. */
static int to_index(lua_State *L)
{
    int type = luaL_getmetafield(L, -1, "__index");
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return 0;
    }
    lua_remove(L, -2);
    if (type == LUA_TFUNCTION && lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1)) lua_remove(L, -2);
    if (lua_istable(L, -1)) return 1;
    lua_pop(L, 1);
    return 0;
}

/* Replaces the value on top by its field, nil where it has none. */
static void to_field(lua_State *L, const char *name, size_t length)
{
    for (int level = 0; level < MOST_LEVELS; level++) {
        if (lua_istable(L, -1)) {
            lua_pushlstring(L, name, length);
            if (lua_rawget(L, -2) != LUA_TNIL) {
                lua_remove(L, -2);
                return;
            }
            lua_pop(L, 1);
        }
        if (!to_index(L)) {
            lua_pushnil(L);
            return;
        }
    }
    lua_pop(L, 1);
    lua_pushnil(L);
}

/* Replaces nil on top by the host's module of that name. */
static void to_module(lua_State *L, const char *name, size_t length)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushlstring(L, name, length);
    int type = lua_rawget(L, -2);
    lua_pop(L, 2);
    if (type == LUA_TNIL) return;
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushlstring(L, name, length);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) return;
    lua_pop(L, 1);
    lua_pushnil(L);
}

/* Appends to the list at index `list` the keys of the table on top that continue `text` behind its prefix. */
static void add_keys(lua_State *L, int list, const char *text, size_t prefix)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        int hidden = name[0] == '_' && name[1] == '_';
        if (!*name || hidden || strncmp(name, text + prefix, strlen(text + prefix)) != 0) continue;
        lua_pushlstring(L, text, prefix);
        lua_pushstring(L, name);
        lua_concat(L, 2);
        lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
    }
}

/* Pushes a list of the completions of `text`. */
static void push_candidates(lua_State *L, const char *text)
{
    const char *last = strrchr(text, '.'), *colon = strrchr(text, ':');
    if (colon && (!last || colon > last)) last = colon;
    size_t prefix = last ? (size_t)(last - text) + 1 : 0;
    lua_newtable(L);
    int list = lua_gettop(L);
    lua_pushglobaltable(L);
    for (const char *at = text; at < text + prefix;) {
        size_t length = strcspn(at, ".:");
        to_field(L, at, length);
        if (at == text && lua_isnil(L, -1)) to_module(L, at, length);
        at += length + 1;
    }
    if (!prefix) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
        add_keys(L, list, text, prefix);
        lua_pop(L, 1);
    }
    int more = 1;
    for (int level = 0; more && level < MOST_LEVELS; level++) {
        if (lua_istable(L, -1)) add_keys(L, list, text, prefix);
        more = prefix && to_index(L);
    }
    lua_settop(L, list);
}

/* Adds what the library's prompt knows about `text` to the list on top. */
static void add_known(lua_State *L, const char *text)
{
    int list = lua_gettop(L);
    if (!push_prompt_function(L, "complete")) return;
    lua_pushstring(L, text);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1))
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++)
            lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
    lua_settop(L, list);
}

static char *next_candidate(const char *text, int state)
{
    static lua_Integer position;
    lua_State *L = repl.L;
    if (!state) {
        position = 0;
        push_candidates(L, text);
        add_known(L, text);
        lua_setfield(L, LUA_REGISTRYINDEX, "todo.candidates");
    }
    lua_getfield(L, LUA_REGISTRYINDEX, "todo.candidates");
    lua_rawgeti(L, -1, ++position);
    const char *name = lua_tostring(L, -1);
    char *copy = name ? strdup(name) : NULL; /* libedit frees it */
    lua_pop(L, 2);
    return copy;
}

static char **complete(const char *text, int start, int end)
{
    (void)start;
    (void)end;
    *edit.completion_append_character = 0;
    return edit.completion_matches(text, next_candidate);
}

/* Reading. */

static void on_line(char *line)
{
    repl.line = line;
    repl.entered = 1;
    edit.callback_handler_remove();
}

static void on_key(tl_watch *watch, short revents)
{
    (void)watch;
    (void)revents;
    edit.callback_read_char();
}

static void on_interrupt(tl_signal *signal)
{
    (void)signal;
    int elsewhere = lua_rawgetp(repl.L, LUA_REGISTRYINDEX, &tl_interrupt_key) == LUA_TFUNCTION;
    lua_pop(repl.L, 1);
    if (elsewhere) return; /* what runs has a use for it */
    repl.interrupted = 1;
    if (repl.task) tl_task_cancel(repl.L, repl.task);
}

static void on_resize(tl_signal *signal)
{
    (void)signal;
    edit.resize_terminal();
    edit.forced_update_display();
}

/* The program was stopped; whoever had the terminal meanwhile left it in another mode, of which libedit knows nothing. */
static void on_continue(tl_signal *signal)
{
    (void)signal;
    edit.deprep_terminal();
    edit.prep_terminal(1);
    edit.forced_update_display();
}

/* 1 with a line (freed by the caller), 0 at the end of input, -1 after Ctrl-C. */
static int edit_line(lua_State *L, const char *prompt)
{
    tl_watch watch = {.on_ready = on_key};
    tl_signal resize = {.on_signal = on_resize}, resumed = {.on_signal = on_continue};
    repl.entered = repl.interrupted = 0;
    edit.callback_handler_install(prompt, on_line);
    tl_watch_start(tl_lua_loop(L), &watch, STDIN_FILENO, POLLIN);
    tl_signal_start(tl_lua_loop(L), &resize, SIGWINCH, NULL);
    tl_signal_start(tl_lua_loop(L), &resumed, SIGCONT, NULL);
    while (!repl.entered && !repl.interrupted && !repl.ended) tl_scheduler_turn(L);
    tl_signal_stop(&resumed);
    tl_signal_stop(&resize);
    tl_watch_stop(&watch);
    if (repl.entered && !repl.interrupted) return repl.line != NULL;
    if (!repl.entered) edit.callback_handler_remove();
    if (repl.entered) free(repl.line); /* Ctrl-C came in the same turn */
    if (repl.ended) return 0;
    tcflush(STDIN_FILENO, TCIFLUSH);
    tl_term_write(L, STDOUT_FILENO, "\n", 1);
    return -1;
}

static void on_input(tl_watch *watch, short revents)
{
    (void)watch;
    (void)revents;
    repl.ready = 1;
}

/* More of standard input, while tasks go on. 0 at its end. */
static int read_input(lua_State *L)
{
    char bytes[4096];
    tl_watch watch = {.on_ready = on_input};
    repl.ready = 0;
    tl_watch_start(tl_lua_loop(L), &watch, STDIN_FILENO, POLLIN);
    while (!repl.ready && !repl.ended) tl_scheduler_turn(L);
    tl_watch_stop(&watch);
    if (repl.ended) return 0;
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
    if (got <= 0) return 0;
    tl_buf_add(&repl.input, bytes, (size_t)got);
    return 1;
}

/* The same results as edit_line's. */
static int plain_line(lua_State *L)
{
    const char *newline;
    while (!(newline = repl.input.len ? memchr(repl.input.data, '\n', repl.input.len) : NULL))
        if (!read_input(L)) break;
    if (!repl.input.len) return 0;
    size_t length = newline ? (size_t)(newline - repl.input.data) : repl.input.len;
    repl.line = strndup(repl.input.data, length);
    tl_buf_consume(&repl.input, newline ? length + 1 : length);
    return repl.line != NULL;
}

/* Compiling: as an expression first, then as statements; LUA_OK, an error, or 1: more lines are wanted. */

static int is_incomplete(lua_State *L)
{
    size_t length;
    const char *message = lua_tolstring(L, -1, &length);
    return message && length >= 5 && !strcmp(message + length - 5, "<eof>");
}

static int compile(lua_State *L, const tl_buf *chunk)
{
    lua_pushfstring(L, "return %s", chunk->data);
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    int status = luaL_loadbufferx(L, text, length, "=prompt", "t");
    lua_remove(L, -2);
    if (status == LUA_OK) return LUA_OK;
    int begun = is_incomplete(L); /* an expression such as "1 +" is no statement at all */
    lua_pop(L, 1);
    status = luaL_loadbufferx(L, chunk->data, chunk->len, "=prompt", "t");
    return status == LUA_ERRSYNTAX && (begun || is_incomplete(L)) ? 1 : status;
}

/* Running. */

static int l_text(lua_State *L)
{
    tl_error_object(L, 1);
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* The error on top; a script's own object may fail while it is printed. */
static void print_error(lua_State *L)
{
    lua_pushcfunction(L, l_text);
    lua_insert(L, -2);
    size_t length;
    const char *text = NULL;
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) text = lua_tolstring(L, -1, &length);
    if (!text) {
        text = "an error object that cannot be printed";
        length = strlen(text);
    }
    tl_term_write(L, STDERR_FILENO, text, length);
    tl_term_write(L, STDERR_FILENO, "\n", 1);
}

/* A line that says nothing shows that it is at work. */
static void on_second(tl_timer *timer)
{
    char text[64];
    if (tl_term_writes(repl.L) != repl.writes) return;
    snprintf(text, sizeof text, "… %d s, Ctrl-C ends it", ++repl.seconds);
    tl_term_note(repl.L, text);
    tl_timer_start(tl_lua_loop(repl.L), timer, 1000);
}

/* Runs a function of the library's prompt with the value on top, which is popped, as a task that Ctrl-C cancels. */
static void run(lua_State *L, const char *function)
{
    int results = 0;
    tl_timer second = {.on_due = on_second};
    repl.interrupted = repl.seconds = 0;
    if (!push_prompt_function(L, function)) {
        lua_pushliteral(L, "lua/lib/prompt.lua cannot be loaded");
        print_error(L);
        return;
    }
    lua_insert(L, -2);
    repl.task = tl_task_spawn(L, 1);
    repl.writes = tl_term_writes(L);
    if (repl.editing) tl_timer_start(tl_lua_loop(L), &second, 1000);
    int status = tl_task_run(L, repl.task, &results);
    repl.task = NULL;
    tl_timer_stop(&second);
    if (repl.editing) tl_term_note(L, NULL);
    if (tl_the_program.exit_status >= 0)
        repl.ended = 1;
    else if (status != LUA_OK)
        print_error(L);
}

/* The library makes the prompt's own names global. */
static void install(lua_State *L)
{
    if (push_prompt_function(L, "install") && lua_pcall(L, 0, 0, 0) != LUA_OK) print_error(L);
}

static const char *prompt_text(lua_State *L)
{
    static char text[128];
    snprintf(text, sizeof text, "> ");
    if (push_prompt_function(L, "text") && lua_pcall(L, 0, 1, 0) == LUA_OK && lua_isstring(L, -1))
        snprintf(text, sizeof text, "%s", lua_tostring(L, -1));
    return text;
}

static char *history_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char path[4096];
    if (state && *state)
        snprintf(path, sizeof path, "%s/todo-lua", state);
    else if (home)
        snprintf(path, sizeof path, "%s/.local/state/todo-lua", home);
    else
        return NULL;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
    strncat(path, "/history", sizeof path - strlen(path) - 1);
    return tl_strdup(path);
}

static void read_and_run(lua_State *L, tl_buf *chunk)
{
    while (!repl.ended) {
        int level = lua_gettop(L);
        int got = repl.editing ? edit_line(L, chunk->len ? "... " : prompt_text(L)) : plain_line(L);
        lua_settop(L, level);
        if (got == 0 && !chunk->len) return;
        if (got < 0) {
            tl_buf_clear(chunk);
            continue;
        }
        if (got && chunk->len) tl_buf_addc(chunk, '\n');
        if (got) tl_buf_adds(chunk, repl.line);
        if (got && repl.editing && *repl.line) edit.add_history(repl.line);
        if (got) free(repl.line);
        int top = lua_gettop(L), command = chunk->len && chunk->data[0] == ':';
        if (command) lua_pushlstring(L, chunk->data, chunk->len);
        int status = command ? LUA_OK : chunk->len ? compile(L, chunk) : -1;
        if (status == 1 && got) {
            lua_settop(L, top);
            continue;
        }
        if (status == LUA_OK)
            run(L, command ? "command" : "run");
        else if (status > 0)
            print_error(L);
        lua_settop(L, top);
        tl_buf_clear(chunk);
        if (!got) return;
    }
}

void tl_repl_end(lua_State *L)
{
    repl.ended = 1;
    if (repl.task) tl_task_cancel(L, repl.task);
}

/* Nobody else may read what people type. */
static void save_history(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    fchmod(fd, 0600);
    close(fd);
    edit.write_history(path);
    chmod(path, 0600);
}

int tl_repl(lua_State *L)
{
    tl_buf chunk;
    tl_signal interrupt = {.on_signal = on_interrupt};
    char *history = NULL;
    repl.L = L;
    tl_buf_init(&chunk, MAX_CHUNK);
    tl_buf_init(&repl.input, MAX_CHUNK);
    install(L);
    tl_signal_start(tl_lua_loop(L), &interrupt, SIGINT, NULL);
    repl.editing = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && load_editor(NULL) == 0;
    if (repl.editing) {
        *edit.readline_name = "todo-lua";
        *edit.catch_signals = 0;
        edit.initialize();
        /* A Ctrl-C that empties the terminal's queue between poll and libedit's read would leave that read waiting. */
        edit.parse_and_bind("setty -d +noflsh");
        *edit.attempted_completion_function = complete;
        *edit.completer_word_break_characters = " \t\n\"\\'`@$><=;|&{}()+-*/,#%^~[]";
        history = history_path();
        edit.stifle_history(HISTORY_LINES);
        if (history) edit.read_history(history);
        const char *hello =
            "todo-lua: pods, deploy.NAME, k8s, docker, chart, …; :help says more, Ctrl-D ends\n";
        tl_term_write(L, STDOUT_FILENO, hello, strlen(hello));
    }
    read_and_run(L, &chunk);
    if (repl.editing) {
        tl_term_write(L, STDOUT_FILENO, "\n", 1);
        if (history) save_history(history);
    }
    tl_signal_stop(&interrupt);
    tl_buf_dispose(&repl.input);
    tl_buf_dispose(&chunk);
    free(history);
    return tl_the_program.exit_status >= 0 ? tl_the_program.exit_status : 0;
}
