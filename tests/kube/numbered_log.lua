-- A pod that numbers the lines of its log, and a reader that must see each of them once, whatever happens to the API
-- server, the node and the container meanwhile.
local eventually = require "tests.eventually"
local lu = require "luaunit"
local machine = require "cluster.standalone.machine"
local needs = require "tests.needs"
local node = require "tests.kube.node"
local proc = require "proc"
local processes = require "cluster.standalone.processes"
local standalone = require "cluster.standalone"
local task = require "task"

local numbered_log = {}

-- A line is RUN.NUMBER and what fills it; the count of runs outlives the container in a volume of the pod.
local SCRIPT = "echo run >> /d/runs; run=$(wc -l < /d/runs); i=0; say() { i=$((i+1)); echo $((run)).$i%s; }; "
    .. "while [ $i -lt %d ]; do say; done; while :; do say; usleep 10000; done"

---@class todo.NumberedLog
---@field here todo.TestNode
---@field name string of the pod
---@field pod table
---@field filler string at the end of each line
---@field script string
local NumberedLog = {}
NumberedLog.__index = NumberedLog

---Each run of the container begins with `burst` lines as fast as the node takes them; the others come ten milliseconds
---apart.
---@async
---@param here todo.TestNode
---@param name string
---@param options { burst: integer?, filler: string? }?
---@return todo.NumberedLog
function numbered_log.pod(here, name, options)
    options = options or {}
    local filler = options.filler or ""
    local self = setmetatable({ here = here, name = name, filler = filler,
        script = SCRIPT:format(filler, options.burst or 0) }, NumberedLog)
    local spec = node.spec(self.script)
    spec.volumes = { { name = "d", emptyDir = {} } }
    spec.containers[1].volumeMounts = { { name = "d", mountPath = "/d" } }
    self.pod = here:pod(name, spec)
    return self
end

---@param run integer
---@param number integer
---@return string
function NumberedLog:line(run, number) return ("%d.%d%s"):format(run, number, self.filler) end

-- The run before the newest ended with this line. The kubelet collects garbage once a minute: where that falls on the
-- moment in which the next run is made, the log of the one before is gone, and nothing proves its end.
function NumberedLog:check_end(line)
    local text
    eventually(60, "the log of the run before", function()
        text = self.here.client:logs(self.name, { previous = true, tail = 1 }):text()
        return true
    end)
    if not text:find("^unable to retrieve container logs") then lu.assertEquals(text, line .. "\n") end
end

---Follows the pod's log, each run of the container as it comes, while `trouble` runs and until what was written by then
---has come; raises where a line is missing, comes twice or in another order.
---@async
---@param trouble async fun(seen: fun(): integer, integer) seen: run and number of the newest line
---@return integer lines
---@return integer runs of the container
function NumberedLog:check(trouble)
    local client = self.here.client
    local run, number, lines, done = 1, 0, 0, task.event()
    local wanted_run, wanted_number
    local function enough()
        return wanted_run and (run > wanted_run or run == wanted_run and number >= wanted_number)
    end
    local function follow()
        local log <close> = client:logs(self.name, { follow = true })
        for line in log do
            if line == self:line(run + 1, 1) then
                self:check_end(self:line(run, number))
                run, number = run + 1, 0
            end
            if line ~= self:line(run, number + 1) then
                error(("%q came after %d.%d"):format(line:sub(1, 40), run, number), 0)
            end
            number, lines = number + 1, lines + 1
            if enough() then return end
        end
        eventually(60, "the container runs again", function()
            local status = client:get("pods", self.name).status.containerStatuses[1]
            return status.restartCount == run and status.state.running
        end)
    end
    task.all {
        function()
            repeat follow() until enough()
            done:set()
        end,
        function()
            eventually(30, "the first line", function() return lines > 0 end)
            trouble(function() return run, number end)
            local newest = client:logs(self.name, { tail = 1 }):text()
            wanted_number = math.tointeger(newest:match("%.(%d+)"))
            wanted_run = math.tointeger(newest:match("^%d+"))
            task.timeout(90, done.wait, done)
        end,
    }
    return lines, run
end

---How many files the node keeps of the log.
---@return integer
function NumberedLog:files() return #node.log_files(self.pod) end

---The API server is killed; it is back and the reader has gone on when this returns.
---@async
---@param seen fun(): integer, integer see check
function NumberedLog:kill_api_server(seen)
    local layout = standalone.layout(needs.context())
    local before = assert(processes.noted(layout, "kube-apiserver"), "no API server is noted")
    proc.signal(before.pid, "KILL", before.start)
    eventually(120, "the API server is back", function()
        local now = processes.noted(layout, "kube-apiserver")
        return now and now.pid ~= before.pid and self.here.client:get("ns", self.here.namespace)
    end)
    local run, number = seen()
    eventually(60, "the reader goes on", function()
        local new_run, new_number = seen()
        return new_run > run or new_number > number
    end)
end

---A supervisor pauses longer before each restart; one that is new begins anew.
---@async
function numbered_log.renew_supervisor()
    local ctx = needs.context()
    local layout = standalone.layout(ctx)
    local process = assert(processes.noted(layout, "supervisor"), "no supervisor is noted")
    proc.signal(process.pid, "KILL", process.start)
    eventually(10, "the supervisor has ended", function() return not processes.noted(layout, "supervisor") end)
    standalone.start(ctx)
end

---The container's first process is killed from outside, and the reader has come to the next run when this returns.
---@async
---@param seen fun(): integer, integer see check
function NumberedLog:kill_container(seen)
    local layout = standalone.layout(needs.context())
    local before, first = seen(), nil
    for _, process in ipairs(processes.in_pods(layout)) do
        local arguments = machine.arguments(process.pid) or {}
        -- A process that the shell has just forked looks like the shell; if killed, the shell says so in the log.
        if (arguments[3] or ""):find(self.script, 1, true) and (not first or process.start < first.start) then
            first = process
        end
    end
    assert(first, "the container's process was not found")
    proc.signal(first.pid, "KILL", first.start)
    eventually(60, "lines of the next run come", function() return seen() > before end)
end

return numbered_log
