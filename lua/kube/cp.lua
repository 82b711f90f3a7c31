-- todo-lua kube cp: files to and from containers.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local pod_copy = require "kubectl.copy"
local pods = require "pods"

local flags = {
    { "container", short = "c", help = "container to use (default: the pod's default container, else its first)" },
    { "no-preserve", kind = "bool", help = "do not keep owner and mode in the container" },
    { "retries", kind = "int", default = 5,
        help = "how often a copy from a container that broke off is resumed; negative: without end" },
}

-- "[[NAMESPACE/]POD:]PATH"
local function parse(word)
    local colon = word:find(":", 1, true)
    if not colon then return { path = word } end
    local left, path = word:sub(1, colon - 1), word:sub(colon + 1)
    local namespace, pod = left:match("^([^/]*)/([^/]*)$")
    if colon == 1 or (left:find("/", 1, true) and not namespace) then
        kube_errors.raise("filespec must match the canonical format: [[namespace/]pod:]file/path")
    end
    return { namespace = namespace, pod = pod or left, path = path }
end

local function say(text) io.stderr:write(text, "\n") end

local function place_of(session, spec, options)
    local namespace = spec.namespace or session.namespace
    local pod = session.client:request("GET", ("/api/v1/namespaces/%s/pods/%s"):format(namespace, spec.pod))
    pod.kind = "Pod"
    require "kubectl.pods".check_running(pod, "exec into")
    local ok, container = pcall(pods.container, pod, options.container, say)
    if not ok then kube_errors.raise(container.message, container.hint) end
    return { client = session:writer(), pod = spec.pod, namespace = namespace, container = container.name }
end

return {
    summary = "copy files to and from containers",
    usage = "SOURCE TARGET [flags]",
    help = "Copies files and folders to and from containers that have tar. One of SOURCE and TARGET is a local path,\n"
        .. "the other one [NAMESPACE/]POD:PATH.",
    examples = {
        "todo-lua kube cp ./dump.sql db-0:/tmp/dump.sql", "todo-lua kube cp shop/web-0:/var/log ./log -c main",
    },
    flags = flags,
    run = function(session, options, words)
        if #words ~= 2 then kube_errors.raise("source and destination are required") end
        local from, to = parse(words[1]), parse(words[2])
        if from.pod and to.pod then kube_errors.raise("one of src or dest must be a local file specification") end
        if from.path == "" or to.path == "" then kube_errors.raise("filepath can not be empty") end
        if not from.pod and not to.pod then
            kube_errors.raise("one of src or dest must be a remote file specification")
        end
        local copy = { no_preserve = options.no_preserve, retries = options.retries, warn = say,
            said = function(text) io.stderr:write(text) end }
        local ok, problem = pcall(function()
            if from.pod then
                pod_copy.download(place_of(session, from, options), from.path, to.path, copy)
            else
                if not require "fs".stat(from.path) then
                    kube_errors.raise(from.path .. " doesn't exist in local filesystem")
                end
                pod_copy.upload(place_of(session, to, options), from.path, to.path, copy)
            end
        end)
        if ok then return 0 end
        if fail.kind(problem) ~= "exit" then error(problem, 0) end
        io.stderr:write(problem.message, "\n")
        return problem.exit_status
    end,
}
