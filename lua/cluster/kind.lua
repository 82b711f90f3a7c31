-- kind: a cluster in containers of the local Docker, made with the NodePort mapped to this machine.
local fs = require("fs")
local k8s = require("k8s")
local proc = require("proc")
local provider = require("provider")
local yaml = require("yaml")

---@type todo.ClusterProvider
local kind = { name = "kind" }

local function cluster_name(ctx)
    return ctx.config.cluster and ctx.config.cluster.name or "todo-lua"
end

local function node(ctx)
    return cluster_name(ctx) .. "-control-plane"
end

local function must(argv, what, options)
    options = options or {}
    options.check = false
    return provider.check("kind", proc.run(argv, options), what)
end

local function containers(ctx, all)
    local filter = "--filter=label=io.x-k8s.kind.cluster=" .. cluster_name(ctx)
    local result = proc.run({ "docker", "ps", all and "-aq" or "-q", filter }, { check = false })
    local list = {}
    for id in result.stdout:gmatch("%x+") do list[#list + 1] = id end
    return list
end

local function state_of(ctx)
    local all = containers(ctx, true)
    if #all == 0 then return "absent", all end
    return #containers(ctx, false) == #all and "running" or "stopped", all
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function kind.detect(ctx)
    if not proc.which("kind") then return { available = false, reason = "kind is not installed" } end
    local state = state_of(ctx)
    return { available = true, exists = state ~= "absent", running = state == "running",
        reason = ("its cluster %s is %s"):format(cluster_name(ctx), state) }
end

local function create(ctx)
    local port = ctx.config.ports and ctx.config.ports.node or 30080
    local config = yaml.encode({
        kind = "Cluster",
        apiVersion = "kind.x-k8s.io/v1alpha4",
        nodes = { { role = "control-plane", extraPortMappings = {
            { containerPort = port, hostPort = port, listenAddress = "127.0.0.1" },
        } } },
    })
    local progress = provider.progress(ctx)
    progress("kind", "creating the cluster")
    must({ "kind", "create", "cluster", "--name", cluster_name(ctx), "--wait", "120s", "--config", "-",
        "--kubeconfig", kind.kubeconfig(ctx).kubeconfig }, "create the cluster", { stdin = config })
    progress("kind", "created", 1, 1)
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function kind.start(ctx)
    local state, all = state_of(ctx)
    if state == "running" then return false end
    if state == "absent" then
        create(ctx)
        return true
    end
    must({ "docker", "start", table.unpack(all) }, "start its containers")
    return true
end

---@async
---@param ctx todo.ClusterContext
function kind.stop(ctx)
    local all = containers(ctx, false)
    if #all > 0 then must({ "docker", "stop", table.unpack(all) }, "stop its containers") end
end

---@async
---@param ctx todo.ClusterContext
function kind.delete(ctx)
    must({ "kind", "delete", "cluster", "--name", cluster_name(ctx) }, "delete the cluster")
    fs.remove(fs.join(ctx.state_dir, "kind"))
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function kind.status(ctx)
    return { state = (state_of(ctx)) }
end

---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean }
function kind.kubeconfig(ctx)
    local path = fs.join(ctx.state_dir, "kind", "kubeconfig")
    fs.mkdir(fs.dirname(path), 448)
    local result = { kubeconfig = path, context = "kind-" .. cluster_name(ctx), owned = false }
    if state_of(ctx) == "absent" then return result end
    if not fs.exists(path) then
        fs.write(path, must({ "kind", "get", "kubeconfig", "--name", cluster_name(ctx) },
            "give its kubeconfig").stdout, 384)
    end
    for _, context in ipairs(k8s.contexts({ kubeconfig = path })) do result.ca_sha256 = context.ca_sha256 end
    local copy = proc.run({ "docker", "exec", node(ctx), "cat", "/etc/kubernetes/pki/ca.crt" }, { check = false })
    result.owned = copy.status == 0 and provider.authority(copy.stdout) == result.ca_sha256
    return result
end

kind.platform = provider.platform

---Address of this machine on the network of kind's containers.
---@async
---@return string
function kind.host_address()
    local format = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
    local result = must({ "docker", "network", "inspect", "kind", "--format", format }, "find its network")
    return result.stdout:match("%d+%.%d+%.%d+%.%d+") or "host.docker.internal"
end

---@async
---@param ctx todo.ClusterContext
---@param name string
---@return string?
function kind.image_id(ctx, name) return provider.image_id_on_node(node(ctx), name) end

---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[]
function kind.load_image(ctx, names)
    return provider.send_missing(ctx, names, function(name, image)
        return kind.image_id(ctx, name) == image.Id
    end, function(name)
        must({ "kind", "load", "docker-image", name, "--name", cluster_name(ctx) }, "load the image " .. name)
    end)
end

kind.url = provider.loopback_url
kind.addons = provider.no_addons("kind has no add-ons")
kind.logs = provider.no_logs

return kind
