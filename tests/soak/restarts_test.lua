-- What takes too long for every run: an API server that is restarted fifty times under a watch and a cache.
package.path = "./?.lua;" .. package.path

local apiserver = require "tests.cluster.apiserver"
local lu = require "luaunit"
local numbered = require "tests.cluster.numbered"

local tests = {}

function tests.watch_over_fifty_restarts_of_the_server_loses_and_doubles_nothing()
    local server = apiserver.start()
    local ok, last = pcall(numbered.check_restarts, server, 50)
    server:stop()
    lu.assertTrue(ok, tostring(last))
    lu.assertTrue(last > 1000, "the writer made " .. tostring(last))
    print(("# 50 restarts, %d objects: none lost, none doubled"):format(last))
end

return tests
