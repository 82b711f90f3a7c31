-- Upgrades a release and kills itself at a write to the server: todo-lua killed.lua KUBECONFIG NAMESPACE N before|after.
-- Prints the number of writes where it lives to its end.
local chart = require "chart"
local k8s = require "k8s"
local log = require "log"
local proc = require "proc"
local program = require "program"
local upgrade = require "release.upgrade"

local kubeconfig, namespace, at, moment = table.unpack(program.args)
local client = k8s.connect { kubeconfig = kubeconfig, namespace = namespace }
local count = 0

local function die_at(this_moment)
    if count == tonumber(at) and moment == this_moment then proc.signal(proc.pid(), "KILL") end
end

local watched = setmetatable({}, { __index = function(_, name)
    local value = client[name]
    if type(value) ~= "function" then return value end
    local writes = name == "create" or name == "update" or name == "patch" or name == "delete"
    return function(_, ...)
        if writes then
            count = count + 1
            die_at "before"
        end
        local results = table.pack(value(client, ...))
        if writes then die_at "after" end
        return table.unpack(results, 1, results.n)
    end
end })

upgrade.run({ client = watched, name = "r", namespace = namespace, log = log, state_dir = os.getenv("XDG_STATE_HOME") },
    chart.load(program.project .. "/tests/release/charts/turns"),
    { values = { extra = "yes", tag = 2, sub = { note = "changed" } }, timeout = 20 })
print(count)
