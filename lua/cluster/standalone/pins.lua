-- What the standalone cluster is built from: versions, flags and programs. The go.mod and go.sum files in the folders
-- beside this file pin every byte of the sources; a change of any of this gives the binaries a new folder in the cache.
local pins = {}

-- Newest first, one of each minor version; the first is what a cluster has whose owner does not choose.
pins.versions = { "1.36.3", "1.35.4", "1.34.4" }
pins.kubernetes = pins.versions[1]
pins.containerd = "2.1.4"

local function version_flags(version)
    local major, minor = version:match("^(%d+)%.(%d+)")
    local flags = {}
    for _, prefix in ipairs({ "k8s.io/component-base/version", "k8s.io/client-go/pkg/version" }) do
        flags[#flags + 1] = ("-X %s.gitVersion=v%s -X %s.gitMajor=%s -X %s.gitMinor=%s"):format(prefix, version, prefix,
            major, prefix, minor)
    end
    return table.concat(flags, " ")
end

pins.kubernetes_flags = version_flags(pins.kubernetes)

local function kubernetes_folder(version)
    return "lua/cluster/standalone/kubernetes-" .. version:match("^%d+%.%d+")
end

---@class todo.GoSet programs that are built from one go.mod
---@field name string
---@field folder string resource folder that holds go.mod and go.sum
---@field ldflags string? beyond "-s -w"
---@field programs table<string, string> file name to Go package
---@field files string[]? more resources of the folder that the build needs
---@field cut todo.GoCut? a module of which a part is left out
---@field cgo boolean? built with C
---@field tags string? of Go's build

---@class todo.GoCut a module that go.mod replaces by the folder `into`: its copy without the folder `without`
---@field module string
---@field version string
---@field sum string as in a go.sum file
---@field into string
---@field without string
---@field instead table<string, string> files of the copy by their path, from the resource folder

---Kubernetes' own programs.
---@param version string one of pins.versions
---@return todo.GoSet
function pins.kubernetes_set(version)
    return {
        name = "kubernetes",
        folder = kubernetes_folder(version),
        ldflags = version_flags(version),
        programs = {
            ["kube-apiserver"] = "k8s.io/kubernetes/cmd/kube-apiserver",
            ["kube-controller-manager"] = "k8s.io/kubernetes/cmd/kube-controller-manager",
            ["kube-proxy"] = "k8s.io/kubernetes/cmd/kube-proxy",
            ["kube-scheduler"] = "k8s.io/kubernetes/cmd/kube-scheduler",
            ["kubelet"] = "k8s.io/kubernetes/cmd/kubelet",
        },
    }
end

-- What every version of Kubernetes runs with.
---@type todo.GoSet[]
pins.shared = {
    {
        name = "containerd",
        folder = "lua/cluster/standalone/containerd",
        ldflags = "-X github.com/containerd/containerd/v2/version.Version=v" .. pins.containerd,
        programs = {
            ["containerd"] = "github.com/containerd/containerd/v2/cmd/containerd",
            ["containerd-shim-runc-v2"] = "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
            ["ctr"] = "github.com/containerd/containerd/v2/cmd/ctr",
        },
    },
    {
        name = "coredns",
        folder = "lua/cluster/standalone/coredns",
        programs = { coredns = "github.com/coredns/coredns" },
    },
    {
        name = "etcd",
        folder = "lua/cluster/standalone/etcd",
        programs = { etcd = "go.etcd.io/etcd/server/v3" },
    },
}

-- The cluster of whoever does not choose: all in one folder.
---@type todo.GoSet[]
pins.sets = { pins.kubernetes_set(pins.kubernetes), table.unpack(pins.shared) }

-- The programs of the add-ons, each built when its add-on is enabled. Traefik's module lacks a package that lies in a
-- module of its own in its repository: two empty types, which stand in the folder. Of lego, its ACME client, the
-- providers for two hundred DNS services are left out: each brings a cloud's library, and a local name needs none.
---@type table<string, todo.GoSet>
pins.addons = {
    ingress = {
        name = "traefik",
        folder = "lua/cluster/standalone/traefik",
        ldflags = "-X github.com/traefik/traefik/v3/pkg/version.Version=v3.7.13",
        files = { "ext/go.mod", "ext/ext.go" },
        cut = {
            module = "github.com/go-acme/lego/v5",
            version = "v5.4.1",
            sum = "h1:Jt6xAP9xQrJ3SLLGgxejfDDd3pzdrmuLCWe4oTqHHQc=",
            into = "lego",
            without = "providers/dns",
            instead = { ["providers/dns/dns.go"] = "lego/dns.go" },
        },
        programs = { traefik = "github.com/traefik/traefik/v3/cmd/traefik" },
    },
    ["metrics-server"] = {
        name = "metrics-server",
        folder = "lua/cluster/standalone/metrics-server",
        ldflags = "-X sigs.k8s.io/metrics-server/pkg/version.gitVersion=v0.9.0",
        programs = { ["metrics-server"] = "sigs.k8s.io/metrics-server/cmd/metrics-server" },
    },
}

---@type { name: string, source: string }
pins.pause = { name = "pause", source = "lua/cluster/standalone/pause.c" }

-- The judges of the tests: the real tools whose output decides what is right. helm's release flags name the Kubernetes
-- version of the client library that it was built with.
---@type todo.GoSet[]
pins.judges = {
    {
        name = "helm",
        folder = "tests/judges/helm",
        ldflags = ("-X helm.sh/helm/v3/internal/version.version=v3.22.0"
            .. " -X PKG/chartutil.k8sVersionMajor=1 -X PKG/chartutil.k8sVersionMinor=37"
            .. " -X PKG/lint/rules.k8sVersionMajor=1 -X PKG/lint/rules.k8sVersionMinor=37"):gsub("PKG",
            "helm.sh/helm/v3/pkg") .. "",
        programs = { helm = "helm.sh/helm/v3/cmd/helm" },
    },
    {
        name = "kubernetes",
        folder = kubernetes_folder(pins.kubernetes),
        ldflags = pins.kubernetes_flags,
        programs = { kubectl = "k8s.io/kubernetes/cmd/kubectl" },
    },
}

-- The image registry of the tests, by itself: few of them need it.
---@type todo.GoSet[]
pins.registry = {
    {
        name = "registry",
        folder = "tests/judges/registry",
        ldflags = "-X github.com/distribution/distribution/v3/version.version=v3.0.0",
        programs = { registry = "github.com/distribution/distribution/v3/cmd/registry" },
    },
}

-- Docker's own client for builds with BuildKit, which ours are judged by; of a version that works with Engine 20.10.
---@type todo.GoSet[]
pins.buildx = {
    {
        name = "buildx",
        folder = "tests/judges/buildx",
        ldflags = "-X github.com/docker/buildx/version.Version=v0.23.0",
        programs = { ["docker-buildx"] = "github.com/docker/buildx/cmd/buildx" },
    },
}

return pins
