-- todo-lua kube rollout: how the pods of a workload are replaced, and its past.
local format = require "format"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local object_wait = require "kubectl.object_wait"
local pods = require "kubectl.describe.pods"
local proc = require "proc"
local resource_args = require "kubectl.resource_args"
local revisions = require "kubectl.revisions"
local rollout = require "rollout"
local rollout_status = require "kubectl.rollout_status"
local tables = require "tables"
local tabwriter = require "tabwriter"
local task = require "task"

local A_WEEK = 168 * 3600
local STRATEGIC = "application/strategic-merge-patch+json"

local function with_flags(own)
    local all = table.move(manifests.flags, 1, #manifests.flags, 1, {})
    all[#all + 1] = { "selector", short = "l", help = "label selector" }
    return table.move(own, 1, #own, #all + 1, all)
end

-- The workloads that the words name, one after the other; fn(one) may raise.
local function each(session, words, options, fn)
    if #words == 0 and #(options.filename or {}) == 0 then
        kube_errors.raise("required resource not specified", "name a workload: deployment/NAME, or a file with -f")
    end
    options.whole = true
    local found, problems = resource_args.find(session, words, options)
    for _, one in ipairs(found) do
        local ok, problem = pcall(fn, one)
        if not ok then problems[#problems + 1] = problem end
    end
    kube_errors.raise_all(problems)
    if #found == 0 then io.stderr:write(("No resources found in %s namespace.\n"):format(session.namespace)) end
end

local function status(session, options, words)
    each(session, words, options, function(one)
        local meta = one.object.metadata
        local deadline, existed = task.now() + (options.timeout > 0 and options.timeout or A_WEEK), false
        object_wait.until_true(session.client, one.resource, meta.namespace, meta.name, deadline, function(object)
            if not object and existed then kube_errors.raise("object has been deleted") end
            if not object then return false end
            existed = true
            local text, done = rollout_status.of(object, options.revision)
            io.write(text, "\n")
            io.stdout:flush()
            return done or not options.watch
        end)
    end)
end

-- Patches a workload and prints what was done to it; a nil patch means that there is nothing to do.
local function change(session, one, options, patch, done, manager)
    local meta = one.object.metadata
    local result = session:write("PATCH", one.resource, meta.namespace, meta.name, { body = patch, type = STRATEGIC,
        manager = options.field_manager or manager, options = options })
    result.apiVersion, result.kind = one.object.apiVersion, one.object.kind
    object_printer.reporter(options)(result, done)
end

local function restart(session, options, words)
    each(session, words, options, function(one)
        local object = one.object
        if not tables.at(object, "spec.template") or object.kind == "ReplicaSet" or object.kind == "Job" then
            kube_errors.raise(("%s %q restarting is not supported"):format(kube_session.resource_name(one.resource),
                object.metadata.name))
        end
        if tables.at(object, "spec.paused") then
            kube_errors.raise(('%s "%s" can\'t restart paused deployment (run rollout resume first)'):format(
                one.resource.plural .. "." .. one.resource.group, object.metadata.name))
        end
        local now = os.date("%Y-%m-%dT%H:%M:%S", math.floor(proc.time())) .. os.date("%z"):gsub("(%d%d)$", ":%1")
        if now:find("+00:00", 1, true) then now = format.timestamp(proc.time()) end
        change(session, one, options, rollout.restart_patch(now), "restarted", "kubectl-rollout")
    end)
end

local function pauser(paused, done)
    return function(session, options, words)
        each(session, words, options, function(one)
            local object = one.object
            if object.kind ~= "Deployment" then
                kube_errors.raise(("%s %q %s is not supported"):format(
                    kube_session.resource_name(one.resource), object.metadata.name,
                    paused and "pausing" or "resuming"))
            end
            if (tables.at(object, "spec.paused") == true) == paused then
                kube_errors.raise(('%s.%s "%s" is %s'):format(one.resource.plural, one.resource.group,
                    object.metadata.name, paused and "already paused" or "not paused"))
            end
            change(session, one, options, { spec = { paused = paused or json.null } }, done, "kubectl-rollout")
        end)
    end
end

local function find_revision(list, number)
    for _, one in ipairs(list) do
        if one.number == number then return one end
    end
end

-- A pod template as it is described, but with its tabs.
local function template_text(template)
    local text, parts = require "kubectl.describe.text", {}
    local w = text.new()
    w.writer = { text = function(_, part) parts[#parts + 1] = part end, flush = function() end }
    pods.template(w, template)
    return table.concat(parts)
end

local function history_text(list, number)
    if #list == 0 then return "No rollout history found." end
    if number > 0 then
        local one = find_revision(list, number) or kube_errors.raise("unable to find the specified revision")
        local template = tables.copy(one.template)
        if one.cause then
            template.metadata.annotations = template.metadata.annotations or {}
            template.metadata.annotations["kubernetes.io/change-cause"] = one.cause
        end
        return template_text(template)
    end
    local out = {}
    local writer = tabwriter.new(function(part) out[#out + 1] = part end, { min = 0, padding = 2, remember = false })
    writer:line("REVISION\tCHANGE-CAUSE")
    for _, one in ipairs(list) do writer:line(("%d\t%s"):format(one.number, one.cause or "<none>")) end
    writer:flush()
    return table.concat(out)
end

local function history(session, options, words)
    each(session, words, options, function(one)
        local list = revisions.history(session.client, one.object)
        if object_printer.wanted(options) then
            local print = object_printer.new(options)
            for _, revision in ipairs(list) do
                if options.revision == 0
                    or revision.number == options.revision then io.write(print(revision.object)) end
            end
            return
        end
        local text = history_text(list, options.revision)
        local with = options.revision > 0 and ("with revision #%d"):format(options.revision) or ""
        io.write(object_printer.name(one.object), " ", with, "\n", text, "\n")
    end)
end

-- Annotations of the deployment itself, which a past revision does not bring back.
local own_annotations = {
    ["kubectl.kubernetes.io/last-applied-configuration"] = true, ["deployment.kubernetes.io/revision"] = true,
    ["deployment.kubernetes.io/revision-history"] = true, ["deployment.kubernetes.io/desired-replicas"] = true,
    ["deployment.kubernetes.io/max-replicas"] = true, ["deprecated.deployment.rollback.to"] = true,
}

local function wanted_revision(list, number)
    if number > 0 then
        return find_revision(list, number)
            or kube_errors.raise(("unable to find specified revision %d in history"):format(number))
    end
    return list[#list - 1] or kube_errors.raise("no rollout history found for deployment")
end

-- The JSON patch that brings a deployment's template and annotations back.
local function undo_deployment(session, one, options, revision, template)
    local annotations, meta = {}, one.object.metadata
    for key, value in pairs(meta.annotations or {}) do
        if own_annotations[key] then annotations[key] = value end
    end
    for key, value in pairs(revision.object.metadata.annotations or {}) do
        if not own_annotations[key] then annotations[key] = value end
    end
    session:write("PATCH", one.resource, meta.namespace, meta.name, { type = "application/json-patch+json",
        manager = "kubectl-rollout", options = options, body = json.list {
            { op = "replace", path = "/spec/template", value = template },
            { op = "replace", path = "/metadata/annotations", value = annotations },
        } })
end

local function undo(session, options, words)
    local strategy, suffix = kube_session.dry_run(options)
    each(session, words, options, function(one)
        local object, name = one.object, object_printer.name(one.object)
        if tables.at(object, "spec.paused") then
            kube_errors.raise("you cannot rollback a paused deployment; resume it first with 'todo-lua kube rollout "
                .. "resume' and try again")
        end
        local revision = wanted_revision(revisions.history(session.client, object), options.to_revision)
        local template = tables.copy(revision.template)
        if template.metadata and template.metadata.labels then
            template.metadata.labels["pod-template-hash"] = nil
        end
        if strategy == "client" then return io.write(name, " Pod Template:\n", template_text(template), suffix,
            "\n") end
        if tables.equal(template, object.spec.template) then
            return io.write(("%s skipped rollback (current template already matches revision %d)%s\n"):format(name,
                options.to_revision, suffix))
        end
        if object.kind == "Deployment" then
            undo_deployment(session, one, options, revision, template)
        else
            session:write("PATCH", one.resource, object.metadata.namespace, object.metadata.name, { type = STRATEGIC,
                manager = "kubectl-rollout", options = options, body = revision.object.data })
        end
        io.write(name, " rolled back", suffix, "\n")
    end)
end

local manager = { "field-manager", help = "who owns the fields" }
local function printing(own)
    local all = with_flags(own)
    return table.move(object_printer.flags, 1, #object_printer.flags, #all + 1, all)
end

return {
    summary = "follow, restart, undo and pause rollouts",
    usage = "status|history|restart|undo|pause|resume TYPE/NAME [flags]",
    commands = {
        status = { summary = "wait until a rollout is done, and say how it goes", usage = "TYPE/NAME [flags]",
            flags = with_flags {
                { "watch", short = "w", kind = "bool", default = true, help = "wait until it is done" },
                { "timeout", kind = "duration", default = 0, help = "wait at most so long (0: a week)" },
                { "revision", kind = "int", default = 0, help = "of this revision only" } }, run = status },
        history = { summary = "list the revisions of a workload", usage = "TYPE/NAME [flags]", flags = printing {
            { "revision", kind = "int", default = 0, help = "show this revision's pod template" } }, run = history },
        restart = { summary = "replace all pods of a workload", usage = "TYPE/NAME… [flags]",
            flags = printing { manager }, run = restart },
        undo = { summary = "go back to an earlier revision", usage = "TYPE/NAME [flags]", flags = printing {
            { "to-revision", kind = "int", default = 0, help = "the revision (0: the one before)" },
            kube_session.dry_run_flag }, run = undo },
        pause = { summary = "hold a deployment's rollouts", usage = "deployment/NAME [flags]",
            flags = printing { manager }, run = pauser(true, "paused") },
        resume = { summary = "let a deployment's rollouts go on", usage = "deployment/NAME [flags]",
            flags = printing { manager }, run = pauser(false, "resumed") },
    },
}
