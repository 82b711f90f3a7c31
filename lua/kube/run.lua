-- todo-lua kube run: one pod from an image.
local attaching = require "kubectl.attaching"
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_pods = require "kubectl.pods"
local label_selector = require "kubectl.label_selector"
local object_maker = require "kubectl.maker"
local object_printer = require "kubectl.printer"
local overrides = require "kubectl.overrides"
local removal = require "kubectl.removal"

local own = {
    { "image", help = "image of the container" },
    { "annotations", kind = "stringArray", help = "NAME=VALUE; may be repeated" },
    { "labels", short = "l", help = "labels of the pod: a=b,c=d (default: run=NAME)" },
    { "env", kind = "stringArray", help = "NAME=VALUE; may be repeated" },
    { "port", help = "port that the container listens on" },
    { "expose", kind = "bool", help = "make a service for the port, too" },
    { "command", kind = "bool", help = "the words behind -- are the command, not its arguments" },
    { "image-pull-policy", help = "Always, IfNotPresent or Never" },
    { "restart", default = "Always", help = "Always, OnFailure or Never" },
    { "privileged", kind = "bool", help = "run the container privileged" },
    { "stdin", short = "i", kind = "bool", help = "pass what is typed, or piped, to the process" },
    { "tty", short = "t", kind = "bool", help = "the process has a terminal" },
    { "attach", kind = "bool", help = "join the process (with --stdin: the default)" },
    { "leave-stdin-open", kind = "bool", help = "its input stays open when this program leaves" },
    { "rm", kind = "bool", help = "remove the pod afterwards; for joined containers" },
    { "quiet", short = "q", kind = "bool", help = "only what the process says" },
}
table.move(overrides.flags, 1, #overrides.flags, #own + 1, own)
table.move(kube_pods.flags, 1, #kube_pods.flags, #own + 1, own)

local restarts = { Always = true, OnFailure = true, Never = true }
local pulls = { [""] = true, Always = true, IfNotPresent = true, Never = true }

local function check(options, words, dash)
    if #words == 0 or dash == 0 then kube_errors.raise("NAME is required for run", "usage: NAME --image=IMAGE") end
    if not options.image then kube_errors.raise('required flag(s) "image" not set') end
    local image = options.image
    kube_errors.raise_first {
        { image == "", "--image is required" },
        { not image:find("^%w[%w._/:@-]*$") or image:find("[._/:@-]$"),
            ("Invalid image name %q: invalid reference format"):format(image) },
        { options.tty and not options.stdin, "-i/--stdin is required for containers with -t/--tty=true" },
        { options.expose and not options.port, "--port must be set when exposing a service" },
        { not restarts[options.restart], "invalid restart policy: " .. options.restart },
        { options.rm and not options.attach, "--rm should only be used for attached containers" },
        { options.attach and options.dry_run ~= "none", "--dry-run=[server|client] can't be used with attached "
            .. "containers options (--attach, --stdin, or --tty)" },
        { not pulls[options.image_pull_policy or ""], "invalid image pull policy: "
            .. (options.image_pull_policy or "") },
    }
end

local function parse_pairs(list, what)
    local pairs_of = {}
    for i, spec in ipairs(list or {}) do
        local name, value = spec:match("^([^=]+)=(.*)$")
        if not name then kube_errors.raise(("invalid %s: %s"):format(what, spec), "usage: NAME=VALUE") end
        pairs_of[i] = { name = name, value = value }
    end
    return pairs_of
end

local function port_of(options)
    if (options.port or "") == "" then return nil end
    return options.port:find("^%d+$") and math.tointeger(options.port)
        or kube_errors.raise(("strconv.Atoi: parsing %q: invalid syntax"):format(options.port))
end

local function pod_of(name, options, arguments)
    local labels = (options.labels or "") ~= "" and label_selector.labels(options.labels) or { run = name }
    local annotations
    for _, one in ipairs(parse_pairs(options.annotations, "annotations")) do
        annotations = annotations or {}
        annotations[one.name] = one.value
    end
    local env, port = parse_pairs(options.env, "env"), port_of(options)
    local container = { name = name, image = options.image, resources = {}, stdin = options.stdin or nil,
        stdinOnce = options.stdin and not options.leave_stdin_open or nil, tty = options.tty or nil,
        imagePullPolicy = (options.image_pull_policy or "") ~= "" and options.image_pull_policy or nil,
        env = #env > 0 and json.list(env) or nil, ports = port and json.list { { containerPort = port } },
        securityContext = options.privileged and { privileged = true } or nil }
    if #arguments > 0 then container[options.command and "command" or "args"] = json.list(arguments) end
    return { apiVersion = "v1", kind = "Pod", status = {},
        metadata = { name = name, labels = labels, annotations = annotations },
        spec = { containers = json.list { container }, dnsPolicy = "ClusterFirst", restartPolicy = options.restart } }
end

local function service_of(name, options)
    local labels = (options.labels or "") ~= "" and label_selector.labels(options.labels)
    local port = port_of(options)
    return { apiVersion = "v1", kind = "Service", status = { loadBalancer = {} },
        metadata = { name = name, labels = labels or nil },
        spec = { selector = labels or { run = name },
            ports = json.list { { port = port, protocol = "TCP", targetPort = port } } } }
end

local ended = { Succeeded = true, Failed = true }

local function is_ready(pod)
    if ended[pod.status.phase] then return "over" end
    for _, condition in ipairs(pod.status.conditions or {}) do
        if condition.type == "Ready" and condition.status == "True" then return "ready" end
    end
end

-- The exit status of a pod that has ended.
local function status_of(pod)
    if pod.status.phase ~= "Failed" then return 0 end
    local meta = pod.metadata
    local state = ((pod.status.containerStatuses or {})[1] or {}).state
    local terminated = state and state.terminated
    if not terminated or terminated.exitCode == 0 then
        kube_errors.raise(("pod %s/%s failed with unknown exit code"):format(meta.namespace, meta.name))
    end
    fail.raise("kube", ("pod %s/%s terminated (%s)\n%s"):format(meta.namespace, meta.name, terminated.reason or "",
        terminated.message or ""), nil, { verbatim = true, exit_status = terminated.exitCode })
end

local function follow(session, pod, options)
    local state
    state, pod = attaching.wait(session, pod, options.pod_running_timeout, is_ready)
    local container = pod.spec.containers[1]
    local printed = attaching.print_log(session, pod, container.name)
    if state == "ready" then attaching.follow(session, pod, container, options, printed) end
    if options.leave_stdin_open or options.restart == "Always" then return 0 end
    local _, over = attaching.wait(session, pod, options.pod_running_timeout, function(one)
        return ended[one.status.phase] and (options.restart == "Never" or one.status.phase == "Succeeded")
    end)
    return status_of(over)
end

-- With --rm nothing stays, whatever happened.
local function follow_and_remove(session, pod, service, options)
    local function remove(kind, object)
        local target = { resource = session:resource(kind), namespace = object.metadata.namespace,
            name = object.metadata.name }
        local how = { cascade = "background", grace_period = -1 }
        local ok, problem = pcall(removal.delete, session, target, how)
        if ok and not options.quiet then removal.show(target, how, "") end
        if not ok and fail.field(problem, "status") ~= 404 then error(problem, 0) end
    end
    local ok, status = pcall(follow, session, pod, options)
    remove("pods", pod)
    if service then remove("services", service) end
    return ok and status or error(status, 0)
end

return {
    summary = "run an image in a pod",
    usage = "NAME --image=IMAGE [flags] [-- ARGUMENTS…]",
    examples = { "todo-lua kube run web --image=nginx --port=80",
        "todo-lua kube run shell --rm -it --restart=Never --image=busybox -- sh" },
    flags = object_maker.with_flags(own, "kubectl-run"),
    run = function(session, options, words, seen, dash)
        if options.stdin and not seen.attach then options.attach = true end
        check(options, words, dash)
        local name = words[1]
        local pod = overrides.apply(pod_of(name, options, { table.unpack(words, 2) }), options)
        local service = options.expose and service_of(name, options)
        local report = object_printer.reporter(options)
        pod = object_maker.make(session, "pods", pod, options)
        if service then
            service = object_maker.make(session, "services", service, options)
            object_maker.show(service, options, report)
        end
        if options.rm then return follow_and_remove(session, pod, service, options) end
        if options.attach then return follow(session, pod, options) end
        object_maker.show(pod, options, report)
    end,
}
