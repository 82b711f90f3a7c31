-- Runs a command in a component's pod; a shell where none is given.
local cli = require "cli"
local cluster = require "cluster"
local component = require "component"
local log = require "log"
local pods = require "pods"
local program = require "program"
local project = require "project"
local remote = require "kubectl.remote"
local stack = require "stack"
local term = require "term"

local options = cli.parse {
    name = "exec",
    summary = "Runs a command in a component's pod: a shell where none is given.",
    options = {
        { "container", short = "c", value = "NAME", help = "container of the pod (default: its first)" },
    },
    groups = { "cluster" },
    arguments = {
        { "component", help = "frontend, backend, mcp", required = true },
        { "command", help = "the program and its arguments, after --", many = true },
    },
    examples = { "todo-lua exec frontend", "todo-lua exec backend -- python -V" },
}

local ctx = project.open(options)
ctx.board:close()
log.set_stream "stderr" -- stdout is the command's
component.check(ctx, { options.component })
local client = cluster.require_running(ctx)
stack.values(ctx)
local pod = pods.of(client, component.object(ctx, options.component), 5, function(text) log.info("%s", text) end)
local container = pods.container(pod, options.container)
local command = #options.command > 0 and options.command or { "sh" }
local tty = term.is_tty("stdin") and term.is_tty("stdout")

local status = remote.join(function(size)
    return client:exec(pod.metadata.name, { namespace = pod.metadata.namespace, container = container.name,
        command = command, stdin = true, tty = tty, size = size })
end, { stdin = true, tty = tty })
program.exit(status)
