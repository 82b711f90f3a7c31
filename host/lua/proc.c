/* Module proc: child processes and this process's surroundings; lua/lib/proc.lua adds run. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "loop/child.h"
#include "loop/process.h"
#include "lua/await.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/program.h"
#include "lua/secret.h"
#include "lua/term.h"

#define PROCESS_TYPE "todo.proc.Process"
#define CHUNK 65536
#define GRACE_MS 5000 /* between SIGTERM and SIGKILL */

extern char **environ;

/* One pipe end and the task that waits for it to become ready. */
typedef struct pipe_end {
    int fd;
    tl_watch watch;
    tl_wait wait;
} pipe_end;

typedef struct process {
    tl_child child;
    pipe_end ends[3];
    tl_wait exit_wait;
    int started, detached, closed;
} process;

static process *check_process(lua_State *L)
{
    process *p = luaL_checkudata(L, 1, PROCESS_TYPE);
    if (p->closed) tl_raisef(L, "closed", "the process handle is closed");
    return p;
}

static void close_end(pipe_end *end)
{
    tl_watch_stop(&end->watch);
    if (end->fd >= 0) close(end->fd);
    end->fd = -1;
    tl_wake(&end->wait); /* a task that waits here sees the end of the stream */
}

static int l_close(lua_State *L)
{
    process *p = luaL_checkudata(L, 1, PROCESS_TYPE);
    if (p->closed) return 0;
    p->closed = 1;
    if (!p->started) return 0;
    for (int i = 0; i < 3; i++) close_end(&p->ends[i]);
    tl_child_stop(&p->child, p->detached ? -1 : GRACE_MS);
    tl_wake(&p->exit_wait); /* a task that waits for the end learns that nobody knows it any more */
    return 0;
}

static void on_exit_of(tl_child *child)
{
    tl_wake(&((process *)child->data)->exit_wait);
}

static void on_end_ready(tl_watch *watch, short revents)
{
    (void)revents;
    pipe_end *end = watch->data;
    tl_watch_stop(watch);
    tl_wake(&end->wait);
}

static void cancel_end(tl_wait *wait)
{
    tl_watch_stop(&((pipe_end *)wait->data)->watch);
}

/* Options. */

static tl_stdio stdio_of(lua_State *L, const char *name, tl_stdio fallback, int *fd)
{
    const char *text = tl_opt_string(L, 2, name, NULL);
    if (!text) return fallback;
    if (!strcmp(text, "inherit")) return TL_STDIO_INHERIT;
    if (!strcmp(text, "null")) return TL_STDIO_NULL;
    if (!strcmp(text, "pipe")) return TL_STDIO_PIPE;
    if (!strcmp(text, "stdout")) return TL_STDIO_STDOUT;
    if (text[0] == '/') {
        *fd = open(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (*fd < 0) {
            tl_error err = {0};
            tl_error_errno(&err, errno, "cannot open %s", text);
            tl_raise(L, &err);
        }
        return TL_STDIO_FD;
    }
    tl_raisef(L, "usage", "option %s: \"inherit\", \"null\", \"pipe\", \"stdout\" or an absolute path expected", name);
    return fallback;
}

static void read_stdio(lua_State *L, tl_child_options *o)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    for (int i = 0; i < 3; i++) {
        o->stdio[i] = stdio_of(L, names[i], i ? TL_STDIO_PIPE : TL_STDIO_NULL, &o->fds[i]);
        if (o->stdio[i] == TL_STDIO_INHERIT) tl_term_claim(L);
    }
}

