-- A machine whose Minikube cannot be used: missing, too old, another user's; one clear cause and the next step. And what
-- minikube is asked at all: stand-ins tell what they were called with. What a real one does is in tests/minikube.
package.path = "./?.lua;" .. package.path

local cluster = require "cluster"
local format = require "format"
local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local minikube = require "cluster.minikube"
local proc = require "proc"
local program = require "program"
local program_version = require "program_version"
local tables = require "tables"
local task = require "task"
local websocket = require "tests.websocket"

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

function tests.folder_that_root_made_is_told_with_the_command_that_gives_it_back()
    install("minikube", "echo v1.38.1")
    proc.run { "cp", "-a", another_users_home() .. "/.minikube", dir.path .. "/home/" }
    proc.run { "chmod", "700", dir.path .. "/home/.minikube" }
    lu.assertStrContains(run(deploy).stderr, ('sudo chown -R "$USER" %s/home/.minikube'):format(dir.path))
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

-- A Docker whose node began then.
local function engine(state)
    local node = { Id = "0123", State = tables.merge({ Running = true, Paused = false,
        StartedAt = format.timestamp(proc.time() - 3600) }, state or {}) }
    return { container = function(_, name) return name == "minikube" and node or nil end }, node
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
    local problem = raises("exit", minikube.start, context(nil, { docker = engine { Running = false } }))
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
    local problem = raises("exit", minikube.stop, context(nil, { docker = engine() }))
    lu.assertEquals(problem.hint, "Start it\n  Related issues:\n  - https://a\n  - https://b")
end

function tests.profile_that_minikube_was_told_to_use_is_used()
    stand_in()
    write_profile({ KubernetesConfig = { KubernetesVersion = "v1.34.0" } }, "dev")
    fs.mkdir(dir.path .. "/home/.minikube/config")
    fs.write(dir.path .. "/home/.minikube/config/config.json", '{"profile":"dev"}')
    local function version(settings) return minikube.status(context(settings, { docker = engine() })).version end
    lu.assertEquals(version(), "v1.34.0")
    lu.assertStrContains(fs.read(dir.path .. "/calls"), "--profile dev status")
    lu.assertEquals(version { profile = "minikube" }, "v1.35.1")
    set("MINIKUBE_PROFILE", "minikube")
    lu.assertEquals(version(), "v1.35.1")
end

function tests.several_nodes_and_none_have_no_docker_to_build_in()
    stand_in()
    local ctx = context(nil, { docker = engine() })
    write_profile { Nodes = { { Name = "", IP = "192.168.49.2", ControlPlane = true }, { Name = "m02" } } }
    lu.assertNil(minikube.docker_host(ctx))
    write_profile { Driver = "none" }
    lu.assertNil(minikube.docker_host(ctx))
    lu.assertEquals(calls(), {})
end

-- ---- an unchanged deploy ----

