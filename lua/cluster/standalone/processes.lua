-- The node's processes: who they are, starting their supervisor, ending them in good order.
local fs = require("fs")
local json = require("json")
local machine = require("cluster.standalone.machine")
local proc = require("proc")
local program = require("program")
local task = require("task")

local processes = {}

---State letter and start time (clock ticks since boot) of a process; nil where there is none or it only waits to be
---reaped.
---@param pid integer
---@return integer? start
function processes.start_time(pid)
    local ok, text = pcall(fs.read, ("/proc/%d/stat"):format(pid))
    local fields = ok and text and text:match("^.*%) (.*)$")
    if not fields then return nil end
    local list = {}
    for field in fields:gmatch("%S+") do list[#list + 1] = field end
    if list[1] == "Z" or list[1] == "X" then return nil end
    return math.tointeger(tonumber(list[20]))
end

local function pid_path(layout, name)
    return fs.join(layout.run, "pid", name)
end

---Notes who a component is: a pid alone may be another's after a while, so its start time goes with it.
---@param layout { run: string }
---@param name string
---@param pid integer
function processes.note(layout, name, pid)
    fs.mkdir(fs.join(layout.run, "pid"))
    fs.write(pid_path(layout, name), json.encode({ pid = pid, start = processes.start_time(pid), boot = machine.boot_id(
        ) }))
end

---The noted process of a component; nil where it has ended.
---@param layout { run: string }
---@param name string
---@return { pid: integer, start: integer }?
function processes.noted(layout, name)
    local text = fs.read(pid_path(layout, name))
    local ok, note = pcall(json.decode, text or "")
    if not ok or type(note) ~= "table" or not note.pid or note.boot ~= machine.boot_id() then return nil end
    if processes.start_time(note.pid) ~= note.start then return nil end
    return note
end

local function holds(arguments, from, text)
    for i = from, #arguments do
        if arguments[i]:find(text, 1, true) then return true end
    end
    return false
end

-- Programs that the running cluster was started from: the plan says so, whatever cache this run would take them from.
local function started_programs(layout)
    local ok, plan = pcall(json.decode, fs.read(fs.join(layout.run, "plan.json")) or "")
    local paths = {}
    for _, component in ipairs(ok and type(plan) == "table" and plan.components or {}) do
        paths[component.argv[1]] = true
    end
    return paths
end

local function kind_of(layout, arguments, started)
    local name = fs.basename(arguments[1])
    if holds(arguments, 2, "cluster/standalone/supervise") and holds(arguments, 2, layout.run)
        then return "supervisor" end
    local ours = holds(arguments, 2, layout.run) or holds(arguments, 2, layout.state)
    if not ours then return nil end
    if name == "containerd-shim-runc-v2" then return "shim" end
    if name == "runc" then return "runc" end
    if started[arguments[1]] or arguments[1]:sub(1, #layout.programs) == layout.programs then return "component" end
    return nil
end

---Every process of this cluster but those in pods, found by what they are, so that none is missed because a file was
---lost.
---@param layout { run: string, state: string, programs: string } programs: this run's cache folder of all builds
---@return { pid: integer, start: integer, kind: string, name: string }[]
function processes.find(layout)
    local list, own, started = {}, proc.pid(), started_programs(layout)
    for _, pid in ipairs(machine.pids()) do
        local arguments = pid ~= own and machine.arguments(pid)
        local kind = arguments and kind_of(layout, arguments, started)
        local start = kind and processes.start_time(pid)
        if start then list[#list + 1] = { pid = pid, start = start, kind = kind, name = fs.basename(arguments[1]) } end
    end
    return list
end

local function gather(folder, list, seen)
    for line in (fs.read(folder .. "/cgroup.procs") or ""):gmatch("%d+") do
        local pid = math.tointeger(tonumber(line))
        local start = not seen[pid] and processes.start_time(pid)
        if start then
            list[#list + 1] = { pid = pid, start = start, kind = "pod", name = (machine.arguments(pid) or { "?" })[1] }
            seen[pid] = true
        end
    end
    for _, name in ipairs(fs.list(folder)) do
        local stat = fs.stat(fs.join(folder, name))
        if stat and stat.type == "dir" then gather(fs.join(folder, name), list, seen) end
    end
end

---Every process in a pod: all of them live below the cluster's own control group.
---@param layout { cgroup: string }
---@return { pid: integer, start: integer, kind: string, name: string }[]
function processes.in_pods(layout)
    local list, seen = {}, {}
    for _, root in ipairs(machine.cgroup_roots()) do
        if fs.exists(root .. layout.cgroup) then gather(root .. layout.cgroup, list, seen) end
    end
    return list
end

local function living(list)
    local rest = {}
    for _, process in ipairs(list) do
        if processes.start_time(process.pid) == process.start then rest[#rest + 1] = process end
    end
    return rest
end

---Asks processes to end, and kills those that have not after `grace` seconds.
---@async
---@param list { pid: integer, start: integer }[]
---@param grace number
function processes.finish(list, grace)
    local function signal(name)
        for _, process in ipairs(list) do proc.signal(process.pid, name, process.start) end
    end
    local function wait(seconds)
        local deadline = task.now() + seconds
        list = living(list)
        while #list > 0 and task.now() < deadline do
            task.sleep(0.05)
            list = living(list)
        end
    end
    if grace > 0 then
        signal("TERM")
        wait(grace)
    end
    signal("KILL")
    wait(10)
end

---Starts the supervisor, which starts the components of `plan` and keeps them running after this program has ended.
---@param layout todo.StandaloneLayout
---@param plan table
function processes.supervise(layout, plan)
    fs.mkdir(layout.run, 0x1c0)
    fs.mkdir(fs.join(layout.state, "log"))
    fs.write(fs.join(layout.run, "plan.json"), json.encode(plan, { sort = true }), 0x180)
    local log = fs.join(layout.state, "log", "supervisor.log")
    local child = proc.spawn({ program.executable, "-C", program.project or "/", "cluster/standalone/supervise",
        layout.run },
        { detached = true, cwd = "/", stdin = "null", stdout = log, stderr = "stdout" })
    processes.note(layout, "supervisor", child.pid)
end

return processes
