-- What a pod asks for in all: the sum of its containers, at least what its largest init container needs
-- (k8s.io/component-helpers/resource).
local quantity = require "kubectl.quantity"

local pod_resources = {}

---Adds amounts by name to a sum.
---@param sum table<string, todo.Quantity>
---@param amounts table<string, todo.Quantity>
function pod_resources.add(sum, amounts)
    for name, amount in pairs(amounts) do sum[name] = sum[name] and quantity.add(sum[name], amount) or amount end
end

local function parsed(list)
    local amounts = {}
    for name, value in pairs(list or {}) do amounts[name] = quantity.parse(value) end
    return amounts
end

local function raise_to(sum, amounts)
    for name, amount in pairs(amounts) do
        if not sum[name] or amount.milli > sum[name].milli then sum[name] = amount end
    end
end

local function total(pod, field)
    local spec, sum, sidecars, largest = pod.spec, {}, {}, {}
    for _, container in ipairs(spec.containers or {}) do
        pod_resources.add(sum, parsed((container.resources or {})[field]))
    end
    for _, container in ipairs(spec.initContainers or {}) do
        local amounts = parsed((container.resources or {})[field])
        if container.restartPolicy == "Always" then
            pod_resources.add(sum, amounts) -- a sidecar runs beside the containers and beside later init containers
            pod_resources.add(sidecars, amounts)
            raise_to(largest, sidecars)
        else
            pod_resources.add(amounts, sidecars)
            raise_to(largest, amounts)
        end
    end
    raise_to(sum, largest)
    for name, amount in pairs(parsed((spec.resources or {})[field])) do sum[name] = amount end
    local overhead = parsed(spec.overhead)
    if field == "requests" then pod_resources.add(sum, overhead) end
    for name, amount in pairs(field == "limits" and overhead or {}) do
        if sum[name] then sum[name] = quantity.add(sum[name], amount) end
    end
    return sum
end

---@param pod table
---@return table<string, todo.Quantity>
function pod_resources.requests(pod) return total(pod, "requests") end

---@param pod table
---@return table<string, todo.Quantity>
function pod_resources.limits(pod) return total(pod, "limits") end

---A container's limit or request in whole units of the divisor, rounded up; 0 where it has none.
---@param container table
---@param ref table resourceFieldRef
---@return integer
function pod_resources.field(container, ref)
    local kind, name = ref.resource:match("^(%a+)%.(.+)$")
    local amount = quantity.parse(((container.resources or {})[kind] or {})[name])
    local divisor = quantity.parse(ref.divisor ~= "0" and ref.divisor or 1)
    return amount and divisor and -(-amount.milli // divisor.milli) or 0
end

return pod_resources
