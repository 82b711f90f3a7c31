/* A Lua state in which a stranger's code cannot reach out, nor run on. */
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lua/convert.h"

#define CHECK_EVERY 1000 /* instructions */
/* Steps that a pattern may take in the worst case, and items that table.move may. No hook sees these. */
#define MAX_STEPS 1e9
#define MAX_MOVED 1000000

struct tl_sandbox {
    lua_State *L;
    size_t used;
    uint64_t instructions;
    double spent, entered; /* milliseconds of all calls before, and when this one began */
    const char *over;      /* the bound that was met: nothing runs any more */
};

static void *allocate(void *context, void *old, size_t old_size, size_t size)
{
    tl_sandbox *s = context;
    size_t before = old ? old_size : 0;
    if (!size) {
        s->used -= before;
        free(old);
        return NULL;
    }
    if (s->used - before + size > TL_SANDBOX_MEMORY) return NULL;
    s->used = s->used - before + size;
    return tl_realloc(old, size);
}

static tl_sandbox *owner(lua_State *L)
{
    return *(tl_sandbox **)lua_getextraspace(L);
}

int tl_sandbox_raise(lua_State *L, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    luaL_where(L, 1);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 2);
    return lua_error(L);
}

/* Raised again at every instruction and call once a bound was met, so that no pcall holds it for long. */
static void on_hook(lua_State *L, lua_Debug *ar)
{
    tl_sandbox *s = owner(L);
    if (ar->event == LUA_HOOKCOUNT) s->instructions += CHECK_EVERY;
    if (!s->over && s->instructions > TL_SANDBOX_INSTRUCTIONS) s->over = "the chart's Lua takes too many instructions";
    if (!s->over && s->spent + tl_clock_ms() - s->entered > TL_SANDBOX_MS) s->over = "the chart's Lua takes too long";
    if (!s->over) return;
    lua_sethook(L, on_hook, LUA_MASKCOUNT | LUA_MASKCALL, 1);
    luaL_where(L, 0);
    lua_pushstring(L, s->over);
    lua_concat(L, 2);
    lua_error(L);
}

/* ---- guards of library functions: the upvalue is the function itself ---- */

static int call_guarded(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* What the pattern may cost on a text: each repetition may try each length, at each start. */
static double pattern_steps(const char *pattern, size_t size, double length)
{
    double steps = 1, repeated = 0;
    int in_set = 0;
    if (!size || *pattern != '^') steps *= length / ++repeated;
    for (size_t i = 0; i < size; i++) {
        if (pattern[i] == '%') {
            i++;
        } else if (in_set) {
            in_set = pattern[i] != ']';
        } else if (pattern[i] == '[') {
            in_set = 1;
            i += i + 1 < size && pattern[i + 1] == '^';
            i += i + 1 < size && pattern[i + 1] == ']';
        } else if (strchr("*+-", pattern[i]) && pattern[i]) {
            steps *= length / ++repeated;
        } else if (pattern[i] == '?') {
            steps *= 2;
        }
    }
    return steps;
}

static int l_pattern(lua_State *L)
{
    size_t length, size;
    luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &size);
    if (length > 16 && pattern_steps(pattern, size, (double)length + 1) > MAX_STEPS)
        return tl_sandbox_raise(L, "the text is too long for this pattern");
    return call_guarded(L);
}

/* Plain searches have no pattern. */
static int l_find(lua_State *L)
{
    return lua_toboolean(L, 4) ? call_guarded(L) : l_pattern(L);
}

static int l_rep(lua_State *L)
{
    size_t length, separator;
    luaL_checklstring(L, 1, &length);
    luaL_optlstring(L, 3, "", &separator);
    if (length + separator) return call_guarded(L);
    lua_pushliteral(L, "");
    return 1;
}

static int l_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);
    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from >= MAX_MOVED) return tl_sandbox_raise(L, "too many elements to move");
    return call_guarded(L);
}

/* A finalizer would run without hooks. */
static int l_setmetatable(lua_State *L)
{
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL) return tl_sandbox_raise(L, "__gc is not supported in charts");
        lua_pop(L, 1);
    }
    return call_guarded(L);
}

static int l_list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    tl_mark_list(L, 1);
    return 1;
}

/* ---- the state ---- */

static const struct {
    const char *library, *name; /* library NULL: global */
    lua_CFunction guard;        /* NULL: taken away */
} changes[] = {
    {NULL, "collectgarbage", NULL}, {NULL, "dofile", NULL},         {NULL, "getmetatable", NULL},
    {NULL, "load", NULL},           {NULL, "loadfile", NULL},       {NULL, "print", NULL},
    {NULL, "warn", NULL},           {NULL, "setmetatable", l_setmetatable},
    {"math", "random", NULL},       {"math", "randomseed", NULL},   {"string", "dump", NULL},
    {"string", "find", l_find},     {"string", "gmatch", l_pattern}, {"string", "gsub", l_pattern},
    {"string", "match", l_pattern}, {"string", "rep", l_rep},       {"table", "move", l_move},
};

static void restrict_libraries(lua_State *L)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        lua_pushglobaltable(L);
        if (changes[i].library) lua_getfield(L, -1, changes[i].library);
        if (changes[i].guard) {
            lua_getfield(L, -1, changes[i].name);
            lua_pushcclosure(L, changes[i].guard, 1);
        } else {
            lua_pushnil(L);
        }
        lua_setfield(L, -2, changes[i].name);
        lua_settop(L, 0);
    }
}

static int l_open(lua_State *L)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},           {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},     {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    restrict_libraries(L);
    lua_pushglobaltable(L);
    lua_pushcfunction(L, l_list);
    lua_setfield(L, -2, "list");
    tl_push_null(L);
    lua_setfield(L, -2, "null");
    return 0;
}

tl_sandbox *tl_sandbox_new(void)
{
    tl_sandbox *s = tl_calloc(1, sizeof *s);
    tl_error ignored = {0}; /* the libraries fit in */
    s->L = lua_newstate(allocate, s);
    *(tl_sandbox **)lua_getextraspace(s->L) = s;
    tl_sandbox_run(s, l_open, NULL, &ignored);
    tl_error_dispose(&ignored);
    return s;
}

void tl_sandbox_free(tl_sandbox *sandbox)
{
    if (!sandbox) return;
    lua_close(sandbox->L);
    free(sandbox);
}

lua_State *tl_sandbox_state(tl_sandbox *sandbox)
{
    return sandbox->L;
}

int tl_sandbox_run(tl_sandbox *s, lua_CFunction work, void *data, tl_error *err)
{
    lua_State *L = s->L;
    s->entered = tl_clock_ms();
    lua_pushcfunction(L, work);
    lua_pushlightuserdata(L, data);
    lua_sethook(L, on_hook, LUA_MASKCOUNT | LUA_MASKCALL, CHECK_EVERY);
    int status = lua_pcall(L, 1, 0, 0);
    lua_sethook(L, NULL, 0, 0);
    s->spent += tl_clock_ms() - s->entered;
    if (status == LUA_ERRMEM) {
        tl_error_set(err, "limit", "the chart's Lua needs more than %zu MiB", TL_SANDBOX_MEMORY >> 20);
    } else if (status != LUA_OK) {
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        tl_error_set(err, s->over ? "limit" : "script", "%s", text ? text : "the chart's Lua raised no text");
    }
    lua_settop(L, 0);
    return status == LUA_OK ? 0 : -1;
}
