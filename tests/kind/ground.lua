-- A real kind from its Go module, and a node for it: Debian's packages, Kubernetes and containerd from their modules, the
-- images of the control plane made here and preloaded, kind's own files from its sources.
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local needs = require "tests.needs"
local nested = require "tests.nested.images"
local pins = require "cluster.standalone.pins"
local proc = require "proc"
local program = require "program"
local task = require "task"

local ground = {}

ground.kind = "v0.33.0"
ground.kubernetes = "v" .. pins.kubernetes

local here = program.project .. "/tests/kind"

---@type todo.GoSet[]
local sets = {
    { name = "kind", folder = "tests/kind/kind", programs = { kind = "sigs.k8s.io/kind" } },
    { name = "kubeadm", folder = "tests/kind/kubeadm", ldflags = pins.kubernetes_flags,
        programs = { kubeadm = "k8s.io/kubernetes/cmd/kubeadm" } },
    nested.crictl,
}
local source = { module = "sigs.k8s.io/kind", version = ground.kind,
    sum = "h1:AjvDv3vOygb/VKLVQW87lfktIBzkxR8Ump9DjxC8+Lk=" }

local function node_tree(bin, standalone, cache)
    local programs = cache .. "/programs"
    fs.mkdir(programs)
    local from = { containerd = standalone, ["containerd-shim-runc-v2"] = standalone, ctr = standalone,
        kubelet = standalone, crictl = bin, kubeadm = bin }
    for name, folder in pairs(from) do proc.run { "cp", folder .. "/" .. name, programs .. "/" } end
    proc.run { "cp", needs.judge "kubectl", programs .. "/" }
    proc.run({ here .. "/make-node.sh", cache .. "/node", needs.go_module(source), programs, ground.kubernetes },
        { timeout = 900, stdout = "null" })
end

-- Where each image that kubeadm asks for comes from.
local function control_plane(bin, standalone)
    local argv = { bin .. "/kubeadm", "config", "images", "list", "--kubernetes-version", ground.kubernetes }
    local sources, proxy = { ["registry.k8s.io/pause:3.10"] = standalone .. "/pause" }, nil
    for name in proc.run(argv).stdout:gmatch("%S+") do
        local what = name:match("([%w-]+):")
        if what == "kube-proxy" then proxy = name
        elseif what ~= "pause" then sources[name] = standalone .. "/" .. what end
    end
    return sources, proxy
end

-- Images are left packed in the node, as kind's own: what starts there unpacks them.
local function preload(base, name, images)
    local container = "todo-lua-test-kind-build"
    proc.run({ "docker", "rm", "-f", container }, { check = false })
    proc.run { "docker", "run", "-d", "--name", container, "--entrypoint", "sleep", base, "infinity" }
    proc.run { "docker", "exec", "-d", container, "containerd" }
    proc.run({ "sh", "-c", ([[container=$1; shift
        for try in $(seq 50); do docker exec $container ctr version >/dev/null 2>&1 && break; sleep 0.2; done
        docker save "$@" | docker exec -i $container ctr -n k8s.io images import --no-unpack --all-platforms -
    ]]), "sh", container, table.unpack(images) }, { timeout = 600 })
    proc.run { "docker", "exec", container, "sh", "-c", "pkill -TERM containerd; while pgrep containerd; do sleep 0.1; done" }
    proc.run({ "docker", "commit", "--change", 'ENTRYPOINT ["/usr/local/bin/unlock", "/sbin/init"]', container, name },
        { timeout = 300 })
    proc.run { "docker", "rm", "-f", "-v", container }
end

local function node_image(bin, standalone, cache)
    local key = nested.key(here .. "/make-node.sh", bin, standalone)
    local name = ("todo-lua-test/kind-node:%s-%s"):format(ground.kubernetes, key)
    if nested.has_image(name) then return name end
    nested.say "making kind's node"
    local started = task.now()
    node_tree(bin, standalone, cache)
    local base = "todo-lua-test/kind-base:" .. key
    nested.import(cache .. "/node", base .. "-tree", { "ENV container=docker" })
    proc.run { "rm", "-rf", cache .. "/node" }
    nested.build(cache .. "/base", base, ("FROM %s-tree\nSTOPSIGNAL SIGRTMIN+3\n"):format(base))
    local sources, proxy = control_plane(bin, standalone)
    nested.program_images(cache, sources)
    nested.proxy_image(cache, proxy, standalone .. "/kube-proxy", base)
    local images = { proxy }
    for image in pairs(sources) do images[#images + 1] = image end
    preload(base, name, images)
    nested.say(("made in %.0f s"):format(task.now() - started))
    return name
end

---Makes what a real kind needs, where it is missing.
---@async
---@param home string folder of the tests' own
---@return string node image for `kind create cluster --image`
---@return table<string, string> environment of the programs that call kind
function ground.ensure(home)
    needs.packages { "debootstrap", "gcc", "libc6-dev", "jq" }
    local ctx = needs.context()
    local cache = needs.cache "kind"
    local bin = gobuild.ensure(cache, sets, nil, ctx.progress)
    local standalone = gobuild.ensure(fs.join(ctx.cache_dir, "standalone"), pins.sets, pins.pause, ctx.progress)
    return node_image(bin, standalone, cache),
        { PATH = nested.docker(home .. "/bin") .. ":" .. bin .. ":" .. proc.env "PATH", KUBECONFIG = home .. "/kubeconfig" }
end

return ground
