-- A real minikube with its docker driver, from sources and packages alone: its programs are built from their Go modules, its
-- node and the images of its control plane are made here, and Docker's command is given what this machine may not do.
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local needs = require "tests.needs"
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
    { name = "crictl", folder = "tests/minikube/crictl", programs = { crictl = "sigs.k8s.io/cri-tools/cmd/crictl" } },
}

local modules = {
    minikube = { module = "k8s.io/minikube", version = "v1.38.1", sum = "h1:urjR4342qaMMoIdhivlUhHPWLsVE4b1fmFRdnL+wD8Y=" },
    cri_dockerd = { module = "github.com/Mirantis/cri-dockerd", version = "v0.3.17",
        sum = "h1:A/z4K9wbqCrc24mBEoPHRac7MgsuSf1ACE8TJOzV/M0=" },
}

local function say(text) print("# " .. text) end

local function has_image(name)
    return needs.context().docker:image(name) ~= nil
end

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

local function import(folder, name, settings)
    local argv = { "docker", "import" }
    for _, line in ipairs(settings) do table.move({ "--change", line }, 1, 2, #argv + 1, argv) end
    table.move({ "-", name }, 1, 2, #argv + 1, argv)
    local tar = { "tar", "-C", folder, "--numeric-owner", "-cf", "-", "." }
    proc.run({ "sh", "-c", ('%s | "$@"'):format(table.concat(tar, " ")), "sh", table.unpack(argv) }, { timeout = 300 })
end

local function node_image(bin, standalone, cache)
    local key = ""
    for _, name in ipairs { "make-node.sh", "runc.sh", "unlock.sh" } do key = key .. fs.sha256(here .. "/" .. name) end
    local name = "todo-lua-test/kicbase:" .. require("secret").sha256(key .. bin .. standalone):sub(1, 12)
    if has_image(name) then return name end
    say "making minikube's node"
    local started = task.now()
    gather(bin, standalone, cache .. "/programs")
    proc.run({ here .. "/make-node.sh", cache .. "/node", needs.go_module(modules.minikube), cache .. "/programs" },
        { timeout = 900, stdout = "null" })
    import(cache .. "/node", name, { 'ENTRYPOINT ["/usr/local/bin/unlock", "/sbin/init"]', "ENV container=docker",
        "EXPOSE 22" })
    proc.run({ "rm", "-rf", cache .. "/node" })
    say(("made in %.0f s"):format(task.now() - started))
    return name
end

-- An image of one static program, found by its name or at the root.
local function program_image(cache, source, name)
    if has_image(name) then return end
    local folder = cache .. "/image"
    proc.run { "rm", "-rf", folder }
    fs.mkdir(folder .. "/usr/local/bin")
    fs.mkdir(folder .. "/tmp")
    local program_name = fs.basename(source)
    proc.run { "cp", source, folder .. "/" .. program_name }
    fs.symlink("/" .. program_name, folder .. "/usr/local/bin/" .. program_name)
    import(folder, name, { ('ENTRYPOINT ["/%s"]'):format(program_name) })
    proc.run { "rm", "-rf", folder }
end

local function control_plane_images(bin, standalone, cache, node)
    for _, name in ipairs { "kube-apiserver", "kube-controller-manager", "kube-scheduler" } do
        program_image(cache, bin .. "/" .. name, ("registry.k8s.io/%s:%s"):format(name, ground.kubernetes))
    end
    program_image(cache, standalone .. "/etcd", "registry.k8s.io/etcd:3.6.6-0")
    program_image(cache, standalone .. "/coredns", "registry.k8s.io/coredns/coredns:v1.13.1")
    program_image(cache, standalone .. "/pause", "registry.k8s.io/pause:3.10.1")
    program_image(cache, bin .. "/storage-provisioner", "gcr.io/k8s-minikube/storage-provisioner:v5")
    local proxy = "registry.k8s.io/kube-proxy:" .. ground.kubernetes
    if has_image(proxy) then return end
    local folder = cache .. "/proxy"
    fs.mkdir(folder)
    proc.run { "cp", bin .. "/kube-proxy", folder .. "/" }
    fs.write(folder .. "/Dockerfile", ("FROM %s\nCOPY kube-proxy /usr/local/bin/kube-proxy\nENTRYPOINT []\n"):format(node))
    needs.context().docker:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { proxy } }
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
    local tools = home .. "/bin"
    fs.mkdir(tools)
    fs.write(tools .. "/docker", fs.read(here .. "/docker.sh"), 493)
    return { PATH = tools .. ":" .. bin .. ":" .. proc.env "PATH", MINIKUBE_HOME = home, MINIKUBE_FORCE = "true",
        MINIKUBE_PRELOAD = "false", MINIKUBE_BASE_IMAGE = node, KUBECONFIG = home .. "/kubeconfig" }
end

return ground
