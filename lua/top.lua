-- Shows what the stack's pods use.
local cli = require "cli"
local cluster = require "cluster"
local component = require "component"
local project = require "project"
local stack = require "stack"
local top = require "kube.top"

local options = cli.parse {
    name = "top",
    summary = "Shows how much processor and memory the stack's pods use. The cluster needs metrics-server.",
    options = {
        { "containers", help = "each container by itself" },
        { "sort-by", value = "FIELD", choices = { "cpu", "memory" }, help = "cpu or memory, the greatest first" },
    },
    groups = { "cluster" },
    arguments = { { "component", help = "frontend, backend, mcp; default: all", many = true } },
    examples = { "todo-lua top", "todo-lua top backend --containers" },
}

local ctx = project.open(options)
ctx.board:close()
component.check(ctx, options.component)
local client = cluster.require_running(ctx)
stack.values(ctx)
local session = { client = client, namespace = ctx.config.namespace }
top.commands.pod.run(session, { containers = options.containers, sum = true, sort_by = options.sort_by or "",
    selector = component.selector(ctx, options.component) }, {})
