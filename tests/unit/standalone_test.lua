-- The parts of the standalone provider that can be judged without a cluster.
local addons = require "cluster.standalone.addons"
local components = require "cluster.standalone.components"
local fs = require "fs"
local gobuild = require "cluster.standalone.gobuild"
local ground = require "cluster.standalone.ground"
local http = require "http"
local json = require "json"
local lu = require "luaunit"
local machine = require "cluster.standalone.machine"
local nodes = require "cluster.standalone.nodes"
local pins = require "cluster.standalone.pins"
local pki = require "cluster.standalone.pki"
local ports = require "cluster.standalone.ports"
local proc = require "proc"
local processes = require "cluster.standalone.processes"
local program = require "program"
local tables = require "tables"
local versions = require "cluster.standalone.versions"

local tests = {}

local function layout(state, count)
    local where = {
        kubernetes = "/cache/kubernetes/bin", bin = "/cache/bin", programs = "/cache/", state = state, run = state .. "/run", pki = state .. "/pki",
        kubeconfig = state .. "/kubeconfig", server = "https://10.244.0.1:6443", interface = "todo0",
        ip = "10.244.0.1", pods = "10.244.0.0/16", services = "10.96.0.0/16",
        api_service_ip = "10.96.0.1", cni_folder = "/usr/lib/cni", cgroup = "/todo-lua", sys_resource = false,
        ports = { api = 6443, etcd = 2379, etcd_peer = 2380, kubelet = 10250, proxy = 10249, metrics = 4443 },
        snapshotter = "overlayfs", resolv_conf = "/etc/resolv.conf", has_servers = true, pause = "todo-lua/pause:1",
    }
    where.nodes = nodes.list(where, count or 1)
    return where
end

function tests.networks_that_share_an_address_overlap()
    lu.assertTrue(machine.overlap("10.244.0.0/16", "10.244.7.0/24"))
    lu.assertTrue(machine.overlap("10.0.0.0/8", "10.244.0.0/16"))
    lu.assertTrue(machine.overlap("10.244.0.0/16", "10.244.3.4"))
    lu.assertFalse(machine.overlap("10.244.0.0/16", "10.245.0.0/16"))
    lu.assertFalse(machine.overlap("172.16.0.0/12", "10.96.0.0/16"))
end

function tests.free_network_skips_those_in_use()
    local candidates = { "10.244.0.0/16", "10.234.0.0/16" }
    lu.assertEquals(machine.free_network(candidates, { "192.168.1.0/24" }), "10.244.0.0/16")
    lu.assertEquals(machine.free_network(candidates, { "10.244.0.0/24" }), "10.234.0.0/16")
end

function tests.mounts_contain_the_root()
    local found = false
    for _, mount in ipairs(machine.mounts()) do found = found or mount.path == "/" end
    lu.assertTrue(found)
end

function tests.start_time_knows_this_process_and_no_other()
    lu.assertNotNil(processes.start_time(proc.pid()))
    lu.assertEquals(processes.start_time(proc.pid()), proc.alive(proc.pid()))
    lu.assertNil(processes.start_time(4194305))
end

function tests.noted_process_is_forgotten_when_its_start_differs()
    local dir = fs.tempdir()
    local where = { run = dir.path }
    processes.note(where, "self", proc.pid())
    lu.assertEquals(processes.noted(where, "self").pid, proc.pid())
    local note = json.decode(fs.read(dir.path .. "/pid/self"))
    note.start = note.start + 1
    fs.write(dir.path .. "/pid/self", json.encode(note))
    lu.assertNil(processes.noted(where, "self"))
    fs.write(dir.path .. "/pid/self", "torn")
    lu.assertNil(processes.noted(where, "self"))
    lu.assertNil(processes.noted(where, "never"))
    dir:close()
end

