-- kind: a cluster in containers of the local Docker, made with the NodePort mapped to this machine.
local fs = require("fs")
local json = require("json")
local k8s = require("k8s")
local proc = require("proc")
local provider = require("provider")
local tables = require("tables")
local task = require("task")
local yaml = require("yaml")

---@type todo.ClusterProvider
local kind = { name = "kind" }

local function cluster_name(ctx)
    return ctx.config.cluster and ctx.config.cluster.name or "todo-lua"
end

local function node(ctx)
    return cluster_name(ctx) .. "-control-plane"
end

-- kind tells its cause in one line and, where a node's program failed, that program's own in its log, which is long.
local function cause(stderr)
    local lines, seen = {}, {}
    for line in stderr:gmatch("[^\n]+") do
        local told = line:find("^ERROR: ") or line:find("^error: ") or line:find("Error response from daemon", 1, true)
        if told and not seen[line] then lines[#lines + 1], seen[line] = line, true end
    end
    return #lines > 0 and table.concat(lines, "\n") or stderr
end

local function must(argv, what, options)
    options = options or {}
    options.check = false
    local result = proc.run(argv, options)
    result.stderr = result.status == 0 and result.stderr or cause(result.stderr)
    return provider.check("kind", result, what)
end

local function containers(ctx, status)
    local argv = { "docker", "ps", "--all", "--quiet", "--filter=label=io.x-k8s.kind.cluster=" .. cluster_name(ctx) }
    if status then argv[#argv + 1] = "--filter=status=" .. status end
    local result = proc.run(argv, { check = false })
    local list = {}
    for id in result.stdout:gmatch("%x+") do list[#list + 1] = id end
    return list
end

local function state_of(ctx)
    local all = containers(ctx)
    if #all == 0 then return "absent", all end
    return #containers(ctx, "running") == #all and "running" or "stopped", all
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

-- A kubelet from 1.35 on refuses cgroup v1 unless it is told otherwise.
local function patches(ctx)
    local info = ctx.docker and ctx.docker:info() or {}
    if info.CgroupVersion ~= "1" then return nil end
    return { "kind: KubeletConfiguration\nfailCgroupV1: false\n" }
end

local function create(ctx)
    local settings = ctx.config.cluster or {}
    local port = ctx.config.ports and ctx.config.ports.node or 30080
    local config = yaml.encode({
        kind = "Cluster",
        apiVersion = "kind.x-k8s.io/v1alpha4",
        kubeadmConfigPatches = patches(ctx),
        nodes = { { role = "control-plane", extraPortMappings = {
            { containerPort = port, hostPort = port, listenAddress = "127.0.0.1" },
        } } },
    })
    local argv = { "kind", "create", "cluster", "--name", cluster_name(ctx), "--wait", "120s", "--config", "-",
        "--kubeconfig", kind.kubeconfig(ctx).kubeconfig }
    if settings.kubernetes_version then
        argv[#argv + 1] = "--image=kindest/node:v" .. settings.kubernetes_version:gsub("^v", "")
    end
    for _, flag in ipairs(settings.kind_flags or {}) do argv[#argv + 1] = flag end
    local progress = provider.progress(ctx)
    progress("kind", "creating the cluster")
    must(argv, "create the cluster", { stdin = config })
    progress("kind", "created", 1, 1)
end

local READY_SECONDS = 120

local function kubectl(ctx, ...)
    return { "docker", "exec", node(ctx), "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", ... }
end

local NETWORK = { ["kube-proxy"] = true, ["kube-dns"] = true } -- as their pods are labelled

-- What the API tells of pods after a restart is what was so before, until the kubelet knows their new containers. No
-- Service answers before the pods run that lead to it.
local function has_settled(ctx)
    local list = proc.run(kubectl(ctx, "get", "pods", "--all-namespaces", "--output=json"), { check = false })
    if list.status ~= 0 then return false end
    local seconds = #"2026-01-01T00:00:00"
    local begun = ctx.docker:container(node(ctx)).State.StartedAt:sub(1, seconds)
    for _, pod in ipairs(json.decode(list.stdout).items) do
        for _, container in ipairs(pod.status.containerStatuses or {}) do
            local started = tables.at(container, "state.running.startedAt")
            if container.ready and started and started:sub(1, seconds) < begun then return false end
            if not container.ready and NETWORK[tables.at(pod, "metadata.labels.k8s-app")] then return false end
        end
    end
    return true
end

-- Containers run long before the API server in them answers.
local function wait_ready(ctx)
    local readyz = kubectl(ctx, "get", "--raw", "/readyz")
    local deadline = task.now() + READY_SECONDS
    repeat
        if proc.run(readyz, { check = false }).status == 0 and has_settled(ctx) then return end
        task.sleep(0.5)
    until task.now() > deadline
    must(readyz, "get an answer of its API server")
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
    local paused = containers(ctx, "paused")
    if #paused > 0 then must({ "docker", "unpause", table.unpack(paused) }, "unpause its containers") end
    must({ "docker", "start", table.unpack(all) }, "start its containers")
    wait_ready(ctx)
    return true
end

---@async
---@param ctx todo.ClusterContext
function kind.stop(ctx)
    local all = containers(ctx)
    if #all > 0 then must({ "docker", "stop", table.unpack(all) }, "stop its containers") end
end

---@async
---@param ctx todo.ClusterContext
function kind.delete(ctx)
    must({ "kind", "delete", "cluster", "--name", cluster_name(ctx), "--kubeconfig", kind.kubeconfig(ctx).kubeconfig },
        "delete the cluster")
    fs.remove(fs.join(ctx.state_dir, "kind"))
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function kind.status(ctx)
    return { state = (state_of(ctx)) }
end

local function authority_in(path)
    if not fs.exists(path) then return nil end
    local found
    for _, context in ipairs(k8s.contexts({ kubeconfig = path })) do found = context.ca_sha256 end
    return found
end

---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean }
function kind.kubeconfig(ctx)
    local path = fs.join(ctx.state_dir, "kind", "kubeconfig")
    fs.mkdir(fs.dirname(path), 448)
    local result = { kubeconfig = path, context = "kind-" .. cluster_name(ctx), owned = false }
    if state_of(ctx) == "absent" then return result end
    local copy = proc.run({ "docker", "exec", node(ctx), "cat", "/etc/kubernetes/pki/ca.crt" }, { check = false })
    local authority = copy.status == 0 and provider.authority(copy.stdout)
    -- A cluster of the same name may have been made anew since the file was written.
    if authority_in(path) == nil or authority and authority_in(path) ~= authority then
        fs.write(path, must({ "kind", "get", "kubeconfig", "--name", cluster_name(ctx) },
            "give its kubeconfig").stdout, 384)
    end
    result.ca_sha256 = authority_in(path)
    result.owned = authority and result.ca_sha256 == authority or false
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

local function nodes(ctx)
    local result = must({ "docker", "ps", "--filter=label=io.x-k8s.kind.cluster=" .. cluster_name(ctx), "--format",
        '{{.Names}} {{.Label "io.x-k8s.kind.role"}}' }, "list its nodes")
    local list = {}
    for name, role in result.stdout:gmatch("(%S+) (%S+)") do
        if role ~= "external-load-balancer" then list[#list + 1] = name end
    end
    return list
end

---Images whose id is there already are not sent; the others are streamed into every node, its own platform alone.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[]
function kind.load_image(ctx, names)
    local sent = provider.missing(ctx, names, function(name) return kind.image_id(ctx, name) end)
    if #sent > 0 then provider.import_on_nodes(ctx, nodes(ctx), sent) end
    return sent
end

---@async
---@param ctx todo.ClusterContext
---@param port integer
---@return boolean
function kind.holds_port(ctx, port) return provider.published(node(ctx), port) end

kind.url = provider.loopback_url
kind.addons = provider.no_addons("kind has no add-ons")
kind.logs = provider.no_logs

return kind
