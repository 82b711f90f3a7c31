/* Module term, and the redaction of all that scripts say. */
#include "lua/term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lualib.h>

#include "base/ansi.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tty.h"
#include "lua/await.h"
#include "lua/buffer.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/secret.h"

#define OUTPUT_TYPE "todo.term.Output"
#define PROMPT_TYPE "todo.term.Prompt"
#define HOLD_MS 40 /* how long the possible start of a secret waits for the rest */
#define LONGEST_LINE 65536

static const char output_key; /* its address: the output's place in the registry */
static enum { AUTO, ALWAYS, NEVER } color_wish;
static struct output *at_exit; /* whose held text must still come out where the program ends without closing Lua */

/* Output. One stream for each of stdout and stderr, so that a secret split over two writes is found. */
typedef struct output {
    tl_redact_stream streams[2];
    tl_timer timers[2];
    tl_buf text; /* redacted, about to be written */
    tl_redactor *redactor;
    int open;
    unsigned writes;
    int noted; /* a note stands on the terminal */
} output;

static int slot_of(int fd)
{
    return fd == STDERR_FILENO;
}

static void remove_note(output *o)
{
    if (o->noted) tl_tty_write(STDERR_FILENO, "\r\033[K", 4);
    o->noted = 0;
}

static void flush(output *o, int slot)
{
    tl_buf_clear(&o->text);
    tl_redact_stream_flush(&o->streams[slot], &o->text);
    tl_timer_stop(&o->timers[slot]);
    tl_tty_write(slot ? STDERR_FILENO : STDOUT_FILENO, o->text.data, o->text.len);
}

static void flush_at_exit(void)
{
    if (!at_exit) return;
    flush(at_exit, 0);
    flush(at_exit, 1);
}

static void on_hold_over(tl_timer *timer)
{
    output *o = timer->data;
    flush(o, timer == &o->timers[1]);
}

static void write_redacted(output *o, int fd, const char *text, size_t length)
{
    tl_redact_stream *stream = &o->streams[slot_of(fd)];
    if (tl_redact_stream_idle(stream)) { /* most commands know no secret */
        tl_tty_write(fd, text, length);
        return;
    }
    tl_buf_clear(&o->text);
    tl_redact_stream_feed(stream, text, length, &o->text);
    tl_tty_write(fd, o->text.data, o->text.len);
}

static output *get_output(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &output_key);
    output *o = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return o;
}

void tl_term_write(lua_State *L, int fd, const char *text, size_t length)
{
    output *o = get_output(L);
    if (!o || !o->open) {
        tl_buf clean = TL_BUF_INIT(SIZE_MAX);
        tl_redact(tl_lua_redactor(L), text, length, &clean);
        tl_tty_write(fd, clean.data, clean.len);
        tl_buf_dispose(&clean);
        return;
    }
    int slot = slot_of(fd);
    tl_term_claim(L);
    write_redacted(o, fd, text, length);
    if (o->streams[slot].held.len && !o->timers[slot].slot) tl_timer_start(tl_lua_loop(L), &o->timers[slot], HOLD_MS);
}

unsigned tl_term_writes(lua_State *L)
{
    output *o = get_output(L);
    return o ? o->writes : 0;
}

void tl_term_claim(lua_State *L)
{
    output *o = get_output(L);
    if (!o) return;
    remove_note(o);
    o->writes++;
}

void tl_term_note(lua_State *L, const char *text)
{
    output *o = get_output(L);
    if (!o) return;
    remove_note(o);
    if (!text) return;
    tl_tty_write(STDERR_FILENO, text, strlen(text));
    o->noted = 1;
}

/* Both streams, before something else writes to the terminal or waits for people. */
static void flush_output(lua_State *L)
{
    output *o = get_output(L);
    if (!o || !o->open) return;
    fflush(stdout);
    flush(o, 0);
    flush(o, 1);
}

static int l_close_output(lua_State *L)
{
    output *o = luaL_checkudata(L, 1, OUTPUT_TYPE);
    if (!o->open) return 0;
    flush(o, 0);
    flush(o, 1);
    tl_log_set_sink(NULL, NULL);
    for (int i = 0; i < 2; i++) tl_redact_stream_dispose(&o->streams[i]);
    tl_buf_dispose(&o->text);
    o->open = 0;
    at_exit = NULL;
    return 0;
}

static void on_log(void *context, tl_log_level level, const char *line)
{
    output *o = context;
    (void)level;
    flush(o, 1);
    tl_buf_clear(&o->text);
    tl_redact(o->redactor, line, strlen(line), &o->text);
    tl_tty_write(STDERR_FILENO, "todo-lua: ", 10);
    tl_buf_addc(&o->text, '\n');
    tl_tty_write(STDERR_FILENO, o->text.data, o->text.len);
}

