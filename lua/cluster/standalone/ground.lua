-- What the nodes need of the machine beneath them: an interface of their own, packet rules, control groups, kernel
-- settings. All that is laid here, and all that the components add to it, is taken up again by `clear`.
local fs = require("fs")
local json = require("json")
local machine = require("cluster.standalone.machine")
local proc = require("proc")
local task = require("task")

local ground = {}

local CHAIN = "TODO-LUA"
local KERNEL_SETTINGS = { "kernel.panic", "kernel.panic_on_oops", "vm.overcommit_memory", "vm.panic_on_oom",
    "kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes", "net.ipv4.ip_forward", "net.ipv4.conf.all.route_localnet",
    "net.bridge.bridge-nf-call-iptables" }

local function quietly(argv, options)
    options = options or {}
    options.check = false
    return proc.run(argv, options)
end

local function kernel_value(name)
    local text = fs.read("/proc/sys/" .. name:gsub("%.", "/"))
    return text and text:match("^%s*(.-)%s*$")
end

-- The kubelet, kube-proxy and the link plugin set these for the whole machine; the values before are kept for `clear`.
local function keep_kernel_settings(layout)
    local path = layout.state .. "/kernel.json"
    local text = fs.read(path)
    local kept = text and json.decode(text)
    if kept and kept.boot == machine.boot_id() then return end
    kept = { boot = machine.boot_id(), values = {} }
    for _, name in ipairs(KERNEL_SETTINGS) do kept.values[name] = kernel_value(name) end
    fs.write(path, json.encode(kept, { sort = true }))
end

local function restore_kernel_settings(layout)
    local path = layout.state .. "/kernel.json"
    local text = fs.read(path)
    local kept = text and json.decode(text)
    if kept and kept.boot == machine.boot_id() then
        -- Docker needs forwarding for as long as it runs, whoever came first.
        if fs.exists("/sys/class/net/docker0") then kept.values["net.ipv4.ip_forward"] = nil end
        for name, value in pairs(kept.values) do
            if kernel_value(name) ~= value then quietly({ "sysctl", "-q", "-w", name .. "=" .. value }) end
        end
    end
    fs.remove(path)
end

