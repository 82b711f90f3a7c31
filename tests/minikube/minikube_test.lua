-- The main job on a real minikube with its docker driver: todo-lua deploy from nothing, with both runtimes. The tests build
-- on each other and run in the order of their names; profile, state and settings are the tests' own.
local eventually = require "tests.eventually"
local fs = require "fs"
local ground = require "tests.minikube.ground"
local http = require "http"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local needs = require "tests.needs"
local nested = require "tests.nested.images"
local proc = require "proc"
local program = require "program"
local tables = require "tables"
local task = require "task"

local tests = {}

needs.judges()
needs.docker()
local root = program.project
local ours = root .. "/build/bin/todo-lua"
local home = needs.cache "minikube-home"
local copy = root .. "/build/test/minikube"
local PROFILE = "todo-lua-test"
local env

local function environment(more)
    local all = tables.merge(env, needs.environment())
    all.DATABASE_URL, all.DOCKER_HOST, all.MINIKUBE_PROFILE = false, false, PROFILE
    return tables.merge(all, more or {})
end

local function run(arguments, options)
    options = options or {}
    local argv = { ours, "-C", copy }
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    table.move({ "--cluster", "minikube" }, 1, 2, #argv + 1, argv)
    local result = proc.run(argv, { check = false, env = environment(options.env), timeout = 1200 })
    if result.status ~= (options.status or 0) then
        error(("%s ended with status %d:\n%s\n%s"):format(table.concat(arguments, " "), result.status,
            result.stdout:sub(-3000), result.stderr:sub(-3000)), 0)
    end
    return result
end

local function minikube(...)
    return proc.run({ "minikube", "--profile", PROFILE, ... }, { check = false, env = environment(), timeout = 300 })
end

local function deploy(...)
    local result = run { "deploy.lua", "--yes", "-o", "json", ... }
    local report = json.decode(result.stdout)
    for _, step in ipairs(report.steps) do print(("# %s: %.1f s, %s"):format(step.name, step.seconds, step.text)) end
    local page = http.get(report.url .. "/api/health", { proxy = "", fresh = true })
    lu.assertEquals(page.status, 200)
    lu.assertEquals(json.decode(page.body).status, "ok")
    return report, result.stderr
end

local function step(report, name)
    return tables.filter(report.steps, function(one) return one.name == name end)[1]
end

local function client()
    return k8s.connect { kubeconfig = home .. "/kubeconfig", context = PROFILE, namespace = "todo-app" }
end

local function pod_of(component)
    local pods = tables.filter(client():list("pods", { labels = "app.kubernetes.io/component=" .. component }),
        function(pod) return not pod.metadata.deletionTimestamp end)
    lu.assertEquals(#pods, 1)
    return pods[1]
end

local function settings(runtime, addon)
    fs.write(copy .. "/todo.local.lua", ([[
return {
    cluster = { container_runtime = %q, kubernetes_version = %q, addons = { %s },
        minikube_flags = { "--cni=bridge", "--ports=31980:31980" } }, -- kindnet's image may not be reachable
    database = { container = "todo-lua-minikube-postgres", volume = "todo-lua-minikube-postgres", port = 55449 },
}
]]):format(runtime, ground.kubernetes, addon or '"metrics-server"'))
end

local function change_a_line()
    local path = copy .. "/examples/todo-app/backend/mcp_server/__init__.py"
    fs.write(path, ("%s\n# changed at %f\n"):format(fs.read(path) or "", proc.time()))
end

function tests.setup_all()
    env = ground.ensure(home)
    proc.run { "rm", "-rf", copy }
    fs.mkdir(copy .. "/examples")
    for _, name in ipairs { "lua", "chart", "docker" } do proc.run { "cp", "-a", root .. "/" .. name, copy .. "/" } end
    proc.run { "cp", "-a", root .. "/examples/todo-app", copy .. "/examples/" }
    minikube "delete"
end

function tests.teardown_all()
    if env then minikube "delete" end
end

-- From nothing to the page, a second time without a change, and a source that changes under the same tag. Gives what the
-- first run said.
local function whole_job(runtime)
    settings(runtime)
    local report, said = deploy("--set", "mcp.image.tag=dev")
    lu.assertTrue(report.changed)
    lu.assertStrContains(step(report, "wait").text, "running what was built")
    lu.assertStrContains(step(report, "cluster").text, " with metrics-server")
    lu.assertNotNil(client():get("deployments", "metrics-server", { namespace = "kube-system" }))
    local config = json.decode(fs.read(("%s/.minikube/profiles/%s/config.json"):format(home, PROFILE)))
    lu.assertEquals(config.KubernetesConfig.ContainerRuntime, runtime)
    lu.assertEquals(config.KubernetesConfig.KubernetesVersion, ground.kubernetes)
    lu.assertTrue(config.CPUs <= proc.platform().cpus)
    local again = deploy("--set", "mcp.image.tag=dev")
    lu.assertFalse(again.changed)
    local before = pod_of("mcp").status.containerStatuses[1].imageID
    change_a_line()
    local third = deploy("--set", "mcp.image.tag=dev")
    lu.assertTrue(third.changed)
    lu.assertNotEquals(pod_of("mcp").status.containerStatuses[1].imageID, before)
    return said
end

-- What minikube is called with by a deploy. A program as small as a script would be asked for its version each time.
local function calls_of_a_deploy(...)
    local folder = copy .. "/build/counted"
    fs.mkdir(folder)
    if not fs.exists(folder .. "/minikube") then -- another file would be another program
        fs.write(folder .. "/minikube", ('#!/bin/sh\necho "$*" >>\'%s/calls\'\nPATH=${PATH#*:}\nexec minikube "$@"\n%s')
            :format(folder, ("#"):rep(2 << 20)), 493) -- 0755
    end
    fs.remove(folder .. "/calls")
    local started = task.now()
    local result = run({ "deploy.lua", "--yes", "-o", "json", ... }, { env = { PATH = folder .. ":" .. env.PATH } })
    local seconds = task.now() - started
    lu.assertFalse(json.decode(result.stdout).changed)
    return fs.read(folder .. "/calls") or "", seconds
end

function tests.t1_docker_runtime_builds_in_the_cluster()
    local cpus, said = proc.platform().cpus, whole_job "docker"
    lu.assertStrMatches(said, ".*Minikube gets %d+ CPUs and %d+ MiB of memory.*")
    if cpus < 4 then lu.assertStrContains(said, "4 CPUs are wanted, there is no more here") end
    local names = minikube("image", "ls").stdout
    lu.assertStrContains(names, "todo-backend:latest")
    lu.assertStrContains(run { "open.lua", "--url" }.stdout, "http://")
end

function tests.t1_unchanged_deploy_starts_no_minikube()
    calls_of_a_deploy("--set", "mcp.image.tag=dev") -- learns that program's version
    local calls, seconds = calls_of_a_deploy("--set", "mcp.image.tag=dev")
    nested.say(("unchanged deploy: %.2f s"):format(seconds))
    lu.assertEquals(calls, "")
end

function tests.t1_published_port_is_the_clusters()
    local asked = proc.run({ ours, "-C", copy, "-e", [[
        local ctx = require("project").open {}
        local minikube = require("cluster.minikube")
        print(minikube.holds_port(ctx, 31980), minikube.holds_port(ctx, 31981))
    ]] }, { env = environment(), timeout = 60 })
    lu.assertEquals(asked.stdout, "true\tfalse\n")
end

function tests.t1_kubeconfig_that_leads_elsewhere_is_set_right()
    local path = home .. "/kubeconfig"
    fs.write(path, (fs.read(path):gsub(":8443", ":8449")), 384)
    local status = json.decode(run({ "status.lua", "-o", "json" }, { status = 1 }).stdout)
    lu.assertEquals(status.cluster.message, "the kubeconfig has another address for it")
    lu.assertTrue(step(deploy("--set", "mcp.image.tag=dev"), "cluster").changed)
    lu.assertFalse(step(deploy("--set", "mcp.image.tag=dev"), "cluster").changed)
end

function tests.t2_stopped_cluster_is_resumed_with_its_release()
    lu.assertEquals(minikube("stop").status, 0)
    local status = json.decode(run({ "status.lua", "-o", "json" }, { status = 1 }).stdout)
    lu.assertEquals(status.cluster.state, "stopped")
    local report = deploy("--set", "mcp.image.tag=dev")
    lu.assertTrue(step(report, "cluster").changed)
    lu.assertFalse(step(report, "release").changed)
end

function tests.t3_killed_node_is_started_again()
    proc.run { "docker", "kill", PROFILE }
    local report = deploy("--set", "mcp.image.tag=dev")
    lu.assertTrue(step(report, "cluster").changed)
end

function tests.t3_paused_node_goes_on()
    proc.run { "docker", "pause", PROFILE }
    local report = deploy("--set", "mcp.image.tag=dev")
    lu.assertTrue(step(report, "cluster").changed)
end

function tests.t3_wedged_node_is_told_with_the_way_out()
    local function halt(pids) proc.run { "docker", "exec", PROFILE, "sh", "-c", "kill -STOP " .. pids } end
    halt "$(cat /run/sshd.pid)"
    lu.assertEquals(calls_of_a_deploy("--set", "mcp.image.tag=dev"), "", "what works is not asked for by way of sshd")
    halt "$(pidof kube-apiserver)"
    local started = task.now()
    local result = run({ "deploy.lua", "--yes" }, { status = 1 })
    lu.assertTrue(task.now() - started < 60)
    lu.assertStrContains(result.stderr, "did not answer within 30 s: the node hangs")
    lu.assertStrContains(result.stderr, "docker restart " .. PROFILE)
    lu.assertStrContains(json.decode(run({ "status.lua", "-o", "json" }, { status = 1 }).stdout).cluster.message, "hangs")
    proc.run({ "docker", "restart", PROFILE }, { timeout = 60 })
    lu.assertTrue(step(deploy("--set", "mcp.image.tag=dev"), "cluster").changed)
end

function tests.t3_node_of_another_minikube_home_is_left_alone()
    local before = needs.context().docker:container(PROFILE)
    local other <close> = fs.tempdir()
    local result = run({ "deploy.lua", "--yes" }, { status = 1, env = { MINIKUBE_HOME = other.path } })
    lu.assertStrContains(result.stderr, "Docker has a Minikube node " .. PROFILE .. " which " .. other.path)
    lu.assertStrContains(result.stderr, "MINIKUBE_PROFILE")
    local after = needs.context().docker:container(PROFILE)
    lu.assertEquals({ after.Id, after.State.StartedAt }, { before.Id, before.State.StartedAt })
end

function tests.t4_start_that_cannot_be_shows_minikubes_id_and_advice()
    minikube "delete"
    fs.write(copy .. "/todo.local.lua", 'return { cluster = { driver = "no-such-driver" } }\n')
    local result = run({ "deploy.lua", "--yes" }, { status = 1 })
    lu.assertStrMatches(result.stderr, ".*minikube could not start the cluster: .*%(DRV_UNSUPPORTED_OS%).*")
end

-- A start that its user breaks off while the node sets itself up.
local function interrupt_start()
    local process <close> = proc.spawn({ ours, "-C", copy, "deploy.lua", "--yes", "--cluster", "minikube" },
        { env = environment(), stdout = "null", stderr = "null" })
    local deadline = task.now() + 120
    repeat
        task.sleep(0.5)
        local node = needs.context().docker:container(PROFILE)
    until node and node.State.Running or task.now() > deadline
    process:kill "INT"
    lu.assertEquals(process:wait(), 130)
    lu.assertNotEquals(minikube("status").status, 0)
end

function tests.t5_containerd_takes_the_images_as_a_stream()
    settings "containerd"
    interrupt_start()
    whole_job "containerd"
    lu.assertStrContains(minikube("image", "ls").stdout, "todo-frontend:")
end

local FRESH_BYTES = 200 << 20

-- An image that nothing has seen, in this machine's Docker.
local function fresh_image(name)
    local folder = copy .. "/build/fresh"
    fs.mkdir(folder)
    proc.run { "sh", "-c", ("head -c %d /dev/urandom > '%s/bytes'"):format(FRESH_BYTES, folder) }
    nested.build(folder, name, "FROM scratch\nCOPY bytes /bytes\n")
    proc.run { "rm", "-r", folder }
end

-- Seconds until the cluster has a fresh image, by a program of its own each, and what that printed.
local function seconds_to_load(name, argv)
    fresh_image(name)
    local started = task.now()
    local said = proc.run(argv, { env = environment(), timeout = 300 }).stdout
    local seconds = task.now() - started
    lu.assertStrContains(minikube("image", "ls").stdout, name)
    minikube("image", "rm", name)
    needs.context().docker:remove_image(name)
    return seconds, said
end

function tests.t5_fresh_image_is_there_sooner_than_by_minikube_image_load()
    local name = "todo-lua-test/fresh:1"
    local load = ([[
        local ctx = require("project").open {}
        ctx.docker = require("docker").connect()
        local steps = 0
        ctx.progress = function(_, _, done, total) steps = steps + (done < total and 1 or 0) end
        require("cluster.minikube").load_image(ctx, { %q })
        print(steps)
    ]]):format(name)
    local best = {}
    for _ = 1, 3 do
        for who, argv in pairs { ours = { ours, "-C", copy, "-e", load },
            theirs = { "minikube", "--profile", PROFILE, "image", "load", "--daemon", name } } do
            local seconds, said = seconds_to_load(name, argv)
            best[who] = math.min(best[who] or math.huge, seconds)
            if who == "ours" then lu.assertTrue(tonumber(said) > 20, "the user sees how far it is") end
        end
    end
    nested.say(("200 MiB into containerd: %.1f s, minikube image load %.1f s, %.1f times as long"):format(best.ours,
        best.theirs, best.theirs / best.ours))
    lu.assertTrue(best.ours < best.theirs)
end

local ADDON = '{ name = "metrics-server", images = { %s = %q }, registries = { %s = "docker.io" } }'

-- As behind a mirror; that the image is in the node before stands for the mirror, since there is none here.
function tests.t5_metrics_server_serves_from_the_image_that_is_configured()
    local name = ground.metrics_server()
    proc.run({ ours, "-C", copy, "-e", ([[
        local ctx = require("project").open {}
        ctx.docker = require("docker").connect()
        require("cluster.minikube").load_image(ctx, { %q })
    ]]):format(name) }, { env = environment(), timeout = 120 })
    settings("containerd", ADDON:format("MetricsServe", name, "MetricsServe"))
    lu.assertStrContains(run({ "deploy.lua", "--yes" }, { status = 1 }).stderr,
        "Minikube's add-on metrics-server has no image that is called MetricsServe")
    -- The machine around the node may answer for every address, a Service's included as long as kube-proxy does not know
    -- it: the API server then keeps that connection.
    proc.run { "docker", "exec", PROFILE, "iptables", "-I", "OUTPUT", "-p", "tcp", "-d", "10.96.0.0/12", "-j", "REJECT",
        "--reject-with", "tcp-reset" }
    settings("containerd", ADDON:format("MetricsServer", name, "MetricsServer"))
    lu.assertTrue(step(deploy("--set", "mcp.image.tag=dev"), "cluster").changed)
    local told = eventually(180, "figures of the node", function()
        return proc.run({ ours, "-C", copy, "kube", "top", "nodes", "--context", PROFILE },
            { env = environment(), timeout = 60 }).stdout
    end)
    lu.assertStrMatches(told, ".*\n" .. PROFILE:gsub("%-", "%%-") .. "%s+%d+m%s+%d+%%%s+%d+Mi%s+%d+%%.*")
    nested.say((told:gsub("\n", "; ")))
    lu.assertFalse(deploy("--set", "mcp.image.tag=dev").changed)
end

function tests.t6_destroy_leaves_nothing_behind()
    run { "destroy.lua", "--yes", "--data" }
    lu.assertEquals(minikube("status", "-o", "json").status, 0, "it may hold more than this stack")
    run { "destroy.lua", "--yes", "--stop" }
    lu.assertEquals(minikube("status", "-o", "json").status, 7)
    run { "destroy.lua", "--yes", "--delete-cluster" }
    lu.assertEquals(minikube("status", "-o", "json").status, 85)
    local deadline = task.now() + 20
    while needs.context().docker:container(PROFILE) and task.now() < deadline do task.sleep(0.5) end
    lu.assertNil(needs.context().docker:container(PROFILE))
    lu.assertNil(needs.context().docker:container("todo-lua-minikube-postgres"))
end

return tests
