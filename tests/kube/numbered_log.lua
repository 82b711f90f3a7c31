-- A pod that numbers the lines of its log, ten milliseconds apart, and a reader that must see each of them once, whatever
-- happens to the API server, the node and the container meanwhile.
local lu = require "luaunit"
local machine = require "cluster.standalone.machine"
local needs = require "tests.needs"
local node = require "tests.kube.node"
local proc = require "proc"
local processes = require "cluster.standalone.processes"
local standalone = require "cluster.standalone"
local task = require "task"

local numbered_log = {}

-- A line is RUN.NUMBER; the count of runs outlives the container in a volume of the pod.
local SCRIPT = "echo run >> /d/runs; run=$(wc -l < /d/runs); i=0; "
    .. "while :; do i=$((i+1)); echo $((run)).$i; usleep 10000; done"

---@async
---@param here todo.TestNode
---@param name string
---@return table pod
function numbered_log.pod(here, name)
    local spec = node.spec(SCRIPT)
    spec.volumes = { { name = "d", emptyDir = {} } }
    spec.containers[1].volumeMounts = { { name = "d", mountPath = "/d" } }
    return here:pod(name, spec)
end

---Follows the pod's log, each run of the container as it comes, while `trouble` runs and until what was written by then
---has come; raises where a line is missing, comes twice or in another order.
---@async
---@param here todo.TestNode
---@param name string
---@param trouble async fun()
---@return integer lines
---@return integer runs of the container
function numbered_log.check(here, name, trouble)
    local run, number, lines = 1, 0, 0
    local wanted_run, wanted_number
    local ends = {} -- the last line of each run
    local function enough()
        return wanted_run and (run > wanted_run or run == wanted_run and number >= wanted_number)
    end
    local function follow()
        local log <close> = here.client:logs(name, { follow = true })
        for line in log do
            if ends[run] then run, number = run + 1, 0 end
            lu.assertEquals(line, ("%d.%d"):format(run, number + 1))
            number, lines = number + 1, lines + 1
            if enough() then return end
        end
        ends[run] = number
        node.eventually(60, "the container runs again", function()
            local status = here.client:get("pods", name).status.containerStatuses[1]
            return status.restartCount == run and status.state.running
        end)
        lu.assertEquals(here.client:logs(name, { previous = true, tail = 1 }):text(), ("%d.%d\n"):format(run, number))
    end
    local reading = task.spawn(function()
        repeat follow() until enough()
    end)
    local ok, problem = pcall(function()
        node.eventually(30, "the first line", function() return lines > 0 end)
        trouble()
        local newest = here.client:logs(name, { tail = 1 }):text()
        wanted_run, wanted_number = math.tointeger(newest:match("^%d+")), math.tointeger(newest:match("%.(%d+)"))
        task.timeout(90, function() reading:wait() end)
    end)
    reading:cancel()
    if not ok then error(problem, 0) end
    return lines, run
end

---The API server is killed, and is back when this returns.
---@async
---@param here todo.TestNode
function numbered_log.kill_api_server(here)
    local layout = standalone.layout(needs.context())
    local before = assert(processes.noted(layout, "kube-apiserver"), "no API server is noted")
    proc.signal(before.pid, "KILL", before.start)
    node.eventually(60, "the API server is back", function()
        local now = processes.noted(layout, "kube-apiserver")
        return now and now.pid ~= before.pid and here.client:get("ns", here.namespace)
    end)
end

---The container's first process is killed from outside, and the next run has begun when this returns.
---@async
---@param here todo.TestNode
---@param name string
function numbered_log.kill_container(here, name)
    local layout = standalone.layout(needs.context())
    local function restarts() return here.client:get("pods", name).status.containerStatuses[1].restartCount end
    local before, killed = restarts(), 0
    for _, process in ipairs(processes.in_pods(layout)) do
        local arguments = machine.arguments(process.pid) or {}
        if (arguments[3] or ""):find(SCRIPT, 1, true) then
            proc.signal(process.pid, "KILL", process.start)
            killed = killed + 1
        end
    end
    lu.assertTrue(killed > 0, "the container's process was not found")
    node.eventually(60, "the container runs again", function() return restarts() > before end)
end

return numbered_log
