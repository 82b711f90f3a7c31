-- todo-lua kube apply: makes the cluster's objects as the manifests say. Like kubectl it remembers what it applied in
-- an annotation (client-side apply); --server-side leaves the merging to the server.
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local last_applied = require "kubectl.last_applied"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"

local MISSING = "Warning: resource %s is missing the kubectl.kubernetes.io/last-applied-configuration annotation which "
    .. "is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either "
    .. "kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.\n"

local flags = {
    { "server-side", kind = "bool", help = "let the server merge, and own the manifests' fields" },
    { "force-conflicts", kind = "bool", help = "with --server-side: take fields from other managers" },
    { "field-manager", help = 'who owns the fields (default "kubectl", so that both can take turns)' },
    { "overwrite", kind = "bool", default = true, help = "what the manifests say wins over changes by others" },
    kube_session.dry_run_flag, kube_session.validate_flag,
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

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
        body = one.object, type = "application/apply-patch+yaml", manager = options.field_manager or "kubectl",
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

local function update(session, one, options, target, live)
    if not last_applied.of(live) then
        local name = one.resource.plural .. (one.resource.group ~= "" and "." .. one.resource.group or "") .. "/"
            .. one.object.metadata.name
        io.stderr:write(MISSING:format(name))
    end
    local patch, kind = last_applied.patch(one.resource.group, target, live)
    if not patch then return live, "unchanged" end
    if options.dry_run == "client" then return live, "configured" end
    local ok, result = pcall(session.write, session, "PATCH", one.resource, one.namespace, one.object.metadata.name, {
        body = patch, type = kind, manager = options.field_manager or "kubectl-client-side-apply", options = options,
    })
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

return {
    summary = "make objects as the manifests say",
    usage = "-f FILE [flags]",
    examples = { "todo-lua kube apply -f chart.yaml",
        "todo-lua kube apply -f manifests/ --server-side --dry-run=server" },
    flags = flags,
    run = function(session, options, words)
        if #words > 0 then kube_errors.raise(("Unexpected args: [%s]"):format(table.concat(words, " "))) end
        if #(options.filename or {}) == 0 then
            kube_errors.raise("must specify one of -f and -k", "name the manifests: -f FILE")
        end
        local strategy, suffix = kube_session.dry_run(options)
        if options.server_side and strategy == "client" then
            kube_errors.raise("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server "
                .. "instead?)")
        end
        if options.force_conflicts and not options.server_side then
            kube_errors.raise("--force-conflicts only works with --server-side")
        end
        local whole = object_printer.wanted(options) and options.output ~= "name"
        local problems, results = {}, json.list {}
        for _, one in ipairs(manifests.read(session, options)) do
            local ok, object, operation = pcall(apply, session, one, options)
            if not ok then
                problems[#problems + 1] = object
            else
                object.apiVersion, object.kind = one.object.apiVersion, one.object.kind
                results[#results + 1] = object
                local name = object_printer.name(object)
                if options.output == "name" then io.write(name, "\n")
                elseif not whole then io.write(name, " ", operation, suffix, "\n") end
            end
        end
        if whole and #results > 0 then
            io.write(object_printer.new(options)(#results == 1 and results[1]
                or { apiVersion = "v1", kind = "List", metadata = {}, items = results }))
        end
        kube_errors.raise_all(problems)
    end,
}
