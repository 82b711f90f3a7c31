-- todo-lua kube diff: what apply would change, as the server would have it. Exit status 1 where there is a difference.
local diff = require "diff"
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local last_applied = require "kubectl.last_applied"
local manifests = require "kubectl.manifests"
local tables = require "tables"
local yaml = require "yaml"

local flags = {
    { "server-side", kind = "bool", help = "as apply --server-side would" },
    { "force-conflicts", kind = "bool", help = "with --server-side: take fields from other managers" },
    { "field-manager", help = "who would own the fields" },
    { "show-managed-fields", kind = "bool", help = "compare metadata.managedFields, too" },
    { "context-lines", kind = "int", default = 3, help = "unchanged lines around each change" },
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)

local DRY = { dry_run = "server" }

-- What the object would become; nothing is changed.
local function merged(session, one, live, options)
    local name = one.object.metadata.name
    if options.server_side then
        return session:write("PATCH", one.resource, one.namespace, name, { body = one.object, options = DRY,
            type = "application/apply-patch+yaml", manager = options.field_manager or "kubectl",
            query = { force = options.force_conflicts and "true" or "false" } })
    end
    local target = last_applied.remembering(one.object)
    local manager = options.field_manager or "kubectl-client-side-apply"
    if not live then
        return session:write("POST", one.resource, one.namespace, nil, { body = target, options = DRY,
            manager = manager })
    end
    local patch, kind = last_applied.patch(one.resource.group, target, live)
    if not patch then return live end
    return session:write("PATCH", one.resource, one.namespace, name, { body = patch, type = kind, options = DRY,
        manager = manager })
end

local function as_text(object, options)
    if not object then return "" end
    local copy = tables.copy(object)
    if not options.show_managed_fields then copy.metadata.managedFields = nil end
    local annotations = copy.metadata.annotations
    if annotations then
        annotations["kubectl.kubernetes.io/last-applied-configuration"] = nil
        if next(annotations) == nil then copy.metadata.annotations = nil end
    end
    return yaml.encode(copy, { sort = true })
end

-- A file's name as kubectl makes it: "apps.v1.Deployment.shop.web".
local function label_of(one)
    local parts = { one.resource.version, one.resource.kind, one.namespace or "", one.object.metadata.name }
    if one.resource.group ~= "" then table.insert(parts, 1, one.resource.group) end
    return table.concat(parts, ".")
end

local function compare(session, one, options)
    local ok, live = pcall(session.fetch, session, one.resource, one.namespace, one.object.metadata.name)
    if not ok and fail.field(live, "status") ~= 404 then error(live, 0) end
    live = ok and live or nil
    local new = merged(session, one, live, options)
    if one.resource.kind == "Secret" then live, new = diff.mask(live, new) end
    local label = label_of(one)
    return diff.unified(as_text(live, options), as_text(new, options), { from = "LIVE/" .. label,
        to = "MERGED/" .. label, context = options.context_lines })
end

return {
    summary = "show what apply would change",
    usage = "-f FILE [flags]",
    arguments = { max = 0 },
    examples = { "todo-lua kube diff -f manifests/" },
    flags = flags,
    run = function(session, options)
        local function failed(problem)
            local raised = fail.new("kube", kube_errors.text(problem), nil, { verbatim = true, exit_status = 2 })
            error(raised, 0)
        end
        if #(options.filename or {}) == 0 then
            kube_errors.raise("must specify one of -f and -k", "name the manifests: -f FILE")
        end
        local ok, objects = pcall(manifests.read, session, options)
        if not ok then failed(objects) end
        table.sort(objects, function(a, b) return label_of(a) < label_of(b) end)
        local differs = false
        for _, one in ipairs(objects) do
            local done, text = pcall(compare, session, one, options)
            if not done then failed(text) end
            differs = differs or text ~= ""
            if text ~= "" then io.write(("diff -u -N LIVE/%s MERGED/%s\n"):format(label_of(one), label_of(one)),
                text) end
        end
        return differs and 1 or 0
    end,
}
