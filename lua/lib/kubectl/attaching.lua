-- This program's input and output joined to a container's own process: kube attach, run and debug.
local kube_pods = require "kubectl.pods"
local object_wait = require "kubectl.object_wait"
local remote = require "kubectl.remote"
local fail = require "fail"
local task = require "task"

local attaching = {}

-- A process with a terminal has to be spoken to as one.
local function terminal(container, options)
    if container.tty or not options.tty then return container.tty end
    if not options.quiet then
        io.stderr:write(("error: Unable to use a TTY - container %s did not allocate one\n"):format(container.name))
    end
    return false
end

---Joins the container's process until it ends, or is left with the keys for it.
---@async
---@param session todo.KubeSession
---@param pod table
---@param container table of the pod's specification
---@param options { stdin: boolean?, tty: boolean?, quiet: boolean? }
---@return integer status
function attaching.join(session, pod, container, options)
    local say = kube_pods.say(options)
    local tty = terminal(container, options) and kube_pods.wants_tty({ stdin = options.stdin, tty = true }, say)
    if say then
        say("All commands and output from this session will be recorded in container logs, including credentials "
            .. "and sensitive information passed through the command prompt.")
        say("If you don't see a command prompt, try pressing enter.")
    end
    local client = session:writer()
    return remote.join(function(size)
        return client:attach(pod.metadata.name, { namespace = pod.metadata.namespace, container = container.name,
            stdin = options.stdin, tty = tty or container.tty, size = size })
    end, { stdin = options.stdin, tty = tty, detach = tty }) or 0
end

---Waits until check(pod) gives something, and returns that with the pod.
---@async
---@param session todo.KubeSession
---@param pod table
---@param seconds number
---@param check fun(pod: table): any
---@return any
---@return table pod
function attaching.wait(session, pod, seconds, check)
    local meta, result, last = pod.metadata, nil, pod
    object_wait.until_true(session.client, session:resource("pods"), meta.namespace, meta.name, task.now() + seconds,
        function(object)
            if not object then
                fail.raise("not_found", ("pods %q not found"):format(meta.name), nil, { status = 404 })
            end
            result, last = check(object), object
            return result
        end)
    return result, last
end

---The state of one of the pod's containers; nil where the kubelet has not told it.
---@param pod table
---@param name string
---@return table? status
function attaching.status(pod, name)
    for _, field in ipairs { "initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses" } do
        for _, status in ipairs(pod.status[field] or {}) do
            if status.name == name then return status end
        end
    end
end

---Prints what the container has said so far.
---@async
---@param session todo.KubeSession
---@param pod table
---@param name string
---@param printed integer? bytes of it that were printed before
---@return integer printed
function attaching.print_log(session, pod, name, printed)
    local seen, skip = 0, printed or 0
    local lines <close> = session.client:logs(pod.metadata.name, { namespace = pod.metadata.namespace,
        container = name })
    for text in function() return lines:read() end do
        io.write((text:sub(math.max(1, skip - seen + 1))))
        seen = seen + #text
    end
    io.stdout:flush()
    return math.max(seen, skip)
end

---Joins the container's process; of one that has ended meanwhile, the rest of its log is printed.
---@async
---@param session todo.KubeSession
---@param pod table
---@param container table of the pod's specification
---@param options table as of attaching.join
---@param printed integer? bytes of its log that were printed before
---@return integer status
function attaching.follow(session, pod, container, options, printed)
    local ok, status = pcall(attaching.join, session, pod, container, options)
    if ok then return status end
    if fail.kind(status) == "cancelled" then error(status, 0) end
    io.stderr:write(("warning: couldn't attach to pod/%s, falling back to streaming logs: %s\n"):format(
        pod.metadata.name, fail.message(status)))
    attaching.print_log(session, pod, container.name, printed)
    return 0
end

return attaching
