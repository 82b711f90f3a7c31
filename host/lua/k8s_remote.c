/* Methods of the Kubernetes client that reach into pods: exec, attach, forward. */
#include <string.h>

#include "k8s/remote.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/k8s.h"

#define SESSION_TYPE "todo.k8s.Session"
#define FORWARD_TYPE "todo.k8s.Forward"
#define MOST_HELD ((size_t)1 << 20) /* bytes that wait for the script, or for the network */

typedef struct session {
    tl_remote *remote; /* NULL once closed */
    tl_wait open_wait, read_wait, write_wait, end_wait;
    tl_buf held[2]; /* standard output, standard error */
    int opened, paused, read;
    int columns, rows; /* of the terminal to begin with */
    int dropping; /* nobody has read anything, and the script waits for the end */
} session;

static int l_release(lua_State *L)
{
    session *s = lua_touserdata(L, 1);
    tl_remote_free(s->remote);
    s->remote = NULL;
    for (int i = 0; i < 2; i++) tl_buf_dispose(&s->held[i]);
    tl_wake(&s->read_wait);
    tl_wake(&s->write_wait);
    tl_wake(&s->end_wait);
    return 0;
}

static int l_gc(lua_State *L)
{
    session *s = lua_touserdata(L, 1);
    l_release(L);
    tl_wait *waits[] = {&s->open_wait, &s->read_wait, &s->write_wait, &s->end_wait};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) tl_wait_stop(waits[i]);
    return 0;
}

static session *check(lua_State *L)
{
    session *s = luaL_testudata(L, 1, FORWARD_TYPE);
    return s ? s : luaL_checkudata(L, 1, SESSION_TYPE);
}

static session *check_open(lua_State *L)
{
    session *s = check(L);
    if (!s->remote) tl_raisef(L, "closed", "the stream is closed");
    return s;
}

static int l_close(lua_State *L)
{
    check(L);
    return l_release(L);
}

static void on_output(void *data, int stream, const char *bytes, size_t length)
{
    session *s = data;
    if (s->dropping) return;
    tl_buf_add(&s->held[stream - 1], bytes, length);
    if (s->held[0].len + s->held[1].len > MOST_HELD && !s->paused) {
        s->paused = 1;
        tl_remote_pause(s->remote, 1);
    }
    tl_wake(&s->read_wait);
}

static void on_change(void *data)
{
    session *s = data;
    s->opened |= tl_remote_open(s->remote);
    int ended = tl_remote_ended(s->remote);
    if (s->opened || ended) tl_wake(&s->open_wait);
    if (ended || tl_remote_unsent(s->remote) < MOST_HELD) tl_wake(&s->write_wait);
    if (!ended) return;
    tl_wake(&s->read_wait);
    tl_wake(&s->end_wait);
}

static void cancel_open(tl_wait *wait)
{
    session *s = wait->data;
    tl_remote_free(s->remote);
    s->remote = NULL;
}

/* ---- start ---- */

/* The client's userdata lives at least as long as the session. */
static session *push_session(lua_State *L, const char *type)
{
    session *s = lua_newuserdatauv(L, sizeof *s, 1);
    memset(s, 0, sizeof *s);
    for (int i = 0; i < 2; i++) tl_buf_init(&s->held[i], SIZE_MAX);
    s->open_wait.on_cancel = cancel_open;
    s->open_wait.data = s;
    luaL_setmetatable(L, type);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return s;
}

static int k_open(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    session *s = lua_touserdata(L, (int)index);
    tl_error err = {0};
    int code;
    lua_settop(L, (int)index);
    if (!s->remote) return tl_raisef(L, "closed", "the stream was closed while it opened");
    if (s->opened) return 1;
    tl_remote_result(s->remote, &code, &err);
    return tl_raise(L, &err);
}

/* Starts it and waits until it is open; the session is on top of the stack. */
static int start(lua_State *L, session *s, tl_remote_options *options, const char *input, size_t length)
{
    tl_error err = {0};
    options->on_output = on_output;
    options->on_change = on_change;
    options->data = s;
    s->remote = tl_remote_start(tl_lua_k8s_check(L), options, &err);
    if (!s->remote) return tl_raise(L, &err);
    if (s->columns > 0 && s->rows > 0) tl_remote_resize(s->remote, s->columns, s->rows);
    if (input) {
        tl_remote_write(s->remote, input, length);
        tl_remote_close_input(s->remote, &err);
    }
    return tl_await(L, &s->open_wait, lua_gettop(L), k_open);
}

