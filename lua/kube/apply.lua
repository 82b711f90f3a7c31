-- todo-lua kube apply: makes the cluster's objects as the manifests say. Like kubectl it remembers what it applied in
-- an annotation (client-side apply); --server-side leaves the merging to the server.
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local last_applied = require "kubectl.last_applied"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local object_wait = require "kubectl.object_wait"
local prune = require "kubectl.prune"
local removal = require "kubectl.removal"
local task = require "task"

local MISSING = "Warning: resource %s is missing the kubectl.kubernetes.io/last-applied-configuration annotation which "
    .. "is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either "
    .. "kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.\n"

local flags = {
    { "server-side", kind = "bool", help = "let the server merge, and own the manifests' fields" },
    { "force-conflicts", kind = "bool", help = "with --server-side: take fields from other managers" },
    { "field-manager", help = 'who owns the fields (default "kubectl", so that both can take turns)' },
    { "overwrite", kind = "bool", default = true, help = "what the manifests say wins over changes by others" },
    { "openapi-patch", kind = "bool", default = true, help = "accepted for kubectl's sake" },
    { "selector", short = "l", help = "only the manifests with these labels" },
    { "subresource", help = "with --server-side: apply to this part of the objects, such as status" },
    { "force", kind = "bool", help = "remove and create anew what cannot be changed" },
    kube_session.dry_run_flag, kube_session.validate_flag,
}
table.move(removal.force_flags, 1, #removal.force_flags, #flags + 1, flags)
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)
table.move(prune.flags, 1, #prune.flags, #flags + 1, flags)

local function without_nulls(value)
    if type(value) ~= "table" then return value end
    for key, item in pairs(value) do
        if item == json.null and type(key) == "string" then value[key] = nil else without_nulls(item) end
    end
    return value
end

local function conflict(problem)
    if fail.kind(problem) ~= "conflict" then return problem end
    return fail.new("kube", problem.message .. "\nPlease review the fields above--they currently have other managers.",
        "--force-conflicts takes them over; or leave them out of the manifest, or give them the value that they have")
end

local function server_side(session, one, options)
    local ok, result = pcall(session.write, session, "PATCH", one.resource, one.namespace, one.object.metadata.name, {
        subresource = options.subresource, body = one.object,
        type = "application/apply-patch+yaml", manager = options.field_manager or "kubectl",
        options = options, query = { force = options.force_conflicts and "true" or "false" },
    })
    if not ok then error(conflict(result), 0) end
    return result, "serverside-applied"
end

local function create(session, one, options, target)
    if options.dry_run == "client" then return target, "created" end
    local ok, result = pcall(session.write, session, "POST", one.resource, one.namespace, nil, {
        body = without_nulls(target), manager = options.field_manager or "kubectl-client-side-apply", options = options,
    })
    if not ok then error(manifests.problem("creating", one.source, result), 0) end
    return result, "created"
end

-- For what cannot be changed: the object goes, and the manifest's takes its place.
local function replace(session, one, options, target)
    local resource, name = one.resource, one.object.metadata.name
    session:write("DELETE", resource, one.namespace, name, { body = removal.delete_options(options) })
    object_wait.until_true(session.client, resource, one.namespace, name,
        task.now() + (options.timeout > 0 and options.timeout or 300), function(object) return not object end)
    return (create(session, one, options, target)), "configured"
end

local function update(session, one, options, target, live)
    if not last_applied.of(live) then
        local name = kube_session.resource_name(one.resource) .. "/" .. one.object.metadata.name
        io.stderr:write(MISSING:format(name))
    end
    local patch, kind = last_applied.patch(one.resource.group, target, live)
    if not patch then return live, "unchanged" end
    if options.dry_run == "client" then return live, "configured" end
    local ok, result = pcall(session.write, session, "PATCH", one.resource, one.namespace, one.object.metadata.name, {
        body = patch, type = kind, manager = options.field_manager or "kubectl-client-side-apply", options = options,
    })
    local status = fail.field(result, "status")
    if not ok and options.force and (status == 409 or status == 422) then
        return replace(session, one, options, target)
    end
    if not ok then error(manifests.problem("applying patch to", one.source, result), 0) end
    return result, "configured"
end

local function apply(session, one, options)
    local meta = one.object.metadata
    if not meta.name and meta.generateName then
        kube_errors.raise(("from %s: cannot use generate name with apply"):format(meta.generateName))
    end
    if not meta.name then kube_errors.raise(("%s: the object has no metadata.name"):format(one.source)) end
    if options.server_side then return server_side(session, one, options) end
    local target = last_applied.remembering(one.object)
    local ok, live = pcall(session.fetch, session, one.resource, one.namespace, meta.name)
    if ok then return update(session, one, options, target, live) end
    if fail.field(live, "status") ~= 404 then error(live, 0) end
    return create(session, one, options, target)
end

-- What flags cannot be together, in the order in which kubectl looks.
local function check(options, strategy)
    local server_side_apply, forced = options.server_side, options.force
    kube_errors.raise_first {
        { options.force_conflicts and not server_side_apply, "--force-conflicts only works with --server-side" },
        { strategy == "client" and server_side_apply,
            "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)" },
        { server_side_apply and forced, "--force cannot be used with --server-side" },
        { strategy == "server" and forced, "--dry-run=server cannot be used with --force" },
        { options.all and options.selector, "cannot set --all and --selector at the same time" },
        { options.prune and forced, "--force cannot be used with --prune" },
        { options.prune and not options.all and not options.selector, "all resources selected for prune without "
            .. "explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune "
            .. "all resources, specify a label selector" },
        { options.prune and server_side_apply,
            "--prune is in alpha and doesn't currently work on objects created by server-side apply" },
        { options.subresource and not server_side_apply, "--subresource can only be specified for --server-side" },
    }
    removal.check_cascade(options)
    kube_session.validation(options.validate)
    if forced and options.grace_period < 0 then options.grace_period = 0 end
    if options.selector == "" then options.selector = nil end
end

-- The manifests that the selector leaves.
local function chosen(session, options)
    local left = manifests.selected(manifests.read(session, { filename = options.filename,
        recursive = options.recursive, validate = options.validate, verb = "apply" }), options.selector)
    if #left == 0 then kube_errors.raise("no objects passed to apply") end
    return left
end

-- Applies, prunes and prints a line for each; returns what went wrong, and the objects as they are now.
local function apply_all(session, options, suffix)
    local kinds = options.prune and prune.kinds(session, options)
    local problems, results = {}, json.list {}
    local visited = { uids = {}, namespaces = {} }
    if session.explicit_namespace then visited.namespaces[session.namespace] = true end
    local function show(object, operation)
        results[#results + 1] = object
        local name = object_printer.name(object)
        if options.output == "name" then io.write(name, "\n")
        elseif not object_printer.wanted(options) then io.write(name, " ", operation, suffix, "\n") end
    end
    for _, one in ipairs(chosen(session, options)) do
        if one.namespace then visited.namespaces[one.namespace] = true end
        local ok, object, operation = pcall(apply, session, one, options)
        if ok then
            object.apiVersion, object.kind = one.object.apiVersion, one.object.kind
            visited.uids[object.metadata.uid or ""] = true
            show(object, operation)
        else
            problems[#problems + 1] = object
        end
    end
    if kinds and #problems == 0 then
        local ok, problem = pcall(prune.run, session, kinds, visited, options, function(object)
            show(object, "pruned")
        end)
        if not ok then problems[1] = problem end
    end
    return problems, results
end

return {
    summary = "make objects as the manifests say",
    usage = "-f FILE [flags]",
    examples = { "todo-lua kube apply -f chart.yaml",
        "todo-lua kube apply -f manifests/ --server-side --dry-run=server",
        "todo-lua kube apply -f manifests/ --prune -l app=web" },
    flags = flags,
    commands = require "kubectl.applied".commands,
    run = function(session, options, words)
        if #words > 0 then kube_errors.raise(("Unexpected args: [%s]"):format(table.concat(words, " "))) end
        if #(options.filename or {}) == 0 then
            kube_errors.raise("must specify one of -f and -k", "name the manifests: -f FILE")
        end
        local strategy, suffix = kube_session.dry_run(options)
        check(options, strategy)
        local problems, results = apply_all(session, options, suffix)
        if object_printer.wanted(options) and options.output ~= "name" and #results > 0 then
            io.write(object_printer.new(options)(#results == 1 and results[1]
                or { apiVersion = "v1", kind = "List", metadata = {}, items = results }))
        end
        kube_errors.raise_all(problems)
    end,
}
