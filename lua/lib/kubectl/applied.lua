-- kube apply view-, set- and edit-last-applied: what an object's annotation remembers of the last apply.
local editor = require "kubectl.editor"
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local last_applied = require "kubectl.last_applied"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"
local yaml = require "yaml"

local applied = {}

local HINT = "todo-lua kube apply set-last-applied --create-annotation -f FILE makes it"

local function view(session, options, words)
    local format = options.output
    if format ~= "yaml" and format ~= "json" then
        kube_errors.raise(("Unexpected -o output mode: %s, the flag 'output' must be one of yaml|json"):format(format))
    end
    for _, one in ipairs(resource_args.find_all(session, words, options)) do
        local object = last_applied.of(one.object)
        if not object then -- no failure to kubectl
            io.stderr:write(("no last-applied-configuration annotation found on resource: %s\n  %s\n"):format(
                one.object.metadata.name, HINT))
        elseif format == "yaml" then
            io.write(yaml.encode(object, { sort = true }))
        else
            io.write(json.encode(object, { indent = "  ", sort = true }), "\n")
        end
    end
end

-- The same manifest, whatever annotation it carries itself.
local function bare(manifest)
    local copy = tables.copy(manifest)
    if copy.metadata.annotations then copy.metadata.annotations[last_applied.ANNOTATION] = nil end
    return copy
end

-- The patch that has an object remember this manifest.
local function patch_of(manifest)
    local text = json.encode(bare(manifest), { sort = true, html = true }) .. "\n"
    return { metadata = { annotations = { [last_applied.ANNOTATION] = text } } }
end

local function send(session, one, manifest, options)
    local meta = one.object.metadata
    return session:write("PATCH", one.resource, one.namespace, meta.name, { body = patch_of(manifest),
        type = "application/merge-patch+json", manager = options.field_manager or "kubectl", options = options })
end

local function set(session, options)
    local strategy, suffix = kube_session.dry_run(options)
    if #(options.filename or {}) == 0 then kube_errors.raise("must specify one of -f and -k") end
    local report = object_printer.reporter(options)
    local changes = {}
    for _, one in ipairs(manifests.read(session, options)) do
        local live = session:fetch(one.resource, one.namespace, one.object.metadata.name)
        local before = last_applied.of(live)
        if not before and not options.create_annotation then
            kube_errors.raise(("no last-applied-configuration annotation found on resource: %s, to create the "
                .. "annotation, run the command with --create-annotation"):format(live.metadata.name))
        end
        if before and tables.equal(bare(before), bare(one.object)) then
            io.write(("set-last-applied %s: no changes required.\n"):format(live.metadata.name))
        else
            changes[#changes + 1] = { one, live }
        end
    end
    for _, change in ipairs(changes) do
        local one, object = change[1], change[2]
        if strategy ~= "client" then object = send(session, one, one.object, options) end
        object.apiVersion, object.kind = one.object.apiVersion, one.object.kind
        report(object, "configured" .. suffix)
    end
end

-- Which of the objects an edited manifest speaks of.
local function original_of(all, manifest)
    local meta = manifest.metadata or {}
    for _, one in ipairs(all) do
        if one.manifest.kind == manifest.kind and one.manifest.metadata.name == meta.name
            and one.manifest.metadata.namespace == meta.namespace then return one end
    end
    kube_errors.raise("At least one of apiVersion, kind and name was changed")
end

local function edit(session, options, words)
    local format = (options.output or "") == "" and "yaml" or options.output
    local all, objects = {}, {}
    for _, one in ipairs(resource_args.find_all(session, words, options)) do
        local manifest = last_applied.of(one.object)
        if manifest then
            all[#all + 1] = { resource = one.resource, object = one.object, manifest = manifest,
                namespace = one.object.metadata.namespace }
            objects[#objects + 1] = manifest
        end
    end
    if #all == 0 then
        kube_errors.raise("no last-applied-configuration annotation found on resources, to create the annotation, use "
            .. "command `todo-lua kube apply set-last-applied --create-annotation`")
    end
    return editor.run { objects = objects, format = format, head = "# Edit what was applied last. Lines that begin "
        .. 'with "#" are ignored; an empty file ends the edit.\n#', accept = function(edited)
        for _, manifest in ipairs(edited) do
            local one = original_of(all, manifest)
            local name = object_printer.name(manifest)
            if tables.equal(manifest, one.manifest) then
                io.write(name, " skipped\n")
            else
                local ok, problem = pcall(send, session, one, manifest, options)
                if not ok then fail.raise("kube", kube_errors.text(problem), nil, { verbatim = true }) end
                io.write(name, " edited\n")
            end
        end
        return { reasons = {} }
    end }
end

local function with(...)
    local flags = {}
    for _, list in ipairs { ... } do table.move(list, 1, #list, #flags + 1, flags) end
    return flags
end

local manager = { "field-manager", default = "kubectl-client-side-apply", help = "who owns the fields" }

applied.commands = {
    ["view-last-applied"] = { summary = "show what was applied last", run = view,
        usage = "TYPE NAME | TYPE/NAME | -f FILE [flags]", flags = with(manifests.flags, {
            { "output", short = "o", default = "yaml", help = "yaml or json" },
            { "all", kind = "bool", help = "all objects of the type" },
            { "selector", short = "l", help = "label selector" } }) },
    ["set-last-applied"] = { summary = "have objects remember manifests as applied last", run = set,
        usage = "-f FILE [flags]", arguments = { max = 0 }, flags = with(manifests.flags, object_printer.flags, {
            { "create-annotation", kind = "bool", help = "also for objects that remember nothing" },
            kube_session.dry_run_flag }) },
    ["edit-last-applied"] = { summary = "edit what was applied last", run = edit,
        usage = "TYPE NAME | TYPE/NAME | -f FILE [flags]", flags = with(manifests.flags, editor.flags, { manager,
            kube_session.validate_flag }) },
}

return applied
