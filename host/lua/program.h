#ifndef TL_LUA_PROGRAM_H
#define TL_LUA_PROGRAM_H

#include <stddef.h>

#include <lua.h>

/* One embedded file, packed by gzip, and where it is a script its bytecode (else NULL); the table is sorted by name and ends
 * with a NULL name. Made by host/embed.lua. */
typedef struct tl_embedded {
    const char *name;
    const char *packed;
    size_t packed_length;
    const char *code;
    size_t code_length;
} tl_embedded;
extern const tl_embedded tl_embedded_files[];
extern const size_t tl_embedded_count;

/* What main.c learnt from the command line; strings live as long as the program. */
typedef struct tl_program {
    const char *executable; /* full path */
    const char *project;    /* root folder that holds lua/config.lua, or NULL */
    const char *script;     /* as it was found, or NULL */
    const char *verbosity;  /* "normal", "quiet", "verbose" */
    char **args;            /* after the script's name, `count` of them */
    int count;
    int exit_status; /* set by program.exit, else -1 */
} tl_program;
extern tl_program tl_the_program;
extern const char tl_program_version[];

/* Cancels the main task (at its next wait, where it is the running one); 0 where there is none. main.c has it. */
int tl_task_main_cancel(lua_State *L);
/* The bytes of "lua/x.lua", "chart/…", "docker/…": from the project's folder, else embedded. Pushes the bytes and the
 * path on disk (nil: embedded) and returns 1, or pushes nothing and returns 0. */
int tl_program_resource(lua_State *L, const char *name);
/* Pushes the chunk of such a script and returns 1, or pushes nothing and returns 0 where there is none. Raises as
 * tl_program_load. */
int tl_program_chunk(lua_State *L, const char *name);
/* Runs the library file with the module table (below the `nargs` values on top of the stack, which are its further
 * arguments) as its first argument; leaves the table. Returns 1, so that a luaopen function can return it. */
int tl_program_extend(lua_State *L, const char *name, int nargs);
/* Replaces require and the searchers. */
void tl_program_open(lua_State *L);
/* Loads "@name" as a chunk from text, raising kind "script" with its line on a syntax error. Text that is embedded under
 * that name is not compiled again: its bytecode is taken. */
void tl_program_load(lua_State *L, const char *bytes, size_t length, const char *chunk_name);
/* Pushes the chunk of a script on disk and returns 1, or pushes nothing and returns 0 where it cannot be read. Raises as
 * tl_program_load. */
int tl_program_load_file(lua_State *L, const char *path);

#endif
