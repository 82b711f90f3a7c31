-- kind: a cluster in containers of the local Docker, made with the NodePort mapped to this machine.
local container_cluster = require("container_cluster")
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

local ANSWER_SECONDS = container_cluster.ANSWER_SECONDS

local function described(ctx)
    local name = ctx.config.cluster and ctx.config.cluster.name or "todo-lua"
    return { tool = "kind", name = name, label = "io.x-k8s.kind.cluster=" .. name, node = name .. "-control-plane",
        kubeconfig = "/etc/kubernetes/admin.conf" }
end

local function node_port(ctx) return ctx.config.ports and ctx.config.ports.node or 30080 end

local function kubeconfig_path(ctx)
    local path = fs.join(ctx.state_dir, "kind", "kubeconfig")
    fs.mkdir(fs.dirname(path), 448)
    return path
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
    local result = container_cluster.run(argv, options)
    result.stderr = result.status == 0 and result.stderr or cause(result.stderr)
    return provider.check("kind", result, what)
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function kind.detect(ctx)
    if not proc.which("kind") then return { available = false, reason = "kind is not installed" } end
    if not proc.which("docker") then
        return { available = false, reason = "kind needs the docker command, which is not installed" }
    end
    return container_cluster.detect(ctx, described(ctx))
end

-- A kubelet from 1.35 on refuses cgroup v1 unless it is told otherwise.
local function patches(ctx)
    if provider.engine(ctx):info().CgroupVersion ~= "1" then return nil end
    return { "kind: KubeletConfiguration\nfailCgroupV1: false\n" }
end

