-- An engine that is a real one but for what a test replaces.

---@param client todo.Docker
---@param replaced table<string, any> methods and fields; a build goes through the methods, too
---@return todo.Docker
return function(client, replaced)
    return setmetatable(replaced, { __index = function(_, name)
        local value = client[name]
        if type(value) ~= "function" or name == "build" then return value end
        return function(_, ...) return value(client, ...) end
    end })
end
