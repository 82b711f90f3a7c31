-- The events about an object.
local object_events = {}

local function involved(object, uid)
    local meta = object.metadata
    local fields = { "involvedObject.name=" .. meta.name, "involvedObject.kind=" .. object.kind }
    if meta.namespace then fields[#fields + 1] = "involvedObject.namespace=" .. meta.namespace end
    if uid then fields[#fields + 1] = "involvedObject.uid=" .. uid end
    return table.concat(fields, ",")
end

---@async
---@param client todo.K8s
---@param object table
---@return table[]
function object_events.of(client, object)
    local function list(uid)
        return (client:list("v1/Event", { namespace = object.metadata.namespace, fields = involved(object, uid),
            all_namespaces = not object.metadata.namespace }))
    end
    local events = list(object.metadata.uid)
    if object.kind == "Node" then -- the kubelet puts the node's name where its UID belongs
        local own = list(object.metadata.name)
        table.move(own, 1, #own, #events + 1, events)
    end
    return events
end

return object_events
