-- The standalone cluster in every version that is pinned beside the usual one, under the real stack, with two nodes and
-- the add-ons; and from one version up to the next, with all that is in it. In a state folder of its own; a cluster of
-- the tests or of the user is stopped meanwhile.
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local needs = require "tests.needs"
local pins = require "cluster.standalone.pins"
local proc = require "proc"
local program = require "program"
local standalone = require "cluster.standalone"
local tables = require "tables"
local versions = require "cluster.standalone.versions"

local root = program.project
local copy = root .. "/build/test/versions"
local ours = root .. "/build/bin/todo-lua"
local HOME = "/var/tmp/todo-lua-test-versions"
local POSTGRES = "todo-lua-versions-postgres"

local newest, older = pins.versions[1], pins.versions[2]

local tests = {}

needs.judges()
needs.docker()
local shared = needs.context()
local ctx = setmetatable({ state_dir = HOME .. "/todo-lua", config = { cluster = {} } }, { __index = shared })
local shared_ran = false

local function run(arguments, status)
    local result = proc.run({ ours, "-C", copy, table.unpack(arguments) }, { check = false, timeout = 1800,
        env = { XDG_STATE_HOME = HOME, XDG_CONFIG_HOME = HOME .. "/config", DATABASE_URL = false } })
    lu.assertEquals(result.status, status or 0, result.stdout:sub(-3000) .. result.stderr:sub(-3000))
    return result
end

local function settings(version, nodes, addons)
    fs.write(copy .. "/todo.local.lua", ([[
return { cluster = { provider = "standalone", kubernetes_version = %s, nodes = %d, addons = { %s } },
    database = { container = %q, volume = %q, port = 55441 } }
]]):format(version and ("%q"):format(version) or "nil", nodes or 1, addons or "", POSTGRES, POSTGRES))
end

local function deploy(...)
    local started = proc.time()
    local said = run { "deploy.lua", "--yes", "-o", "json", ... }
    local report, steps = json.decode(said.stdout), {}
    for _, step in ipairs(report.steps) do steps[step.name] = step end
    print(("# deploy %s, %s: %.1f s, the cluster %.1f s"):format(table.concat({ ... }, " "), steps.cluster.text,
        proc.time() - started, steps.cluster.seconds))
    return report, steps, said.stderr
end

local function kubectl(...)
    return proc.run({ needs.judge "kubectl", "--kubeconfig", standalone.kubeconfig(ctx).kubeconfig, "-n", "todo-app",
        "-o", "json", ... }, { timeout = 60 }).stdout
end

local function items(...) return json.decode(kubectl("get", ...)).items end

