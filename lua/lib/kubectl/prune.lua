-- apply --prune: what was applied once and is in no manifest any more.
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local last_applied = require "kubectl.last_applied"
local removal = require "kubectl.removal"
local tables = require "tables"

local prune = {}

---@type todo.Flag[]
prune.flags = {
    { "prune", kind = "bool", help = "remove what was applied before and is in no manifest; needs -l or --all" },
    { "prune-allowlist", kind = "stringArray",
        help = "GROUP/VERSION/KIND that may be pruned, in place of the usual kinds; may be repeated" },
    { "all", kind = "bool", help = "with --prune: whatever its labels" },
}

-- kubectl's kinds, those in namespaces first.
local usual = { "v1/ConfigMap", "v1/Endpoints", "v1/PersistentVolumeClaim", "v1/Pod", "v1/ReplicationController",
    "v1/Secret", "v1/Service", "batch/v1/Job", "batch/v1/CronJob", "networking.k8s.io/v1/Ingress", "apps/v1/DaemonSet",
    "apps/v1/Deployment", "apps/v1/ReplicaSet", "apps/v1/StatefulSet", "v1/Namespace", "v1/PersistentVolume" }

---The kinds that may be pruned; raises kubectl's errors.
---@async
---@param session todo.KubeSession
---@param options table the command's
---@return table[] resources
function prune.kinds(session, options)
    local resources, allowed = {}, options.prune_allowlist
    for i, word in ipairs(allowed or usual) do
        local group, version, kind = word:match("^([^/]*)/([^/]*)/([^/]*)$")
        if allowed and not group then
            kube_errors.raise(("invalid GroupVersionKind format: %s, please follow <group/version/kind>"):format(word))
        end
        resources[i] = session.client:resource((word:gsub("^core/", "")))
            or kube_errors.raise(("no matches for kind %q in version %q"):format(kind or word,
                group and group ~= "core" and group .. "/" .. version or version or "v1"))
    end
    return resources
end

---Calls fn(object, resource, namespace) for each object that was applied once and was not visited now.
---@async
---@param session todo.KubeSession
---@param resources table[]
---@param visited { uids: table<string, boolean>, namespaces: table<string, boolean> }
---@param selector string?
---@param fn fun(object: table, resource: table, namespace: string?)
function prune.each(session, resources, visited, selector, fn)
    local function in_place(resource, namespace)
        local list = session.client:list(kube_session.kind(resource), { namespace = namespace, labels = selector })
        for _, object in ipairs(list) do
            if last_applied.of(object) and not visited.uids[object.metadata.uid] then
                object.apiVersion = (resource.group == "" and "" or resource.group .. "/") .. resource.version
                object.kind = resource.kind
                fn(object, resource, namespace)
            end
        end
    end
    for _, namespace in ipairs(tables.keys(visited.namespaces)) do
        for _, resource in ipairs(resources) do
            if resource.namespaced then in_place(resource, namespace) end
        end
    end
    for _, resource in ipairs(resources) do
        if not resource.namespaced then in_place(resource) end
    end
end

---Removes them; calls show(object) for each.
---@async
---@param session todo.KubeSession
---@param resources table[]
---@param visited { uids: table<string, boolean>, namespaces: table<string, boolean> }
---@param options table the command's
---@param show fun(object: table)
function prune.run(session, resources, visited, options, show)
    local body = removal.delete_options(options)
    prune.each(session, resources, visited, options.selector, function(object, resource, namespace)
        if options.dry_run ~= "client" then
            session:write("DELETE", resource, namespace, object.metadata.name, { body = body })
        end
        show(object)
    end)
end

return prune
