-- Sends an object that a command made, or only shows it, as kubectl create does.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"

local object_maker = {}

---@param own todo.Flag[]
---@param manager string? default of --field-manager
---@return todo.Flag[]
function object_maker.with_flags(own, manager)
    local all = { kube_session.dry_run_flag,
        { "field-manager", default = manager or "kubectl-create", help = "who owns the fields" },
        { "save-config", kind = "bool", help = "remember the object for a later apply" } }
    table.move(own, 1, #own, #all + 1, all)
    return table.move(object_printer.flags, 1, #object_printer.flags, #all + 1, all)
end

-- A refusal as kubectl words it for the kinds that it makes: "error: failed to create job: …".
local function failure(what, problem)
    local status = fail.field(problem, "status")
    if not what or not status or status < 400 or status == 401 then return problem end
    local colon = what == "secret" and "" or ":" -- kubectl has none there
    return fail.new("kube", ("failed to create %s%s %s"):format(what, colon, problem.message), problem.hint)
end

---@class todo.KindCommand
---@field kind string "apps/v1/Deployment"
---@field flags todo.Flag[]?
---@field usage string what follows the command's name
---@field summary string
---@field build async fun(name: string, options: table, words: string[], session: todo.KubeSession): table the object
---@field command boolean? words after the name are a command
---@field what string? how kubectl calls it where the server refuses it
---@field aliases string[]?

---A command that makes one kind of object from its name and flags.
---@param entry todo.KindCommand
---@return table
function object_maker.command(entry)
    return {
        summary = entry.summary, usage = entry.usage,
        flags = object_maker.with_flags({ kube_session.validate_flag, table.unpack(entry.flags or {}) }),
        aliases = entry.aliases,
        run = function(session, options, words)
            if #words == 0 or #words > 1 and not entry.command then
                kube_errors.raise(("exactly one NAME is required, got %d"):format(#words), "usage: NAME [flags]")
            end
            local object = entry.build(words[1], options, words, session)
            local resource = session.client:resource(entry.kind)
            object.apiVersion, object.kind = entry.kind:match("^(.+)/([^/]+)$")
            local namespace = resource.namespaced and session.namespace or nil
            if namespace and session.explicit_namespace then object.metadata.namespace = namespace end
            local ok, problem = pcall(object_maker.create, session, resource, namespace, object, options)
            if not ok then error(failure(entry.what, problem), 0) end
        end,
    }
end

---Creates the object, or only checks it, as --dry-run says.
---@async
---@param session todo.KubeSession
---@param resource table
---@param namespace string?
---@param object table
---@param options table of the command
---@param source string? file that it comes from
---@return table made
function object_maker.send(session, resource, namespace, object, options, source)
    local strategy = kube_session.dry_run(options)
    if options.save_config then object = require "kubectl.last_applied".remembering(object) end
    if strategy == "client" then return object end
    local ok, result = pcall(session.write, session, "POST", resource, namespace, nil,
        { body = object, manager = options.field_manager, options = options })
    return ok and result or error(manifests.problem("creating", source, result), 0)
end

---As send, of an object that the command made up itself: a namespace that was named stands in it.
---@async
---@param session todo.KubeSession
---@param kind string "services"
---@param object table
---@param options table of the command
---@return table made
function object_maker.make(session, kind, object, options)
    if session.explicit_namespace then object.metadata.namespace = session.namespace end
    return object_maker.send(session, session:resource(kind), session.namespace, object, options)
end

---Prints what was made.
---@param made table
---@param options table of the command; done: what is printed in place of "created"
---@param report fun(object: table, operation: string)? of several objects, the object_printer.reporter of all
function object_maker.show(made, options, report)
    local _, suffix = kube_session.dry_run(options)
    report = report or object_printer.reporter(options)
    report(made, (options.done or "created") .. suffix)
end

---Creates the object and prints it.
---@async
---@param session todo.KubeSession
---@param resource table
---@param namespace string?
---@param object table
---@param options table of the command
---@param source string? file that it comes from
function object_maker.create(session, resource, namespace, object, options, source)
    object_maker.show(object_maker.send(session, resource, namespace, object, options, source), options)
end

return object_maker
