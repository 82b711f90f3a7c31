-- The processes of the cluster: their arguments and configuration files, made from the layout alone.
local json = require("json")

local components = {}

---Everything about one standalone cluster that its files and arguments depend on.
---@class todo.StandaloneLayout
---@field kubernetes string folder of Kubernetes' programs
---@field bin string folder of the others
---@field state string folder that survives a restart of the machine
---@field run string folder that need not
---@field pki string
---@field kubeconfig string the administrator's
---@field authority string? certificate of the cluster's authority in base64, once there is one
---@field server string URL of the API server
---@field nodes todo.StandaloneNode[] the first is where the control plane is
---@field interface string
---@field ip string address of the control plane and the first node, on an interface of its own
---@field pods string network of all pods
---@field services string network of the Services
---@field api_service_ip string
---@field ports { api: integer, etcd: integer, etcd_peer: integer, kubelet: integer, proxy: integer,
---metrics: integer }
---@field cni_folder string
---@field cgroup string control group that all pods live below, "/todo-lua"
---@field sys_resource boolean
---@field snapshotter string
---@field resolv_conf string
---@field has_servers boolean
---@field pause string image

local function etcd(l)
    local client = ("https://%s:%d"):format(l.ip, l.ports.etcd)
    local peer = ("https://%s:%d"):format(l.ip, l.ports.etcd_peer)
    local p, name = l.pki, l.nodes[1].name
    return { name = "etcd", argv = {
        l.bin .. "/etcd", "--name=" .. name, "--data-dir=" .. l.state .. "/etcd", "--log-level=warn",
        "--listen-client-urls=" .. client, "--advertise-client-urls=" .. client, "--listen-peer-urls=" .. peer,
        "--initial-advertise-peer-urls=" .. peer, "--initial-cluster=" .. name .. "=" .. peer,
        "--client-cert-auth", "--trusted-ca-file=" .. p .. "/ca.crt", "--cert-file=" .. p .. "/etcd.crt",
        "--key-file=" .. p .. "/etcd.key", "--peer-client-cert-auth", "--peer-trusted-ca-file=" .. p .. "/ca.crt",
        "--peer-cert-file=" .. p .. "/etcd.crt", "--peer-key-file=" .. p .. "/etcd.key",
    } }
end

local function apiserver(l)
    local p = l.pki
    return { name = "kube-apiserver", argv = {
        l.kubernetes .. "/kube-apiserver", "--bind-address=" .. l.ip, "--advertise-address=" .. l.ip,
        "--secure-port=" .. l.ports.api, "--service-cluster-ip-range=" .. l.services,
        ("--etcd-servers=https://%s:%d"):format(l.ip, l.ports.etcd), "--etcd-cafile=" .. p .. "/ca.crt",
        "--etcd-certfile=" .. p .. "/etcd.crt", "--etcd-keyfile=" .. p .. "/etcd.key",
        "--tls-cert-file=" .. p .. "/apiserver.crt", "--tls-private-key-file=" .. p .. "/apiserver.key",
        "--client-ca-file=" .. p .. "/ca.crt", "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-account-key-file=" .. p .. "/sa.pub", "--service-account-signing-key-file=" .. p .. "/sa.key",
        "--requestheader-client-ca-file=" .. p .. "/ca.crt", "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-", "--proxy-client-cert-file=" .. p .. "/front-proxy.crt",
        "--proxy-client-key-file=" .. p .. "/front-proxy.key", "--enable-aggregator-routing",
        "--kubelet-client-certificate=" .. p .. "/admin.crt", "--kubelet-client-key=" .. p .. "/admin.key",
        "--kubelet-certificate-authority=" .. p .. "/ca.crt", "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
            "--profiling=false",
    } }
end

local function controller_manager(l)
    local p = l.pki
    return { name = "kube-controller-manager", after = "api", argv = {
        l.kubernetes .. "/kube-controller-manager", "--kubeconfig=" .. l.state .. "/controller-manager.kubeconfig",
        "--service-account-private-key-file=" .. p .. "/sa.key", "--root-ca-file=" .. p .. "/ca.crt",
        "--cluster-signing-cert-file=" .. p .. "/ca.crt", "--cluster-signing-key-file=" .. p .. "/ca.key",
        "--use-service-account-credentials",
        "--flex-volume-plugin-dir=" .. l.state .. "/kubelet/volume-plugins", "--leader-elect=false", "--secure-port=0",
        "--profiling=false",
    } }
end

local function scheduler(l)
    return { name = "kube-scheduler", after = "api", argv = {
        l.kubernetes .. "/kube-scheduler", "--kubeconfig=" .. l.state .. "/scheduler.kubeconfig",
        "--leader-elect=false", "--secure-port=0", "--profiling=false",
    } }
end

local function containerd(node)
    return { name = "containerd" .. node.suffix, path = node.bin, argv = { node.bin .. "/containerd",
        "--config=" .. node.state .. "/containerd.toml" } }
end

local function kubelet(l, node)
    return { name = "kubelet" .. node.suffix, after = "api", argv = {
        l.kubernetes .. "/kubelet", "--config=" .. node.state .. "/kubelet.json",
        ("--kubeconfig=%s/kubelet%s.kubeconfig"):format(l.state, node.suffix),
        "--hostname-override=" .. node.name, "--node-ip=" .. node.ip, "--root-dir=" .. node.state .. "/kubelet",
    } }
end

-- One for all nodes, as they share the machine's network: what a Service keeps on the node (trafficPolicy Local) is on
-- the first. The machine's packet and connection limits are left as they are: zero means "do not touch".
local function proxy(l)
    return { name = "kube-proxy", after = "api", argv = {
        l.kubernetes .. "/kube-proxy", "--kubeconfig=" .. l.state .. "/proxy.kubeconfig", "--hostname-override="
            .. l.nodes[1].name, "--proxy-mode=iptables", "--cluster-cidr=" .. l.pods, "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s", "--healthz-bind-address=",
        ("--metrics-bind-address=%s:%d"):format(l.ip, l.ports.proxy),
    } }
