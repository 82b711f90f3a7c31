-- What kubectl's commands that reach into a pod share: from words to a pod and its container, in kubectl's words.
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local pods = require "pods"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"
local term = require "term"

local kube_pods = {}

kube_pods.flags = {
    { "pod-running-timeout", kind = "duration", default = 60, help = "how long to wait for the first pod" },
}

---Where notes go: stderr, or nowhere with --quiet.
---@param options table
---@return fun(text: string)?
function kube_pods.say(options)
    return not options.quiet and function(text) io.stderr:write(text, "\n") end or nil
end

local function names(targets)
    local list = {}
    for i, target in ipairs(targets) do list[i] = target.resource.kind:lower() .. "/" .. target.name end
    return table.concat(list, ", ") .. ": name one of them"
end

---The object that "NAME" (a pod) or "TYPE/NAME" means.
---@async
---@param session todo.KubeSession
---@param word string? nil: the object that the file of --filename names
---@param options table?
---@return table object
function kube_pods.object(session, word, options)
    local words = not word and {} or word:find("/", 1, true) and { word } or { "pods", word }
    local targets = resource_args.targets(session, words, not word and { filename = options.filename,
        recursive = options.recursive } or nil)
    if #targets > 1 then
        kube_errors.raise("cannot exec into multiple objects at a time", "the file holds " .. names(targets))
    end
    local target = targets[1]
    local resource = target.resource
    local api_version = resource.group == "" and resource.version or resource.group .. "/" .. resource.version
    local object = session.client:request("GET", kube_session.path(resource, target.namespace, target.name))
    object.apiVersion, object.kind = object.apiVersion or api_version, object.kind or resource.kind
    return object
end

---The pod behind it.
---@async
---@param session todo.KubeSession
---@param word string?
---@param options table
---@return table pod
---@return table object
function kube_pods.find(session, word, options)
    if options.pod_running_timeout <= 0 then
        kube_errors.raise("--pod-running-timeout must be higher than zero")
    end
    local object = kube_pods.object(session, word, options)
    if object.kind ~= "Pod" and not pods.selector(object) then
        local type_name = ("*%s.%s"):format(object.apiVersion:match("[^/]*$"), object.kind)
        kube_errors.raise(("cannot attach to %s: selector for %s not implemented"):format(type_name, type_name),
            "name a pod, or an object that selects pods (a Service, a Deployment, …)")
    end
    return pods.of(session.client, object, options.pod_running_timeout), object
end

---@param pod table
---@param what string "exec into", "attach"
function kube_pods.check_running(pod, what)
    local phase = tables.at(pod, "status.phase")
    if phase ~= "Succeeded" and phase ~= "Failed" then return end
    kube_errors.raise(("cannot %s a container in a completed pod; current phase is %s"):format(what, phase))
end

---@param pod table
---@param name string?
---@param say fun(text: string)?
---@param prefix string? of the error's message
---@return table container
function kube_pods.container(pod, name, say, prefix)
    local ok, result = pcall(pods.container, pod, name, say)
    if ok then return result end
    kube_errors.raise((prefix or "") .. result.message, result.hint)
end

---Whether a terminal is asked for and can be had.
---@param options { stdin: boolean?, tty: boolean? }
---@param say fun(text: string)?
---@return boolean
function kube_pods.wants_tty(options, say)
    if not (options.stdin and options.tty) then return false end
    if term.is_tty("stdin") then return true end
    if say then say("Unable to use a TTY - input is not a terminal or the right kind of file") end
    return false
end

return kube_pods
