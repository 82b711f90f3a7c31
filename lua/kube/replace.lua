-- todo-lua kube replace: puts whole objects in the place of what there is.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local last_applied = require "kubectl.last_applied"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local raw = require "kubectl.raw"
local removal = require "kubectl.removal"
local task = require "task"

local flags = {
    { "force", kind = "bool", help = "remove the objects, and create them anew" },
    { "save-config", kind = "bool", help = "remember the object for a later apply" },
    { "subresource", help = "replace that part of the object: status, scale" },
    { "raw", help = "PUT the file of -f to this path, and print the answer" },
    { "field-manager", default = "kubectl-replace", help = "who owns the fields" },
    kube_session.dry_run_flag, kube_session.validate_flag,
}
table.move(removal.force_flags, 1, #removal.force_flags, #flags + 1, flags)
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

local function check(options)
    kube_errors.raise_first {
        { #(options.filename or {}) == 0, "must specify one of -f and -k" },
        { options.grace_period >= 0 and not options.force, "--grace-period must have --force specified" },
        { options.timeout ~= 0 and not options.force, "--timeout must have --force specified" },
        { options.force and options.dry_run ~= "none", "--dry-run can not be used when --force is set" },
    }
    removal.check_cascade(options)
    -- As kubectl: 0 seconds would lose what the object still does.
    if options.grace_period == 0 then options.grace_period = 1 end
end

-- What has no version of its own takes the live object's: it replaces whatever there is.
local function put(session, one, options)
    local meta = one.object.metadata
    if not meta.resourceVersion then
        local ok, live = pcall(session.fetch, session, one.resource, one.namespace, meta.name, options.subresource)
        if ok then meta.resourceVersion = live.metadata.resourceVersion end
    end
    local ok, answer = pcall(session.write, session, "PUT", one.resource, one.namespace, meta.name, { body = one.object,
        subresource = options.subresource, manager = options.field_manager, options = options })
    return ok and answer or error(manifests.problem("replacing", one.source, answer), 0)
end

local function each(objects, fn)
    local problems = {}
    for _, one in ipairs(objects) do
        local ok, problem = pcall(fn, one)
        if not ok then problems[#problems + 1] = problem end
        if fail.kind(problem) == "read_only" then break end
    end
    kube_errors.raise_all(problems)
end

local function recreate(session, objects, options, report)
    local gone = {}
    each(objects, function(one)
        local target = { resource = one.resource, namespace = one.namespace, name = one.object.metadata.name,
            source = one.source }
        local ok, uid = pcall(removal.delete, session, target, options)
        if not ok and fail.field(uid, "status") == 404 then return end
        if not ok then error(uid, 0) end
        removal.show(target, options, "")
        gone[#gone + 1] = { target, uid }
    end)
    io.stdout:flush()
    local deadline = task.now() + (options.timeout > 0 and options.timeout or 300)
    for _, one in ipairs(gone) do removal.wait(session, one[1], one[2], deadline) end
    each(objects, function(one)
        one.object.metadata.resourceVersion, one.object.metadata.uid = nil, nil
        report(session:write("POST", one.resource, one.namespace, nil, { body = one.object,
            manager = options.field_manager, options = options }), "replaced")
    end)
end

return {
    summary = "put whole objects in the place of what there is",
    usage = "-f FILE [flags]",
    arguments = { max = 0 },
    examples = { "todo-lua kube replace -f pod.yaml", "todo-lua kube replace --force -f job.yaml" },
    flags = flags,
    run = function(session, options, words)
        if options.raw then return raw.send(session, "PUT", options, words) end
        check(options)
        local report = object_printer.reporter(options)
        local strategy, suffix = kube_session.dry_run(options)
        local objects = manifests.read(session, options)
        for _, one in ipairs(objects) do
            if options.save_config then one.object = last_applied.remembering(one.object) end
        end
        if options.force then return recreate(session, objects, options, report) end
        each(objects, function(one)
            report(strategy == "client" and one.object or put(session, one, options), "replaced" .. suffix)
        end)
    end,
}
