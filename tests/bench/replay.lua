-- The server of the client's ceiling: answers a watch with recorded events and a log with numbered lines, all at once, and
-- lets the real API server answer the rest. todo-lua tests/bench/replay.lua PORT PKI EVENTS LINES; says its own port.
local faults = require "tests.faults"
local fs = require "fs"
local program = require "program"
local task = require "task"
local term = require "term"

local port, pki, events_file, count = table.unpack(program.args)
local events = fs.read(events_file)

local function log(timestamps)
    local lines = {}
    for i = 1, tonumber(count) do
        local stamp = timestamps and ("2026-11-24T03:%02d:%02d.%09dZ "):format(i // 60000 % 60, i // 1000 % 60,
            i % 1000 * 1000000) or ""
        lines[i] = ("%sINFO  request %07d handled in 12 ms, GET /api/tasks 200\n"):format(stamp, i)
    end
    return table.concat(lines)
end
local plain, stamped = log(false), log(true)

local listener = faults.http({ port = tonumber(port), pki = pki }, function(request)
    if request.path:find("watch=", 1, true) then
        return { status = 200, headers = { ["Content-Type"] = "application/json" }, body = events }
    elseif request.path:find("/log?", 1, true) then
        return { status = 200, headers = { ["Content-Type"] = "text/plain" },
            body = request.path:find("timestamps=true", 1, true) and stamped or plain }
    end
end)
term.write(listener.port .. "\n")
task.event():wait() -- until it is killed