-- Plays the API server of the profile's cluster, whose kubelet renewed its lease then, or never.
local function serve_api(renewed)
    local authority = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    local listener = http.listen("127.0.0.1", 0, function(conn)
        for request in function() return websocket.request(conn) end do
            if renewed and request.path:find("/leases/minikube$") then
                websocket.answer(conn, 200, json.encode { apiVersion = "coordination.k8s.io/v1", kind = "Lease",
                    metadata = { name = "minikube" }, spec = { renewTime = renewed() } })
            elseif request.path:find("/apis/coordination.k8s.io/v1$") then
                websocket.answer(conn, 200, json.encode { kind = "APIResourceList", groupVersion = "coordination.k8s.io/v1",
                    resources = { { name = "leases", singularName = "lease", namespaced = true, kind = "Lease", verbs = { "get" } } } })
            elseif request.path == "/apis" then
                websocket.answer(conn, 200, json.encode { kind = "APIGroupList", groups = { { name = "coordination.k8s.io",
                    versions = { { groupVersion = "coordination.k8s.io/v1", version = "v1" } },
                    preferredVersion = { groupVersion = "coordination.k8s.io/v1", version = "v1" } } } })
            elseif request.path == "/version" then
                websocket.answer(conn, 200, '{"gitVersion":"v1.35.1"}')
            else
                websocket.answer(conn, 404, '{"kind":"Status","reason":"NotFound","code":404}')
            end
        end
        conn:close()
    end)
    for _, path in ipairs { "/home/.minikube/ca.crt", "/ca.crt" } do fs.write(dir.path .. path, authority) end
    fs.write(dir.path .. "/kubeconfig", ([[
clusters: [{name: c, cluster: {server: "http://127.0.0.1:%d", certificate-authority: "%s/ca.crt"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: minikube, context: {cluster: c, user: u}}]
]]):format(listener.port, dir.path), 384)
    return listener
end

-- What a deploy asks the provider: `minikube status` and docker-env among it or not.
local function deploy_asks(node_engine)
    local ctx = context(nil, { docker = node_engine })
    lu.assertTrue(minikube.detect(ctx).running)
    lu.assertFalse(minikube.start(ctx))
    lu.assertEquals(minikube.status(ctx).state, "running")
    lu.assertStrContains(minikube.docker_host(ctx).DOCKER_HOST, "tcp://127.0.0.1:")
    lu.assertEquals(minikube.url(ctx, { node_port = 30080 }), "http://192.168.49.2:30080")
    return table.concat(calls(), ", ")
end

function tests.unchanged_deploy_starts_no_minikube()
    stand_in()
    local renewed = function() return format.timestamp(proc.time() - 5) end
    local _ <close> = serve_api(function() return renewed() end)
    local inner = http.listen("127.0.0.1", 0, function(conn) conn:close() end)
    fs.write(dir.path .. "/port", tostring(inner.port))
    local here, node = engine()
    local ENV, BOTH = "docker-env --shell none", "status -o json, status -o json, docker-env --shell none"
    lu.assertEquals(deploy_asks(here), ENV)
    lu.assertEquals(deploy_asks(here), "")
    node.State.StartedAt = format.timestamp(proc.time() - 1800)
    lu.assertEquals(deploy_asks(here), ENV, "the node was started again")
    lu.assertEquals(deploy_asks(here), "")
    write_profile { Memory = 4096 }
    lu.assertEquals(deploy_asks(here), ENV, "the profile's file changed")
    inner:close()
    inner = http.listen("127.0.0.1", 0, function(conn) conn:close() end)
    fs.write(dir.path .. "/port", tostring(inner.port))
    lu.assertEquals(deploy_asks(here), ENV, "its Docker does not answer there")
    renewed = function() return format.timestamp(proc.time() - 60) end
    lu.assertEquals(deploy_asks(here), "status -o json, status -o json", "the kubelet has stopped")
    renewed = function() return format.timestamp(proc.time() - 5) end
    node.State.StartedAt = format.timestamp(proc.time() - 2)
    lu.assertEquals(deploy_asks(here), BOTH, "the kubelet has not told since the node's start")
    node.State.Paused = true
    lu.assertEquals(deploy_asks(here), "status -o json, status -o json")
    node.State.Paused = false
    fs.write(dir.path .. "/home/.minikube/ca.crt", "another")
    lu.assertEquals(deploy_asks(here), "status -o json, status -o json", "the context is another cluster's")
    inner:close()
end

function tests.driver_of_machines_is_asked_for_its_status_once_in_a_deploy()
    stand_in()
    write_profile { Driver = "kvm2" }
    local _ <close> = serve_api()
    local ctx = context()
    lu.assertTrue(minikube.detect(ctx).running)
    lu.assertFalse(minikube.start(ctx))
    lu.assertEquals(calls(), { "status -o json" })
    minikube.stop(ctx)
    fs.write(dir.path .. "/status", json.encode(tables.merge(STATUS, { Host = "Stopped", APIServer = "Stopped" })))
    lu.assertTrue(minikube.start(ctx))
end

function tests.addons_that_the_profile_has_on_are_not_asked_for()
    stand_in()
    local ctx = context { addons = { "ingress" } }
    write_profile { Addons = { ingress = true } }
    lu.assertEquals(minikube.addons(ctx), { { name = "ingress", enabled = true } })
    lu.assertEquals(calls(), {})
    write_profile { Addons = { ingress = false } }
    lu.assertEquals(#minikube.addons(ctx), 2)
    lu.assertEquals(calls(), { "addons list -o json" })
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

-- ---- what is out of order ----

function tests.docker_that_does_not_run_makes_no_cluster_absent()
    install("minikube", "echo null; echo 'status error: Cannot connect to the Docker daemon' >&2; exit 7")
    write_profile()
    local result = run({ "destroy", "--yes", "--delete-cluster", "--cluster", "minikube" })
    lu.assertEquals(result.status, 1, result.stdout .. result.stderr)
    lu.assertStrContains(result.stderr, "no Docker engine answers at unix:///nonexistent")
    lu.assertNotStrContains(result.stderr, "there was none")
    lu.assertTrue(fs.exists(profile_path() .. "/config.json"))
    local told = json.decode(run({ "status", "-o", "json", "--cluster", "minikube" }).stdout)
    lu.assertEquals(told.cluster.state, "broken")
    lu.assertStrContains(told.cluster.message, "no Docker engine answers")
end

function tests.node_that_is_gone_is_told_and_made_again()
    stand_in(nil, { Host = "Nonexistent", Kubelet = "Nonexistent", APIServer = "Nonexistent", Kubeconfig = "Nonexistent" })
    local ctx = context(nil, { docker = { container = function() end } })
    local status = minikube.status(ctx)
    lu.assertEquals({ status.state, status.message }, { "broken", "its node is gone" })
    lu.assertTrue(minikube.start(ctx))
    lu.assertStrMatches(table.concat(calls(), "\n"), ".*\nstart .*")
end

function tests.minikube_that_does_not_end_is_ended_with_its_last_words()
    local slow = "echo '* Pulling base image v0.0.50 ...'; echo '! This container is having trouble' >&2; exec sleep 60"
    stand_in(("start*|stop*|delete*|addons*) %s ;;"):format(slow), { Host = "Stopped" })
    local limits = minikube.limits
    minikube.limits = { start = 0.3, stop = 0.3, delete = 0.3, addons = 0.3 }
    local ctx = context(nil, { docker = engine { Running = false } })
    for name, call in pairs { start = minikube.start, stop = minikube.stop, delete = minikube.delete,
        addons = function(one) return minikube.addons(one, { "ingress" }) end } do
        shown = {}
        local began = task.now()
        local problem = raises("timeout", call, ctx)
        lu.assertTrue(task.now() - began < 5)
        lu.assertStrContains(problem.message, ("`minikube --profile minikube %s"):format(name))
        lu.assertStrMatches(problem.message, ".* did not end within 0%.3 s; its last words: %u.*")
        lu.assertStrContains(problem.hint, "minikube logs --profile minikube")
        lu.assertStrContains(table.concat(shown, "\n"), "Pulling base image v0.0.50 ...")
    end
    minikube.limits = limits
end

function tests.kubeconfig_that_leads_elsewhere_is_set_right()
    stand_in(("update-context) sed -i s/Misconfigured/Configured/ '%s/status' ;;"):format(dir.path),
        { Kubeconfig = "Misconfigured" })
    local _ <close> = serve_api()
    local ctx = context(nil, { docker = engine() })
    local status = minikube.status(ctx)
    lu.assertEquals({ status.state, status.message }, { "broken", "the kubeconfig has another address for it" })
    lu.assertTrue(minikube.start(ctx))
    lu.assertStrContains(table.concat(calls(), "\n"), "update-context")
    lu.assertEquals(minikube.status(ctx).state, "running")
end

-- ---- sizes, ports, images ----

function tests.new_cluster_is_told_what_it_takes_and_what_is_short()
    stand_in()
    fs.remove(profile_path())
    local here = { info = function() return { NCPU = 4, MemTotal = 8192 << 20 } end, container = function() end }
    local function told(settings)
        minikube.start(context(settings, { docker = here }))
        return said[1]
    end
    lu.assertEquals(told { driver = "docker", cpus = 4, memory = 8000 }, "Minikube gets 4 CPUs and 8000 MiB of memory.")
    lu.assertEquals(told { driver = "docker", cpus = 6, memory = 8000 },
        "Minikube gets 4 CPUs and 8000 MiB of memory: 6 CPUs are wanted, there is no more here.")
    lu.assertEquals(told { driver = "docker", cpus = 2, memory = 9000 },
        "Minikube gets 2 CPUs and 8192 MiB of memory: 9000 MiB are wanted, there is no more here.")
    lu.assertEquals(told { driver = "docker", cpus = 6, memory = 9000 },
        "Minikube gets 4 CPUs and 8192 MiB of memory: 6 CPUs and 9000 MiB are wanted, there is no more here.")
end

function tests.port_that_the_profile_has_published_is_its_own()
    stand_in()
    local here, node = engine()
    node.NetworkSettings = { Ports = { ["30080/tcp"] = { { HostIp = "127.0.0.1", HostPort = "30080" } } } }
    local ctx = context(nil, { docker = here })
    lu.assertTrue(minikube.holds_port(ctx, 30080))
    lu.assertFalse(minikube.holds_port(ctx, 30081))
    write_profile { Driver = "kvm2" }
    lu.assertFalse(minikube.holds_port(ctx, 30080))
end

-- A Docker whose nodes take archives; what they were given, by node.
local function loading_engine(there)
    local given = {}
    return { image = function() return { Id = "sha256:aa", Size = 6 } end,
        export = function(_, names)
            local parts = { "abc", "def" }
            return setmetatable({ names = names, read = function() return table.remove(parts, 1) end },
                { __close = function() end })
        end,
        exec = function(_, node, argv, options)
            local text = table.concat(argv, " ")
            if argv[2] == "tag" then
                given[node] = given[node] .. ", " .. text
                return { status = 0 }
            elseif not options then
                return { status = there[node] and 0 or 1, stdout = (there[node] or "") .. "\n", stderr = "" }
            end
            local bytes = {}
            options.stdin(function(more) bytes[#bytes + 1] = more end)
            given[node] = text .. " < " .. table.concat(bytes)
            return { status = 0, stdout = "", stderr = "" }
        end }, given
end

function tests.archives_are_streamed_into_nodes_that_lack_an_image()
    stand_in()
    for runtime, program_name in pairs { docker = "docker", crio = "podman", ["cri-o"] = "podman" } do
        write_profile { KubernetesConfig = { ContainerRuntime = runtime },
            Nodes = { { Name = "", IP = "192.168.49.2", ControlPlane = true }, { Name = "m02" } } }
        local client, given = loading_engine { minikube = "aa", ["minikube-m02"] = "bb" }
        local ctx = context(nil, { docker = client })
        lu.assertEquals(minikube.load_image(ctx, { "todo-mcp:1" }), { "todo-mcp:1" })
        lu.assertEquals(given, { ["minikube-m02"] = program_name .. " load < abcdef" .. (program_name == "podman"
            and ", podman tag todo-mcp:1 docker.io/library/todo-mcp:1" or "") })
        lu.assertStrContains(table.concat(shown, "\n"), "sending todo-mcp:1 to minikube-m02")
        lu.assertEquals(minikube.image_id(ctx, "todo-mcp:1"), "sha256:aa")
    end
    lu.assertEquals(calls(), {})
end

function tests.machines_are_given_images_one_by_one()
    stand_in [["image ls"*) echo '[{"id":"sha256:bb","repoTags":["docker.io/library/todo-mcp:1"]}]' ;;]]
    write_profile { Driver = "kvm2", KubernetesConfig = { ContainerRuntime = "crio" } }
    local client = loading_engine {}
    lu.assertEquals(minikube.load_image(context(nil, { docker = client }), { "todo-mcp:1" }), { "todo-mcp:1" })
    lu.assertEquals(calls(), { "image ls --format json", "image load --daemon todo-mcp:1" })
end

return tests
