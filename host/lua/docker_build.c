/* Handles of module docker for builds by another program than the engine's API: contexts as bytes, messages as events. */
#include <string.h>

#include "lua/convert.h"
#include "lua/docker.h"
#include "lua/error.h"

#define CONTEXT_TYPE "todo.docker.Context"
#define PROGRESS_TYPE "todo.docker.Progress"
#define PIECE ((size_t)256 << 10)

/* Contexts. */

static int l_release_context(lua_State *L)
{
    tl_context **slot = lua_touserdata(L, 1);
    tl_context_free(*slot);
    *slot = NULL;
    return 0;
}

static int l_close_context(lua_State *L)
{
    luaL_checkudata(L, 1, CONTEXT_TYPE);
    return l_release_context(L);
}

static tl_context *check_context(lua_State *L)
{
    tl_context **slot = luaL_checkudata(L, 1, CONTEXT_TYPE);
    if (!*slot) tl_raisef(L, "closed", "the build context is closed");
    return *slot;
}

/* context(options): dir, dockerfile, ignore_file, files */
int tl_docker_l_context(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    tl_context **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, CONTEXT_TYPE);
    *slot = tl_docker_open_context(L, 1);
    lua_settop(L, 2);
    return 1;
}

/* dockerfile(): its name in the archive, and whether it is one that only rules in the archive keep out of the image */
static int l_dockerfile(lua_State *L)
{
    const tl_context *context = check_context(L);
    lua_pushstring(L, tl_context_dockerfile(context));
    lua_pushboolean(L, tl_context_hides_dockerfile(context));
    return 2;
}

/* read(): bytes of the archive; nil at its end */
static int l_read(lua_State *L)
{
    tl_error err = {0};
    tl_context *context = check_context(L);
    luaL_Buffer buffer;
    char *room = luaL_buffinitsize(L, &buffer, PIECE);
    int64_t got = tl_context_read(context, room, PIECE, &err);
    if (got < 0) return tl_raise(L, &err);
    luaL_pushresultsize(&buffer, (size_t)got);
    return got > 0;
}

/* Progress. */

typedef struct progress {
    tl_progress *progress;
    lua_State *L; /* during a feed, which collects events in the table at index 3 */
} progress;

static int l_release_progress(lua_State *L)
{
    progress *p = lua_touserdata(L, 1);
    tl_progress_free(p->progress);
    p->progress = NULL;
    return 0;
}

static progress *check_progress(lua_State *L)
{
    progress *p = luaL_checkudata(L, 1, PROGRESS_TYPE);
    if (!p->progress) tl_raisef(L, "closed", "the progress is closed");
    return p;
}

static void on_event(void *context, const tl_progress_event *event)
{
    progress *p = context;
    if (!p->L) return;
    const tl_transfer_event copy = tl_transfer_event_of(event);
    tl_docker_push_event(p->L, &copy);
    lua_rawseti(p->L, 3, (lua_Integer)lua_rawlen(p->L, 3) + 1);
}

int tl_docker_l_progress(lua_State *L)
{
    tl_error err = {0};
    progress *p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, PROGRESS_TYPE);
    p->progress = tl_progress_new(on_event, p, &err);
    return p->progress ? 1 : tl_raise(L, &err);
}

/* feed(bytes): a list of events */
static int l_feed(lua_State *L)
{
    tl_error err = {0};
    size_t length;
    progress *p = check_progress(L);
    const char *bytes = luaL_checklstring(L, 2, &length);
    lua_settop(L, 2);
    lua_newtable(L);
    p->L = L;
    int fed = tl_progress_feed(p->progress, bytes, length, &err);
    p->L = NULL;
    return fed < 0 ? tl_raise(L, &err) : 1;
}

/* finish(failure): whether every step came from the cache; raises the failure, which is a text or was among the messages */
static int l_finish(lua_State *L)
{
    tl_error err = {0};
    progress *p = check_progress(L);
    const char *failure = luaL_optstring(L, 2, NULL);
    p->L = NULL;
    if (failure) tl_progress_fail(p->progress, failure);
    if (tl_progress_end(p->progress, &err) < 0) return tl_docker_raise_failure(L, p->progress, &err);
    lua_pushboolean(L, tl_progress_cached(p->progress));
    return 1;
}

static const luaL_Reg context_methods[] = {
    {"dockerfile", l_dockerfile},
    {"read", l_read},
    {"close", l_close_context},
    {NULL, NULL},
};

static const luaL_Reg progress_methods[] = {
    {"feed", l_feed},
    {"finish", l_finish},
    {NULL, NULL},
};

void tl_docker_build_open(lua_State *L)
{
    tl_new_type(L, CONTEXT_TYPE, context_methods, l_release_context);
    tl_new_type(L, PROGRESS_TYPE, progress_methods, l_release_progress);
}