function tests.component_started_from_another_cache_is_found()
    local dir <close> = fs.tempdir()
    local etcd = dir.path .. "/one/bin/etcd"
    fs.mkdir(fs.dirname(etcd))
    proc.run { "cp", "-L", "/bin/sh", etcd }
    local where = { run = dir.path .. "/run", state = dir.path .. "/state", programs = dir.path .. "/other/" }
    local child <close> = proc.spawn({ etcd, "-c", "echo runs; read line", "--data-dir=" .. where.state },
        { stdin = "pipe" })
    lu.assertEquals(child:read_line(), "runs")
    lu.assertEquals(processes.find(where), {}, "another's etcd with our folder among its arguments")
    fs.mkdir(where.run)
    fs.write(where.run .. "/plan.json", json.encode { components = { { name = "etcd", argv = { etcd } } } })
    local found = processes.find(where)
    lu.assertEquals(#found, 1)
    lu.assertEquals({ found[1].pid, found[1].kind, found[1].name }, { child.pid, "component", "etcd" })
end

function tests.taken_port_gives_way_to_another()
    local holder = http.listen("0.0.0.0", 0, function(conn) conn:close() end)
    lu.assertTrue(ports.wildcard_holder(holder.port, "tcp"))
    holder:close()
    lu.assertFalse(ports.wildcard_holder(holder.port, "tcp"))
    lu.assertEquals(ports.free({ api = 1 }), { api = 1 })
end

local SAVED = [[
# Generated
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-X - [0:0]
:TODO-LUA-POSTROUTING - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -j TODO-LUA-POSTROUTING
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -j KUBE-SVC-X
-A TODO-LUA-POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
COMMIT
]]

function tests.packet_rules_are_complete_or_not()
    local saved = [[
*filter
:FORWARD DROP [0:0]
-A FORWARD -j TODO-LUA-FORWARD
-A FORWARD -j KUBE-FORWARD
-A TODO-LUA-FORWARD -s 10.244.0.0/24 -j ACCEPT
-A TODO-LUA-FORWARD -d 10.244.0.0/24 -j ACCEPT
COMMIT
*nat
-A POSTROUTING -j TODO-LUA-POSTROUTING
-A TODO-LUA-POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/24 -j MASQUERADE
COMMIT]]
    lu.assertTrue(ground.has_rules(saved, "10.244.0.0/24"))
    lu.assertFalse(ground.has_rules(saved, "10.245.0.0/24"))
    for rule in saved:gmatch("%-A [^\n]*TODO[^\n]*\n") do
        local from, to = saved:find(rule, 1, true)
        lu.assertFalse(ground.has_rules(saved:sub(1, from - 1) .. saved:sub(to + 1), "10.244.0.0/24"), rule)
    end
end

function tests.removal_takes_out_our_chains_and_the_jumps_to_them_only()
    lu.assertEquals(ground.removal(SAVED, "nat", false), [[
*nat
-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-D POSTROUTING -j TODO-LUA-POSTROUTING
-F KUBE-SERVICES
-F KUBE-SVC-X
-F TODO-LUA-POSTROUTING
-X KUBE-SERVICES
-X KUBE-SVC-X
-X TODO-LUA-POSTROUTING
COMMIT
]])
end

function tests.removal_leaves_the_common_chains_to_another_node()
    lu.assertEquals(ground.removal(SAVED, "nat", true),
        "*nat\n-D POSTROUTING -j TODO-LUA-POSTROUTING\n-F TODO-LUA-POSTROUTING\n-X TODO-LUA-POSTROUTING\nCOMMIT\n")
    lu.assertNil(ground.removal("*nat\n:DOCKER - [0:0]\n-A PREROUTING -j DOCKER\nCOMMIT\n", "nat", false))
end

-- Minikube's and kind's nodes are containers with networks of their own: what they run shares no packet rules.
function tests.node_in_a_network_of_its_own_shares_no_rules()
    lu.assertTrue(ground.shares_network(proc.pid()))
    local away <close> = proc.spawn({ "unshare", "-n", "sh", "-c", "echo runs; read line" }, { stdin = "pipe" })
    lu.assertEquals(away:read_line(), "runs")
    lu.assertFalse(ground.shares_network(away.pid))
    lu.assertTrue(ground.shares_network(1 << 22), "a process that is gone tells nothing")
end

function tests.addons_are_off_until_they_are_enabled()
    local dir <close> = fs.tempdir()
    lu.assertEquals(addons.list(dir.path), { { name = "ingress", enabled = false },
        { name = "metrics-server", enabled = false } })
    lu.assertEquals(addons.objects(layout(dir.path)), {})
    fs.write(dir.path .. "/addons.json", '["metrics-server"]')
    lu.assertEquals(addons.enabled(dir.path), { "metrics-server" })
    lu.assertEquals(addons.programs(dir.path), { "metrics-server" })
    local ok, problem = pcall(addons.enable, layout(dir.path), { "dashboard" })
    lu.assertEquals({ ok, problem.kind, problem.hint }, { false, "unsupported", "it has ingress, metrics-server" })
    lu.assertEquals(addons.enabled(dir.path), { "metrics-server" })
end

function tests.ingress_needs_the_ports_of_the_web()
    local dir <close> = fs.tempdir()
    local look = ports.wildcard_holder -- port 80 itself may be held by whoever works beside these tests
    ports.wildcard_holder = function(port, kind) return port == 80 and kind == "tcp" end
    local ok, problem = pcall(addons.enable, layout(dir.path), { "ingress" })
    ports.wildcard_holder = look
    lu.assertEquals({ ok, problem.kind, problem.message },
        { false, "port_busy", "the add-on ingress needs port 80, which another program holds" })
    lu.assertEquals(addons.enabled(dir.path), {})
end

function tests.every_component_is_built_or_pinned()
    local programs = {}
    for _, set in ipairs(pins.sets) do
        local folder = set.name == "kubernetes" and "/cache/kubernetes/bin" or "/cache/bin"
        for name in pairs(set.programs) do programs[name] = folder end
    end
    for _, component in ipairs(components.list(layout("/s"))) do
        lu.assertEquals(fs.dirname(component.argv[1]), programs[fs.basename(component.argv[1])], component.name)
    end
end

-- Go's own sums pin the sources: each version has its own, of Kubernetes' module and of every staging module.
function tests.every_version_is_pinned_by_its_own_sums()
    local hashes, previous = {}, nil
    for _, version in ipairs(pins.versions) do
        local set = pins.kubernetes_set(version)
        local module, sums = program.resource(set.folder .. "/go.mod"), program.resource(set.folder .. "/go.sum")
        local major, staging = version:match("^(%d+)%.(.+)$")
        lu.assertEquals(major, "1")
        lu.assertStrContains(module, ("\tk8s.io/kubernetes v%s // indirect\n"):format(version))
        for name, replacement in module:gmatch("\t(k8s%.io/%S+) => (k8s%.io/%S+ %S+)") do
            lu.assertEquals(replacement, ("%s v0.%s"):format(name, staging))
        end
        lu.assertStrMatches(sums, (".*\nk8s%%.io/kubernetes v%s h1:%%S+\n.*"):format(version:gsub("%.", "%%.")))
        lu.assertStrContains(set.ldflags, "version.gitVersion=v" .. version .. " ")
        for _, package in pairs(set.programs) do lu.assertStrContains(module, "\t" .. package .. "\n") end
        hashes[gobuild.hash({ set })] = true
        local number = tonumber(version:match("^1%.(%d+)%.%d+$"))
        lu.assertEquals(number, previous and previous - 1 or number, "one of each minor version, newest first")
        previous = number
    end
    lu.assertEquals(#tables.keys(hashes), #pins.versions)
end

local newest, older, oldest = table.unpack(pins.versions)
local LIST = table.concat(pins.versions, ", ")
local NEW_CLUSTER = "todo-lua destroy, then todo-lua deploy, make a new cluster"

local function minor(version) return version:match("^%d+%.%d+") end

local function setting(version) return ('cluster = { kubernetes_version = "%s" }'):format(minor(version)) end

local function refused(wanted, current)
    local ok, problem = pcall(versions.choose, wanted, current)
    lu.assertFalse(ok, tostring(problem))
    return { problem.kind, problem.message, problem.hint }
end

function tests.version_is_named_as_elsewhere()
    for _, name in ipairs { "v" .. older, older, minor(older), "v" .. minor(older) } do
        lu.assertEquals(versions.choose(name), older)
    end
    lu.assertEquals(versions.choose("stable"), newest)
    lu.assertEquals(versions.choose(), newest)
    for _, name in ipairs { minor(older) .. ".99", "1.3", "latest", "" } do
        lu.assertEquals(refused(name), { "config", "the standalone cluster has no Kubernetes " .. name,
            ("it has %s: %s"):format(LIST, setting(newest)) })
    end
end

function tests.cluster_keeps_its_version_until_another_is_asked_for()
    lu.assertEquals(versions.choose(nil, older), older)
    lu.assertEquals(versions.choose(nil, minor(older) .. ".0"), older, "an older program's pin")
    lu.assertEquals(versions.choose(minor(older), older), older)
    lu.assertEquals(versions.choose("stable", older), newest)
    lu.assertEquals(refused(minor(older), newest), { "conflict",
        ("the cluster is of Kubernetes %s, and its data do not go back to %s"):format(newest, older),
        ("%s keeps it; %s"):format(setting(newest), NEW_CLUSTER) })
    local newer = minor(newest) .. ".99"
    lu.assertEquals(refused(nil, newer), { "conflict",
        ("the cluster is of Kubernetes %s, and its data do not go back to %s"):format(newer, newest), NEW_CLUSTER })
    lu.assertEquals(refused("stable", oldest), { "conflict",
        ("the cluster is of Kubernetes %s; it goes up to %s by one minor version at a time"):format(oldest, newest),
        "first deploy with " .. setting(older) })
    lu.assertEquals(refused(nil, "1.30.1"), { "config", "the standalone cluster has no Kubernetes 1.30",
        ("it has %s: %s; %s"):format(LIST, setting(newest), NEW_CLUSTER) })
end

-- Clusters from before there was a choice have data, and no note of their version.
function tests.data_tell_their_version()
    local dir <close> = fs.tempdir()
    lu.assertNil(versions.of(dir.path, nil))
    lu.assertNil(versions.of(dir.path, { nodes = 1 }))
    lu.assertEquals(versions.of(dir.path, { kubernetes = older }), older)
    fs.mkdir(dir.path .. "/etcd")
    lu.assertEquals(versions.of(dir.path, { nodes = 1 }), "1.36.3")
end

function tests.addons_are_pinned_and_found_by_the_state_folder()
    for name, set in pairs(pins.addons) do
        local component = addons.component(layout("/s"), name, "/cache/bin")
        lu.assertNotNil(set.programs[fs.basename(component.argv[1])], name)
        lu.assertStrContains(table.concat(component.argv, " ", 2), "=/s/")
    end
end

function tests.no_key_or_password_is_on_a_command_line()
    for _, component in ipairs(components.list(layout("/s"))) do
        for i = 2, #component.argv do
            lu.assertNil(component.argv[i]:lower():find("password", 1, true))
            if component.argv[i]:find("key", 1, true) then lu.assertStrContains(component.argv[i], "/s/pki/") end
        end
    end
end

function tests.kubelet_never_collects_images_and_lives_in_its_own_group()
    local config = json.decode(components.files(layout("/s"))["/s/kubelet.json"])
    lu.assertEquals(config.imageGCHighThresholdPercent, 100)
    lu.assertEquals(config.cgroupRoot, "/todo-lua")
    lu.assertEquals(config.address, "10.244.0.1")
end

-- Everything of the second node is below its own folders, at its own address and in its own control group.
function tests.nodes_share_no_file_address_or_group()
    local where = layout("/s", 2)
    local one, two = where.nodes[1], where.nodes[2]
    lu.assertEquals({ one.name, one.state, one.run, one.cgroup, one.ip, one.node_pods },
        { "todo-lua", "/s", "/s/run", "/todo-lua", "10.244.0.1", "10.244.0.0/24" })
    lu.assertEquals({ two.name, two.state, two.run, two.cgroup, two.ip, two.node_pods },
        { "todo-lua-2", "/s/node-2", "/s/run/node-2", "/todo-lua/node-2", "10.244.1.1", "10.244.1.0/24" })
    local seen = {}
    for _, component in ipairs(components.list(where)) do
        lu.assertNil(seen[component.name])
        seen[component.name] = table.concat(component.argv, " ")
    end
    lu.assertStrContains(seen["kubelet-2"], "--root-dir=/s/node-2/kubelet")
    lu.assertStrContains(seen["kubelet-2"], "--kubeconfig=/s/kubelet-2.kubeconfig")
    lu.assertStrContains(seen["containerd-2"], "--config=/s/node-2/containerd.toml")
    local files = components.files(where)
    local config = json.decode(files["/s/node-2/kubelet.json"])
    lu.assertEquals({ config.address, config.cgroupRoot, config.podLogsDir, config.containerRuntimeEndpoint },
        { "10.244.1.1", "/todo-lua/node-2", "/s/node-2/pods", "unix:///s/run/node-2/containerd.sock" })
    lu.assertEquals(config.clusterDNS, { "10.244.0.1" })
    lu.assertStrContains(files["/s/node-2/cni/10-todo-lua.conflist"], '"10.244.1.0/24"')
    local runtime = files["/s/node-2/containerd.toml"]
    for _, line in ipairs { 'root = "/s/node-2/containerd"', 'state = "/s/run/node-2/containerd"',
        'Root = "/s/run/node-2/runc"', 'conf_dir = "/s/node-2/cni"' } do lu.assertStrContains(runtime, line) end
end

function tests.node_that_is_wanted_no_more_is_found_by_its_folder()
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/node-2/cni")
    fs.mkdir(dir.path .. "/node-3")
    fs.mkdir(dir.path .. "/node-x")
    local function names(count)
        return tables.map(nodes.surplus(layout(dir.path, count)), function(one) return one.name end)
    end
    lu.assertItemsEquals(names(1), { "todo-lua-2", "todo-lua-3" })
    lu.assertEquals(names(2), { "todo-lua-3" })
    lu.assertEquals(names(3), {})
end

function tests.name_server_without_upstream_forwards_nothing()
    local where = layout("/s")
    lu.assertStrContains(components.files(where)["/s/Corefile"], "forward . /etc/resolv.conf")
    where.has_servers = false
    lu.assertNil(components.files(where)["/s/Corefile"]:find("forward", 1, true))
end

function tests.hash_changes_with_any_flag()
    local before = gobuild.hash(pins.sets, pins.pause)
    lu.assertEquals(gobuild.hash(pins.sets, pins.pause), before)
    local kept = pins.sets[1].ldflags
    pins.sets[1].ldflags = kept .. " -X a.b=c"
    lu.assertNotEquals(gobuild.hash(pins.sets, pins.pause), before)
    pins.sets[1].ldflags = kept
end

function tests.hash_changes_with_any_file_and_with_what_is_cut()
    local set = pins.addons.ingress
    local before = gobuild.hash({ set })
    local changed = tables.copy(set)
    changed.files = { "ext/go.mod" }
    lu.assertNotEquals(gobuild.hash({ changed }), before)
    changed = tables.copy(set)
    changed.cut.sum = "h1:other"
    lu.assertNotEquals(gobuild.hash({ changed }), before)
end

function tests.certificates_are_private_stable_and_verify()
    local dir = fs.tempdir()
    local where = layout(dir.path)
    local stamp = pki.ensure(where)
    local first = fs.read(where.pki .. "/apiserver.crt")
    lu.assertEquals(pki.ensure(where), stamp)
    lu.assertEquals(fs.read(where.pki .. "/apiserver.crt"), first)
    for _, name in ipairs(fs.list(where.pki)) do
        if name:find("%.key$") then lu.assertEquals(fs.stat(fs.join(where.pki, name)).mode & 63, 0, name) end
    end
    lu.assertEquals(fs.stat(where.kubeconfig).mode & 63, 0)
    local second = layout(dir.path, 2)
    lu.assertNotEquals(pki.ensure(second), stamp)
    local shown = proc.run({ "openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName", "-in",
        second.pki .. "/kubelet-2.crt" }).stdout
    lu.assertStrContains(shown, "system:node:todo-lua-2")
    lu.assertStrContains(shown, "IP Address:10.244.1.1")
    lu.assertEquals(fs.stat(dir.path .. "/kubelet-2.kubeconfig").mode & 63, 0)
    stamp, first = pki.ensure(where), fs.read(where.pki .. "/apiserver.crt")
    local verified = proc.run({ "openssl", "verify", "-CAfile", where.pki .. "/ca.crt", "-purpose", "sslserver",
        "-verify_ip", "10.244.0.1", where.pki .. "/apiserver.crt" }, { check = false })
    lu.assertEquals(verified.status, 0, verified.stderr)
    where.ip = "10.234.0.1"
    lu.assertNotEquals(pki.ensure(where), stamp)
    lu.assertNotEquals(fs.read(where.pki .. "/apiserver.crt"), first)
    dir:close()
end

return tests