local function lay_interface(layout)
    local name = layout.interface
    local shown = quietly({ "ip", "-4", "-o", "addr", "show", "dev", name, "up" })
    local missing = {}
    for _, node in ipairs(layout.nodes) do
        local laid = shown.status == 0 and shown.stdout:find(" inet " .. node.ip .. "/32 ", 1, true)
        if not laid then missing[#missing + 1] = node.ip .. "/32" end
    end
    if #missing == 0 then return end
    if not fs.exists("/sys/class/net/" .. name) then proc.run({ "ip", "link", "add", name, "type", "bridge" }) end
    for _, address in ipairs(missing) do quietly({ "ip", "addr", "add", address, "dev", name }) end
    proc.run({ "ip", "link", "set", name, "up" })
end

---Whether the packet rules of the pods are all there.
---@param saved string output of iptables-save
---@param pods string "10.244.0.0/24"
---@return boolean
function ground.has_rules(saved, pods)
    local lines = "\n" .. saved .. "\n"
    for _, rule in ipairs { "-A FORWARD -j CHAIN-FORWARD", "-A CHAIN-FORWARD -s PODS -j ACCEPT",
        "-A CHAIN-FORWARD -d PODS -j ACCEPT", "-A POSTROUTING -j CHAIN-POSTROUTING",
        "-A CHAIN-POSTROUTING -s PODS ! -d PODS -j MASQUERADE" } do
        local line = "\n" .. rule:gsub("CHAIN", CHAIN):gsub("PODS", pods) .. "\n"
        if not lines:find(line, 1, true) then return false end
    end
    return true
end

local function has_jump(tool_table, chain, target)
    return quietly({ "iptables", "-w", "-t", tool_table, "-C", chain, "-j", target }).status == 0
end

-- Docker sets the policy of FORWARD to DROP, so pods need rules of their own that come before it.
local function lay_rules(layout)
    if ground.has_rules(quietly({ "iptables-save" }).stdout, layout.pods) then return end
    local forward = has_jump("filter", "FORWARD", CHAIN .. "-FORWARD") and "" or "-I FORWARD -j " .. CHAIN
        .. "-FORWARD\n"
    local after = has_jump("nat", "POSTROUTING", CHAIN .. "-POSTROUTING") and ""
        or "-A POSTROUTING -j " .. CHAIN .. "-POSTROUTING\n"
    local rules = ([[
*filter
:CHAIN-FORWARD - [0:0]
-A CHAIN-FORWARD -s PODS -j ACCEPT
-A CHAIN-FORWARD -d PODS -j ACCEPT
%sCOMMIT
*nat
:CHAIN-POSTROUTING - [0:0]
-A CHAIN-POSTROUTING -s PODS ! -d PODS -j MASQUERADE
%sCOMMIT
]]):gsub("CHAIN", CHAIN):gsub("PODS", layout.pods):format(forward, after)
    proc.run({ "iptables-restore", "-w", "--noflush" }, { stdin = rules })
end

local function enable_controllers(folder)
    for controller in (fs.read(folder .. "/cgroup.controllers") or ""):gmatch("%S+") do
        pcall(fs.append, folder .. "/cgroup.subtree_control", "+" .. controller)
    end
end

-- Version 1 starts a cpuset empty, and nothing can run in an empty one.
local function fill_cpuset(root, folder)
    for _, name in ipairs({ "cpuset.cpus", "cpuset.mems" }) do
        local value = fs.read(folder .. "/" .. name)
        if value and not value:find("%d") then fs.append(folder .. "/" .. name, fs.read(root .. "/" .. name)) end
    end
end

local function lay_cgroups(layout)
    local roots, version = machine.cgroup_roots()
    for _, root in ipairs(roots) do
        if version == 2 then enable_controllers(root) end
        for _, node in ipairs(layout.nodes) do -- the others' lie in the first one's
            local folder = root .. node.cgroup
            fs.mkdir(folder)
            if version == 1 then fill_cpuset(root, folder) else enable_controllers(folder) end
        end
    end
end

-- Folders that the programs have built in: they cannot be told to use the state folder instead. Each may be shared with
-- another container engine, so only what is surely the cluster's goes, and a folder only when it was made for the
-- cluster.
local FIXED_FOLDERS = { "/run/containerd/s", "/run/containerd", "/var/lib/cni/results", "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers" }

local function note_fixed_folders(layout)
    local path = layout.state .. "/made.json"
    if fs.exists(path) then return end
    local list = json.list({})
    for _, folder in ipairs(FIXED_FOLDERS) do
        if not fs.exists(folder) then list[#list + 1] = folder end
    end
    fs.write(path, json.encode(list))
end

---Lays what is missing. Cheap where all is there.
---@async
---@param layout todo.StandaloneLayout
function ground.lay(layout)
    note_fixed_folders(layout)
    keep_kernel_settings(layout)
    if kernel_value("net.ipv4.ip_forward") ~= "1" then proc.run({ "sysctl", "-q", "-w", "net.ipv4.ip_forward=1" }) end
    task.all {
        function() lay_interface(layout) end,
        function() lay_rules(layout) end,
    }
    lay_cgroups(layout)
end

local function below(path, folder)
    return path == folder or path:sub(1, #folder + 1) == folder .. "/"
end

---Mount points below the cluster's folders, deepest last.
---@param layout { run: string, state: string }
---@return string[]
function ground.mounts(layout)
    local list = {}
    for _, mount in ipairs(machine.mounts()) do
        if below(mount.path, layout.run) or below(mount.path, layout.state) then list[#list + 1] = mount.path end
    end
    return list
end

local function unmount(layout)
    local list = ground.mounts(layout)
    for i = #list, 1, -1 do
        if quietly({ "umount", list[i] }).status ~= 0 then quietly({ "umount", "-l", list[i] }) end
    end
end

---Whether a process lives in this program's network namespace; where that cannot be told, it is taken to.
---@param pid integer
---@return boolean
function ground.shares_network(pid)
    local ok, there = pcall(fs.readlink, ("/proc/%d/ns/net"):format(pid))
    return not ok or there == nil or there == fs.readlink("/proc/self/ns/net")
end

-- Another kubelet or kube-proxy in this network namespace shares the KUBE- chains: then they are its, too.
local function another_node()
    for _, pid in ipairs(machine.pids()) do
        local arguments = machine.arguments(pid)
        local name = arguments and fs.basename(arguments[1])
        local is_node = name == "kube-proxy" or name == "kubelet" or name == "k3s" or name == "rke2"
        if is_node and ground.shares_network(pid) then return true end
    end
    return false
end

local function is_ours(chain, shared)
    if chain:find("^" .. CHAIN:gsub("%-", "%%-") .. "%-") then return true end
    return not shared and (chain:find("^KUBE%-") or chain:find("^CNI%-")) ~= nil
end

---Commands for TOOL-restore --noflush that take every chain of ours, and every jump to one, out of a table.
---@param saved string output of TOOL-save for the table
---@param tool_table string
---@param shared boolean whether another node uses the common chains
---@return string? commands nil where there is nothing to take out
function ground.removal(saved, tool_table, shared)
    local jumps, flush, drop = {}, {}, {}
    for line in saved:gmatch("[^\n]+") do
        local chain = line:match("^:(%S+)")
        local from, target = line:match("^%-A (%S+) .*%-j (%S+)")
        if chain and is_ours(chain, shared) then
            flush[#flush + 1] = "-F " .. chain
            drop[#drop + 1] = "-X " .. chain
        elseif from and not is_ours(from, shared) and is_ours(target, shared) then
            jumps[#jumps + 1] = "-D" .. line:sub(3)
        end
    end
    if #jumps + #drop == 0 then return nil end
    local lines = { "*" .. tool_table }
    for _, list in ipairs({ jumps, flush, drop }) do table.move(list, 1, #list, #lines + 1, lines) end
    lines[#lines + 1] = "COMMIT\n"
    return table.concat(lines, "\n")
end

local function clear_rules()
    local shared = another_node()
    for _, tool in ipairs({ "iptables", "ip6tables" }) do
        for _, name in ipairs({ "filter", "nat", "mangle" }) do
            local saved = quietly({ tool .. "-save", "-t", name }).stdout
            local commands = ground.removal(saved, name, shared)
            if commands then quietly({ tool .. "-restore", "-w", "--noflush" }, { stdin = commands }) end
        end
    end
end

-- Host ends of the pods' links: the plugin gives each the address of its node, the first of the node's network.
local function links(network, interface)
    local list = {}
    for line in quietly({ "ip", "-4", "-o", "addr", "show" }).stdout:gmatch("[^\n]+") do
        local name, address = line:match("^%d+: (%S+)%s+inet (%d+%.%d+%.%d+%.1)/32")
        if address and machine.overlap(address, network) and name ~= interface then list[#list + 1] = name end
    end
    return list
end

local function clear_interfaces(layout)
    for _, name in ipairs(links(layout.pods, layout.interface)) do quietly({ "ip", "link", "delete", name }) end
    if fs.exists("/sys/class/net/" .. layout.interface) then quietly({ "ip", "link", "delete", layout.interface }) end
end

local function remove_cgroup(folder)
    for _, name in ipairs(fs.list(folder)) do
        local stat = fs.stat(fs.join(folder, name))
        if stat and stat.type == "dir" then remove_cgroup(fs.join(folder, name)) end
    end
    quietly({ "rmdir", folder })
end

---Control groups of the cluster that are there.
---@param layout { cgroup: string }
---@return string[]
function ground.cgroups(layout)
    local list = {}
    for _, root in ipairs(machine.cgroup_roots()) do
        if fs.exists(root .. layout.cgroup) then list[#list + 1] = root .. layout.cgroup end
    end
    return list
end

---Takes up what one of several nodes had for its own, once its processes have ended; its folders stay.
---@async
---@param node todo.StandaloneNode
function ground.clear_node(node)
    unmount(node)
    for _, name in ipairs(links(node.node_pods, node.interface)) do quietly({ "ip", "link", "delete", name }) end
    quietly({ "ip", "addr", "delete", node.ip .. "/32", "dev", node.interface })
    for _, folder in ipairs(ground.cgroups(node)) do remove_cgroup(folder) end
end

local function names_in(folder)
    return fs.exists(folder) and fs.list(folder) or {}
end

-- A shim that was killed leaves its socket; a socket that nothing listens on is of no use to anyone.
local function clear_sockets()
    local listening = fs.read("/proc/net/unix") or ""
    for _, name in ipairs(names_in("/run/containerd/s")) do
        local path = "/run/containerd/s/" .. name
        if not listening:find(path, 1, true) then fs.remove(path) end
    end
end

local function clear_network_results()
    local folder = "/var/lib/cni/results/"
    for _, name in ipairs(names_in(folder)) do
        local id = name:match("^todo%-lua%-(%x+)%-eth%d+$")
        if id then
            fs.remove(folder .. name)
            fs.remove(folder .. "cni-loopback-" .. id .. "-lo")
        end
    end
end

local function clear_log_links(layout)
    for _, name in ipairs(names_in("/var/log/containers")) do
        local path = "/var/log/containers/" .. name
        local stat = fs.stat(path, false)
        local target = fs.realpath(path)
        if stat and stat.type == "link" and (not target or below(target, layout.state)) then fs.remove(path) end
    end
end

local function clear_fixed_folders(layout)
    clear_sockets()
    clear_network_results()
    clear_log_links(layout)
    local text = fs.read(layout.state .. "/made.json")
    for _, folder in ipairs(text and json.decode(text) or {}) do
        if folder == "/var/lib/kubelet" and not another_node() then fs.remove(folder .. "/device-plugins") end
        if fs.exists(folder) then quietly({ "rmdir", folder }) end
    end
    fs.remove(layout.state .. "/made.json")
end

---Takes up all that is left on the machine once the processes have ended, but the state folder.
---@async
---@param layout todo.StandaloneLayout
function ground.clear(layout)
    unmount(layout)
    clear_rules()
    clear_interfaces(layout)
    for _, folder in ipairs(ground.cgroups(layout)) do remove_cgroup(folder) end
    clear_fixed_folders(layout)
    restore_kernel_settings(layout)
    if #ground.mounts(layout) == 0 then fs.remove(layout.run) end
    quietly({ "rmdir", fs.dirname(layout.run) })
end

---Names what is still there after `clear`, for tests and for the user.
---@async
---@param layout todo.StandaloneLayout
---@return string[]
function ground.remains(layout)
    local list = {}
    for _, path in ipairs(ground.mounts(layout)) do list[#list + 1] = "mount " .. path end
    for _, name in ipairs(links(layout.pods, layout.interface)) do list[#list + 1] = "interface " .. name end
    if fs.exists("/sys/class/net/" .. layout.interface) then list[#list + 1] = "interface " .. layout.interface end
    for _, path in ipairs(ground.cgroups(layout)) do list[#list + 1] = "control group " .. path end
    for _, tool in ipairs({ "iptables", "ip6tables" }) do
        for line in quietly({ tool .. "-save" }).stdout:gmatch("[^\n]+") do
            local chain = line:match("^:(%S+)") or line:match("^%-A (%S+)")
            if chain and is_ours(chain, false) then list[#list + 1] = tool .. " " .. line end
        end
    end
    if fs.exists(layout.run) then list[#list + 1] = "folder " .. layout.run end
    return list
end

return ground
