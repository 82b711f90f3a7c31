-- todo-lua kube patch: changes some fields of objects.
local fs = require "fs"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local local_patch = require "kubectl.local_patch"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"
local yaml = require "yaml"

local types = {
    strategic = "application/strategic-merge-patch+json", merge = "application/merge-patch+json",
    json = "application/json-patch+json",
}

local flags = {
    { "patch", short = "p", help = "the patch, as JSON or YAML" },
    { "patch-file", help = "file with the patch" },
    { "type", default = "strategic", help = "what the patch is: json, merge or strategic" },
    { "subresource", help = "patch that part: status, scale" },
    { "field-manager", default = "kubectl-patch", help = "who owns the fields" },
    resource_args.local_flag, kube_session.dry_run_flag,
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

local function patch_of(options)
    if (options.patch ~= nil) == (options.patch_file ~= nil) then
        kube_errors.raise("must specify --patch or --patch-file containing the contents of the patch")
    end
    if not types[options.type] then
        kube_errors.raise(("--type must be one of [json merge strategic], not %q"):format(options.type))
    end
    local text = options.patch or fs.read(options.patch_file)
    if not text then kube_errors.raise(("unable to read patch file: open %s: no such file or directory"):format(
        options.patch_file)) end
    local ok, patch = pcall(yaml.decode, text, { name = "patch" })
    if not ok then kube_errors.raise(("unable to parse %q: %s"):format(text, patch.message)) end
    return patch
end

-- The object as the patch would leave it, without the server.
local function patched(object, patch, options)
    return local_patch[options.type](tables.copy(object), patch)
end

return {
    summary = "change fields of objects",
    usage = "TYPE NAME | TYPE/NAME | -f FILE -p PATCH [flags]",
    examples = { [[todo-lua kube patch deploy backend -p '{"spec":{"replicas":2}}']] },
    flags = flags,
    run = function(session, options, words)
        local strategy = kube_session.dry_run(options)
        local patch = patch_of(options)
        local found, problems = resource_args.find(session, words, options)
        local print = object_printer.wanted(options) and object_printer.new(options)
        for _, one in ipairs(found) do
            local before, meta = one.object, one.object.metadata
            local ok, after
            if options.local_ or strategy == "client" then
                ok, after = pcall(patched, before, patch, options)
            else
                ok, after = pcall(session.write, session, "PATCH", one.resource, meta.namespace, meta.name, {
                    body = patch, type = types[options.type], subresource = options.subresource, options = options,
                    manager = options.field_manager })
            end
            if not ok then
                problems[#problems + 1] = after
            elseif print then
                io.write(print(after))
            else
                local same = tables.equal(before, after)
                io.write(object_printer.name(before), " patched", same and " (no change)" or "", "\n")
            end
        end
        kube_errors.raise_all(problems)
    end,
}
