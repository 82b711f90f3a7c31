-- Opens local ports to a component's pods and keeps them open over restarts and deploys.
local cli = require "cli"
local cluster = require "cluster"
local component = require "component"
local fail = require "fail"
local forward = require "forward_ports"
local log = require "log"
local pods = require "pods"
local project = require "project"
local stack = require "stack"

local options = cli.parse {
    name = "forward",
    summary = "Forwards local ports to a component's pods, over restarts and deploys, until Ctrl-C.",
    options = {
        { "address", value = "IP", default = "127.0.0.1", help = "address to listen on (default 127.0.0.1)" },
    },
    groups = { "cluster" },
    arguments = {
        { "component", help = "frontend, backend, mcp", required = true },
        { "port", help = "[LOCAL:]REMOTE; default: the component's own", many = true },
    },
    examples = { "todo-lua forward backend 8000", "todo-lua forward frontend 8080:3000" },
}

local ctx = project.open(options)
ctx.board:close()

local function parse(word)
    local left, right = word:match("^(%d*):(%d+)$")
    local here, there = tonumber(left ~= "" and left or left and "0" or word), tonumber(right or word)
    if here and there and here < 65536 and there > 0 and there < 65536 then
        return { ["local"] = here, remote = there }
    end
    fail.raise("usage", ("%q is no port"):format(word), "give PORT or LOCAL:REMOTE", { status = 2 })
end

local ports = {}
for i, word in ipairs(options.port) do ports[i] = parse(word) end
local object = component.object(ctx, options.component)
local client = cluster.require_running(ctx)
stack.values(ctx)
object.metadata.namespace = ctx.config.namespace
if #ports == 0 then
    local container = pods.container(pods.of(client, object, 5))
    local port = container.ports and container.ports[1] and container.ports[1].containerPort
    if not port then
        fail.raise("usage", options.component .. " names no port", "say which: todo-lua forward NAME PORT")
    end
    ports[1] = { ["local"] = port, remote = port }
end

local forwarder = forward.open(client, object, ports, {
    addresses = { options.address },
    connected = function(port) log.detail("connection to port %d", port) end,
    failed = function(port, problem) log.warn("port %d: %s", port, fail.message(problem)) end,
})
for _, port in ipairs(forwarder.ports) do
    log.result("%s:%d -> %s %d", port.address, port["local"], options.component, port.remote)
end
forwarder:wait()
