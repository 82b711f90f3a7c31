-- When helm takes an object for ready (helm.sh/helm/v3/pkg/kube/ready.go). Pure: looks at what it is given.
local tables = require "tables"

local ready = {}

local at = tables.at

local function count(object, path) return tonumber(at(object, path) or 0) or 0 end

---Whether the controller has seen the object as it is now.
---@param object table
---@return boolean
function ready.is_observed(object)
    return count(object, "status.observedGeneration") == count(object, "metadata.generation")
end

local function has_condition(object, name, status)
    for _, entry in ipairs(at(object, "status.conditions") or {}) do
        if entry.type == name and entry.status == status then return true end
    end
    return false
end

local function revision_of(object)
    return (at(object, "metadata.annotations") or {})["deployment.kubernetes.io/revision"]
end

---The ReplicaSet of a Deployment's present template; nil while there is none, and while its controller has not seen the
---template: until then the revision still names the one before.
---@param deployment table
---@param replica_sets table[]
---@return table?
function ready.new_replica_set(deployment, replica_sets)
    if not ready.is_observed(deployment) then return nil end
    for _, set in ipairs(replica_sets or {}) do
        for _, reference in ipairs(at(set, "metadata.ownerReferences") or {}) do
            if reference.uid == deployment.metadata.uid and revision_of(set) == revision_of(deployment) then
                return set
            end
        end
    end
    return nil
end

-- "25%" or a number of `total`; rounded up or down.
local function scaled(value, total, up)
    if type(value) == "number" then return value end
    local percent = tonumber(tostring(value or ""):match("^(%d+)%%$"))
    if not percent then return nil end
    local exact = percent * total / 100
    return up and math.ceil(exact) or math.floor(exact)
end

local function max_unavailable(deployment, replicas)
    if at(deployment, "spec.strategy.type") ~= "RollingUpdate" or replicas == 0 then return 0 end
    local surge = scaled(at(deployment, "spec.strategy.rollingUpdate.maxSurge") or 0, replicas, true) or 0
    local missing = scaled(at(deployment, "spec.strategy.rollingUpdate.maxUnavailable") or 0, replicas, false) or 0
    if surge == 0 and missing == 0 then missing = 1 end
    return math.min(missing, replicas)
end

local checks = {}

function checks.Deployment(object, seen)
    if at(object, "spec.paused") then return true end
    local set = ready.new_replica_set(object, seen.replicasets)
    if not set or not ready.is_observed(set) then return false end
    local replicas = at(object, "spec.replicas") or 1
    return count(set, "status.readyReplicas") >= replicas - max_unavailable(object, replicas)
end

function checks.DaemonSet(object)
    if not ready.is_observed(object) then return false end
    if at(object, "spec.updateStrategy.type") ~= "RollingUpdate" then return true end
    local wanted = count(object, "status.desiredNumberScheduled")
    if count(object, "status.updatedNumberScheduled") ~= wanted then return false end
    local missing = scaled(at(object, "spec.updateStrategy.rollingUpdate.maxUnavailable") or 0, wanted, true) or wanted
    return count(object, "status.numberReady") >= wanted - missing
end

function checks.StatefulSet(object)
    if not ready.is_observed(object) then return false end
    if at(object, "spec.updateStrategy.type") ~= "RollingUpdate" then return true end
    local partition = count(object, "spec.updateStrategy.rollingUpdate.partition")
    local replicas = at(object, "spec.replicas") or 1
    if count(object, "status.updatedReplicas") < replicas - partition then return false end
    if count(object, "status.readyReplicas") ~= replicas then return false end
    return partition ~= 0 or at(object, "status.currentRevision") == at(object, "status.updateRevision")
end

function checks.Pod(object) return has_condition(object, "Ready", "True") end

-- All pods that its selector finds, whoever owns them, as helm looks.
local function selected_pods_ready(object, seen)
    local selector = at(object, "spec.selector.matchLabels") or at(object, "spec.selector") or {}
    for _, pod in ipairs(seen.pods or {}) do
        local labels, matches = at(pod, "metadata.labels") or {}, true
        for name, value in pairs(selector) do matches = matches and labels[name] == value end
        if matches and pod.metadata.namespace == object.metadata.namespace and not checks.Pod(pod) then return false end
    end
    return true
end

function checks.ReplicaSet(object, seen) return ready.is_observed(object) and selected_pods_ready(object, seen) end
checks.ReplicationController = checks.ReplicaSet

function checks.PersistentVolumeClaim(object) return at(object, "status.phase") == "Bound" end

function checks.Service(object)
    local kind = at(object, "spec.type")
    if kind == "ExternalName" then return true end
    if (at(object, "spec.clusterIP") or "") == "" then return false end
    if kind ~= "LoadBalancer" or #(at(object, "spec.externalIPs") or {}) > 0 then return true end
    return at(object, "status.loadBalancer.ingress") ~= nil
end

function checks.CustomResourceDefinition(object)
    return has_condition(object, "Established", "True") or has_condition(object, "NamesAccepted", "False")
end

-- Only asked for with --wait-for-jobs.
function checks.Job(object)
    local completions = at(object, "spec.completions")
    return not completions or count(object, "status.succeeded") >= completions
end

---Kinds that are waited for, and what the client calls them.
ready.kinds = {
    Deployment = "deployments.apps", StatefulSet = "statefulsets.apps", DaemonSet = "daemonsets.apps",
    ReplicaSet = "replicasets.apps", ReplicationController = "replicationcontrollers", Pod = "pods",
    PersistentVolumeClaim = "persistentvolumeclaims", Service = "services", Job = "jobs.batch",
    CustomResourceDefinition = "customresourcedefinitions.apiextensions.k8s.io",
}

---@param object table live, of one of ready.kinds
---@param seen { replicasets: table[]?, pods: table[]? }
---@return boolean
function ready.check(object, seen) return checks[object.kind](object, seen) end

local texts = {
    PersistentVolumeClaim = function(object) return "volume " .. (at(object, "status.phase") or "Pending"):lower() end,
    Service = function() return "no address yet" end,
    CustomResourceDefinition = function() return "not established yet" end,
}

---What such an object waits for; nil where its pods say that.
---@param object table
---@return string?
function ready.text(object)
    local text = texts[object.kind]
    return text and text(object)
end

return ready
