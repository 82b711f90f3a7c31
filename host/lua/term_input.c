/* Standard input of module term, for programs that hand it on. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/tty.h"
#include "lua/await.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/term.h"

#define INPUT_TYPE "todo.term.Input"
#define CHUNK 32768

typedef struct input {
    int open, raw;
    tl_watch watch;
    tl_signal winch;
    tl_wait read_wait, size_wait;
    int columns, rows; /* as last told */
} input;

static int l_release(lua_State *L)
{
    input *in = lua_touserdata(L, 1);
    if (!in->open) return 0;
    in->open = 0;
    tl_watch_stop(&in->watch);
    tl_signal_stop(&in->winch);
    if (in->raw) tl_tty_raw(STDIN_FILENO, 0);
    tl_wake(&in->read_wait);
    tl_wake(&in->size_wait);
    return 0;
}

static int l_close(lua_State *L)
{
    luaL_checkudata(L, 1, INPUT_TYPE);
    return l_release(L);
}

static void on_ready(tl_watch *watch, short revents)
{
    (void)revents;
    tl_watch_stop(watch);
    tl_wake(&((input *)watch->data)->read_wait);
}

static void on_winch(tl_signal *signal)
{
    tl_wake(&((input *)signal->data)->size_wait);
}

static void cancel_read(tl_wait *wait)
{
    tl_watch_stop(&((input *)wait->data)->watch);
}

int tl_term_l_input(lua_State *L)
{
    int raw = tl_opt_bool(L, 1, "raw", 0);
    tl_error err = {0};
    tl_term_claim(L);
    input *in = lua_newuserdatauv(L, sizeof *in, 0);
    memset(in, 0, sizeof *in);
    luaL_setmetatable(L, INPUT_TYPE);
    in->open = 1;
    in->watch.on_ready = on_ready;
    in->winch.on_signal = on_winch;
    in->watch.data = in->winch.data = in->read_wait.data = in;
    in->read_wait.on_cancel = cancel_read;
    tl_tty_size(&in->columns, &in->rows);
    if (tl_signal_start(tl_lua_loop(L), &in->winch, SIGWINCH, &err) < 0) return tl_raise(L, &err);
    in->raw = raw && tl_tty_raw(STDIN_FILENO, 1) == 0;
    return 1;
}

static input *check(lua_State *L)
{
    input *in = luaL_checkudata(L, 1, INPUT_TYPE);
    if (!in->open) tl_raisef(L, "closed", "the input is closed");
    return in;
}

static int k_read(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    input *in = lua_touserdata(L, 1);
    char bytes[CHUNK];
    if (!in->open) return 0;
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got > 0) {
        lua_pushlstring(L, bytes, (size_t)got);
        return 1;
    }
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) return 0; /* a terminal that went away ends too */
    in->read_wait.woken = 0;
    tl_watch_start(tl_lua_loop(L), &in->watch, STDIN_FILENO, POLLIN);
    return tl_await(L, &in->read_wait, 0, k_read);
}

/* Waits before it reads: the descriptor blocks. */
static int l_read(lua_State *L)
{
    input *in = check(L);
    if (in->read_wait.task) return tl_raisef(L, "usage", "another task reads the input already");
    lua_settop(L, 1);
    in->read_wait.woken = 0;
    tl_watch_start(tl_lua_loop(L), &in->watch, STDIN_FILENO, POLLIN);
    return tl_await(L, &in->read_wait, 0, k_read);
}

static int k_resized(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    input *in = lua_touserdata(L, 1);
    int columns, rows;
    if (!in->open) return 0;
    tl_tty_size(&columns, &rows);
    if (columns == in->columns && rows == in->rows) {
        in->size_wait.woken = 0;
        return tl_await(L, &in->size_wait, 0, k_resized);
    }
    in->columns = columns;
    in->rows = rows;
    lua_pushinteger(L, columns);
    lua_pushinteger(L, rows);
    return 2;
}

static int l_resized(lua_State *L)
{
    if (check(L)->size_wait.task) return tl_raisef(L, "usage", "another task waits for the terminal's size already");
    lua_settop(L, 1);
    return k_resized(L, LUA_OK, 0);
}

void tl_term_open_input(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read", l_read},
        {"resized", l_resized},
        {"close", l_close},
        {NULL, NULL},
    };
    tl_new_type(L, INPUT_TYPE, methods, l_release);
}
