-- What `todo-lua setup` says of a machine. The engines are servers that answer as old ones do, or not at all.
local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local dir, server

function tests.setup()
    dir = fs.tempdir()
    for _, name in ipairs { "bin", "lua" } do fs.mkdir(dir.path .. "/" .. name) end
    fs.write(dir.path .. "/lua/config.lua", fs.read(program.project .. "/lua/config.lua"))
end

function tests.teardown()
    if server then server:close() end
    server = nil
    dir:close()
end

local function install(name, script) fs.write(dir.path .. "/bin/" .. name, "#!/bin/sh\n" .. script .. "\n", 493) end

local function setup(env, ...)
    local all = { PATH = dir.path .. "/bin", HOME = dir.path, XDG_STATE_HOME = dir.path, XDG_CONFIG_HOME = dir.path,
        XDG_CACHE_HOME = dir.path .. "/cache", DOCKER_HOST = "unix:///nonexistent", MINIKUBE_HOME = false }
    for name, value in pairs(env) do all[name] = value end
    return proc.run({ program.executable, "--color=never", "-C", dir.path, "setup", ... },
        { check = false, timeout = 60, env = all })
end

local function items(env, ...)
    local result = setup(env, "--check", "-o", "json", ...)
    local answer, by_name = json.decode(result.stdout), {}
    for _, item in ipairs(answer.items) do by_name[item.name] = item end
    return by_name, answer, result
end

local ANSWER = "HTTP/1.1 200 OK\r\nServer: Docker/%s (linux)\r\nApi-Version: 1.40\r\nOstype: linux\r\nContent-Length: 2\r\n"
    .. "Connection: close\r\n\r\nOK"

-- The environment of a machine whose engine is of that version; of none: it accepts connections, and that is all.
local function engine(version)
    server = http.listen("127.0.0.1", 0, function(connection)
        connection:read()
        if version then connection:write(ANSWER:format(version)) else task.sleep(60) end
        connection:close()
    end)
    return { DOCKER_HOST = "tcp://127.0.0.1:" .. server.port }
end

function tests.engine_that_answers_is_told_with_its_version()
    local item = items(engine "20.10.0")["Docker Engine"]
    lu.assertEquals({ item.ok, item.version, item.minimum }, { true, "20.10.0", "20.10" })
end

function tests.engine_that_is_too_old_is_told_as_such()
    local env = engine "19.03.15"
    local found, answer, result = items(env)
    lu.assertEquals({ found["Docker Engine"].ok, found["Docker Engine"].version }, { false, "19.03.15" })
    lu.assertEquals({ answer.ok, result.status }, { false, 1 })
    lu.assertStrContains(setup(env, "--check").stdout, "Docker Engine  too old: 19.03.15")
end

function tests.engine_that_does_not_answer_is_told_with_what_helps()
    install("dockerd", "true")
    local text = setup({}, "--check").stdout
    lu.assertStrContains(text, "✗ Docker Engine  does not answer")
    lu.assertStrContains(text, "no Docker engine answers at unix:///nonexistent")
    lu.assertStrContains(text, "correct the address (DOCKER_HOST")
    lu.assertStrContains(items({})["Docker Engine"].problem, "no Docker engine answers")
end

function tests.engine_that_hangs_is_told_in_time()
    local env = engine()
    local started = task.now()
    lu.assertStrContains(setup(env, "--check", "--cluster", "kind").stdout,
        "the Docker engine has not answered for 10 s\n  restart Docker")
    lu.assertTrue(task.now() - started < 20)
end

function tests.go_is_needed_until_the_standalone_cluster_is_built()
    local found = items({}, "--cluster", "standalone")
    lu.assertEquals({ found.Go.ok, found.Go.required, found.Go.minimum }, { false, true, "1.21" })
    lu.assertStrContains(setup({}, "--check", "--cluster", "standalone").stdout, "https://go.dev/doc/install")
    install("go", "echo go version go1.19.8 linux/amd64")
    lu.assertEquals(items({}, "--cluster", "standalone").Go.version, "1.19.8")
    lu.assertFalse(items({}, "--cluster", "standalone").Go.ok)
    install("go", "echo go version go1.21.0 linux/amd64")
    lu.assertTrue(items({}, "--cluster", "standalone").Go.ok)
    fs.remove(dir.path .. "/bin/go")
    fs.mkdir(dir.path .. "/cache/todo-lua/standalone/0/bin")
    fs.write(dir.path .. "/cache/todo-lua/standalone/0/bin/kubelet", "")
    lu.assertFalse(items({}, "--cluster", "standalone").Go.required)
    lu.assertNil(items({}, "--cluster", "kind").Go)
end

-- Nothing is run: the package manager would fail, and say so.
function tests.check_says_what_would_be_installed()
    install("brew", "echo ran >&2; exit 1")
    local text = setup({}, "--check", "--cluster", "k3d")
    lu.assertStrContains(text.stdout, "todo-lua setup would run:\n$ brew install k3d\n")
    lu.assertEquals({ text.status, text.stderr }, { 1, "" })
    local _, answer = items({}, "--cluster", "k3d")
    lu.assertEquals(answer.commands, { { "brew", "install", "k3d" } })
    fs.remove(dir.path .. "/bin/brew")
    install("apt-get", "echo ran >&2; exit 1")
    text = setup({}, "--check", "--cluster", "k3d").stdout
    lu.assertStrContains(text, "k3d is missing (the local cluster)\n  install it by hand (https://k3d.io)")
    lu.assertNotStrContains(text, "would run")
end

function tests.help_has_what_setup_takes_and_no_more()
    local help = setup({}, "--help").stdout
    for _, word in ipairs { "apt-get, dnf, pacman or brew", "cluster.addons", "--cluster NAME", "would be installed" } do
        lu.assertStrContains(help, word)
    end
    for _, option in ipairs { "--registry", "--namespace", "--release" } do
        lu.assertNotStrContains(help, option)
        lu.assertEquals(setup({}, option, "x").status, 2, option)
    end
end

return tests