end

local function coredns(l)
    return { name = "coredns", after = "api", argv = { l.bin .. "/coredns", "-conf", l.state .. "/Corefile" } }
end

---In the order in which they start. `after = "api"`: once the API server is ready; `path`: prepended to PATH; `env`:
---variables, where PATH stays as it is.
---@param layout todo.StandaloneLayout
---@return { name: string, argv: string[], after: string?, path: string?, env: table<string, string>? }[]
function components.list(layout)
    local list = { etcd(layout) }
    for _, node in ipairs(layout.nodes) do list[#list + 1] = containerd(node) end
    for _, make in ipairs({ apiserver, controller_manager, scheduler }) do list[#list + 1] = make(layout) end
    for _, node in ipairs(layout.nodes) do list[#list + 1] = kubelet(layout, node) end
    list[#list + 1] = proxy(layout)
    list[#list + 1] = coredns(layout)
    return list
end

local function containerd_config(node)
    local quote = json.encode
    return ([[
version = 3
root = %s
state = %s
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[grpc]
address = %s
[plugins.'io.containerd.cri.v1.images']
snapshotter = %s
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = %s
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = %s
netns_mounts_under_state_dir = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
Root = %s
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = [%s]
conf_dir = %s
]]):format(quote(node.state .. "/containerd"), quote(node.run .. "/containerd"),
        quote(node.run .. "/containerd.sock"), quote(node.snapshotter), quote(node.pause),
        tostring(not node.sys_resource), quote(node.run .. "/runc"), quote(node.cni_folder),
        quote(node.state .. "/cni"))
end

-- Point-to-point links need no bridge filter module, and every packet between pods passes the Services' rules.
local function network_config(node)
    return json.encode({
        cniVersion = "1.0.0",
        name = "todo-lua",
        plugins = {
            { type = "ptp", ipMasq = false, ipam = { type = "host-local", dataDir = node.state .. "/addresses",
                ranges = { { { subnet = node.node_pods, gateway = node.ip } } }, routes = { { dst = "0.0.0.0/0" } } } },
            { type = "portmap", capabilities = { portMappings = true } },
        },
    }, { indent = "  ", sort = true }) .. "\n"
end

-- Images come from the local Docker, so the kubelet must never collect them: a pull would fail.
local function kubelet_config(l, node)
    return json.encode({
        apiVersion = "kubelet.config.k8s.io/v1beta1",
        kind = "KubeletConfiguration",
        address = node.ip,
        port = l.ports.kubelet,
        healthzPort = 0,
        failCgroupV1 = false,
        failSwapOn = false,
        cgroupDriver = "cgroupfs",
        cgroupRoot = node.cgroup,
        podLogsDir = node.state .. "/pods",
        volumePluginDir = node.state .. "/kubelet/volume-plugins",
        imageGCHighThresholdPercent = 100,
        imageGCLowThresholdPercent = 99,
        authentication = { anonymous = { enabled = false }, webhook = { enabled = true },
            x509 = { clientCAFile = l.pki .. "/ca.crt" } },
        authorization = { mode = "Webhook" },
        tlsCertFile = ("%s/kubelet%s.crt"):format(l.pki, node.suffix),
        tlsPrivateKeyFile = ("%s/kubelet%s.key"):format(l.pki, node.suffix),
        clusterDNS = { l.ip },
        clusterDomain = "cluster.local",
        containerRuntimeEndpoint = "unix://" .. node.run .. "/containerd.sock",
        resolvConf = l.resolv_conf,
        evictionHard = { ["nodefs.available"] = "1%", ["nodefs.inodesFree"] = "1%", ["imagefs.available"] = "1%",
            ["memory.available"] = "100Mi" },
    }, { indent = "  ", sort = true }) .. "\n"
end

local function corefile(l)
    local forward = l.has_servers and "  forward . /etc/resolv.conf\n" or ""
    return ([[
.:53 {
  bind %s
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig %s/coredns.kubeconfig
    fallthrough in-addr.arpa ip6.arpa
  }
%s  cache 5
}
]]):format(l.ip, l.state, forward)
end

---Configuration files by path.
---@param layout todo.StandaloneLayout
---@return table<string,string>
function components.files(layout)
    local files = { [layout.state .. "/Corefile"] = corefile(layout) }
    for _, node in ipairs(layout.nodes) do
        files[node.state .. "/containerd.toml"] = containerd_config(node)
        files[node.state .. "/cni/10-todo-lua.conflist"] = network_config(node)
        files[node.state .. "/kubelet.json"] = kubelet_config(layout, node)
    end
    return files
end

---What CoreDNS may read; created once the API server answers.
---@return table[]
function components.objects()
    local role = "system:coredns"
    return {
        { apiVersion = "rbac.authorization.k8s.io/v1", kind = "ClusterRole", metadata = { name = role }, rules = {
            { apiGroups = { "" }, resources = { "endpoints", "services", "pods", "namespaces" }, verbs = { "list",
                "watch" } },
            { apiGroups = { "discovery.k8s.io" }, resources = { "endpointslices" }, verbs = { "list", "watch" } },
        } },
        { apiVersion = "rbac.authorization.k8s.io/v1", kind = "ClusterRoleBinding", metadata = { name = role },
            roleRef = { apiGroup = "rbac.authorization.k8s.io", kind = "ClusterRole", name = role },
            subjects = { { kind = "User", apiGroup = "rbac.authorization.k8s.io", name = role } } },
    }
end

return components
