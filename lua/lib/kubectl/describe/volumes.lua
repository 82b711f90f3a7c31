-- Volumes of pods and the sources of persistent volumes.
local tables = require "tables"
local text = require "kubectl.describe.text"

local volumes = {}

-- By field of the volume: what it is, and its rows: title, field, and what stands there where the field is absent
-- ("" or a word; false for a switch).
local kinds = {
    hostPath = { "HostPath (bare host directory volume)", { "Path", "path" }, { "HostPathType", "type", "<none>" } },
    emptyDir = { "EmptyDir (a temporary directory that shares a pod's lifetime)", { "Medium", "medium" },
        { "SizeLimit", "sizeLimit", "<unset>" } },
    secret = { "Secret (a volume populated by a Secret)", { "SecretName", "secretName" },
        { "Optional", "optional", false } },
    configMap = { "ConfigMap (a volume populated by a ConfigMap)", { "Name", "name" }, { "Optional", "optional",
        false } },
    nfs = { "NFS (an NFS mount that lasts the lifetime of a pod)", { "Server", "server" }, { "Path", "path" },
        { "ReadOnly", "readOnly", false } },
    persistentVolumeClaim = { "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        { "ClaimName", "claimName" }, { "ReadOnly", "readOnly", false } },
    csi = { "CSI (a Container Storage Interface (CSI) volume source)", { "Driver", "driver" }, { "FSType", "fsType" },
        { "VolumeHandle", "volumeHandle", persistent = true }, { "ReadOnly", "readOnly", false } },
    image = { "Image (a container image or OCI artifact)", { "Reference", "reference" }, { "PullPolicy",
        "pullPolicy" } },
    ["local"] = { "LocalVolume (a persistent volume backed by local storage on a node)", { "Path", "path" } },
}

local order = { "hostPath", "emptyDir", "secret", "configMap", "nfs", "persistentVolumeClaim", "csi", "image", "local" }

local function attributes(w, list)
    local keys = tables.keys(list or {})
    w:put(2, "VolumeAttributes:\t%s\n", keys[1] and ("    %s=%s"):format(keys[1], list[keys[1]]) or "<none>")
    for i = 2, #keys do w:put(2, "    \t    %s=%s\n", keys[i], list[keys[i]]) end
end

local function projected(w, source)
    w:put(2, "Type:\tProjected (a volume that contains injected data from multiple sources)\n")
    for _, one in ipairs(source.sources or {}) do
        if one.secret then
            w:put(2, "SecretName:\t%s\n    Optional:\t%s\n", one.secret.name, tostring(one.secret.optional == true))
        elseif one.downwardAPI then
            w:put(2, "DownwardAPI:\ttrue\n")
        elseif one.configMap then
            w:put(2, "ConfigMapName:\t%s\n    Optional:\t%s\n", one.configMap.name,
                tostring(one.configMap.optional == true))
        elseif one.serviceAccountToken then
            w:put(2, "TokenExpirationSeconds:\t%d\n", one.serviceAccountToken.expirationSeconds or 0)
        end
    end
end

local function downward(w, source)
    w:put(2, "Type:\tDownwardAPI (a volume populated by information about the pod)\n    Items:\n")
    for _, item in ipairs(source.items or {}) do
        if item.fieldRef then w:put(3, "%s -> %s\n", item.fieldRef.fieldPath, item.path) end
        if item.resourceFieldRef then w:put(3, "%s -> %s\n", item.resourceFieldRef.resource, item.path) end
    end
end

-- A claim made with the pod; what a full claim says beyond it has no meaning here.
local function ephemeral(w, source)
    local what = "an inline specification for a volume that gets created and deleted with the pod"
    w:put(2, "Type:\tEphemeralVolume (%s)\n", what)
    local template = source.volumeClaimTemplate
    if not template then return end
    w:put(2, "StorageClass:\t%s\n", template.spec.storageClassName)
    w:put(2, "Volume:\t%s\n", template.spec.volumeName)
    local meta = template.metadata or {}
    w.indent = 2
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    w.indent = 0
    w:put(2, "Capacity:\t\n")
    w:put(2, "Access Modes:\t\n")
    if template.spec.volumeMode then w:put(2, "VolumeMode:\t%s\n", template.spec.volumeMode) end
end

local special = { projected = projected, downwardAPI = downward, ephemeral = ephemeral }

-- A kind that has no rows of its own here: all its fields.
local function other(w, source)
    for _, kind in ipairs(tables.keys(source)) do
        if type(source[kind]) == "table" then
            w:put(2, "Type:\t%s\n", kind)
            for _, field in ipairs(tables.keys(source[kind])) do
                local value = source[kind][field]
                if type(value) ~= "table" then w:put(2, "%s:\t%s\n", field, tostring(value)) end
            end
            return
        end
    end
    w:put(1, "<unknown>\n")
end

---Where a volume's content comes from.
---@param w todo.DescribeText
---@param source table the volume, or a persistent volume's spec
---@param persistent boolean?
function volumes.source(w, source, persistent)
    for field, put in pairs(special) do
        if source[field] then return put(w, source[field]) end
    end
    for _, field in ipairs(order) do
        local kind, values = kinds[field], source[field]
        if values then
            w:put(2, "Type:\t%s\n", kind[1])
            for i = 2, #kind do
                local row = kind[i]
                local value = values[row[2]]
                if value == nil then value = row[3] end
                if row[2] == "sizeLimit" and values.sizeLimit then value = text.quantity(values.sizeLimit) end
                if persistent or not row.persistent then
                    w:put(2, "%s:\t%s\n", row[1], value ~= nil and tostring(value) or "")
                end
            end
            if field == "csi" then attributes(w, values.volumeAttributes) end
            return
        end
    end
    other(w, source)
end

---@param w todo.DescribeText
---@param list table[]?
---@param space string
function volumes.put(w, list, space)
    if not list or #list == 0 then return w:put(0, "%sVolumes:\t<none>\n", space) end
    w:put(0, "%sVolumes:\n", space)
    for _, volume in ipairs(list) do
        w:put(1, "%s%s:\n", space ~= "" and " " or "", volume.name)
        local source = {}
        for field, value in pairs(volume) do
            if field ~= "name" then source[field] = value end
        end
        volumes.source(w, source)
    end
end

return volumes
