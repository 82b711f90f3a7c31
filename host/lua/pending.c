/* Stand-ins until the modules land; to be removed. */
#include <string.h>
#include <unistd.h>
#include "lua/secret.h"
#include "lua/term.h"
__attribute__((weak)) const char *tl_secret_text(lua_State *L, int i, size_t *n) { (void)L; (void)i; (void)n; return NULL; }
__attribute__((weak)) void tl_term_open(lua_State *L) { (void)L; }
__attribute__((weak)) void tl_term_write(lua_State *L, int fd, const char *t, size_t n) { (void)L; ssize_t r = write(fd, t, n); (void)r; }
__attribute__((weak)) int tl_term_set_color(const char *w) { (void)w; return 0; }
int luaopen_chart(lua_State *L);
int luaopen_chart(lua_State *L) { (void)L; return 0; }
int luaopen_docker(lua_State *L);
int luaopen_docker(lua_State *L) { (void)L; return 0; }
int luaopen_fs(lua_State *L);
int luaopen_fs(lua_State *L) { (void)L; return 0; }
int luaopen_json(lua_State *L);
int luaopen_json(lua_State *L) { (void)L; return 0; }
int luaopen_secret(lua_State *L);
int luaopen_secret(lua_State *L) { (void)L; return 0; }
int luaopen_term(lua_State *L);
int luaopen_term(lua_State *L) { (void)L; return 0; }
int luaopen_yaml(lua_State *L);
int luaopen_yaml(lua_State *L) { (void)L; return 0; }
