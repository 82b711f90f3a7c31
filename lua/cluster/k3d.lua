-- k3d: k3s in containers of the local Docker, made with the NodePort mapped to this machine.
local container_cluster = require("container_cluster")
local fail = require("fail")
local fs = require("fs")
local k8s = require("k8s")
local proc = require("proc")
local provider = require("provider")
local tables = require("tables")

---@type todo.ClusterProvider
local k3d = { name = "k3d" }

local function described(ctx)
    local name = ctx.config.cluster and ctx.config.cluster.name or "todo-lua"
    return { tool = "k3d", name = name, label = "k3d.cluster=" .. name, node = ("k3d-%s-server-0"):format(name),
        kubeconfig = "/output/kubeconfig.yaml" }
end

local function node_port(ctx) return ctx.config.ports and ctx.config.ports.node or 30080 end

-- k3d paints its log, tells each cause once more for every step that it takes back, and the first one is the cause.
local function cause(stderr)
    for line in stderr:gsub("\27%[[%d;]*m", ""):gmatch("[^\n]+") do
        local text = line:match("^ERRO%[%d+%] (.*)$") or line:match("^FATA%[%d+%] (.*)$")
        if text and not text:find("^Failed to run tools container") then return text end
    end
    return stderr
end

local function run(argv, options)
    local result = container_cluster.run(argv, options)
    result.stderr = result.status == 0 and result.stderr or cause(result.stderr)
    return result
end

local function must(argv, what, options) return provider.check("k3d", run(argv, options), what) end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function k3d.detect(ctx)
    if not proc.which("k3d") then return { available = false, reason = "k3d is not installed" } end
    return container_cluster.detect(ctx, described(ctx))
end

-- What k3d leaves behind where it could not make the first node, and what its own delete then does not find.
local function remove_rest(ctx, c)
    if #container_cluster.containers(ctx, c) > 0 then return end
    local prefix = "k3d-" .. c.name
    pcall(ctx.docker.remove_network, ctx.docker, prefix)
    pcall(ctx.docker.remove_volume, ctx.docker, prefix .. "-images")
end

-- k3s counts its builds of each version of Kubernetes; which is the newest one, k3d does not look up.
local function image_of(wanted)
    local version = wanted:gsub("^v", ""):gsub("%+", "-")
    if version:find("^%d+%.%d+%.%d+$") then version = version .. "-k3s1" end
    if not version:find("^%d+%.%d+%.%d+%-k3s%d+$") then
        fail.raise("config", ("k3d does not know which k3s is Kubernetes %s"):format(wanted),
            'name a whole version: cluster = { kubernetes_version = "1.35.4" }, or "1.35.4-k3s2"')
    end
    return "--image=rancher/k3s:v" .. version
end

local function create(ctx, c)
    local port = node_port(ctx)
    container_cluster.check_port(port, {})
    local argv = { "k3d", "cluster", "create", c.name, "--wait", "--kubeconfig-update-default=false",
        "--kubeconfig-switch-context=false", "-p", ("127.0.0.1:%d:%d@server:0"):format(port, port) }
    local wanted = ctx.config.cluster and ctx.config.cluster.kubernetes_version
    if wanted then argv[#argv + 1] = image_of(wanted) end
    local progress = provider.progress(ctx)
    progress("k3d", "creating the cluster")
    container_cluster.make(ctx, c, function()
        local result = run(argv)
        if result.status ~= 0 then remove_rest(ctx, c) end
        provider.check("k3d", result, "create the cluster")
    end)
    progress("k3d", "created", 1, 1)
end

-- k3d makes and starts the load balancer last.
local function is_whole(ctx)
    local list = container_cluster.containers(ctx, described(ctx))
    return #tables.filter(list, function(one)
        return one.Labels["k3d.role"] == "loadbalancer" and one.State == "running"
    end) > 0
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function k3d.start(ctx)
    local c = described(ctx)
    local containers = container_cluster.containers(ctx, c)
    if #containers == 0 then
        create(ctx, c)
        return true
    end
    if container_cluster.is_unfinished(ctx, c, function() return is_whole(ctx) end) then
        -- There is nothing in it to lose.
        provider.progress(ctx)("k3d", "removing what was left half made")
        k3d.delete(ctx)
        create(ctx, c)
        return true
    end
    if not container_cluster.all_run(containers) then
        container_cluster.check_port(node_port(ctx), containers)
        must({ "k3d", "cluster", "start", c.name, "--wait", "--timeout", "180s" }, "start the cluster")
        return true
    end
    if container_cluster.answers(containers) then return false end
    container_cluster.wait(c, function() return container_cluster.answers(containers) end)
    return true
end

---@async
---@param ctx todo.ClusterContext
function k3d.stop(ctx)
    local c = described(ctx)
    if #container_cluster.containers(ctx, c) > 0 then
        must({ "k3d", "cluster", "stop", c.name }, "stop the cluster")
    end
end

---@async
---@param ctx todo.ClusterContext
function k3d.delete(ctx)
    local c = described(ctx)
    must({ "k3d", "cluster", "delete", c.name }, "delete the cluster")
    fs.remove(fs.join(ctx.state_dir, "k3d"))
end

---@async
---@param ctx todo.ClusterContext
---@return boolean
function k3d.made_here(ctx)
    return container_cluster.made_here(ctx, described(ctx), function() return is_whole(ctx) end)
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function k3d.status(ctx)
    return container_cluster.status(ctx, described(ctx), function() return is_whole(ctx) end)
end

---The kubeconfig is asked of k3d each time, which reads it from the cluster's own container: that makes it this
---machine's.
---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean }
function k3d.kubeconfig(ctx)
    local path, c = fs.join(ctx.state_dir, "k3d", "kubeconfig"), described(ctx)
    local result = { kubeconfig = path, context = "k3d-" .. c.name, owned = false }
    if #container_cluster.containers(ctx, c) == 0 then return result end
    fs.mkdir(fs.dirname(path), 448)
    fs.write(path, must({ "k3d", "kubeconfig", "get", c.name }, "give its kubeconfig",
        { timeout = container_cluster.ANSWER_SECONDS }).stdout, 384)
    for _, context in ipairs(k8s.contexts({ kubeconfig = path })) do result.ca_sha256 = context.ca_sha256 end
    result.owned = true
    return result
end

---@return string
function k3d.host_address()
    return "host.k3d.internal"
end

---@async
---@param ctx todo.ClusterContext
---@param name string
---@return string?
function k3d.image_id(ctx, name) return provider.image_id_on_node(ctx, described(ctx).node, name) end

local RUNS_PODS = { server = true, agent = true }

---Images whose id is there already are not sent; the others are streamed into every node, its own platform alone. k3d's
---own import tells nobody how far it is, and ends well where a node took nothing.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[]
function k3d.load_image(ctx, names)
    local nodes = {}
    for _, one in ipairs(container_cluster.containers(ctx, described(ctx))) do
        if RUNS_PODS[one.Labels["k3d.role"]] then nodes[#nodes + 1] = one.Names[1]:gsub("^/", "") end
    end
    return provider.load_on_nodes(ctx, nodes, names)
end

---The port is the load balancer's, or the server's where there is none.
---@async
---@param ctx todo.ClusterContext
---@param port integer
---@return boolean
function k3d.holds_port(ctx, port)
    local c = described(ctx)
    return provider.published(ctx, ("k3d-%s-serverlb"):format(c.name), port) or provider.published(ctx, c.node, port)
end

k3d.url = provider.loopback_url
k3d.addons = provider.no_addons("k3d has no add-ons")
k3d.logs = provider.no_logs

return k3d