static const char **read_argv(lua_State *L, tl_arena *arena)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer count = luaL_len(L, 1);
    luaL_argcheck(L, count > 0, 1, "the program's name and its arguments expected");
    const char **argv = tl_arena_zalloc(arena, ((size_t)count + 1) * sizeof *argv);
    for (lua_Integer i = 1; i <= count; i++) {
        int type = lua_geti(L, 1, i);
        if (type == LUA_TUSERDATA && tl_secret_text(L, -1, NULL))
            tl_raisef(L, "usage", "argument %d is a secret: others can see command lines; use stdin or env", (int)i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            tl_raisef(L, "usage", "argument %d: string expected, got %s", (int)i, luaL_typename(L, -1));
        argv[i - 1] = tl_arena_strdup(arena, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return argv;
}

static int same_name(const char *pair, const char *name)
{
    size_t length = strlen(name);
    return strncmp(pair, name, length) == 0 && pair[length] == '=';
}

/* NULL: the environment as it is. */
static const char **read_env(lua_State *L, tl_arena *arena)
{
    int clear = tl_opt_bool(L, 2, "clear_env", 0);
    int have = lua_istable(L, 2) && lua_getfield(L, 2, "env") == LUA_TTABLE;
    if (!have && !clear) return NULL;
    tl_list *pairs = tl_list_new(arena, 64);
    for (char **e = environ; !clear && *e; e++) tl_list_push(arena, pairs, tl_cstring_ref(*e));
    int table = lua_gettop(L);
    if (have) lua_pushnil(L);
    while (have && lua_next(L, table)) {
        if (lua_type(L, -2) != LUA_TSTRING) tl_raisef(L, "usage", "option env: names are strings");
        const char *name = lua_tostring(L, -2);
        for (size_t i = 0; i < pairs->len; i++)
            if (same_name(pairs->items[i].as.s, name)) pairs->items[i--] = pairs->items[--pairs->len];
        const char *text = lua_isuserdata(L, -1) ? tl_secret_text(L, -1, NULL) : lua_tostring(L, -1);
        if (text)
            tl_list_push(arena, pairs, tl_cstring_ref(tl_arena_printf(arena, "%s=%s", name, text)));
        else if (lua_type(L, -1) != LUA_TBOOLEAN || lua_toboolean(L, -1))
            tl_raisef(L, "usage", "option env: %s: string or false expected", name);
        lua_pop(L, 1);
    }
    const char **env = tl_arena_zalloc(arena, (pairs->len + 1) * sizeof *env);
    for (size_t i = 0; i < pairs->len; i++) env[i] = pairs->items[i].as.s;
    return env;
}

static process *push_process(lua_State *L)
{
    process *p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    for (int i = 0; i < 3; i++) {
        p->ends[i].fd = -1;
        p->ends[i].watch.data = p->ends[i].wait.data = &p->ends[i];
        p->ends[i].watch.on_ready = on_end_ready;
        p->ends[i].wait.on_cancel = cancel_end;
    }
    luaL_setmetatable(L, PROCESS_TYPE);
    return p;
}

static int l_spawn(lua_State *L)
{
    lua_settop(L, 2);
    tl_error err = {0};
    tl_arena *arena = tl_push_arena(L, 0);
    tl_child_options o = {.argv = read_argv(L, arena), .fds = {-1, -1, -1}};
    o.env = read_env(L, arena);
    o.cwd = tl_opt_string(L, 2, "cwd", NULL);
    o.detached = tl_opt_bool(L, 2, "detached", 0);
    process *p = push_process(L);
    int handle = lua_gettop(L);
    read_stdio(L, &o);
    p->child.on_exit = on_exit_of;
    p->child.data = p;
    p->detached = o.detached;
    int rc = tl_child_start(tl_lua_loop(L), &p->child, &o, &err);
    for (int i = 1; i < 3; i++)
        if (o.stdio[i] == TL_STDIO_FD) close(o.fds[i]);
    if (rc < 0) return tl_raise(L, &err);
    p->started = 1;
    for (int i = 0; i < 3; i++) p->ends[i].fd = p->child.pipes[i];
    lua_settop(L, handle);
    return 1;
}

/* Methods that wait. */

static int push_chunk(lua_State *L, pipe_end *end);

static int k_read(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    process *p = lua_touserdata(L, 1);
    p->ends[index].wait.woken = 0;
    return push_chunk(L, &p->ends[index]);
}

static int wait_for(lua_State *L, pipe_end *end, short events, lua_KFunction k)
{
    process *p = lua_touserdata(L, 1);
    if (end->wait.task) return tl_raisef(L, "usage", "another task waits for this stream already");
    end->wait.woken = 0;
    tl_watch_start(tl_lua_loop(L), &end->watch, end->fd, events);
    return tl_await(L, &end->wait, end - p->ends, k);
}

static int push_chunk(lua_State *L, pipe_end *end)
{
    if (end->fd < 0) return 0;
    luaL_Buffer b;
    char *room = luaL_buffinitsize(L, &b, CHUNK);
    ssize_t got;
    do got = read(end->fd, room, CHUNK);
    while (got < 0 && errno == EINTR);
    luaL_pushresultsize(&b, got > 0 ? (size_t)got : 0);
    if (got > 0) return 1;
    lua_pop(L, 1);
    if (got < 0 && errno == EAGAIN) return wait_for(L, end, POLLIN, k_read);
    close_end(end);
    return 0;
}

static int l_read(lua_State *L)
{
    process *p = check_process(L);
    lua_settop(L, 1);
    return push_chunk(L, &p->ends[1]);
}

static int l_read_err(lua_State *L)
{
    process *p = check_process(L);
    lua_settop(L, 1);
    return push_chunk(L, &p->ends[2]);
}

/* Stack: 1 process, 2 bytes, 3 offset. */
static int write_more(lua_State *L)
{
    process *p = lua_touserdata(L, 1);
    pipe_end *end = &p->ends[0];
    size_t length, offset = (size_t)lua_tointeger(L, 3);
    const char *bytes = lua_isuserdata(L, 2) ? tl_secret_text(L, 2, &length) : lua_tolstring(L, 2, &length);
    while (offset < length) {
        if (end->fd < 0) return tl_raisef(L, "closed", "the standard input of process %d is closed", (int)p->child.pid);
        ssize_t put = write(end->fd, bytes + offset, length - offset);
        if (put >= 0) {
            offset += (size_t)put;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN) {
            lua_pushinteger(L, (lua_Integer)offset);
            lua_replace(L, 3);
            return -1;
        }
        tl_error err = {0};
        tl_error_errno(&err, errno, "cannot write to process %d", (int)p->child.pid);
        return tl_raise(L, &err);
    }
    return 0;
}

static int k_write(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    process *p = lua_touserdata(L, 1);
    p->ends[index].wait.woken = 0;
    return write_more(L) < 0 ? wait_for(L, &p->ends[0], POLLOUT, k_write) : 0;
}

static int l_write(lua_State *L)
{
    process *p = check_process(L);
    if (!tl_secret_text(L, 2, NULL)) luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    return write_more(L) < 0 ? wait_for(L, &p->ends[0], POLLOUT, k_write) : 0;
}

static int l_close_stdin(lua_State *L)
{
    close_end(&check_process(L)->ends[0]);
    return 0;
}

static int k_wait(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    process *p = lua_touserdata(L, 1);
    if (p->closed) return tl_raisef(L, "closed", "the process handle was closed");
    lua_pushinteger(L, p->child.status);
    return 1;
}

static int l_wait(lua_State *L)
{
    process *p = check_process(L);
    lua_settop(L, 1);
    if (!p->child.running) return k_wait(L, LUA_OK, 0);
    if (p->exit_wait.task) return tl_raisef(L, "usage", "another task waits for this process already");
    p->exit_wait.woken = 0;
    return tl_await(L, &p->exit_wait, 0, k_wait);
}

static int signal_number(lua_State *L, int index)
{
    static const struct {
        const char *name;
        int number;
    } names[] = {{"TERM", SIGTERM}, {"KILL", SIGKILL}, {"INT", SIGINT}, {"HUP", SIGHUP},   {"STOP", SIGSTOP},
                 {"CONT", SIGCONT}, {"QUIT", SIGQUIT}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
    if (lua_isnoneornil(L, index)) return SIGTERM;
    if (lua_isinteger(L, index)) return (int)lua_tointeger(L, index);
    const char *name = luaL_checkstring(L, index);
    if (!strncmp(name, "SIG", 3)) name += 3;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i].name)) return names[i].number;
    return luaL_argerror(L, index, "unknown signal");
}

