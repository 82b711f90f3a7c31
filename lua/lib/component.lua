-- The pods of a component of the stack, found by the labels that the chart gives them.
local fail = require "fail"
local suggest = require "suggest"

local component = {}

component.LABEL = "app.kubernetes.io/component"

---@param ctx todo.Context
---@param names string[]
function component.check(ctx, names)
    local known = ctx.config.components
    for _, name in ipairs(names) do
        local found = false
        for _, one in ipairs(known) do found = found or one == name end
        if not found then
            fail.raise("usage", ("there is no component %q%s"):format(name, suggest.phrase(name, known)),
                "the components are " .. table.concat(known, ", "), { status = 2 })
        end
    end
end

---Label selector of the pods of some components; of the whole release where none is named.
---@param ctx todo.Context
---@param names string[]
---@return string
function component.selector(ctx, names)
    component.check(ctx, names)
    local selector = "app.kubernetes.io/instance=" .. ctx.config.release
    if #names == 0 then return selector end
    return ("%s,%s in (%s)"):format(selector, component.LABEL, table.concat(names, ","))
end

---What selects the component's pods, in the shape of an object that does.
---@param ctx todo.Context
---@param name string
---@return table object
function component.object(ctx, name)
    component.check(ctx, { name })
    return { kind = "Component", metadata = { name = name, namespace = ctx.config.namespace }, spec = { selector = {
        ["app.kubernetes.io/instance"] = ctx.config.release, [component.LABEL] = name } } }
end

return component
