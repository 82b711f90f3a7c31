-- Pods behind a name: which pods a Service or a workload means, which of them to take, which container in it.
local fail = require "fail"
local suggest = require "suggest"
local tables = require "tables"
local task = require "task"

local pods = {}

local DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

local function condition(pod, name)
    for _, entry in ipairs(tables.at(pod, "status.conditions") or {}) do
        if entry.type == name then return entry end
    end
    return {}
end

---@param pod table
---@return boolean
function pods.ready(pod) return condition(pod, "Ready").status == "True" end

local phases = { Pending = 0, Unknown = 1, Running = 2 }

-- What makes a pod the better choice, the most important first (client-go's ActivePods, turned around).
local function rank(pod)
    local restarts = 0
    for _, status in ipairs(tables.at(pod, "status.containerStatuses") or {}) do
        restarts = math.max(restarts, status.restartCount or 0)
    end
    local ready = pods.ready(pod)
    return {
        pod.spec.nodeName and 0 or 1, -(phases[tables.at(pod, "status.phase")] or 0), ready and 0 or 1,
        pod.metadata.deletionTimestamp and 1 or 0, ready and condition(pod, "Ready").lastTransitionTime or "",
        restarts, pod.metadata.creationTimestamp or "", pod.metadata.name,
    }
end

---Sorts so that the pod that serves best comes first.
---@param list table[]
---@return table[] list the same
function pods.sort(list)
    local ranks = {}
    for _, pod in ipairs(list) do ranks[pod] = rank(pod) end
    table.sort(list, function(a, b)
        for i, one in ipairs(ranks[a]) do
            if one ~= ranks[b][i] then return one < ranks[b][i] end
        end
        return false
    end)
    return list
end

local function expression(entry)
    local values = table.concat(entry.values or {}, ",")
    if entry.operator == "In" then return ("%s in (%s)"):format(entry.key, values) end
    if entry.operator == "NotIn" then return ("%s notin (%s)"):format(entry.key, values) end
    return (entry.operator == "Exists" and "" or "!") .. entry.key
end

---The selector of an object's pods as text; nil where the object has none.
---@param object table a Service, Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, …
---@return string?
function pods.selector(object)
    local selector = tables.at(object, "spec.selector")
    if type(selector) ~= "table" then return nil end
    local parts, labels = {}, selector
    if selector.matchLabels or selector.matchExpressions then
        labels = selector.matchLabels or {}
        for _, entry in ipairs(selector.matchExpressions or {}) do parts[#parts + 1] = expression(entry) end
    end
    for key, value in pairs(labels) do parts[#parts + 1] = key .. "=" .. tostring(value) end
    table.sort(parts)
    return #parts > 0 and table.concat(parts, ",") or nil
end

---The object itself where it is a pod, else the best of its pods; waits for the first one. `said` is told which one was
---chosen among several.
---@async
---@param client todo.K8s
---@param object table
---@param seconds number
---@param said fun(text: string)?
---@return table pod
function pods.of(client, object, seconds, said)
    if object.kind == "Pod" then return object end
    local selector = pods.selector(object)
    if not selector then
        fail.raise("usage", ("%s %s selects no pods"):format(object.kind, object.metadata.name))
    end
    local deadline = task.now() + seconds
    while true do
        local list = client:list("pods", { namespace = object.metadata.namespace, labels = selector })
        if #list > 0 then
            local best = pods.sort(list)[1]
            if #list > 1 and said then
                local names = tables.map(list, function(pod) return pod.metadata.name end)
                said(("Took pod %q out of: %s"):format(best.metadata.name, table.concat(names, ", ")))
            end
            return best
        end
        if task.now() >= deadline then
            fail.raise("timeout", ("%s %s has no pod (%s)"):format(object.kind, object.metadata.name, selector),
                "todo-lua kube describe tells why")
        end
        task.sleep(math.min(0.5, deadline - task.now()))
    end
end

---Containers of every sort, the pod's own first.
---@param pod table
---@return { name: string, kind: ""|"init"|"ephem", spec: table }[]
function pods.containers(pod)
    local list = {}
    for _, sort in ipairs { { "containers", "" }, { "ephemeralContainers", "ephem" }, { "initContainers", "init" } } do
        for _, container in ipairs(pod.spec[sort[1]] or {}) do
            list[#list + 1] = { name = container.name, kind = sort[2], spec = container }
        end
    end
    return list
end

---The container that is asked for, or the pod's default one. `said` is told which one was chosen among several.
---@param pod table
---@param name string?
---@param said fun(text: string)?
---@return table container its spec
function pods.container(pod, name, said)
    local all, texts, names = pods.containers(pod), {}, {}
    for i, container in ipairs(all) do
        texts[i] = container.name .. (container.kind ~= "" and " (" .. container.kind .. ")" or "")
        names[i] = container.name
    end
    local wanted = name or (pod.metadata.annotations or {})[DEFAULT_CONTAINER]
    if wanted and wanted ~= "" then
        for _, container in ipairs(all) do
            if container.name == wanted then return container.spec end
        end
        fail.raise("not_found", ("container %s is not valid for pod %s out of: %s"):format(wanted, pod.metadata.name,
            table.concat(texts, ", ")), suggest.phrase(wanted, names):match("%S.*"))
    end
    if #all > 1 and said then
        said(("Defaulted container %q out of: %s"):format(all[1].name, table.concat(texts, ", ")))
    end
    return all[1].spec
end

return pods
