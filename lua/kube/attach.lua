-- todo-lua kube attach: a container's own process.
local attaching = require "kubectl.attaching"
local kube_errors = require "kubectl.errors"
local kube_pods = require "kubectl.pods"

local flags = {
    { "container", short = "c", help = "container to use (default: the pod's default container, else its first)" },
    { "stdin", short = "i", kind = "bool", help = "pass what is typed, or piped, to the process" },
    { "tty", short = "t", kind = "bool", help = "the process has a terminal" },
    { "quiet", short = "q", kind = "bool", help = "only what the process says" },
}
table.move(kube_pods.flags, 1, #kube_pods.flags, #flags + 1, flags)

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
        return attaching.join(session, pod, container, options)
    end,
}
