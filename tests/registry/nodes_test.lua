-- The tests' standalone cluster with a second node. The tests run in the order of their names; the last deletes it.
local docker = require "docker"
local eventually = require "tests.eventually"
local fs = require "fs"
local ground = require "cluster.standalone.ground"
local http = require "http"
local images = require "cluster.standalone.images"
local json = require "json"
local lu = require "luaunit"
local needs = require "tests.needs"
local node = require "tests.kube.node"
local proc = require "proc"
local processes = require "cluster.standalone.processes"
local program = require "program"
local standalone = require "cluster.standalone"
local tables = require "tables"

local tests = {}

local NODES = { "todo-lua", "todo-lua-2" }
local NAMES = { "one", "two" } -- of the pods, each on the node at the same place
local ctx, here, dir

local function start(count)
    needs.nodes(count)
    here = node.open("two-nodes")
end

local function on(index, name, script)
    local spec = node.spec(script)
    spec.nodeSelector = { ["kubernetes.io/hostname"] = NODES[index] }
    return here:pod(name, spec)
end

-- Pods that tell their names over HTTP, and a Service for each.
local function serve()
    for index, name in ipairs(NAMES) do
        on(index, name, ("mkdir -p /tmp/w; echo %s > /tmp/w/index.html; echo serving; httpd -f -p 8080 -h /tmp/w & wait")
            :format(name))
        here.client:create { apiVersion = "v1", kind = "Service", metadata = { name = name },
            spec = { type = "NodePort", selector = { app = name }, ports = { { port = 80, targetPort = 8080 } } } }
    end
end

local function kube(...)
    local argv = { program.executable, "kube", "--kubeconfig", here.kubeconfig, "-n", here.namespace, ... }
    local result = proc.run(argv, { check = false, timeout = 60, cwd = dir.path })
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    return result.stdout
end

local function cluster_ip(name) return here.client:get("services", name).spec.clusterIP end

local function asked(from, address, port)
    return kube("exec", from, "--", "/bin/busybox", "timeout", "5", "/bin/busybox", "wget", "-qO-",
        ("http://%s:%d/"):format(address, port))
end

-- A new Service is in no packet rules for a moment, and a kubelet that starts again knows none of its pods.
local function whole()
    for index, name in ipairs(NAMES) do
        if asked(NAMES[3 - index], cluster_ip(name), 80) ~= name .. "\n" then return false end
    end
    return true
end

function tests.setup_all()
    ctx = needs.context()
    ctx.docker = docker.connect()
    dir = fs.tempdir()
    start(2)
    serve()
    eventually(30, "the pods answer", whole)
end

function tests.teardown_all()
    if dir then dir:close() end
    ctx.docker:close()
end

local function container(name)
    local status = here.client:get("pods", name).status.containerStatuses[1]
    return { status.containerID, status.restartCount }
end

local function ready_nodes()
    local list = here.client:list("v1/Node")
    table.sort(list, function(a, b) return a.metadata.name < b.metadata.name end)
    return tables.filter(list, function(one)
        for _, condition in ipairs(one.status.conditions) do
            if condition.type == "Ready" then return condition.status == "True" end
        end
    end)
end

local function names_of(list)
    return tables.map(list, function(object) return object.metadata.name end)
end

function tests.a_both_nodes_are_ready_and_have_addresses_of_their_own()
    local list = ready_nodes()
    lu.assertEquals(names_of(list), NODES)
    local seen = {}
    for index, one in ipairs(list) do
        local address = one.status.addresses[1]
        lu.assertEquals(address.type, "InternalIP")
        lu.assertNil(seen[address.address])
        seen[address.address] = true
        local pod = here.client:get("pods", NAMES[index])
        lu.assertEquals({ pod.spec.nodeName, pod.status.hostIP }, { NODES[index], address.address })
        lu.assertEquals(one.spec.podCIDR, (pod.status.podIP:gsub("%d+$", "0/24")))
    end
    lu.assertEquals(standalone.status(ctx).nodes, NODES)
    lu.assertEquals(standalone.status(ctx).components["kubelet-2"], "running")
    lu.assertFalse(standalone.start(ctx), "nothing is to be done")
    local shown = proc.run({ program.executable, "status", "--cluster", "standalone" },
        { check = false, env = needs.environment() })
    lu.assertStrContains(shown.stdout, "nodes todo-lua, todo-lua-2")
