-- todo-lua kube logs: what containers say, of one pod or of many.
local fail = require "fail"
local format = require "format"
local kube_errors = require "kubectl.errors"
local kube_pods = require "kubectl.pods"
local pods = require "pods"
local task = require "task"
local term = require "term"

local SELECTOR_TAIL = 10 -- lines of each pod that a selector picks, unless --tail says otherwise

local flags = {
    { "follow", short = "f", kind = "bool", help = "go on with what comes" },
    { "container", short = "c", help = "container to read (default: the pod's default container, else its first)" },
    { "all-containers", kind = "bool", help = "of all containers of a pod" },
    { "all-pods", kind = "bool", help = "of all pods of the object, each line with its pod" },
    { "selector", short = "l", help = "of the pods with these labels" },
    { "previous", short = "p", kind = "bool", help = "of the container before its last restart" },
    { "tail", kind = "int", help = "only the last lines (default -1: all; 10 of each pod with a selector)" },
    { "since", kind = "duration", default = 0, help = "nothing older, such as 5s, 2m or 3h" },
    { "since-time", help = "nothing older than this time (RFC 3339)" },
    { "timestamps", kind = "bool", help = "each line with its time" },
    { "prefix", kind = "bool", help = "each line with its pod and container" },
    { "limit-bytes", kind = "int", default = 0, help = "at most so many bytes of each container" },
    { "max-log-requests", kind = "int", default = 5, help = "how many containers may be followed at once" },
    { "ignore-errors", kind = "bool", help = "go on with the others where one cannot be followed" },
}
table.move(kube_pods.flags, 1, #kube_pods.flags, #flags + 1, flags)

local colours = { "cyan", "green", "magenta", "yellow", "blue" }

local function check(options, words)
    if options.since_time and options.since ~= 0 then
        kube_errors.raise("at most one of `sinceTime` or `sinceSeconds` may be specified")
    end
    if options.all_containers and options.container then
        kube_errors.raise("--all-containers=true should not be specified with container name " .. options.container)
    end
    if options.container and #words == 2 then
        kube_errors.raise("only one of -c or an inline [CONTAINER] arg is allowed")
    end
    if options.limit_bytes < 0 then kube_errors.raise("--limit-bytes must be greater than 0") end
    if options.since < 0 then kube_errors.raise("--since must be greater than 0") end
    if (options.tail or 0) < -1 then kube_errors.raise("--tail must be greater than or equal to -1") end
    if options.since_time and not format.epoch(options.since_time) then
        kube_errors.raise(("parsing time %q: RFC 3339 is expected, as 2006-01-02T15:04:05Z"):format(
            options.since_time))
    end
end

-- The pods, and whether they are those of a selector, of which the container that is not asked for is not told.
local function pods_of(session, options, words)
    if options.selector then
        local list = session.client:list("pods", { namespace = session.namespace, labels = options.selector })
        if #list == 0 then
            io.stderr:write(("No resources found in %s namespace.\n"):format(session.namespace))
        end
        return list
    end
    local ok, pod, object = pcall(kube_pods.find, session, words[1], options)
    if not ok and fail.field(pod, "status") == 404 then
        kube_errors.raise(("error from server (NotFound): %s in namespace %q"):format(fail.message(pod),
            session.namespace), fail.field(pod, "hint"))
    end
    if not ok then error(pod, 0) end
    if object.kind == "Pod" then return { pod } end
    local all = session.client:list("pods", { namespace = object.metadata.namespace,
        labels = pods.selector(object) })
    if options.all_pods then return pods.sort(all) end
    if #all > 1 then io.stderr:write(("Found %d pods, using pod/%s\n"):format(#all, pod.metadata.name)) end
    return { pod }
end

local function containers_of(pod, options)
    if not options.all_containers then
        return { kube_pods.container(pod, options.container, not options.all_pods and kube_pods.say(options) or nil) }
    end
    local list = {}
    for _, kind in ipairs { "initContainers", "containers", "ephemeralContainers" } do
        table.move(pod.spec[kind] or {}, 1, #(pod.spec[kind] or {}), #list + 1, list)
    end
    return list
end

-- What each stream reads: one for each container, of which a selector's are told apart by their prefixes.
local function streams_of(list, options)
    local streams = {}
    for index, pod in ipairs(list) do
        local colour = colours[(index - 1) % #colours + 1]
        for _, container in ipairs(containers_of(pod, options)) do
            local name = ("[pod/%s/%s] "):format(pod.metadata.name, container.name)
            streams[#streams + 1] = { pod = pod, container = container.name,
                prefix = (options.prefix or options.all_pods) and term.style(colour, name) or "" }
        end
    end
    return streams
end

-- Says on stderr where a follower could not know all lines.
local function tell_gaps(lines, stream, told)
    local gaps = lines:gaps()
    if gaps > told then
        io.stderr:write(("warning: pod/%s/%s: lines may be missing here, as the connection was broken while the node "
            .. "put the log's file away or the container ran more than once\n"):format(stream.pod.metadata.name,
            stream.container))
    end
    return gaps
end

-- All that comes goes to `write`, by default to stdout, many lines at once.
local function print_stream(session, stream, options, write)
    local tail = options.tail or options.selector and SELECTOR_TAIL or -1
    local lines <close> = session.client:logs(stream.pod.metadata.name, {
        namespace = stream.pod.metadata.namespace, container = stream.container, follow = options.follow,
        previous = options.previous, timestamps = options.timestamps, tail = tail,
        since = options.since > 0 and options.since or nil, since_time = options.since_time,
        limit_bytes = options.limit_bytes, prefix = stream.prefix ~= "" and stream.prefix or nil,
    })
    local told = 0
    for text in function() return lines:read() end do
        told = tell_gaps(lines, stream, told)
        if write then write(text) else io.write(text) end
        if options.follow and not write then io.stdout:flush() end
    end
end

local function follow_all(session, streams, options)
    if #streams > options.max_log_requests then
        kube_errors.raise(("you are attempting to follow %d log streams, but maximum allowed concurrency is %d, use "
            .. "--max-log-requests to increase the limit"):format(#streams, options.max_log_requests))
    end
    local tasks = {}
    for index, stream in ipairs(streams) do
        tasks[index] = function()
            local ok, problem = pcall(print_stream, session, stream, options)
            if ok then return end
            if fail.kind(problem) == "cancelled" or not options.ignore_errors then error(problem, 0) end
            io.stderr:write("error: ", fail.message(problem), "\n")
        end
    end
    task.all(tasks)
end

return {
    summary = "print the logs of a container",
    usage = "(POD | TYPE/NAME | -l SELECTOR) [-c CONTAINER] [flags]",
    examples = {
        "todo-lua kube logs web-0", "todo-lua kube logs deploy/web --all-pods --tail=20 -f",
        "todo-lua kube logs -l app=web --prefix --since=10m", "todo-lua kube logs web-0 -c app --previous",
    },
    flags = flags,
    streams = streams_of, -- these two are also what the script logs and the prompt's objects are made of
    print_stream = print_stream,
    run = function(session, options, words)
        if #words > 2 or #words == 0 and not options.selector then
            kube_errors.raise("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.",
                "POD or TYPE/NAME is a required argument for the logs command")
        end
        if options.selector and #words > 0 then kube_errors.raise("only a selector (-l) or a POD name is allowed") end
        check(options, words)
        options.container = options.container or words[2]
        local streams = streams_of(pods_of(session, options, words), options)
        if options.follow and #streams > 1 then return follow_all(session, streams, options) end
        for _, stream in ipairs(streams) do print_stream(session, stream, options) end
    end,
}
