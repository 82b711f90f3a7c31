-- Removing objects as kubectl does: the request, the line that tells it, and the wait until they are gone.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local object_wait = require "kubectl.object_wait"

local removal = {}

-- What the server calls a value of --cascade.
local propagation = { background = "Background", foreground = "Foreground", orphan = "Orphan" }
local older_words = { ["true"] = "background", ["false"] = "orphan" }

---@type todo.Flag[] of commands whose --force removes an object and makes it anew
removal.force_flags = {
    { "grace-period", kind = "int", default = -1, help = "with --force: seconds that the object has to end" },
    { "cascade", optional = "background", default = "background",
        help = "with --force: what belongs to the object goes, too (background, foreground) or stays (orphan)" },
    { "timeout", kind = "duration", default = 0,
        help = "with --force: wait at most so long for the removal (0: 300s)" },
    { "wait", kind = "bool", help = "accepted for kubectl's sake" },
}

---Takes --cascade's older words for the new ones, as kubectl does; raises its error where the flag says nothing that
---there is.
---@param options table
function removal.check_cascade(options)
    local word = older_words[options.cascade]
    if word then
        io.stderr:write(("warning: --cascade=%s is deprecated (boolean value) and can be replaced with --cascade=%s.\n")
            :format(options.cascade, word))
        options.cascade = word
    end
    if propagation[options.cascade] then return end
    kube_errors.raise(('invalid cascade value (%s). Must be "background", "foreground", or "orphan"'):format(
        options.cascade))
end

---What the server is told of how objects go.
---@param options { cascade: string?, grace_period: integer, dry_run: string? }
---@return table
function removal.delete_options(options)
    return { kind = "DeleteOptions", apiVersion = "v1", propagationPolicy = propagation[options.cascade],
        gracePeriodSeconds = options.grace_period >= 0 and options.grace_period or nil,
        dryRun = options.dry_run == "server" and { "All" } or nil }
end

---@async
---@param session todo.KubeSession
---@param target todo.Target
---@param options { cascade: string, grace_period: integer, dry_run: string? }
---@return string? uid of what goes
function removal.delete(session, target, options)
    local ok, answer = pcall(session.write, session, "DELETE", target.resource, target.namespace, target.name,
        { body = removal.delete_options(options) })
    if not ok then error(manifests.problem("deleting", target.source, answer), 0) end
    local details = answer.kind == "Status" and answer.details or answer.metadata or {}
    return details.uid
end

---"deployment.apps/web"
---@param target todo.Target
---@return string
function removal.name(target)
    return object_printer.name { kind = target.resource.kind, metadata = { name = target.name },
        apiVersion = target.resource.group ~= "" and target.resource.group .. "/v" or "v1" }
end

---Prints the line that kubectl has for it.
---@param target todo.Target
---@param options { output: string?, grace_period: integer }
---@param suffix string of a dry run
function removal.show(target, options, suffix)
    local name = removal.name(target)
    if options.output == "name" then return io.write(name, "\n") end
    local place = target.namespace and (" from %s namespace"):format(target.namespace) or ""
    io.write(('%s "%s" %sdeleted%s%s\n'):format(name:match("^[^/]+"), target.name, options.grace_period == 0
        and "force "
        or "", place, suffix))
end

---Waits until the object that had this UID is gone.
---@async
---@param session todo.KubeSession
---@param target todo.Target
---@param uid string?
---@param deadline number of task.now
function removal.wait(session, target, uid, deadline)
    local ok, problem = pcall(object_wait.until_true, session.client, target.resource, target.namespace, target.name,
        deadline, function(object) return not object or uid ~= nil and object.metadata.uid ~= uid end)
    if ok or fail.kind(problem) == "denied" then return end
    if fail.kind(problem) ~= "timeout" then error(problem, 0) end
    kube_errors.raise(("timed out waiting for the condition on %s/%s"):format(target.resource.plural, target.name))
end

return removal