static int l_print(lua_State *L)
{
    int count = lua_gettop(L);
    tl_buf *line = tl_push_buf(L, SIZE_MAX);
    for (int i = 1; i <= count; i++) {
        size_t length;
        const char *text = luaL_tolstring(L, i, &length);
        if (i > 1) tl_buf_addc(line, '\t');
        tl_buf_add(line, text, length);
        lua_pop(L, 1);
    }
    tl_buf_addc(line, '\n');
    tl_term_write(L, STDOUT_FILENO, line->data, line->len);
    return 0;
}

/* The write method of Lua's files: the standard streams go through the redactor, others to the stock method (upvalue). */
static int l_file_write(lua_State *L)
{
    luaL_Stream *file = luaL_testudata(L, 1, LUA_FILEHANDLE);
    int fd = file && file->closef && (file->f == stdout || file->f == stderr) ? fileno(file->f) : -1;
    int count = lua_gettop(L);
    if (fd < 0) {
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_insert(L, 1);
        lua_call(L, count, LUA_MULTRET);
        return lua_gettop(L);
    }
    for (int i = 2; i <= count; i++) {
        size_t length;
        const char *text = luaL_checklstring(L, i, &length);
        tl_term_write(L, fd, text, length);
    }
    lua_settop(L, 1);
    return 1;
}

static int l_io_write(lua_State *L)
{
    int count = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "_IO_output"); /* Lua's own key of the default output file */
    lua_getfield(L, -1, "write");
    lua_insert(L, 1);
    lua_insert(L, 2);
    lua_call(L, count + 1, LUA_MULTRET);
    return lua_gettop(L);
}

static void redirect_files(lua_State *L)
{
    luaL_getmetatable(L, LUA_FILEHANDLE);
    lua_getfield(L, -1, "__index");
    lua_getfield(L, -1, "write");
    lua_pushcclosure(L, l_file_write, 1);
    lua_setfield(L, -2, "write");
    lua_pop(L, 2);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, LUA_IOLIBNAME);
    lua_pushcfunction(L, l_io_write);
    lua_setfield(L, -2, "write");
    lua_pop(L, 2);
}

void tl_term_open(lua_State *L)
{
    tl_redactor *redactor = tl_lua_redactor(L); /* before the output: it is collected after it */
    tl_new_type(L, OUTPUT_TYPE, NULL, l_close_output);
    output *o = lua_newuserdatauv(L, sizeof *o, 0);
    memset(o, 0, sizeof *o);
    luaL_setmetatable(L, OUTPUT_TYPE);
    for (int i = 0; i < 2; i++) {
        tl_redact_stream_init(&o->streams[i], redactor);
        o->timers[i].on_due = on_hold_over;
        o->timers[i].data = o;
    }
    tl_buf_init(&o->text, SIZE_MAX);
    o->redactor = redactor;
    o->open = 1;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &output_key);
    tl_log_set_sink(on_log, o);
    if (!at_exit) atexit(flush_at_exit);
    at_exit = o;
    lua_pushcfunction(L, l_print);
    lua_setglobal(L, "print");
    redirect_files(L);
}

int tl_term_set_color(const char *when)
{
    if (!strcmp(when, "auto"))
        color_wish = AUTO;
    else if (!strcmp(when, "always"))
        color_wish = ALWAYS;
    else if (!strcmp(when, "never"))
        color_wish = NEVER;
    else
        return -1;
    return 0;
}

/* The module. */

static int l_write(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_term_write(L, STDOUT_FILENO, text, length);
    return 0;
}

static int l_write_err(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_term_write(L, STDERR_FILENO, text, length);
    return 0;
}

static int l_is_tty(lua_State *L)
{
    static const char *const names[] = {"stdin", "stdout", "stderr", NULL};
    lua_pushboolean(L, isatty(luaL_checkoption(L, 1, "stdout", names)));
    return 1;
}

static int l_is_lent(lua_State *L)
{
    lua_pushboolean(L, tl_tty_is_lent());
    return 1;
}

static int is_set(const char *name)
{
    const char *text = getenv(name);
    return text && *text;
}

static int wants_color(void)
{
    if (color_wish != AUTO) return color_wish == ALWAYS;
    if (is_set("NO_COLOR")) return 0;
    if (is_set("CLICOLOR_FORCE") && strcmp(getenv("CLICOLOR_FORCE"), "0") != 0) return 1;
    const char *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(terminal && !strcmp(terminal, "dumb"));
}

static int l_color(lua_State *L)
{
    lua_pushboolean(L, wants_color());
    return 1;
}

static int l_size(lua_State *L)
{
    int columns, rows;
    tl_tty_size(&columns, &rows);
    lua_pushinteger(L, columns);
    lua_pushinteger(L, rows);
    return 2;
}

static int l_width(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_pushinteger(L, tl_ansi_width(text, length));
    return 1;
}

