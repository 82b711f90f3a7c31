-- Shows what happened to the stack, the newest last.
local cli = require "cli"
local cluster = require "cluster"
local component = require "component"
local events = require "kube.events"
local project = require "project"
local stack = require "stack"

local options = cli.parse {
    name = "events",
    summary = "Shows what happened to the stack's objects, the newest last.",
    options = {
        { "watch", help = "then go on with what happens" },
        { "warnings", help = "only what went wrong" },
    },
    groups = { "cluster" },
    arguments = { { "component", help = "frontend, backend, mcp; default: all", many = true } },
    examples = { "todo-lua events", "todo-lua events backend --warnings", "todo-lua events --watch" },
}

local ctx = project.open(options)
ctx.board:close()
component.check(ctx, options.component)
local client = cluster.require_running(ctx)
stack.values(ctx)

-- Events carry no labels: what belongs to a component is called RELEASE-COMPONENT, or begins so.
local function about_components(event)
    local name = event.involvedObject and event.involvedObject.name or ""
    for _, one in ipairs(options.component) do
        local own = ctx.config.release .. "-" .. one
        if name == own or name:sub(1, #own + 1) == own .. "-" then return true end
    end
    return #options.component == 0
end

events.run({ client = client, namespace = ctx.config.namespace }, { watch = options.watch, output = "",
    types = options.warnings and { "Warning" } or {}, only = about_components })
