-- Deployments, replica sets, stateful sets, daemon sets, jobs and cron jobs.
local format = require "format"
local json = require "json"
local kube_table = require "kubectl.table"
local pods = require "kubectl.describe.pods"
local revisions = require "kubectl.revisions"
local tables = require "tables"
local text = require "kubectl.describe.text"

local workloads = {}

local REASONS = { { "Type", "type" }, { "Status", "status" }, { "Reason", "reason" } }

-- kubectl writes a space behind the first cell only.
local function reasons(w, conditions)
    if not conditions or #conditions == 0 then return end
    w:put(0, "Conditions:\n  Type\tStatus\tReason\n")
    w:put(1, "%s\n", table.concat(tables.map(REASONS, function(column) return ("-"):rep(#column[1]) end), "\t"))
    for _, one in ipairs(conditions) do w:put(1, "%s \t%s\t%s\n", one.type, one.status, one.reason) end
end

local function replica_sets(list)
    local words = {}
    for i, set in ipairs(list) do
        words[i] = ("%s (%d/%d replicas created)"):format(set.metadata.name, set.status.replicas or 0,
            set.spec.replicas or 0)
    end
    return #words > 0 and table.concat(words, ", ") or "<none>"
end

function workloads.deployment(w, object, session)
    local meta, spec, status = object.metadata, object.spec, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:put(0, "Namespace:\t%s\n", meta.namespace)
    w:put(0, "CreationTimestamp:\t%s\n", text.date(meta.creationTimestamp))
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    w:put(0, "Selector:\t%s\n", text.selector(spec.selector))
    w:put(0, "Replicas:\t%d desired | %d updated | %d total | %d available | %d unavailable\n", spec.replicas or 0,
        status.updatedReplicas or 0, status.replicas or 0, status.availableReplicas or 0,
        status.unavailableReplicas or 0)
    w:put(0, "StrategyType:\t%s\n", spec.strategy and spec.strategy.type)
    w:put(0, "MinReadySeconds:\t%d\n", spec.minReadySeconds or 0)
    local rolling = tables.at(spec, "strategy.rollingUpdate")
    if rolling then
        w:put(0, "RollingUpdateStrategy:\t%s max unavailable, %s max surge\n", rolling.maxUnavailable or "0",
            rolling.maxSurge or "0")
    end
    pods.template(w, spec.template)
    reasons(w, status.conditions)
    local sets = revisions.replica_sets(session.client, object)
    local current = revisions.current(object, sets)
    local old = tables.filter(sets, function(set) return set ~= current end)
    if #sets == 0 then return end
    w:put(0, "OldReplicaSets:\t%s\n", replica_sets(old))
    w:put(0, "NewReplicaSet:\t%s\n", replica_sets { current })
end

function workloads.replicaset(w, object, session)
    local meta, spec, status = object.metadata, object.spec, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:put(0, "Namespace:\t%s\n", meta.namespace)
    w:put(0, "Selector:\t%s\n", text.selector(spec.selector))
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    local owner = text.controller(object)
    if owner then w:put(0, "Controlled By:\t%s/%s\n", owner.kind, owner.name) end
    w:put(0, "Replicas:\t%d current / %d desired\n", status.replicas or 0, spec.replicas or 0)
    w:put(0, "Pods Status:\t%s\n", pods.count(session, object, spec.selector))
    pods.template(w, spec.template)
    reasons(w, status.conditions)
end

local function claim_templates(w, list)
    if not list or #list == 0 then return w:put(0, "Volume Claims:\t<none>\n") end
    w:put(0, "Volume Claims:\n")
    for _, claim in ipairs(list) do
        local storage = tables.at(claim, "spec.resources.requests.storage")
        w:put(1, "Name:\t%s\n", claim.metadata.name)
        w:put(1, "StorageClass:\t%s\n", claim.spec.storageClassName)
        w:labels("Labels", claim.metadata.labels, "  ")
        w:labels("Annotations", claim.metadata.annotations, "  ")
        w:put(1, "Capacity:\t%s\n", storage and text.quantity(storage) or "<default>")
        w:put(1, "Access Modes:\t[%s]\n", table.concat(claim.spec.accessModes or {}, " "))
    end
end

function workloads.statefulset(w, object, session)
    local meta, spec, status = object.metadata, object.spec, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:put(0, "Namespace:\t%s\n", meta.namespace)
    w:put(0, "CreationTimestamp:\t%s\n", text.date(meta.creationTimestamp))
    w:put(0, "Selector:\t%s\n", text.selector(spec.selector))
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    w:put(0, "Replicas:\t%d desired | %d total\n", spec.replicas or 0, status.replicas or 0)
    local strategy = spec.updateStrategy or {}
    w:put(0, "Update Strategy:\t%s\n", strategy.type)
    local rolling = strategy.rollingUpdate
    if rolling and rolling.partition then
        w:put(1, "Partition:\t%d\n", rolling.partition)
        if rolling.maxUnavailable then w:put(1, "MaxUnavailable:\t%s\n", rolling.maxUnavailable) end
    end
    w:put(0, "Pods Status:\t%s\n", pods.count(session, object, spec.selector))
    pods.template(w, spec.template)
    claim_templates(w, spec.volumeClaimTemplates)
end

function workloads.daemonset(w, object, session)
    local meta, spec, status = object.metadata, object.spec, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:put(0, "Namespace:\t%s\n", meta.namespace)
    w:put(0, "Selector:\t%s\n", text.selector(spec.selector))
    w:put(0, "Node-Selector:\t%s\n", kube_table.labels_text(spec.template.spec.nodeSelector))
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    w:put(0, "Desired Number of Nodes Scheduled: %d\n", status.desiredNumberScheduled or 0)
    w:put(0, "Current Number of Nodes Scheduled: %d\n", status.currentNumberScheduled or 0)
    w:put(0, "Number of Nodes Scheduled with Up-to-date Pods: %d\n", status.updatedNumberScheduled or 0)
    w:put(0, "Number of Nodes Scheduled with Available Pods: %d\n", status.numberAvailable or 0)
    w:put(0, "Number of Nodes Misscheduled: %d\n", status.numberMisscheduled or 0)
    w:put(0, "Pods Status:\t%s\n", pods.count(session, object, spec.selector))
    pods.template(w, spec.template)
end

-- A list of indexes is cut after the first 50 bytes' last number.
local function indexes(list)
    if not list or list == "" then return "<none>" end
    local comma = list:find(",", 51, true)
    return comma and list:sub(1, comma) .. "..." or list
end

local function job_times(w, status)
    local started, completed = format.epoch(status.startTime), format.epoch(status.completionTime)
    if started then w:put(0, "Start Time:\t%s\n", text.date(status.startTime)) end
    if completed then w:put(0, "Completed At:\t%s\n", text.date(status.completionTime)) end
    if started and completed then w:put(0, "Duration:\t%s\n", format.age(completed - started)) end
end

function workloads.job(w, object)
    local meta, spec, status = object.metadata, object.spec, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:put(0, "Namespace:\t%s\n", meta.namespace)
    w:put(0, "Selector:\t%s\n", text.selector(spec.selector))
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    local owner = text.controller(object)
    if owner then w:put(0, "Controlled By:\t%s/%s\n", owner.kind, owner.name) end
    if spec.parallelism then w:put(0, "Parallelism:\t%d\n", spec.parallelism) end
    w:put(0, "Completions:\t%s\n", spec.completions or "<unset>")
    if spec.completionMode then w:put(0, "Completion Mode:\t%s\n", spec.completionMode) end
    if spec.suspend ~= nil then w:put(0, "Suspend:\t%s\n", tostring(spec.suspend)) end
    if spec.backoffLimit then w:put(0, "Backoff Limit:\t%d\n", spec.backoffLimit) end
    if spec.ttlSecondsAfterFinished then
        w:put(0, "TTL Seconds After Finished:\t%d\n", spec.ttlSecondsAfterFinished)
    end
    job_times(w, status)
    if spec.activeDeadlineSeconds then w:put(0, "Active Deadline Seconds:\t%ds\n", spec.activeDeadlineSeconds) end
    local ready = status.ready and (" (%d Ready)"):format(status.ready) or ""
    w:put(0, "Pods Statuses:\t%d Active%s / %d Succeeded / %d Failed\n", status.active or 0, ready,
        status.succeeded or 0, status.failed or 0)
    if spec.completionMode == "Indexed" then w:put(0, "Completed Indexes:\t%s\n", indexes(status.completedIndexes)) end
    pods.template(w, spec.template)
end

local function or_unset(value)
    if value == nil or value == json.null then return "<unset>" end
    if type(value) == "boolean" then return value and "True" or "False" end
    return value
end

function workloads.cronjob(w, object)
    local spec, status = object.spec, object.status or {}
    local job = spec.jobTemplate.spec
    w:head(object)
    w:put(0, "Schedule:\t%s\n", spec.schedule)
    w:put(0, "Concurrency Policy:\t%s\n", spec.concurrencyPolicy)
    w:put(0, "Suspend:\t%s\n", or_unset(spec.suspend))
    w:put(0, "Time Zone:\t%s\n", or_unset(spec.timeZone))
    w:put(0, "Successful Job History Limit:\t%s\n", or_unset(spec.successfulJobsHistoryLimit))
    w:put(0, "Failed Job History Limit:\t%s\n", or_unset(spec.failedJobsHistoryLimit))
    w:put(0, "Starting Deadline Seconds:\t%s\n", spec.startingDeadlineSeconds and spec.startingDeadlineSeconds .. "s"
        or "<unset>")
    w:put(0, "Selector:\t%s\n", job.selector and text.selector(job.selector) or "<unset>")
    w:put(0, "Parallelism:\t%s\n", or_unset(job.parallelism))
    w:put(0, "Completions:\t%s\n", or_unset(job.completions))
    if job.activeDeadlineSeconds then w:put(0, "Active Deadline Seconds:\t%ds\n", job.activeDeadlineSeconds) end
    pods.template(w, job.template)
    w:put(0, "Last Schedule Time:\t%s\n", status.lastScheduleTime and text.date(status.lastScheduleTime) or "<unset>")
    local active = tables.map(status.active, function(one) return one.name end)
    w:put(0, "Active Jobs:\t%s\n", #active > 0 and table.concat(active, ", ") or "<none>")
end

return workloads
