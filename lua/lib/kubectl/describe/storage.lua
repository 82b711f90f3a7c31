-- Persistent volumes and the claims to them.
local tables = require "tables"
local text = require "kubectl.describe.text"
local volumes = require "kubectl.describe.volumes"

local storage = {}

local modes = { { "ReadWriteOnce", "RWO" }, { "ReadOnlyMany", "ROX" }, { "ReadWriteMany", "RWX" },
    { "ReadWriteOncePod", "RWOP" } }

local function modes_text(list)
    local words = {}
    for _, mode in ipairs(modes) do
        for _, given in ipairs(list or {}) do
            if given == mode[1] and words[#words] ~= mode[2] then words[#words + 1] = mode[2] end
        end
    end
    return table.concat(words, ",")
end

local function class_of(object)
    return (object.metadata.annotations or {})["volume.beta.kubernetes.io/storage-class"]
        or object.spec.storageClassName
end

local function state(w, object)
    local deleted = object.metadata.deletionTimestamp
    w:put(0, "Status:\t%s\n", deleted and ("Terminating (lasts %s)"):format(text.age(deleted))
        or (object.status or {}).phase)
end

local function finalizers(w, object)
    w:put(0, "Finalizers:\t[%s]\n", table.concat(object.metadata.finalizers or {}, " "))
end

-- Names of the pods that mount the claim.
local function used_by(session, object)
    local names = {}
    for _, pod in ipairs((session.client:list("pods", { namespace = object.metadata.namespace }))) do
        for _, volume in ipairs(pod.spec.volumes or {}) do
            local claim = volume.persistentVolumeClaim
            if claim and claim.claimName == object.metadata.name then names[#names + 1] = pod.metadata.name end
        end
    end
    table.sort(names)
    return names
end

function storage.persistentvolumeclaim(w, object, session)
    local meta, spec, status = object.metadata, object.spec, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:put(0, "Namespace:\t%s\n", meta.namespace)
    w:put(0, "StorageClass:\t%s\n", class_of(object))
    state(w, object)
    w:put(0, "Volume:\t%s\n", spec.volumeName)
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    finalizers(w, object)
    local bound = spec.volumeName ~= nil
    w:put(0, "Capacity:\t%s\n", bound and text.quantity(tables.at(status, "capacity.storage")) or "")
    w:put(0, "Access Modes:\t%s\n", bound and modes_text(status.accessModes) or "")
    if spec.volumeMode then w:put(0, "VolumeMode:\t%s\n", spec.volumeMode) end
    local source = spec.dataSource
    if source then
        w:put(0, "DataSource:\n")
        if source.apiGroup then w:put(1, "APIGroup:\t%s\n", source.apiGroup) end
        w:put(1, "Kind:\t%s\n", source.kind)
        w:put(1, "Name:\t%s\n", source.name)
    end
    w:words("Used By", used_by(session, object))
    w:conditions(status.conditions, { { "Type", "type" }, { "Status", "status" },
        { "LastProbeTime", "lastProbeTime", "-----------------" },
        { "LastTransitionTime", "lastTransitionTime" }, { "Reason", "reason" }, { "Message", "message" },
        separator = " \t" })
end

local function affinity(w, spec)
    local required = tables.at(spec, "nodeAffinity.required")
    if not tables.at(spec, "nodeAffinity") then return w:put(0, "Node Affinity:\t<none>\n") end
    w:put(0, "Node Affinity:\t\n")
    if not required then return w:put(1, "Required Terms:\t<none>\n") end
    w:put(1, "Required Terms:\t\n")
    for i, term in ipairs(required.nodeSelectorTerms or {}) do
        local expressions = term.matchExpressions or {}
        w:put(2, "Term %d:\t", i - 1)
        if #expressions == 0 then w:put(0, "<none>\n") end
        for at, one in ipairs(expressions) do
            if at > 1 then w:put(2, "\t") end
            local values = #(one.values or {}) > 0 and (" [%s]"):format(table.concat(one.values, ", ")) or ""
            w:put(0, "%s %s%s\n", one.key, one.operator:lower(), values)
        end
    end
end

function storage.persistentvolume(w, object)
    local meta, spec = object.metadata, object.spec
    w:put(0, "Name:\t%s\n", meta.name)
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    finalizers(w, object)
    w:put(0, "StorageClass:\t%s\n", class_of(object))
    state(w, object)
    local claim = spec.claimRef
    w:put(0, "Claim:\t%s\n", claim and (claim.namespace or "") .. "/" .. claim.name)
    w:put(0, "Reclaim Policy:\t%s\n", spec.persistentVolumeReclaimPolicy)
    w:put(0, "Access Modes:\t%s\n", modes_text(spec.accessModes))
    if spec.volumeMode then w:put(0, "VolumeMode:\t%s\n", spec.volumeMode) end
    w:put(0, "Capacity:\t%s\n", text.quantity(tables.at(spec, "capacity.storage")))
    affinity(w, spec)
    w:put(0, "Message:\t%s\n", (object.status or {}).message)
    w:put(0, "Source:\n")
    local source = {}
    for field, value in pairs(spec) do
        if type(value) == "table" and field ~= "capacity" and field ~= "accessModes" and field ~= "claimRef"
            and field ~= "nodeAffinity" and field ~= "mountOptions" then
            source[field] = value
        end
    end
    volumes.source(w, source, true)
end

return storage
