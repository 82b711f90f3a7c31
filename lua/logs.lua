-- Shows the pods' logs, all in one stream, each line with its pod.
local cli = require "cli"
local cluster = require "cluster"
local component = require "component"
local fail = require "fail"
local kube_logs = require "kube.logs"
local log = require "log"
local pflag = require "pflag"
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
local since = options.since and pflag.duration(options.since) or 0
if options.since and since <= 0 then
    fail.raise("usage", ("--since takes an age such as 10m or 2h, not %q"):format(options.since), nil, { status = 2 })
end
local client = cluster.require_running(ctx)
stack.values(ctx)
local namespace = ctx.config.namespace
local read = { all_containers = true, tail = tail, since = since, limit_bytes = 0, previous = options.previous,
    follow = options.follow }

local function colour_of(own)
    for index, name in ipairs(ctx.config.components) do
        if name == own then return colours[(index - 1) % #colours + 1] end
    end
    return "dim"
end

local function print_log(stream)
    local pod = stream.pod
    local own = tables.at(pod, "metadata.labels")[component.LABEL] or pod.metadata.name
    local prefix = term.style(colour_of(own), ("%-8s"):format(own)) .. " "
    local between = "\n" .. prefix:gsub("%%", "%%%%")
    local function write(text)
        log.result("%s", prefix .. term.clean((text:gsub("\n$", ""))):gsub("\n", between))
    end
    kube_logs.print_stream({ client = client }, stream, read, write)
end

local function streams()
    local pods = client:list("pods", { namespace = namespace, labels = component.selector(ctx, options.component) })
    return kube_logs.streams(pods, read)
end

local function show_once()
    local list = streams()
    if #list == 0 then
        fail.raise("not_found", ("no pods of release %s in namespace %s"):format(ctx.config.release, namespace),
            "todo-lua status shows what there is")
    end
    for _, stream in ipairs(list) do
        local ok, problem = pcall(print_log, stream)
        if not ok then log.warn("%s: %s", stream.pod.metadata.name, fail.message(problem)) end
    end
end

-- The run of a container that goes on now: its key; nil where it does not run.
local function run_of(stream)
    for _, kind in ipairs { "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses" } do
        for _, status in ipairs(tables.at(stream.pod, "status." .. kind) or {}) do
            if status.name == stream.container and tables.at(status, "state.running") then
                return stream.pod.metadata.uid .. status.name .. tostring(status.restartCount)
            end
        end
    end
end

-- One task for each container. A container that starts anew is a new stream, unless the old one goes on with it: a
-- stream whose connection ended takes up what runs then.
local function follow()
    local seen, live = {}, {}
    local function go_on(stream, container)
        local ok, problem = pcall(print_log, stream)
        live[container] = nil
        if not ok then log.detail("%s: %s", stream.pod.metadata.name, fail.message(problem)) end
    end
    while true do
        for _, stream in ipairs(streams()) do
            local run, container = run_of(stream), stream.pod.metadata.uid .. stream.container
            if run and not seen[run] and not live[container] then
                live[container] = task.spawn(go_on, stream, container)
            end
            seen[run or ""] = true
        end
        task.sleep(1)
    end
end

if options.follow then follow() else show_once() end
