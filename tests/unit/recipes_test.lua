-- The doctor's recipes over observations: a healthy stack gives no finding, each trouble gives the right one.
local doctor = require "doctor"
local fail = require "fail"
local fs = require "fs"
local lu = require "luaunit"
local program = require "program"
local tables = require "tables"

local tests = {}

local NOW = 1767225600 -- 2026-01-01T00:00:00Z
local EARLIER = "2025-12-31T23:58:00Z"

local function container_status(name, fields)
    return tables.merge({ name = name, restartCount = 0, started = true, state = { running = { startedAt = EARLIER } },
        lastState = {}, ready = true }, fields or {})
end

local function pod(component, port)
    return {
        metadata = { name = "todo-app-" .. component .. "-abc", creationTimestamp = EARLIER,
            labels = { ["app.kubernetes.io/component"] = component, ["app.kubernetes.io/instance"] = "todo-app" } },
        spec = { nodeName = "node", containers = { { name = component, image = "todo-" .. component .. ":123",
            ports = { { containerPort = port, name = "http" } },
            resources = { requests = { cpu = "100m", memory = "128Mi" } },
            readinessProbe = { httpGet = { path = "/health/ready", port = port } } } } },
        status = { phase = "Running", startTime = EARLIER,
            conditions = { { type = "Ready", status = "True" }, { type = "PodScheduled", status = "True" } },
            containerStatuses = { container_status(component) } },
    }
end

local function service(component, port, kind)
    return {
        metadata = { name = "todo-app-" .. component },
        spec = { type = kind or "ClusterIP", selector = { ["app.kubernetes.io/component"] = component },
            ports = { { port = port, targetPort = "http", nodePort = kind and 30080 or nil } } },
    }
end

local function deployment(component) return { metadata = { name = "todo-app-" .. component } } end

local function healthy()
    return {
        now = NOW, release = "todo-app", namespace = "todo-app", provider = "standalone", host_address = "10.244.0.1",
        pods = { pod("frontend", 3000), pod("backend", 8000), pod("mcp", 8001) },
        services = { service("frontend", 3000, "NodePort"), service("backend", 8000), service("mcp", 8001) },
        deployments = { deployment "frontend", deployment "backend", deployment "mcp" },
        nodes = { { metadata = { name = "node" }, status = { allocatable = { cpu = "2", memory = "8Gi" } } } },
        events = {}, logs = {}, images = { ["todo-frontend:123"] = true }, chart = {}, values = {}, front = "frontend",
        config = { BACKEND_URL = "http://todo-app-backend:8000", MCP_SERVER_URL = "http://todo-app-mcp:8001/mcp" },
        secret_keys = { DATABASE_URL = true, BETTER_AUTH_SECRET = true, OPENAI_API_KEY = false },
        database = { address = "10.244.0.1:55432/todo as todo", is_local = true, container = "running" },
        record = { revision = 1, status = "deployed", description = "Install complete" },
        ports = { frontend = 3000, backend = 8000, mcp = 8001, node = 30080 },
        url = "http://localhost:30080", tried = { { url = "http://localhost:30080", ok = true } },
    }
end

