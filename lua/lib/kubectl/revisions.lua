-- The past of deployments, stateful sets and daemon sets: their replica sets and controller revisions.
local fail = require "fail"
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local text = require "kubectl.describe.text"

local revisions = {}

local CAUSE = "kubernetes.io/change-cause"

---A deployment's replica sets, the oldest first.
---@async
---@param client todo.K8s
---@param deployment table
---@return table[]
function revisions.replica_sets(client, deployment)
    local list = client:list("replicasets.apps", { namespace = deployment.metadata.namespace,
        labels = text.selector(deployment.spec.selector) })
    local own = tables.filter(list, function(set)
        local owner = text.controller(set)
        return owner ~= nil and owner.uid == deployment.metadata.uid
    end)
    sort_by.stable(own, function(a, b)
        local first, second = a.metadata.creationTimestamp, b.metadata.creationTimestamp
        if first == second then return a.metadata.name < b.metadata.name end
        return first < second
    end)
    return own
end

-- A replica set's template as the deployment wrote it.
local function template_of(set)
    local template = tables.copy(set.spec.template)
    if template.metadata and template.metadata.labels then template.metadata.labels["pod-template-hash"] = nil end
    return template
end

---The replica set of the deployment's present template.
---@param deployment table
---@param sets table[]
---@return table?
function revisions.current(deployment, sets)
    local wanted = template_of(deployment)
    for _, set in ipairs(sets) do
        if tables.equal(template_of(set), wanted) then return set end
    end
    return nil
end

---@class todo.Revision
---@field number integer
---@field template table the pod template
---@field cause string?
---@field object table the replica set or controller revision

local function of_deployment(client, deployment)
    local list = {}
    for _, set in ipairs(revisions.replica_sets(client, deployment)) do
        local annotations = set.metadata.annotations or {}
        local number = math.tointeger(tonumber(annotations["deployment.kubernetes.io/revision"]))
        if number then
            list[#list + 1] = { number = number, template = set.spec.template, cause = annotations[CAUSE],
                object = set }
        end
    end
    return list
end

local function of_controller(client, workload)
    local list = {}
    local found = client:list("controllerrevisions.apps", { namespace = workload.metadata.namespace,
        labels = text.selector(workload.spec.selector) })
    for _, one in ipairs(found) do
        local owner = text.controller(one)
        if owner and owner.uid == workload.metadata.uid then
            local template = tables.copy(tables.at(one, "data.spec.template") or {})
            template["$patch"] = nil
            list[#list + 1] = { number = one.revision, template = template, object = one,
                cause = (one.metadata.annotations or {})[CAUSE] }
        end
    end
    return list
end

---Past and present of a workload, the oldest first.
---@async
---@param client todo.K8s
---@param workload table
---@return todo.Revision[]
function revisions.history(client, workload)
    if not tables.at(workload, "spec.selector") or not tables.at(workload, "spec.template") then
        fail.raise("usage", ("a %s has no revisions"):format(workload.kind))
    end
    local list = (workload.kind == "Deployment" and of_deployment or of_controller)(client, workload)
    sort_by.stable(list, function(a, b) return a.number < b.number end)
    return list
end

return revisions
