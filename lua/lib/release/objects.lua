-- The objects that a manifest's text means on one server: each with the namespace it goes to, in the text's order.
local fail = require "fail"
local json = require "json"
local tables = require "tables"
local yaml = require "yaml"

local objects = {}

local KEEP = "helm.sh/resource-policy"

local function group_of(object) return object.apiVersion:match("^(.*)/") or "" end

---What makes two objects the same one for a release (isMatchingInfo of helm's pkg/kube): the version does not.
---@param object table
---@return string
function objects.key(object)
    return table.concat({ group_of(object), object.kind, object.metadata.namespace or "", object.metadata.name }, "/")
end

---@param object table
---@return string
function objects.label(object) return object.kind .. " " .. object.metadata.name end

---Its kind, as the client's methods take it.
---@param object table
---@return todo.Kind
function objects.kind(object) return { apiVersion = object.apiVersion, kind = object.kind } end

---The live object; nil where it does not exist.
---@async
---@param client todo.K8s
---@param object table
---@return table?
function objects.get(client, object)
    return client:get(objects.kind(object), object.metadata.name, { namespace = object.metadata.namespace })
end

local function documents(text)
    local list = {}
    local function add(document)
        if type(document) ~= "table" or next(document) == nil then return end
        if type(document.kind) == "string" and document.kind:find("List$") and type(document.items) == "table" then
            for _, item in ipairs(document.items) do add(item) end
        else
            list[#list + 1] = document
        end
    end
    for _, document in ipairs(yaml.decode_all(text or "")) do add(document) end
    return list
end

-- What helm finds missing before it asks a server that validates itself.
local function check_header(object)
    local missing = {}
    for _, field in ipairs { "apiVersion", "kind" } do
        if object[field] == nil then missing[#missing + 1] = field .. " not set" end
    end
    local text = table.concat(missing, ", ")
    if #missing == 0 then return end
    fail.raise("invalid", ('error validating "": error validating data: %s'):format(#missing > 1 and "[" .. text .. "]"
        or text))
end

-- The fields of metadata that people write, in the order in which they are decoded, and what Go holds them in.
local METADATA = { { "annotations", "map[string]string" }, { "finalizers", "[]string" }, { "generateName", "string" },
    { "labels", "map[string]string" }, { "name", "string" }, { "namespace", "string" } }
local JSON_TYPES = { boolean = "bool", number = "number", string = "string" }

local function check_field(field, go_type, value)
    local given = type(value) == "table" and (json.is_list(value) and "array" or "object") or JSON_TYPES[type(value)]
    local wanted = go_type == "string" and "string" or go_type == "[]string" and "array" or "object"
    -- An empty table is either.
    if value == nil or value == json.null or given == wanted or (type(value) == "table" and next(value) == nil
        and wanted ~= "string") then
        return
    end
    fail.raise("invalid", ('unable to decode "": json: cannot unmarshal %s into Go struct field ObjectMeta.metadata.%s '
        .. "of type %s"):format(given, field, go_type))
end

local function check_metadata(metadata)
    for _, entry in ipairs(METADATA) do
        local field, go_type = entry[1], entry[2]
        local value = metadata[field]
        check_field(field, go_type, value)
        if go_type ~= "string" and type(value) == "table" then
            for _, key in ipairs(tables.keys(value)) do check_field(field, "string", value[key]) end
        end
    end
end

local function check(object)
    if type(object.kind) ~= "string" then
        fail.raise("invalid", ("unable to decode \"\": Object 'Kind' is missing in '%s'"):format(
            json.encode(object, { sort = true })))
    end
    if type(object.metadata) == "table" then check_metadata(object.metadata) end
    if type(object.apiVersion) ~= "string" then return end
    if type(object.metadata) ~= "table" or type(object.metadata.name) ~= "string" then
        fail.raise("invalid", ("error when retrieving current configuration of %s: resource name may not be empty")
            :format(object.kind))
    end
end

local function no_match(object)
    local meta = type(object.metadata) == "table" and object.metadata or {}
    return ('resource mapping not found for name: "%s" namespace: "%s" from "": no matches for kind "%s" in version '
        .. '"%s"\nensure CRDs are installed first'):format(meta.name or "", meta.namespace or "", object.kind,
            object.apiVersion or "")
end

---Every object of the text, placed in its namespace. Raises where the server does not know a kind.
---@async
---@param client todo.K8s
---@param text string
---@param namespace string of namespaced objects that name none
---@param validated boolean? as where helm validates what it builds
---@return table[]
function objects.build(client, text, namespace, validated)
    local list, problems = {}, {}
    for _, object in ipairs(documents(text)) do
        if validated then check_header(object) end
        check(object)
        local resource = object.apiVersion and client:resource(objects.kind(object))
        if not resource then
            problems[#problems + 1] = no_match(object)
        else
            if object.metadata.namespace == json.null then object.metadata.namespace = nil end
            if resource.namespaced then
                object.metadata.namespace = object.metadata.namespace or namespace
            else
                object.metadata.namespace = nil
            end
            list[#list + 1] = object
        end
    end
    if #problems == 1 then fail.raise("invalid", problems[1]) end
    if #problems > 1 then fail.raise("invalid", "[" .. table.concat(problems, ", ") .. "]") end
    return list
end

---@param list table[]
---@return table<string, table>
function objects.by_key(list)
    local found = {}
    for _, object in ipairs(list) do found[objects.key(object)] = object end
    return found
end

---Whether the object says that it outlives its release.
---@param object table
---@return boolean
function objects.is_kept(object)
    local policy = (tables.at(object, "metadata.annotations") or {})[KEEP]
    return type(policy) == "string" and policy:lower():match("^%s*(.-)%s*$") == "keep"
end

-- helm.sh/helm/v3/pkg/releaseutil, UninstallOrder.
local UNINSTALL = {
    "APIService", "Ingress", "IngressClass", "Service", "CronJob", "Job", "StatefulSet", "HorizontalPodAutoscaler",
    "Deployment", "ReplicaSet", "ReplicationController", "Pod", "DaemonSet", "RoleBindingList", "RoleBinding",
    "RoleList", "Role", "ClusterRoleBindingList", "ClusterRoleBinding", "ClusterRoleList", "ClusterRole",
    "CustomResourceDefinition", "PersistentVolumeClaim", "PersistentVolume", "StorageClass", "ConfigMap",
    "SecretList", "Secret", "ServiceAccount", "PodDisruptionBudget", "PodSecurityPolicy", "LimitRange",
    "ResourceQuota", "NetworkPolicy", "Namespace", "PriorityClass",
}

---In the order of their removal; kinds that helm does not know come last, by name.
---@param list table[]
---@return table[]
function objects.uninstall_order(list)
    local rank, entries = {}, {}
    for index, kind in ipairs(UNINSTALL) do rank[kind] = index end
    for index, object in ipairs(list) do
        entries[index] = { object = object, index = index, rank = rank[object.kind] or #UNINSTALL + 1 }
    end
    table.sort(entries, function(a, b)
        if a.rank ~= b.rank then return a.rank < b.rank end
        if a.object.kind ~= b.object.kind then return a.object.kind < b.object.kind end
        return a.index < b.index
    end)
    return tables.map(entries, function(entry) return entry.object end)
end

return objects
