-- Waits until objects are Ready or have ended, shows each one's state meanwhile, and stops early where waiting is vain.
local fail = require "fail"
local proc = require "proc"
local ready = require "release.ready"
local rollout = require "rollout"
local tables = require "tables"
local task = require "task"
local term = require "term"

local wait = {}

local POLL_SECONDS = 0.4
local LOG_LINES = 6

-- What deploy waits for; helm waits for all of ready.kinds.
local workload_kinds = { Deployment = true, StatefulSet = true, DaemonSet = true }

---@class todo.WaitOptions
---@field namespace string? of objects that name none; default: the client's
---@field seconds number
---@field every boolean? every replica has to be new and Ready; default: helm's rules
---@field jobs boolean? Jobs have to end well, too
---@field board todo.Board? shows each object's state
---@field prefix string? left out of the names that the board shows
---@field late string? the message of a wait that took too long, whose hint says more then

local function targets_of(client, list, options)
    local targets = {}
    for _, object in ipairs(list) do
        local wanted = options.every and workload_kinds[object.kind] or not options.every and ready.kinds[object.kind]
        if wanted and (object.kind ~= "Job" or options.jobs) then
            local namespace = object.metadata.namespace or options.namespace or client.namespace
            if object.kind == "CustomResourceDefinition" then namespace = nil end
            targets[#targets + 1] = { kind = object.kind, name = object.metadata.name, namespace = namespace }
        end
    end
    return targets
end

-- The lists to fetch: one for each kind and namespace, pods and events of the namespaces, too.
local function lists_of(targets)
    local lists, known = {}, {}
    local function add(kind, namespace)
        local key = kind .. "/" .. namespace
        if not known[key] then
            known[key] = true
            lists[#lists + 1] = { kind = kind, namespace = namespace }
        end
    end
    for _, target in ipairs(targets) do
        if target.namespace then
            add(target.kind, target.namespace)
            add("Pod", target.namespace)
            add("Event", target.namespace)
            if target.kind == "Deployment" then add("ReplicaSet", target.namespace) end
        end
    end
    return lists
end

local function fetch(client, list)
    if list.kind == "Event" then
        return client:list("events", { namespace = list.namespace, fields = "reason=FailedCreate" })
    end
    return client:list(ready.kinds[list.kind], { namespace = list.namespace })
end

local function key_of(kind, namespace, name) return kind .. "/" .. (namespace or "") .. "/" .. name end

local function look(client, targets)
    local lists = lists_of(targets)
    local results = task.all(tables.map(lists, function(list) return function() return fetch(client, list) end end))
    local seen, by_key = { workloads = {}, replicasets = {}, pods = {}, events = {} }, {}
    local kept = { Pod = seen.pods, ReplicaSet = seen.replicasets, Event = seen.events }
    for index, list in ipairs(lists) do
        for _, item in ipairs(results[index]) do
            item.kind = list.kind
            if kept[list.kind] then table.insert(kept[list.kind], item) end
            by_key[key_of(list.kind, item.metadata.namespace, item.metadata.name)] = item
        end
    end
    for _, target in ipairs(targets) do
        local live = by_key[key_of(target.kind, target.namespace, target.name)]
        if not target.namespace then live = client:get(ready.kinds[target.kind], target.name) end
        seen.workloads[#seen.workloads + 1] = live
    end
    return seen
end

local function last_log(client, namespace, problem, tail)
    if not problem.pod or not problem.container then return {} end
    local lines = {}
    local ok, text = pcall(function()
        local reader = client:logs(problem.pod,
            { namespace = namespace, container = problem.container, tail = tail or LOG_LINES,
            previous = problem.crashed or nil })
        local all = reader:text()
        reader:close()
        return all
    end)
    if ok and text then
        for line in term.clean(text):gmatch("[^\n]+") do lines[#lines + 1] = line end
    end
    return lines
end

-- The newest words of the kubelet about one pod.
local function last_warning(client, namespace, pod)
    local ok, events = pcall(client.list, client, "events", { namespace = namespace,
        fields = { type = "Warning", ["involvedObject.name"] = pod } })
    local latest
    for _, event in ipairs(ok and events or {}) do
        local stamp = tables.at(event, "lastTimestamp") or tables.at(event, "eventTime") or ""
        if not latest or stamp >= latest.stamp then latest = { stamp = stamp, text = event.message or "" } end
    end
    return latest and term.clean(latest.text):gsub("%s+", " ") or nil
end

local function give_up(client, state)
    local problem = state.problem
    local parts = { ("%s: %s%s"):format(state.name, problem.reason,
        problem.message and ": " .. term.clean(problem.message):gsub("%s+", " ") or "") }
    for _, line in ipairs(last_log(client, state.namespace, problem)) do parts[#parts + 1] = "    | " .. line end
    fail.raise("not_ready", table.concat(parts, "\n"), "todo-lua doctor explains it and offers the fix",
        { object = problem.pod and "pod/" .. problem.pod or state.name, reason = problem.reason })
end

-- The line of a log that says most about a fault; access logs and start messages say nothing.
local function telling_line(lines)
    for index = #lines, 1, -1 do
        local lower = lines[index]:lower()
        for _, word in ipairs { "error", "refused", "failed", "exception", "unable", "cannot" } do
            if lower:find(word, 1, true) and not lower:find("get /", 1, true) then return lines[index] end
        end
    end
    return lines[#lines] or "no log yet"
end

local function time_out(client, states, options)
    local parts, evidence = {}, {}
    for _, state in ipairs(states) do
        if not state.ready then
            parts[#parts + 1] = state.name .. " (" .. state.text .. ")"
            local pod = state.waiting_pod
            if pod and #evidence < 3 then
                local lines = last_log(client, state.namespace, { pod = pod.name, container = pod.container }, 60)
                evidence[#evidence + 1] = "    | " .. telling_line(lines)
                local warning = last_warning(client, state.namespace, pod.name)
                if warning then evidence[#evidence + 1] = "    | " .. warning end
            end
        end
    end
    local message = ("not Ready within %g s: %s"):format(options.seconds, table.concat(parts, ", "))
    if #evidence > 0 then message = message .. "\n" .. table.concat(evidence, "\n") end
    local hint = "todo-lua doctor explains it and offers the fix; --timeout gives it longer"
    fail.raise("timeout", options.late or message, options.late and message .. "\n  " .. hint or hint)
end

local function show(options, lines, states)
    if not options.board then return end
    for _, state in ipairs(states) do
        local short = state.name
        if options.prefix then short = short:gsub("^" .. options.prefix:gsub("%p", "%%%0") .. "%-", "") end
        local key = state.kind .. "/" .. state.name
        if state.ready then
            if lines[key] then lines[key]:done(state.name .. " ready") end
            lines[key] = nil
        else
            lines[key] = lines[key] or options.board:line(short, state.name)
            lines[key]:set(state.name .. ": " .. state.text)
        end
    end
end

-- Whether a problem has lasted as long as it may; notes when one that may pass was first seen. A pull that is tried
-- again shows no problem for a moment.
local function is_lasting(state, first_seen, now)
    local key = state.kind .. "/" .. state.name
    if state.ready then first_seen[key] = nil end
    if not state.problem then return false end
    if not state.problem.after then return true end
    local seen = first_seen[key]
    if not seen or seen.pod ~= state.problem.pod then
        seen = { pod = state.problem.pod, at = now }
        first_seen[key] = seen
    end
    return now - seen.at >= state.problem.after
end

local function drop(lines)
    for _, line in pairs(lines) do line:drop() end
end

local function all_ready(states, targets)
    if #states < #targets then return false end
    for _, state in ipairs(states) do
        if not state.ready then return false end
    end
    return true
end

---Waits until all objects that can be waited for are Ready.
---@async
---@param client todo.K8s
---@param list table[] manifests
---@param options todo.WaitOptions
---@return boolean changed false where they were Ready at the first look
---@return number seconds
function wait.ready(client, list, options)
    local targets = targets_of(client, list, options)
    local started, lines, first, first_seen = task.now(), {}, true, {}
    local since = math.floor(proc.time()) -- the API's times are whole seconds
    local is_ready = not options.every and ready.check or nil
    if #targets == 0 then return false, 0 end
    while true do
        local states = rollout.judge(look(client, targets), proc.time(), since, is_ready)
        local waited = task.now() - started
        show(options, lines, states)
        if all_ready(states, targets) then return not first, waited end
        for _, state in ipairs(states) do
            if is_lasting(state, first_seen, task.now()) then
                drop(lines)
                give_up(client, state)
            end
        end
        if waited > options.seconds then
            drop(lines)
            time_out(client, states, options)
        end
        first = false
        task.sleep(POLL_SECONDS)
    end
end

---Waits until every workload of a deploy is Ready.
---@async
---@param ctx todo.Context with k8s
---@param list table[] manifests
---@return boolean changed false where they were Ready at the first look
---@return number seconds
function wait.deployed(ctx, list)
    return wait.ready(ctx.k8s, list, { namespace = ctx.config.namespace, seconds = ctx.config.timeout, every = true,
        board = ctx.board, prefix = ctx.config.release })
end

local function condition(object, name)
    for _, entry in ipairs(tables.at(object, "status.conditions") or {}) do
        if entry.type == name and entry.status == "True" then return entry end
    end
    return nil
end

-- "done", or why it failed; nil while it runs.
local function ending(live)
    if live.kind == "Job" then
        local failed = condition(live, "Failed")
        if failed then return nil, ("job %s failed: %s"):format(live.metadata.name, failed.reason or "") end
        return condition(live, "Complete") and "done" or nil
    end
    local phase = tables.at(live, "status.phase")
    if phase == "Failed" then return nil, ("pod %s failed"):format(live.metadata.name) end
    return phase == "Succeeded" and "done" or nil
end

-- The state of an object that can never end, from its pods and events; nil where it may.
local function hopeless(client, live, since, first_seen)
    local seen = look(client, { { kind = live.kind, name = live.metadata.name, namespace = live.metadata.namespace } })
    local state = rollout.judge(seen, proc.time(), since, function() return false end)[1]
    return state and is_lasting(state, first_seen, task.now()) and state or nil
end

-- The object while it runs; nil once it has ended well or is gone. Raises where it failed.
local function running(client, object)
    local live = client:get({ apiVersion = object.apiVersion, kind = object.kind }, object.metadata.name,
        { namespace = object.metadata.namespace })
    if not live then return nil end
    live.kind = object.kind
    local done, problem = ending(live)
    if problem then
        fail.raise("not_ready", problem, ("its log: kubectl logs -n %s %s/%s"):format(live.metadata.namespace,
            object.kind:lower(), live.metadata.name))
    end
    return not done and live or nil
end

---Waits until a Job or a Pod has ended well (what hooks are); other kinds are done at once.
---@async
---@param client todo.K8s
---@param object table
---@param seconds number
function wait.for_end(client, object, seconds)
    if object.kind ~= "Job" and object.kind ~= "Pod" then return end
    local deadline, first_seen, since = task.now() + seconds, {}, math.floor(proc.time())
    while true do
        local live = running(client, object)
        if not live then return end
        local state = hopeless(client, live, since, first_seen)
        -- It may have ended since: then that is what there is to say.
        if state and running(client, object) then give_up(client, state) end
        if task.now() >= deadline then
            fail.raise("timeout", "timed out waiting for the condition",
                ("%s %s has not ended within %g s"):format(object.kind, object.metadata.name, seconds))
        end
        task.sleep(math.min(POLL_SECONDS, math.max(0.01, deadline - task.now())))
    end
end

return wait
