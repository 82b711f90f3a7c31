/* Module fs: files. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "data/digest.h"
#include "lua/await.h"
#include "lua/buffer.h"
#include "lua/convert.h"
#include "lua/error.h"
#include "lua/secret.h"

#define LARGEST ((size_t)1 << 31)
#define TEMPDIR_TYPE "todo.fs.TempDir"
#define LOCK_TYPE "todo.fs.Lock"
#define HASH_TYPE "todo.fs.Hash"

static int raise_errno(lua_State *L, const char *what, const char *path)
{
    tl_error err = {0};
    tl_error_errno(&err, errno, "cannot %s %s", what, path);
    return tl_raise(L, &err);
}

static int nothing(lua_State *L)
{
    lua_pushnil(L);
    return 1;
}

static int is_absent(void)
{
    return errno == ENOENT || errno == ENOTDIR;
}

static int check_mode(lua_State *L, int index, int fallback)
{
    lua_Integer mode = luaL_optinteger(L, index, fallback);
    luaL_argcheck(L, mode >= -1 && mode <= 07777, index, "permission bits expected");
    return (int)mode;
}

/* Content. */

static int l_read(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    tl_error err = {0};
    tl_buf *bytes = tl_push_buf(L, LARGEST);
    int status = tl_file_read(path, bytes, &err);
    if (status < 0) return tl_raise(L, &err);
    if (status == 0) return nothing(L);
    lua_pushlstring(L, bytes->data, bytes->len);
    return 1;
}

static int l_write(lua_State *L)
{
    size_t length;
    const char *path = luaL_checkstring(L, 1), *bytes = tl_check_text(L, 2, &length);
    tl_error err = {0};
    return tl_file_write(path, bytes, length, check_mode(L, 3, -1), &err) ? tl_raise(L, &err) : 0;
}

static int l_append(lua_State *L)
{
    size_t length;
    const char *path = luaL_checkstring(L, 1), *bytes = tl_check_text(L, 2, &length);
    tl_error err = {0};
    return tl_file_append(path, bytes, length, check_mode(L, 3, -1), &err) ? tl_raise(L, &err) : 0;
}

/* Names. */

static const char *kind_of(mode_t mode)
{
    if (S_ISREG(mode)) return "file";
    if (S_ISDIR(mode)) return "dir";
    if (S_ISLNK(mode)) return "link";
    return S_ISSOCK(mode) ? "socket" : "other";
}

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static int l_stat(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    int follow = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
    struct stat st;
    if ((follow ? stat(path, &st) : lstat(path, &st)) < 0) return is_absent() ? nothing(L) : raise_errno(L, "examine", path);
    lua_createtable(L, 0, 7);
    lua_pushstring(L, kind_of(st.st_mode));
    lua_setfield(L, -2, "type");
    set_integer(L, "size", st.st_size);
    set_integer(L, "mode", st.st_mode & 07777);
    set_integer(L, "uid", st.st_uid);
    set_integer(L, "gid", st.st_gid);
    set_integer(L, "inode", (lua_Integer)st.st_ino);
    lua_pushnumber(L, (lua_Number)st.st_mtim.tv_sec + (lua_Number)st.st_mtim.tv_nsec / 1e9);
    lua_setfield(L, -2, "mtime");
    return 1;
}

static int l_exists(lua_State *L)
{
    struct stat st;
    lua_pushboolean(L, stat(luaL_checkstring(L, 1), &st) == 0);
    return 1;
}

static int l_list(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    size_t count;
    tl_folder_entry *entries;
    if (tl_folder_list_path(path, tl_push_arena(L, 0), &entries, &count)) return raise_errno(L, "read the folder", path);
    lua_createtable(L, (int)count, 0);
    tl_mark_list(L, -1);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, entries[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_mkdir(lua_State *L)
{
    tl_error err = {0};
    return tl_file_mkdirs(luaL_checkstring(L, 1), check_mode(L, 2, 0755), &err) ? tl_raise(L, &err) : 0;
}

static int l_remove(lua_State *L)
{
    tl_error err = {0};
    int status = tl_file_remove(luaL_checkstring(L, 1), &err);
    if (status < 0) return tl_raise(L, &err);
    lua_pushboolean(L, status);
    return 1;
}

static int l_rename(lua_State *L)
{
    const char *from = luaL_checkstring(L, 1), *to = luaL_checkstring(L, 2);
    return rename(from, to) < 0 ? raise_errno(L, "rename", from) : 0;
}

static int l_symlink(lua_State *L)
{
    const char *target = luaL_checkstring(L, 1), *path = luaL_checkstring(L, 2);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) unlink(path);
    return symlink(target, path) < 0 ? raise_errno(L, "make the link", path) : 0;
}

static int l_readlink(lua_State *L)
{
    char target[PATH_MAX];
    const char *path = luaL_checkstring(L, 1);
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0) return is_absent() || errno == EINVAL ? nothing(L) : raise_errno(L, "read the link", path);
    lua_pushlstring(L, target, (size_t)length);
    return 1;
}

