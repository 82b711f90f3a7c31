-- Raises an error in the shape that the host's modules use, so that scripts can treat all alike.
local shape = {
    __tostring = function(e) return e.hint and e.message .. "\nhint: " .. e.hint or e.message end,
    __name = "todo.Error",
}

---@param fields todo.Error
return function(fields)
    error(setmetatable(fields, shape), 0)
end
