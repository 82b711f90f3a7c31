---@meta fs

---Files. Names that do not exist give nil where a look-up is meant (stat, read with default); everything else raises
---kinds "not_found", "denied", "exists", "no_space", "io" with the path in the message.
local fs = {}

---@param path string
---@return string? bytes nil where there is no such file
function fs.read(path) end

---Writes atomically (temporary file in the same folder, fsync, rename).
---@param path string
---@param bytes string
---@param mode integer? permission bits such as 0x180 (0600); default 0644 by umask
function fs.write(path, bytes, mode) end

---Appends, creating the file with `mode`.
---@param path string
---@param bytes string
---@param mode integer?
function fs.append(path, bytes, mode) end

---@class todo.Stat
---@field type "file"|"dir"|"link"|"socket"|"other"
---@field size integer bytes
---@field mtime number seconds since the epoch, with fraction
---@field mode integer permission bits
---@field uid integer
---@field gid integer
---@field inode integer

---@param path string
---@param follow boolean? follow a symbolic link, default true
---@return todo.Stat?
function fs.stat(path, follow) end

---@param path string
---@return boolean
function fs.exists(path) end

---Names in the folder, sorted, without "." and "..".
---@param path string
---@return string[]
function fs.list(path) end

---Creates the folder and its parents; fine where it exists.
---@param path string
---@param mode integer? of folders that are made, default 0755
function fs.mkdir(path, mode) end

---Removes a file or a folder with all in it (never following links, never crossing into another file system).
---@param path string
---@return boolean removed false where it was not there
function fs.remove(path) end

---@param from string
---@param to string
function fs.rename(from, to) end

---@param target string
---@param path string replaced where it is a link
function fs.symlink(target, path) end

---What a symbolic link points to; nil where the path is none.
---@param path string
---@return string?
function fs.readlink(path) end

---@param path string
---@param mode integer
function fs.chmod(path, mode) end

---Absolute path with links resolved; nil where it does not exist.
---@param path string
---@return string?
function fs.realpath(path) end

---Joins with "/", an absolute part restarts.
---@param ... string
---@return string
function fs.join(...) end
---@param path string
---@return string
function fs.dirname(path) end
---@param path string
---@return string
function fs.basename(path) end
---@return string
function fs.cwd() end

---A new private folder (0700) below the system's temporary folder; removed when the returned handle is closed or collected.
---@return todo.TempDir dir `dir.path`
function fs.tempdir() end
---@class todo.TempDir
---@field path string
local TempDir = {}
function TempDir:close() end

---SHA-256 of a file's content in hex, computed off the loop.
---@async
---@param path string
---@return string
function fs.sha256(path) end

---Takes an exclusive lock on a file (created 0600). nil and the holder's pid where another process has it.
---@param path string
---@return todo.Lock? lock
---@return integer? pid
function fs.lock(path) end
---@class todo.Lock
local Lock = {}
function Lock:close() end

---Free and total bytes of the file system that holds `path`.
---@param path string
---@return integer free
---@return integer total
function fs.space(path) end

return fs
