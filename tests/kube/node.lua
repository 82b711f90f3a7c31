-- Pods for tests on the standalone cluster's real node: an image of Debian's static busybox, a namespace of the test's own.
local eventually = require "tests.eventually"
local fs = require "fs"
local images = require "cluster.standalone.images"
local k8s = require "k8s"
local needs = require "tests.needs"
local proc = require "proc"
local standalone = require "cluster.standalone"

local node = { IMAGE = "todo-lua-test:pod" }

local TOOLS = { "sh", "cat", "tar", "tail", "head", "httpd", "mkdir", "rm", "ls", "sleep", "nc", "seq", "stty", "test", "true",
    "dd", "sha256sum", "kill", "yes", "usleep", "date", "wc", "ln", "find" }

local function import_image(ctx)
    needs.packages { "busybox-static" }
    local temp = fs.tempdir()
    local root = temp.path .. "/root"
    fs.mkdir(root .. "/bin")
    fs.mkdir(root .. "/tmp")
    proc.run { "cp", "-L", "/bin/busybox", root .. "/bin/busybox" }
    for _, name in ipairs(TOOLS) do fs.symlink("busybox", root .. "/bin/" .. name) end
    for _, one in ipairs(standalone.layout(ctx).nodes) do
        images.import_folder(one, root, "docker.io/library/" .. node.IMAGE, { Cmd = { "/bin/sh" } })
    end
    temp:close()
end

---@class todo.TestNode
---@field client todo.K8s of the namespace
---@field kubeconfig string
---@field namespace string
local Node = {}
Node.__index = Node

---@async
---@param namespace string
---@return todo.TestNode
function node.open(namespace)
    local ctx = needs.context()
    import_image(ctx)
    local kubeconfig = standalone.kubeconfig(ctx).kubeconfig
    local self = setmetatable({ kubeconfig = kubeconfig, namespace = namespace,
        client = k8s.connect { kubeconfig = kubeconfig, namespace = namespace } }, Node)
    self:close()
    eventually(60, "the namespace of an earlier run is gone", function()
        return not self.client:get("ns", namespace)
    end)
    self.client:create { apiVersion = "v1", kind = "Namespace", metadata = { name = namespace } }
    -- Admission refuses pods until a controller has made their account.
    eventually(60, "the namespace has its service account", function()
        return self.client:get("serviceaccounts", "default")
    end)
    return self
end

function Node:close() self.client:delete("ns", self.namespace, { grace = 0 }) end

---A pod's specification around a shell script that ends at once when it is told to.
---@param script string
---@param more table? fields of the container
---@return table
function node.spec(script, more)
    local container = { name = "main", image = node.IMAGE, imagePullPolicy = "Never",
        command = { "/bin/sh", "-c", "trap 'exit 0' TERM; " .. script } }
    for key, value in pairs(more or {}) do container[key] = value end
    return { terminationGracePeriodSeconds = 1, automountServiceAccountToken = false, containers = { container } }
end

---Creates a pod and waits until it runs.
---@async
---@param name string
---@param spec table
---@return table pod
function Node:pod(name, spec)
    self.client:create { apiVersion = "v1", kind = "Pod", metadata = { name = name, labels = { app = name } }, spec = spec }
    return eventually(60, "pod " .. name .. " runs", function()
        local pod = self.client:get("pods", name)
        return pod.status.phase == "Running" and pod
    end)
end

---The files that the node keeps of a log: more than one where it has rotated it.
---@param pod table
---@return string[] names
function node.log_files(pod)
    local meta = pod.metadata
    return fs.list(("%s/pods/%s_%s_%s/main"):format(standalone.layout(needs.context()).state, meta.namespace, meta.name,
        meta.uid))
end

return node