local function create(ctx)
    local settings, port = ctx.config.cluster or {}, node_port(ctx)
    container_cluster.check_port(port, {})
    local config = yaml.encode({
        kind = "Cluster",
        apiVersion = "kind.x-k8s.io/v1alpha4",
        kubeadmConfigPatches = patches(ctx),
        nodes = { { role = "control-plane", extraPortMappings = {
            { containerPort = port, hostPort = port, listenAddress = "127.0.0.1" },
        } } },
    })
    local c = described(ctx)
    local argv = { "kind", "create", "cluster", "--name", c.name, "--wait", "120s", "--config", "-", "--kubeconfig",
        kubeconfig_path(ctx) }
    if settings.kubernetes_version then
        argv[#argv + 1] = "--image=kindest/node:v" .. settings.kubernetes_version:gsub("^v", "")
    end
    for _, flag in ipairs(settings.kind_flags or {}) do argv[#argv + 1] = flag end
    local progress = provider.progress(ctx)
    progress("kind", "creating the cluster")
    container_cluster.make(ctx, c, function() must(argv, "create the cluster", { stdin = config }) end)
    progress("kind", "created", 1, 1)
end

local function kubectl(ctx, ...)
    local argv = { "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", ... }
    local ok, result = pcall(function()
        return ctx.docker:exec(described(ctx).node, argv, { timeout = ANSWER_SECONDS })
    end)
    return ok and result.status == 0 and result.stdout or nil
end

-- Whether every node of the cluster is Ready.
local function is_whole(ctx)
    local told = kubectl(ctx, "get", "nodes",
        '--output=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}') or ""
    return told:find("^True[True ]*$") ~= nil
end

local NETWORK = { ["kube-proxy"] = true, ["kube-dns"] = true } -- as their pods are labelled

-- What the API tells of pods after a restart is what was so before, until the kubelet knows their new containers. No
-- Service answers before the pods run that lead to it.
local function has_settled(ctx)
    local list = kubectl(ctx, "get", "pods", "--all-namespaces", "--output=json")
    if not list then return false end
    local seconds = #"2026-01-01T00:00:00"
    local begun = ctx.docker:container(described(ctx).node).State.StartedAt:sub(1, seconds)
    for _, pod in ipairs(json.decode(list).items) do
        for _, container in ipairs(pod.status.containerStatuses or {}) do
            local started = tables.at(container, "state.running.startedAt")
            if container.ready and started and started:sub(1, seconds) < begun then return false end
            if not container.ready and NETWORK[tables.at(pod, "metadata.labels.k8s-app")] then return false end
        end
    end
    return true
end

-- Makes all containers run; false where they did.
local function resume(ctx, containers)
    if container_cluster.all_run(containers) then return false end
    container_cluster.check_port(node_port(ctx), containers)
    for _, one in ipairs(containers) do
        local path = "/containers/" .. one.Id
        if one.State == "paused" then
            ctx.docker:call("POST", path .. "/unpause")
        elseif one.State ~= "running" then
            ctx.docker:start(one.Id)
        end
    end
    return true
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function kind.start(ctx)
    local c = described(ctx)
    local containers = container_cluster.containers(ctx, c)
    if #containers == 0 then
        create(ctx)
        return true
    end
    local started = resume(ctx, containers)
    if container_cluster.is_unfinished(ctx, c, function() return is_whole(ctx) end) then
        -- There is nothing in it to lose.
        provider.progress(ctx)("kind", "removing what was left half made")
        kind.delete(ctx)
        create(ctx)
        return true
    end
    if not started and container_cluster.answers(containers) then return false end
    -- Containers run long before the API server in them answers.
    container_cluster.wait(c, function() return kubectl(ctx, "get", "--raw", "/readyz") and has_settled(ctx) end)
    return true
end

---@async
---@param ctx todo.ClusterContext
function kind.stop(ctx)
    task.all(tables.map(container_cluster.containers(ctx, described(ctx)), function(one)
        return function() ctx.docker:stop(one.Id) end
    end))
end

---@async
---@param ctx todo.ClusterContext
function kind.delete(ctx)
    must({ "kind", "delete", "cluster", "--name", described(ctx).name, "--kubeconfig", kubeconfig_path(ctx) },
        "delete the cluster")
    fs.remove(fs.join(ctx.state_dir, "kind"))
end

---@async
---@param ctx todo.ClusterContext
---@return boolean
function kind.made_here(ctx)
    return container_cluster.made_here(ctx, described(ctx), function() return is_whole(ctx) end)
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function kind.status(ctx)
    return container_cluster.status(ctx, described(ctx), function() return is_whole(ctx) end)
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
    local path, c = kubeconfig_path(ctx), described(ctx)
    local result = { kubeconfig = path, context = "kind-" .. c.name, owned = false }
    if #container_cluster.containers(ctx, c) == 0 then return result end
    local copied, copy = pcall(function()
        return ctx.docker:exec(c.node, { "cat", "/etc/kubernetes/pki/ca.crt" }, { timeout = ANSWER_SECONDS })
    end)
    local authority = copied and copy.status == 0 and provider.authority(copy.stdout)
    -- A cluster of the same name may have been made anew since the file was written.
    if authority_in(path) == nil or authority and authority_in(path) ~= authority then
        fs.write(path, must({ "kind", "get", "kubeconfig", "--name", c.name },
            "give its kubeconfig", { timeout = ANSWER_SECONDS }).stdout, 384)
    end
    result.ca_sha256 = authority_in(path)
    result.owned = authority and result.ca_sha256 == authority or false
    return result
end

---Address of this machine on the network of kind's containers.
---@async
---@param ctx todo.ClusterContext
---@return string
function kind.host_address(ctx)
    local network = provider.engine(ctx):network("kind")
    for _, part in ipairs(tables.at(network or {}, "IPAM.Config") or {}) do
        if (part.Gateway or ""):find("^%d+%.%d+%.%d+%.%d+$") then return part.Gateway end
    end
    return "host.docker.internal"
end

---@async
---@param ctx todo.ClusterContext
---@param name string
---@return string?
function kind.image_id(ctx, name) return provider.image_id_on_node(ctx, described(ctx).node, name) end

---Images whose id is there already are not sent; the others are streamed into every node, its own platform alone.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[]
function kind.load_image(ctx, names)
    local nodes = {}
    for _, one in ipairs(container_cluster.containers(ctx, described(ctx))) do
        if one.Labels["io.x-k8s.kind.role"] ~= "external-load-balancer" then
            nodes[#nodes + 1] = one.Names[1]:gsub("^/", "")
        end
    end
    return provider.load_on_nodes(ctx, nodes, names)
end

---@async
---@param ctx todo.ClusterContext
---@param port integer
---@return boolean
function kind.holds_port(ctx, port) return provider.published(ctx, described(ctx).node, port) end

kind.url = provider.loopback_url
kind.addons = provider.no_addons("kind has no add-ons")
kind.logs = provider.no_logs

return kind
