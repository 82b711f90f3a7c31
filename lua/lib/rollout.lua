-- Waits until what a release made is Ready, shows each object's state meanwhile, and stops early where waiting is vain.
local fail = require "fail"
local format = require "format"
local json = require "json"
local proc = require "proc"
local tables = require "tables"
local task = require "task"
local term = require "term"

local rollout = {}

local POLL_SECONDS = 0.4
-- A pod that no node takes: a scheduler may still be starting up, or another pod be leaving.
local UNSCHEDULABLE_SECONDS = 10
local RESTARTS_BEFORE_GIVING_UP = 2
-- A registry may hiccup once; what still fails after this is taken for lasting.
local SOFT_SECONDS = 5
local LOG_LINES = 6

-- Waiting reasons that no amount of waiting mends on a local cluster.
local terminal_waiting = {
    ErrImageNeverPull = true, InvalidImageName = true, ImagePullBackOff = true, ErrImagePull = "soft",
    CreateContainerConfigError = true, CreateContainerError = true, RunContainerError = true, ImageInspectError = true,
    StartError = true, ContainerCannotRun = true, RegistryUnavailable = true, PreCreateHookError = true,
}

local workload_kinds = { Deployment = "deployments", StatefulSet = "statefulsets", DaemonSet = "daemonsets" }

---@param value any
---@return any value nil for null
local function plain(value)
    if value == json.null then return nil end
    return value
end

local function condition(object, name)
    for _, entry in ipairs(plain(tables.at(object, "status.conditions")) or {}) do
        if entry.type == name then return entry end
    end
    return nil
end

---Whether every container of the pod is Ready.
---@param pod table
---@return boolean
function rollout.pod_ready(pod)
    local ready = condition(pod, "Ready")
    return ready ~= nil and ready.status == "True" and not tables.at(pod, "metadata.deletionTimestamp")
end

