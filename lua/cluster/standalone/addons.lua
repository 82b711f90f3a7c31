-- The standalone cluster's add-ons: each is a program that is supervised beside the cluster's own, and the objects
-- that lead to it.
local fail = require("fail")
local fs = require("fs")
local gobuild = require("cluster.standalone.gobuild")
local http = require("http")
local json = require("json")
local pins = require("cluster.standalone.pins")
local ports = require("cluster.standalone.ports")
local processes = require("cluster.standalone.processes")

local addons = {}

---@class todo.StandaloneAddon
---@field program string name of the program, of its process and of its kubeconfig
---@field component fun(layout: todo.StandaloneLayout, bin: string): table as components.list has them
---@field objects fun(layout: todo.StandaloneLayout): table[]
---@field ready fun(layout: todo.StandaloneLayout, client: todo.K8s): boolean
---@field check fun(layout: todo.StandaloneLayout)? raises where the machine has no room for it

local RBAC = "rbac.authorization.k8s.io"

local function role(name, rules, labels)
    return { apiVersion = RBAC .. "/v1", kind = "ClusterRole", metadata = { name = name, labels = labels },
        rules = rules }
end

local function binding(name, role_name, user, namespace)
    return { apiVersion = RBAC .. "/v1", kind = namespace and "RoleBinding" or "ClusterRoleBinding",
        metadata = { name = name, namespace = namespace },
        roleRef = { apiGroup = RBAC, kind = namespace and "Role" or "ClusterRole", name = role_name },
        subjects = { { kind = "User", apiGroup = RBAC, name = user } } }
end

-- The API server reaches the program as it would a pod: through a Service, whose only endpoint is the node itself.
local function metrics_objects(l)
    local user, name, space = "system:metrics-server", "metrics-server", "kube-system"
    return {
        role(user, {
            { apiGroups = { "" }, resources = { "nodes/metrics" }, verbs = { "get" } },
            { apiGroups = { "" }, resources = { "pods", "nodes" }, verbs = { "get", "list", "watch" } },
        }),
        role("system:aggregated-metrics-reader", { { apiGroups = { "metrics.k8s.io" }, resources = { "pods", "nodes" },
            verbs = { "get", "list", "watch" } } }, { [RBAC .. "/aggregate-to-view"] = "true",
            [RBAC .. "/aggregate-to-edit"] = "true", [RBAC .. "/aggregate-to-admin"] = "true" }),
        binding(user, user, user),
        binding("metrics-server:system:auth-delegator", "system:auth-delegator", user),
        binding("metrics-server-auth-reader", "extension-apiserver-authentication-reader", user, space),
        { apiVersion = "v1", kind = "Service", metadata = { name = name, namespace = space },
            spec = { ports = { { name = "https", port = 443, targetPort = l.ports.metrics } } } },
        { apiVersion = "discovery.k8s.io/v1", kind = "EndpointSlice",
            metadata = { name = name, namespace = space, labels = { ["kubernetes.io/service-name"] = name } },
            addressType = "IPv4", ports = { { name = "https", port = l.ports.metrics, protocol = "TCP" } },
            endpoints = { { addresses = { l.ip }, conditions = { ready = true } } } },
        { apiVersion = "apiregistration.k8s.io/v1", kind = "APIService", metadata = { name = "v1beta1.metrics.k8s.io" },
            spec = { service = { name = name, namespace = space }, group = "metrics.k8s.io", version = "v1beta1",
                caBundle = l.authority, groupPriorityMinimum = 100, versionPriority = 100 } },
    }
end

local metrics_server = { program = "metrics-server", objects = metrics_objects }

function metrics_server.component(l, bin)
    local kubeconfig = l.state .. "/metrics-server.kubeconfig"
    return { name = "metrics-server", after = "api", argv = {
        bin .. "/metrics-server", "--kubeconfig=" .. kubeconfig, "--authentication-kubeconfig=" .. kubeconfig,
        "--authorization-kubeconfig=" .. kubeconfig, "--bind-address=" .. l.ip, "--secure-port=" .. l.ports.metrics,
        "--tls-cert-file=" .. l.pki .. "/metrics-server.crt",
        "--tls-private-key-file=" .. l.pki .. "/metrics-server.key",
        "--kubelet-certificate-authority=" .. l.pki .. "/ca.crt", "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-use-node-status-port", "--metric-resolution=15s", "--profiling=false",
    } }
end

-- An empty list will do: the first figures need two samples, half a minute.
function metrics_server.ready(_, client)
    return client:list("metrics.k8s.io/v1beta1/NodeMetrics") ~= nil
end

local INGRESS_USER = "todo-lua:ingress"

local ingress = { program = "traefik" }

function ingress.objects()
    local watch = { "get", "list", "watch" }
    return {
        role(INGRESS_USER, {
            { apiGroups = { "" }, resources = { "services", "secrets", "configmaps", "namespaces", "nodes", "endpoints",
                "pods" }, verbs = watch },
            { apiGroups = { "discovery.k8s.io" }, resources = { "endpointslices" }, verbs = watch },
            { apiGroups = { "networking.k8s.io" }, resources = { "ingresses", "ingressclasses" }, verbs = watch },
            { apiGroups = { "networking.k8s.io" }, resources = { "ingresses/status" }, verbs = { "update" } },
        }),
        binding(INGRESS_USER, INGRESS_USER, INGRESS_USER),
        { apiVersion = "networking.k8s.io/v1", kind = "IngressClass", metadata = { name = "nginx" },
            spec = { controller = "k8s.io/ingress-nginx" } },
    }
