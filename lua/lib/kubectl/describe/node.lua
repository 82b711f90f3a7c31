-- Nodes: their state, and what the pods on them ask for.
local fail = require "fail"
local pod_resources = require "kubectl.pod_resources"
local quantity = require "kubectl.quantity"
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local text = require "kubectl.describe.text"

local function roles(node)
    local found = {}
    for key, value in pairs(node.metadata.labels or {}) do
        local role = key:match("^node%-role%.kubernetes%.io/(.+)$")
        if role then found[role] = true end
        if key == "kubernetes.io/role" and value ~= "" then found[value] = true end
    end
    local words = tables.keys(found)
    return #words > 0 and table.concat(words, ",") or "<none>"
end

local function taints(w, list)
    local copy = table.move(list or {}, 1, #(list or {}), 1, {})
    sort_by.stable(copy, function(a, b) return a.effect .. "," .. a.key < b.effect .. "," .. b.key end)
    w:words("Taints", tables.map(copy, function(one)
        return one.key .. ((one.value or "") ~= "" and "=" .. one.value or "") .. ":" .. one.effect
    end))
end

local function lease(w, session, node)
    local ok, found = pcall(session.client.get, session.client, "leases.coordination.k8s.io", node.metadata.name,
        { namespace = "kube-node-lease" })
    if not ok or not found then
        local why = ok and ('leases.coordination.k8s.io "%s" not found'):format(node.metadata.name)
            or fail.message(found)
        return w:put(0, "Lease:\tFailed to get lease: %s\n", why)
    end
    local spec = found.spec or {}
    w:put(0, "Lease:\n")
    w:put(1, "HolderIdentity:\t%s\n", spec.holderIdentity or "<unset>")
    w:put(1, "AcquireTime:\t%s\n", spec.acquireTime and text.date(spec.acquireTime) or "<unset>")
    w:put(1, "RenewTime:\t%s\n", spec.renewTime and text.date(spec.renewTime) or "<unset>")
end

local function amounts(w, title, list)
    if not list or next(list) == nil then return end
    w:put(0, "%s:\n", title)
    for _, name in ipairs(tables.keys(list)) do w:put(0, "  %s:\t%s\n", name, text.quantity(list[name])) end
end

local info_rows = {
    { "Machine ID", "machineID" }, { "System UUID", "systemUUID" }, { "Boot ID", "bootID" },
    { "Kernel Version", "kernelVersion" }, { "OS Image", "osImage" }, { "Operating System", "operatingSystem" },
    { "Architecture", "architecture" }, { "Container Runtime Version", "containerRuntimeVersion" },
    { "Kubelet Version", "kubeletVersion" },
}

local ZERO = { milli = 0, form = "decimal" }

-- "100m (5%)" of what can be allocated.
local function share(amount, total)
    amount = amount or ZERO
    local percent = total and total.milli ~= 0 and math.floor(amount.milli / total.milli * 100) or 0
    return ("%s (%d%%)"):format(quantity.text(amount), percent)
end

local function pod_rows(w, list, allocatable)
    w:put(0, "Non-terminated Pods:\t(%d in total)\n", #list)
    w:put(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge\n")
    w:put(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---\n")
    for _, pod in ipairs(list) do
        local requests, limits = pod_resources.requests(pod), pod_resources.limits(pod)
        w:put(1, "%s\t%s\t\t%s\t%s\t%s\t%s\t%s\n", pod.metadata.namespace, pod.metadata.name,
            share(requests.cpu, allocatable.cpu), share(limits.cpu, allocatable.cpu),
            share(requests.memory, allocatable.memory), share(limits.memory, allocatable.memory),
            text.age(pod.metadata.creationTimestamp))
    end
end

local function total_rows(w, list, allocatable)
    local requests, limits = {}, {}
    for _, pod in ipairs(list) do
        pod_resources.add(requests, pod_resources.requests(pod))
        pod_resources.add(limits, pod_resources.limits(pod))
    end
    w:put(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)\n")
    w:put(1, "Resource\tRequests\tLimits\n")
    w:put(1, "--------\t--------\t------\n")
    local names, extended = { "cpu", "memory", "ephemeral-storage" }, {}
    for _, name in ipairs(tables.keys(allocatable)) do
        if name:find("^hugepages%-") then
            names[#names + 1] = name
        elseif name ~= "pods" and name ~= "cpu" and name ~= "memory" and name ~= "ephemeral-storage" then
            extended[#extended + 1] = name
        end
    end
    for _, name in ipairs(names) do
        w:put(1, "%s\t%s\t%s\n", name, share(requests[name], allocatable[name]), share(limits[name], allocatable[name]))
    end
    for _, name in ipairs(extended) do
        w:put(1, "%s\t%s\t%s\n", name, quantity.text(requests[name] or ZERO), quantity.text(limits[name] or ZERO))
    end
end

local function resources(w, session, node)
    local ok, list = pcall(session.client.list, session.client, "pods", { all_namespaces = true,
        fields = ("spec.nodeName=%s,status.phase!=Succeeded,status.phase!=Failed"):format(node.metadata.name) })
    if not ok and fail.kind(list) ~= "denied" then error(list, 0) end
    if not ok then return w:put(0, "Pods:\tnot authorized\n") end
    local status = node.status or {}
    local given = status.allocatable and next(status.allocatable) and status.allocatable or status.capacity or {}
    local allocatable = {}
    for name, amount in pairs(given) do allocatable[name] = quantity.parse(amount) end
    pod_rows(w, list, allocatable)
    total_rows(w, list, allocatable)
end

return function(w, object, session)
    local meta, spec, status = object.metadata, object.spec or {}, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:put(0, "Roles:\t%s\n", roles(object))
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    w:put(0, "CreationTimestamp:\t%s\n", text.date(meta.creationTimestamp))
    taints(w, spec.taints)
    w:put(0, "Unschedulable:\t%s\n", tostring(spec.unschedulable == true))
    lease(w, session, object)
    w:conditions(status.conditions, { { "Type", "type" }, { "Status", "status" },
        { "LastHeartbeatTime", "lastHeartbeatTime" }, { "LastTransitionTime", "lastTransitionTime" },
        { "Reason", "reason" }, { "Message", "message" }, separator = " \t" })
    w:put(0, "Addresses:\n")
    for _, address in ipairs(status.addresses or {}) do w:put(1, "%s:\t%s\n", address.type, address.address) end
    amounts(w, "Capacity", status.capacity)
    amounts(w, "Allocatable", status.allocatable)
    w:put(0, "System Info:\n")
    for _, row in ipairs(info_rows) do w:put(0, "  %s:\t%s\n", row[1], (status.nodeInfo or {})[row[2]]) end
    if spec.podCIDR then w:put(0, "PodCIDR:\t%s\n", spec.podCIDR) end
    if spec.podCIDRs then w:put(0, "PodCIDRs:\t%s\n", table.concat(spec.podCIDRs, ",")) end
    if spec.providerID then w:put(0, "ProviderID:\t%s\n", spec.providerID) end
    resources(w, session, object)
end
