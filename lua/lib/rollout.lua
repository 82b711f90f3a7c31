-- Judges what a release made by one look at the cluster: whether it is Ready, and if not, whether waiting is vain.
local format = require "format"
local ready = require "release.ready"
local tables = require "tables"

local rollout = {}

---What ends a wait early. Scripts may change the numbers.
rollout.settings = {
    -- Pull errors that may pass (a registry that does not answer) for so long; a refusal ends the wait at once.
    pull_seconds = 30,
    -- A container that crashed and was backed off this many times. One exit with a status of `hopeless_exits` (its
    -- program cannot be run, is not there) ends the wait, too.
    crash_loops = 2,
    hopeless_exits = { [126] = true, [127] = true },
    -- A pod that no node takes: a scheduler may still be starting up, or another pod be leaving.
    unschedulable_seconds = 10,
    -- Pods that quota or admission refuse: one that is on its way out may make room.
    refused_seconds = 2,
}

-- Waiting reasons that no amount of waiting mends, and those that depend on what the registry said.
local terminal_waiting = {
    ErrImageNeverPull = true, InvalidImageName = true, ImagePullBackOff = "pull", ErrImagePull = "pull",
    RegistryUnavailable = "pull", CreateContainerConfigError = true, CreateContainerError = true,
    RunContainerError = true, ImageInspectError = true, StartError = true, ContainerCannotRun = true,
    PreCreateHookError = true,
}

-- What a registry says that has no such image, or none for us.
local pull_refusals = {
    "manifest unknown", "manifest for .- not found", ": not found", "name unknown", "access denied", "is denied",
    "unauthorized", "authorization failed", "authentication required", "403 forbidden", "repository does not exist",
}

local function is_refusal(message)
    local lower = (message or ""):lower()
    for _, pattern in ipairs(pull_refusals) do
        if lower:find(pattern) then return true end
    end
    return false
end

local function condition(object, name)
    for _, entry in ipairs(tables.at(object, "status.conditions") or {}) do
        if entry.type == name then return entry end
    end
    return nil
end

---The change of a workload that makes new pods of it, as `kubectl rollout restart` does it.
---@param time string RFC 3339
---@return table patch strategic or merge
function rollout.restart_patch(time)
    return { spec = { template = { metadata = { annotations = {
        ["kubectl.kubernetes.io/restartedAt"] = time } } } } }
end

---Whether every container of the pod is Ready.
---@param pod table
---@return boolean
function rollout.pod_ready(pod)
    local found = condition(pod, "Ready")
    return found ~= nil and found.status == "True" and not tables.at(pod, "metadata.deletionTimestamp")
end

