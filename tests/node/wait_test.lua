-- Waiting on a real node ends within seconds of what cannot become ready, and names the cause. The cases run at once.
local apiserver = require "tests.cluster.apiserver"
local eventually = require "tests.eventually"
local fs = require "fs"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local node = require "tests.kube.node"
local proc = require "proc"
local program = require "program"
local records = require "release.records"
local task = require "task"
local world = require "tests.release.world"

local tests = {}
local here, registry, home, client
local chart = world.charts .. "/given"
local ours = program.project .. "/build/bin/todo-lua"
local STOP_SECONDS = 5

-- A registry that has nothing: "unknown" it does not know, "denied" it refuses.
local function serve(conn)
    local request = ""
    while true do
        local bytes = conn:read()
        if not bytes then break end
        request = request .. bytes
        while request:find("\r\n\r\n", 1, true) do
            local head, rest = request:match("^(.-\r\n\r\n)(.*)$")
            request = rest
            local path = head:match("^%S+ (%S+)")
            local status, code = "404 Not Found", "MANIFEST_UNKNOWN"
            if path == "/v2/" then status, code = "200 OK", "" end
            if path:find("denied", 1, true) then status, code = "403 Forbidden", "DENIED" end
            local body = json.encode { errors = { { code = code, message = code:lower():gsub("_", " ") } } }
            conn:write(("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(status,
                #body, head:find("^HEAD") and "" or body))
        end
    end
end

local namespaces = { "release-wait", "release-quota", "release-admission" }

function tests.setup_all()
    here = node.open(namespaces[1])
    client = here.client
    home = fs.tempdir()
    registry = http.listen("127.0.0.1", 0, serve)
    for index = 2, 3 do client:delete("ns", namespaces[index]) end
    eventually(60, "namespaces of an earlier run are gone", function()
        return not client:get("ns", namespaces[2]) and not client:get("ns", namespaces[3])
    end)
    client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "release-quota" } }
    client:create { apiVersion = "v1", kind = "ResourceQuota", metadata = { name = "none", namespace = "release-quota" },
        spec = { hard = { pods = "0" } } }
    client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = "release-admission",
        labels = { ["pod-security.kubernetes.io/enforce"] = "restricted" } } }
end

function tests.teardown_all()
    if registry then registry:close() end
    if here then
        for index = 2, 3 do client:delete("ns", namespaces[index]) end
        here:close()
    end
    if home then home:close() end
end

local function workload(kind, name, container, more)
    local spec = node.spec("while :; do sleep 1000 & wait; done", container)
    local object = { apiVersion = "apps/v1", kind = kind, metadata = { name = name },
        spec = { selector = { matchLabels = { app = name } },
            template = { metadata = { labels = { app = name } }, spec = spec } } }
    if kind == "StatefulSet" then object.spec.serviceName = name end
    for key, value in pairs(more or {}) do object.spec[key] = value end
    return object
end

local function job(name, script, annotations, container)
    local spec = node.spec(script, container)
    spec.restartPolicy = "Never"
    return { apiVersion = "batch/v1", kind = "Job", metadata = { name = name, annotations = annotations },
        spec = { backoffLimit = 0, template = { metadata = { labels = { app = name } }, spec = spec } } }
end

