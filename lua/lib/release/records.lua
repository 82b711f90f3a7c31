-- Release records: the Secrets, or ConfigMaps, in which helm 3 keeps a release's history, read and written as helm does
-- (helm.sh/helm/v3/pkg/storage).
local chart = require "chart"
local fail = require "fail"
local secret = require "secret"
local tables = require "tables"
local task = require "task"

local records = {}

local MANAGER = "todo-lua"
local TYPE = "helm.sh/release.v1"

-- Labels that say what a record is; all others are the user's.
local system_labels = {
    name = true, owner = true, status = true, version = true, createdAt = true, modifiedAt = true,
}

local function name_of(name, revision) return ("sh.helm.release.v1.%s.v%d"):format(name, revision) end

local function selector(name)
    return { owner = "helm", name = name }
end

-- Where records are kept: as a Secret's bytes, or as a ConfigMap's text.
local secrets = { resource = "secrets", kind = "Secret", type = TYPE, encode = secret.base64, decode = secret.unbase64 }
local function same(text) return text end
local config_maps = { resource = "configmaps", kind = "ConfigMap", encode = same, decode = same }
local drivers = { [""] = secrets, secret = secrets, secrets = secrets, configmap = config_maps,
    configmaps = config_maps }

---The records' place that HELM_DRIVER names. Raises where there is none such.
---@return table
function records.driver()
    local name = os.getenv("HELM_DRIVER") or ""
    return drivers[name] or fail.raise("usage", ('unknown driver "%s"'):format(name),
        "release records are kept in Secrets, or in ConfigMaps with HELM_DRIVER=configmap")
end

local function decode(object)
    return chart.decode_release(records.driver().decode(object.data.release))
end

---@class todo.Record
---@field revision integer
---@field status string "deployed", "failed", "superseded", "pending-install", …
---@field labels table<string, string> the user's own labels
---@field object table? the Secret or ConfigMap, where it was read from one
---@field body fun(): table the decoded record

---A record that is not stored yet.
---@param body table as chart.release made it
---@param labels table<string, string>? the user's own
---@return todo.Record
function records.new(body, labels)
    return { revision = body.version, status = body.info.status, labels = labels or {},
        body = function() return body end }
end

---The record's content once more, for a new revision that begins with it.
---@param record todo.Record one that was read
---@return table
function records.copy(record) return decode(record.object) end

local function user_labels(labels)
    local own = {}
    for name, value in pairs(labels or {}) do
        if not system_labels[name] then own[name] = value end
    end
    return own
end

---Names among the labels that helm keeps for itself.
---@param labels table<string, string>
---@return boolean
function records.has_system_labels(labels)
    for name in pairs(labels) do
        if system_labels[name] then return true end
    end
    return false
end

local function wrap(object)
    local body
    local labels = object.metadata.labels or {}
    return {
        revision = tonumber(labels.version) or 0,
        status = labels.status,
        labels = user_labels(labels),
        object = object,
        body = function()
            body = body or decode(object)
            return body
        end,
    }
end

-- trouble: what an error begins with, in helm's words.
local function read(client, options, trouble)
    local driver = records.driver()
    local ok, found = pcall(client.list, client, driver.resource, options)
    if not ok then
        if fail.kind(found) == "cancelled" then error(found, 0) end
        -- What is no selector helm does not send to the server.
        local is_selector = fail.message(found):find("^unable to parse requirement")
        fail.raise(fail.kind(found) or "http", (is_selector and "" or trouble .. ": ") .. fail.message(found),
            fail.field(found, "hint"), { cause = found, status = fail.field(found, "status") })
    end
    local list = {}
    for _, object in ipairs(found) do
        if object.type == driver.type then list[#list + 1] = wrap(object) end
    end
    return list
end

---History of a release, oldest first; empty where it was never installed.
---@async
---@param client todo.K8s
---@param namespace string
---@param name string
---@return todo.Record[]
function records.history(client, namespace, name)
    local list = read(client, { namespace = namespace, labels = selector(name) },
        "query: failed to query with labels")
    table.sort(list, function(a, b) return a.revision < b.revision end)
    return list
end

---Every record of a namespace, or of all.
---@async
---@param client todo.K8s
---@param namespace string? nil: all
---@param labels string? further label selector
---@return todo.Record[]
function records.all(client, namespace, labels)
    return read(client, { namespace = namespace, all_namespaces = namespace == nil,
        labels = "owner=helm" .. (labels and labels ~= "" and "," .. labels or "") },
        "list: failed to list")
end

---One revision; nil where there is none such.
---@async
---@param client todo.K8s
---@param namespace string
---@param name string
---@param revision integer
---@return todo.Record?
function records.get(client, namespace, name, revision)
    local object = client:get(records.driver().resource, name_of(name, revision), { namespace = namespace })
    return object and wrap(object) or nil
end

local function object_of(record, stamp)
    local body, driver = record.body(), records.driver()
    local labels = tables.merge(record.labels, {
        owner = "helm", name = body.name, status = body.info.status, version = tostring(body.version),
        [stamp] = tostring(os.time()),
    })
    return {
        apiVersion = "v1", kind = driver.kind, type = driver.type,
        metadata = { name = name_of(body.name, body.version), namespace = body.namespace, labels = labels },
        data = { release = driver.encode(chart.encode_release(body)) },
    }
end

---Writes a new revision's record. Two programs that begin the same revision cannot both succeed here.
---@async
---@param client todo.K8s
---@param record todo.Record
function records.create(client, record)
    local ok, problem = pcall(client.create, client, object_of(record, "createdAt"), { field_manager = MANAGER })
    if ok then return end
    if fail.kind(problem) ~= "exists" then
        fail.raise(fail.kind(problem) or "http", "create: failed to create: " .. fail.message(problem),
            fail.field(problem, "hint"), { cause = problem })
    end
    fail.raise("conflict", "release: already exists",
        "another program began this revision just now: wait for it to end, then run again")
end

---Writes the record as it is now.
---@async
---@param client todo.K8s
---@param record todo.Record
function records.save(client, record)
    record.status = record.body().info.status
    client:update(object_of(record, "modifiedAt"), { field_manager = MANAGER })
end

---Writes a record's new status.
---@async
---@param client todo.K8s
---@param record todo.Record
---@param status string
---@param description string? default: as it was
function records.set_status(client, record, status, description)
    local info = record.body().info
    info.status = status
    info.description = description or info.description
    records.save(client, record)
end

---@async
---@param client todo.K8s
---@param record todo.Record
function records.delete(client, record)
    local place = record.object and record.object.metadata or object_of(record, "modifiedAt").metadata
    client:delete(records.driver().resource, place.name, { namespace = place.namespace })
end

---Removes the oldest revisions, so that one more makes at most `max`; the deployed one stays.
---@async
---@param client todo.K8s
---@param history todo.Record[] oldest first
---@param max integer 0 or less: no limit
function records.make_room(client, history, max)
    if max <= 0 then return end
    local deployed, surplus = records.deployed(history), #history - (max - 1)
    local removals = {}
    for _, record in ipairs(history) do
        if #removals >= surplus then break end
        if record ~= deployed then
            removals[#removals + 1] = function() records.delete(client, record) end
        end
    end
    if #removals > 0 then task.all(removals) end
end

---The revision that is deployed; nil where there is none.
---@param history todo.Record[]
---@return todo.Record?
function records.deployed(history)
    for index = #history, 1, -1 do
        if history[index].status == "deployed" then return history[index] end
    end
    return nil
end

---@param record todo.Record
---@return boolean
function records.is_pending(record) return record.status:find("^pending%-") ~= nil end

return records