static int l_kill(lua_State *L)
{
    process *p = check_process(L);
    lua_pushboolean(L, tl_child_kill(&p->child, signal_number(L, 2)) == 0);
    return 1;
}

static int l_pid_of(lua_State *L)
{
    process *p = luaL_checkudata(L, 1, PROCESS_TYPE);
    const char *name = luaL_checkstring(L, 2);
    if (!strcmp(name, "pid")) {
        lua_pushinteger(L, p->child.pid);
        return 1;
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
}

/* This process. */

static int l_env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *before = getenv(name);
    lua_pushstring(L, before);
    if (lua_isboolean(L, 2) && !lua_toboolean(L, 2))
        unsetenv(name);
    else if (!lua_isnoneornil(L, 2))
        setenv(name, luaL_checkstring(L, 2), 1);
    return 1;
}

static int l_which(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *path = strchr(name, '/') ? "" : getenv("PATH");
    if (strchr(name, '/')) {
        if (access(name, X_OK) < 0) return 0;
        lua_settop(L, 1);
        return 1;
    }
    while (path && *path) {
        size_t length = strcspn(path, ":");
        lua_pushlstring(L, path, length);
        const char *full = lua_pushfstring(L, "%s/%s", length ? lua_tostring(L, -1) : ".", name);
        if (tl_process_is_program(full)) return 1;
        lua_pop(L, 2);
        path += length + (path[length] == ':');
    }
    return 0;
}

