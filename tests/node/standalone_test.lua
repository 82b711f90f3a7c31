-- The standalone provider for real: start, a pod that answers, kill -9 of everything, stop, nothing left. In an own
-- state folder; a cluster of the user's own that runs on this machine is stopped first and started again at the end.
local eventually = require "tests.eventually"
local fs = require "fs"
local ground = require "cluster.standalone.ground"
local http = require "http"
local images = require "cluster.standalone.images"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local processes = require "cluster.standalone.processes"
local standalone = require "cluster.standalone"

local tests = {}

local NODE_PORT = 30197
local RUN = "/run/todo-lua/standalone"

local function folder(variable, default)
    return fs.join(proc.env(variable) or fs.join(proc.platform().home, default), "todo-lua")
end

local function context(state_dir)
    return { config = { cluster = {} }, log = { debug = print, info = print, warn = print }, state_dir = state_dir,
        cache_dir = folder("XDG_CACHE_HOME", ".cache") }
end

local user = context(folder("XDG_STATE_HOME", ".local/state"))
local ctx = context("/var/tmp/todo-lua-test-standalone")
local user_ran = false

function tests.setup_all()
    needs.packages({ "busybox-static" })
    user_ran = standalone.status(user).state ~= "absent" and standalone.detect(user).running
    if user_ran then standalone.stop(user) end
    standalone.delete(ctx)
    fs.mkdir(ctx.state_dir, 448)
end

function tests.teardown_all()
    standalone.delete(ctx)
    fs.remove(ctx.state_dir)
    if user_ran then standalone.start(user) end
end

local function client()
    return k8s.connect({ kubeconfig = standalone.kubeconfig(ctx).kubeconfig, namespace = "default" })
end

-- A pod needs an image, and this machine may reach no registry: Debian's static busybox makes one by itself.
local function import_busybox()
    local dir <close> = setmetatable({ temp = fs.tempdir() }, { __close = function(d) d.temp:close() end })
    local root = dir.temp.path .. "/root"
    fs.mkdir(root .. "/bin")
    proc.run({ "cp", "-L", proc.which("busybox"), root .. "/bin/busybox" })
    for _, name in ipairs({ "sh", "httpd", "mkdir", "nslookup", "sleep", "nc" }) do
        fs.symlink("busybox", root .. "/bin/" .. name)
    end
    images.import_folder(standalone.layout(ctx), root, "docker.io/library/todo-lua-test:1", { Cmd = { "/bin/sh" } })
end

local function deployment()
    local command = "mkdir -p /w; echo served > /w/index.html; trap 'exit 0' TERM; httpd -f -p 8080 -h /w & wait"
    return { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "web" }, spec = {
        replicas = 2, selector = { matchLabels = { app = "web" } },
        template = { metadata = { labels = { app = "web" } }, spec = {
            terminationGracePeriodSeconds = 1,
            containers = { { name = "web", image = "todo-lua-test:1", imagePullPolicy = "Never",
                command = { "/bin/sh", "-c", command },
                readinessProbe = { httpGet = { port = 8080, path = "/" }, periodSeconds = 1 } } },
        } },
    } }
end

local function service()
    return { apiVersion = "v1", kind = "Service", metadata = { name = "web" }, spec = { type = "NodePort",
        selector = { app = "web" }, ports = { { port = 80, targetPort = 8080, nodePort = NODE_PORT } } } }
end

local function served()
    local answer = http.get(standalone.url(ctx, { name = "web", namespace = "default", node_port = NODE_PORT }),
        { fresh = true, timeout = 2, proxy = "" })
    return answer.status == 200 and answer.body == "served\n"
end

local function start_with_pods()
    standalone.start(ctx)
    import_busybox()
    local api = client()
    api:apply(deployment(), { field_manager = "test" })
    api:apply(service(), { field_manager = "test" })
    eventually(60, "the NodePort answers", served)
    api:close()
end

function tests.a_start_serves_pods_at_the_node_port()
    start_with_pods()
    lu.assertEquals(standalone.status(ctx).state, "running")
    lu.assertFalse(standalone.start(ctx))
end

function tests.b_pods_find_names_and_this_machine()
    start_with_pods()
    local api = client()
    local pod = api:list("v1/Pod", { labels = "app=web" })[1]
    lu.assertEquals(pod.status.hostIP, standalone.host_address(ctx))
    api:close()
    local heard
    local listener = http.listen(standalone.host_address(ctx), 0, function(conn)
        heard = true
        conn:write("HTTP/1.0 200 OK\r\n\r\n")
        conn:close()
    end)
    local ctr = { standalone.layout(ctx).bin .. "/ctr", "-a", RUN .. "/containerd.sock", "-n", "k8s.io", "task", "exec",
        "--exec-id", "probe", (pod.status.containerStatuses[1].containerID:match("//(%x+)")), "/bin/sh", "-c",
        ("nslookup web.default.svc.cluster.local && nc -w 5 %s %d </dev/null"):format(standalone.host_address(ctx),
            listener.port) }
    local result = proc.run(ctr, { check = false, timeout = 30 })
    listener:close()
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertStrContains(result.stdout, "10.")
    lu.assertTrue(heard)