end

-- Traefik reads Ingresses of class nginx with that controller's annotations, so that charts made for it hold. As that
-- one does, it drops headers whose names have underscores.
function ingress.component(l, bin)
    local kubeconfig = l.state .. "/traefik.kubeconfig"
    return { name = "traefik", after = "api", env = { KUBECONFIG = kubeconfig }, argv = {
        bin .. "/traefik", "--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=WARN",
        ("--entrypoints.web.address=%s:80"):format(l.ip), ("--entrypoints.websecure.address=%s:443"):format(l.ip),
        "--entrypoints.web.http.aliasheadersstrategy=delete",
        "--entrypoints.websecure.http.aliasheadersstrategy=delete",
        "--entrypoints.websecure.http.tls=true", "--providers.kubernetesingressnginx=true",
        "--providers.kubernetesingressnginx.publishstatusaddress=" .. l.ip,
        -- The cluster's processes are found by its folder among their arguments.
        ("--providers.kubernetesingressnginx.certauthfilepath=%s/ca.crt"):format(l.pki),
    } }
end

function ingress.ready(l)
    local ok, answer = pcall(http.get, ("http://%s/"):format(l.ip), { fresh = true, timeout = 2, proxy = "" })
    return ok and answer.status >= 200
end

function ingress.check(l)
    if processes.noted(l, "traefik") then return end
    for _, port in ipairs({ 80, 443 }) do
        if ports.wildcard_holder(port, "tcp") then
            fail.raise("port_busy", ("the add-on ingress needs port %d, which another program holds"):format(port),
                ("stop it (find it with: ss -ltnp 'sport = :%d'), or bind it to 127.0.0.1"):format(port))
        end
    end
end

---@type table<string, todo.StandaloneAddon>
local known = { ingress = ingress, ["metrics-server"] = metrics_server }

local NAMES = { "ingress", "metrics-server" }

local function note_path(state)
    return fs.join(state, "addons.json")
end

---Those that are enabled, in a fixed order.
---@param state string folder of the cluster
---@return string[]
function addons.enabled(state)
    local text = fs.read(note_path(state))
    local noted, list = {}, {}
    for _, name in ipairs(text and json.decode(text) or {}) do noted[name] = true end
    for _, name in ipairs(NAMES) do
        if noted[name] then list[#list + 1] = name end
    end
    return list
end

---Names of the processes that belong to what is enabled.
---@param state string
---@return string[]
function addons.programs(state)
    local list = {}
    for _, name in ipairs(addons.enabled(state)) do list[#list + 1] = known[name].program end
    return list
end

---@param state string
---@return { name: string, enabled: boolean }[]
function addons.list(state)
    local list, on = {}, {}
    for _, name in ipairs(addons.enabled(state)) do on[name] = true end
    for _, name in ipairs(NAMES) do list[#list + 1] = { name = name, enabled = on[name] or false } end
    return list
end

local function build(cache, name, progress)
    return (gobuild.ensure(cache, { pins.addons[name] }, nil, progress))
end

---Notes that they are enabled, once their programs are built and their ports are free; the next start brings them.
---@async
---@param layout todo.StandaloneLayout
---@param names string[]
---@param progress fun(name: string, text: string, done: number?, total: number?)
function addons.enable(layout, names, progress)
    local list = json.list(addons.enabled(layout.state))
    for _, name in ipairs(names) do
        local addon = known[name]
        if not addon then
            fail.raise("unsupported", "the standalone cluster has no add-on " .. name,
                "it has " .. table.concat(NAMES, ", "))
        end
        if addon.check then addon.check(layout) end
        build(layout.programs, name, progress)
        list[#list + 1] = name
    end
    fs.write(note_path(layout.state), json.encode(list) .. "\n")
end

---@param layout todo.StandaloneLayout
---@param name string
---@param bin string folder of its program
---@return table component as components.list has them
function addons.component(layout, name, bin)
    return known[name].component(layout, bin)
end

---Processes of what is enabled, built now where the cache has lost them.
---@async
---@param layout todo.StandaloneLayout
---@param progress fun(name: string, text: string, done: number?, total: number?)
---@return table[] components as components.list has them
function addons.components(layout, progress)
    local list = {}
    for _, name in ipairs(addons.enabled(layout.state)) do
        if known[name].check then known[name].check(layout) end
        list[#list + 1] = addons.component(layout, name, build(layout.programs, name, progress))
    end
    return list
end

---Objects of what is enabled.
---@param layout todo.StandaloneLayout
---@return table[]
function addons.objects(layout)
    local list = {}
    for _, name in ipairs(addons.enabled(layout.state)) do
        for _, object in ipairs(known[name].objects(layout)) do list[#list + 1] = object end
    end
    return list
end

---The first that is enabled and does not do its work yet.
---@async
---@param layout todo.StandaloneLayout
---@param client todo.K8s
---@return string? name
---@return string? program
function addons.unready(layout, client)
    for _, name in ipairs(addons.enabled(layout.state)) do
        local ok, ready = pcall(known[name].ready, layout, client)
        if not ok or not ready then return name, known[name].program end
    end
end

return addons
