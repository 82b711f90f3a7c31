-- Config maps, secrets, service accounts and namespaces.
local sort_by = require "kubectl.sort_by"
local tables = require "tables"
local text = require "kubectl.describe.text"

local plain = {}

-- Bytes that a base64 text stands for.
local function decoded_size(encoded)
    local padding = #encoded:match("=*$")
    return #encoded // 4 * 3 - padding
end

function plain.configmap(w, object)
    w:head(object)
    w:put(0, "\nData\n====\n")
    for _, key in ipairs(tables.keys(object.data or {})) do
        w:put(0, "%s:\n----\n%s\n\n", key, object.data[key])
    end
    w:put(0, "\nBinaryData\n====\n")
    for _, key in ipairs(tables.keys(object.binaryData or {})) do
        w:put(0, "%s: %d bytes\n", key, decoded_size(object.binaryData[key]))
    end
    w:put(0, "\n")
end

-- A service account's token, which kubectl shows, stays out of sight here as all others do.
function plain.secret(w, object)
    w:head(object)
    w:put(0, "\nType:\t%s\n", object.type)
    w:put(0, "\nData\n====\n")
    for _, key in ipairs(tables.keys(object.data or {})) do
        w:put(0, "%s:\t%d bytes\n", key, decoded_size(object.data[key]))
    end
end

function plain.serviceaccount(w, object)
    w:head(object)
    local names = tables.map(object.imagePullSecrets, function(one) return one.name end)
    w:put(0, "Image pull secrets:\t%s\n", names[1] or "<none>")
    for i = 2, #names do w:put(0, "                   \t%s\n", names[i]) end
end

local function quotas(w, list)
    if #list == 0 then return w:put(0, "No resource quota.\n") end
    sort_by.stable(list, function(a, b) return a.metadata.name < b.metadata.name end)
    w:put(0, "Resource Quotas\n")
    for _, quota in ipairs(list) do
        local hard, used = tables.at(quota, "status.hard") or {}, tables.at(quota, "status.used") or {}
        w:put(1, "Name:\t%s\n", quota.metadata.name)
        w:put(1, "Resource\tUsed\tHard\n")
        w:put(1, "--------\t---\t---\n")
        for _, name in ipairs(tables.keys(hard)) do
            w:put(1, "%s\t%s\t%s\n", name, text.quantity(used[name]), text.quantity(hard[name]))
        end
    end
end

local function limit_rows(w, item)
    local fields = { "min", "max", "defaultRequest", "default", "maxLimitRequestRatio" }
    local names = {}
    for _, field in ipairs(fields) do
        for name in pairs(item[field] or {}) do names[name] = true end
    end
    for _, name in ipairs(tables.keys(names)) do
        local cells = tables.map(fields, function(field)
            local value = item[field] and item[field][name]
            return value and text.quantity(value) or "-"
        end)
        w:put(0, " %s\t%s\t%s\n", item.type, name, table.concat(cells, "\t"))
    end
end

local function limits(w, list)
    if #list == 0 then return w:put(0, "No LimitRange resource.\n") end
    w:put(0, "Resource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio\n")
    w:put(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------\n")
    for _, range in ipairs(list) do
        for _, item in ipairs(range.spec.limits or {}) do limit_rows(w, item) end
    end
end

function plain.namespace(w, object, session)
    local meta, status = object.metadata, object.status or {}
    w:put(0, "Name:\t%s\n", meta.name)
    w:labels("Labels", meta.labels)
    w:annotations("Annotations", meta.annotations)
    w:put(0, "Status:\t%s\n", status.phase)
    w:conditions(status.conditions, { { "Type", "type" }, { "Status", "status" },
        { "LastTransitionTime", "lastTransitionTime" }, { "Reason", "reason" }, { "Message", "message" } })
    w:put(0, "\n")
    quotas(w, (session.client:list("resourcequotas", { namespace = meta.name })))
    w:put(0, "\n")
    limits(w, (session.client:list("limitranges", { namespace = meta.name })))
end

return plain
