-- Shows the pods' logs, all in one stream, each line with its pod.
local cli = require "cli"
local cluster = require "cluster"
local component = require "component"
local fail = require "fail"
local log = require "log"
local project = require "project"
local stack = require "stack"
local tables = require "tables"
local task = require "task"
local term = require "term"

local options = cli.parse {
    name = "logs",
    summary = "Shows the logs of the stack's pods.",
    options = {
        { "follow", help = "go on with what comes; new pods join by themselves" },
        { "previous", short = "p", help = "of the containers before their last restart" },
        { "tail", value = "N", default = "100", help = "lines of each pod to begin with (default 100)" },
        { "since", value = "AGE", help = "nothing older, such as 10m" },
    },
    groups = { "cluster" },
    arguments = { { "component", help = "frontend, backend, mcp; default: all", many = true } },
    examples = { "todo-lua logs backend --follow", "todo-lua logs --previous mcp" },
}

local colours = { "cyan", "green", "magenta", "yellow", "blue" }
local ctx = project.open(options)
ctx.board:close()
component.check(ctx, options.component)
local tail = math.tointeger(tonumber(options.tail))
if not tail or tail < 0 then
    fail.raise("usage", ("--tail takes a number of lines, not %q"):format(options.tail), nil, { status = 2 })
end
local client = cluster.require_running(ctx)
stack.values(ctx)
local namespace = ctx.config.namespace

local function wanted(pod)
    if #options.component == 0 then return true end
    local own = tables.at(pod, "metadata.labels")[component.LABEL]
    for _, name in ipairs(options.component) do
        if name == own then return true end
    end
    return false
end

local function colour_of(own)
    for index, name in ipairs(ctx.config.components) do
        if name == own then return colours[(index - 1) % #colours + 1] end
    end
    return "dim"
end

local function print_log(pod, container, follow)
    local own = tables.at(pod, "metadata.labels")[component.LABEL] or pod.metadata.name
    local prefix = term.style(colour_of(own), ("%-8s"):format(own)) .. " "
    local lines = client:logs(pod.metadata.name, {
        namespace = namespace, container = container, follow = follow, previous = options.previous,
        tail = tail, since = options.since,
    })
    for text in function() return lines:next() end do log.result("%s%s", prefix, term.clean(text)) end
    lines:close()
end

local function pods()
    return tables.filter(client:list("pods", { namespace = namespace,
        labels = { ["app.kubernetes.io/instance"] = ctx.config.release } }), wanted)
end

local function show_once()
    local list = pods()
    if #list == 0 then
        fail.raise("not_found", ("no pods of release %s in namespace %s"):format(ctx.config.release, namespace),
            "todo-lua status shows what there is")
    end
    for _, pod in ipairs(list) do
        for _, container in ipairs(pod.spec.containers) do
            local ok, problem = pcall(print_log, pod, container.name, false)
            if not ok then log.warn("%s: %s", pod.metadata.name, fail.message(problem)) end
        end
    end
end

-- One task for each container; a container that starts anew is a new stream.
local function follow()
    local streams = {}
    while true do
        for _, pod in ipairs(pods()) do
            for _, status in ipairs(tables.at(pod, "status.containerStatuses") or {}) do
                local key = pod.metadata.uid .. status.name .. tostring(status.restartCount)
                if not streams[key] and tables.at(status, "state.running") then
                    streams[key] = task.spawn(function()
                        local ok, problem = pcall(print_log, pod, status.name, true)
                        if not ok then log.detail("%s: %s", pod.metadata.name, fail.message(problem)) end
                    end)
                end
            end
        end
        task.sleep(1)
    end
end

if options.follow then follow() else show_once() end
