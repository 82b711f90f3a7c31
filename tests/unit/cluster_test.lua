-- Which cluster is taken where several could be. The tools are scripts that answer as the real ones do, Docker a table.
local cluster = require "cluster"
local fs = require "fs"
local json = require "json"
local log = require "log"
local lu = require "luaunit"
local proc = require "proc"
local task = require "task"

local tests = {}
local dir, said, before, nodes

function tests.setup()
    dir = fs.tempdir()
    said, nodes = {}, {}
    log.set_sink(function(text) said[#said + 1] = text end)
    fs.mkdir(dir.path .. "/bin")
    before = { PATH = proc.env("PATH", dir.path .. "/bin:/usr/bin:/bin"), MINIKUBE_HOME = proc.env("MINIKUBE_HOME", dir.path),
        MINIKUBE_PROFILE = proc.env("MINIKUBE_PROFILE", false) or false }
    for _, name in ipairs { "kind", "docker" } do fs.write(dir.path .. "/bin/" .. name, "#!/bin/sh\n", 493) end
end

function tests.teardown()
    for name, value in pairs(before) do proc.env(name, value or false) end
    log.set_sink(nil)
    dir:close()
end

local function install(name, script) fs.write(dir.path .. "/bin/" .. name, "#!/bin/sh\n" .. script .. "\n", 493) end

-- The tool has a cluster, or Docker does something else when asked for its nodes.
local function run(tool, instead)
    if tool == "k3d" then install("k3d", "true") end
    nodes[tool] = instead or function() return { { State = "running" } } end
end

local engine = { containers = function(_, options)
    local tool = options.filters.label[1]:match("k3d") or "kind"
    return nodes[tool] and nodes[tool]() or {}
end }

local function run_minikube()
    fs.mkdir(dir.path .. "/.minikube/profiles/minikube")
    fs.write(dir.path .. "/.minikube/profiles/minikube/config.json", json.encode { Driver = "docker" })
    install("minikube", [[echo '{"Name":"minikube","Host":"Running","Kubelet":"Running","APIServer":"Running","Kubeconfig":"Configured"}']])
end

local function choose(settings, options)
    local ctx = { options = options or {}, config = { cluster = settings or {} }, docker = engine,
        state_dir = dir.path .. "/state" }
    ctx.config.cluster.order = ctx.config.cluster.order or { "minikube", "kind", "k3d" }
    return cluster.choose(ctx).name, select(2, cluster.choose(ctx))
end

local function warnings() return table.concat(said, "\n"):gsub("\27%[[%d;]*m", "") .. "" end

function tests.one_cluster_that_runs_is_taken_without_a_word()
    run "k3d"
    lu.assertEquals({ choose() }, { "k3d", "it runs already" })
    lu.assertEquals(said, {})
end

function tests.two_clusters_that_run_are_told_with_the_next_step()
    run "kind"
    run "k3d"
    lu.assertEquals({ choose() }, { "kind", "it runs already" })
    lu.assertEquals(#said, 1)
    lu.assertStrContains(warnings(), "clusters of kind and k3d run here: kind is used; name another with --cluster, "
        .. "or cluster.provider in todo.local.lua")
end

function tests.three_clusters_that_run_are_all_named()
    run_minikube()
    run "kind"
    run "k3d"
    lu.assertEquals(choose(), "minikube")
    lu.assertStrContains(warnings(), "clusters of minikube, kind and k3d run here: minikube is used;")
    said = {}
    lu.assertEquals(choose { order = { "k3d", "minikube" } }, "k3d")
    lu.assertStrContains(warnings(), "clusters of k3d and minikube run here: k3d is used;")
end

function tests.cluster_that_is_named_is_taken_without_a_word()
    run "kind"
    run "k3d"
    lu.assertEquals(choose { provider = "k3d" }, "k3d")
    lu.assertEquals(choose({}, { context = "team" }), "context")
    lu.assertEquals(said, {})
end

function tests.tool_that_hangs_or_breaks_keeps_nobody_from_the_cluster_that_runs()
    run "kind"
    run("k3d", function() task.sleep(60) end)
    local started = task.now()
    lu.assertEquals(choose(), "kind")
    lu.assertTrue(task.now() - started < 20)
    run("k3d", function() error("broken", 0) end)
    lu.assertEquals(choose(), "kind")
    lu.assertEquals(said, {})
end

function tests.cluster_that_hangs_is_chosen_for_what_it_does()
    run("kind", function() error({ kind = "timeout", message = "the Docker engine at unix:///x hangs" }, 0) end)
    lu.assertEquals({ choose { order = { "kind", "k3d" } } }, { "kind", "the Docker engine at unix:///x hangs" })
end

function tests.kind_without_the_docker_command_stands_in_nobodys_way()
    run "k3d"
    fs.remove(dir.path .. "/bin/docker")
    proc.env("PATH", dir.path .. "/bin")
    lu.assertEquals(choose(), "k3d")
    local detection = cluster.detect({}, require "cluster.kind")
    lu.assertFalse(detection.available)
    lu.assertStrContains(detection.reason, "docker command")
end

-- A server that is asked for anything fails the run in other words.
local KUBECONFIG = [[
current-context: team
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: team, context: {cluster: c, user: u}}]
]]

-- Nothing is built for it, and nothing pushed.
function tests.context_that_the_configuration_alone_names_is_refused_before_anything_is_made()
    fs.write(dir.path .. "/kubeconfig", KUBECONFIG)
    local kubeconfig = proc.env("KUBECONFIG", dir.path .. "/kubeconfig")
    local function start(options)
        local ctx = { options = options, config = { cluster = { provider = "context", context = "team" } },
            board = { line = function() end } }
        local ok, problem = pcall(cluster.up, ctx, { set = function() end })
        lu.assertFalse(ok)
        return problem
    end
    local problem = start {}
    local named = start { context = "team" }
    proc.env("KUBECONFIG", kubeconfig or false)
    lu.assertEquals({ problem.kind, problem.message, problem.hint }, { "denied",
        "context team is not local, and the configuration alone names it", "name it to write to it: --context team" })
    lu.assertEquals(named.kind, "connect")
    lu.assertStrContains(named.message, "the cluster of context team does not answer")
end

return tests