local function run(arguments, objects, namespace)
    local argv = { ours, "helm" }
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    table.move({ "-n", namespace or "release-wait" }, 1, 2, #argv + 1, argv)
    return proc.run(argv, { check = false, timeout = 120, stdin = json.encode { objects = objects },
        env = { KUBECONFIG = here.kubeconfig, HOME = home.path, XDG_STATE_HOME = home.path .. "/state" } })
end

local function container_state(name, namespace)
    local pod = client:list("pods", { namespace = namespace, labels = { app = name } })[1]
    return pod and (pod.status.containerStatuses or {})[1] or {}
end

local function waits_for(reason)
    return function(name, namespace)
        local waiting = (container_state(name, namespace).state or {}).waiting
        return waiting and (waiting.reason == reason or reason == "pull"
            and (waiting.reason == "ErrImagePull" or waiting.reason == "ImagePullBackOff"))
    end
end

local function exited(code)
    return function(name, namespace)
        local status = container_state(name, namespace)
        for _, state in ipairs { status.state or {}, status.lastState or {} } do
            if state.terminated and state.terminated.exitCode == code then return true end
        end
        return false
    end
end

local function crashed_twice(name, namespace)
    local status = container_state(name, namespace)
    return (status.restartCount or 0) >= 2 and ((status.state or {}).waiting or {}).reason == "CrashLoopBackOff"
end

local function has_event(reason)
    return function(name, namespace)
        for _, event in ipairs(client:list("events", { namespace = namespace, fields = "reason=" .. reason })) do
            if event.involvedObject.name:find(name, 1, true) then return true end
        end
        return false
    end
end

local function job_failed(name, namespace)
    local live = client:get("jobs.batch", name, { namespace = namespace })
    for _, condition in ipairs(live and live.status.conditions or {}) do
        if condition.type == "Failed" and condition.status == "True" then return true end
    end
    return false
end

local function image(name) return ("127.0.0.1:%d/%s:1"):format(registry.port, name) end

-- Never Ready, not even for the moment before it ends.
local function crashing(script)
    return { command = { "/bin/sh", "-c", script },
        readinessProbe = { exec = { command = { "/bin/test", "-e", "/never" } } } }
end

-- name, its objects, when it has become hopeless, what the error says; `after`: seconds that it may last all the same
local function cases()
    local hook = { ["helm.sh/hook"] = "pre-install" }
    return {
        { "never", { workload("Deployment", "never", { image = "todo-lua-test:absent" }) },
            waits_for "ErrImageNeverPull", "never: ErrImageNeverPull" },
        { "badname", { workload("StatefulSet", "badname", { image = "Not A Name" }) },
            waits_for "InvalidImageName", "badname: InvalidImageName" },
        { "unknown", { workload("Deployment", "unknown", { image = image "unknown", imagePullPolicy = "Always" }) },
            waits_for "pull", "not found" },
        { "denied", { workload("StatefulSet", "denied", { image = image "denied", imagePullPolicy = "Always" }) },
            waits_for "pull", "403 Forbidden" },
        { "down", { workload("Deployment", "down", { image = "127.0.0.1:1/down:1", imagePullPolicy = "Always" }) },
            waits_for "pull", "connection refused", after = 30 },
        { "absent", { workload("Deployment", "absent", crashing "echo gone; exit 127") },
            exited(127), "exit status 127" },
        { "crash", { workload("Deployment", "crash", crashing "echo last-words; exit 3") },
            crashed_twice, "exit status 3" },
        { "job", { job("job", "exit 1") }, job_failed, "job: BackoffLimitExceeded", arguments = { "--wait-for-jobs" } },
        { "hook", { job("hook", "exit 1", hook) }, job_failed, "job hook failed: BackoffLimitExceeded" },
        { "hookpull", { job("hookpull", "true", hook, { image = image "unknown", imagePullPolicy = "Always" }) },
            waits_for "pull", "hookpull: " },
        { "quota", { workload("Deployment", "quota") }, has_event "FailedCreate", "exceeded quota",
            namespace = "release-quota" },
        { "quotaset", { workload("StatefulSet", "quotaset") }, has_event "FailedCreate", "exceeded quota",
            namespace = "release-quota" },
        { "refused", { workload("StatefulSet", "refused") }, has_event "FailedCreate", "violates PodSecurity",
            namespace = "release-admission" },
    }
end

local function run_case(case)
    local name, namespace = case[1], case.namespace or "release-wait"
    local hopeless
    local watcher = task.spawn(function()
        while not hopeless do
            local ok, reached = pcall(case[3], name, namespace)
            if ok and reached then hopeless = task.now() end
            task.sleep(0.3)
        end
    end)
    local arguments = { "install", name, chart, "-f", "-", "--wait", "--timeout", "90s" }
    for _, argument in ipairs(case.arguments or {}) do arguments[#arguments + 1] = argument end
    local result = run(arguments, case[2], namespace)
    local ended = task.now()
    watcher:cancel()
    return { name = name, status = result.status, stderr = result.stderr, text = case[4], after = case.after or 0,
        seconds = hopeless and ended - hopeless, namespace = namespace }
end

function tests.t1_wait_ends_within_seconds_of_what_cannot_become_ready()
    local runs = {}
    for index, case in ipairs(cases()) do runs[index] = function() return run_case(case) end end
    for _, result in ipairs(task.all(runs)) do
        lu.assertEquals(result.status, 1, result.name)
        lu.assertStrContains(result.stderr, result.text, false, false, result.name)
        lu.assertNotNil(result.seconds or (result.after == 0 or nil), result.name .. " ended too early: " .. result.stderr)
        local seconds = result.seconds or 0
        print(("# %s: %.1f s after it was hopeless"):format(result.name, seconds))
        lu.assertTrue(seconds <= result.after + STOP_SECONDS, result.name .. ": " .. seconds)
        lu.assertTrue(seconds >= result.after - 2, result.name .. ": " .. seconds)
        local history = records.history(client, result.namespace, result.name)
        lu.assertEquals(history[1].status, "failed", result.name)
    end
end

local function read_all(folder)
    local parts = {}
    for _, name in ipairs(fs.list(folder)) do
        lu.assertEquals(fs.stat(folder .. "/" .. name).mode & 511, 384, name) -- 0600
        parts[#parts + 1] = name .. "\n" .. fs.read(folder .. "/" .. name)
    end
    return table.concat(parts, "\n")
end

function tests.t2_atomic_upgrade_that_fails_is_rolled_back_and_leaves_a_bundle()
    local function objects(script)
        return { { apiVersion = "v1", kind = "Secret", metadata = { name = "keys" },
            stringData = { key = "bundle-canary-key" } },
            workload("Deployment", "atomic", script and crashing(script)) }
    end
    local good = run({ "install", "atomic", chart, "-f", "-", "--wait", "--timeout", "60s" }, objects())
    lu.assertEquals(good.status, 0, good.stderr)
    local bad = run({ "upgrade", "atomic", chart, "-f", "-", "--atomic", "--timeout", "60s", "--set",
        "dbPassword=value-canary-pw" }, objects "echo last-words bundle-canary-key; exit 3")
    lu.assertEquals(bad.status, 1)
    lu.assertStrContains(bad.stderr, "release atomic failed, and has been rolled back due to atomic being set")
    lu.assertStrContains(bad.stderr, "exit status 3")
    local folder = bad.stderr:match("saved in (%S+)")
    lu.assertNotNil(folder, bad.stderr)
    lu.assertEquals(fs.stat(folder).mode & 511, 448) -- 0700
    local text = read_all(folder)
    for _, wanted in ipairs { "error.txt", "manifest.yaml", "values.yaml", "objects.yaml", "main.log", "main.previous.log",
        "last-words", "CrashLoopBackOff", "BackOff" } do
        lu.assertStrContains(text, wanted)
    end
    for _, canary in ipairs { "bundle-canary-key", "value-canary-pw" } do
        lu.assertNil(text:find(canary, 1, true), canary)
    end
    local helm = apiserver.program("judges", "helm")
    local history = json.decode(proc.run({ helm, "history", "atomic", "-n", "release-wait", "-o", "json" },
        { env = { KUBECONFIG = here.kubeconfig, HOME = home.path } }).stdout)
    lu.assertEquals({ history[1].status, history[2].status, history[3].status }, { "superseded", "failed", "deployed" })
    lu.assertEquals(history[3].description, "Rollback to 1")
end

function tests.t3_helm_and_todo_wait_for_the_same_things()
    local objects = { workload("Deployment", "both"), workload("StatefulSet", "bothset"), workload("DaemonSet", "bothdaemon"),
        job("bothjob", "true") }
    local result = run({ "install", "both", chart, "-f", "-", "--wait", "--wait-for-jobs", "--timeout", "60s" }, objects)
    lu.assertEquals(result.status, 0, result.stderr)
    local helm = apiserver.program("judges", "helm")
    local judged = proc.run({ helm, "upgrade", "both", chart, "-n", "release-wait", "-f", "-", "--wait", "--wait-for-jobs",
        "--timeout", "10s" }, { check = false, stdin = json.encode { objects = objects },
        env = { KUBECONFIG = here.kubeconfig, HOME = home.path } })
    lu.assertEquals(judged.status, 0, judged.stderr)
    local gone = run({ "uninstall", "both", "--wait" }, {})
    lu.assertEquals(gone.status, 0, gone.stderr)
    lu.assertEquals(#client:list("deployments.apps", { labels = "app.kubernetes.io/managed-by=Helm",
        fields = "metadata.name=both" }), 0)
end

return tests