-- kubectl, todo-lua and every node tell the same version, and every pod is ready.
local function assert_runs(version, nodes)
    local server = json.decode(kubectl "version").serverVersion
    lu.assertEquals(server.gitVersion, "v" .. version)
    local kubeconfig = standalone.kubeconfig(ctx).kubeconfig
    local ours_tells = run { "kube", "version", "--kubeconfig", kubeconfig, "-o", "json" }
    lu.assertEquals(json.decode(ours_tells.stdout).serverVersion, server)
    local status = json.decode(run({ "status.lua", "-o", "json" }).stdout)
    lu.assertEquals({ status.ok, status.cluster.state, status.cluster.version }, { true, "running", "v" .. version })
    local told = {}
    for _, node in ipairs(items "nodes") do told[node.metadata.name] = node.status.nodeInfo.kubeletVersion end
    lu.assertEquals(told, nodes == 2 and { ["todo-lua"] = "v" .. version, ["todo-lua-2"] = "v" .. version }
        or { ["todo-lua"] = "v" .. version })
    local pods = items "pods"
    lu.assertEquals(#pods, 3)
    for _, pod in ipairs(pods) do lu.assertTrue(pod.status.containerStatuses[1].ready, pod.metadata.name) end
end

local function deployment_uids()
    return tables.map(items "deployments", function(object) return object.metadata.uid end) -- listed by their names
end

local function containers()
    local list = tables.map(items "pods", function(pod) return pod.status.containerStatuses[1].containerID end)
    table.sort(list)
    return list
end

local function destroy()
    run { "destroy.lua", "--yes", "--data" }
    lu.assertEquals(standalone.remains(ctx), {})
    lu.assertEquals(standalone.status(ctx).state, "absent")
end

function tests.setup_all()
    needs.packages { "containernetworking-plugins", "iptables", "conntrack", "socat", "iproute2", "runc", "openssl" }
    local other = standalone.other(ctx)
    shared_ran = other and setmetatable({ state_dir = other, config = { cluster = {} } }, { __index = shared })
    if shared_ran then standalone.stop(shared_ran) end
    standalone.delete(ctx)
    proc.run { "rm", "-rf", copy, HOME }
    fs.mkdir(copy .. "/examples")
    for _, name in ipairs { "lua", "chart", "docker" } do proc.run { "cp", "-a", root .. "/" .. name, copy .. "/" } end
    proc.run { "cp", "-a", root .. "/examples/todo-app", copy .. "/examples/" }
    for _, version in ipairs(pins.versions) do
        local started = proc.time()
        local _, built = versions.programs(fs.join(ctx.cache_dir, "standalone"), version, shared.progress)
        if built then print(("# Kubernetes %s built in %.0f s"):format(version, proc.time() - started)) end
    end
end

function tests.teardown_all()
    settings()
    proc.run({ ours, "-C", copy, "destroy.lua", "--yes", "--data" }, { check = false, timeout = 300,
        env = { XDG_STATE_HOME = HOME, XDG_CONFIG_HOME = HOME .. "/config", DATABASE_URL = false } })
    standalone.delete(ctx)
    proc.run { "rm", "-rf", HOME }
    if shared_ran then standalone.start(shared_ran) end
end

function tests.t1_unknown_version_is_refused_before_anything_starts()
    settings "v1.35.99"
    local said = run({ "deploy.lua", "--yes" }, 1)
    lu.assertStrContains(said.stdout .. said.stderr, "the standalone cluster has no Kubernetes v1.35.99")
    lu.assertStrContains(said.stdout .. said.stderr, "it has " .. table.concat(pins.versions, ", "))
    lu.assertEquals(standalone.status(ctx).state, "absent")
    lu.assertEquals(standalone.remains(ctx), {})
end

-- From nothing to nothing.
local function life(version)
    settings("v" .. version, 2, [["metrics-server"]])
    local report, steps = deploy "--ingress"
    lu.assertEquals(steps.cluster.text, ("standalone, Kubernetes %s with metrics-server, ingress"):format(version))
    lu.assertEquals(report.ingress.url, "http://todo.local")
    assert_runs(version, 2)
    lu.assertFalse(deploy("--ingress").changed)
    local before = deployment_uids()
    standalone.stop(ctx)
    lu.assertEquals(standalone.remains(ctx), {})
    settings(nil, 2, [["metrics-server"]]) -- it stays what it is
    report, steps = deploy "--ingress"
    lu.assertTrue(report.changed)
    lu.assertFalse(steps.release.changed)
    assert_runs(version, 2)
    lu.assertEquals(deployment_uids(), before)
    destroy()
end

for index = 2, #pins.versions do
    local version = pins.versions[index]
    tests[("t2_stack_runs_in_%s_stopped_resumed_and_deleted"):format(version:gsub("%.", "_"))] = function()
        life(version)
    end
end

function tests.t3_older_cluster_goes_up_with_its_release_and_its_pods()
    settings(older:match "^%d+%.%d+")
    deploy()
    assert_runs(older, 1)
    local deployments, before = deployment_uids(), containers()
    settings "stable"
    local report, steps, said = deploy()
    lu.assertStrContains(said, ("The cluster goes up from Kubernetes %s to %s, with its data."):format(older, newest))
    lu.assertTrue(report.changed)
    lu.assertEquals(steps.cluster.text, "standalone, Kubernetes " .. newest)
    lu.assertFalse(steps.release.changed)
    assert_runs(newest, 1)
    lu.assertEquals(deployment_uids(), deployments)
    lu.assertEquals(containers(), before, "what runs goes on")
    local release = json.decode(run({ "status.lua", "-o", "json" }).stdout).release
    lu.assertEquals({ release.revision, release.status }, { 1, "deployed" })
    lu.assertFalse(deploy().changed)
end

function tests.t4_way_back_is_refused_and_the_cluster_goes_on()
    settings(older)
    local said = run({ "deploy.lua", "--yes" }, 1)
    lu.assertStrContains(said.stdout .. said.stderr, ("the cluster is of Kubernetes %s, and its data do not go back to %s")
        :format(newest, older))
    lu.assertStrContains(said.stdout .. said.stderr, "todo-lua destroy, then todo-lua deploy")
    settings()
    assert_runs(newest, 1)
    destroy()
end

-- With the way over the version between: each step keeps what is there.
function tests.t5_cluster_goes_up_by_one_minor_version_at_a_time()
    local oldest = pins.versions[3]
    settings(oldest)
    deploy()
    local deployments = deployment_uids()
    settings "stable"
    local said = run({ "deploy.lua", "--yes" }, 1)
    lu.assertStrContains(said.stdout .. said.stderr, ('first deploy with cluster = { kubernetes_version = "%s" }')
        :format(older:match "^%d+%.%d+"))
    for _, version in ipairs { older, newest } do
        settings(version)
        deploy()
        assert_runs(version, 1)
        lu.assertEquals(deployment_uids(), deployments)
    end
    destroy()
end

return tests
