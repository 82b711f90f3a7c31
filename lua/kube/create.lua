-- todo-lua kube create: makes objects, from manifests or from a few words.
local editor = require "kubectl.editor"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_maker = require "kubectl.maker"
local raw = require "kubectl.raw"
local secret = require "secret"

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

-- The name with the first 40 bits of a hash of the content, no two letters of which make a word.
local LETTERS = { ["0"] = "g", ["1"] = "h", ["3"] = "k", a = "m", e = "t" }

local function with_hash(kind, build)
    return function(name, options)
        local object = build(name, options)
        if not options.append_hash then return object end
        local hashed = { kind = kind, name = name, data = object.data or {},
            binaryData = object.binaryData, type = kind == "Secret" and (object.type or "") or nil }
        local digest = secret.sha256(json.encode(hashed, { sort = true, html = true }))
        object.metadata.name = name .. "-" .. digest:sub(1, 10):gsub(".", LETTERS)
        return object
    end
end

local append_hash = { "append-hash", kind = "bool", help = "a hash of the content behind the name" }

local sources = {
    append_hash,
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

-- The Secret with which a registry's images may be pulled.
local function docker_secret(name, options)
    local object = { metadata = { name = name }, type = "kubernetes.io/dockerconfigjson" }
    local add, user, password = secret_data(object), options.docker_username or "", options.docker_password or ""
    if options.from_file then
        for _, given in ipairs(options.from_file) do
            add_file(add, given:find("=", 1, true) and given or ".dockerconfigjson=" .. given)
        end
        return object
    end
    if user == "" or password == "" or options.docker_server == "" then
        kube_errors.raise("either --from-file or the combination of --docker-username, --docker-password and "
            .. "--docker-server is required")
    end
    local parts = { '"username":' .. json.encode(user, { html = true }),
        '"password":' .. json.encode(password, { html = true }) }
    if (options.docker_email or "") ~= "" then
        parts[3] = '"email":' .. json.encode(options.docker_email, { html = true })
    end
    parts[#parts + 1] = ('"auth":"%s"'):format(secret.base64(user .. ":" .. password))
    add(".dockerconfigjson", ('{"auths":{%s:{%s}}}'):format(json.encode(options.docker_server, { html = true }),
        table.concat(parts, ",")))
    return object
end

local function external_name(name, options)
    if not options.external_name then kube_errors.raise('required flag(s) "external-name" not set') end
    local target, ports = options.external_name, ports_of(options)
    if not target:find("^[%l%d][%l%d.-]*$") or target:find("[.-]$") then
        kube_errors.raise("invalid service external name " .. target)
    end
    return { metadata = { name = name, labels = { app = name } }, status = { loadBalancer = {} },
        spec = { type = "ExternalName", selector = { app = name }, externalName = target,
            ports = #ports > 0 and ports or nil } }
end

local tcp = { "tcp", kind = "strings", help = "port or port:target" }

local function service_command(kind, summary, flags, build)
    return object_maker.command { kind = "v1/Service", usage = "NAME --tcp=PORT:TARGET [flags]", summary = summary,
        what = kind .. " service", flags = { tcp, table.unpack(flags) }, build = build or service(kind) }
end

local docker_flags = {
    append_hash,
    { "docker-username", help = "user of the registry" },
    { "docker-password", help = "password; better a file that docker login wrote, with --from-file" },
    { "docker-email", help = "address of the user" },
    { "docker-server", default = "https://index.docker.io/v1/", help = "the registry" },
    { "from-file", kind = "strings", help = "[.dockerconfigjson=]file with credentials, as docker login writes it" },
}

local command, policies, rbac = object_maker.command, require "kubectl.create.policies", require "kubectl.create.rbac"
local children = {
    namespace = command { kind = "v1/Namespace", usage = "NAME [flags]", summary = "make a namespace",
        aliases = { "ns" },
        build = function(name) return { metadata = { name = name }, spec = {}, status = {} } end },
    configmap = command { kind = "v1/ConfigMap", flags = sources, aliases = { "cm" }, what = "configmap",
        usage = "NAME [--from-literal=K=V] [--from-file=FILE] [flags]", build = with_hash("ConfigMap", config_map),
        summary = "make a config map from values and files" },
    serviceaccount = command { kind = "v1/ServiceAccount", usage = "NAME [flags]", aliases = { "sa" },
        summary = "make a service account", what = "serviceaccount",
        build = function(name) return { metadata = { name = name } } end },
    deployment = command { kind = "apps/v1/Deployment", aliases = { "deploy" }, what = "deployment", command = true,
        usage = "NAME --image=IMAGE [-- COMMAND…] [flags]", summary = "make a deployment", flags = {
            { "image", kind = "strings", help = "image of a container; may be repeated" },
            { "replicas", short = "r", kind = "int", default = 1, help = "how many pods" },
            { "port", kind = "int", help = "port that the containers listen on" },
        }, build = function(name, options, words)
            options.command = #words > 1 and table.move(words, 2, #words, 1, {}) or nil
            return deployment(name, options)
        end },
    job = command { kind = "batch/v1/Job", command = true, what = "job", build = job, summary = "make a job",
        usage = "NAME --image=IMAGE | --from=cronjob/NAME [-- COMMAND…] [flags]",
        flags = { { "image", help = "image of the container" },
            { "from", help = "cronjob/NAME whose job is run now" } } },
    secret = { summary = "make a secret", commands = {
        generic = command { kind = "v1/Secret", what = "secret", build = with_hash("Secret", generic_secret),
            usage = "NAME [--from-literal=K=V] [--from-file=FILE] [flags]",
            summary = "make a secret from values and files",
            flags = { { "type", help = "type of the secret" }, table.unpack(sources) } },
        tls = command { kind = "v1/Secret", what = "secret", build = with_hash("Secret", tls_secret),
            usage = "NAME --cert=FILE --key=FILE [flags]", summary = "make a secret with a certificate and its key",
            flags = { append_hash, { "cert", help = "file with the certificate" },
                { "key", help = "file with the key" } } },
        ["docker-registry"] = command { kind = "v1/Secret", what = "secret", build = with_hash("Secret", docker_secret),
            usage = "NAME --docker-username=USER --docker-password=PASSWORD | --from-file=FILE [flags]",
            summary = "make a secret with which a registry's images may be pulled", flags = docker_flags },
    } },
    service = { summary = "make a service", aliases = { "svc" }, commands = {
        clusterip = service_command("ClusterIP", "make a service with an address in the cluster",
            { { "clusterip", help = "address, or None" } }),
        nodeport = service_command("NodePort", "make a service with a port of the nodes",
            { { "node-port", kind = "int", help = "port of the nodes" } }),
        loadbalancer = service_command("LoadBalancer", "make a service with a load balancer", {}),
        externalname = service_command("ExternalName", "make a service that stands for a name outside",
            { { "external-name", help = "the name" } }, external_name),
    } },
    ingress = require "kubectl.create.ingress",
    token = require "kubectl.create.token",
    quota = policies.quota, poddisruptionbudget = policies.poddisruptionbudget,
    priorityclass = policies.priorityclass, cronjob = policies.cronjob,
    role = rbac.role, clusterrole = rbac.clusterrole,
    rolebinding = rbac.rolebinding, clusterrolebinding = rbac.clusterrolebinding,
}

-- The object as the editor leaves it.
local function edited(session, resource, namespace, object, options)
    local format = options.output == "json" and "json" or "yaml"
    editor.run { objects = { object }, format = format, head = editor.HEAD, accept = function(objects)
        for _, one in ipairs(objects) do object_maker.create(session, resource, namespace, one, options) end
        return { reasons = {} }
    end }
end

return {
    summary = "make objects",
    usage = "-f FILE | KIND NAME … [flags]",
    examples = { "todo-lua kube create -f job.yaml", "todo-lua kube create configmap settings --from-file=conf/" },
    flags = object_maker.with_flags(table.move(manifests.flags, 1, #manifests.flags, 5, {
        kube_session.validate_flag,
        { "edit", kind = "bool", help = "edit the objects first, in $EDITOR" },
        { "selector", short = "l", help = "only the manifests with these labels" },
        { "raw", help = "POST the file of -f to this path, and print the answer" } })),
    commands = children,
    run = function(session, options, words)
        if options.raw then return raw.send(session, "POST", options, words) end
        if #words > 0 then
            kube_errors.raise(('unknown command %q for "kube create"'):format(words[1]), "the kinds are listed by "
                .. "todo-lua kube create --help; -f FILE makes any kind")
        end
        if #(options.filename or {}) == 0 then
            kube_errors.raise("must specify one of -f and -k", "name the manifests: -f FILE")
        end
        kube_session.validation(options.validate)
        local problems = {}
        local objects = manifests.selected(manifests.read(session, { filename = options.filename,
            recursive = options.recursive, validate = options.validate, verb = "create" }), options.selector)
        if #objects == 0 then kube_errors.raise("no objects passed to create") end
        for _, one in ipairs(objects) do
            local ok, problem = pcall(options.edit and edited or object_maker.create, session, one.resource,
                one.namespace, one.object, options, one.source)
            if not ok then problems[#problems + 1] = problem end
            if fail.kind(problem) == "read_only" then break end
        end
        kube_errors.raise_all(problems)
    end,
}
