-- todo-lua kube drain: empties nodes, so that they can be taken away.
local cordon = require "kubectl.cordon"
local fail = require "fail"
local format = require "format"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local object_wait = require "kubectl.object_wait"
local proc = require "proc"
local removal = require "kubectl.removal"
local tables = require "tables"
local task = require "task"

local FOREVER = 100 * 365 * 86400
local RETRY_SECONDS = 5 -- after a budget's refusal

local flags = {
    { "force", kind = "bool", help = "also pods that nobody would make anew" },
    { "ignore-daemonsets", kind = "bool", help = "leave the pods of daemon sets" },
    { "delete-emptydir-data", kind = "bool", help = "also pods whose emptyDir volumes go with them" },
    { "grace-period", kind = "int", default = -1, help = "seconds that each pod has to end (-1: its own)" },
    { "timeout", kind = "duration", default = 0, help = "wait at most so long (0: without an end)" },
    { "pod-selector", help = "only pods with these labels" },
    { "disable-eviction", kind = "bool", help = "delete the pods, whatever their disruption budgets say" },
    { "skip-wait-for-delete-timeout", kind = "int", default = 0,
        help = "do not wait for pods that have been ending for so many seconds" },
    { "chunk-size", kind = "int", default = 500, help = "accepted for kubectl's sake" },
}
table.move(cordon.flags, 1, #cordon.flags, #flags + 1, flags)

local function controller_of(pod)
    for _, owner in ipairs(pod.metadata.ownerReferences or {}) do
        if owner.controller then return owner end
    end
end

local function is_over(pod) return pod.status.phase == "Succeeded" or pod.status.phase == "Failed" end

local function is_ending(pod, options)
    local seconds, since = options.skip_wait_for_delete_timeout, pod.metadata.deletionTimestamp
    return seconds > 0 and since ~= nil and proc.time() - format.epoch(since) > seconds
end

local function daemon_set_gone(session, pod, owner)
    local set = session:resource("daemonsets.apps")
    local ok, problem = pcall(session.fetch, session, set, pod.metadata.namespace, owner.name)
    return not ok and problem
end

-- What is to be done with a pod: "delete", "skip" or "refuse", and what to say of it.
local function judge(session, pod, options)
    local owner = controller_of(pod)
    if is_ending(pod, options) then return "skip" end
    if owner and owner.kind == "DaemonSet" and not is_over(pod) then
        local gone = daemon_set_gone(session, pod, owner)
        if gone and not (options.force and fail.field(gone, "status") == 404) then return "refuse", gone.message end
        if not gone and not options.ignore_daemonsets then
            return "refuse", "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
        end
        if not gone then return "skip", "ignoring DaemonSet-managed Pods" end
    end
    if (pod.metadata.annotations or {})["kubernetes.io/config.mirror"] then return "skip" end
    if is_over(pod) then return "delete" end
    local volumes = tables.filter(pod.spec.volumes or {}, function(one) return one.emptyDir ~= nil end)
    if #volumes > 0 and not options.delete_emptydir_data then
        return "refuse", "Pods with local storage (use --delete-emptydir-data to override)"
    end
    if owner then return "delete" end
    if not options.force then
        return "refuse", "Pods that declare no controller (use --force to override)"
    end
    return "delete", "deleting Pods that declare no controller"
end

local function note(notes, text, pod)
    if not text then return end
    notes[text] = (notes[text] and notes[text] .. ", " or "")
        .. pod.metadata.namespace .. "/" .. pod.metadata.name
end

-- The pods that may go; raises kubectl's error where one may not.
local function pods_of(session, node, options)
    local list = session.client:list("v1/Pod", { all_namespaces = true, labels = options.pod_selector,
        fields = "spec.nodeName=" .. node })
    local leaving, warnings, refusals = {}, {}, {}
    for _, pod in ipairs(list) do
        local verdict, why = judge(session, pod, options)
        if verdict == "delete" then leaving[#leaving + 1] = pod end
        note(verdict == "refuse" and refusals or warnings, why, pod)
    end
    local problems = tables.map(tables.keys(refusals), function(why)
        return ("cannot delete %s: %s"):format(why, refusals[why])
    end)
    if #problems > 0 then
        kube_errors.raise(#problems == 1 and problems[1] or "[" .. table.concat(problems, ", ") .. "]")
    end
    local texts = tables.map(tables.keys(warnings), function(why) return why .. ": " .. warnings[why] end)
    if #texts > 0 then io.stderr:write("Warning: ", table.concat(texts, "; "), "\n") end
    return leaving
end

local function timed_out(pod, options)
    kube_errors.raise(("error when evicting pods/%q -n %q: global timeout reached: %gs"):format(pod.metadata.name,
        pod.metadata.namespace, options.timeout))
end

-- Asks until the pod's disruption budget allows it.
local function evict(session, resource, pod, options, deadline)
    local meta = pod.metadata
    local suffix = options.dry_run == "server" and " (server dry run)" or ""
    while true do
        io.write(("evicting pod %s/%s%s\n"):format(meta.namespace, meta.name, suffix))
        io.stdout:flush()
        if task.now() >= deadline then timed_out(pod, options) end
        local ok, problem = pcall(session.write, session, "POST", resource, meta.namespace, meta.name, {
            subresource = "eviction", body = { apiVersion = "policy/v1", kind = "Eviction",
                metadata = { name = meta.name, namespace = meta.namespace },
                deleteOptions = removal.delete_options(options) } })
        local status = fail.field(problem, "status")
        if ok or status == 404 then return end
        if status ~= 429 then
            kube_errors.raise(("error when evicting pods/%q -n %q: %s"):format(meta.name, meta.namespace,
                fail.message(problem)))
        end
        io.stderr:write(("error when evicting pods/%q -n %q (will retry after %ds): %s\n"):format(meta.name,
            meta.namespace, RETRY_SECONDS, fail.message(problem)))
        task.sleep(math.max(0, math.min(RETRY_SECONDS, deadline - task.now())))
    end
end

local function wait_gone(session, resource, pod, options, deadline)
    local meta = pod.metadata
    local ok, problem = pcall(object_wait.until_true, session.client, resource, meta.namespace, meta.name, deadline,
        function(object) return not object or object.metadata.uid ~= meta.uid or is_ending(object, options) end)
    if ok then return end
    if fail.kind(problem) ~= "timeout" then error(problem, 0) end
    kube_errors.raise(("error when waiting for pod %q in namespace %q to terminate: global timeout reached: %gs")
        :format(meta.name, meta.namespace, options.timeout))
end

local function remove(session, pod, options, deadline)
    local resource, meta = session:resource("pods"), pod.metadata
    if options.disable_eviction then
        session:write("DELETE", resource, meta.namespace, meta.name, { body = removal.delete_options(options) })
    else
        evict(session, resource, pod, options, deadline)
    end
    if options.dry_run == "server" then return end
    wait_gone(session, resource, pod, options, deadline)
    io.write(("pod/%s %s\n"):format(meta.name, options.disable_eviction and "deleted" or "evicted"))
end

local function tell_pending(session, node, options, problem)
    local ok, pods = pcall(pods_of, session, node, options)
    if not ok or #pods == 0 then return end
    io.stderr:write(("There are pending pods in node %q when an error occurred: %s\n"):format(node, problem))
    for _, pod in ipairs(pods) do io.stderr:write("pod/", pod.metadata.name, "\n") end
end

local function empty(session, node, options, strategy)
    local pods = pods_of(session, node, options)
    if strategy == "client" then
        for _, pod in ipairs(pods) do
            io.write(("evicting pod %s/%s (dry run)\n"):format(pod.metadata.namespace, pod.metadata.name))
        end
        return
    end
    local deadline, problems = task.now() + (options.timeout > 0 and options.timeout or FOREVER), {}
    task.all(tables.map(pods, function(pod)
        return function()
            local ok, problem = pcall(remove, session, pod, options, deadline)
            if not ok then problems[#problems + 1] = fail.message(problem) end
        end
    end))
    if #problems == 0 then return end
    local text = #problems == 1 and problems[1] or "[" .. table.concat(problems, ", ") .. "]"
    tell_pending(session, node, options, text)
    kube_errors.raise(text)
end

return {
    summary = "empty nodes, so that they can be taken away",
    usage = "NODE… | -l SELECTOR [flags]",
    help = "Closes nodes for new pods, and evicts their pods as far as disruption budgets allow.",
    examples = { "todo-lua kube drain node-1 --ignore-daemonsets" },
    flags = flags,
    run = function(session, options, words)
        local strategy, suffix = kube_session.dry_run(options)
        local nodes = cordon.run(session, options, words, true, "drain")
        local problems, left = {}, {}
        for _, node in ipairs(nodes) do
            local ok, problem = pcall(empty, session, node, options, strategy)
            if ok then
                io.write(("node/%s drained%s\n"):format(node, suffix))
            else
                io.stderr:write(("error: unable to drain node %q due to error: %s, continuing command...\n"):format(
                    node, fail.message(problem)))
                problems[#problems + 1], left[#left + 1] = problem, node
            end
        end
        if #left > 0 then
            io.stderr:write("There are pending nodes to be drained:\n")
            for _, node in ipairs(left) do io.stderr:write(" ", node, "\n") end
        end
        kube_errors.raise_all(problems)
    end,
}
