-- What kube label and annotate share: KEY=VALUE and KEY- behind the objects' names, and the patch of their metadata.
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"

local metadata_change = {}

---@class todo.MetadataKind
---@field word string "label"
---@field field string "labels"
---@field parse fun(pairs: string[]): table<string, string>, string[] what to set and what to remove
---@field refuse fun(old: table<string, string>, new: table<string, string>): string? why nothing may be overwritten
---@field tell fun(added: integer, removed: integer): string the operation that is printed
---@field missing boolean? say which keys to remove are not there

---@param kind todo.MetadataKind
---@return todo.Flag[]
function metadata_change.flags(kind)
    local flags = {
        { "all", kind = "bool", help = "all objects of the type" },
        { "all-namespaces", short = "A", kind = "bool", help = "objects of all namespaces" },
        { "selector", short = "l", help = "label selector" },
        { "field-selector", help = "field selector" },
        { "overwrite", kind = "bool", help = "change what has another value already" },
        { "list", kind = "bool", help = ("show the %s of the objects, too"):format(kind.field) },
        { "resource-version", help = "only if the object has this version still; for one object" },
        resource_args.local_flag,
        { "field-manager", default = "kubectl-" .. kind.word, help = "who owns the fields" },
        kube_session.dry_run_flag,
    }
    table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
    return table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)
end

local function check(options, kind, resources, new, remove)
    if kind.word == "label" and options.list and (options.output or "") ~= "" then
        kube_errors.raise("--list and --output may not be specified together")
    end
    for _, flag in ipairs { "selector", "field_selector" } do
        if options.all and options[flag] then
            kube_errors.raise(("cannot set --all and --%s at the same time"):format((flag:gsub("_", "-"))))
        end
    end
    if #resources == 0 and #(options.filename or {}) == 0 then
        kube_errors.raise("one or more resources must be specified as <resource> <name> or <resource>/<name>",
            "usage: TYPE NAME KEY=VALUE… KEY-…")
    end
    if not next(new) and #remove == 0 and not options.list then
        kube_errors.raise(("at least one %s update is required"):format(kind.word),
            "KEY=VALUE sets one, KEY- removes it")
    end
end

-- Changes the object here; returns the merge patch that does it on the server, and what it adds and removes.
local function change(object, kind, options, new, remove)
    local old = object.metadata[kind.field] or {}
    local problem = not options.overwrite and kind.refuse(old, new)
    if problem then kube_errors.raise(problem) end
    local values, patch, added, removed = tables.copy(old), {}, 0, 0
    for key, value in pairs(new) do
        if values[key] ~= value then patch[key], values[key], added = value, value, added + 1 end
    end
    for _, key in ipairs(remove) do
        if values[key] ~= nil then patch[key], values[key], removed = json.null, nil, removed + 1 end
    end
    object.metadata[kind.field] = values
    return { metadata = { [kind.field] = next(patch) and patch, resourceVersion = options.resource_version } },
        added, removed
end

local function list(object, kind, single)
    if not single then
        local group = object.apiVersion:match("^([^/]+)/") or ""
        io.write(("Listing %s for %s.%s/%s:\n"):format(kind.field, object.kind, group, object.metadata.name))
    end
    local values = object.metadata[kind.field] or {}
    for _, key in ipairs(tables.keys(values)) do io.write(single and "" or " ", key, "=", values[key], "\n") end
end

local function one(session, found, kind, options, how)
    local object, resource = found.object, found.resource
    local here = how.strategy == "client" or options.local_ or options.list
    for _, key in ipairs(kind.missing and not here and how.remove or {}) do
        if not (object.metadata[kind.field] or {})[key] then io.write(("label %q not found.\n"):format(key)) end
    end
    local patch, added, removed = change(object, kind, options, how.new, how.remove)
    if options.list then return list(object, kind, how.single) end
    if not here and (added + removed > 0 or not kind.missing) then
        local answer = session:write("PATCH", resource, object.metadata.namespace, object.metadata.name, { body = patch,
            type = "application/merge-patch+json", manager = options.field_manager, options = options })
        if not kind.missing then
            answer.apiVersion, answer.kind = object.apiVersion, object.kind
            object = answer
        end
    end
    how.report(object, kind.tell(added, removed) .. how.suffix)
end

---Runs the command.
---@async
---@param kind todo.MetadataKind
---@param session todo.KubeSession
---@param options table
---@param words string[]
function metadata_change.run(kind, session, options, words)
    local how = {}
    how.strategy, how.suffix = kube_session.dry_run(options)
    local resources, given = resource_args.with_changes(words, { ".=", ".%-$" }, kind.word)
    how.new, how.remove = kind.parse(given)
    if options.local_ and how.strategy == "server" then
        kube_errors.raise("cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
    end
    check(options, kind, resources, how.new, how.remove)
    how.report = object_printer.reporter(options)
    local found, problems
    found, problems, how.single = resource_args.find(session, resources, options)
    if options.resource_version and not how.single then
        kube_errors.raise("--resource-version may only be used with a single resource")
    end
    for _, target in ipairs(found) do
        local ok, problem = pcall(one, session, target, kind, options, how)
        if not ok then problems[#problems + 1] = problem end
        if fail.kind(problem) == "read_only" then break end
    end
    kube_errors.raise_all(problems)
end

return metadata_change
