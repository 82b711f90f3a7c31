-- What a machine needs before a deploy, whether it is there, and the commands that install it.
local docker = require "docker"
local docker_endpoint = require "docker_endpoint"
local fail = require "fail"
local fs = require "fs"
local log = require "log"
local proc = require "proc"
local program_version = require "program_version"
local project = require "project"
local tables = require "tables"
local task = require "task"
local term = require "term"

local prerequisites = {}

local ANSWER_SECONDS = 10 -- for an engine

---@class todo.Prerequisite
---@field name string
---@field programs string[] any one of them will do
---@field minimum string? lowest version that works
---@field version string[]? command that prints the version
---@field packages table<string, string>? package by package manager; "apt" etc.
---@field why string
---@field page string? where to get it by hand
---@field optional boolean? todo-lua does without it
---@field engine boolean? it is a Docker engine, which answers or does not

---@class todo.PrerequisiteState
---@field item todo.Prerequisite
---@field path string? of the program, or address of the engine
---@field version string?
---@field ok boolean
---@field problem any why the engine does not answer
---@field starts boolean? a deploy will start that

-- The engine that the seed's workflow runs on; the others do parts of the work that todo-lua has built in.
local docker_engine = {
    name = "Docker Engine", programs = { "dockerd", "docker" }, why = "builds the images", minimum = "20.10",
    engine = true,
    packages = { apt = "docker.io", dnf = "moby-engine", pacman = "docker", brew = "--cask docker" },
}
local by_provider = {
    minikube = {
        { name = "Minikube", programs = { "minikube" }, minimum = "1.33",
            version = { "minikube", "version", "--short" },
          why = "the local cluster", packages = { pacman = "minikube", brew = "minikube" },
          page = "https://minikube.sigs.k8s.io/docs/start" },
    },
    kind = {
        { name = "kind", programs = { "kind" }, version = { "kind", "version" }, why = "the local cluster",
          packages = { brew = "kind" }, page = "https://kind.sigs.k8s.io/docs/user/quick-start" },
    },
    k3d = {
        { name = "k3d", programs = { "k3d" }, version = { "k3d", "version" }, why = "the local cluster",
          packages = { brew = "k3d" }, page = "https://k3d.io" },
    },
    -- Debian's package is older in some releases.
    standalone = {
        { name = "Go", programs = { "go" }, minimum = "1.21", version = { "go", "version" },
          why = "builds the local cluster's programs", packages = { dnf = "golang", pacman = "go", brew = "go" },
          page = "https://go.dev/doc/install" },
    },
}
local built_in = {
    { name = "Helm", programs = { "helm" }, minimum = "3.14", version = { "helm", "version", "--short" },
        optional = true,
      why = "not needed: built in; reads the same releases" },
    { name = "kubectl", programs = { "kubectl" }, minimum = "1.29", version = { "kubectl", "version", "--client" },
      optional = true, why = "not needed: built in" },
}
-- Stand-ins for base images are made with these where no registry can be reached; nothing else needs them.
local stand_ins = {
    { name = "debootstrap", programs = { "debootstrap" }, why = "base images where no registry answers",
      packages = { apt = "debootstrap" }, optional = true },
    { name = "npm", programs = { "npm" }, why = "base images where no registry answers", packages = { apt = "npm" },
      optional = true },
}

local managers = {
    { "apt-get", "apt", { "apt-get", "install", "-y", "--no-install-recommends" }, { "apt-get", "update" } },
    { "dnf", "dnf", { "dnf", "install", "-y" } },
    { "pacman", "pacman", { "pacman", "-S", "--noconfirm" } },
    { "brew", "brew", { "brew", "install" } },
}

---@return string? key "apt", "dnf", "pacman", "brew"
---@return string[]? install
---@return string[]? refresh
function prerequisites.manager()
    for _, entry in ipairs(managers) do
        if proc.which(entry[1]) then return entry[2], entry[3], entry[4] end
    end
    return nil
end

-- Ordinary users' PATH often lacks the folders where dockerd and debootstrap live.
local function which(name)
    local path = proc.which(name)
    if path then return path end
    for _, folder in ipairs { "/usr/sbin", "/sbin", "/usr/local/sbin" } do
        local candidate = fs.join(folder, name)
        if fs.exists(candidate) then return candidate end
    end
    return nil
end

---Path of a program, system folders included.
---@param name string
---@return string?
prerequisites.which = which

