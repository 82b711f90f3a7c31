-- What this machine has and lacks for a node of its own: probed, never assumed.
local fs = require("fs")
local proc = require("proc")

local machine = {}

local CNI_FOLDERS = { "/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni" }
local CAP_SYS_RESOURCE = 24

-- Program, and the Debian package that brings it.
local PROGRAMS = {
    { "ip", "iproute2" },
    { "iptables", "iptables" },
    { "ip6tables", "iptables" },
    { "iptables-restore", "iptables" },
    { "mount", "mount" },
    { "umount", "mount" },
    { "openssl", "openssl" },
    { "runc", "runc" },
    { "sysctl", "procps" },
    { "tar", "tar" },
    { "cc", "gcc" },
}

---Folder of the CNI plugins; nil where none has what is needed.
---@return string?
function machine.cni_folder()
    for _, folder in ipairs(CNI_FOLDERS) do
        if fs.exists(folder .. "/ptp") and fs.exists(folder .. "/host-local") and fs.exists(folder .. "/portmap")
            and fs.exists(folder .. "/loopback") then
            return folder
        end
    end
    return nil
end

---Debian packages that are still to be installed, sorted, each once.
---@return string[] packages
---@return string[] programs whose absence asks for them
function machine.missing()
    local packages, programs, seen = {}, {}, {}
    local function add(program, package)
        programs[#programs + 1] = program
        if not seen[package] then packages[#packages + 1] = package end
        seen[package] = true
    end
    for _, pair in ipairs(PROGRAMS) do
        if not proc.which(pair[1]) then add(pair[1], pair[2]) end
    end
    if not machine.cni_folder() then add("the CNI plugins", "containernetworking-plugins") end
    table.sort(packages)
    return packages, programs
end

---Why this machine can never be a node; nil where it can.
---@return string?
function machine.unfit()
    local platform = proc.platform()
    if platform.os ~= "linux" then return "it needs Linux, and this is " .. platform.os end
    if platform.arch ~= "amd64" and platform.arch ~= "arm64" then return "it knows amd64 and arm64, not "
        .. platform.arch end
    if platform.uid ~= 0 then return "it needs root: containers, mounts and packet filters are its own" end
    return nil
end

---@return string id of this boot of the kernel
function machine.boot_id()
    return ((fs.read("/proc/sys/kernel/random/boot_id") or ""):gsub("%s+", ""))
end

---Whether processes may lower their oom_score_adj and raise limits (containers' machines often may not).
---@return boolean
function machine.has_sys_resource()
    local effective = (fs.read("/proc/self/status") or ""):match("CapEff:%s*(%x+)")
    return effective ~= nil and (tonumber(effective, 16) >> CAP_SYS_RESOURCE) & 1 == 1
end

-- /proc/self/mountinfo writes a blank as \040.
local function unescape(path)
    return (path:gsub("\\(%d%d%d)", function(octal) return string.char(tonumber(octal, 8)) end))
end

---Every mount of this process's namespace, in mounting order.
---@return { path: string, type: string, options: string }[]
function machine.mounts()
    local list = {}
    for line in (fs.read("/proc/self/mountinfo") or ""):gmatch("[^\n]+") do
        local path, kind, options = line:match("^%S+ %S+ %S+ %S+ (%S+) .- %- (%S+) %S+ (%S+)")
        if path then list[#list + 1] = { path = unescape(path), type = kind, options = options } end
    end
    return list
end

---Mount points of the control groups: one for version 2, one for each hierarchy of version 1. What is mounted at
---/sys/fs/cgroup decides, as it does for the kubelet.
---@return string[] roots
---@return integer version
function machine.cgroup_roots()
    local first, seen = {}, {}
    for _, mount in ipairs(machine.mounts()) do
        if mount.type == "cgroup2" and mount.path == "/sys/fs/cgroup" then return { mount.path }, 2 end
        if mount.type == "cgroup" and not seen[mount.path] then first[#first + 1] = mount.path end
        seen[mount.path] = true -- something may be mounted over it
    end
    return first, 1
end

---The resolver's file with servers that pods can reach too: a stub on 127.0.0.53 is nobody in a pod.
---@return string path
---@return boolean has_servers
function machine.resolv_conf()
    for _, path in ipairs({ "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf" }) do
        for server in (fs.read(path) or ""):gmatch("nameserver%s+(%S+)") do
            if not server:find("^127%.") and server ~= "::1" then return path, true end
        end
    end
    return "/etc/resolv.conf", (fs.read("/etc/resolv.conf") or ""):find("nameserver", 1, true) ~= nil
end

local function to_number(address)
    local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
    return a and (tonumber(a) << 24 | tonumber(b) << 16 | tonumber(c) << 8 | tonumber(d))
end

---Whether two IPv4 networks such as "10.244.0.0/16" share an address.
---@param one string
---@param other string
---@return boolean
function machine.overlap(one, other)
    local first, first_bits = one:match("^([%d%.]+)/?(%d*)$")
    local second, second_bits = other:match("^([%d%.]+)/?(%d*)$")
    local left, right = first and to_number(first), second and to_number(second)
    if not left or not right then return false end
    local bits = math.min(tonumber(first_bits) or 32, tonumber(second_bits) or 32)
    return bits == 0 or left >> (32 - bits) == right >> (32 - bits)
end

---IPv4 networks that this machine has routes to, but the default and those of interfaces whose name starts with `own`.
---@async
---@param own string
---@return string[]
function machine.routes(own)
    local result = proc.run({ "ip", "-4", "route", "show", "table", "all" }, { check = false })
    local list = {}
    for line in result.stdout:gmatch("[^\n]+") do
        local network = line:match("^%l*%s*([%d%.]+/?%d*) ")
        if network and not line:find("dev " .. own, 1, true) and not line:find("^default")
            then list[#list + 1] = network end
    end
    return list
end

---The first of `candidates` that no network of this machine overlaps; the first of all where every one does.
---@param candidates string[]
---@param taken string[]
---@return string
function machine.free_network(candidates, taken)
    for _, candidate in ipairs(candidates) do
        local free = true
        for _, network in ipairs(taken) do
            if machine.overlap(candidate, network) then free = false end
        end
        if free then return candidate end
    end
    return candidates[1]
end

---Arguments of a process; nil where it is gone or is the kernel's.
---@param pid integer|string
---@return string[]?
function machine.arguments(pid)
    local ok, text = pcall(fs.read, "/proc/" .. pid .. "/cmdline")
    if not ok or not text or text == "" then return nil end
    local list = {}
    for argument in text:gmatch("([^%z]*)%z") do list[#list + 1] = argument end
    return list
end

---@return integer[] pids of all processes
function machine.pids()
    local list = {}
    for _, name in ipairs(fs.list("/proc")) do
        if name:find("^%d+$") then list[#list + 1] = math.tointeger(tonumber(name)) end
    end
    return list
end

return machine
