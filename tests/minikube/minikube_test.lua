-- The main job on a real minikube with its docker driver: todo-lua deploy from nothing, with both runtimes. The tests build
-- on each other and run in the order of their names; profile, state and settings are the tests' own.
local fs = require "fs"
local ground = require "tests.minikube.ground"
local http = require "http"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local needs = require "tests.needs"
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
    local report = json.decode(run { "deploy.lua", "--yes", "-o", "json", ... }.stdout)
    for _, step in ipairs(report.steps) do print(("# %s: %.1f s, %s"):format(step.name, step.seconds, step.text)) end
    local page = http.get(report.url .. "/api/health", { proxy = "", fresh = true })
    lu.assertEquals(page.status, 200)
    lu.assertEquals(json.decode(page.body).status, "ok")
    return report
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

local function settings(runtime)
    fs.write(copy .. "/todo.local.lua", ([[
return {
    cluster = { container_runtime = %q, minikube_flags = { "--cni=bridge" } }, -- kindnet's image may not be reachable
    database = { container = "todo-lua-minikube-postgres", volume = "todo-lua-minikube-postgres", port = 55449 },
}
]]):format(runtime))
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

-- From nothing to the page, a second time without a change, and a source that changes under the same tag.
local function whole_job(runtime)
    settings(runtime)
    local report = deploy("--set", "mcp.image.tag=dev")
    lu.assertTrue(report.changed)
    lu.assertStrContains(step(report, "wait").text, "running what was built")
    local config = json.decode(fs.read(("%s/.minikube/profiles/%s/config.json"):format(home, PROFILE)))
    lu.assertEquals(config.KubernetesConfig.ContainerRuntime, runtime)
    lu.assertTrue(config.CPUs <= proc.platform().cpus)
    local again = deploy("--set", "mcp.image.tag=dev")
    lu.assertFalse(again.changed)
    local before = pod_of("mcp").status.containerStatuses[1].imageID
    change_a_line()
    local third = deploy("--set", "mcp.image.tag=dev")
    lu.assertTrue(third.changed)
    lu.assertNotEquals(pod_of("mcp").status.containerStatuses[1].imageID, before)
end

function tests.t1_docker_runtime_builds_in_the_cluster()
    whole_job "docker"
    local names = minikube("image", "ls").stdout
    lu.assertStrContains(names, "todo-backend:latest")
    lu.assertStrContains(run { "open.lua", "--url" }.stdout, "http://")
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

function tests.t4_start_that_cannot_be_shows_minikubes_id_and_advice()
    minikube "delete"
    fs.write(copy .. "/todo.local.lua", 'return { cluster = { driver = "no-such-driver" } }\n')
    local result = run({ "deploy.lua", "--yes" }, { status = 1 })
    lu.assertStrMatches(result.stderr, ".*minikube could not start the cluster: .*%(DRV_UNSUPPORTED_OS%).*")
end

function tests.t5_containerd_takes_the_images_as_a_stream()
    whole_job "containerd"
    lu.assertStrContains(minikube("image", "ls").stdout, "todo-frontend:")
end

function tests.t6_destroy_leaves_nothing_behind()
    run { "destroy.lua", "--yes", "--data" }
    lu.assertEquals(minikube("status", "-o", "json").status, 0, "it may hold more than this stack")
    run { "destroy.lua", "--yes", "--delete-cluster" }
    lu.assertEquals(minikube("status", "-o", "json").status, 85)
    local deadline = task.now() + 20
    while needs.context().docker:container(PROFILE) and task.now() < deadline do task.sleep(0.5) end
    lu.assertNil(needs.context().docker:container(PROFILE))
    lu.assertNil(needs.context().docker:container("todo-lua-minikube-postgres"))
end

return tests
