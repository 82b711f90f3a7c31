-- The provider k3d against the real k3d. Its nodes' image cannot be had here: what k3d takes for one is a container with
-- its labels that runs nothing, and a ctr that keeps what it is given. What only a running k3s shows is not tested.
local docker = require "docker"
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local json = require "json"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local tar_stream = require "tar_stream"

local tests = {}
local NAME, PORT = "todo-lua-test", 30087
local NODE, IMAGE = "k3d-" .. NAME .. "-server-0", "todo-lua-test/k3d-node:1"
local client, dir, path

---@type todo.GoSet[]
local sets = { { name = "k3d", folder = "tests/k3d/k3d", ldflags = "-X github.com/k3d-io/k3d/v5/version.Version=v5.9.0",
    programs = { k3d = "github.com/k3d-io/k3d/v5" } } }

local function node_image()
    for name, text in pairs {
        ["bin/ctr"] = [[#!/bin/busybox sh
case "$*" in
*--help) cat /help ;;
*import*) echo "$@" >/argv; cat >/got.tar ;;
esac
]],
        help = "   --local  Run import locally rather than through transfer API\n",
        ["bin/crictl"] = "#!/bin/busybox sh\nexit 1\n",
        Dockerfile = 'FROM scratch\nCOPY bin /bin\nCOPY help /help\nENTRYPOINT ["/bin/busybox", "sleep", "600"]\n',
    } do
        fs.mkdir(fs.dirname(dir.path .. "/" .. name))
        fs.write(dir.path .. "/" .. name, text, 493)
    end
    proc.run { "cp", assert(proc.which "busybox"), dir.path .. "/bin/busybox" }
    for _, name in ipairs { "cat", "sh" } do proc.run { "ln", "-s", "busybox", dir.path .. "/bin/" .. name } end
    client:build { context = dir.path, dockerfile = dir.path .. "/Dockerfile", tags = { IMAGE } }
end

local function start_node()
    client:run { image = IMAGE, name = NODE, labels = { app = "k3d", ["k3d.cluster"] = NAME, ["k3d.role"] = "server",
        ["k3d.cluster.network"] = "bridge" } }
end

local CALL = [[
local json, steps = require "json", 0
local ctx = { docker = require("docker").connect(), state_dir = %q, cache_dir = %q,
    progress = function() steps = steps + 1 end, config = { cluster = { name = %q, kubernetes_version = %s }, ports = { node = %d } } }
local ok, value = pcall(require("cluster.k3d").%s, ctx%s)
if not ok then value = value.message end
print(json.encode { ok = ok, value = value, steps = steps })
]]

-- What a function of the provider gives, or its error's message, in a program that finds k3d.
local function call(name, arguments, version)
    local script = CALL:format(dir.path .. "/state", dir.path .. "/cache", NAME, version and ("%q"):format(version), PORT,
        name, arguments or "")
    return json.decode(proc.run({ program.executable, "-C", program.project, "-e", script },
        { env = { PATH = path }, timeout = 120 }).stdout)
end

local function state() return call("status").value.state end

function tests.setup_all()
    needs.packages { "busybox-static" }
    client, dir = docker.connect(), fs.tempdir()
    path = gobuild.ensure(needs.cache "k3d", sets, nil, needs.context().progress) .. ":" .. proc.env "PATH"
    client:remove(NODE, { force = true })
    node_image()
end

function tests.teardown_all()
    client:remove(NODE, { force = true })
    client:remove_image(IMAGE, { force = true })
    client:close()
    dir:close()
end

function tests.t1_create_without_the_image_tells_the_cause_and_leaves_nothing()
    lu.assertEquals(call("detect").value, { available = true, exists = false, running = false,
        reason = "its cluster todo-lua-test is absent" })
    local result = call "start"
    lu.assertFalse(result.ok)
    lu.assertStrContains(result.value, "k3d could not create the cluster:\nfailed Cluster Creation: ")
    lu.assertStrContains(result.value, "failed to pull image 'docker.io/rancher/k3s:")
    lu.assertNotStrContains(result.value, "\27")
    lu.assertNil(client:network("k3d-" .. NAME))
    lu.assertEquals(client:call("GET", "/volumes/k3d-" .. NAME .. "-images", { absent = true }), nil)
end

function tests.t1_version_of_kubernetes_chooses_the_image()
    for version, tag in pairs { ["1.35.4"] = "v1.35.4-k3s1", ["v1.34.2+k3s2"] = "v1.34.2-k3s2" } do
        local result = call("start", nil, version)
        lu.assertStrContains(result.value, ("failed to pull image 'rancher/k3s:%s'"):format(tag))
    end
    lu.assertEquals(call("start", nil, "1.35").value, "k3d does not know which k3s is Kubernetes 1.35")
    lu.assertNil(client:network("k3d-" .. NAME))
end

function tests.t2_state_is_told_by_the_nodes_and_stop_stops()
    start_node()
    lu.assertEquals(call("status").value, { state = "broken", message = "its making was broken off" })
    client:exec(NODE, { "busybox", "mkdir", "/output" })
    client:exec(NODE, { "sh", "-c", ">/output/kubeconfig.yaml" })
    lu.assertEquals(call("status").value, { state = "broken", message = "its API server does not answer" })
    lu.assertFalse(call("made_here").value)
    lu.assertTrue(call("stop").ok)
    lu.assertEquals(state(), "stopped")
    lu.assertFalse(client:container(NODE).State.Running)
    client:start(NODE)
    client:exec(NODE, { "busybox", "rm", "-r", "/output" })
end

function tests.t3_images_are_streamed_into_the_nodes()
    local result = call("load_image", (", { %q }"):format(IMAGE))
    lu.assertEquals(result.value, { IMAGE })
    lu.assertTrue(result.steps > 1)
    lu.assertEquals(client:exec(NODE, { "cat", "/argv" }).stdout, "--namespace k8s.io images import --local -\n")
    local archive <close> = client:archive(NODE, "/got.tar")
    local outer = tar_stream.reader(function() return archive:read() end)
    outer:next()
    local inner, index = tar_stream.reader(function() return outer:read() end), nil
    for entry in inner.next, inner do
        if entry.name == "index.json" then index = json.decode(inner:read()) end
    end
    lu.assertEquals(index.manifests[1].annotations["io.containerd.image.name"], "docker.io/" .. IMAGE)
    client:exec(NODE, { "sh", "-c", ">/help" }) -- as before containerd 1.7
    lu.assertEquals(call("load_image", (", { %q }"):format(IMAGE)).value, { IMAGE })
    lu.assertEquals(client:exec(NODE, { "cat", "/argv" }).stdout, "--namespace k8s.io images import -\n")
end

function tests.t4_kubeconfig_of_a_cluster_without_one_is_an_error_in_words()
    local result = call "kubeconfig"
    lu.assertFalse(result.ok)
    lu.assertStrContains(result.value, "k3d could not give its kubeconfig:\nfailed to get kubeconfig for cluster")
end

function tests.t5_delete_removes_the_nodes()
    lu.assertTrue(call("delete").ok)
    lu.assertEquals(state(), "absent")
    lu.assertNil(client:container(NODE))
end

function tests.t6_half_made_cluster_is_taken_away_and_made_anew()
    start_node()
    local result = call "start"
    lu.assertFalse(result.ok)
    lu.assertStrContains(result.value, "k3d could not create the cluster:\nfailed Cluster Creation: ")
    lu.assertEquals(state(), "absent")
    lu.assertNil(client:container(NODE))
end

return tests
