-- Waits until an object is as somebody wants it, by a watch on it alone.
local fail = require "fail"
local kube_session = require "kubectl.session"
local task = require "task"

local object_wait = {}

local function timed_out()
    fail.raise("timeout", "timed out waiting for the condition", nil, { waited = true })
end

---Calls check(object) with the object as it is and with every change; nil stands for an object that does not exist.
---Raises kind "timeout" after the deadline.
---@async
---@param client todo.K8s
---@param resource table
---@param namespace string?
---@param name string
---@param deadline number of task.now
---@param check fun(object: table?): boolean?
function object_wait.until_true(client, resource, namespace, name, deadline, check)
    local watch <close> = client:watch(kube_session.kind(resource), { namespace = namespace, bookmarks = true,
        fields = "metadata.name=" .. name, managed_fields = true })
    local seen = false
    while true do
        local left = deadline - task.now()
        if left <= 0 then timed_out() end
        local ok, event = pcall(watch.next, watch, left)
        if not ok and fail.kind(event) == "timeout" then
            timed_out()
        elseif not ok then
            error(event, 0)
        end
        if event.type == "BOOKMARK" then
            if not seen and check(nil) then return end -- the end of the present objects: there is none
            seen = true
        elseif event.type == "DELETED" then
            seen = true
            if check(nil) then return end
        else
            seen = true
            if check(event.object) then return end
        end
    end
end

return object_wait
