-- Release records: the Secrets in which helm 3 keeps a release's history, read and written as helm does.
local chart = require "chart"
local fail = require "fail"
local secret = require "secret"
local task = require "task"

local records = {}

local KEPT = 10

local function secret_name(name, revision) return ("sh.helm.release.v1.%s.v%d"):format(name, revision) end

local function selector(name, status)
    return { owner = "helm", name = name, status = status }
end

local function decode(object)
    return chart.decode_release(secret.unbase64(object.data.release))
end

---@class todo.Record
---@field revision integer
---@field status string "deployed", "failed", "superseded", "pending-install", …
---@field object table the Secret
---@field body fun(): table the decoded record

local function wrap(object)
    local body
    return {
        revision = tonumber(object.metadata.labels.version) or 0,
        status = object.metadata.labels.status,
        object = object,
        body = function()
            body = body or decode(object)
            return body
        end,
    }
end

---History of a release, oldest first; empty where it was never installed.
---@async
---@param client todo.K8s
---@param namespace string
---@param name string
---@return todo.Record[]
function records.history(client, namespace, name)
    local list = {}
    for _, object in ipairs(client:list("secrets", { namespace = namespace, labels = selector(name) })) do
        if object.type == "helm.sh/release.v1" then list[#list + 1] = wrap(object) end
    end
    table.sort(list, function(a, b) return a.revision < b.revision end)
    return list
end

local function labels_of(record, stamp)
    local labels = { owner = "helm", name = record.name, status = record.info.status,
        version = tostring(record.version) }
    labels[stamp] = tostring(os.time())
    return labels
end

---Writes a new revision's record.
---@async
---@param client todo.K8s
---@param record table as chart.release made it
function records.create(client, record)
    client:create({
        apiVersion = "v1", kind = "Secret", type = "helm.sh/release.v1",
        metadata = {
            name = secret_name(record.name, record.version), namespace = record.namespace,
            labels = labels_of(record, "createdAt"),
        },
        data = { release = secret.base64(chart.encode_release(record)) },
    }, { namespace = record.namespace, field_manager = "todo-lua" })
end

---Writes a record's new status.
---@async
---@param client todo.K8s
---@param record table
---@param status string
---@param description string
function records.update(client, record, status, description)
    record.info.status = status
    record.info.description = description
    client:patch("secrets", secret_name(record.name, record.version), {
        metadata = { labels = labels_of(record, "modifiedAt") },
        data = { release = secret.base64(chart.encode_release(record)) },
    }, { namespace = record.namespace, type = "merge", field_manager = "todo-lua" })
end

---Removes the oldest revisions beyond what helm keeps by default.
---@async
---@param client todo.K8s
---@param namespace string
---@param history todo.Record[] oldest first
function records.prune(client, namespace, history)
    local removals = {}
    for index = 1, #history - KEPT do
        local record = history[index]
        if record.status ~= "deployed" then
            removals[#removals + 1] = function()
                client:delete("secrets", record.object.metadata.name, { namespace = namespace })
            end
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

---@param name string
function records.raise_busy(name)
    fail.raise("conflict", ("another operation is in progress on release %s"):format(name),
        "wait until it has ended; if its program was killed, run again in five minutes or use: helm rollback " .. name)
end

return records
