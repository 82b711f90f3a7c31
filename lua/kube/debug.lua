-- todo-lua kube debug: another container in a pod, a changed copy of it, or a pod in a node's own namespaces.
local attaching = require "kubectl.attaching"
local chart = require "chart"
local debug_profiles = require "kubectl.debug_profiles"
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local local_patch = require "kubectl.local_patch"
local manifests = require "kubectl.manifests"
local removal = require "kubectl.removal"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"
local yaml = require "yaml"

local A_WEEK = 168 * 3600
local MANAGER = "kubectl"
local LETTERS = "bcdfghjklmnpqrstvwxz2456789" -- of which no words are made

local flags = {
    { "image", help = "image of the new container" },
    { "container", short = "c", help = "name of the new container (default: made up)" },
    { "target", help = "container whose processes the new one sees" },
    { "copy-to", help = "make a copy of the pod with this name" },
    { "set-image", kind = "stringToString", help = "with --copy-to: other images, CONTAINER=IMAGE" },
    { "same-node", kind = "bool", help = "with --copy-to: on the node of the pod" },
    { "share-processes", kind = "bool", default = true,
        help = "with --copy-to: containers see each other's processes" },
    { "replace", kind = "bool", help = "with --copy-to: remove the pod" },
    { "keep-labels", kind = "bool", help = "with --copy-to: keep the labels" },
    { "keep-annotations", kind = "bool", help = "with --copy-to: keep the annotations" },
    { "keep-liveness", kind = "bool", help = "with --copy-to: keep the liveness probes" },
    { "keep-readiness", kind = "bool", help = "with --copy-to: keep the readiness probes" },
    { "keep-startup", kind = "bool", help = "with --copy-to: keep the startup probes" },
    { "keep-init-containers", kind = "bool", default = true, help = "with --copy-to: keep the init containers" },
    { "env", kind = "stringToString", help = "NAME=VALUE of the new container's environment" },
    { "image-pull-policy", help = "Always, IfNotPresent or Never" },
    { "profile", default = "general", help = "rights of the container: general, baseline, restricted, netadmin or "
        .. "sysadmin" },
    { "custom", help = "file with a part of a container's specification, laid over the profile's" },
    { "arguments-only", kind = "bool", help = "the words behind -- are the container's arguments, not its command" },
    { "stdin", short = "i", kind = "bool", help = "pass what is typed, or piped, to the process" },
    { "tty", short = "t", kind = "bool", help = "the process has a terminal" },
    { "attach", kind = "bool", help = "join the process (with --stdin: the default)" },
    { "quiet", short = "q", kind = "bool", help = "only what the process says" },
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)

local pulls = { [""] = true, Always = true, IfNotPresent = true, Never = true }

local function is_empty(text) return (text or "") == "" end

local function check_copy(options, arguments)
    if is_empty(options.image) and not options.set_image and #arguments == 0 then
        kube_errors.raise("you must specify --image, --set-image or command arguments.")
    end
    if #arguments > 0 and is_empty(options.container) and is_empty(options.image) then
        kube_errors.raise("you must specify an existing container or a new image when specifying args.")
    end
    if not is_empty(options.target) then
        kube_errors.raise("--target is incompatible with --copy-to. Use --share-processes instead.")
    end
end