end

function tests.b_pods_reach_each_other_and_services_across_the_nodes()
    for index, name in ipairs(NAMES) do
        local other = NAMES[3 - index]
        lu.assertEquals(asked(name, here.client:get("pods", other).status.podIP, 8080), other .. "\n")
        for _, address in ipairs { cluster_ip(other), ("%s.%s.svc.cluster.local"):format(other, here.namespace) } do
            lu.assertEquals(asked(name, address, 80), other .. "\n")
        end
        local answer = http.get(standalone.url(ctx, { name = other, namespace = here.namespace,
            node_port = here.client:get("services", other).spec.ports[1].nodePort }), { fresh = true, timeout = 5, proxy = "" })
        lu.assertEquals(answer.body, other .. "\n")
    end
end

function tests.c_streams_reach_pods_of_the_second_node()
    lu.assertEquals(kube("logs", "two"), "serving\n")
    lu.assertEquals(kube("exec", "two", "--", "cat", "/tmp/w/index.html"), "two\n")
    fs.write(dir.path .. "/sent", ("\0\255 bytes\n"):rep(10000))
    kube("cp", "sent", "two:/tmp/there")
    kube("cp", "two:/tmp/there", "back")
    lu.assertEquals(fs.sha256(dir.path .. "/back"), fs.sha256(dir.path .. "/sent"))
    local forwarder <close> = proc.spawn({ program.executable, "kube", "--kubeconfig", here.kubeconfig, "-n",
        here.namespace, "port-forward", "pod/two", ":8080" })
    local port = forwarder:read_line():match("127%.0%.0%.1:(%d+)")
    local answer = http.get(("http://127.0.0.1:%s/"):format(port), { fresh = true, timeout = 5, proxy = "" })
    lu.assertEquals(answer.body, "two\n")
end

local function small_image(nodes, name, text)
    local root = dir.path .. "/root"
    fs.mkdir(root .. "/bin")
    proc.run { "cp", "-L", "/bin/busybox", root .. "/bin/busybox" }
    fs.symlink("busybox", root .. "/bin/sleep")
    fs.write(root .. "/text", text)
    for _, one in ipairs(nodes) do images.import_folder(one, root, name, { Cmd = { "/bin/sleep", "1000" } }) end
    fs.remove(root)
end

function tests.d_image_of_one_node_is_not_on_the_other()
    local layout = standalone.layout(ctx)
    small_image({ layout.nodes[2] }, "docker.io/library/todo-lua-test:second", "second")
    for index in ipairs(NODES) do
        here.client:create { apiVersion = "v1", kind = "Pod", metadata = { name = "only-" .. index },
            spec = { terminationGracePeriodSeconds = 0, nodeSelector = { ["kubernetes.io/hostname"] = NODES[index] },
                containers = { { name = "main", image = "todo-lua-test:second", imagePullPolicy = "Never" } } } }
    end
    eventually(30, "the pod of the second node runs", function()
        return here.client:get("pods", "only-2").status.phase == "Running"
    end)
    eventually(30, "the pod of the first lacks its image", function()
        local status = here.client:get("pods", "only-1").status.containerStatuses[1]
        return status.state.waiting.reason == "ErrImageNeverPull"
    end)
end

function tests.e_images_of_docker_are_loaded_into_every_node()
    local name = "todo-lua-test:loaded-" .. proc.pid()
    fs.mkdir(dir.path .. "/files")
    fs.write(dir.path .. "/files/text", "of " .. name)
    proc.run({ "tar", "-C", dir.path .. "/files", "-cf", dir.path .. "/files.tar", "." })
    proc.run({ "docker", "import", dir.path .. "/files.tar", name })
    lu.assertEquals(standalone.load_image(ctx, { name }), { name })
    for _, one in ipairs(standalone.layout(ctx).nodes) do
        lu.assertTrue(images.present(one)["docker.io/library/" .. name], one.name)
    end
    standalone.prepare_load(ctx)
    lu.assertEquals(standalone.load_image(ctx, { name }), {})
    ctx.node_images = nil
    proc.run({ "docker", "rmi", name })
