-- What a program says of its version. To ask costs a process: the answer is kept for as long as its file is the same.
local fs = require "fs"
local json = require "json"
local proc = require "proc"

local program_version = {}

local ANSWER_SECONDS = 10
local LEAST_BINARY = 1 << 20 -- bytes; what is smaller may be a script that leads anywhere

-- What tells one file from another; nil where the file may start a program of another.
local function identity(path)
    local real = fs.realpath(path)
    local stat = real and fs.stat(real)
    local name = fs.basename(path)
    if not stat or fs.basename(real):sub(1, #name) ~= name or stat.size < LEAST_BINARY then return nil end
    return ("%s %d %d %.6f"):format(real, stat.inode, stat.size, stat.mtime)
end

---@async
---@param path string of the program
---@param command string[] that prints it
---@param cache_dir string where answers are kept
---@return string? version "1.33.0"; nil where nothing of what it prints looks like one
function program_version.of(path, command, cache_dir)
    local place, file = fs.join(cache_dir, "program-versions.json"), identity(path)
    local ok, kept = pcall(json.decode, fs.read(place) or "{}")
    kept = ok and type(kept) == "table" and kept or {}
    local known = kept[path]
    if file and type(known) == "table" and known.file == file then return known.version end
    local answered, answer = pcall(proc.run, command, { check = false, timeout = ANSWER_SECONDS })
    local text = answered and (answer.stdout .. answer.stderr) or ""
    local version = text:match("v?(%d+%.%d+[%d.]*)")
    if file and version then
        kept[path] = { file = file, version = version }
        fs.mkdir(cache_dir)
        fs.write(place, json.encode(kept, { sort = true }))
    end
    return version
end

return program_version