end

function tests.c_component_that_dies_comes_back()
    start_with_pods()
    local before = processes.noted({ run = RUN }, "kube-scheduler")
    proc.signal(before.pid, "KILL", before.start)
    eventually(20, "the scheduler is back", function()
        local now = processes.noted({ run = RUN }, "kube-scheduler")
        return now and now.pid ~= before.pid
    end)
end

local function kill_everything(layout)
    local all = processes.find(layout)
    local in_pods = processes.in_pods(layout)
    lu.assertTrue(#in_pods >= 4, "two pods are two containers and two sandboxes")
    table.move(in_pods, 1, #in_pods, #all + 1, all)
    processes.finish(all, 0)
    eventually(10, "what they had just started has ended", function()
        return #processes.find(layout) == 0 and #processes.in_pods(layout) == 0
    end)
end

function tests.d_everything_killed_resumes_with_its_pods()
    start_with_pods()
    kill_everything(standalone.layout(ctx))
    lu.assertTrue(standalone.start(ctx))
    eventually(60, "the pods are back", served)
end

local function note_another_boot(path)
    local note = json.decode(fs.read(path))
    note.boot = "another"
    fs.write(path, json.encode(note))
end

-- What a restart of the machine leaves: no process, mount, interface, packet rule or control group, the kernel's own
-- settings, and files. /run is empty, but on machines where it is a folder like any other.
local function reboot(layout, run_stays)
    kill_everything(layout)
    local list = ground.mounts(layout)
    for i = #list, 1, -1 do proc.run { "umount", "-l", list[i] } end
    proc.run { "sh", "-c", [[for net in /run/netns/cni-*; do if [ -e "$net" ]; then umount "$net"; rm "$net"; fi; done
        ip link delete todo0; find "$@" -depth -type d -exec rmdir {} +]], "sh", table.unpack(ground.cgroups(layout)) }
    for _, tool in ipairs { "iptables", "ip6tables" } do
        for _, name in ipairs { "filter", "nat", "mangle" } do
            local commands = ground.removal(proc.run({ tool .. "-save", "-t", name }).stdout, name, false)
            if commands then proc.run({ tool .. "-restore", "-w", "--noflush" }, { stdin = commands }) end
        end
    end
    for name, value in pairs(json.decode(fs.read(layout.state .. "/kernel.json")).values) do
        if name ~= "net.ipv4.ip_forward" then proc.run { "sysctl", "-q", "-w", name .. "=" .. value } end
    end
    note_another_boot(layout.state .. "/kernel.json")
    fs.write(layout.state .. "/boot", "another")
    if run_stays then
        for _, name in ipairs(fs.list(layout.run .. "/pid")) do note_another_boot(layout.run .. "/pid/" .. name) end
    else
        fs.remove(layout.run)
    end
end

local function assert_comes_back_after_reboot(run_stays)
    start_with_pods()
    local layout, api = standalone.layout(ctx), client()
    local uid, kubeconfig = api:get("apps/v1/Deployment", "web").metadata.uid, fs.read(layout.kubeconfig)
    api:close()
    local address = layout.state .. "/addresses/todo-lua/10.244.0.250"
    fs.write(address, "a pod that had no time to give it back\neth0")
    reboot(layout, run_stays)
    lu.assertItemsEquals(standalone.remains(ctx), run_stays and { "folder " .. RUN } or {})
    lu.assertEquals(standalone.status(ctx).state, "stopped")
    lu.assertTrue(standalone.start(ctx))
    eventually(60, "the pods are back", served)
    api = client()
    lu.assertEquals(api:get("apps/v1/Deployment", "web").metadata.uid, uid)
    api:close()
    lu.assertEquals(fs.read(layout.kubeconfig), kubeconfig)
    lu.assertFalse(fs.exists(address), "an address of before")
    lu.assertFalse(standalone.start(ctx))
end

function tests.e_restarted_machine_gets_the_same_cluster()
    assert_comes_back_after_reboot(false)
end

function tests.f_restarted_machine_that_keeps_run_gets_the_same_cluster()
    assert_comes_back_after_reboot(true)
end

function tests.g_stop_leaves_nothing_and_start_brings_all_back()
    start_with_pods()
    standalone.stop(ctx)
    lu.assertEquals(standalone.remains(ctx), {})
    lu.assertEquals(standalone.status(ctx).state, "stopped")
    lu.assertTrue(standalone.start(ctx))
    eventually(60, "the pods are back", served)
    -- Whoever ends it may have another cache than the one that it was started from.
    standalone.delete(setmetatable({ cache_dir = ctx.state_dir .. "/no-cache" }, { __index = ctx }))
    lu.assertEquals(standalone.remains(ctx), {})
    lu.assertFalse(fs.exists(ctx.state_dir .. "/standalone"))
    lu.assertEquals(standalone.status(ctx).state, "absent")
end

return tests