static int l_chmod(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    luaL_checkinteger(L, 2);
    return chmod(path, (mode_t)check_mode(L, 2, 0)) < 0 ? raise_errno(L, "change the mode of", path) : 0;
}

static int l_realpath(lua_State *L)
{
    char resolved[PATH_MAX];
    const char *path = luaL_checkstring(L, 1);
    if (!realpath(path, resolved)) return is_absent() ? nothing(L) : raise_errno(L, "resolve", path);
    lua_pushstring(L, resolved);
    return 1;
}

static int l_join(lua_State *L)
{
    int count = lua_gettop(L);
    tl_buf *path = tl_push_buf(L, SIZE_MAX);
    for (int i = 1; i <= count; i++) {
        size_t length;
        const char *part = luaL_checklstring(L, i, &length);
        if (!length) continue;
        if (*part == '/') tl_buf_clear(path);
        if (path->len && path->data[path->len - 1] != '/') tl_buf_addc(path, '/');
        tl_buf_add(path, part, length);
    }
    lua_pushlstring(L, path->data, path->len);
    return 1;
}

/* The length of the path without slashes at its end (a root stays). */
static size_t without_slashes(const char *path, size_t length)
{
    while (length > 1 && path[length - 1] == '/') length--;
    return length;
}

static int l_dirname(lua_State *L)
{
    size_t length;
    const char *path = luaL_checklstring(L, 1, &length);
    length = without_slashes(path, length);
    while (length && path[length - 1] != '/') length--;
    if (length)
        lua_pushlstring(L, path, without_slashes(path, length));
    else
        lua_pushliteral(L, ".");
    return 1;
}

static int l_basename(lua_State *L)
{
    size_t length;
    const char *path = luaL_checklstring(L, 1, &length);
    length = without_slashes(path, length);
    size_t start = length;
    while (start && path[start - 1] != '/') start--;
    if (start == length && length) start = 0; /* "/" */
    lua_pushlstring(L, path + start, length - start);
    return 1;
}

static int l_cwd(lua_State *L)
{
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path)) return raise_errno(L, "find", "the current folder");
    lua_pushstring(L, path);
    return 1;
}

static int l_space(lua_State *L)
{
    struct statvfs fs;
    const char *path = luaL_checkstring(L, 1);
    if (statvfs(path, &fs) < 0) return raise_errno(L, "examine the file system of", path);
    lua_pushinteger(L, (lua_Integer)fs.f_bavail * (lua_Integer)fs.f_frsize);
    lua_pushinteger(L, (lua_Integer)fs.f_blocks * (lua_Integer)fs.f_frsize);
    return 2;
}

/* Temporary folders. */

typedef struct tempdir {
    char *path;
    int open;
} tempdir;

static int l_tempdir_close(lua_State *L)
{
    tempdir *dir = luaL_checkudata(L, 1, TEMPDIR_TYPE);
    if (dir->open) tl_file_remove(dir->path, NULL);
    dir->open = 0;
    return 0;
}

static int l_tempdir_gc(lua_State *L)
{
    tempdir *dir = luaL_checkudata(L, 1, TEMPDIR_TYPE);
    l_tempdir_close(L);
    free(dir->path);
    dir->path = NULL;
    return 0;
}

static int l_tempdir_index(lua_State *L)
{
    tempdir *dir = luaL_checkudata(L, 1, TEMPDIR_TYPE);
    const char *name = luaL_checkstring(L, 2);
    if (!strcmp(name, "path"))
        lua_pushstring(L, dir->path);
    else if (!strcmp(name, "close"))
        lua_pushcfunction(L, l_tempdir_close);
    else
        return 0;
    return 1;
}

static int l_tempdir_tostring(lua_State *L)
{
    tempdir *dir = luaL_checkudata(L, 1, TEMPDIR_TYPE);
    lua_pushfstring(L, "temporary folder %s%s", dir->path, dir->open ? "" : " (closed)");
    return 1;
}

static const luaL_Reg tempdir_metamethods[] = {
    {"__index", l_tempdir_index},
    {"__tostring", l_tempdir_tostring},
    {"__gc", l_tempdir_gc},
    {"__close", l_tempdir_close},
    {NULL, NULL},
};

