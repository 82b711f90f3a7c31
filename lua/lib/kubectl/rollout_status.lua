-- Where a workload's rollout stands, in kubectl's words (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go).
local kube_errors = require "kubectl.errors"
local tables = require "tables"

local rollout_status = {}

local function count(object, path) return tonumber(tables.at(object, path) or 0) or 0 end

-- Whether the controller has seen the newest specification.
local function observed(object)
    return count(object, "metadata.generation") <= count(object, "status.observedGeneration")
end

local by_kind = {}

function by_kind.Deployment(object, revision)
    local name = object.metadata.name
    local running = math.tointeger(tonumber((object.metadata.annotations or {})["deployment.kubernetes.io/revision"]))
    if revision > 0 and revision ~= running then
        kube_errors.raise(("desired revision (%d) is different from the running revision (%d)"):format(revision,
            running or 0))
    end
    if not observed(object) then return "Waiting for deployment spec update to be observed...", false end
    for _, condition in ipairs(tables.at(object, "status.conditions") or {}) do
        if condition.type == "Progressing" and condition.reason == "ProgressDeadlineExceeded" then
            kube_errors.raise(("deployment %q exceeded its progress deadline"):format(name),
                "todo-lua kube describe deployment " .. name .. " shows why; todo-lua doctor explains it")
        end
    end
    local waiting = ("Waiting for deployment %q rollout to finish: "):format(name)
    local wanted, updated = count(object, "spec.replicas"), count(object, "status.updatedReplicas")
    local total, available = count(object, "status.replicas"), count(object, "status.availableReplicas")
    if updated < wanted then
        return waiting .. ("%d out of %d new replicas have been updated..."):format(updated, wanted), false
    elseif total > updated then
        return waiting .. ("%d old replicas are pending termination..."):format(total - updated), false
    elseif available < updated then
        return waiting .. ("%d of %d updated replicas are available..."):format(available, updated), false
    end
    return ("deployment %q successfully rolled out"):format(name), true
end

local function needs_rolling_update(object)
    if tables.at(object, "spec.updateStrategy.type") == "RollingUpdate" then return end
    kube_errors.raise("rollout status is only available for RollingUpdate strategy type")
end

function by_kind.DaemonSet(object)
    needs_rolling_update(object)
    local name = object.metadata.name
    if not observed(object) then return "Waiting for daemon set spec update to be observed...", false end
    local waiting = ("Waiting for daemon set %q rollout to finish: "):format(name)
    local wanted, updated = count(object, "status.desiredNumberScheduled"), count(object,
        "status.updatedNumberScheduled")
    if updated < wanted then
        return waiting .. ("%d out of %d new pods have been updated..."):format(updated, wanted), false
    end
    local available = count(object, "status.numberAvailable")
    if available < wanted then
        return waiting .. ("%d of %d updated pods are available..."):format(available, wanted), false
    end
    return ("daemon set %q successfully rolled out"):format(name), true
end

function by_kind.StatefulSet(object)
    needs_rolling_update(object)
    if count(object, "status.observedGeneration") == 0 or not observed(object) then
        return "Waiting for statefulset spec update to be observed...", false
    end
    local wanted, updated = count(object, "spec.replicas"), count(object, "status.updatedReplicas")
    local missing = wanted - count(object, "status.readyReplicas")
    if missing > 0 then return ("Waiting for %d pods to be ready..."):format(missing), false end
    local rolling = tables.at(object, "spec.updateStrategy.rollingUpdate")
    if rolling then
        local part = wanted - (rolling.partition or 0)
        if rolling.partition and updated < part then
            return ("Waiting for partitioned roll out to finish: %d out of %d new pods have been updated..."):format(
                updated, part), false
        end
        return ("partitioned roll out complete: %d new pods have been updated..."):format(updated), true
    end
    local status = object.status
    if status.updateRevision ~= status.currentRevision then
        return ("waiting for statefulset rolling update to complete %d pods at revision %s..."):format(updated,
            status.updateRevision or ""), false
    end
    return ("statefulset rolling update complete %d pods at revision %s..."):format(
        count(object, "status.currentReplicas"), status.currentRevision or ""), true
end

---@param object table
---@param revision integer? of a deployment; 0: whichever runs
---@return string text
---@return boolean done
function rollout_status.of(object, revision)
    local judge = by_kind[object.kind]
    if not judge then kube_errors.raise(("no status viewer has been implemented for %s"):format(object.kind)) end
    return judge(object, revision or 0)
end

return rollout_status
