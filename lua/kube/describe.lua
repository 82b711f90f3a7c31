-- todo-lua kube describe: an object in words, with what belongs to it and its events.
-- lua/lib/kubectl/describe/ has the kinds.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local object_events = require "kubectl.events"
local resource_args = require "kubectl.resource_args"
local text = require "kubectl.describe.text"

-- By "group/Kind": the module and its function.
local kinds = {
    ["/Pod"] = { "pods", "put" }, ["/Service"] = { "network", "service" }, ["/Node"] = { "node" },
    ["/ConfigMap"] = { "plain", "configmap" }, ["/Secret"] = { "plain", "secret", events = false },
    ["/ServiceAccount"] = { "plain", "serviceaccount" }, ["/Namespace"] = { "plain", "namespace", events = false },
    ["/PersistentVolumeClaim"] = { "storage", "persistentvolumeclaim" },
    ["/PersistentVolume"] = { "storage", "persistentvolume" },
    ["apps/Deployment"] = { "workloads", "deployment" }, ["apps/ReplicaSet"] = { "workloads", "replicaset" },
    ["apps/StatefulSet"] = { "workloads", "statefulset" }, ["apps/DaemonSet"] = { "workloads", "daemonset" },
    ["batch/Job"] = { "workloads", "job" }, ["batch/CronJob"] = { "workloads", "cronjob" },
    ["networking.k8s.io/Ingress"] = { "network", "ingress" },
}

local function describe(session, found, with_events)
    local kind = kinds[found.resource.group .. "/" .. found.resource.kind] or { "generic" }
    local module = require("kubectl.describe." .. kind[1])
    local put = kind[2] and module[kind[2]] or module
    local w = text.new()
    put(w, found.object, session)
    if with_events and kind.events ~= false then w:events(object_events.of(session.client, found.object)) end
    return w:finish()
end

-- "describe pods web": no such pod, but all whose name starts so.
local function by_prefix(session, words, options, problem)
    local matching = 0
    for _, one in ipairs(resource_args.find_all(session, { words[1] }, { whole = true })) do
        if one.object.metadata.name:sub(1, #words[2]) == words[2] then
            matching = matching + 1
            io.write(describe(session, one, options.show_events), "\n")
        end
    end
    if matching == 0 then error(problem, 0) end
end

return {
    text = function(session, found) return describe(session, found, true) end,
    summary = "show objects in words, with their events",
    usage = "TYPE [NAME-PREFIX] | TYPE/NAME… | -f FILE [flags]",
    examples = { "todo-lua kube describe pod backend-7d4b9", "todo-lua kube describe deploy/backend svc/backend" },
    flags = {
        { "all-namespaces", short = "A", kind = "bool", help = "objects of all namespaces" },
        { "filename", short = "f", kind = "strings", help = "files, folders or URLs that name the objects" },
        { "recursive", short = "R", kind = "bool", help = "with -f: folders within folders, too" },
        { "selector", short = "l", help = "label selector" },
        { "show-events", kind = "bool", default = true, help = "events, too (default: of a single object)" },
        { "chunk-size", kind = "int", default = 500, help = "objects of one request" },
    },
    run = function(session, options, words, seen)
        if #words == 0 and #(options.filename or {}) == 0 then
            kube_errors.raise("You must specify the type of resource to describe.",
                "todo-lua kube api-resources lists the types")
        end
        options.whole = true
        local found, problems = resource_args.find(session, words, options)
        if not seen.show_events and (#problems > 0 or #found > 1) then options.show_events = false end
        if #problems == 1 and #words == 2 and fail.field(problems[1], "status") == 404 then
            return by_prefix(session, words, options, problems[1])
        end
        for i, one in ipairs(found) do io.write(i > 1 and "\n\n" or "", describe(session, one, options.show_events)) end
        kube_errors.raise_all(problems)
        if #found > 0 then return end
        io.stderr:write(options.all_namespaces and "No resources found\n"
            or ("No resources found in %s namespace.\n"):format(session.namespace))
    end,
}
