-- The nodes of the cluster: what each has for its own beside what they share, which is the machine, its network and
-- kube-proxy's rules. (They share the socket for device plugins, too: its path is built into the kubelet, and the one
-- that started last has it.)
local fs = require("fs")
local ground = require("cluster.standalone.ground")
local processes = require("cluster.standalone.processes")

local nodes = {}

---What belongs to one node; all else of the layout is found in it, too.
---@class todo.StandaloneNode: todo.StandaloneLayout
---@field name string
---@field suffix string what its processes, certificate and kubeconfig end with: "" of the first, "-2"
---@field ip string an address of its own on the cluster's interface
---@field node_pods string network of its pods
---@field state string folder below the layout's, the same for the first
---@field run string
---@field cgroup string

local function node(layout, index)
    local prefix = layout.pods:match("^%d+%.%d+%.") .. index - 1
    local suffix = index == 1 and "" or "-" .. index
    local below = index == 1 and "" or "/node" .. suffix
    return setmetatable({
        name = "todo-lua" .. suffix,
        suffix = suffix,
        ip = prefix .. ".1",
        node_pods = prefix .. ".0/24",
        state = layout.state .. below,
        run = layout.run .. below,
        cgroup = layout.cgroup .. below,
    }, { __index = layout })
end

---@param layout todo.StandaloneLayout
---@param count integer
---@return todo.StandaloneNode[] the first is the control plane's
function nodes.list(layout, count)
    local list = {}
    for index = 1, count do list[index] = node(layout, index) end
    return list
end

---Nodes that the cluster has no more, but that have left something.
---@param layout todo.StandaloneLayout
---@return todo.StandaloneNode[]
function nodes.surplus(layout)
    local list = {}
    for _, name in ipairs(fs.list(layout.state)) do
        local index = math.tointeger(tonumber(name:match("^node%-(%d+)$")))
        if index and index > #layout.nodes then list[#list + 1] = node(layout, index) end
    end
    return list
end

---Ends the pods of a node whose kubelet and containerd have ended, and takes up what they had of the machine.
---@async
---@param one todo.StandaloneNode
---@param grace number seconds that they have to end by themselves
function nodes.clear(one, grace)
    processes.finish(processes.in_pods(one), grace)
    processes.finish(processes.find(one), 0)
    ground.clear_node(one)
end

---Tells the API the network of a node that has registered: the network plugin's file has decided it, and what the API
---knows already it does not let go.
---@async
---@param one todo.StandaloneNode
---@param client todo.K8s
function nodes.tell_network(one, client)
    if client:get("v1/Node", one.name).spec.podCIDR then return end
    client:patch("v1/Node", one.name, { spec = { podCIDR = one.node_pods, podCIDRs = { one.node_pods } } })
end

---Takes a node out of the cluster; its pods are made again elsewhere by whoever owns them.
---@async
---@param one todo.StandaloneNode cleared before
---@param client todo.K8s
function nodes.forget(one, client)
    local pods = client:list("v1/Pod", { all_namespaces = true, fields = { ["spec.nodeName"] = one.name } })
    for _, pod in ipairs(pods) do
        client:delete("v1/Pod", pod.metadata.name, { namespace = pod.metadata.namespace, grace = 0 })
    end
    client:delete("v1/Node", one.name)
    fs.remove(one.run)
    fs.remove(one.state)
end

return nodes
