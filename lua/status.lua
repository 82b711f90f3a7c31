-- Shows what is deployed: cluster, database, release, pods, URL. Changes nothing.
local cli = require "cli"
local cluster = require "cluster"
local database = require "database"
local docker = require "docker"
local fail = require "fail"
local format = require "format"
local json = require "json"
local log = require "log"
local proc = require "proc"
local program = require "program"
local project = require "project"
local release = require "release"
local rollout = require "rollout"
local stack = require "stack"
local tables = require "tables"
local term = require "term"
local url = require "url"

local options = cli.parse {
    name = "status",
    summary = "Shows what is deployed: cluster, database, release, pods, URL. Exit status 1 unless all is well.",
    groups = { "cluster", "output" },
}

local ctx = project.open(options)
local provider, problem = fail.catch({ not_found = true }, function() return cluster.choose(ctx) end)
local found = { provider = provider and provider.name, pods = json.list {}, ok = false }
local info = { name = ctx.config.release, namespace = ctx.config.namespace }

-- The result; what went wrong instead, unless that is the user's own doing.
local function attempt(fn)
    local ok, result = pcall(fn)
    if ok then return result end
    local kind = fail.kind(result)
    if kind == "cancelled" or kind == "usage" or kind == "config" then error(result, 0) end
    return nil, fail.message(result)
end

local function cluster_state()
    if not provider then return { state = "absent", message = fail.message(problem) } end
    local state, message = attempt(function() return provider.status(ctx) end)
    return state or { state = "broken", message = message }
end

local function restarts(pod)
    local total = 0
    for _, status in ipairs(tables.at(pod, "status.containerStatuses") or {}) do
        total = total + (status.restartCount or 0)
    end
    return total
end

local function look_at_pods(client)
    local pods = client:list("pods", { namespace = info.namespace,
        labels = { ["app.kubernetes.io/instance"] = info.name } })
    local ready = #pods > 0
    for _, pod in ipairs(pods) do
        local started = format.epoch(tables.at(pod, "status.startTime"))
        ready = ready and rollout.pod_ready(pod)
        found.pods[#found.pods + 1] = {
            name = pod.metadata.name, state = rollout.pod_state(pod), ready = rollout.pod_ready(pod),
            restarts = restarts(pod), age = started and math.floor(proc.time() - started) or nil,
            image = tables.at(pod, "spec.containers")[1].image,
        }
    end
    return ready
end

local function look_at_database()
    local name = database.settings(ctx).container
    local ok, container = pcall(function() return docker.connect():container(name) end)
    if not ok or not container then return "none of its own" end
    return name .. (container.State.Running and " runs" or " is stopped")
end

local function look()
    if found.cluster.state ~= "running" then return end
    local client = cluster.connect(ctx)
    stack.values(ctx)
    info.namespace = ctx.config.namespace
    local _, record = release.current(client, info)
    if not record then return end
    found.release = {
        name = info.name, namespace = info.namespace, revision = record.revision, status = record.status,
        deployed = record.body().info.last_deployed,
    }
    local ready = look_at_pods(client)
    found.url = url.find(ctx)
    found.ok = ready and record.status == "deployed" and found.url ~= nil
end

local function show()
    local state = found.cluster
    local nodes = state.nodes or {}
    log.result("cluster   %s%s%s%s%s", found.provider and found.provider .. " " or "", state.state,
        state.version and ", Kubernetes " .. state.version:gsub("^v", "") or "",
        #nodes > 1 and ", nodes " .. table.concat(nodes, ", ") or "",
        state.message and ": " .. state.message or "")
    if found.database then log.result("database  %s", found.database) end
    if found.release then
        log.result("release   %s revision %d %s, namespace %s", info.name, found.release.revision, found.release.status,
            info.namespace)
        for _, pod in ipairs(found.pods) do
            log.result("pod       %s %s, %s, %s", pod.ready and term.style("green", "✓") or term.style("red", "✗"),
                pod.name,
                pod.state, format.count(pod.restarts, "restart") .. (pod.age and ", age " .. format.age(pod.age) or ""))
        end
        log.result("url       %s", found.url or term.style("red", "does not answer"))
    elseif found.error then
        log.result("release   %s", found.error)
    else
        log.result("release   %s is not deployed: todo-lua deploy", info.name)
    end
end

found.cluster = cluster_state()
found.database = look_at_database()
found.error = select(2, attempt(look))
ctx.board:close()
if options.output == "json" then term.write(json.encode(found, { indent = "  " }) .. "\n") else show() end
program.exit(found.ok and 0 or 1)
