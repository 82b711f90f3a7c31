-- Builds programs from pinned Go modules into a folder of the cache that is named by the hash of all that goes into
-- them.
local fail = require("fail")
local fs = require("fs")
local json = require("json")
local proc = require("proc")
local program = require("program")
local secret = require("secret")
local tables = require("tables")
local task = require("task")

local gobuild = {}

local ATTEMPTS = 3
local AT_ONCE = 2 -- more than that and the linkers alone need gigabytes

local function resource(name)
    local bytes = program.resource(name)
    if not bytes then
        fail.raise("not_found", ("the file %s is missing from this program and this project"):format(name))
    end
    return bytes
end

local function ldflags(set)
    return "-s -w" .. (set.ldflags and " " .. set.ldflags or "")
end

-- Sets that say nothing of it are built without C and without tags.
local function variant(set)
    return (set.cgo and "cgo " or "") .. (set.tags and "tags=" .. set.tags or "")
end

-- Files of the resource folder that go into the build.
local function set_files(set)
    local list = { "go.mod", "go.sum" }
    table.move(set.files or {}, 1, #(set.files or {}), #list + 1, list)
    for _, path in ipairs(tables.keys(set.cut and set.cut.instead or {})) do list[#list + 1] = set.cut.instead[path] end
    return list
end

---Hash over everything that decides what comes out, but the Go compiler's version.
---@param sets todo.GoSet[]
---@param c_source { name: string, source: string }?
---@return string
function gobuild.hash(sets, c_source)
    local parts = { proc.platform().os, proc.platform().arch }
    for _, set in ipairs(sets) do
        parts[#parts + 1] = set.name
        parts[#parts + 1] = ldflags(set)
        if variant(set) ~= "" then parts[#parts + 1] = variant(set) end
        for _, name in ipairs(tables.keys(set.programs)) do parts[#parts + 1] = name .. "=" .. set.programs[name] end
        for _, name in ipairs(set_files(set)) do parts[#parts + 1] = resource(set.folder .. "/" .. name) end
        if set.cut then parts[#parts + 1] = set.cut.sum end
    end
    if c_source then parts[#parts + 1] = resource(c_source.source) end
    return secret.sha256(table.concat(parts, "\0")):sub(1, 16)
end

local function program_names(sets, c_source)
    local names = {}
    for _, set in ipairs(sets) do
        for name in pairs(set.programs) do names[#names + 1] = name end
    end
    if c_source then names[#names + 1] = c_source.name end
    table.sort(names)
    return names
end

-- A file whose size and time are those of the manifest is taken as it is; any other is hashed.
local function check(folder, manifest, name)
    local noted = manifest[name]
    local path = fs.join(folder, "bin", name)
    local stat = noted and fs.stat(path)
    if not stat or stat.type ~= "file" or stat.size ~= noted.size then return false end
    if stat.mtime == noted.mtime then return true end
    if fs.sha256(path) ~= noted.sha256 then return false end
    noted.mtime = stat.mtime
    return true, true
end

local function read_manifest(folder)
    local text = fs.read(fs.join(folder, "manifest.json"))
    local ok, manifest = pcall(json.decode, text or "{}")
    return ok and type(manifest) == "table" and manifest or {}
end

local function write_manifest(folder, manifest)
    fs.write(fs.join(folder, "manifest.json"), json.encode(manifest, { indent = "  ", sort = true }) .. "\n")
end

local function missing(folder, names)
    local manifest = read_manifest(folder)
    local list, touched = {}, false
    for _, name in ipairs(names) do
        local good, renewed = check(folder, manifest, name)
        touched = touched or renewed
        if not good then list[#list + 1] = name end
    end
    if touched then write_manifest(folder, manifest) end
    return list
end

local NETWORK_TROUBLE = { "dial tcp", "i/o timeout", "connection re", "TLS handshake", "unexpected EOF",
    "no such host", "502 ",
    "503 ", "504 ", "stream error", "Temporary failure" }

local function is_network_trouble(text)
    for _, pattern in ipairs(NETWORK_TROUBLE) do
        if text:find(pattern, 1, true) then return true end
    end
    return false
end

-- Nothing of the user's own Go settings may change what is built, except where modules come from.
local function environment(cgo)
    return { CGO_ENABLED = cgo and "1" or "0", GO111MODULE = "on", GOFLAGS = "-mod=readonly", GOWORK = "off",
        GOOS = false, GOARCH = false, GOEXPERIMENT = false }
end

local function go(argv, cwd, cgo, on_line)
    local last = ""
    local function run()
        return proc.run(argv, {
            cwd = cwd,
            env = environment(cgo),
            check = false,
            on_stderr = on_line and function(chunk)
                last = last .. chunk
                for line in last:gmatch("([^\n]*)\n") do on_line(line) end
                last = last:match("[^\n]*$")
            end,
        })
    end
    for attempt = 1, ATTEMPTS do
        local result = run()
        if result.status == 0 then return result end
        if attempt == ATTEMPTS or not is_network_trouble(result.stderr) then
            local hint = "run it again when the cause is gone; what was already compiled is kept"
            if result.stderr:find("requires go >=", 1, true) then
                hint = "install a newer Go, or set GOTOOLCHAIN=auto so that Go fetches the version it needs"
            end
            fail.raise("exit", ("%s failed:\n%s"):format(table.concat(argv, " ", 1, 2), result.stderr:sub(-2000)), hint,
                { status = result.status })
        end
        task.sleep(2 * attempt)
    end
end

-- `go build -v` names each package that it compiles; the list of all that are needed gives the total.
local function package_total(set, packages, cwd)
    local argv = { "go", "list", "-deps", "-tags", set.tags or "", "-f", "." }
    table.move(packages, 1, #packages, #argv + 1, argv)
    local _, dots = go(argv, cwd, set.cgo).stdout:gsub("%.", "")
    return dots
end

local function note(folder, names, from)
    local manifest = read_manifest(folder)
    for _, name in ipairs(names) do
        local path = fs.join(folder, "bin", name)
        fs.rename(fs.join(from, name), path)
        local stat = fs.stat(path)
        manifest[name] = { size = stat.size, mtime = stat.mtime, sha256 = fs.sha256(path) }
    end
    write_manifest(folder, manifest)
end

local function write_resource(set, name, path)
    fs.mkdir(fs.dirname(path))
    fs.write(path, resource(set.folder .. "/" .. name))
end

-- go.sum says nothing of a module that a folder replaces, so its sum is compared here.
local function cut_module(set, source)
    local cut, into = set.cut, fs.join(source, set.cut.into)
    local found = json.decode(go({ "go", "mod", "download", "-json", cut.module .. "@" .. cut.version }, "/").stdout)
    if found.Sum ~= cut.sum then
        fail.raise("exit", ("%s %s is not the source that is pinned"):format(cut.module, cut.version),
            "clear Go's cache of modules (go clean -modcache), or look at GOPROXY")
    end
    fs.remove(into)
    proc.run({ "cp", "-R", found.Dir, into })
    proc.run({ "chmod", "-R", "u+w", into })
    fs.remove(fs.join(into, cut.without))
    for path, name in pairs(cut.instead) do write_resource(set, name, fs.join(into, path)) end
end

local function lay_source(set, source)
    fs.mkdir(source)
    for _, name in ipairs({ "go.mod", "go.sum", table.unpack(set.files or {}) }) do
        write_resource(set, name, fs.join(source, name))
    end
    if set.cut then cut_module(set, source) end
end

local function build_set(folder, set, wanted, progress)
    local source = fs.join(folder, "src", set.name)
    local out = fs.join(folder, "new", set.name)
    fs.remove(out)
    fs.mkdir(out)
    local names, packages = {}, {}
    for _, name in ipairs(tables.keys(set.programs)) do
        if wanted[name] then
            names[#names + 1] = name
            packages[#packages + 1] = set.programs[name]
        end
    end
    progress(set.name, "fetching sources")
    lay_source(set, source)
    local total, done = package_total(set, packages, source), 0
    local argv = { "go", "build", "-v", "-trimpath", "-buildvcs=false", "-tags", set.tags or "", "-ldflags",
        ldflags(set), "-o" }
    -- A single program is named; Go would call a package .../v3 by its folder's name.
    argv[#argv + 1] = #names == 1 and fs.join(out, names[1]) or out .. "/"
    table.move(packages, 1, #packages, #argv + 1, argv)
    go(argv, source, set.cgo, function(line)
        if line:find("^[%w%-_%./]+$") then
            done = math.min(done + 1, total)
            progress(set.name, "compiling " .. line, done, total)
        end
    end)
    note(folder, names, out)
    progress(set.name, "built", total, total)
end

local function build_c(folder, c_source, progress)
    local out = fs.join(folder, "new", "c")
    fs.remove(out)
    fs.mkdir(out)
    local source = fs.join(out, c_source.name .. ".c")
    fs.write(source, resource(c_source.source))
    local cc = proc.env("CC") or "cc"
    proc.run({ cc, "-std=gnu11", "-Os", "-static", "-s", "-o", fs.join(out, c_source.name), source })
    note(folder, { c_source.name }, out)
    progress(c_source.name, "built", 1, 1)
end

local function in_lanes(jobs)
    local at = 0
    local function lane()
        while at < #jobs do
            at = at + 1
            jobs[at]()
        end
        return true
    end
    local lanes = {}
    for i = 1, math.min(AT_ONCE, #jobs) do lanes[i] = lane end
    task.all(lanes)
end

local function build(folder, sets, c_source, list, progress)
    if not proc.which("go") then
        fail.raise("not_found", "the standalone cluster is built with Go, which is not installed",
            "install Go 1.26 or newer (or any Go from 1.21 on, which fetches that one by itself)")
    end
    local wanted, jobs = {}, {}
    for _, name in ipairs(list) do wanted[name] = true end
    fs.mkdir(fs.join(folder, "bin"))
    for _, set in ipairs(sets) do
        for name in pairs(set.programs) do
            if wanted[name] then
                jobs[#jobs + 1] = function() build_set(folder, set, wanted, progress) end
                break
            end
        end
    end
    if c_source and wanted[c_source.name] then
        jobs[#jobs + 1] = function() build_c(folder, c_source, progress) end
    end
    in_lanes(jobs)
    fs.remove(fs.join(folder, "new"))
end

local function lock(path, progress)
    local told = false
    while true do
        local held, pid = fs.lock(path)
        if held then return held end
        if not told then
            progress("build", ("waiting for process %s, which builds the same"):format(pid or "?"))
            told = true
        end
        task.sleep(1)
    end
end

---Folder of the built programs, which are built now where they are missing or are not what was built.
---@async
---@param root string folder of the cache
---@param sets todo.GoSet[]
---@param c_source { name: string, source: string }? one C file, linked statically
---@param progress fun(name: string, text: string, done: number?, total: number?)?
---@param part todo.GoSet[]? those of the sets that are needed; all of them by default
---@return string folder that holds the programs
---@return boolean built whether anything had to be built
function gobuild.ensure(root, sets, c_source, progress, part)
    progress = progress or function() end
    local folder = fs.join(root, gobuild.hash(sets, c_source))
    local names = program_names(part or sets, c_source)
    local bin = fs.join(folder, "bin")
    if #missing(folder, names) == 0 then return bin, false end
    fs.mkdir(folder)
    local held <close> = lock(fs.join(folder, "lock"), progress) -- luacheck: ignore held
    local list = missing(folder, names)
    if #list > 0 then build(folder, sets, c_source, list, progress) end
    return bin, #list > 0
end

return gobuild
