-- Handlers on a cache of the Kubernetes client: one call for each object that appears, changes or goes.
local task = require "task"

local informer = {}

---@class todo.InformerHandlers
---@field add (fun(object: table))?
---@field update (fun(object: table, old: table))?
---@field delete (fun(object: table))? with the last state that is known

local NAMES = { ADDED = "add", MODIFIED = "update", DELETED = "delete" }

---Starts a cache and runs the handlers in a task of their own, one change at a time and in order; present objects come
---first, as add. A handler may wait. An error of a handler or of the watch ends the task, which raises it from wait().
---@param client todo.K8s
---@param kind todo.Kind
---@param handlers todo.InformerHandlers
---@param options todo.CacheOptions?
---@return todo.K8sCache cache closing it ends the task
---@return todo.Task task
function informer.start(client, kind, handlers, options)
    local cache = client:cache(kind, options)
    return cache, task.spawn(function()
        for change in cache do
            local handler = handlers[NAMES[change.type]]
            if handler then handler(change.object, change.old) end
        end
    end)
end

return informer