static int l_pid(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

static const char *go_arch(const char *machine)
{
    if (!strcmp(machine, "x86_64")) return "amd64";
    if (!strcmp(machine, "aarch64") || !strcmp(machine, "arm64")) return "arm64";
    return machine;
}

static int l_platform(lua_State *L)
{
    struct utsname u;
    char host[256] = "";
    uname(&u);
    gethostname(host, sizeof host - 1);
    const struct passwd *user = getpwuid(getuid());
    const char *home = getenv("HOME");
    lua_createtable(L, 0, 9);
    lua_pushstring(L, strcmp(u.sysname, "Darwin") ? "linux" : "darwin");
    lua_setfield(L, -2, "os");
    lua_pushstring(L, go_arch(u.machine));
    lua_setfield(L, -2, "arch");
    lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
    lua_setfield(L, -2, "cpus");
    lua_pushinteger(L, (lua_Integer)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
    lua_setfield(L, -2, "memory");
    lua_pushinteger(L, getuid());
    lua_setfield(L, -2, "uid");
    lua_pushstring(L, user ? user->pw_name : "");
    lua_setfield(L, -2, "user");
    lua_pushstring(L, home ? home : user ? user->pw_dir : "/");
    lua_setfield(L, -2, "home");
    lua_pushstring(L, host);
    lua_setfield(L, -2, "hostname");
    lua_pushboolean(L, strstr(u.release, "icrosoft") != NULL);
    lua_setfield(L, -2, "wsl");
    return 1;
}

static int l_alive(lua_State *L)
{
    int64_t start = tl_process_start_time((pid_t)luaL_checkinteger(L, 1));
    if (start < 0) return 0;
    lua_pushinteger(L, start);
    return 1;
}

static int l_signal(lua_State *L)
{
    pid_t pid = (pid_t)luaL_checkinteger(L, 1);
    int number = signal_number(L, 2);
    luaL_argcheck(L, pid > 1, 1, "a process id above 1 expected");
    if (!lua_isnoneornil(L, 3) && tl_process_start_time(pid) != luaL_checkinteger(L, 3)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int rc = kill(pid, number);
    if (rc < 0 && errno != ESRCH) {
        tl_error err = {0};
        tl_error_errno(&err, errno, "cannot signal process %d", (int)pid);
        return tl_raise(L, &err);
    }
    lua_pushboolean(L, rc == 0);
    return 1;
}

static int l_exec(lua_State *L)
{
    tl_arena *arena = tl_push_arena(L, 0);
    const char **argv = read_argv(L, arena);
    tl_error err = {0};
    fflush(NULL);
    execvp(argv[0], (char *const *)argv);
    tl_error_errno(&err, errno, "cannot run %s", argv[0]);
    return tl_raise(L, &err);
}

static int l_time(lua_State *L)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

static const luaL_Reg functions[] = {
    {"spawn", l_spawn},       {"env", l_env},     {"which", l_which},   {"pid", l_pid},   {"platform", l_platform},
    {"alive", l_alive},       {"signal", l_signal}, {"exec", l_exec},   {"time", l_time}, {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"wait", l_wait},   {"kill", l_kill},         {"write", l_write}, {"close_stdin", l_close_stdin},
    {"read", l_read},   {"read_err", l_read_err}, {"close", l_close}, {NULL, NULL},
};

int luaopen_proc(lua_State *L)
{
    tl_new_type(L, PROCESS_TYPE, methods, l_close);
    luaL_getmetatable(L, PROCESS_TYPE);
    lua_getfield(L, -1, "__index");
    lua_pushvalue(L, -1); /* lua/lib/proc.lua adds methods */
    lua_pushcclosure(L, l_pid_of, 1);
    lua_setfield(L, -3, "__index");
    lua_remove(L, -2);
    luaL_newlib(L, functions);
    lua_insert(L, -2);
    return tl_program_extend(L, "lua/lib/proc.lua", 1);
}