local function check(options, words, arguments, seen)
    if options.attach and seen.attach and is_empty(options.image) and is_empty(options.container) then
        kube_errors.raise("you must specify --container or create a new container using --image in order to attach.")
    end
    if not is_empty(options.copy_to) then
        check_copy(options, arguments)
    else
        for _, flag in ipairs { "replace", "same_node", "set_image" } do
            if options[flag] then
                kube_errors.raise(("--%s may only be used with --copy-to."):format((flag:gsub("_", "-"))))
            end
        end
        if is_empty(options.image) then kube_errors.raise("you must specify --image when not using --copy-to.") end
    end
    kube_errors.raise_first {
        { #words == 0 and #(options.filename or {}) == 0, "NAME or filename is required for debug" },
        { not pulls[options.image_pull_policy or ""], "invalid image pull policy: "
            .. (options.image_pull_policy or "") },
        { options.tty and not options.stdin, "-i/--stdin is required for containers with -t/--tty=true" },
        { not debug_profiles.known(options.profile), "unknown profile: " .. options.profile },
    }
end

local fixed = { "name", "command", "image", "lifecycle", "volumeDevices" }

-- The part of a container that --custom gives.
local function read_custom(path)
    if is_empty(path) then return nil end
    local text = fs.read(path) or kube_errors.raise(
        ("must pass a container spec json file for custom profile: open %s: no such file or directory"):format(path))
    local ok, custom = pcall(yaml.decode, text, { name = path })
    if not ok or type(custom) ~= "table" then
        kube_errors.raise(("%s does not contain a valid container spec"):format(path))
    end
    for _, field in ipairs(fixed) do
        if custom[field] ~= nil then
            kube_errors.raise(
                "name, command, image, lifecycle and volume devices are not modifiable via custom profile")
        end
    end
    return custom
end

-- The profile's rights, and what --custom says, for a container of the pod.
local function finish(pod, container, style, options)
    debug_profiles.apply(options.profile, pod, container, style)
    if not options.custom_container then return end
    local custom = tables.copy(options.custom_container)
    custom.name = container.name
    local whole = local_patch.strategic({ apiVersion = "v1", kind = "Pod", spec = { containers = { container } } },
        { spec = { containers = { custom } } })
    for field, value in pairs(whole.spec.containers[1]) do container[field] = value end
end

local function suffix()
    local letters = {}
    for i = 1, 5 do
        local at = math.random(#LETTERS)
        letters[i] = LETTERS:sub(at, at)
    end
    return table.concat(letters)
end

local function find_container(pod, name)
    for _, field in ipairs { "containers", "initContainers", "ephemeralContainers" } do
        for _, container in ipairs(pod.spec[field] or {}) do
            if container.name == name then return container end
        end
    end
end

local function new_name(pod, options)
    if not is_empty(options.container) then return options.container end
    local name
    repeat name = "debugger-" .. suffix() until not find_container(pod, name)
    if not options.quiet then io.write(("Defaulting debug container name to %s.\n"):format(name)) end
    return name
end

-- What the flags say about the container.
local function fill(container, options, arguments)
    if #arguments > 0 and options.arguments_only then
        container.args = json.list(arguments)
    elseif #arguments > 0 then
        container.command, container.args = json.list(arguments), nil
    end
    local env = json.list {}
    for _, name in ipairs(tables.keys(options.env or {})) do
        env[#env + 1] = { name = name, value = options.env[name] }
    end
    if #env > 0 then container.env = env end
    if not is_empty(options.image) then container.image = options.image end
    if not is_empty(options.image_pull_policy) then container.imagePullPolicy = options.image_pull_policy end
    container.stdin, container.tty = options.stdin or nil, options.tty or nil
    return container
end

local function add_ephemeral(session, pod, options, arguments)
    local changed = tables.copy(pod)
    if find_container(pod, options.container) then
        kube_errors.raise(("pod %q has a container %q already"):format(pod.metadata.name, options.container),
            "another name with --container, or none: one is made up")
    end
    local container = fill({ name = new_name(pod, options), terminationMessagePolicy = "File",
        targetContainerName = not is_empty(options.target) and options.target or nil }, options, arguments)
    local all = changed.spec.ephemeralContainers or json.list {}
    all[#all + 1] = container
    changed.spec.ephemeralContainers = all
    finish(changed, container, "ephemeral", options)
    local patch, kind = chart.patch(pod, changed, pod)
    return session:write("PATCH", session:resource("pods"), pod.metadata.namespace, pod.metadata.name,
        { subresource = "ephemeralcontainers", body = patch, type = kind, manager = MANAGER }), container.name
end

local probes = { liveness = "livenessProbe", readiness = "readinessProbe", startup = "startupProbe" }

local function strip(copy, options)
    if not options.keep_labels then copy.metadata.labels = nil end
    if not options.keep_annotations then copy.metadata.annotations = nil end
    if not options.keep_init_containers then copy.spec.initContainers = nil end
    for word, field in pairs(probes) do
        local kept = options["keep_" .. word]
        for _, container in ipairs(kept and {} or copy.spec.containers) do container[field] = nil end
    end
end

-- The copy, and the container in it to join (nil: only images were changed).
local function copy_of(pod, options, arguments, seen)
    local copy = { apiVersion = "v1", kind = "Pod", spec = tables.copy(pod.spec), metadata = { name = options.copy_to,
        namespace = pod.metadata.namespace, labels = pod.metadata.labels, annotations = pod.metadata.annotations } }
    copy.spec.ephemeralContainers = nil
    if seen.share_processes then copy.spec.shareProcessNamespace = options.share_processes end
    if not options.same_node then copy.spec.nodeName = nil end
    local images = options.set_image or {}
    for _, container in ipairs(copy.spec.containers) do
        container.image = images[container.name] or images["*"] or container.image
    end
    local container = find_container(copy, options.container)
    if not container then
        if is_empty(options.image) and options.set_image then return copy end
        if is_empty(options.image) then kube_errors.raise("you must specify image when creating new container") end
        container = { name = new_name(copy, options), terminationMessagePolicy = "File" }
        table.insert(copy.spec.containers, container)
    end
    fill(container, options, arguments)
    strip(copy, options)
    finish(copy, container, "copy", options)
    return copy, container.name
end

local function make_copy(session, pod, options, arguments, seen)
    local pods, meta = session:resource("pods"), pod.metadata
    local copy, name = copy_of(pod, options, arguments, seen)
    local made = session:write("POST", pods, meta.namespace, nil, { body = copy, manager = MANAGER })
    if options.replace then
        session:write("DELETE", pods, meta.namespace, meta.name, { body = removal.delete_options { grace_period = 0 } })
    end
    return made, name
end

local function make_node_pod(session, node, options, arguments)
    local name = is_empty(options.container) and "debugger" or options.container
    local pod_name = ("node-debugger-%s-%s"):format(node.metadata.name, suffix())
    if not options.quiet then
        io.write(("Creating debugging pod %s with container %s on node %s.\n"):format(pod_name, name,
            node.metadata.name))
    end
    local container = fill({ name = name, terminationMessagePolicy = "File" }, options, arguments)
    local pod = { apiVersion = "v1", kind = "Pod", metadata = { name = pod_name,
        labels = { ["app.kubernetes.io/managed-by"] = "kubectl-debug" } },
        spec = { containers = json.list { container }, nodeName = node.metadata.name, restartPolicy = "Never",
            tolerations = { { operator = "Exists" } } } }
    finish(pod, container, "node", options)
    return session:write("POST", session:resource("pods"), session.namespace, nil, { body = pod, manager = MANAGER }),
        name
end

local function join(session, pod, name, options)
    local told
    local status, now = attaching.wait(session, pod, A_WEEK, function(one)
        local state = (attaching.status(one, name) or {}).state or {}
        local message = (state.waiting or {}).message
        if message and message ~= told and not options.quiet then
            io.stderr:write(("Warning: container %s: %s\n"):format(name, message))
            told = message
        end
        return (state.running or state.terminated) and state
    end)
    if status.terminated then
        attaching.print_log(session, now, name)
        return 0
    end
    return attaching.follow(session, now, find_container(now, name), options)
end

local function debug(session, object, options, arguments, seen)
    if object.kind == "Node" then return make_node_pod(session, object, options, arguments) end
    if object.kind ~= "Pod" then
        kube_errors.raise(("%q not supported by debug"):format(object.apiVersion .. ", Kind=" .. object.kind),
            "pods and nodes are")
    end
    if not is_empty(options.copy_to) then return make_copy(session, object, options, arguments, seen) end
    return add_ephemeral(session, object, options, arguments)
end

return {
    summary = "look into a pod or node with another container",
    usage = "(POD | pod/NAME | node/NAME | -f FILE) --image=IMAGE [--copy-to=NAME] [flags] [-- COMMAND…]",
    help = "Adds a container to a running pod, makes a changed copy of a pod, or runs a pod in a node's namespaces.",
    examples = { "todo-lua kube debug web-0 -it --image=busybox --target=web",
        "todo-lua kube debug web-0 -it --copy-to=web-debug --container=web -- sh",
        "todo-lua kube debug node/node-1 -it --image=busybox" },
    flags = flags,
    run = function(session, options, words, seen, dash)
        local arguments = { table.unpack(words, (dash or #words) + 1) }
        words = { table.unpack(words, 1, dash or #words) }
        if options.stdin and not seen.attach then options.attach = true end
        check(options, words, arguments, seen)
        options.custom_container = read_custom(options.custom)
        if not is_empty(options.target) and not options.quiet then
            io.write(("Targeting container %q. If you don't see processes from this container it may be because the "
                .. "container runtime doesn't support this feature.\n"):format(options.target))
        end
        for i, word in ipairs(words) do words[i] = word:find("/", 1, true) and word or "pod/" .. word end
        for _, one in ipairs(resource_args.find_all(session, words, options)) do
            local pod, name = debug(session, one.object, options, arguments, seen)
            local status = options.attach and name and join(session, pod, name, options) or 0
            if status ~= 0 then return status end
        end
    end,
}
