-- todo-lua kube attach: a container's own process.
local kube_errors = require "kubectl.errors"
local kube_pods = require "kubectl.pods"
local remote = require "kubectl.remote"

local flags = {
    { "container", short = "c", help = "container to use (default: the pod's default container, else its first)" },
    { "stdin", short = "i", kind = "bool", help = "pass what is typed, or piped, to the process" },
    { "tty", short = "t", kind = "bool", help = "the process has a terminal" },
    { "quiet", short = "q", kind = "bool", help = "only what the process says" },
}
table.move(kube_pods.flags, 1, #kube_pods.flags, #flags + 1, flags)

-- A process with a terminal has to be spoken to as one.
local function terminal(container, options)
    if container.tty or not options.tty then return container.tty end
    if not options.quiet then
        io.stderr:write(("error: Unable to use a TTY - container %s did not allocate one\n"):format(container.name))
    end
    return false
end

return {
    summary = "join the process of a running container",
    usage = "(POD | TYPE/NAME) [-c CONTAINER] [flags]",
    help = "Joins the process of a running container. With -it, Ctrl-P Ctrl-Q leaves it running.",
    examples = { "todo-lua kube attach web-0", "todo-lua kube attach deploy/web -c main -it" },
    flags = flags,
    run = function(session, options, words)
        if #words == 0 then kube_errors.raise("at least 1 argument is required for attach") end
        if #words > 2 then
            kube_errors.raise(("expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw %d: [%s]"):format(
                #words, table.concat(words, " ")))
        end
        local say = kube_pods.say(options)
        local pod = kube_pods.find(session, table.concat(words, "/"), options)
        kube_pods.check_running(pod, "attach")
        local container = kube_pods.container(pod, options.container, say, "cannot attach to the container: ")
        local tty = terminal(container, options) and kube_pods.wants_tty({ stdin = options.stdin, tty = true }, say)
        if say then
            say("All commands and output from this session will be recorded in container logs, including credentials "
                .. "and sensitive information passed through the command prompt.")
            say("If you don't see a command prompt, try pressing enter.")
        end
        local client = session:writer()
        local status = remote.join(function(size)
            return client:attach(pod.metadata.name, { namespace = pod.metadata.namespace, container = container.name,
                stdin = options.stdin, tty = tty or container.tty, size = size })
        end, { stdin = options.stdin, tty = tty, detach = tty })
        return status or 0
    end,
}
