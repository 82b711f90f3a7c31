-- What one can do with an object at the prompt, by the method's name; each gets the session, the object's resource and
-- the object. lua/types/prompt.lua documents them.
local fail = require "fail"
local format = require "format"
local object_events = require "kubectl.events"
local pager = require "prompt.pager"
local proc = require "proc"
local revisions = require "kubectl.revisions"
local rollout = require "rollout"
local tables = require "tables"
local term = require "term"
local text = require "kubectl.describe.text"

local actions = {}

local LOG_LINES = 100
local WHY_LOG_LINES = 5
local PROOF_SECONDS = 3

-- The pods behind an object: itself, a workload's, a service's.
local function pods_of(session, object)
    if object.kind == "Pod" then return { object } end
    local selector = object.spec and object.spec.selector
    if not selector or next(selector) == nil then
        fail.raise("usage", ("%s %s has no pods of its own"):format(object.kind, object.metadata.name))
    end
    local labels = object.kind == "Service" and selector or text.selector(selector)
    return (session.client:list("v1/Pod", { namespace = object.metadata.namespace, labels = labels }))
end

function actions.logs(session, _, object, options)
    options = options or {}
    local pods = pods_of(session, object)
    for _, pod in ipairs(pods) do
        local prefix = #pods > 1 and term.style("cyan", pod.metadata.name) .. " " or ""
        local lines <close> = session.client:logs(pod.metadata.name, { namespace = pod.metadata.namespace,
            container = options.container, tail = options.tail or LOG_LINES, previous = options.previous,
            since = options.since, follow = options.follow })
        for line in function() return lines:next() end do term.write(prefix .. term.clean(line) .. "\n") end
    end
end

local function last_lines(session, pod, problem)
    local ok, log = pcall(function()
        local lines <close> = session.client:logs(pod.metadata.name, { namespace = pod.metadata.namespace,
            container = problem.container, tail = WHY_LOG_LINES, previous = problem.crashed })
        return lines:text()
    end)
    return ok and term.clean(log):gsub("\n$", ""):gsub("[^\n]+", "    %0") or ""
end

-- Lines on one pod: its state, what is wrong, its last warning and its last words.
local function why_pod(session, pod)
    local lines = { ("%s: %s"):format(pod.metadata.name, rollout.pod_state(pod)) }
    local problem = rollout.pod_problem(pod, proc.time())
    if not problem and rollout.pod_ready(pod) then return lines end
    if problem then
        lines[#lines + 1] = ("  %s%s%s"):format(problem.reason, problem.container and " in container "
            .. problem.container or "", problem.message and ": " .. problem.message or "")
    end
    local warnings = tables.filter(object_events.of(session.client, pod),
        function(one) return one.type == "Warning" end)
    require "kubectl.sort_by".stable(warnings, function(a, b) return text.event_time(a) < text.event_time(b) end)
    local last = warnings[#warnings]
    if last then lines[#lines + 1] = ("  last warning: %s: %s"):format(last.reason or "", last.message or "") end
    if problem and problem.container then
        local log = last_lines(session, pod, problem)
        if log ~= "" then lines[#lines + 1] = "  last lines of its log:\n" .. log end
    end
    return lines
end

function actions.why(session, _, object)
    local lines = {}
    if object.kind == "Deployment" then
        local sets = revisions.replica_sets(session.client, object)
        local state = rollout.judge({ workloads = { object }, replicasets = sets, pods = pods_of(session, object) },
            proc.time())[1]
        local problem = state.problem
        lines[1] = ("%s: %s"):format(object.metadata.name, state.text)
        if problem and not problem.pod then
            lines[2] = ("  %s: %s"):format(problem.reason or "", problem.message or "")
        end
    end
    for _, pod in ipairs(pods_of(session, object)) do
        pod.kind = "Pod"
        table.move(why_pod(session, pod), 1, 100, #lines + 1, lines)
    end
    term.write(term.clean(table.concat(lines, "\n")) .. "\n")
end

function actions.events(session, _, object)
    local w = text.new()
    w:events(object_events.of(session.client, object))
    pager.show(term.clean(w:finish()))
end

function actions.describe(session, resource, object)
    local describe = require "kube.describe"
    pager.show(describe.text(session, { resource = resource, object = session:fetch(resource, object.metadata.namespace,
        object.metadata.name) }))
end

function actions.yaml(_, _, object)
    local shown = tables.copy(object)
    shown.metadata.managedFields = nil
    return require "yaml".encode(shown, { sort = true, secrets = "mask" })
end

function actions.url(session, _, object)
    local tried = {}
    if object.kind ~= "Service" then fail.raise("usage", "only a service has a URL") end
    local hosts = { "localhost" }
    for _, node in ipairs((session.client:list("v1/Node"))) do
        for _, address in ipairs(node.status.addresses or {}) do
            if address.type:find("IP$") then hosts[#hosts + 1] = address.address end
        end
    end
    for _, port in ipairs(object.spec.ports or {}) do
        for _, host in ipairs(port.nodePort and hosts or {}) do
            local url = ("http://%s:%d"):format(host, port.nodePort)
            local ok, answer = pcall(require "http".get, url, { timeout = PROOF_SECONDS, proxy = "" })
            if ok then return url end
            tried[#tried + 1] = url .. ": " .. fail.message(answer)
        end
    end
    fail.raise("not_ready", #tried > 0 and "no address answers: " .. table.concat(tried, "; ")
        or ("service %s has no port on the nodes"):format(object.metadata.name),
        "todo-lua kube port-forward reaches it from here")
end

function actions.exec(session, _, object, command)
    local pod = pods_of(session, object)[1]
    if not pod then fail.raise("not_found", object.metadata.name .. " has no pod") end
    local stream <close> = session.client:exec(pod.metadata.name, { namespace = pod.metadata.namespace,
        command = command })
    local parts = {}
    for part in function() return (stream:read()) end do parts[#parts + 1] = part end
    return table.concat(parts)
end

local function change(session, resource, object, body, subresource)
    session:write("PATCH", resource, object.metadata.namespace, object.metadata.name, { body = body,
        manager = "todo-lua",
        type = "application/merge-patch+json", subresource = subresource })
    term.write(("%s/%s changed\n"):format(object.kind:lower(), object.metadata.name))
end

function actions.patch(session, resource, object, patch) change(session, resource, object, patch) end

function actions.scale(session, resource, object, replicas)
    change(session, resource, object, { spec = { replicas = replicas } }, "scale")
end

function actions.restart(session, resource, object)
    change(session, resource, object, rollout.restart_patch(format.timestamp(proc.time())))
end

function actions.delete(session, resource, object)
    session:write("DELETE", resource, object.metadata.namespace, object.metadata.name, {})
    term.write(("%s/%s deleted\n"):format(object.kind:lower(), object.metadata.name))
end

return actions
