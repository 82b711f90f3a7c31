-- todo-lua kube create: makes objects, from manifests or from a few words.
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local manifests = require "kubectl.manifests"
local object_maker = require "kubectl.maker"
local secret = require "secret"

-- A command that makes one kind: build(name, options, words) returns the object.
local function maker(kind, group_version, own, usage, summary, build)
    return {
        summary = summary, usage = usage, flags = object_maker.with_flags(own),
        run = function(session, options, words)
            if #words == 0 or #words > 1 and not usage:find("COMMAND") then
                kube_errors.raise(("exactly one NAME is required, got %d"):format(#words), "usage: NAME [flags]")
            end
            local resource = session.client:resource(group_version .. "/" .. kind)
            local object = build(words[1], options, words, session)
            object.apiVersion, object.kind = group_version, kind
            local namespace = resource.namespaced and session.namespace or nil
            if namespace and session.explicit_namespace then object.metadata.namespace = namespace end
            object_maker.create(session, resource, namespace, object, options)
        end,
    }
end

-- "key=path", "path" or a folder: adds the files' bytes under their keys.
local function add_file(add, given)
    local key, path = given:match("^([^=]+)=(.+)$")
    path = path or given
    local stat = fs.stat(path)
    if not stat then kube_errors.raise(("error reading %s: no such file or directory"):format(path)) end
    if stat.type ~= "dir" then return add(key or fs.basename(path), fs.read(path)) end
    if key then kube_errors.raise("cannot give a key name for a directory path") end
    for _, name in ipairs(fs.list(path)) do
        local file = fs.join(path, name)
        if fs.stat(file).type == "file" then add(name, fs.read(file)) end
    end
end

local function add_env_file(add, path)
    local text = fs.read(path)
    if not text then kube_errors.raise(("error reading %s: no such file or directory"):format(path)) end
    for line in (text .. "\n"):gmatch("(.-)\r?\n") do
        line = line:match("^%s*(.*)$")
        local key, value = line:match("^([^=#][^=]*)=(.*)$")
        if key then
            add(key, value)
        elseif line ~= "" and not line:find("^#") then
            add(line, os.getenv(line) or "")
        end
    end
end

-- Everything that --from-literal, --from-file and --from-env-file give.
local function collect(options, add)
    local seen = {}
    local function once(key, value)
        if not key:find("^[%w%-_.]+$") then
            kube_errors.raise(("%q is not a valid key name: a valid config key must consist of alphanumeric "
                .. "characters, '-', '_' or '.'"):format(key))
        end
        if seen[key] then
            kube_errors.raise(("cannot add key %q, another key by that name already exists"):format(key))
        end
        seen[key] = true
        add(key, value)
    end
    for _, given in ipairs(options.from_file or {}) do add_file(once, given) end
    for _, given in ipairs(options.from_literal or {}) do
        local key, value = given:match("^([^=]+)=(.*)$")
        if not key then kube_errors.raise(("invalid literal source %s, expected key=value"):format(given)) end
        once(key, (value:gsub("^(['\"])(.*)%1$", "%2")))
    end
    for _, given in ipairs(options.from_env_file or {}) do add_env_file(once, given) end
end

local sources = {
    { "from-literal", kind = "stringArray", help = "key=value; may be repeated" },
    { "from-file", kind = "strings", help = "[key=]file, or a folder of files; may be repeated" },
    { "from-env-file", kind = "strings", help = "file with lines key=value" },
}

local function config_map(name, options)
    local object = { metadata = { name = name } }
    collect(options, function(key, value)
        local field = utf8.len(value) and "data" or "binaryData"
        object[field] = object[field] or {}
        object[field][key] = field == "data" and value or secret.base64(value)
    end)
    return object
end

local function secret_data(object)
    return function(key, value)
        object.data = object.data or {}
        object.data[key] = secret.base64(value)
    end
end

local function generic_secret(name, options)
    local object = { metadata = { name = name }, type = options.type }
    collect(options, secret_data(object))
    return object
end

local function tls_secret(name, options)
    if not options.cert or not options.key then kube_errors.raise("key and cert must be specified") end
    local object = { metadata = { name = name }, type = "kubernetes.io/tls" }
    local add = secret_data(object)
    for field, path in pairs { ["tls.crt"] = options.cert, ["tls.key"] = options.key } do
        local text = fs.read(path)
        if not text then
            kube_errors.raise(("failed to load key pair open %s: no such file or directory"):format(path))
        end
        add(field, text)
    end
    return object
end

-- The container's name: the image's last part, without what no name may hold.
local function image_name(image)
    return (image:match("[^/]*$"):match("^[^:@]*"):gsub("[^%w-]", "-"):lower())
end

local function deployment(name, options)
    local images = options.image or {}
    if #images == 0 then kube_errors.raise('required flag(s) "image" not set') end
    local labels, containers = { app = name }, json.list {}
    for i, image in ipairs(images) do
        containers[i] = { name = image_name(image), image = image, resources = {} }
        if options.port and i == 1 then containers[i].ports = { { containerPort = options.port } } end
    end
    local dash = options.command
    if dash then containers[1].command = dash end
    return { metadata = { name = name, labels = labels }, status = {}, spec = { replicas = options.replicas,
        selector = { matchLabels = labels }, strategy = {},
        template = { metadata = { labels = labels }, spec = { containers = containers } } } }
end

local function ports_of(options)
    local ports = json.list {}
    for i, given in ipairs(options.tcp or {}) do
        local port, target = given:match("^(%d+):?(%w*)$")
        if not port then kube_errors.raise(("invalid port specification %q"):format(given)) end
        ports[i] = { name = (given:gsub(":", "-")), port = math.tointeger(port), protocol = "TCP",
            targetPort = math.tointeger(target) or target ~= "" and target or math.tointeger(port) }
    end
    return ports
end

local function service(kind)
    return function(name, options)
        local ports = ports_of(options)
        if #ports == 0 and options.clusterip ~= "None" then
            kube_errors.raise("at least one tcp port specifier must be provided")
        end
        if options.node_port and options.node_port > 0 then
            for _, port in ipairs(ports) do port.nodePort = options.node_port end
        end
        return { metadata = { name = name, labels = { app = name } }, status = { loadBalancer = {} },
            spec = { type = kind, selector = { app = name }, ports = ports, clusterIP = options.clusterip } }
    end
end

local function job(name, options, words, session)
    local container = { name = name, image = options.image, resources = {} }
    local command = table.move(words, 2, #words, 1, {})
    if options.from then
        local cron = options.from:match("^cronjobs?%.?[%w.]*/(.+)$") or options.from:match("^cj/(.+)$")
        if not cron then kube_errors.raise(("from must be an existing cronjob: %s"):format(options.from)) end
        local found = session:fetch(session:resource("cronjobs.batch"), session.namespace, cron)
        local template = found.spec.jobTemplate
        local annotations = { ["cronjob.kubernetes.io/instantiate"] = "manual" }
        for key, value in pairs((template.metadata or {}).annotations or {}) do annotations[key] = value end
        return { metadata = { name = name, annotations = annotations, labels = (template.metadata or {}).labels,
            ownerReferences = { { apiVersion = "batch/v1", kind = "CronJob", name = cron, uid = found.metadata.uid,
                controller = true } } }, spec = template.spec, status = {} }
    end
    if not options.image then kube_errors.raise("either --image or --from must be specified") end
    if #command > 0 then container.command = command end
    return { metadata = { name = name }, status = {}, spec = { template = { metadata = {},
        spec = { containers = { container }, restartPolicy = "Never" } } } }
end

local tcp = { { "tcp", kind = "strings", help = "port or port:target" } }

local children = {
    namespace = maker("Namespace", "v1", {}, "NAME [flags]", "make a namespace",
        function(name) return { metadata = { name = name }, spec = {}, status = {} } end),
    configmap = maker("ConfigMap", "v1", sources, "NAME [--from-literal=K=V] [--from-file=FILE] [flags]",
        "make a config map from values and files", config_map),
    serviceaccount = maker("ServiceAccount", "v1", {}, "NAME [flags]", "make a service account",
        function(name) return { metadata = { name = name } } end),
    deployment = maker("Deployment", "apps/v1", {
        { "image", kind = "strings", help = "image of a container; may be repeated" },
        { "replicas", short = "r", kind = "int", default = 1, help = "how many pods" },
        { "port", kind = "int", help = "port that the containers listen on" },
    }, "NAME --image=IMAGE [-- COMMAND…] [flags]", "make a deployment", function(name, options, words)
        options.command = #words > 1 and table.move(words, 2, #words, 1, {}) or nil
        return deployment(name, options)
    end),
    job = maker("Job", "batch/v1", { { "image", help = "image of the container" },
        { "from", help = "cronjob/NAME whose job is run now" } },
        "NAME --image=IMAGE | --from=cronjob/NAME [-- COMMAND…] [flags]", "make a job", job),
    secret = { summary = "make a secret", commands = {
        generic = maker("Secret", "v1", { { "type", help = "type of the secret" }, table.unpack(sources) },
            "NAME [--from-literal=K=V] [--from-file=FILE] [flags]", "make a secret from values and files",
            generic_secret),
        tls = maker("Secret", "v1", { { "cert", help = "file with the certificate" }, { "key",
            help = "file with the key" } },
            "NAME --cert=FILE --key=FILE [flags]", "make a secret with a certificate and its key", tls_secret),
    } },
    service = { summary = "make a service", commands = {
        clusterip = maker("Service", "v1", { { "clusterip", help = "address, or None" }, tcp[1] },
            "NAME --tcp=PORT:TARGET [flags]", "make a service with an address in the cluster", service "ClusterIP"),
        nodeport = maker("Service", "v1", { { "node-port", kind = "int", help = "port of the nodes" }, tcp[1] },
            "NAME --tcp=PORT:TARGET [flags]", "make a service with a port of the nodes", service "NodePort"),
    } },
}
children.namespace.aliases, children.configmap.aliases = { "ns" }, { "cm" }
children.serviceaccount.aliases, children.deployment.aliases = { "sa" }, { "deploy" }
children.service.aliases = { "svc" }

return {
    summary = "make objects",
    usage = "-f FILE | KIND NAME … [flags]",
    examples = { "todo-lua kube create -f job.yaml", "todo-lua kube create configmap settings --from-file=conf/" },
    flags = object_maker.with_flags(manifests.flags),
    commands = children,
    run = function(session, options, words)
        if #words > 0 then
            kube_errors.raise(('unknown command %q for "kube create"'):format(words[1]), "the kinds are listed by "
                .. "todo-lua kube create --help; -f FILE makes any kind")
        end
        if #(options.filename or {}) == 0 then
            kube_errors.raise("must specify one of -f and -k", "name the manifests: -f FILE")
        end
        local problems = {}
        for _, one in ipairs(manifests.read(session, options)) do
            local ok, problem = pcall(object_maker.create, session, one.resource, one.namespace, one.object, options,
                one.source)
            if not ok then problems[#problems + 1] = problem end
            if fail.kind(problem) == "read_only" then break end
        end
        kube_errors.raise_all(problems)
    end,
}
