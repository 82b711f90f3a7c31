-- What the commands of kube set share: objects from words or files, a change made here, the patch that makes it there.
local chart = require "chart"
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"

local object_change = {}

---@type todo.Flag[]
object_change.flags = {
    { "all", kind = "bool", help = "all objects of the type" },
    { "selector", short = "l", help = "label selector" },
    { "field-manager", default = "kubectl-set", help = "who owns the fields" },
    resource_args.local_flag,
    kube_session.dry_run_flag,
}
table.move(manifests.flags, 1, #manifests.flags, #object_change.flags + 1, object_change.flags)
table.move(object_printer.flags, 1, #object_printer.flags, #object_change.flags + 1, object_change.flags)

---@param own todo.Flag[]
---@return todo.Flag[]
function object_change.with_flags(own)
    return table.move(object_change.flags, 1, #object_change.flags, #own + 1, own)
end

-- Where a kind has the specification of its pods.
local paths = { Pod = "spec", CronJob = "spec.jobTemplate.spec.template.spec" }

---The specification of the object's pods; raises where it has none.
---@param object table
---@return table
function object_change.pod_spec(object)
    return tables.at(object, paths[object.kind] or "spec.template.spec")
        or kube_errors.raise(("the object is not a pod or does not have a pod template: *%s.%s"):format(
            object.apiVersion:match("[^/]+$"), object.kind),
            "pods, deployments, daemonsets, statefulsets, replicasets, jobs and cronjobs have one")
end

---The containers whose names match, those of the pod first, then those that run before them.
---@param spec table
---@param pattern string "*" stands for any text
---@return table[]
function object_change.containers(spec, pattern)
    local match = "^" .. pattern:gsub("[%-%.%+%[%]%(%)%$%^%%%?]", "%%%0"):gsub("%*", ".*") .. "$"
    local found = {}
    for _, field in ipairs { "containers", "initContainers" } do
        for _, container in ipairs(spec[field] or {}) do
            if container.name:find(match) then found[#found + 1] = container end
        end
    end
    return found
end

-- kubectl puts the object's name before what could not be changed in it.
local function named(found, problem)
    if fail.kind(problem) ~= "kube" then return problem end
    local plural = found.resource and found.resource.plural or found.object.kind:lower() .. "s"
    return fail.new("kube", ("%s/%s %s"):format(plural, found.object.metadata.name, problem.message), problem.hint)
end

local function one(session, found, options, how)
    local object = tables.copy(found.object)
    local ok, problem = pcall(how.change, object)
    if not ok then error(how.unnamed and problem or named(found, problem), 0) end
    if how.look then return end
    local patch, type = chart.patch(found.object, object, found.object)
    if not patch and not how.always then return end
    if how.here then return how.report(object, how.done) end
    local meta = object.metadata
    local done, answer = pcall(session.write, session, "PATCH", found.resource, meta.namespace, meta.name,
        { body = patch or {}, type = type or "application/strategic-merge-patch+json",
            manager = options.field_manager, options = options })
    if not done then
        if not how.failed or fail.field(answer, "status") == nil then error(answer, 0) end
        fail.raise("kube", how.failed .. " " .. answer.message, answer.hint, { cause = answer.cause })
    end
    answer.apiVersion, answer.kind = object.apiVersion, object.kind
    how.report(answer, how.done)
end

---@class todo.ObjectChange
---@field done string what is printed of a changed object: "image updated"
---@field change fun(object: table) changes it; raises kubectl's error where it cannot
---@field failed string? what stands before the server's refusal
---@field look boolean? nothing is sent and nothing printed: change only looks
---@field always boolean? print an object that the change leaves as it was, too
---@field unnamed boolean? errors without the object's name
---@field check fun(found: todo.Found[])? called once the objects are there
---@field problems any[]? where change leaves what does not stop it

---Changes the objects that the words or files name, and prints each.
---@async
---@param session todo.KubeSession
---@param words string[] that name objects
---@param options table
---@param how todo.ObjectChange
function object_change.run(session, words, options, how)
    local strategy, suffix = kube_session.dry_run(options)
    how.done, how.here = how.done .. suffix, strategy == "client" or options.local_
    how.report = object_printer.reporter(options)
    if options.all and options.selector then
        kube_errors.raise("cannot set --all and --selector at the same time")
    end
    if options.local_ and strategy == "server" then
        kube_errors.raise("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
    end
    local found, problems = resource_args.find_all(session, words, options), {}
    if how.check then how.check(found) end
    for _, target in ipairs(found) do
        local ok, problem = pcall(one, session, target, options, how)
        if not ok then problems[#problems + 1] = problem end
    end
    table.move(how.problems or {}, 1, #(how.problems or {}), #problems + 1, problems)
    kube_errors.raise_all(problems)
end

return object_change
