-- todo-lua kube delete: removes objects, and waits until they are gone.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local raw = require "kubectl.raw"
local removal = require "kubectl.removal"
local resource_args = require "kubectl.resource_args"
local task = require "task"

local A_WEEK = 168 * 3600

local flags = {
    { "all", kind = "bool", help = "all objects of the type" },
    { "all-namespaces", short = "A", kind = "bool", help = "objects of all namespaces" },
    { "selector", short = "l", help = "label selector" },
    { "field-selector", help = "field selector" },
    { "ignore-not-found", kind = "bool", help = "an object that does not exist is no error" },
    { "cascade", optional = "background", default = "background",
        help = "what belongs to the object goes in the background, first (foreground), or stays (orphan)" },
    { "grace-period", kind = "int", default = -1, help = "seconds that the object has to end (-1: its own)" },
    { "force", kind = "bool", help = "do not wait for a confirmation that it has ended" },
    { "interactive", short = "i", kind = "bool", help = "show what would be removed, and ask" },
    { "now", kind = "bool", help = "as --grace-period=1" },
    { "wait", kind = "bool", default = true, help = "wait until the objects are gone" },
    { "timeout", kind = "duration", default = 0, help = "wait at most so long (0: a week)" },
    { "output", short = "o", help = '"name" prints the names only' },
    { "raw", help = "DELETE this path, with the file of -f as its body, and print the answer" },
    kube_session.dry_run_flag,
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)

local function prepare(options)
    if options.output and options.output ~= "" and options.output ~= "name" then
        kube_errors.raise(('unexpected -o output mode: %s. We only support \'-o name\''):format(options.output))
    end
    removal.check_cascade(options)
    if options.all and options.selector then
        kube_errors.raise("cannot set --all and --selector at the same time")
    end
    if options.now and options.grace_period ~= -1 then
        kube_errors.raise("--now and --grace-period cannot be specified together")
    end
    if options.now then options.grace_period = 1 end
    if options.grace_period == 0 and not options.force then options.grace_period = 1 end
    if options.force and options.grace_period < 0 then options.grace_period = 0 end
    if options.force then
        io.stderr:write("Warning: Immediate deletion does not wait for confirmation that the running resource has been "
            .. "terminated. The resource may continue to run on the cluster indefinitely.\n")
    end
end

-- What is to be deleted: each { resource, namespace, name, source }. Nothing named by its name is fetched first.
local function targets_of(session, words, options)
    local targets = {}
    local selecting = options.selector or options.field_selector or options.all
    local named = resource_args.targets(session, words, { all_namespaces = options.all_namespaces,
        filename = options.filename, recursive = options.recursive, none = true, selector = selecting and true })
    for _, target in ipairs(named) do
        if target.name then
            targets[#targets + 1] = target
        else
            local list = session.client:list(kube_session.kind(target.resource), { namespace = target.namespace,
                all_namespaces = options.all_namespaces, labels = options.selector, fields = options.field_selector })
            for _, object in ipairs(list) do
                targets[#targets + 1] = { resource = target.resource, namespace = object.metadata.namespace,
                    name = object.metadata.name }
            end
        end
    end
    return targets
end

-- Shows the targets, and asks; only a "y" goes on. What is named is not looked for first, as kubectl does not.
local function confirmed(targets)
    local names = {}
    for i, target in ipairs(targets) do names[i] = removal.name(target) end
    if #names == 0 then
        io.write("No resources found\n")
        return false
    end
    io.write(("You are about to delete the following %d resource(s):\n%s\nDo you want to continue? (y/N): "):format(
        #names, table.concat(names, "\n")))
    io.stdout:flush()
    local answer = (io.stdin:read("l") or ""):match("%S+")
    if answer and answer:lower() == "y" then return true end
    io.write("deletion is cancelled\n")
    return false
end

return {
    summary = "remove objects",
    usage = "TYPE NAME… | TYPE/NAME… | TYPE -l SELECTOR | TYPE --all | -f FILE [flags]",
    examples = { "todo-lua kube delete pod backend-7d4b9-x2x",
        "todo-lua kube delete -f manifests/ --ignore-not-found" },
    flags = flags,
    run = function(session, options, words, seen)
        if options.raw then return raw.send(session, "DELETE", options, words) end
        prepare(options)
        local strategy, suffix = kube_session.dry_run(options)
        if not seen.ignore_not_found and (options.all or options.selector or options.field_selector) then
            options.ignore_not_found = true
        end
        local targets = targets_of(session, words, options)
        if options.interactive and not confirmed(targets) then return end
        local problems, deleted = {}, {}
        for _, target in ipairs(targets) do
            local ok, uid = true, nil
            if strategy ~= "client" then ok, uid = pcall(removal.delete, session, target, options) end
            if ok then
                removal.show(target, options, suffix)
                deleted[#deleted + 1] = { target, uid }
            elseif not (options.ignore_not_found and fail.field(uid, "status") == 404) then
                problems[#problems + 1] = uid
            end
        end
        kube_errors.raise_all(problems)
        if #targets == 0 then io.write("No resources found\n") end
        if not options.wait or strategy ~= "none" then return end
        io.stdout:flush()
        local deadline = task.now() + (options.timeout > 0 and options.timeout or A_WEEK)
        for _, one in ipairs(deleted) do removal.wait(session, one[1], one[2], deadline) end
    end,
}
