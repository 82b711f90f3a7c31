-- The main job on a real kind: todo-lua deploy from nothing. The tests build on each other and run in the order of their
-- names; cluster, state and settings are the tests' own.
local eventually = require "tests.eventually"
local fs = require "fs"
local ground = require "tests.kind.ground"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local tables = require "tables"

local tests = {}

needs.judges()
needs.docker()
local root = program.project
local home = needs.cache "kind-home"
local copy = root .. "/build/test/kind"
local NAME, PORT = "todo-lua-test", 30086
local image, env

local function environment()
    local all = tables.merge(env, needs.environment())
    all.DATABASE_URL, all.DOCKER_HOST = false, false
    return all
end

local function run(arguments, status)
    local argv = { root .. "/build/bin/todo-lua", "-C", copy }
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    table.move({ "--cluster", "kind" }, 1, 2, #argv + 1, argv)
    local result = proc.run(argv, { check = false, env = environment(), timeout = 900 })
    if status ~= false and result.status ~= (status or 0) then
        error(("%s ended with status %d:\n%s\n%s"):format(table.concat(arguments, " "), result.status,
            result.stdout:sub(-3000), result.stderr:sub(-3000)), 0)
    end
    return result
end

local function tool(...)
    return proc.run({ ... }, { check = false, env = environment(), timeout = 120 }).stdout
end

local function step(report, name)
    return tables.filter(report.steps, function(one) return one.name == name end)[1]
end

local function deploy()
    local report = json.decode(run { "deploy.lua", "--yes", "-o", "json", "--set", "mcp.image.tag=dev" }.stdout)
    for _, one in ipairs(report.steps) do print(("# %s: %.1f s, %s"):format(one.name, one.seconds, one.text)) end
    lu.assertEquals(report.url, ("http://localhost:%d"):format(PORT))
    local page = http.get(report.url .. "/api/health", { proxy = "", fresh = true })
    lu.assertEquals(json.decode(page.body).status, "ok")
    return report
end

local function settings(node_image)
    fs.write(copy .. "/todo.local.lua", ([[
return {
    cluster = { name = %q, kind_flags = { "--image=%s" } },
    ports = { node = %d },
    values = { frontend = { service = { nodePort = %d } } },
    database = { container = "todo-lua-kind-postgres", volume = "todo-lua-kind-postgres", port = 55459 },
}
]]):format(NAME, node_image, PORT, PORT))
end

local function delete() tool("kind", "delete", "cluster", "--name", NAME) end

function tests.setup_all()
    image, env = ground.ensure(home)
    proc.run { "rm", "-rf", copy }
    fs.mkdir(copy .. "/examples")
    for _, name in ipairs { "lua", "chart", "docker" } do proc.run { "cp", "-a", root .. "/" .. name, copy .. "/" } end
    proc.run { "cp", "-a", root .. "/examples/todo-app", copy .. "/examples/" }
    delete()
end

function tests.teardown_all()
    if env then delete() end
end

function tests.t1_create_that_cannot_be_shows_kinds_cause_and_leaves_nothing()
    settings "todo-lua-test/no-such-node:1"
    local result = run({ "deploy.lua", "--yes" }, 1)
    lu.assertStrContains(result.stderr, "kind could not create the cluster:")
    lu.assertStrContains(result.stderr, 'failed to pull image "todo-lua-test/no-such-node:1"')
    lu.assertEquals(tool("kind", "get", "clusters"), "")
end

-- A kind that is killed while it makes the node.
local function half_make()
    local node = NAME .. "-control-plane"
    local making = proc.spawn({ "kind", "create", "cluster", "--name", NAME, "--image", image },
        { env = environment(), stdout = "null", stderr = "null" })
    eventually(60, "a node", function()
        return tool("docker", "inspect", "--format", "{{.State.Running}}", node) == "true\n"
    end)
    making:kill "KILL"
    making:wait()
end

function tests.t2_deploy_over_a_half_made_cluster_then_nothing_to_do()
    settings(image)
    half_make()
    lu.assertStrContains(run({ "status.lua" }, 1).stdout, "kind broken: its making was broken off")
    local report = deploy()
    lu.assertStrContains(step(report, "wait").text, "running what was built")
    lu.assertStrContains(step(report, "cluster").text, "kind, Kubernetes " .. ground.kubernetes:sub(2))
    lu.assertEquals(tool("kind", "get", "clusters"), NAME .. "\n")
    lu.assertFalse(deploy().changed)
end

function tests.t3_same_tag_with_other_content_rolls_the_pods()
    local path = copy .. "/examples/todo-app/backend/mcp_server/__init__.py"
    fs.write(path, ("%s\n# changed at %f\n"):format(fs.read(path) or "", proc.time()))
    local report = deploy()
    lu.assertTrue(report.changed)
    lu.assertStrContains(step(report, "wait").text, "running what was built")
end

function tests.t4_paused_node_goes_on()
    tool("docker", "pause", NAME .. "-control-plane")
    local report = deploy()
    lu.assertTrue(step(report, "cluster").changed)
    lu.assertFalse(step(report, "release").changed)
end

function tests.t4_silent_api_is_told_and_waited_for()
    local folder, away = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/root/kube-apiserver.yaml"
    tool("docker", "exec", NAME .. "-control-plane", "mv", folder, away)
    eventually(60, "a silent API", function()
        return run({ "status.lua" }, false).stdout:find("kind broken: its API server does not answer", 1, true)
    end)
    tool("docker", "exec", NAME .. "-control-plane", "mv", away, folder)
    lu.assertFalse(step(deploy(), "release").changed)
end

function tests.t4_stopped_node_is_started_again_with_its_release()
    tool("docker", "stop", NAME .. "-control-plane")
    local report = deploy()
    lu.assertTrue(step(report, "cluster").changed)
    lu.assertFalse(step(report, "release").changed)
    lu.assertTrue(step(report, "url").seconds < 10, "pods of before were taken for Ready")
end

function tests.t5_stop_keeps_everything_for_the_next_deploy()
    run { "destroy.lua", "--stop" }
    for _, name in ipairs { NAME .. "-control-plane", "todo-lua-kind-postgres" } do
        lu.assertFalse(needs.context().docker:container(name).State.Running)
    end
    run { "destroy.lua", "--stop" }
    local report = deploy()
    lu.assertTrue(step(report, "cluster").changed)
    lu.assertTrue(step(report, "database").changed)
    lu.assertFalse(step(report, "release").changed)
end

function tests.t6_destroy_leaves_nothing_behind()
    run { "destroy.lua", "--yes", "--data" }
    lu.assertEquals(tool("kind", "get", "clusters"), "")
    lu.assertNil(needs.context().docker:container(NAME .. "-control-plane"))
    lu.assertNil(needs.context().docker:container "todo-lua-kind-postgres")
end

return tests
