-- todo-lua kube edit: objects of the cluster in an editor.
local editor = require "kubectl.editor"
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local last_applied = require "kubectl.last_applied"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local json = require "json"

local flags = {
    { "output-patch", kind = "bool", help = "print the patch that is sent, too" },
    { "save-config", kind = "bool", help = "remember the object for a later apply" },
    { "subresource", help = "edit that part of the object: status, scale" },
    { "field-manager", default = "kubectl-edit", help = "who owns the fields" },
    kube_session.validate_flag,
}
table.move(editor.flags, 1, #editor.flags, #flags + 1, flags)
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)

-- Why the server did not take an object, as a reason to edit it again, or as what ends the edit.
local function refused(outcome, found, problem)
    local status, name = fail.field(problem, "status"), found.object.metadata.name
    local words = ("%s %q"):format(kube_session.resource_name(found.resource), name)
    if not status then error(problem, 0) end
    if status == 422 then
        local reason = { head = words .. " was not valid", other = {} }
        local cause = fail.field(problem, "cause")
        while cause do
            reason.other[#reason.other + 1] = cause.message
            cause = cause.cause
        end
        outcome.reasons[#outcome.reasons + 1] = reason
        io.stderr:write(("error: %s is invalid\n"):format(words))
    elseif status == 404 then
        outcome.missing = true
        io.stderr:write(("error: %s could not be found on the server\n"):format(words))
    else
        outcome.retry = true
        io.stderr:write(("error: %s could not be patched: %s\n"):format(words, fail.message(problem)))
    end
end

local function original_of(found, object)
    for _, one in ipairs(found) do
        local meta = object.metadata or {}
        if one.object.metadata.uid == meta.uid then return one end
    end
    kube_errors.raise("no original object found for " .. object_printer.name(object),
        "its metadata.uid says which object it is")
end

local function send(session, options, one, object, outcome)
    local meta = one.object.metadata
    if options.save_config then object = last_applied.remembering(object) end
    local patch, kind = editor.patch(one.object, object)
    local name = object_printer.name(one.object)
    if not patch then return io.write(name, " skipped\n") end
    if options.output_patch then io.write("Patch: ", json.encode(patch, { sort = true }), "\n") end
    local ok, answer = pcall(session.write, session, "PATCH", one.resource, meta.namespace, meta.name, { body = patch,
        type = kind, subresource = options.subresource, manager = options.field_manager, options = options })
    if not ok then return refused(outcome, one, answer) end
    answer.apiVersion, answer.kind = one.object.apiVersion, one.object.kind
    answer.metadata.managedFields = nil
    one.object = answer
    io.write(name, " edited\n")
end

return {
    summary = "edit objects in an editor",
    usage = "TYPE NAME | TYPE/NAME | -f FILE [flags]",
    examples = { "todo-lua kube edit deploy/web", "KUBE_EDITOR='code --wait' todo-lua kube edit cm settings" },
    flags = flags,
    run = function(session, options, words)
        local format = (options.output or "") == "" and "yaml" or options.output
        if format ~= "yaml" and format ~= "json" then
            kube_errors.raise(("The flag 'output' must be one of yaml|json, got %s"):format(format))
        end
        local found = resource_args.find_all(session, words, options)
        if #found == 0 then kube_errors.raise("edit cancelled, no objects found") end
        for _, one in ipairs(found) do
            local meta = one.object.metadata
            if options.subresource then
                one.object = session:fetch(one.resource, meta.namespace, meta.name, options.subresource)
            end
            one.object.metadata.managedFields = nil
        end
        local objects = {}
        for i, one in ipairs(found) do objects[i] = one.object end
        return editor.run { objects = objects, format = format, head = editor.HEAD, accept = function(edited)
            local outcome = { reasons = {} }
            for _, object in ipairs(edited) do
                send(session, options, original_of(found, object), object, outcome)
            end
            return outcome
        end }
    end,
}
