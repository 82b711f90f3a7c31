-- A machine whose Minikube cannot be used: missing, too old, another user's; one clear cause and the next step. And what
-- minikube is asked at all: stand-ins tell what they were called with. What a real one does is in tests/minikube.
package.path = "./?.lua;" .. package.path

local cluster = require "cluster"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local minikube = require "cluster.minikube"
local proc = require "proc"
local program = require "program"
local program_version = require "program_version"
local tables = require "tables"
local task = require "task"

local tests = {}
local NOBODY = "65534"
local dir

function tests.setup()
    dir = fs.tempdir()
    for _, name in ipairs { "bin", "lua", "home" } do fs.mkdir(dir.path .. "/" .. name) end
    for _, name in ipairs { "lua", "chart" } do
        proc.run { "cp", "-r", program.project .. "/" .. name, dir.path .. "/" }
    end
    proc.run { "cp", program.executable, dir.path .. "/todo-lua" }
    proc.run { "chown", "-R", NOBODY, dir.path .. "/home" }
    proc.run { "chmod", "755", dir.path, dir.path .. "/todo-lua" }
end

local before = {}

-- For what is called in this process.
local function set(name, value)
    if before[name] == nil then before[name] = proc.env(name) or false end
    proc.env(name, value)
end

function tests.teardown()
    for name, value in pairs(before) do proc.env(name, value) end
    before = {}
    dir:close()
end

-- What the machine has installed.
local function install(name, script)
    fs.write(dir.path .. "/bin/" .. name, "#!/bin/sh\n" .. script, 493) -- 0755
end

-- Runs the program as an ordinary user who has nothing on PATH but what was installed.
local function run(arguments, env)
    local all = { PATH = dir.path .. "/bin", HOME = dir.path .. "/home", XDG_STATE_HOME = false, XDG_CONFIG_HOME = false,
        XDG_CACHE_HOME = false, MINIKUBE_HOME = false, MINIKUBE_PROFILE = false, KUBECONFIG = false,
        DOCKER_HOST = "unix:///nonexistent", ASAN_OPTIONS = "detect_leaks=0" }
    for name, value in pairs(env or {}) do all[name] = value end
    local setpriv = assert(proc.which "setpriv")
    return proc.run({ setpriv, "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", dir.path .. "/todo-lua", "-C",
        dir.path, table.unpack(arguments) }, { check = false, timeout = 60, env = all })
end

local deploy = { "deploy", "--yes", "--cluster", "minikube" }

function tests.missing_minikube_is_named_with_the_place_it_comes_from()
    local result = run(deploy)
    lu.assertEquals(result.status, 1, result.stderr)
    lu.assertStrContains(result.stderr, "Minikube is missing (the local cluster)")
    lu.assertStrContains(result.stderr, "https://minikube.sigs.k8s.io/docs/start")
end

function tests.minikube_that_is_too_old_is_told_its_version_and_the_wanted_one()
    install("minikube", "echo v1.32.0")
    local result = run(deploy)
    lu.assertEquals(result.status, 1, result.stderr)
    lu.assertStrContains(result.stderr, "Minikube 1.32.0 is too old: 1.33 or newer is needed")
    local checked = json.decode(run({ "setup", "--check", "--cluster", "minikube", "-o", "json" }).stdout)
    lu.assertFalse(checked.ok)
    local item = checked.items[1]
    lu.assertEquals({ item.name, item.version, item.minimum, item.ok }, { "Minikube", "1.32.0", "1.33", false })
    install("minikube", "echo v1.33.0")
    lu.assertNotStrContains(run(deploy).stderr, "too old")
end

local function another_users_home()
    local home = dir.path .. "/other"
    fs.mkdir(home .. "/.minikube/profiles/minikube")
    fs.write(home .. "/.minikube/profiles/minikube/config.json", "{}")
    proc.run { "chmod", "700", home }
    return home
end