-- The healthy stack with one pod that is not Ready.
local function with_pod(component, status, events)
    local seen = healthy()
    for _, object in ipairs(seen.pods) do
        if object.metadata.labels["app.kubernetes.io/component"] == component then
            object.status.conditions[1].status = "False"
            object.status.containerStatuses[1] = container_status(component,
                tables.merge({ ready = false, state = {} }, status or {}))
            object.status.containerStatuses[1].state = status and status.state
                or object.status.containerStatuses[1].state
            for _, event in ipairs(events or {}) do
                event.involvedObject = { name = object.metadata.name }
                seen.events[#seen.events + 1] = event
            end
            return seen, object
        end
    end
end

local running = { state = { running = { startedAt = EARLIER } } }

local all = {}
for _, resource in ipairs(program.resources("lua/recipes/")) do
    all[#all + 1] = doctor.load(resource, program.resource(resource))
end

local function diagnose(seen)
    local findings, broken = doctor.diagnose(all, seen)
    lu.assertEquals(broken, {})
    return findings
end

local function only(seen, name)
    local findings = diagnose(seen)
    local names = tables.map(findings, function(finding) return finding.recipe end)
    lu.assertEquals(names, { name })
    lu.assertTrue(#findings[1].evidence > 0)
    lu.assertIsString(findings[1].cause)
    lu.assertIsString(findings[1].fix.text)
    return findings[1]
end

function tests.recipes_are_the_ten_rows_of_the_table()
    local names = tables.map(all, function(recipe) return recipe.name end)
    table.sort(names)
    lu.assertEquals(names, { "backend_url", "chart", "crash_loop", "database", "health", "image_pull", "mcp_url",
        "node_port", "pending", "slow_start" })
    for _, recipe in ipairs(all) do lu.assertIsString(recipe.symptom) end
end

function tests.healthy_stack_has_no_finding()
    lu.assertEquals(diagnose(healthy()), {})
end

-- What `todo-lua doctor --save` wrote on a real cluster, in health and with one fault provoked.
local function recorded(name)
    local path = fs.join(program.project, "tests/unit/data/observations", name .. ".json")
    return require("json").decode(assert(fs.read(path), path))
end

function tests.recorded_healthy_stack_has_no_finding()
    lu.assertEquals(diagnose(recorded "healthy"), {})
end

function tests.recorded_faults_have_one_finding_each()
    for name, words in pairs {
        image_pull = "cannot be resolved", backend_url = "no Service todo-app-wrong", database = "refuses the password",
    } do
        lu.assertStrContains(only(recorded(name), name).cause, words)
    end
end

function tests.healthy_stack_on_plain_json_has_no_finding()
    local json = require "json"
    lu.assertEquals(diagnose(json.decode(json.encode(healthy()))), {})
end

function tests.image_pull_unknown_image_is_explained()
    local finding = only(with_pod("backend", { state = { waiting = { reason = "ImagePullBackOff",
        message = "Back-off pulling image" } } }, { { reason = "Failed", lastTimestamp = EARLIER,
        message = "Failed to pull image: dial tcp: lookup registry-1.docker.io: no such host" } }), "image_pull")
    lu.assertStrContains(finding.cause, "todo-backend:123 is neither on the node nor built")
    lu.assertStrContains(finding.cause, "cannot be resolved")
    lu.assertEquals(finding.fix.action, "deploy")
end

function tests.image_pull_built_image_that_the_node_lacks()
    local finding = only(with_pod("frontend",
        { state = { waiting = { reason = "ErrImageNeverPull", message = "x" } } }),
        "image_pull")
    lu.assertStrContains(finding.cause, "is built on this machine, but the cluster's node does not have it")
end

function tests.crash_loop_missing_setting_is_named()
    local seen, object = with_pod("mcp", { restartCount = 4, state = { waiting = { reason = "CrashLoopBackOff" } },
        lastState = { terminated = { exitCode = 1, reason = "Error" } } })
    seen.logs[object.metadata.name .. "/mcp/previous"] = "Traceback\nKeyError: 'MCP_SERVER_PORT'\n"
    local finding = only(seen, "crash_loop")
    lu.assertStrContains(finding.cause, "MCP_SERVER_PORT is missing")
    lu.assertStrContains(table.concat(finding.evidence, "\n"), "exit status 1, 4 restarts")
end

function tests.crash_loop_out_of_memory_names_the_limit()
    local finding = only(with_pod("backend", { restartCount = 3, state = { waiting = { reason = "CrashLoopBackOff" } },
        lastState = { terminated = { exitCode = 137, reason = "OOMKilled" } } }), "crash_loop")
    lu.assertStrContains(finding.cause, "more memory")
    lu.assertStrContains(finding.fix.text, "backend.resources.limits.memory")
end

function tests.crash_loop_missing_key_in_the_secret()
    local finding = only(with_pod("backend", { state = { waiting = { reason = "CreateContainerConfigError",
        message = "couldn't find key DATABASE_URL in Secret todo-app/todo-app-secret" } } }), "crash_loop")
    lu.assertStrContains(finding.cause, "DATABASE_URL is missing")
end

function tests.pending_too_little_memory_says_how_much_there_is()
    local seen, object = with_pod("backend", { state = {} })
    object.status.phase = "Pending"
    object.status.containerStatuses = nil
    object.status.conditions = { { type = "PodScheduled", status = "False", reason = "Unschedulable",
        message = "0/1 nodes are available: 1 Insufficient memory." } }
    local finding = only(seen, "pending")
    lu.assertStrContains(finding.cause, "as much free memory")
    lu.assertStrContains(finding.fix.text, "--set backend.resources.requests.memory")
    lu.assertStrContains(table.concat(finding.evidence, "\n"), "memory 8Gi")
end

function tests.pending_without_any_scheduler_is_told_apart()
    local seen, object = with_pod("backend", { state = {} })
    object.status = { phase = "Pending" }
    object.spec.nodeName = nil
    lu.assertStrContains(only(seen, "pending").cause, "no scheduler")
end

function tests.backend_url_wrong_host_port_and_localhost()
    for url, reason in pairs {
        ["http://wrong-backend:8000"] = "no Service wrong-backend",
        ["http://todo-app-backend:9000"] = "Service todo-app-backend has port 8000, not 9000",
        ["http://todo-app-backend.todo-app.svc.cluster.local:81"] = "has port 8000, not 81",
        ["http://localhost:8000"] = "means the pod itself",
        ["backend:8000"] = "it is no URL",
        [""] = "it is empty",
    } do
        local seen = healthy()
        seen.config.BACKEND_URL = url
        local finding = only(seen, "backend_url")
        lu.assertStrContains(finding.cause, reason)
        lu.assertEquals(finding.fix.set, { "config.backendUrl=http://todo-app-backend:8000" })
    end
end

function tests.backend_url_outside_or_by_full_name_is_left_alone()
    for _, url in ipairs { "http://todo-app-backend.todo-app:8000", "https://api.example.com",
        "http://todo-app-backend.todo-app.svc:8000" } do
        local seen = healthy()
        seen.config.BACKEND_URL = url
        lu.assertEquals(diagnose(seen), {})
    end
end

function tests.mcp_url_wrong_path_is_found()
    local seen = healthy()
    seen.config.MCP_SERVER_URL = "http://todo-app-mcp:8001/"
    lu.assertStrContains(only(seen, "mcp_url").cause, "answers at /mcp")
end

function tests.mcp_url_of_a_component_switched_off_is_no_fault()
    local seen = healthy()
    table.remove(seen.deployments, 3)
    table.remove(seen.services, 3)
    table.remove(seen.pods, 3)
    lu.assertEquals(diagnose(seen), {})
end

local refusals = {
    ["ERROR todo.db: database refused: database 10.9.9.9:5432/x as u: [Errno 111] Connection refused"] = "nothing "
        .. "listens",
    ["ERROR todo.db: database refused: password authentication failed for user \"todo\""] = "refuses the password",
    ["ERROR todo.db: database refused: database \"todoo\" does not exist"] = "no database of that name",
    ["ERROR todo.db: database refused: [Errno -2] Name or service not known"] = "cannot be resolved",
    ["ERROR todo.db: database refused: database h:5432/d as u: no answer within 4 s"] = "nothing answers",
}

function tests.database_refusals_are_told_apart()
    for line, cause in pairs(refusals) do
        local seen, object = with_pod("backend", running, { { reason = "Unhealthy", lastTimestamp = EARLIER,
            message = "Readiness probe failed: HTTP probe failed with statuscode: 503" } })
        seen.logs[object.metadata.name .. "/backend"] = "INFO start\n" .. line .. "\n"
        seen.database = { address = "10.9.9.9:5432/x as u", is_local = false }
        local finding = only(seen, "database")
        lu.assertStrContains(finding.cause, cause)
        lu.assertEquals(finding.evidence[1], line)
        lu.assertNil(finding.fix.action)
    end
end

function tests.database_of_its_own_that_stopped_is_started_again()
    local seen, object = with_pod("backend", running)
    seen.logs[object.metadata.name .. "/backend"] = "ERROR todo.db: database refused: Connection refused"
    seen.database.container = "stopped"
    local finding = only(seen, "database")
    lu.assertEquals(finding.fix.action, "deploy")
    lu.assertStrContains(finding.fix.text, "start the local database again")
end

function tests.database_line_in_a_ready_pods_log_is_history()
    local seen = healthy()
    seen.logs["todo-app-backend-abc/backend"] = "ERROR database refused: Connection refused\nINFO database answers "
        .. "again"
    lu.assertEquals(diagnose(seen), {})
end

function tests.health_missing_route_is_explained()
    local finding = only(with_pod("backend", running, { { reason = "Unhealthy", lastTimestamp = EARLIER,
        message = "Startup probe failed: HTTP probe failed with statuscode: 404" } }), "health")
    lu.assertStrContains(finding.cause, "no such route")
    lu.assertStrContains(table.concat(finding.evidence, "\n"), "/health/ready on port 8000")
end

function tests.health_newest_event_counts()
    local seen = with_pod("backend", running, {
        { reason = "Unhealthy", lastTimestamp = "2025-12-31T23:59:00Z", message = "probe failed: connection refused" },
        { reason = "Unhealthy", lastTimestamp = "2025-12-31T23:58:00Z", message = "probe failed: statuscode: 404" },
    })
    lu.assertStrContains(only(seen, "health").cause, "nothing listens")
end

function tests.chart_error_and_failed_release_are_found()
    local seen = healthy()
    seen.chart = { { severity = "error", path = "templates/", message = "parse error at (x.yaml:3)" },
        { severity = "info", path = "Chart.yaml", message = "icon is recommended" } }
    lu.assertEquals(only(seen, "chart").cause, "parse error at (x.yaml:3)")
    seen = healthy()
    seen.record = { revision = 2, status = "failed", description = "Release failed: timed out" }
    lu.assertStrContains(only(seen, "chart").summary, "revision 2 of the release is failed")
end

function tests.slow_start_long_pull_is_named()
    local finding = only(with_pod("backend", running, { { reason = "Pulled", lastTimestamp = EARLIER,
        message = 'Successfully pulled image "x" in 1m12.5s (1m12.5s including waiting)' } }), "slow_start")
    lu.assertStrContains(finding.summary, "1 m 13 s")
end

function tests.slow_start_startup_probe_that_gave_up()
    local finding = only(with_pod("frontend", { restartCount = 1, state = running.state }, { { reason = "Killing",
        lastTimestamp = EARLIER, message = "Container frontend failed startup probe, will be restarted" } }),
            "slow_start")
    lu.assertStrContains(finding.cause, "startup probe gave up")
end

function tests.node_port_taken_and_unreachable_are_told_apart()
    local seen = healthy()
    seen.url = nil
    seen.tried = { { url = "http://localhost:30080", ok = false, foreign = true,
        why = "another program answers there" } }
    lu.assertStrContains(only(seen, "node_port").cause, "another program")
    seen.tried[1].foreign = nil
    lu.assertStrContains(only(seen, "node_port").cause, "no way to the node's port")
    seen.services[1].spec.type = "ClusterIP"
    lu.assertStrContains(only(seen, "node_port").cause, "of type ClusterIP")
end

function tests.node_port_says_nothing_while_no_pod_is_ready()
    local seen = with_pod("frontend", running)
    seen.url = nil
    seen.tried = { { url = "http://localhost:30080", ok = false, why = "refused" } }
    lu.assertEquals(diagnose(seen), {})
end

function tests.broken_recipe_does_not_hide_the_others()
    local seen = healthy()
    seen.config.BACKEND_URL = ""
    local recipes = { { name = "broken", find = function() error("no") end }, table.unpack(all) }
    local findings, broken = doctor.diagnose(recipes, seen)
    lu.assertEquals(#findings, 1)
    lu.assertEquals(broken[1].path, "broken")
end

function tests.users_own_recipe_joins_and_a_broken_file_is_reported()
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/lua/recipes")
    fs.write(dir.path .. "/lua/recipes/mine.lua", [[
        return { name = "mine", find = function(seen) return { { object = seen.release, summary = "s", cause = "c",
            evidence = {} } } end }]])
    fs.write(dir.path .. "/lua/recipes/worse.lua", "return {\n  find = \n}")
    local recipes, broken = doctor.recipes({ root = dir.path })
    lu.assertEquals(#broken, 1)
    lu.assertStrContains(broken[1].message, "worse.lua:3:")
    local mine = doctor.select(recipes, { "mine" })
    lu.assertEquals(doctor.diagnose(mine, healthy())[1].object, "todo-app")
    lu.assertEquals(#recipes, #all + 1)
end

function tests.unknown_recipe_name_is_an_error_that_names_the_nearest()
    local ok, problem = pcall(doctor.select, all, { "databse" })
    lu.assertFalse(ok)
    lu.assertEquals(fail.kind(problem), "usage")
    lu.assertStrContains(problem.message, "did you mean database?")
end

return tests