static int l_truncate(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_Integer columns = luaL_checkinteger(L, 2);
    tl_buf *out = tl_push_buf(L, SIZE_MAX);
    tl_ansi_truncate(out, text, length, columns < 0 ? 0 : columns > 100000 ? 100000 : (int)columns);
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

static int l_clean(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    tl_buf *out = tl_push_buf(L, SIZE_MAX);
    tl_ansi_clean(out, text, length);
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

static int l_style(lua_State *L)
{
    static const char *const names[] = {"bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan", NULL};
    static const int codes[] = {1, 2, 31, 32, 33, 34, 35, 36};
    int style = luaL_checkoption(L, 1, NULL, names);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    if (!wants_color()) return 1;
    lua_pushfstring(L, "\x1b[%dm", codes[style]);
    lua_insert(L, 2);
    lua_pushliteral(L, "\x1b[0m");
    lua_concat(L, 3);
    return 1;
}

static int l_cursor(lua_State *L)
{
    luaL_checkany(L, 1);
    flush_output(L);
    tl_tty_cursor(STDOUT_FILENO, lua_toboolean(L, 1));
    return 0;
}

/* The prompt. */

typedef struct prompt {
    tl_watch watch;
    tl_wait wait;
    int fd, own_fd, hidden, open;
    tl_buf line;
} prompt;

static void end_prompt(prompt *p)
{
    if (!p->open) return;
    p->open = 0;
    tl_watch_stop(&p->watch);
    tl_wait_stop(&p->wait);
    if (p->hidden) {
        tl_tty_echo(p->fd, 1);
        tl_tty_write(STDERR_FILENO, "\n", 1); /* the one that was typed was not shown */
    }
    if (p->own_fd) close(p->fd);
}

static int l_prompt_gc(lua_State *L)
{
    prompt *p = luaL_checkudata(L, 1, PROMPT_TYPE);
    end_prompt(p);
    tl_cleanse(p->line.data, p->line.cap);
    tl_buf_dispose(&p->line);
    return 0;
}

static void on_readable(tl_watch *watch, short revents)
{
    prompt *p = watch->data;
    (void)revents;
    tl_watch_stop(watch);
    tl_wake(&p->wait);
}

static void cancel_prompt(tl_wait *wait)
{
    end_prompt(wait->data);
}

static int nothing(lua_State *L)
{
    lua_pushnil(L);
    return 1;
}

static int k_prompt(lua_State *L, int status, lua_KContext index)
{
    prompt *p = lua_touserdata(L, (int)index);
    char chunk[1024];
    (void)status;
    ssize_t got = read(p->fd, chunk, sizeof chunk);
    if (got > 0) tl_buf_add(&p->line, chunk, (size_t)got);
    tl_cleanse(chunk, sizeof chunk);
    int again = (got > 0 && p->line.data[p->line.len - 1] != '\n') || (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (again && !p->line.over) {
        p->wait.woken = 0;
        tl_watch_start(tl_lua_loop(L), &p->watch, p->fd, POLLIN);
        return tl_await(L, &p->wait, index, k_prompt);
    }
    end_prompt(p);
    if (!p->line.len) return nothing(L);
    size_t length = p->line.len;
    while (length && (p->line.data[length - 1] == '\n' || p->line.data[length - 1] == '\r')) length--;
    lua_pushlstring(L, p->line.data, length);
    return 1;
}

static int open_terminal(prompt *p)
{
    p->fd = STDIN_FILENO;
    if (isatty(STDIN_FILENO)) return 0;
    p->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    p->own_fd = p->fd >= 0;
    return p->own_fd ? 0 : -1;
}

static int l_prompt(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    int hidden = tl_opt_bool(L, 2, "hidden", 0);
    prompt *p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    tl_buf_init(&p->line, LONGEST_LINE);
    luaL_setmetatable(L, PROMPT_TYPE);
    if (open_terminal(p)) return nothing(L);
    p->open = 1;
    p->watch.on_ready = on_readable;
    p->watch.data = p->wait.data = p;
    p->wait.on_cancel = cancel_prompt;
    p->hidden = hidden && tl_tty_echo(p->fd, 0) == 0; /* before anybody can see the prompt and answer */
    tl_term_write(L, STDERR_FILENO, text, length);
    flush_output(L);
    tl_watch_start(tl_lua_loop(L), &p->watch, p->fd, POLLIN);
    return tl_await(L, &p->wait, lua_gettop(L), k_prompt);
}

static const luaL_Reg functions[] = {
    {"write", l_write},
    {"write_err", l_write_err},
    {"is_lent", l_is_lent},
    {"is_tty", l_is_tty},
    {"color", l_color},
    {"size", l_size},
    {"width", l_width},
    {"truncate", l_truncate},
    {"clean", l_clean},
    {"style", l_style},
    {"cursor", l_cursor},
    {"prompt", l_prompt},
    {"input", tl_term_l_input},
    {NULL, NULL},
};

int luaopen_term(lua_State *L)
{
    tl_new_type(L, PROMPT_TYPE, NULL, l_prompt_gc);
    tl_term_open_input(L);
    luaL_newlib(L, functions);
    return 1;
}