function tests.profile_of_another_user_is_told_as_such()
    install("minikube", "echo v1.38.1")
    local result = run(deploy, { MINIKUBE_HOME = another_users_home() })
    lu.assertEquals(result.status, 1, result.stderr)
    lu.assertStrContains(result.stderr, "other/.minikube belongs to another user")
    lu.assertStrContains(result.stderr, "MINIKUBE_HOME")
end

function tests.profile_of_another_user_does_not_hide_other_clusters()
    install("minikube", "echo v1.38.1")
    fs.write(dir.path .. "/todo.local.lua", 'return { cluster = { order = { "minikube", "kind" } } }\n')
    install("kind", "echo kind v0.33.0")
    install("docker", "exit 0")
    local checked = json.decode(run({ "setup", "--check", "-o", "json" }, { MINIKUBE_HOME = another_users_home() }).stdout)
    lu.assertEquals(checked.provider, "kind")
end

function tests.cluster_that_hangs_is_one_that_exists_and_does_not_run()
    local detection = cluster.detect({}, { detect = function() task.timeout(0.01, task.sleep, 5) end })
    lu.assertEquals(detection, { available = true, exists = true, hangs = true, reason = "not done after 0.01 s" })
end

-- ---- what minikube is asked ----

local STATUS = { Name = "minikube", Host = "Running", Kubelet = "Running", APIServer = "Running", Kubeconfig = "Configured" }

local function profile_path(name) return dir.path .. "/home/.minikube/profiles/" .. (name or "minikube") end

local function write_profile(config, name)
    fs.mkdir(profile_path(name))
    fs.write(profile_path(name) .. "/config.json", json.encode(tables.merge({
        Driver = "docker", Nodes = { { Name = "", IP = "192.168.49.2", ControlPlane = true } },
        KubernetesConfig = { ContainerRuntime = "docker", KubernetesVersion = "v1.35.1" },
    }, config or {})))
    fs.write(profile_path(name) .. "/client.crt", "")
end

-- A minikube that keeps what it is called with; `answers` is the body of a shell's case.
local function stand_in(answers, status)
    fs.write(dir.path .. "/status", json.encode(tables.merge(STATUS, status or {})))
    install("minikube", ([[
echo "$*" >>'%s/calls'
shift 2 # --profile NAME
case "$*" in
%s
status*) cat '%s/status' ;;
docker-env*) echo "DOCKER_HOST=tcp://127.0.0.1:$(cat '%s/port')"; echo DOCKER_TLS_VERIFY=1 ;;
"addons list"*) echo '{"metrics-server":{"Status":"disabled"},"ingress":{"Status":"enabled"}}' ;;
esac
]]):format(dir.path, answers or "", dir.path, dir.path))
    set("PATH", dir.path .. "/bin:" .. proc.env "PATH")
    set("MINIKUBE_HOME", dir.path .. "/home")
    set("MINIKUBE_PROFILE", false)
    set("KUBECONFIG", dir.path .. "/kubeconfig")
    write_profile()
end