static int l_tempdir(lua_State *L)
{
    const char *base = getenv("TMPDIR");
    tempdir *dir = lua_newuserdatauv(L, sizeof *dir, 0);
    memset(dir, 0, sizeof *dir);
    luaL_setmetatable(L, TEMPDIR_TYPE);
    const char *pattern = lua_pushfstring(L, "%s/todo-lua-XXXXXX", base && *base == '/' ? base : "/tmp");
    dir->path = tl_strdup(pattern);
    if (!mkdtemp(dir->path)) return raise_errno(L, "make the folder", dir->path);
    dir->open = 1;
    lua_pop(L, 1);
    return 1;
}

/* Locks. */

static int l_lock_close(lua_State *L)
{
    int *fd = luaL_checkudata(L, 1, LOCK_TYPE);
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return 0;
}

static const luaL_Reg lock_methods[] = {
    {"close", l_lock_close},
    {NULL, NULL},
};

static int l_lock(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    tl_error err = {0};
    pid_t holder;
    int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
    *fd = -1;
    luaL_setmetatable(L, LOCK_TYPE);
    *fd = tl_file_lock(path, &holder, &err);
    if (*fd >= 0) return 1;
    if (strcmp(err.kind, "locked") != 0) return tl_raise(L, &err);
    tl_error_dispose(&err);
    lua_pushnil(L);
    if (!holder) return 1;
    lua_pushinteger(L, holder);
    return 2;
}

/* Hashing on the worker thread. */

typedef struct hash {
    tl_job job;
    tl_wait wait;
    char *path;
    volatile int stop;
    char hex[TL_SHA256_HEX];
    tl_error err;
} hash;

static void work_hash(tl_job *job)
{
    hash *h = job->data;
    tl_sha256_file(h->path, &h->stop, h->hex, &h->err);
}

static void on_hashed(tl_job *job)
{
    tl_wake(&((hash *)job->data)->wait);
}

static void halt_hash(hash *h)
{
    h->stop = 1;
    tl_job_stop(&h->job);
    tl_wait_stop(&h->wait);
}

static void cancel_hash(tl_wait *wait)
{
    halt_hash(wait->data);
}

static int l_hash_gc(lua_State *L)
{
    hash *h = luaL_checkudata(L, 1, HASH_TYPE);
    halt_hash(h);
    free(h->path);
    h->path = NULL;
    tl_error_dispose(&h->err);
    return 0;
}

static int k_sha256(lua_State *L, int status, lua_KContext index)
{
    hash *h = lua_touserdata(L, (int)index);
    (void)status;
    if (h->err.message) return tl_raise(L, &h->err);
    lua_pushstring(L, h->hex);
    return 1;
}

static int l_sha256(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    tl_error err = {0};
    hash *h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    luaL_setmetatable(L, HASH_TYPE);
    h->path = tl_strdup(path);
    h->job.work = work_hash;
    h->job.on_done = on_hashed;
    h->job.data = h->wait.data = h;
    h->wait.on_cancel = cancel_hash;
    if (tl_job_start(tl_lua_loop(L), &h->job, &err)) return tl_raise(L, &err);
    return tl_await(L, &h->wait, lua_gettop(L), k_sha256);
}

static const luaL_Reg functions[] = {
    {"read", l_read},
    {"write", l_write},
    {"append", l_append},
    {"stat", l_stat},
    {"exists", l_exists},
    {"list", l_list},
    {"mkdir", l_mkdir},
    {"remove", l_remove},
    {"rename", l_rename},
    {"symlink", l_symlink},
    {"readlink", l_readlink},
    {"chmod", l_chmod},
    {"realpath", l_realpath},
    {"join", l_join},
    {"dirname", l_dirname},
    {"basename", l_basename},
    {"cwd", l_cwd},
    {"space", l_space},
    {"tempdir", l_tempdir},
    {"lock", l_lock},
    {"sha256", l_sha256},
    {NULL, NULL},
};

int luaopen_fs(lua_State *L)
{
    tl_new_type(L, TEMPDIR_TYPE, NULL, NULL);
    luaL_getmetatable(L, TEMPDIR_TYPE);
    luaL_setfuncs(L, tempdir_metamethods, 0);
    lua_pop(L, 1);
    tl_new_type(L, LOCK_TYPE, lock_methods, l_lock_close);
    tl_new_type(L, HASH_TYPE, NULL, l_hash_gc);
    luaL_newlib(L, functions);
    return 1;
}