local function all_statuses(pod)
    local list = {}
    for _, field in ipairs { "initContainerStatuses", "containerStatuses" } do
        for _, status in ipairs(plain(tables.at(pod, "status." .. field)) or {}) do list[#list + 1] = status end
    end
    return list
end

local function container_problem(status)
    local waiting = plain(tables.at(status, "state.waiting"))
    local ended = plain(tables.at(status, "lastState.terminated")) or plain(tables.at(status, "state.terminated"))
    if waiting and terminal_waiting[waiting.reason] then
        return {
            reason = waiting.reason, message = waiting.message, container = status.name,
            soft = terminal_waiting[waiting.reason] == "soft" or nil,
        }
    end
    local looping = waiting and waiting.reason == "CrashLoopBackOff"
    if looping and (status.restartCount or 0) >= RESTARTS_BEFORE_GIVING_UP then
        local why = ended and ("%s, exit status %s"):format(ended.reason or "Error", tostring(ended.exitCode)) or nil
        return { reason = "CrashLoopBackOff", message = why, container = status.name, crashed = true }
    end
    return nil
end

---Why this pod can never become Ready by itself; nil while there is hope.
---@param pod table
---@param now number seconds since the epoch
---@return { reason: string, message: string?, container: string?, crashed: boolean?, soft: boolean? }? problem soft: it
--- may still pass
function rollout.pod_problem(pod, now)
    if tables.at(pod, "metadata.deletionTimestamp") then return nil end
    for _, status in ipairs(all_statuses(pod)) do
        local problem = container_problem(status)
        if problem then return problem end
    end
    if tables.at(pod, "status.phase") == "Failed" then
        return { reason = tables.at(pod, "status.reason") or "Failed", message = tables.at(pod, "status.message") }
    end
    local scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.status == "False" and scheduled.reason == "Unschedulable" then
        local since = format.epoch(scheduled.lastTransitionTime)
        if since and now - since >= UNSCHEDULABLE_SECONDS then
            return { reason = "Unschedulable", message = scheduled.message }
        end
    end
    return nil
end

---One or two words on where a pod stands.
---@param pod table
---@return string
function rollout.pod_state(pod)
    if tables.at(pod, "metadata.deletionTimestamp") then return "terminating" end
    if rollout.pod_ready(pod) then return "ready" end
    for _, status in ipairs(all_statuses(pod)) do
        local waiting = plain(tables.at(status, "state.waiting"))
        if waiting and waiting.reason then return waiting.reason end
        local ended = plain(tables.at(status, "state.terminated"))
        if ended and ended.exitCode ~= 0 then return ended.reason or "Error" end
        if plain(tables.at(status, "state.running")) and status.started == false then return "starting" end
    end
    local phase = tables.at(pod, "status.phase") or "Pending"
    return phase == "Running" and "running, not ready" or phase:lower()
end

local function owned_by(object, owner)
    for _, reference in ipairs(plain(tables.at(object, "metadata.ownerReferences")) or {}) do
        if reference.uid == owner.metadata.uid then return true end
    end
    return false
end

local function revision_of(object)
    return tables.at(object, "metadata.annotations")
        and object.metadata.annotations["deployment.kubernetes.io/revision"]
end

-- A Deployment's own pods are those of its newest ReplicaSet: an older one's troubles are on their way out.
local function pods_of(workload, seen)
    if workload.kind ~= "Deployment" then
        return tables.filter(seen.pods, function(pod) return owned_by(pod, workload) end), nil
    end
    for _, set in ipairs(seen.replicasets) do
        if owned_by(set, workload) and revision_of(set) == revision_of(workload) then
            return tables.filter(seen.pods, function(pod) return owned_by(pod, set) end), set
        end
    end
    return {}, nil
end

local function count(object, path) return tonumber(plain(tables.at(object, path)) or 0) or 0 end

-- Ready by the same rules as kubectl rollout status (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go).
local function is_rolled_out(workload)
    if count(workload, "status.observedGeneration") < count(workload, "metadata.generation") then return false end
    if workload.kind == "DaemonSet" then
        local wanted = count(workload, "status.desiredNumberScheduled")
        return count(workload, "status.updatedNumberScheduled") >= wanted
            and count(workload, "status.numberReady") >= wanted
    end
    local wanted = plain(tables.at(workload, "spec.replicas")) or 1
    return count(workload, "status.updatedReplicas") >= wanted and count(workload, "status.readyReplicas") >= wanted
        and count(workload, "status.replicas") <= math.max(wanted, count(workload, "status.updatedReplicas"))
end

-- A deadline that an earlier rollout missed stays in the status until this one has made progress.
local function workload_problem(workload, since)
    local stalled = condition(workload, "ReplicaFailure")
    if stalled and stalled.status == "True" then return { reason = stalled.reason, message = stalled.message } end
    local progressing = condition(workload, "Progressing")
    local missed = progressing and progressing.reason == "ProgressDeadlineExceeded"
    if missed and (format.epoch(plain(progressing.lastUpdateTime) or "") or since) >= since then
        return { reason = progressing.reason, message = progressing.message }
    end
    return nil
end

local function describe_pods(pods)
    if #pods == 0 then return "no pod yet" end
    local states = {}
    for index, pod in ipairs(pods) do states[index] = rollout.pod_state(pod) end
    return table.concat(states, ", ")
end

---@class todo.RolloutState
---@field name string
---@field kind string
---@field ready boolean
---@field text string
---@field problem table? why waiting is vain, with `pod` where a pod is to blame

---Judges one look at the cluster. Pure.
---@param seen { workloads: table[], replicasets: table[], pods: table[] }
---@param now number seconds since the epoch
---@param since number? when the waiting began, seconds since the epoch
---@return todo.RolloutState[]
function rollout.judge(seen, now, since)
    local states = {}
    for index, workload in ipairs(seen.workloads) do
        local pods = pods_of(workload, seen)
        local state = { name = workload.metadata.name, kind = workload.kind, ready = is_rolled_out(workload) }
        state.text = state.ready and "ready" or describe_pods(pods)
        if not state.ready then
            state.problem = workload_problem(workload, since or 0)
            for _, pod in ipairs(pods) do
                local problem = rollout.pod_problem(pod, now)
                if not rollout.pod_ready(pod) and plain(tables.at(pod, "spec.containers")) then
                    state.waiting_pod = { name = pod.metadata.name, container = pod.spec.containers[1].name }
                end
                if problem then
                    problem.pod = pod.metadata.name
                    state.problem = problem
                    break
                end
            end
        end
        states[index] = state
    end
    return states
end

-- A list's items may lack kind; the judge needs it.
local function listed(client, kind, name, options)
    local items = client:list(kind, options)
    for _, item in ipairs(items) do item.kind = item.kind or name end
    return items
end

local function look(client, targets, namespace)
    local kinds = { ReplicaSet = "replicasets", Pod = "pods" }
    for _, target in ipairs(targets) do kinds[target.kind] = workload_kinds[target.kind] end
    local names, fetches = tables.keys(kinds), {}
    for index, name in ipairs(names) do
        fetches[index] = function() return listed(client, kinds[name], name, { namespace = namespace }) end
    end
    local results, by_kind = task.all(fetches), {}
    for index, name in ipairs(names) do by_kind[name] = results[index] end
    local workloads = {}
    for _, target in ipairs(targets) do
        for _, object in ipairs(by_kind[target.kind]) do
            if object.metadata.name == target.name then workloads[#workloads + 1] = object end
        end
    end
    return { workloads = workloads, replicasets = by_kind.ReplicaSet, pods = by_kind.Pod }
end

---@param objects table[]
---@return { kind: string, name: string }[]
function rollout.targets(objects)
    local targets = {}
    for _, object in ipairs(objects) do
        if workload_kinds[object.kind] then
            targets[#targets + 1] = { kind = object.kind, name = object.metadata.name }
        end
    end
    return targets
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

local function give_up(client, namespace, state)
    local problem = state.problem
    local parts = { ("%s: %s%s"):format(state.name, problem.reason,
        problem.message and ": " .. term.clean(problem.message):gsub("%s+", " ") or "") }
    for _, line in ipairs(last_log(client, namespace, problem)) do parts[#parts + 1] = "    | " .. line end
    fail.raise("not_ready", table.concat(parts, "\n"), "todo-lua doctor explains it and offers the fix",
        { object = problem.pod and "pod/" .. problem.pod or state.name, reason = problem.reason })
end

-- The newest words of the kubelet about one pod.
local function last_warning(client, namespace, pod)
    local ok, events = pcall(client.list, client, "events", { namespace = namespace,
        fields = { type = "Warning", ["involvedObject.name"] = pod } })
    local latest
    for _, event in ipairs(ok and events or {}) do
        local stamp = plain(event.lastTimestamp) or plain(event.eventTime) or ""
        if not latest or stamp >= latest.stamp then latest = { stamp = stamp, text = event.message or "" } end
    end
    return latest and term.clean(latest.text):gsub("%s+", " ") or nil
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

local function time_out(client, namespace, states, seconds)
    local parts, evidence = {}, {}
    for _, state in ipairs(states) do
        if not state.ready then
            parts[#parts + 1] = state.name .. " (" .. state.text .. ")"
            local pod = state.waiting_pod
            if pod and #evidence < 3 then
                local lines = last_log(client, namespace, { pod = pod.name, container = pod.container }, 60)
                evidence[#evidence + 1] = "    | " .. telling_line(lines)
                local warning = last_warning(client, namespace, pod.name)
                if warning then evidence[#evidence + 1] = "    | " .. warning end
            end
        end
    end
    local message = ("not Ready within %d s: %s"):format(seconds, table.concat(parts, ", "))
    if #evidence > 0 then message = message .. "\n" .. table.concat(evidence, "\n") end
    fail.raise("timeout", message, "todo-lua doctor explains it and offers the fix; --timeout gives it longer")
end

local function show(ctx, lines, states)
    for _, state in ipairs(states) do
        local short = state.name:gsub("^" .. ctx.config.release:gsub("%p", "%%%0") .. "%-", "")
        if state.ready then
            if lines[state.name] then lines[state.name]:done(state.name .. " ready") end
            lines[state.name] = nil
        else
            lines[state.name] = lines[state.name] or ctx.board:line(short, state.name)
            lines[state.name]:set(state.name .. ": " .. state.text)
        end
    end
end

-- Notes when a problem that may pass was first seen.
local function is_lasting(state, soft_since, now)
    if not state.problem then
        soft_since[state.name] = nil
        return false
    end
    if not state.problem.soft then return true end
    soft_since[state.name] = soft_since[state.name] or now
    return now - soft_since[state.name] >= SOFT_SECONDS
end

local function drop(lines)
    for _, line in pairs(lines) do line:drop() end
end

---Waits until all workloads among the objects are Ready.
---@async
---@param ctx todo.Context with k8s
---@param objects table[] manifests
---@return boolean changed false where they were Ready at the first look
---@return number seconds
function rollout.wait(ctx, objects)
    local client, namespace = ctx.k8s, ctx.config.namespace
    local targets = rollout.targets(objects)
    local started, lines, first, soft_since = task.now(), {}, true, {}
    local since = math.floor(proc.time()) -- the API's times are whole seconds
    if #targets == 0 then return false, 0 end
    while true do
        local states = rollout.judge(look(client, targets, namespace), proc.time(), since)
        local pending = #targets - #tables.filter(states, function(state) return state.ready end)
        local waited = task.now() - started
        if pending == 0 then
            show(ctx, lines, states)
            return not first, waited
        end
        show(ctx, lines, states)
        for _, state in ipairs(states) do
            if is_lasting(state, soft_since, task.now()) then
                drop(lines)
                give_up(client, namespace, state)
            end
        end
        if waited > ctx.config.timeout then
            drop(lines)
            time_out(client, namespace, states, ctx.config.timeout)
        end
        first = false
        task.sleep(POLL_SECONDS)
    end
end

---Waits until a Job or a Pod has ended well (what hooks are); other kinds are done at once.
---@async
---@param client todo.K8s
---@param object table
---@param namespace string
---@param seconds number
function rollout.wait_for_end(client, object, namespace, seconds)
    if object.kind ~= "Job" and object.kind ~= "Pod" then return end
    local kind, name = { apiVersion = object.apiVersion, kind = object.kind }, object.metadata.name
    local deadline = task.now() + seconds
    while task.now() < deadline do
        local live = client:get(kind, name, { namespace = object.metadata.namespace or namespace })
        if not live then return end
        local complete, failed = condition(live, "Complete"), condition(live, "Failed")
        local phase = tables.at(live, "status.phase")
        if complete and complete.status == "True" or phase == "Succeeded" then return end
        if failed and failed.status == "True" or phase == "Failed" then
            fail.raise("not_ready",
                ("%s %s failed%s"):format(object.kind, name, failed and ": " .. (failed.message or "") or ""),
                ("its log: todo-lua logs, or kubectl logs -n %s %s/%s"):format(namespace, object.kind:lower(), name))
        end
        task.sleep(POLL_SECONDS)
    end
    fail.raise("timeout", ("%s %s has not ended within %d s"):format(object.kind, name, seconds), nil)
end

return rollout
