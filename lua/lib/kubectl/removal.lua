-- Removing objects as kubectl does: the request, the line that tells it, and the wait until they are gone.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local object_wait = require "kubectl.object_wait"

local removal = {}

---What the server calls a value of --cascade.
---@type table<string, string>
removal.propagation = { background = "Background", foreground = "Foreground", orphan = "Orphan",
    ["true"] = "Background", ["false"] = "Orphan" }

---Raises kubectl's error where --cascade says nothing that there is.
---@param options table
function removal.check_cascade(options)
    if removal.propagation[options.cascade] then return end
    kube_errors.raise(('invalid cascade value (%s). Must be "background", "foreground", or "orphan"'):format(
        options.cascade))
end

---@async
---@param session todo.KubeSession
---@param target todo.Target
---@param options { cascade: string, grace_period: integer, dry_run: string? }
---@return string? uid of what goes
function removal.delete(session, target, options)
    local body = { kind = "DeleteOptions", apiVersion = "v1", propagationPolicy = removal.propagation[options.cascade] }
    if options.grace_period >= 0 then body.gracePeriodSeconds = options.grace_period end
    if options.dry_run == "server" then body.dryRun = { "All" } end
    local ok, answer = pcall(session.write, session, "DELETE", target.resource, target.namespace, target.name,
        { body = body })
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
