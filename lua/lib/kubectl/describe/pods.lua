-- Pods and the templates that controllers make them from.
local containers = require "kubectl.describe.containers"
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local text = require "kubectl.describe.text"
local volumes = require "kubectl.describe.volumes"

local pods = {}

local function toleration_text(one)
    local words = (one.key or "") .. ((one.value or "") ~= "" and "=" .. one.value or "")
        .. (one.effect and ":" .. one.effect or "")
    if one.operator == "Exists" and (one.value or "") == "" then
        words = words .. ((one.key or one.effect) and " op=Exists" or "op=Exists")
    end
    return one.tolerationSeconds and ("%s for %ds"):format(words, one.tolerationSeconds) or words
end

local function tolerations(w, title, list)
    local copy = table.move(list or {}, 1, #(list or {}), 1, {})
    sort_by.stable(copy, function(a, b) return (a.key or "") < (b.key or "") end)
    w:words(title, tables.map(copy, toleration_text))
end

local function spread(w, list, space)
    if not list or #list == 0 then return end
    local copy = table.move(list, 1, #list, 1, {})
    sort_by.stable(copy, function(a, b) return a.topologyKey < b.topologyKey end)
    w:put(0, "%sTopology Spread Constraints:\t", space)
    for i, one in ipairs(copy) do
        if i > 1 then w:put(0, "%s\t", space) end
        local selector = one.labelSelector and " for selector " .. text.selector(one.labelSelector) or ""
        w:put(0, "%s:%s when max skew %d is exceeded%s\n", one.topologyKey, one.whenUnsatisfiable, one.maxSkew,
            selector)
    end
end

---@param w todo.DescribeText
---@param template table
function pods.template(w, template)
    local meta, spec = template.metadata or {}, template.spec
    w:put(0, "Pod Template:\n")
    w:labels("  Labels", meta.labels)
    if meta.annotations and next(meta.annotations) then w:annotations("  Annotations", meta.annotations) end
    if spec.serviceAccountName then w:put(1, "Service Account:\t%s\n", spec.serviceAccountName) end
    if #(spec.initContainers or {}) > 0 then containers.put(w, "Init Containers", spec.initContainers) end
    containers.put(w, "Containers", spec.containers)
    volumes.put(w, spec.volumes, "  ")
    spread(w, spec.topologySpreadConstraints, "  ")
    if spec.priorityClassName then w:put(1, "Priority Class Name:\t%s\n", spec.priorityClassName) end
    w:labels("  Node-Selectors", spec.nodeSelector)
    tolerations(w, "  Tolerations", spec.tolerations)
end

local function placement(w, pod)
    local spec, status = pod.spec, pod.status
    if spec.priority then w:put(0, "Priority:\t%d\n", spec.priority) end
    if spec.priorityClassName then w:put(0, "Priority Class Name:\t%s\n", spec.priorityClassName) end
    if spec.runtimeClassName then w:put(0, "Runtime Class Name:\t%s\n", spec.runtimeClassName) end
    if spec.serviceAccountName then w:put(0, "Service Account:\t%s\n", spec.serviceAccountName) end
    w:put(0, "Node:\t%s\n", spec.nodeName and spec.nodeName .. "/" .. (status.hostIP or "") or "<none>")
    if status.startTime then w:put(0, "Start Time:\t%s\n", text.date(status.startTime)) end
end

local function condition(w, pod)
    local meta, status = pod.metadata, pod.status
    if meta.deletionTimestamp and status.phase ~= "Failed" and status.phase ~= "Succeeded" then
        w:put(0, "Status:\tTerminating (lasts %s)\n", text.age(meta.deletionTimestamp))
        w:put(0, "Termination Grace Period:\t%ds\n", meta.deletionGracePeriodSeconds or 0)
    else
        w:put(0, "Status:\t%s\n", status.phase)
    end
    if status.reason then w:put(0, "Reason:\t%s\n", status.reason) end
    if status.message then w:put(0, "Message:\t%s\n", status.message) end
    local profile = tables.at(pod, "spec.securityContext.seccompProfile")
    if profile then w:put(0, "SeccompProfile:\t%s\n", profile.type) end
    if profile and profile.type == "Localhost" then w:put(0, "LocalhostProfile:\t%s\n", profile.localhostProfile) end
    w:put(0, "IP:\t%s\n", status.podIP)
    w:put(0, "IPs:%s\n", #(status.podIPs or {}) == 0 and "\t<none>" or "")
    for _, address in ipairs(status.podIPs or {}) do w:put(1, "IP:\t%s\n", address.ip) end
    local owner = text.controller(pod)
    if owner then w:put(0, "Controlled By:\t%s/%s\n", owner.kind, owner.name) end
    if status.nominatedNodeName then w:put(0, "NominatedNodeName:\t%s\n", status.nominatedNodeName) end
end

-- Kinds that count for the quality of service.
local function is_compute(name) return name == "cpu" or name == "memory" end

local function quality(pod)
    if pod.status.qosClass then return pod.status.qosClass end
    local any, guaranteed = false, true
    for _, field in ipairs { "containers", "initContainers" } do
        for _, container in ipairs(pod.spec[field] or {}) do
            local resources = container.resources or {}
            local limits, requests = resources.limits or {}, resources.requests or {}
            for name in pairs(requests) do any = any or is_compute(name) end
            for name in pairs(limits) do any = any or is_compute(name) end
            for _, name in ipairs { "cpu", "memory" } do
                guaranteed = guaranteed and limits[name] ~= nil and (requests[name] or limits[name]) == limits[name]
            end
        end
    end
    return not any and "BestEffort" or guaranteed and "Guaranteed" or "Burstable"
end

local function gates(w, pod)
    local by_type = {}
    for _, one in ipairs(pod.status.conditions or {}) do by_type[one.type] = one.status end
    if #(pod.spec.readinessGates or {}) > 0 then w:put(0, "Readiness Gates:\n  Type\tStatus\n") end
    for _, gate in ipairs(pod.spec.readinessGates or {}) do
        w:put(1, "%s \t%s \n", gate.conditionType, by_type[gate.conditionType] or "<none>")
    end
    if #(pod.status.conditions or {}) > 0 then w:put(0, "Conditions:\n  Type\tStatus\n") end
    for _, one in ipairs(pod.status.conditions or {}) do w:put(1, "%s \t%s \n", one.type, one.status) end
end

---@param w todo.DescribeText
---@param pod table
function pods.put(w, pod)
    local spec, status = pod.spec, pod.status
    w:put(0, "Name:\t%s\n", pod.metadata.name)
    w:put(0, "Namespace:\t%s\n", pod.metadata.namespace)
    placement(w, pod)
    w:labels("Labels", pod.metadata.labels)
    w:annotations("Annotations", pod.metadata.annotations)
    condition(w, pod)
    if spec.resources then
        w:put(0, "Resources:\n")
        containers.resources(w, 1, spec.resources)
    end
    if #(spec.initContainers or {}) > 0 then
        containers.put(w, "Init Containers", spec.initContainers, status.initContainerStatuses, pod)
    end
    containers.put(w, "Containers", spec.containers, status.containerStatuses, pod)
    if #(spec.ephemeralContainers or {}) > 0 then
        containers.put(w, "Ephemeral Containers", spec.ephemeralContainers, status.ephemeralContainerStatuses, pod)
    end
    gates(w, pod)
    volumes.put(w, spec.volumes, "")
    w:put(0, "QoS Class:\t%s\n", quality(pod))
    w:labels("Node-Selectors", spec.nodeSelector)
    tolerations(w, "Tolerations", spec.tolerations)
    spread(w, spec.topologySpreadConstraints, "")
end

---How many pods of a controller are in which phase: "1 Running / 0 Waiting / 0 Succeeded / 0 Failed".
---@async
---@param session todo.KubeSession
---@param controller table
---@param selector table|string|nil
---@return string
function pods.count(session, controller, selector)
    local counts = { Running = 0, Pending = 0, Succeeded = 0, Failed = 0 }
    local list = session.client:list("pods", { namespace = controller.metadata.namespace,
        labels = type(selector) == "string" and selector or text.selector(selector) })
    for _, pod in ipairs(list) do
        local owner = text.controller(pod)
        local phase = pod.status and pod.status.phase
        if owner and owner.uid == controller.metadata.uid and counts[phase] then counts[phase] = counts[phase] + 1 end
    end
    return ("%d Running / %d Waiting / %d Succeeded / %d Failed"):format(counts.Running, counts.Pending,
        counts.Succeeded, counts.Failed)
end

return pods
