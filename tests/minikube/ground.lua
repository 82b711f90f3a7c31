-- A real minikube with its docker driver, from sources and packages alone: its programs are built from their Go modules, its
-- node and the images of its control plane are made here, and Docker's command is given what this machine may not do.
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local needs = require "tests.needs"
local nested = require "tests.nested.images"
local pins = require "cluster.standalone.pins"
local proc = require "proc"
local program = require "program"
local task = require "task"

local ground = {}

ground.kubernetes = "v1.35.1" -- what this minikube takes where it is not told

local here = program.project .. "/tests/minikube"
local flags = ("-X PKG.gitVersion=%s -X PKG.gitMajor=1 -X PKG.gitMinor=35"):format(ground.kubernetes)
local control_plane = { "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy" }
local node_programs = { "kubeadm", "kubectl", "kubelet" }

local function programs_of(names)
    local programs = {}
    for _, name in ipairs(names) do programs[name] = "k8s.io/kubernetes/cmd/" .. name end
    return programs
end

---@type todo.GoSet[]
local sets = {
    { name = "kubernetes", folder = "tests/minikube/kubernetes",
        ldflags = flags:gsub("PKG", "k8s.io/component-base/version") .. " "
            .. flags:gsub("PKG", "k8s.io/client-go/pkg/version"),
        programs = programs_of(table.move(node_programs, 1, #node_programs, #control_plane + 1,
            table.move(control_plane, 1, #control_plane, 1, {}))) },
    { name = "minikube", folder = "tests/minikube/minikube", cgo = true, tags = "libvirt_dlopen",
        ldflags = "-X k8s.io/minikube/pkg/version.version=v1.38.1 -X k8s.io/minikube/pkg/version.isoVersion=v1.38.0"
            .. " -X k8s.io/minikube/pkg/version.storageProvisionerVersion=v5",
        programs = { minikube = "k8s.io/minikube/cmd/minikube" } },
    { name = "storage-provisioner", folder = "tests/minikube/minikube",
        ldflags = "-X k8s.io/minikube/pkg/storage.version=v5",
        programs = { ["storage-provisioner"] = "k8s.io/minikube/cmd/storage-provisioner" } },
    { name = "cri-dockerd", folder = "tests/minikube/cri-dockerd",
        programs = { ["cri-dockerd"] = "github.com/Mirantis/cri-dockerd" } },
    nested.crictl,
}

local modules = {
    minikube = { module = "k8s.io/minikube", version = "v1.38.1", sum = "h1:urjR4342qaMMoIdhivlUhHPWLsVE4b1fmFRdnL+wD8Y=" },
    cri_dockerd = { module = "github.com/Mirantis/cri-dockerd", version = "v0.3.17",
        sum = "h1:A/z4K9wbqCrc24mBEoPHRac7MgsuSf1ACE8TJOzV/M0=" },
}

-- Everything that the node is made of, as one folder.
local function gather(bin, standalone, into)
    fs.mkdir(into)
    for _, name in ipairs { "containerd", "containerd-shim-runc-v2", "ctr" } do
        proc.run { "cp", standalone .. "/" .. name, into .. "/" }
    end
    for _, name in ipairs { "cri-dockerd", "crictl" } do proc.run { "cp", bin .. "/" .. name, into .. "/" } end
    local units = needs.go_module(modules.cri_dockerd) .. "/packaging/systemd/"
    for _, name in ipairs { "cri-docker.service", "cri-docker.socket" } do
        proc.run { "cp", units .. name, into .. "/" }
    end
end

local function node_image(bin, standalone, cache)
    local name = "todo-lua-test/kicbase:" .. nested.key(here .. "/make-node.sh", bin, standalone)
    if nested.has_image(name) then return name end
    nested.say "making minikube's node"
    local started = task.now()
    gather(bin, standalone, cache .. "/programs")
    proc.run({ here .. "/make-node.sh", cache .. "/node", needs.go_module(modules.minikube), cache .. "/programs" },
        { timeout = 900, stdout = "null" })
    nested.import(cache .. "/node", name, { 'ENTRYPOINT ["/usr/local/bin/unlock", "/sbin/init"]', "ENV container=docker",
        "EXPOSE 22" })
    proc.run({ "rm", "-rf", cache .. "/node" })
    nested.say(("made in %.0f s"):format(task.now() - started))
    return name
end

local function control_plane_images(bin, standalone, cache, node)
    nested.program_images(cache, {
        ["registry.k8s.io/kube-apiserver:" .. ground.kubernetes] = bin .. "/kube-apiserver",
        ["registry.k8s.io/kube-controller-manager:" .. ground.kubernetes] = bin .. "/kube-controller-manager",
        ["registry.k8s.io/kube-scheduler:" .. ground.kubernetes] = bin .. "/kube-scheduler",
        ["registry.k8s.io/etcd:3.6.6-0"] = standalone .. "/etcd",
        ["registry.k8s.io/coredns/coredns:v1.13.1"] = standalone .. "/coredns",
        ["registry.k8s.io/pause:3.10.1"] = standalone .. "/pause",
        ["gcr.io/k8s-minikube/storage-provisioner:v5"] = bin .. "/storage-provisioner",
    })
    nested.proxy_image(cache, "registry.k8s.io/kube-proxy:" .. ground.kubernetes, bin .. "/kube-proxy", node)
end

---Makes what a real minikube needs, where it is missing.
---@async
---@param home string folder of this minikube's profiles
---@return table<string, string> environment of the programs that call it
function ground.ensure(home)
    needs.packages { "debootstrap", "gcc", "libc6-dev" }
    local ctx = needs.context()
    local cache = needs.cache "minikube"
    local bin = gobuild.ensure(cache, sets, nil, ctx.progress)
    local standalone = gobuild.ensure(fs.join(ctx.cache_dir, "standalone"), pins.sets, pins.pause, ctx.progress)
    local node = node_image(bin, standalone, cache)
    control_plane_images(bin, standalone, cache, node)
    local kept = ("%s/.minikube/cache/linux/%s/%s"):format(home, proc.platform().arch, ground.kubernetes)
    fs.mkdir(kept)
    for _, name in ipairs(node_programs) do proc.run { "cp", "-u", bin .. "/" .. name, kept .. "/" } end
    return { PATH = nested.docker(home .. "/bin") .. ":" .. bin .. ":" .. proc.env "PATH", MINIKUBE_HOME = home, MINIKUBE_FORCE = "true",
        MINIKUBE_PRELOAD = "false", MINIKUBE_BASE_IMAGE = node, KUBECONFIG = home .. "/kubeconfig" }
end

---An image of metrics-server, whose own cannot be had here.
---@async
---@return string name
function ground.metrics_server()
    local ctx = needs.context()
    local bin = gobuild.ensure(fs.join(ctx.cache_dir, "standalone"), { pins.addons["metrics-server"] }, nil, ctx.progress)
    local name = "todo-lua-test/metrics-server:" .. fs.basename(fs.dirname(bin))
    nested.program_images(needs.cache "minikube", { [name] = bin .. "/metrics-server" })
    return name
end

return ground
