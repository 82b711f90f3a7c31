-- Asks until it is so; after the last time, its error is told.
local task = require "task"

---@async
---@param seconds number
---@param what string
---@param condition async fun(): any
---@return any what the condition gave
return function(seconds, what, condition)
    local deadline = task.now() + seconds
    while true do
        local ok, value = pcall(condition)
        if ok and value then return value end
        if task.now() > deadline then error(("%s: not within %d s (%s)"):format(what, seconds, tostring(value)), 0) end
        task.sleep(0.2)
    end
end