---Statuses of a pod's containers, init containers first.
---@param pod table
---@return table[]
function rollout.containers(pod)
    local list = {}
    for _, field in ipairs { "initContainerStatuses", "containerStatuses" } do
        for _, status in ipairs(tables.at(pod, "status." .. field) or {}) do list[#list + 1] = status end
    end
    return list
end

local function waiting_problem(status, waiting)
    local how = terminal_waiting[waiting.reason]
    if not how then return nil end
    local passing = how == "pull" and not is_refusal(waiting.message)
    return {
        reason = waiting.reason, message = waiting.message, container = status.name,
        after = passing and rollout.settings.pull_seconds or nil,
    }
end

-- A container of a Job is started again as the Job wants it: its crashes are the Job's own matter.
local function container_problem(status, in_job)
    local waiting = tables.at(status, "state.waiting")
    local ended = tables.at(status, "state.terminated") or tables.at(status, "lastState.terminated")
    local problem = waiting and waiting_problem(status, waiting)
    if problem then return problem end
    local why = ended and ("%s, exit status %s"):format(ended.reason or "Error", tostring(ended.exitCode)) or nil
    if ended and rollout.settings.hopeless_exits[ended.exitCode] then
        return { reason = "CannotRun", message = why, container = status.name, crashed = waiting ~= nil or nil }
    end
    local looping = waiting and waiting.reason == "CrashLoopBackOff" and not in_job
    if looping and (status.restartCount or 0) >= rollout.settings.crash_loops then
        return { reason = "CrashLoopBackOff", message = why, container = status.name, crashed = true }
    end
    return nil
end

---Why this pod can never become Ready by itself; nil while there is hope.
---@param pod table
---@param now number seconds since the epoch
---@param in_job boolean? it belongs to a Job
---@return { reason: string, message: string?, container: string?, crashed: boolean?, after: number? }? problem after:
--- it may still pass within so many seconds
function rollout.pod_problem(pod, now, in_job)
    if tables.at(pod, "metadata.deletionTimestamp") then return nil end
    for _, status in ipairs(rollout.containers(pod)) do
        local problem = container_problem(status, in_job)
        if problem then return problem end
    end
    if tables.at(pod, "status.phase") == "Failed" and not in_job then
        return { reason = tables.at(pod, "status.reason") or "Failed", message = tables.at(pod, "status.message") }
    end
    local scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.status == "False" and scheduled.reason == "Unschedulable" then
        local since = format.epoch(scheduled.lastTransitionTime)
        if since and now - since >= rollout.settings.unschedulable_seconds then
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
    for _, status in ipairs(rollout.containers(pod)) do
        local waiting = tables.at(status, "state.waiting")
        if waiting and waiting.reason then return waiting.reason end
        local ended = tables.at(status, "state.terminated")
        if ended and ended.exitCode ~= 0 then return ended.reason or "Error" end
        if tables.at(status, "state.running") and status.started == false then return "starting" end
    end
    local phase = tables.at(pod, "status.phase") or "Pending"
    return phase == "Running" and "running, not ready" or phase:lower()
end

local function owned_by(object, owner)
    for _, reference in ipairs(tables.at(object, "metadata.ownerReferences") or {}) do
        if reference.uid == owner.metadata.uid then return true end
    end
    return false
end

local function template_generation(set)
    return (tables.at(set, "metadata.annotations") or {})["deprecated.daemonset.template.generation"]
end

-- The pods of a workload's present template: an older one's troubles are on their way out.
local function pods_of(workload, seen)
    local owner = workload
    if workload.kind == "Pod" then return { workload } end
    if workload.kind == "Deployment" then
        owner = ready.new_replica_set(workload, seen.replicasets)
        if not owner then return {} end
    end
    local wanted = workload.kind == "DaemonSet" and template_generation(workload)
    return tables.filter(seen.pods, function(pod)
        return owned_by(pod, owner)
            and (not wanted or (tables.at(pod, "metadata.labels") or {})["pod-template-generation"] == wanted)
    end)
end

local function count(object, path) return tonumber(tables.at(object, path) or 0) or 0 end

-- Ready by the same rules as kubectl rollout status (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go).
local function is_rolled_out(workload)
    if not ready.is_observed(workload) then return false end
    if workload.kind == "DaemonSet" then
        local wanted = count(workload, "status.desiredNumberScheduled")
        return count(workload, "status.updatedNumberScheduled") >= wanted
            and count(workload, "status.numberReady") >= wanted
    end
    local wanted = tables.at(workload, "spec.replicas") or 1
    return count(workload, "status.updatedReplicas") >= wanted and count(workload, "status.readyReplicas") >= wanted
        and count(workload, "status.replicas") <= math.max(wanted, count(workload, "status.updatedReplicas"))
end

-- A deadline that an earlier rollout missed stays in the status until this one has made progress.
local function workload_problem(workload, since)
    local stalled = condition(workload, "ReplicaFailure")
    if stalled and stalled.status == "True" then
        return { reason = stalled.reason, message = stalled.message, after = rollout.settings.refused_seconds }
    end
    local progressing = condition(workload, "Progressing")
    local missed = progressing and progressing.reason == "ProgressDeadlineExceeded"
    if missed and (format.epoch(tables.at(progressing, "lastUpdateTime") or "") or since) >= since then
        return { reason = progressing.reason, message = progressing.message }
    end
    local failed = workload.kind == "Job" and condition(workload, "Failed")
    if failed and failed.status == "True" then return { reason = failed.reason, message = failed.message } end
    return nil
end

-- Kinds that say only in events that the server refuses their pods.
local speaks_in_events = { StatefulSet = true, DaemonSet = true, Job = true, ReplicaSet = true,
    ReplicationController = true }

local function refused_creation(workload, events, since)
    if not speaks_in_events[workload.kind] then return nil end
    for _, event in ipairs(events or {}) do
        local stamp = format.epoch(tables.at(event, "lastTimestamp") or tables.at(event, "eventTime") or "") or since
        if event.reason == "FailedCreate" and tables.at(event, "involvedObject.uid") == workload.metadata.uid
            and stamp >= since then
            return { reason = event.reason, message = event.message, after = rollout.settings.refused_seconds }
        end
    end
    return nil
end

local function describe(workload, pods)
    local own = ready.text(workload)
    if own then return own end
    if #pods == 0 then return "no pod yet" end
    local states = {}
    for index, pod in ipairs(pods) do states[index] = rollout.pod_state(pod) end
    return table.concat(states, ", ")
end

local function judge_pods(state, pods, now, in_job)
    for _, pod in ipairs(pods) do
        local problem = rollout.pod_problem(pod, now, in_job)
        if not rollout.pod_ready(pod) and tables.at(pod, "spec.containers") then
            state.waiting_pod = { name = pod.metadata.name, container = pod.spec.containers[1].name }
        end
        if problem then
            problem.pod = pod.metadata.name
            state.problem = problem
            return
        end
    end
end

---@class todo.RolloutState
---@field name string
---@field kind string
---@field namespace string?
---@field ready boolean
---@field text string
---@field problem table? why waiting is vain, with `pod` where a pod is to blame and `after` where it must last so long

---Judges one look at the cluster. Pure.
---@param seen { workloads: table[], replicasets: table[], pods: table[], events: table[]? }
---@param now number seconds since the epoch
---@param since number? when the waiting began, seconds since the epoch
---@param is_ready (fun(object: table, seen: table): boolean)? default: every replica is new and Ready
---@return todo.RolloutState[]
function rollout.judge(seen, now, since, is_ready)
    local states = {}
    for index, workload in ipairs(seen.workloads) do
        local pods = pods_of(workload, seen)
        local state = { name = workload.metadata.name, kind = workload.kind,
            namespace = workload.metadata.namespace }
        state.ready = (is_ready or is_rolled_out)(workload, seen)
        state.text = state.ready and "ready" or describe(workload, pods)
        if not state.ready then
            state.problem = workload_problem(workload, since or 0)
                or refused_creation(workload, seen.events, since or 0)
            judge_pods(state, pods, now, workload.kind == "Job")
        end
        states[index] = state
    end
    return states
end

return rollout
