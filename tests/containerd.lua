-- A containerd of the tests' own, without a cluster: what gives it images needs no more.
local fs = require "fs"
local needs = require "tests.needs"
local proc = require "proc"
local standalone = require "cluster.standalone"
local task = require "task"

local containerd = {}

local CONFIG = [[
version = 3
root = "%s/root"
state = "%s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
    "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[grpc]
address = "%s/containerd.sock"
]]

---Starts one.
---@async
---@param folder string where it keeps everything
---@return todo.StandaloneLayout layout as far as images go; closing it ends the containerd
function containerd.start(folder)
    needs.programs()
    local layout = { bin = standalone.layout(needs.context()).bin, run = folder, state = folder, nodes = {} }
    fs.mkdir(folder)
    fs.write(folder .. "/config.toml", CONFIG:format(folder, folder, folder))
    local child = proc.spawn({ layout.bin .. "/containerd", "--config", folder .. "/config.toml" },
        { stdout = "null", stderr = folder .. "/log" })
    local deadline = task.now() + 30
    while not fs.exists(folder .. "/containerd.sock") do
        assert(task.now() < deadline, "containerd does not start")
        task.sleep(0.1)
    end
    return setmetatable(layout, { __close = function()
        child:kill()
        child:wait()
        child:close()
    end })
end

---Runs ctr on it.
---@async
---@param layout todo.StandaloneLayout
---@param argv string[]
---@param options todo.ProcOptions?
---@return todo.ProcResult
function containerd.ctr(layout, argv, options)
    return proc.run({ layout.bin .. "/ctr", "--address", layout.run .. "/containerd.sock", "--namespace", "k8s.io",
        table.unpack(argv) }, options)
end

return containerd
