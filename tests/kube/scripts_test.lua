-- The workflow scripts that look at the stack's components with the functions of todo-lua kube, on an API server.
local apiserver = require "tests.cluster.apiserver"
local fixture = require "tests.kube.fixture"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}
local NAMESPACE = "todo-app"
local server, client

local function labels(component)
    return { ["app.kubernetes.io/instance"] = "todo-app", ["app.kubernetes.io/component"] = component }
end

local function add_component(component)
    local spec = { containers = { { name = component, image = component .. ":1" } } }
    client:create { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "todo-app-" .. component,
        namespace = NAMESPACE, labels = labels(component) }, spec = { selector = { matchLabels = labels(component) },
            template = { metadata = { labels = labels(component) }, spec = spec } } }
    client:create { apiVersion = "v1", kind = "Pod", spec = spec, metadata = { name = "todo-app-" .. component .. "-x-1",
        namespace = NAMESPACE, labels = labels(component) } }
end

local function add_event(name, kind, reason, type, when)
    when = when or "2026-01-02T03:04:05Z"
    client:create { apiVersion = "v1", kind = "Event", metadata = { name = name .. "." .. reason, namespace = NAMESPACE },
        type = type, reason = reason, message = "because", firstTimestamp = when, lastTimestamp = when, count = 1,
        involvedObject = { apiVersion = "v1", kind = kind, name = name, namespace = NAMESPACE } }
end

function tests.setup_all()
    server = apiserver.start()
    client = k8s.connect { kubeconfig = server.kubeconfig }
    client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = NAMESPACE } }
    add_component "backend"
    add_component "frontend"
    add_event("todo-app-backend", "Deployment", "ScalingReplicaSet", "Normal")
    add_event("todo-app-backend-x-1", "Pod", "Unhealthy", "Warning", "2026-01-03T03:04:05Z")
    add_event("todo-app-frontend-x-1", "Pod", "Pulled", "Normal")
    add_event("other", "ConfigMap", "Odd", "Warning")
end

function tests.teardown_all()
    if server then server:stop() end
end

local environment = function() return { KUBECONFIG = server.kubeconfig } end

local function script(...)
    return proc.run({ program.executable, "--color=never", ... }, { check = false, timeout = 60, env = environment() })
end

function tests.events_are_those_of_the_named_components()
    local all = script("events", "--context", "test").stdout
    lu.assertStrContains(all, "LAST SEEN")
    lu.assertStrContains(all, "ConfigMap/other")
    local own = script("events", "backend", "--context", "test")
    lu.assertEquals(own.status, 0, own.stderr)
    lu.assertStrMatches(own.stdout, "LAST SEEN.*Deployment/todo%-app%-backend .*Pod/todo%-app%-backend%-x%-1 .*because\n")
    lu.assertNotStrContains(own.stdout, "frontend")
    lu.assertNotStrContains(own.stdout, "other")
    local warnings = script("events", "backend", "frontend", "--warnings", "--context", "test").stdout
    lu.assertEquals(select(2, warnings:gsub("\n", "")), 2, warnings)
    lu.assertStrContains(warnings, "Unhealthy")
    lu.assertStrContains(script("events", "mcp", "--context", "test").stderr, "No events found in todo-app namespace.")
end

function tests.events_go_on_with_what_happens()
    local process <close> = proc.spawn({ program.executable, "events", "backend", "--watch", "--context", "test" },
        { env = environment() })
    lu.assertStrContains(process:read_line(), "LAST SEEN")
    repeat local line = process:read_line() until line:find("Unhealthy") or line:find("ScalingReplicaSet")
    add_event("other", "ConfigMap", "More", "Normal")
    add_event("todo-app-backend-x-1", "Pod", "Killing", "Normal")
    repeat
        local line = process:read_line()
        lu.assertNotStrContains(line, "other")
    until line:find("Killing")
    process:kill("INT")
    lu.assertEquals(process:wait(), 130)
end

function tests.top_asks_for_the_named_components()
    local none = script("top", "--context", "test")
    lu.assertEquals(none.status, 1)
    lu.assertStrContains(none.stderr, "Metrics API not available")
    local _ <close> = fixture.metrics(server, client)
    local result = script("top", "backend", "mcp", "--sort-by=cpu", "--context", "test", "--namespace", "shop")
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertStrMatches(result.stdout, "NAME +CPU%(cores%) +MEMORY%(bytes%) *\nlonely +1000m +1024Mi *\nbackend%-1 .*\n")
    local asked
    for _, request in ipairs(server:audit()) do
        if request.uri:find("/namespaces/shop/pods", 1, true) then asked = request.uri end
    end
    lu.assertStrContains(asked, "app.kubernetes.io%2Fcomponent%20in%20%28backend%2Cmcp%29")
    lu.assertStrContains(asked, "app.kubernetes.io%2Finstance%3Dtodo-app")
    lu.assertStrContains(script("top", "--containers", "--context", "test", "-n", "shop").stdout, "POD ")
    lu.assertEquals(script("top", "--sort-by=size", "--context", "test").status, 2)
end

function tests.exec_says_which_of_several_pods_it_took()
    lu.assertNotStrContains(script("exec", "frontend", "--context", "test", "--", "true").stderr, "Took")
    client:create { apiVersion = "v1", kind = "Pod", spec = { containers = { { name = "frontend", image = "frontend:1" } } },
        metadata = { name = "todo-app-frontend-x-2", namespace = NAMESPACE, labels = labels "frontend" } }
    local said = 'Took pod "todo-app-frontend-x-1" out of: todo-app-frontend-x-1, todo-app-frontend-x-2\n'
    local result = script("exec", "frontend", "--context", "test", "--", "true")
    lu.assertEquals(result.stdout, "")
    lu.assertStrContains(result.stderr, said)
    lu.assertNotStrContains(script("-q", "exec", "frontend", "--context", "test", "--", "true").stderr, "Took")
    client:delete("pods", "todo-app-frontend-x-2", { namespace = NAMESPACE })
end

function tests.logs_of_a_release_without_pods_say_so()
    local result = script("logs", "mcp", "--context", "test")
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "no pods of release todo-app in namespace todo-app")
end

return tests
