-- The live objects of a release as helm status --show-resources has them (Client.Get of helm.sh/helm/v3/pkg/kube): by
-- version and kind, with the pods that its workloads have.
local json = require "json"
local kube_session = require "kubectl.session"
local kube_table = require "kubectl.table"
local objects = require "release.objects"
local tables = require "tables"
local tabwriter = require "tabwriter"

local live_resources = {}

local RELATED = "v1/Pod(related)"
local workloads = { ReplicaSet = true, Deployment = true, StatefulSet = true, DaemonSet = true, Job = true }

local function selector_of(object)
    if object.kind == "ReplicationController" then return tables.at(object, "spec.selector") end
    return workloads[object.kind] and tables.at(object, "spec.selector.matchLabels") or nil
end

local function get(client, object, name, headers, query)
    local resource = client:resource(objects.kind(object))
    local path = kube_session.path(resource, object.metadata.namespace, name)
    local ok, found = pcall(client.request, client, "GET", path, { headers = headers, query = query })
    return ok and found or nil
end

-- A list stays one object, as with helm; its items tell their kind, as Go's decoder has them do.
local function add(found, key, answer)
    found[key] = found[key] or json.list {}
    for _, item in ipairs(answer.items or {}) do item.apiVersion, item.kind = "v1", "Pod" end
    table.insert(found[key], answer)
end

---Objects by "VERSION/KIND", or tables of the server's where they are to be shown; what is gone is left out.
---@async
---@param env todo.ReleaseEnv
---@param record todo.Record
---@param as_table boolean
---@return table<string, table[]>
function live_resources.of(env, record, as_table)
    local found, seen = {}, {}
    local headers = as_table and { Accept = kube_table.ACCEPT } or nil
    for _, object in ipairs(objects.build(env.client, record.body().manifest or "", env.namespace)) do
        local live = get(env.client, object, object.metadata.name, headers)
        if live then add(found, object.apiVersion:match("[^/]*$") .. "/" .. object.kind, live) end
        local selector = live and selector_of(object)
        local labels = selector and kube_table.labels_text(selector)
        if labels and not seen[labels] then
            seen[labels] = true
            local pod = { apiVersion = "v1", kind = "Pod", metadata = { namespace = object.metadata.namespace } }
            local pods = get(env.client, pod, nil, headers, { labelSelector = labels })
            local count = pods and #(pods.rows or pods.items or {}) or 0
            if count > 0 then add(found, RELATED, pods) end
        end
    end
    return found
end

---The tables as helm prints them.
---@param found table<string, table[]>
---@return string
function live_resources.text(found)
    local parts = {}
    local writer = tabwriter.new(function(text) parts[#parts + 1] = text end)
    local print = kube_table.printer(writer, {})
    for _, key in ipairs(tables.keys(found)) do
        parts[#parts + 1] = ("==> %s\n"):format(key)
        for _, one in ipairs(found[key]) do
            print(one)
            writer:flush()
            writer:forget()
        end
        parts[#parts + 1] = "\n"
    end
    return table.concat(parts)
end

return live_resources
