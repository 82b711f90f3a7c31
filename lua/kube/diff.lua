-- todo-lua kube diff: what apply would change, as the server would have it. Exit status 1 where there is a difference.
local diff = require "diff"
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local last_applied = require "kubectl.last_applied"
local manifests = require "kubectl.manifests"
local prune = require "kubectl.prune"
local tables = require "tables"
local yaml = require "yaml"

local flags = {
    { "server-side", kind = "bool", help = "as apply --server-side would" },
    { "force-conflicts", kind = "bool", help = "with --server-side: take fields from other managers" },
    { "field-manager", help = "who would own the fields" },
    { "show-managed-fields", kind = "bool", help = "compare metadata.managedFields, too" },
    { "show-secrets", kind = "bool", help = "do not mask the values of Secrets" },
    { "selector", short = "l", help = "only the manifests with these labels" },
    { "prune", kind = "bool", help = "show what apply --prune would remove, too" },
    { "prune-allowlist", kind = "stringArray",
        help = "GROUP/VERSION/KIND that may be pruned, in place of the usual kinds; may be repeated" },
    { "concurrency", kind = "int", default = 1, help = "accepted for kubectl's sake" },
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
local function label_of(resource, namespace, name)
    local parts = { resource.version, resource.kind, namespace or "", name }
    if resource.group ~= "" then table.insert(parts, 1, resource.group) end
    return table.concat(parts, ".")
end

-- The difference of one object; live and new may be nil.
local function text_of(label, live, new, options)
    if (live or new).kind == "Secret" and not options.show_secrets then live, new = diff.mask(live, new) end
    local text = diff.unified(as_text(live, options), as_text(new, options), { from = "LIVE/" .. label,
        to = "MERGED/" .. label, context = options.context_lines })
    return text ~= "" and ("diff -u -N LIVE/%s MERGED/%s\n%s"):format(label, label, text) or nil
end

local function compare(session, one, options, visited)
    local name = one.object.metadata.name
    local ok, live = pcall(session.fetch, session, one.resource, one.namespace, name)
    if not ok and fail.field(live, "status") ~= 404 then error(live, 0) end
    live = ok and live or nil
    if live then visited.uids[live.metadata.uid] = true end
    if one.namespace then visited.namespaces[one.namespace] = true end
    local label = label_of(one.resource, one.namespace, name)
    return label, text_of(label, live, merged(session, one, live, options), options)
end

-- The differences by the names under which they are shown.
local function differences(session, options)
    local texts, visited = {}, { uids = {}, namespaces = {} }
    local kinds = options.prune and prune.kinds(session, options)
    for _, one in ipairs(manifests.selected(manifests.read(session, options), options.selector)) do
        local label, text = compare(session, one, options, visited)
        texts[label] = text
    end
    if not kinds then return texts end
    if not options.prune_allowlist then
        kinds = tables.filter(kinds, function(resource) return resource.namespaced end)
    end
    prune.each(session, kinds, visited, options.selector, function(object, resource, namespace)
        local label = label_of(resource, namespace, object.metadata.name)
        texts[label] = text_of(label, object, nil, options)
    end)
    return texts
end

return {
    summary = "show what apply would change",
    usage = "-f FILE [flags]",
    arguments = { max = 0 },
    examples = { "todo-lua kube diff -f manifests/" },
    flags = flags,
    run = function(session, options)
        if #(options.filename or {}) == 0 then
            fail.raise("kube", "must specify one of -f and -k", "name the manifests: -f FILE", { exit_status = 2 })
        end
        local ok, texts = pcall(differences, session, options)
        if not ok then
            fail.raise("kube", kube_errors.text(texts), nil, { verbatim = true, exit_status = 2 })
        end
        for _, label in ipairs(tables.keys(texts)) do io.write(texts[label]) end
        return next(texts) and 1 or 0
    end,
}
