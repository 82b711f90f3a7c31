-- Pod Pending: no node takes it.
local signals = require "signals"
local tables = require "tables"

local GRACE_SECONDS = 15

local format = require "format"

local meanings = {
    { "Insufficient cpu", "no node has as much free CPU as the pod requests",
      "give the cluster more (cluster = { cpus = 6 } in todo.local.lua, then destroy and deploy), or request less: "
        .. "--set COMPONENT.resources.requests.cpu=50m" },
    { "Insufficient memory", "no node has as much free memory as the pod requests",
      "give the cluster more (cluster = { memory = 12288 } in todo.local.lua, then destroy and deploy), or request "
          .. "less: "
        .. "--set COMPONENT.resources.requests.memory=64Mi" },
    { "untolerated taint", "every node has a taint that the pod does not tolerate", "see: kubectl describe node" },
    { "node affinity/selector", "no node has the labels that the pod asks for", "see its nodeSelector and affinity" },
    { "didn't have free ports", "the host port that the pod asks for is taken on every node",
        "choose another host port" },
    { "unbound immediate PersistentVolumeClaims", "its volume claim is not bound", "see: kubectl get pvc" },
    { "volume node affinity conflict", "its volume is on another node", "see: kubectl get pv" },
    { "no nodes available", "the cluster has no node", "start the cluster: todo-lua deploy" },
}

local function scheduled(pod)
    for _, condition in ipairs(tables.at(pod, "status.conditions") or {}) do
        if condition.type == "PodScheduled" then return condition end
    end
    return nil
end

local function requests(pod)
    local parts = {}
    for _, container in ipairs(pod.spec.containers or {}) do
        for name, amount in pairs(tables.at(container, "resources.requests") or {}) do
            parts[#parts + 1] = ("%s requests %s of %s"):format(container.name, tostring(amount), name)
        end
    end
    table.sort(parts)
    return table.concat(parts, ", ")
end

local function capacity(seen)
    local parts = {}
    for _, node in ipairs(seen.nodes) do
        local free = tables.at(node, "status.allocatable") or {}
        parts[#parts + 1] = ("node %s offers cpu %s, memory %s"):format(node.metadata.name, tostring(free.cpu),
            tostring(free.memory))
    end
    return table.concat(parts, "; ")
end

local function explain(seen, pod, condition)
    local message = condition and condition.message or signals.latest_event(seen, pod.metadata.name, "FailedScheduling")
        or ""
    local cause, fix = "no node takes it", "see: kubectl describe pod " .. pod.metadata.name
    for _, entry in ipairs(meanings) do
        if message:find(entry[1], 1, true) then
            cause, fix = entry[2], (entry[3]:gsub("COMPONENT", signals.component(pod) or "backend"))
            break
        end
    end
    if message == "" then
        cause, fix = "no scheduler has looked at it: the cluster's scheduler does not run",
            "start the cluster again: todo-lua deploy"
    end
    return {
        object = "pod/" .. pod.metadata.name, summary = "the pod is Pending: no node takes it", cause = cause,
        evidence = { message, requests(pod), capacity(seen) }, fix = { text = fix },
    }
end

return {
    name = "pending",
    symptom = "Pod Pending",
    find = function(seen)
        local findings = {}
        for _, pod in ipairs(signals.unready(seen)) do
            local condition = scheduled(pod)
            local refused = condition and condition.status == "False"
            local born = format.epoch(tables.at(pod, "metadata.creationTimestamp"))
            local ignored = not condition and not tables.at(pod, "spec.nodeName") and born
                and seen.now - born > GRACE_SECONDS
            if tables.at(pod, "status.phase") == "Pending" and (refused or ignored) then
                findings[#findings + 1] = explain(seen, pod, condition)
            end
        end
        return findings
    end,
}
