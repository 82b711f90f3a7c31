-- todo-lua kube exec: a command in a container.
local kube_errors = require "kubectl.errors"
local kube_pods = require "kubectl.pods"
local manifests = require "kubectl.manifests"
local remote = require "kubectl.remote"

local flags = {
    { "container", short = "c", help = "container to use (default: the pod's default container, else its first)" },
    { "stdin", short = "i", kind = "bool", help = "pass what is typed, or piped, to the command" },
    { "tty", short = "t", kind = "bool", help = "give the command a terminal" },
    { "quiet", short = "q", kind = "bool", help = "only what the command says" },
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(kube_pods.flags, 1, #kube_pods.flags, #flags + 1, flags)

return {
    summary = "run a command in a container",
    usage = "(POD | TYPE/NAME | -f FILE) [-c CONTAINER] [flags] -- COMMAND [args…]",
    examples = {
        "todo-lua kube exec web-0 -- date", "todo-lua kube exec deploy/web -it -- sh",
        "todo-lua kube exec -i db-0 -- psql < dump.sql",
    },
    flags = flags,
    run = function(session, options, words, _, dash)
        local from_file = #(options.filename or {}) > 0
        if not dash and #words > (from_file and 0 or 1) then
            kube_errors.raise("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead")
        end
        if (#words == 0 or dash == 0) and not from_file then
            kube_errors.raise("pod, type/name or --filename must be specified")
        end
        local command = { table.unpack(words, (dash or #words) + 1) }
        if #command == 0 then kube_errors.raise("you must specify at least one command for the container") end
        local say = kube_pods.say(options)
        local pod = kube_pods.find(session, not from_file and words[1] or nil, options)
        kube_pods.check_running(pod, "exec into")
        local container = kube_pods.container(pod, options.container, say)
        local tty = kube_pods.wants_tty(options, say)
        local client = session:writer()
        local status = remote.join(function(size)
            return client:exec(pod.metadata.name, { namespace = pod.metadata.namespace, container = container.name,
                command = command, stdin = options.stdin, tty = tty, size = size })
        end, { stdin = options.stdin, tty = tty })
        if status ~= 0 then io.stderr:write(("command terminated with exit code %d\n"):format(status)) end
        return status
    end,
}
