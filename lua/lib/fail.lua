-- Errors that a user reads: one sentence with the cause, a hint with the next step.
local Error = {}
Error.__index = Error
Error.__name = "todo.Error"

function Error:__tostring()
    return self.hint and self.message .. "\n  " .. self.hint or self.message
end

local fail = {}

---Raises an error of the shape that host modules raise.
---@param kind string short and stable: "usage", "config", "not_ready", …
---@param message string one sentence
---@param hint string? what to do next
---@param more table? further fields (cause, status, details)
function fail.raise(kind, message, hint, more)
    error(fail.new(kind, message, hint, more), 0)
end

---The same as a value, for callers that keep it.
---@param kind string
---@param message string
---@param hint string?
---@param more table?
---@return todo.Error
function fail.new(kind, message, hint, more)
    local object = setmetatable({ kind = kind, message = message, hint = hint }, Error)
    for key, value in pairs(more or {}) do object[key] = value end
    return object
end

---Field of an error object; nil where the error is a plain string or has no such field.
---@param problem any
---@param name string
---@return any
function fail.field(problem, name)
    if type(problem) ~= "table" and type(problem) ~= "userdata" then return nil end
    local ok, value = pcall(function() return problem[name] end)
    return ok and value or nil
end

---@param problem any
---@return string? kind nil where it is a plain string
function fail.kind(problem) return fail.field(problem, "kind") end

---The one-line message of anything that was raised.
---@param problem any
---@return string
function fail.message(problem)
    return fail.field(problem, "message") or tostring(problem)
end

---The hint of a message, of whichever program, that says that a disk is full; nil where it says something else.
---@param message string
---@param command string? what frees some
---@return string?
function fail.space_hint(message, command)
    if not message:lower():find("no space left", 1, true) then return nil end
    return ("free some space%s, then run again"):format(command and (" (%s)"):format(command) or "")
end

---Calls fn; an error of one of the kinds gives nil and the error, any other goes on.
---@async
---@param kinds table<string, boolean>
---@param fn async fun(): any
---@return any result
---@return any more of fn's results, or the problem
function fail.catch(kinds, fn)
    local results = table.pack(pcall(fn))
    if results[1] then return table.unpack(results, 2, results.n) end
    if kinds[fail.kind(results[2]) or ""] then return nil, results[2] end
    error(results[2], 0)
end

return fail
