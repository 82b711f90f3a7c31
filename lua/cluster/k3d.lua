-- k3d: k3s in containers of the local Docker, made with the NodePort mapped to this machine.
local fail = require("fail")
local fs = require("fs")
local json = require("json")
local k8s = require("k8s")
local proc = require("proc")
local provider = require("provider")

---@type todo.ClusterProvider
local k3d = { name = "k3d" }

local function cluster_name(ctx)
    return ctx.config.cluster and ctx.config.cluster.name or "todo-lua"
end

-- k3d paints its log, tells each cause once more for every step that it takes back, and the first one is the cause.
local function cause(stderr)
    for line in stderr:gsub("\27%[[%d;]*m", ""):gmatch("[^\n]+") do
        local text = line:match("^ERRO%[%d+%] (.*)$") or line:match("^FATA%[%d+%] (.*)$")
        if text and not text:find("^Failed to run tools container") then return text end
    end
    return stderr
end

local function run(argv)
    local result = proc.run(argv, { check = false })
    result.stderr = result.status == 0 and result.stderr or cause(result.stderr)
    return result
end

local function must(argv, what) return provider.check("k3d", run(argv), what) end

local function find(ctx)
    local result = proc.run({ "k3d", "cluster", "list", "-o", "json" }, { check = false })
    local ok, list = pcall(json.decode, result.stdout)
    for _, cluster in ipairs(ok and type(list) == "table" and list or {}) do
        if cluster.name == cluster_name(ctx) then return cluster end
    end
    return nil
end

local function state_of(ctx)
    local cluster = find(ctx)
    if not cluster then return "absent" end
    local running = (cluster.serversRunning or 0) > 0 and cluster.serversRunning == cluster.serversCount
    return running and "running" or "stopped"
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function k3d.detect(ctx)
    if not proc.which("k3d") then return { available = false, reason = "k3d is not installed" } end
    local state = state_of(ctx)
    return { available = true, exists = state ~= "absent", running = state == "running",
        reason = ("its cluster %s is %s"):format(cluster_name(ctx), state) }
end

-- What k3d leaves behind where it could not make the first node, and what its own delete then does not find.
local function remove_rest(ctx)
    if find(ctx) then return end
    local prefix = "k3d-" .. cluster_name(ctx)
    pcall(ctx.docker.remove_network, ctx.docker, prefix)
    pcall(ctx.docker.remove_volume, ctx.docker, prefix .. "-images")
end

-- k3s counts its builds of each version of Kubernetes; which is the newest one, k3d does not look up.
local function image_of(wanted)
    local version = tostring(wanted):gsub("^v", ""):gsub("%+", "-")
    if version:find("^%d+%.%d+%.%d+$") then version = version .. "-k3s1" end
    if not version:find("^%d+%.%d+%.%d+%-k3s%d+$") then
        fail.raise("config", ("k3d does not know which k3s is Kubernetes %s"):format(wanted),
            'name a whole version: cluster = { kubernetes_version = "1.35.4" }, or "1.35.4-k3s2"')
    end
    return "--image=rancher/k3s:v" .. version
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function k3d.start(ctx)
    local state = state_of(ctx)
    if state == "running" then return false end
    if state == "stopped" then
        must({ "k3d", "cluster", "start", cluster_name(ctx), "--wait" }, "start the cluster")
        return true
    end
    local port = ctx.config.ports and ctx.config.ports.node or 30080
    local argv = { "k3d", "cluster", "create", cluster_name(ctx), "--wait", "--kubeconfig-update-default=false",
        "--kubeconfig-switch-context=false", "-p", ("127.0.0.1:%d:%d@server:0"):format(port, port) }
    local wanted = ctx.config.cluster and ctx.config.cluster.kubernetes_version
    if wanted then argv[#argv + 1] = image_of(wanted) end
    local progress = provider.progress(ctx)
    progress("k3d", "creating the cluster")
    local result = run(argv)
    if result.status ~= 0 then remove_rest(ctx) end
    provider.check("k3d", result, "create the cluster")
    progress("k3d", "created", 1, 1)
    return true
end

---@async
---@param ctx todo.ClusterContext
function k3d.stop(ctx)
    if state_of(ctx) == "running" then must({ "k3d", "cluster", "stop", cluster_name(ctx) }, "stop the cluster") end
end

---@async
---@param ctx todo.ClusterContext
function k3d.delete(ctx)
    must({ "k3d", "cluster", "delete", cluster_name(ctx) }, "delete the cluster")
    fs.remove(fs.join(ctx.state_dir, "k3d"))
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function k3d.status(ctx)
    return { state = state_of(ctx) }
end

---The kubeconfig is asked of k3d each time, which reads it from the cluster's own container: that makes it this
---machine's.
---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean }
function k3d.kubeconfig(ctx)
    local path = fs.join(ctx.state_dir, "k3d", "kubeconfig")
    local result = { kubeconfig = path, context = "k3d-" .. cluster_name(ctx), owned = false }
    if state_of(ctx) == "absent" then return result end
    fs.mkdir(fs.dirname(path), 448)
    fs.write(path, must({ "k3d", "kubeconfig", "get", cluster_name(ctx) }, "give its kubeconfig").stdout, 384)
    for _, context in ipairs(k8s.contexts({ kubeconfig = path })) do result.ca_sha256 = context.ca_sha256 end
    result.owned = true
    return result
end

k3d.platform = provider.platform

---@return string
function k3d.host_address()
    return "host.k3d.internal"
end

local function server(ctx) return ("k3d-%s-server-0"):format(cluster_name(ctx)) end

---@async
---@param ctx todo.ClusterContext
---@param name string
---@return string?
function k3d.image_id(ctx, name) return provider.image_id_on_node(server(ctx), name) end

local function nodes(ctx)
    local list = {}
    for _, node in ipairs((find(ctx) or {}).nodes or {}) do
        if node.role == "server" or node.role == "agent" then list[#list + 1] = node.name end
    end
    return list
end

---Images whose id is there already are not sent; the others are streamed into every node, its own platform alone. k3d's
---own import tells nobody how far it is, and ends well where a node took nothing.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[]
function k3d.load_image(ctx, names)
    local sent = provider.missing(ctx, names, function(name) return k3d.image_id(ctx, name) end)
    if #sent > 0 then provider.import_on_nodes(ctx, nodes(ctx), sent) end
    return sent
end

---The port is the load balancer's, or the server's where there is none.
---@async
---@param ctx todo.ClusterContext
---@param port integer
---@return boolean
function k3d.holds_port(ctx, port)
    local prefix = "k3d-" .. cluster_name(ctx)
    return provider.published(prefix .. "-serverlb", port) or provider.published(prefix .. "-server-0", port)
end

k3d.url = provider.loopback_url
k3d.addons = provider.no_addons("k3d has no add-ons")
k3d.logs = provider.no_logs

return k3d
