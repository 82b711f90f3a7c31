-- What test suites need on this machine, installed or built where it is missing. Everything here does nothing the second
-- time.
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local json = require "json"
local pins = require "cluster.standalone.pins"
local proc = require "proc"
local project = require "project"
local task = require "task"
local term = require "term"

local needs = {}

local TRIES = 3

local function say(text) term.write("-- " .. text .. "\n") end

-- Networks fail now and then; what they bring is tried again.
local function retried(what, fn)
    for try = 1, TRIES do
        local ok, err = pcall(fn)
        if ok then return end
        if try == TRIES then error(err, 0) end
        say(("%s: try %d failed, again in %d s"):format(what, try, 5 * try))
        task.sleep(5 * try)
    end
end

-- One apt-get at a time.
local apt = task.channel()
apt:put(true)

local function install_missing(names)
    local missing = {}
    for _, name in ipairs(names) do
        local result = proc.run({ "dpkg-query", "-W", "-f", "${Status}", name }, { check = false })
        if not result.stdout:find("install ok installed", 1, true) then missing[#missing + 1] = name end
    end
    if #missing == 0 then return end
    local install = { "apt-get", "install", "-y", "-q", "--no-install-recommends" }
    table.move(missing, 1, #missing, #install + 1, install)
    say(table.concat(install, " "))
    retried("apt-get", function()
        proc.run { "apt-get", "update", "-q" }
        proc.run(install, { env = { DEBIAN_FRONTEND = "noninteractive" } })
    end)
end

---Installs Debian packages that are missing.
---@async
---@param names string[]
function needs.packages(names)
    apt:get()
    local ok, err = pcall(install_missing, names)
    apt:put(true)
    if not ok then error(err, 0) end
end

local function show_progress()
    local shown = {}
    return function(name, text)
        local step = name .. ": " .. (text:match("^%S+") or "")
        if not shown[step] then say(name .. ": " .. text) end
        shown[step] = true
    end
end

local context
---The tests' own context: state and settings apart from the user's.
---@return todo.Context
function needs.context()
    if context then return context end
    for name, path in pairs(needs.environment()) do proc.env(name, path) end
    context = project.open { yes = true }
    context.progress = show_progress()
    return context
end

---Environment of every program that the tests start.
---@return table<string, string>
function needs.environment()
    local home = proc.platform().home
    return {
        XDG_STATE_HOME = home .. "/.local/state/todo-lua-test",
        XDG_CONFIG_HOME = home .. "/.config/todo-lua-test",
    }
end

---The sanitized program and the C tests.
---@async
---@param root string
function needs.build(root)
    needs.packages { "lua-unit", "libcmocka-dev", "perl", "lua-check" }
    say("building with the sanitizers")
    proc.run({ root .. "/host/build.sh", root }, { env = { TODO_LUA_CONFIG = "asan", TODO_LUA_TARGET = "all" } })
end

---The fuzz targets, built by clang with libFuzzer.
---@async
---@param root string
function needs.fuzz(root)
    needs.packages { "clang-14", "libclang-rt-14-dev" }
    say("building the fuzz targets")
    local names = {}
    for name in pairs(require("tests.fuzz.targets").shares) do names[#names + 1] = "fuzz-" .. name .. "_fuzz" end
    proc.run({ root .. "/host/build.sh", root }, { env = { TODO_LUA_CONFIG = "fuzz", CC = "clang-14",
        CXX = "clang++-14", TODO_LUA_TARGET = table.concat(names, " ") } })
end

local judges

---helm and kubectl, from their modules.
---@async
function needs.judges()
    if judges then return end
    local ctx = needs.context()
    judges = gobuild.ensure(fs.join(ctx.cache_dir, "judges"), pins.judges, nil, ctx.progress)
    proc.env("PATH", judges .. ":" .. proc.env("PATH"))
end

---The distribution registry, from its module.
---@async
---@return string path of the program
function needs.registry()
    local ctx = needs.context()
    return fs.join(gobuild.ensure(fs.join(ctx.cache_dir, "registry"), pins.registry, nil, ctx.progress), "registry")
end

---The docker command's plugin buildx, from its module.
---@async
---@return string folder for DOCKER_CONFIG
function needs.buildx()
    local ctx = needs.context()
    local bin = gobuild.ensure(fs.join(ctx.cache_dir, "buildx"), pins.buildx, nil, ctx.progress)
    local plugins = fs.join(fs.dirname(bin), "config/cli-plugins")
    fs.mkdir(plugins)
    proc.run { "ln", "-sfn", fs.join(bin, "docker-buildx"), fs.join(plugins, "docker-buildx") }
    return fs.dirname(plugins)
end

---@param name "helm"|"kubectl"
---@return string path
function needs.judge(name)
    return fs.join(judges, name)
end

---A folder of the cache for what tests keep between runs.
---@param name string
---@return string path
function needs.cache(name)
    local path = fs.join(needs.context().cache_dir, name)
    fs.mkdir(path)
    return path
end

---The sources of a pinned Go module.
---@async
---@param pin { module: string, version: string, sum: string }
---@return string folder
function needs.go_module(pin)
    local found
    retried(pin.module, function()
        local what = pin.module .. "@" .. pin.version
        found = json.decode(proc.run({ "go", "mod", "download", "-json", what }, { cwd = "/", timeout = 300,
            env = { GOFLAGS = "-mod=mod", GOWORK = "off" } }).stdout)
    end)
    assert(found.Sum == pin.sum, pin.module .. " is not what tests/judges/charts.json pins")
    return found.Dir
end

---A Docker engine that answers.
---@async
function needs.docker()
    needs.packages { "docker.io", "debootstrap", "iptables", "openssh-client" }
    local ctx = needs.context()
    if ctx.docker then return end
    local _, text = require("engine").up(ctx, { set = function(_, line) say(line) end })
    say(text)
end

local used = false -- the tests' cluster
local paused -- the context of a user's own cluster that waits for the tests' end

---The cluster's programs, for API servers that tests start by themselves.
---@async
function needs.programs()
    needs.packages { "openssl" }
    local ctx = needs.context()
    gobuild.ensure(fs.join(ctx.cache_dir, "standalone"), pins.sets, pins.pause, ctx.progress)
end

---The tests' standalone cluster, Ready. A machine has room for one: a user's own is stopped meanwhile, its data kept.
---@async
function needs.cluster()
    needs.packages { "containernetworking-plugins", "iptables", "conntrack", "socat", "iproute2", "runc", "openssl" }
    local ctx = needs.context()
    local standalone = require "cluster.standalone"
    local other = standalone.other(ctx)
    if other then
        say("stopping the cluster that deploy made; it starts again when the tests are done, or with the next deploy")
        paused = setmetatable({ state_dir = other, config = { cluster = {} } }, { __index = ctx })
        standalone.stop(paused)
    end
    used = true
    standalone.start(ctx)
end

---The tests' standalone cluster with so many nodes: one, unless a file of tests asks for more.
---@async
---@param count integer
function needs.nodes(count)
    needs.context().config.cluster.nodes = count
    needs.cluster()
end

---Stops the tests' cluster, for which a machine has no room beside another, and starts the one that had to wait.
---@async
function needs.resume()
    if not used then return end
    local standalone = require "cluster.standalone"
    standalone.stop(needs.context())
    if not paused then return end
    standalone.start(paused)
    say("the cluster that deploy made runs again")
end

---Chromium and what drives it.
---@async
---@param root string
function needs.browser(root)
    needs.packages { "chromium" }
    local folder = root .. "/tests/browser"
    local lock = fs.sha256(folder .. "/package-lock.json")
    local stamp = folder .. "/node_modules/.todo-lua"
    if fs.read(stamp) == lock then return end
    say("npm ci in tests/browser")
    retried("npm", function() proc.run({ "npm", "ci", "--no-audit", "--no-fund" }, { cwd = folder }) end)
    fs.write(stamp, lock)
end

return needs
