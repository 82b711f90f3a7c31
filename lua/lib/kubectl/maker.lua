-- Sends an object that a command made, or only shows it, as kubectl create does.
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"

local object_maker = {}

---@type todo.Flag[]
object_maker.flags = { kube_session.dry_run_flag, kube_session.validate_flag,
    { "field-manager", default = "kubectl-create", help = "who owns the fields" },
    { "save-config", kind = "bool", help = "remember the object for a later apply" } }
table.move(object_printer.flags, 1, #object_printer.flags, #object_maker.flags + 1, object_maker.flags)

---@param own todo.Flag[]
---@return todo.Flag[]
function object_maker.with_flags(own)
    local all = { table.unpack(own) }
    return table.move(object_maker.flags, 1, #object_maker.flags, #all + 1, all)
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
    local strategy, suffix = kube_session.dry_run(options)
    if options.save_config then object = require "kubectl.last_applied".remembering(object) end
    local made = object
    if strategy ~= "client" then
        local ok, result = pcall(session.write, session, "POST", resource, namespace, nil,
            { body = object, manager = options.field_manager, options = options })
        if not ok then error(manifests.problem("creating", source, result), 0) end
        made = result
    end
    local name = object_printer.name(made)
    if options.output == "name" then
        io.write(name, "\n")
    elseif object_printer.wanted(options) then
        io.write(object_printer.new(options)(made))
    else
        io.write(name, " created", suffix, "\n")
    end
end

return object_maker
