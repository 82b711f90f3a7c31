/* The host's modules: name and opener. */
#include "lua/modules.h"

#include <lauxlib.h>

int luaopen_chart(lua_State *L);
int luaopen_docker(lua_State *L);
int luaopen_fs(lua_State *L);
int luaopen_http(lua_State *L);
int luaopen_json(lua_State *L);
int luaopen_k8s(lua_State *L);
int luaopen_proc(lua_State *L);
int luaopen_program(lua_State *L);
int luaopen_secret(lua_State *L);
int luaopen_task(lua_State *L);
int luaopen_term(lua_State *L);
int luaopen_yaml(lua_State *L);

static const luaL_Reg modules[] = {
    {"chart", luaopen_chart},
    {"docker", luaopen_docker},
    {"fs", luaopen_fs},
    {"http", luaopen_http},
    {"json", luaopen_json},
    {"k8s", luaopen_k8s},
    {"proc", luaopen_proc},
    {"program", luaopen_program},
    {"secret", luaopen_secret},
    {"task", luaopen_task},
    {"term", luaopen_term},
    {"yaml", luaopen_yaml},
    {NULL, NULL},
};

void tl_modules_open(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    luaL_setfuncs(L, modules, 0);
    lua_pop(L, 1);
}