end

-- Its pods are none of theirs: they go on.
function tests.f_second_node_that_was_killed_resumes()
    local layout, before = standalone.layout(ctx), tables.map(NAMES, container)
    for _, name in ipairs { "supervisor", "kubelet-2", "containerd-2" } do
        local process = processes.noted(layout, name)
        proc.signal(process.pid, "KILL", process.start)
    end
    eventually(10, "they are dead", function() return not processes.noted(layout, "containerd-2") end)
    lu.assertEquals(standalone.status(ctx).state, "broken")
    lu.assertStrContains(standalone.status(ctx).message, "containerd-2, kubelet-2")
    lu.assertTrue(standalone.start(ctx))
    lu.assertEquals(names_of(ready_nodes()), NODES)
    eventually(30, "the pods answer", whole)
    lu.assertEquals(tables.map(NAMES, container), before)
end

function tests.g_stop_leaves_nothing_and_start_brings_both_back()
    standalone.stop(ctx)
    lu.assertEquals(standalone.remains(ctx), {})
    lu.assertEquals(standalone.status(ctx).state, "stopped")
    lu.assertTrue(standalone.start(ctx))
    lu.assertEquals(names_of(ready_nodes()), NODES)
    eventually(60, "the pods are back", whole)
end

local function traces(one)
    local list = {}
    for _, found in ipairs { ground.mounts(one), ground.cgroups(one), tables.map(processes.find(one), json.encode),
        tables.map(processes.in_pods(one), json.encode) } do table.move(found, 1, #found, #list + 1, list) end
    for line in proc.run({ "ip", "-4", "-o", "addr" }).stdout:gmatch("[^\n]+") do
        if line:find(one.ip, 1, true) then list[#list + 1] = line end
    end
    if fs.exists(one.state) or fs.exists(one.run) then list[#list + 1] = "folder" end
    return list
end

function tests.h_second_node_goes_where_one_is_wanted_and_its_pods_move()
    local second, before = standalone.layout(ctx).nodes[2], container("one")
    here.client:create { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "moves" }, spec = {
        selector = { matchLabels = { app = "moves" } }, template = { metadata = { labels = { app = "moves" } },
            spec = tables.merge(node.spec("sleep 1000 & wait"), { affinity = { nodeAffinity = {
                preferredDuringSchedulingIgnoredDuringExecution = { { weight = 100, preference = { matchExpressions = {
                    { key = "kubernetes.io/hostname", operator = "In", values = { NODES[2] } } } } } } } } }) } } }
    local function runs_on(name)
        local pods = here.client:list("pods", { labels = "app=moves" })
        return #pods == 1 and pods[1].status.phase == "Running" and pods[1].spec.nodeName == name
    end
    eventually(30, "it runs on the second node", function() return runs_on(NODES[2]) end)
    lu.assertTrue(#traces(second) > 0)
    ctx.config.cluster.nodes = 1
    lu.assertTrue(standalone.start(ctx))
    lu.assertEquals(names_of(here.client:list("v1/Node")), { NODES[1] })
    lu.assertEquals(traces(second), {})
    eventually(30, "it runs on the first node", function() return runs_on(NODES[1]) end)
    lu.assertEquals(container("one"), before)
    lu.assertNil(here.client:get("pods", "two"))
    lu.assertFalse(standalone.start(ctx))
    -- A start that was ended on the way has left this much.
    fs.mkdir(second.state .. "/kubelet")
    here.client:create { apiVersion = "v1", kind = "Node", metadata = { name = NODES[2] } }
    lu.assertTrue(standalone.start(ctx))
    lu.assertEquals(names_of(here.client:list("v1/Node")), { NODES[1] })
    lu.assertEquals(traces(second), {})
end

function tests.i_second_node_comes_again_and_delete_leaves_nothing_of_both()
    local before = container("one")
    needs.nodes(2)
    lu.assertEquals(container("one"), before)
    start(2)
    serve()
    eventually(30, "the pods answer", whole)
    local layout = standalone.layout(ctx)
    standalone.delete(ctx)
    lu.assertEquals(standalone.remains(ctx), {})
    for _, one in ipairs(layout.nodes) do lu.assertEquals(traces(one), {}) end
end

return tests