static const char *const *command_option(lua_State *L, tl_arena *arena)
{
    if (lua_getfield(L, 3, "command") != LUA_TTABLE)
        tl_raisef(L, "usage", "option command: a list of the program and its arguments expected");
    size_t count = (size_t)luaL_len(L, -1);
    if (!count) tl_raisef(L, "usage", "option command: the program is missing");
    const char **command = tl_arena_zalloc(arena, (count + 1) * sizeof *command);
    for (size_t i = 0; i < count; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1);
        size_t length;
        const char *word = lua_tolstring(L, -1, &length);
        if (!word || strlen(word) != length) tl_raisef(L, "usage", "option command: strings without NUL expected");
        command[i] = tl_arena_strdup(arena, word);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return command;
}

/* size = { columns, rows } of the terminal */
static void size_option(lua_State *L, int *columns, int *rows)
{
    *columns = *rows = 0;
    if (!lua_istable(L, 3) || lua_getfield(L, 3, "size") != LUA_TTABLE) return;
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    *columns = (int)luaL_checkinteger(L, -2);
    *rows = (int)luaL_checkinteger(L, -1);
}

static int start_process(lua_State *L, tl_remote_kind kind)
{
    tl_lua_k8s_check(L);
    const char *pod = luaL_checkstring(L, 2), *input = NULL;
    lua_settop(L, 3);
    if (kind == TL_REMOTE_EXEC || !lua_isnil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
    tl_arena *arena = tl_push_arena(L, 0);
    size_t length = 0;
    if (lua_istable(L, 3) && lua_getfield(L, 3, "stdin") == LUA_TSTRING) input = lua_tolstring(L, -1, &length);
    int wants_input = input || (lua_gettop(L) > 4 && lua_toboolean(L, -1));
    tl_remote_options options = {.kind = kind,
                                 .pod = pod,
                                 .namespace = tl_lua_k8s_text(L, 3, "namespace", arena),
                                 .container = tl_lua_k8s_text(L, 3, "container", arena),
                                 .command = kind == TL_REMOTE_EXEC ? command_option(L, arena) : NULL,
                                 .stdin = wants_input,
                                 .tty = tl_opt_bool(L, 3, "tty", 0),
                                 .timeout_ms = tl_opt_ms(L, 3, "timeout", 0)};
    int columns, rows;
    size_option(L, &columns, &rows);
    session *s = push_session(L, SESSION_TYPE);
    s->columns = columns;
    s->rows = rows;
    return start(L, s, &options, input, length);
}

static int l_exec(lua_State *L)
{
    return start_process(L, TL_REMOTE_EXEC);
}

static int l_attach(lua_State *L)
{
    return start_process(L, TL_REMOTE_ATTACH);
}

static int l_forward(lua_State *L)
{
    tl_lua_k8s_check(L);
    const char *pod = luaL_checkstring(L, 2);
    lua_Integer port = luaL_checkinteger(L, 3);
    luaL_argcheck(L, port > 0 && port < 65536, 3, "a port number expected");
    lua_settop(L, 4);
    if (!lua_isnil(L, 4)) luaL_checktype(L, 4, LUA_TTABLE);
    tl_arena *arena = tl_push_arena(L, 0);
    tl_remote_options options = {.kind = TL_REMOTE_FORWARD,
                                 .pod = pod,
                                 .port = (int)port,
                                 .namespace = tl_lua_k8s_text(L, 4, "namespace", arena),
                                 .timeout_ms = tl_opt_ms(L, 4, "timeout", 0),
                                 .silence_ms = tl_opt_ms(L, 4, "silence", 0)};
    session *s = push_session(L, FORWARD_TYPE);
    return start(L, s, &options, NULL, 0);
}

/* ---- reading ---- */

/* Pushes what is held of a stream. */
static void push_held(lua_State *L, session *s, int stream)
{
    lua_pushlstring(L, s->held[stream].data, s->held[stream].len);
    tl_buf_clear(&s->held[stream]);
    if (!s->paused || s->held[0].len + s->held[1].len > MOST_HELD) return;
    s->paused = 0;
    tl_remote_pause(s->remote, 0);
}

/* The end of a forward: an error is raised, a process's is told by wait(). */
static int end_of_read(lua_State *L, session *s)
{
    tl_error err = {0};
    int code;
    if (luaL_testudata(L, 1, SESSION_TYPE) || !tl_remote_result(s->remote, &code, &err)) return 0;
    return tl_raise(L, &err);
}

static int k_read(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    session *s = lua_touserdata(L, 1);
    if (!s->remote) return 0;
    for (int i = 0; i < 2; i++) {
        if (!s->held[i].len) continue;
        int process = luaL_testudata(L, 1, SESSION_TYPE) != NULL;
        if (process) lua_pushstring(L, i ? "stderr" : "stdout");
        push_held(L, s, i);
        return process ? 2 : 1;
    }
    if (tl_remote_ended(s->remote)) return end_of_read(L, s);
    s->read_wait.woken = 0;
    return tl_await(L, &s->read_wait, 0, k_read);
}

static int l_read(lua_State *L)
{
    session *s = check_open(L);
    if (s->read_wait.task) return tl_raisef(L, "usage", "another task reads this stream already");
    s->read = 1;
    lua_settop(L, 1);
    return k_read(L, LUA_OK, 0);
}

/* ---- writing ---- */

static int k_write(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    session *s = lua_touserdata(L, 1);
    if (!s->remote || tl_remote_ended(s->remote) || tl_remote_unsent(s->remote) < MOST_HELD) return 0;
    s->write_wait.woken = 0;
    return tl_await(L, &s->write_wait, 0, k_write);
}

static int l_write(lua_State *L)
{
    size_t length;
    session *s = check_open(L);
    const char *bytes = luaL_checklstring(L, 2, &length);
    if (s->write_wait.task) return tl_raisef(L, "usage", "another task writes to this stream already");
    if (tl_remote_ended(s->remote)) return tl_raisef(L, "closed", "the other side has ended the stream");
    tl_remote_write(s->remote, bytes, length);
    lua_settop(L, 1);
    return k_write(L, LUA_OK, 0);
}

static int l_close_stdin(lua_State *L)
{
    tl_error err = {0};
    return tl_remote_close_input(check_open(L)->remote, &err) ? tl_raise(L, &err) : 0;
}

static int l_resize(lua_State *L)
{
    session *s = check_open(L);
    lua_Integer columns = luaL_checkinteger(L, 2), rows = luaL_checkinteger(L, 3);
    luaL_argcheck(L, columns > 0 && columns < 65536, 2, "a number of columns expected");
    luaL_argcheck(L, rows > 0 && rows < 65536, 3, "a number of rows expected");
    tl_remote_resize(s->remote, (int)columns, (int)rows);
    return 0;
}

/* ---- the end ---- */

static int k_wait(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    session *s = lua_touserdata(L, 1);
    tl_error err = {0};
    int code;
    if (!s->remote) return tl_raisef(L, "closed", "the stream is closed");
    if (!tl_remote_ended(s->remote)) {
        s->end_wait.woken = 0;
        return tl_await(L, &s->end_wait, 0, k_wait);
    }
    if (tl_remote_result(s->remote, &code, &err)) return tl_raise(L, &err);
    lua_pushinteger(L, code);
    return 1;
}

static int l_wait(lua_State *L)
{
    session *s = check_open(L);
    if (s->end_wait.task) return tl_raisef(L, "usage", "another task waits for this process already");
    if (!s->read) {
        s->dropping = 1;
        for (int i = 0; i < 2; i++) tl_buf_clear(&s->held[i]);
        if (s->paused) tl_remote_pause(s->remote, 0);
        s->paused = 0;
    }
    lua_settop(L, 1);
    return k_wait(L, LUA_OK, 0);
}

void tl_lua_k8s_remote(lua_State *L)
{
    static const luaL_Reg session_methods[] = {
        {"read", l_read},
        {"write", l_write},
        {"close_stdin", l_close_stdin},
        {"resize", l_resize},
        {"wait", l_wait},
        {"close", l_close},
        {NULL, NULL},
    };
    static const luaL_Reg forward_methods[] = {
        {"read", l_read},
        {"write", l_write},
        {"close", l_close},
        {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"exec", l_exec},
        {"attach", l_attach},
        {"forward", l_forward},
        {NULL, NULL},
    };
    tl_new_type(L, SESSION_TYPE, session_methods, l_gc);
    tl_new_type(L, FORWARD_TYPE, forward_methods, l_gc);
    static const char *const types[] = {SESSION_TYPE, FORWARD_TYPE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        luaL_getmetatable(L, types[i]);
        lua_pushcfunction(L, l_release);
        lua_setfield(L, -2, "__close");
        lua_pop(L, 1);
    }
    luaL_setfuncs(L, methods, 0);
}
