-- todo-lua kube scale: how many pods a workload has.
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local task = require "task"

local POLL_SECONDS = 0.5

local flags = {
    { "replicas", kind = "int", help = "how many" },
    { "current-replicas", kind = "int", default = -1, help = "only where there are so many now" },
    { "resource-version", help = "only where the object has this version" },
    { "selector", short = "l", help = "label selector" },
    { "all", kind = "bool", help = "all objects of the type" },
    { "timeout", kind = "duration", default = 0, help = "wait so long for the pods (0: do not wait)" },
    kube_session.dry_run_flag,
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

local function check(scale, options)
    local now = (scale.spec or {}).replicas or 0
    if options.current_replicas >= 0 and now ~= options.current_replicas then
        kube_errors.raise(("Expected replicas to be %d, was %d"):format(options.current_replicas, now))
    end
    local version = options.resource_version
    if version and scale.metadata.resourceVersion ~= version then
        kube_errors.raise(("Expected resource version to be %s, was %s"):format(version,
            scale.metadata.resourceVersion))
    end
end

local function wait(session, one, options)
    local deadline = task.now() + options.timeout
    local meta = one.object.metadata
    while true do
        local scale = session:fetch(one.resource, meta.namespace, meta.name, "scale")
        if (scale.status or {}).replicas == options.replicas then return end
        if task.now() >= deadline then kube_errors.raise("timed out waiting for the condition") end
        task.sleep(POLL_SECONDS)
    end
end

local function scale(session, one, options)
    local meta = one.object.metadata
    if options.current_replicas >= 0 or options.resource_version then
        check(session:fetch(one.resource, meta.namespace, meta.name, "scale"), options)
    end
    local result = session:write("PATCH", one.resource, meta.namespace, meta.name, { subresource = "scale",
        body = { spec = { replicas = options.replicas } }, type = "application/merge-patch+json",
        manager = "kubectl", options = options })
    if options.timeout > 0 and options.dry_run == "none" then wait(session, one, options) end
    return result
end

return {
    summary = "set how many pods a workload has",
    usage = "--replicas=N TYPE NAME | TYPE/NAME… | -f FILE [flags]",
    examples = { "todo-lua kube scale --replicas=3 deploy/backend" },
    flags = flags,
    run = function(session, options, words)
        if not options.replicas then kube_errors.raise('required flag(s) "replicas" not set') end
        if options.replicas < 0 then
            kube_errors.raise("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
        end
        local strategy, suffix = kube_session.dry_run(options)
        local found, problems = resource_args.find(session, words, options)
        local print = object_printer.wanted(options) and object_printer.new(options)
        for _, one in ipairs(found) do
            local ok, problem = true, nil
            if strategy ~= "client" then ok, problem = pcall(scale, session, one, options) end
            if not ok then
                problems[#problems + 1] = problem
            elseif print then
                local meta = one.object.metadata
                local shown = strategy == "none" and session:fetch(one.resource, meta.namespace, meta.name)
                    or one.object
                io.write(print(shown))
            else
                io.write(object_printer.name(one.object), " scaled", suffix, "\n")
            end
        end
        kube_errors.raise_all(problems)
    end,
}
