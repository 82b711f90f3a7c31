-- What takes too long for every run: logs that are larger than the node keeps in one file, followed while they are written
-- and while servers and containers are killed.
package.path = "./?.lua;" .. package.path

local eventually = require "tests.eventually"
local lu = require "luaunit"
local node = require "tests.kube.node"
local numbered_log = require "tests.kube.numbered_log"
local task = require "task"

local tests = {}
local LINES = 100000

function tests.hundred_thousand_lines_over_a_rotation_and_a_killed_container_are_followed_without_gap_and_double()
    local here = node.open("kclient-log-soak")
    task.defer(function() here:close() end)
    -- so long that the node rotates the file at least once (containerLogMaxSize, 10 MiB)
    local log = numbered_log.pod(here, "writer", { burst = LINES, filler = " " .. ("x"):rep(120) })
    local began = task.now()
    local function whole(wanted, seen)
        eventually(300, "all of run " .. wanted, function()
            local run, number = seen()
            return run == wanted and number >= LINES
        end)
    end
    local lines, runs = log:check(function(seen)
        whole(1, seen)
        print(("# %d lines in %.1f s"):format(LINES, task.now() - began))
        eventually(90, "the node rotates the log", function() return log:files() > 1 end)
        log:kill_container(seen)
        whole(2, seen)
    end)
    lu.assertEquals(runs, 2)
    print(("# %d lines over a rotation and a killed container: none lost, none doubled"):format(lines))
end

function tests.log_over_fifty_restarts_of_the_api_server_and_killed_containers()
    local here = node.open("kclient-restart-soak")
    task.defer(function() here:close() end)
    local log = numbered_log.pod(here, "numbered")
    local lines, runs = log:check(function(seen)
        for i = 1, 50 do
            log:kill_api_server(seen)
            if i % 5 == 0 then numbered_log.renew_supervisor() end
            if i % 25 == 0 then log:kill_container(seen) end
            print(("# %d restarts of the API server"):format(i))
        end
    end)
    lu.assertEquals(runs, 3)
    print(("# 50 restarts of the API server, 2 of the container, %d lines: none lost, none doubled"):format(lines))
end

return tests