local function calls()
    local list = {}
    for line in (fs.read(dir.path .. "/calls") or ""):gmatch("[^\n]+") do
        list[#list + 1] = line:gsub("^%-%-profile %S+ ", "")
    end
    fs.remove(dir.path .. "/calls")
    return list
end

local said, shown

local function context(settings, more)
    said, shown = {}, {}
    return tables.merge({ options = {}, config = { cluster = settings or {} }, state_dir = dir.path .. "/state",
        log = { info = function(text) said[#said + 1] = text end },
        progress = function(_, text) shown[#shown + 1] = text end }, more or {})
end

local function raises(kind, fn, ...)
    local ok, problem = pcall(fn, ...)
    lu.assertFalse(ok)
    lu.assertEquals(problem.kind, kind, tostring(problem))
    return problem
end

local SEVERAL_LINES = ([[

X Exiting due to RSRC_DOCKER_STORAGE: Docker is out of disk space! (/var is at 100% of capacity).
* Suggestion:~

    Try one or more of the following to free up space on the device:
~~~~
    1. Run "docker system prune" to remove unused Docker data (optionally with "-a")
    2. Run "minikube ssh -- docker system prune" if using the Docker container runtime
* Documentation: https://minikube.sigs.k8s.io/docs/drivers/docker/
* Related issue: https://github.com/kubernetes/minikube/issues/9024

+--------------------------------------+
|  * Please run `minikube logs`        |
+--------------------------------------+
]]):gsub("~", " ")

function tests.advice_of_several_lines_is_shown_with_its_page_and_issue()
    fs.write(dir.path .. "/words", SEVERAL_LINES)
    stand_in(("start*) cat '%s/words' >&2; exit 26 ;;"):format(dir.path), { Host = "Stopped" })
    local problem = raises("exit", minikube.start, context(nil, { docker = { container = function() end } }))
    lu.assertStrContains(problem.message, "Docker is out of disk space! (/var is at 100% of capacity). (RSRC_DOCKER_STORAGE)")
    lu.assertEquals(problem.hint, [[Try one or more of the following to free up space on the device:
  1. Run "docker system prune" to remove unused Docker data (optionally with "-a")
  2. Run "minikube ssh -- docker system prune" if using the Docker container runtime
  Documentation: https://minikube.sigs.k8s.io/docs/drivers/docker/
  Related issue: https://github.com/kubernetes/minikube/issues/9024]])
end

function tests.advice_of_one_line_and_several_issues_are_shown()
    fs.write(dir.path .. "/words", "X Exiting due to HOST_X: no\n* Suggestion: Start it\n* Related issues:\n  - https://a\n"
        .. "  - https://b\n* Something else: c\n")
    stand_in(("stop*) cat '%s/words' >&2; exit 80 ;;"):format(dir.path))
    local problem = raises("exit", minikube.stop, context(nil, { docker = { container = function() end } }))
    lu.assertEquals(problem.hint, "Start it\n  Related issues:\n  - https://a\n  - https://b")
end

function tests.profile_that_minikube_was_told_to_use_is_used()
    stand_in()
    write_profile({ KubernetesConfig = { KubernetesVersion = "v1.34.0" } }, "dev")
    fs.mkdir(dir.path .. "/home/.minikube/config")
    fs.write(dir.path .. "/home/.minikube/config/config.json", '{"profile":"dev"}')
    local function version(settings) return minikube.status(context(settings, { docker = { container = function() end } })).version end
    lu.assertEquals(version(), "v1.34.0")
    lu.assertStrContains(fs.read(dir.path .. "/calls"), "--profile dev status")
    lu.assertEquals(version { profile = "minikube" }, "v1.35.1")
    set("MINIKUBE_PROFILE", "minikube")
    lu.assertEquals(version(), "v1.35.1")
end

function tests.version_of_a_program_is_asked_once_for_each_file()
    local path, cache = dir.path .. "/bin/tool", dir.path .. "/cache"
    local function make(version, size)
        install("tool", ("echo asked >>'%s/calls'; echo v%s; exit\n%s"):format(dir.path, version, ("#"):rep(size)))
    end
    local function ask()
        return { program_version.of(path, { path, "version" }, cache), #calls() }
    end
    make("1.33.1", 2 << 20)
    lu.assertEquals({ ask(), ask() }, { { "1.33.1", 1 }, { "1.33.1", 0 } })
    make("1.34.0", 2 << 20)
    lu.assertEquals({ ask(), ask() }, { { "1.34.0", 1 }, { "1.34.0", 0 } })
    make("1.35.0", 100)
    lu.assertEquals({ ask(), ask() }, { { "1.35.0", 1 }, { "1.35.0", 1 } }, "a script may lead anywhere")
end

return tests
