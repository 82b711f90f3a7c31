-- What takes too long for every run: a log that is larger than the node keeps in one file, followed while it is written.
package.path = "./?.lua;" .. package.path

local fs = require "fs"
local lu = require "luaunit"
local needs = require "tests.needs"
local node = require "tests.kube.node"
local numbered_log = require "tests.kube.numbered_log"
local standalone = require "cluster.standalone"
local task = require "task"

local tests = {}
local LINES, SLOW = 100000, 1500 -- as fast as the node takes them; a hundred a second, while the node rotates the file
local FILLER = ("x"):rep(120) -- so that the file is rotated at least once (containerLogMaxSize, 10 MiB)

function tests.hundred_thousand_lines_over_a_rotation_are_followed_without_gap_and_double()
    local here = node.open("kclient-log-soak")
    task.defer(function() here:close() end)
    local say = ("i=$((i+1)); echo \"$i %s\""):format(FILLER)
    local pod = here:pod("writer", node.spec(("i=0; while [ $i -lt %d ]; do %s; done; while [ $i -lt %d ]; do %s; usleep 10000; done; "
        .. "echo end; tail -f /dev/null & wait"):format(LINES, say, LINES + SLOW, say)))
    local began, seen = task.now(), 0
    local log <close> = here.client:logs("writer", { follow = true })
    for line in log do
        if line == "end" then break end
        seen = seen + 1
        if line ~= seen .. " " .. FILLER then
            error(("line %d is %s"):format(seen, line:sub(1, 40)), 0)
        end
        if seen == LINES then
            print(("# %d lines in %.1f s: none lost, none doubled"):format(LINES, task.now() - began))
        end
    end
    lu.assertEquals(seen, LINES + SLOW)
    local files = fs.list(("%s/pods/%s_writer_%s/main"):format(standalone.layout(needs.context()).state, here.namespace,
        pod.metadata.uid))
    lu.assertTrue(#files > 1, "the node has rotated nothing")
end

function tests.log_over_fifty_restarts_of_the_api_server_and_killed_containers()
    local here = node.open("kclient-restart-soak")
    task.defer(function() here:close() end)
    numbered_log.pod(here, "numbered")
    local lines, runs = numbered_log.check(here, "numbered", function()
        for i = 1, 50 do
            numbered_log.kill_api_server(here)
            if i % 25 == 0 then numbered_log.kill_container(here, "numbered") end
            print(("# %d restarts of the API server"):format(i))
        end
    end)
    lu.assertEquals(runs, 3)
    print(("# 50 restarts of the API server, 2 of the container, %d lines: none lost, none doubled"):format(lines))
end

return tests
