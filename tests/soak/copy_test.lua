-- What takes too long for every run: a gigabyte into a pod of a real node and back.
package.path = "./?.lua;" .. package.path

local fs = require "fs"
local lu = require "luaunit"
local node = require "tests.kube.node"
local pod_copy = require "kubectl.copy"
local proc = require "proc"
local task = require "task"

local tests = {}

function tests.gigabyte_is_whole_both_ways()
    local here, temp <close> = node.open("kclient-soak"), fs.tempdir()
    task.defer(function() here:close() end)
    here:pod("box", node.spec("while :; do sleep 1000 & wait; done"))
    local place = { client = here.client, pod = "box", namespace = here.namespace, container = "main" }
    local from, back = temp.path .. "/big", temp.path .. "/back"
    proc.run({ "dd", "if=/dev/urandom", "of=" .. from, "bs=1M", "count=1024" }, { timeout = 600 })
    local began = task.now()
    pod_copy.upload(place, from, "/tmp/big")
    local up = task.now() - began
    pod_copy.download(place, "/tmp/big", back)
    local down = task.now() - began - up
    local sum = fs.sha256(from)
    lu.assertEquals(fs.sha256(back), sum)
    print(("# 1 GiB: up in %.0f s, down in %.0f s, sha256 %s both ways"):format(up, down, sum))
end

return tests