---Compares dotted versions.
---@param have string
---@param wanted string
---@return boolean
function prerequisites.at_least(have, wanted)
    local a, b = have:gmatch("%d+"), wanted:gmatch("%d+")
    while true do
        local left, right = a(), b()
        if not right then return true end
        local difference = (tonumber(left) or 0) - tonumber(right)
        if difference ~= 0 then return difference > 0 end
    end
end

-- A docker command alone starts nothing: it will do only where an engine's socket is (Docker Desktop, a rootless one).
local function docker_item()
    local runtime = os.getenv("XDG_RUNTIME_DIR")
    local has_socket = fs.exists("/var/run/docker.sock") or runtime and fs.exists(fs.join(runtime, "docker.sock"))
    if proc.platform().os ~= "linux" or has_socket then return docker_engine end
    return tables.merge(docker_engine, { programs = { "dockerd" } })
end

-- Whether the standalone cluster's programs were built here before, be it from other pins.
local function has_built(ctx)
    local folder = fs.join(ctx.cache_dir, "standalone")
    for _, name in ipairs(fs.exists(folder) and fs.list(folder) or {}) do
        if fs.exists(fs.join(folder, name, "bin/kubelet")) then return true end
    end
    return false
end

---What the chosen provider and this machine need.
---@param ctx todo.Context
---@return todo.Prerequisite[]
function prerequisites.list(ctx)
    local list = {}
    for _, item in ipairs(by_provider[ctx.provider and ctx.provider.name] or {}) do
        list[#list + 1] = item.name == "Go" and has_built(ctx) and tables.merge(item, { optional = true }) or item
    end
    list[#list + 1] = docker_item()
    return list
end

---What todo-lua has built in, or needs on some machines only.
---@return todo.Prerequisite[]
function prerequisites.optional()
    local list = { table.unpack(built_in) }
    if prerequisites.manager() == "apt" then table.move(stand_ins, 1, #stand_ins, #list + 1, list) end
    return list
end

local function found_program(item)
    for _, name in ipairs(item.programs) do
        local path = which(name)
        if path then return path end
    end
    return nil
end

-- An engine that does not answer will do where a deploy starts it.
local function check_engine(item)
    local ok, client = pcall(task.timeout, ANSWER_SECONDS, docker.connect)
    local result = { item = item, path = found_program(item) }
    if ok then
        result.path, result.version = client.host, client.server_version
        result.ok = prerequisites.at_least(result.version, item.minimum)
        client:close()
        return result
    end
    if fail.kind(client) == "timeout" then
        client = fail.new("timeout", ("the Docker engine has not answered for %d s"):format(ANSWER_SECONDS),
            "restart Docker")
    end
    local platform = proc.platform()
    result.starts = result.path ~= nil and not docker_endpoint.resolve().named_by and fail.kind(client) == "connect"
        and platform.os == "linux" and platform.uid == 0
    result.ok, result.problem = result.starts, client
    return result
end

---Whether it is there, and whether it is new enough. Programs that need no certain version run only when `versions` is
---set; only then the engine is asked, too.
---@async
---@param item todo.Prerequisite
---@param versions boolean?
---@return todo.PrerequisiteState
function prerequisites.check(item, versions)
    if item.engine and versions then return check_engine(item) end
    -- Where another engine is named, none is missing here.
    if item.engine and docker_endpoint.resolve().named_by then return { item = item, ok = true } end
    local path = found_program(item)
    local result = { item = item, path = path, ok = path ~= nil }
    if path and item.version and (versions or item.minimum) then
        result.version = program_version.of(path, item.version, project.cache_dir())
        if item.minimum and result.version then result.ok = prerequisites.at_least(result.version, item.minimum) end
    end
    return result
end

---Commands that install the missing ones; raises "missing" where one cannot be installed by command here.
---@param missing todo.Prerequisite[]
---@param packages string[]? further packages by their names
---@return string[][]
function prerequisites.commands(missing, packages)
    local key, install, refresh = prerequisites.manager()
    local names = { table.unpack(packages or {}) }
    for _, item in ipairs(missing) do
        local package = key and item.packages and item.packages[key]
        if not package then
            fail.raise("missing", ("%s is missing (%s)"):format(item.name, item.why),
                ("install it by hand%s, then run again"):format(item.page and (" (%s)"):format(item.page) or ""))
        end
        for word in package:gmatch("%S+") do names[#names + 1] = word end
    end
    if #names == 0 then return {} end
    if not install then
        fail.raise("missing", "no package manager found to install " .. table.concat(names, ", "),
            "install them by hand")
    end
    local command = { table.unpack(install) }
    for _, name in ipairs(names) do command[#command + 1] = name end
    if refresh then return { refresh, command } end
    return { command }
end

local function as_root(command)
    local platform = proc.platform()
    if platform.uid == 0 or command[1] == "brew" then return command end
    local words = { "sudo" }
    for _, word in ipairs(command) do words[#words + 1] = word end
    return words
end

-- A person is asked once. Nobody there: only root goes on, since nothing else could answer sudo.
local function may_run(ctx, commands)
    local platform = proc.platform()
    if not term.is_tty("stdin") or ctx.options.yes then
        if platform.uid == 0 or commands[1][1] == "brew" then return true end
        fail.raise("denied", "these commands need root, and there is no terminal to ask for it",
            "run them yourself, then run this again")
    end
    if ctx.may_install == nil then
        ctx.may_install = project.confirm(ctx, "Run " .. (#commands == 1 and "this" or "these") .. " now?")
    end
    return ctx.may_install
end

---Prints the commands, asks once, runs them.
---@async
---@param ctx todo.Context
---@param commands string[][]
---@param why string
function prerequisites.run(ctx, commands, why)
    if #commands == 0 then return end
    commands = tables.map(commands, as_root)
    log.info(why)
    for _, command in ipairs(commands) do log.command(command) end
    if not may_run(ctx, commands) then
        fail.raise("declined", "nothing was installed", "run the commands above yourself, then run this again")
    end
    for _, command in ipairs(commands) do
        if ctx.line then ctx.line:set(table.concat(command, " ")) end
        local attempts = command[#command] == "update" and 1 or 2
        for attempt = 1, attempts do
            local ok, problem = pcall(proc.run, command, {
                env = { DEBIAN_FRONTEND = "noninteractive" }, stdin = command[1] == "sudo" and "inherit" or "null",
                timeout = 1800,
            })
            if ok then break end
            -- Stale package lists are worth a second try; a refresh that fails may still leave usable ones.
            if attempt == attempts and command[#command] ~= "update" then
                fail.raise("exit", ("%s failed: %s"):format(table.concat(command, " "), fail.message(problem)),
                    "the lines above say why; mend it and run again", { cause = problem })
            end
        end
    end
end

---Makes sure that the tools are there which make stand-ins for base images.
---@async
---@param ctx todo.Context
function prerequisites.ensure_stand_ins(ctx)
    local missing = tables.filter(stand_ins, function(item) return not prerequisites.check(item).ok end)
    if #missing == 0 then return end
    prerequisites.run(ctx, prerequisites.commands(missing), "Making base images needs these:")
end

-- Of what is required: what is not there, what is too old, and the packages that the provider wants.
local function lacking(ctx)
    local missing, old = {}, {}
    for _, item in ipairs(prerequisites.list(ctx)) do
        local result = item.optional and { ok = true } or prerequisites.check(item)
        if not result.ok then table.insert(result.path and old or missing, result) end
    end
    local detection = ctx.provider and ctx.provider.detect(ctx) or { available = true }
    return tables.map(missing, function(result) return result.item end), old,
        not detection.available and detection.packages or {}
end

---The commands that would install what is missing; raises "missing" where one cannot be installed by command here.
---@async
---@param ctx todo.Context
---@return string[][]
function prerequisites.plan(ctx)
    local missing, _, packages = lacking(ctx)
    return tables.map(prerequisites.commands(missing, packages), as_root)
end

---Makes sure that everything required is there.
---@async
---@param ctx todo.Context
---@return boolean changed
---@return string text
function prerequisites.ensure(ctx)
    local missing, old, packages = lacking(ctx)
    if old[1] then
        fail.raise("too_old", ("%s %s is too old: %s or newer is needed"):format(old[1].item.name, old[1].version,
            old[1].item.minimum), "upgrade it, then run again")
    end
    if #missing == 0 and #packages == 0 then return false, "everything needed is installed" end
    local commands = prerequisites.commands(missing, packages)
    prerequisites.run(ctx, commands, "Some things are missing; these commands install them:")
    local names = tables.map(missing, function(item) return item.name end)
    return true, "installed " .. table.concat(#names > 0 and names or packages, ", ")
end

return prerequisites
