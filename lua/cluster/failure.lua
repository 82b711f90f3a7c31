-- Raises an error of the shape that the host's modules raise.
local fail = require "fail"

---@param fields todo.Error
return function(fields)
    fail.raise(fields.kind, fields.message, fields.hint, { status = fields.status })
end
