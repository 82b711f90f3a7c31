-- Minikube, the first choice where it is installed: its cluster in the profile that the user already uses.
local addons = require("addons")
local advice = require("cluster.minikube.advice")
local archive_stream = require("cluster.minikube.archive_stream")
local docker_endpoint = require("docker_endpoint")
local fail = require("fail")
local format = require("format")
local fs = require("fs")
local http = require("http")
local json = require("json")
local k8s = require("k8s")
local proc = require("proc")
local provider = require("provider")
local remembered = require("cluster.minikube.remembered")
local tables = require("tables")
local task = require("task")

---@type todo.ClusterProvider
local minikube = { name = "minikube" }

-- Exit statuses of minikube's documented surface (`minikube status`): a profile that is not there is 85.
local NO_PROFILE = 85

local ANSWER_SECONDS = 30 -- for what only asks
local API_SECONDS = 10
local CONNECT_SECONDS = 2

---Seconds that minikube gets for what it does: a start may have gigabytes to download, the others wait for a node.
minikube.limits = { start = 3600, mend = 120, stop = 300, delete = 300, addons = 900, load = 1800 }

local function home_folder()
    local home = proc.env("MINIKUBE_HOME")
    return home and (fs.basename(home) == ".minikube" and home or fs.join(home, ".minikube"))
        or fs.join(proc.platform().home, ".minikube")
end

-- What `minikube profile NAME` chose.
local function chosen_profile()
    local ok, kept = pcall(function()
        return json.decode(fs.read(fs.join(home_folder(), "config", "config.json")) or "{}")
    end)
    return ok and type(kept) == "table" and type(kept.profile) == "string" and kept.profile or nil
end

local function profile(ctx)
    return ctx.config.cluster and ctx.config.cluster.profile or proc.env("MINIKUBE_PROFILE") or chosen_profile()
        or "minikube"
end

-- `sudo minikube` leaves root's files in the user's own folder.
local function how_to_own(home)
    local ok, stat = pcall(fs.stat, home)
    if not ok or not stat or stat.uid ~= 0 or fs.dirname(home) ~= proc.platform().home then return "" end
    return ('if root made it for you: sudo chown -R "$USER" %s; else '):format(home)
end

-- Reading the profile's file is free; asking minikube costs a process that asks Docker.
local function profile_config(ctx)
    local home = home_folder()
    local readable, text = pcall(fs.read, fs.join(home, "profiles", profile(ctx), "config.json"))
    if not readable and fail.kind(text) == "denied" then
        fail.raise("denied", ("Minikube's folder %s belongs to another user"):format(home), how_to_own(home)
            .. "set MINIKUBE_HOME to a folder of your own, or choose another cluster with --cluster")
    end
    if not readable then error(text, 0) end
    local ok, config = pcall(json.decode, text or "")
    return ok and type(config) == "table" and config or nil, home
end

-- The profile where its nodes are containers of a Docker; nil where they are anything else.
local function docker_profile(ctx)
    local config = profile_config(ctx)
    return config and config.Driver == "docker" and config or nil
end

local function run(ctx, argv, options)
    local command = { "minikube", "--profile", profile(ctx) }
    table.move(argv, 1, #argv, #command + 1, command)
    options = options or {}
    options.env = tables.merge(docker_endpoint.environment(), options.env or {})
    options.env.MINIKUBE_WANTUPDATENOTIFICATION = "false"
    options.env.MINIKUBE_IN_STYLE = "false"
    local result, late = fail.catch({ timeout = true }, function() return proc.run(command, options) end)
    if result then return result end
    local text, last = table.concat(command, " "), options.last_words
    if last then
        fail.raise("timeout", ("`%s` did not end within %g s%s"):format(text, options.timeout, last()),
            ("minikube logs --profile %s may tell why"):format(profile(ctx)), { cause = late })
    end
    fail.raise("timeout", ("`%s` did not answer within %g s: the node hangs"):format(text, options.timeout),
        ("restart it, then run again: %s"):format(docker_profile(ctx) and "docker restart " .. profile(ctx)
            or "minikube stop --profile " .. profile(ctx)), { cause = late })
end

local function trimmed(text)
    return text:match("^%s*(.-)%s*$")
end

-- minikube gives its failures an id and, often, advice.
local function must(ctx, argv, what, options)
    options = options or {}
    options.check = false
    local result = run(ctx, argv, options)
    local id, reason = result.stderr:match("Exiting due to ([%u%d_]+): ([^\n]+)")
    if result.status ~= 0 and id then
        fail.raise("exit", ("minikube could not %s: %s (%s)"):format(what, reason, id),
            advice.of(result.stderr) or "minikube logs --profile " .. profile(ctx), { status = result.status })
    end
    return provider.check("minikube", result, what, "minikube logs --profile " .. profile(ctx))
end

-- What minikube does, for as long as its limit allows: its lines are shown as they come.
local function act(ctx, name, argv, what)
    local progress, last = provider.progress(ctx), nil
    local function listen(chunk)
        local line = chunk:match("([^\n]+)%s*$")
        if not line then return end
        last = line:gsub("^[*!X%s]+", "")
        progress("minikube", last)
    end
    progress("minikube", what)
    must(ctx, argv, what, { timeout = minikube.limits[name], on_stdout = listen, on_stderr = listen,
        last_words = function() return last and "; its last words: " .. last or "" end })
    progress("minikube", last or what, 1, 1)
end

---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean }
function minikube.kubeconfig(ctx)
    local _, home = profile_config(ctx)
    local result = { context = profile(ctx), owned = false }
    for _, context in ipairs(k8s.contexts()) do
        if context.name == result.context then result.ca_sha256 = context.ca_sha256 end
    end
    -- The cluster is this machine's own where the context trusts the authority that minikube keeps here.
    local copy = fs.read(fs.join(home, "ca.crt"))
    result.owned = copy ~= nil and result.ca_sha256 ~= nil and result.ca_sha256 == provider.authority(copy)
    return result
end

local RUNNING = { Host = "Running", Kubelet = "Running", APIServer = "Running", Kubeconfig = "Configured" }
local PROOF_SECONDS = 2
local LEASE_SECONDS = 40 -- after so many Kubernetes itself takes a kubelet for gone

-- Whether those whom minikube would ask say themselves that they run: the node's container, the API server that the
-- kubeconfig names, and the kubelet, by the lease that it renewed since the node started. Only this profile's cluster
-- has a node of its name.
local function proves_to_run(ctx)
    local node = provider.engine(ctx):container(profile(ctx))
    if not node or not node.State.Running or node.State.Paused then return false end
    if not minikube.kubeconfig(ctx).owned then return false end
    local client = k8s.connect({ context = profile(ctx), timeout = PROOF_SECONDS })
    local lease = client:get("leases.coordination.k8s.io", profile(ctx), { namespace = "kube-node-lease" })
    client:close()
    local renewed = format.epoch(tables.at(lease, "spec.renewTime") or "")
    return renewed ~= nil and renewed > format.epoch(node.State.StartedAt) and renewed > proc.time() - LEASE_SECONDS
end

-- Asking minikube costs several times as long, which a deploy without changes would mostly wait for.
local function is_running(ctx)
    if not docker_profile(ctx) then return false end
    local ok, proven = pcall(task.timeout, PROOF_SECONDS, proves_to_run, ctx)
    return ok and proven
end

-- The statuses 2 (paused) and 7 (stopped) still come with the document; several nodes come as a list, the first
-- decides.
local function read_status(ctx)
    if is_running(ctx) then return RUNNING end
    local result = run(ctx, { "status", "-o", "json" }, { check = false, timeout = ANSWER_SECONDS })
    if result.status == NO_PROFILE then return nil, result end
    for line in result.stdout:gmatch("[^\n]+") do
        local ok, document = pcall(json.decode, line)
        if ok and type(document) == "table" then
            document = document[1] or document
            if document.Host then return document, result end
        end
    end
    return nil, result
end

-- What Minikube calls "Nonexistent" may only be out of reach, as with a Docker that does not run: a profile is there.
local function state_of(ctx, document)
    if not profile_config(ctx) then return "absent" end
    document = document or {}
    if document.Host == "Running" and document.Kubelet == "Running" and document.APIServer == "Running" then
        return document.Kubeconfig == "Misconfigured" and "broken" or "running"
    end
    if document.Host == "Stopped" or document.APIServer == "Paused" then return "stopped" end
    return "broken"
end

-- minikube would take a node for gone whose Docker does not answer.
local function check_docker(ctx)
    if docker_profile(ctx) then provider.engine(ctx) end
end

-- By what the runs of deploys found their cluster running, so that they ask once.
local found_running = setmetatable({}, { __mode = "k" })

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function minikube.detect(ctx)
    if not proc.which("minikube") then return { available = false, reason = "minikube is not installed" } end
    if not profile_config(ctx) then return { available = true, exists = false, reason = "minikube is installed" } end
    local document = read_status(ctx)
    local state = state_of(ctx, document)
    found_running[ctx] = state == "running" and document or nil
    return { available = true, exists = state ~= "absent", running = state == "running",
        reason = ("its profile %s is %s"):format(profile(ctx), state) }
end

-- What the driver can give: the machine that Docker runs on, which may be a virtual one; else this one.
local function capacity(ctx, driver)
    local info = driver == "docker" and ctx.docker and ctx.docker:info() or {}
    local kib = tonumber((fs.read("/proc/meminfo") or ""):match("MemTotal:%s*(%d+)"))
    return info.NCPU or proc.platform().cpus, info.MemTotal and info.MemTotal // (1 << 20) or kib and kib // 1024
end

-- The sizes that are wanted, never more than there is.
local function sizes(ctx)
    local settings = ctx.config.cluster or {}
    local cpus, memory = capacity(ctx, settings.driver)
    local taken = { cpus = math.min(settings.cpus or cpus, cpus) }
    taken.memory = memory and math.min(settings.memory or memory, memory) or settings.memory
    local short = {}
    if settings.cpus and taken.cpus < settings.cpus then short[1] = ("%d CPUs"):format(settings.cpus) end
    if settings.memory and taken.memory < settings.memory then
        short[#short + 1] = ("%d MiB"):format(settings.memory)
    end
    local all = taken.memory and (" and %d MiB of memory"):format(taken.memory) or ""
    ctx.log.info(("Minikube gets %d CPUs%s%s."):format(taken.cpus, all,
        #short > 0 and (": %s are wanted, there is no more here"):format(table.concat(short, " and ")) or ""))
    return taken
end

local function start_arguments(settings, taken)
    -- Without the wait for the node, `minikube start` may end when no pod can be placed yet.
    local argv = { "start", "--output=text", "--wait=apiserver,system_pods,default_sa,node_ready" }
    if not taken then return argv end
    local flags = { cpus = taken.cpus, memory = taken.memory, ["disk-size"] = settings.disk,
        driver = settings.driver, ["kubernetes-version"] = settings.kubernetes_version,
        ["container-runtime"] = settings.container_runtime }
    local names = {}
    for name in pairs(flags) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do argv[#argv + 1] = ("--%s=%s"):format(name, flags[name]) end
    if proc.platform().uid == 0 then argv[#argv + 1] = "--force" end
    for _, flag in ipairs(settings.minikube_flags or {}) do argv[#argv + 1] = flag end
    return argv
end

-- A node that Docker paused answers nobody, `minikube unpause` included.
local function unpause(ctx, document)
    if document.Host ~= "Paused" then return act(ctx, "mend", { "unpause" }, "unpause the cluster") end
    local node = profile(ctx)
    ctx.docker:call("POST", "/containers/" .. node .. "/unpause")
end

-- minikube deletes a node of the profile's name that its own folder does not know: it may be another user's cluster.
local function check_foreign_node(ctx)
    local driver = ctx.config.cluster and ctx.config.cluster.driver or "docker"
    local node = driver == "docker" and ctx.docker and ctx.docker:container(profile(ctx))
    if not node or (node.Config.Labels or {})["created_by.minikube.sigs.k8s.io"] ~= "true" then return end
    fail.raise("conflict", ("Docker has a Minikube node %s which %s knows nothing of: to start would delete it"):format(
        profile(ctx), home_folder()), ("another user's: choose another name with MINIKUBE_PROFILE; a forgotten one: "
        .. "docker rm --force --volumes %s"):format(profile(ctx)))
end

-- Whether a start was broken off while the node was made: a profile without certificates never was a cluster.
local function is_unfinished(ctx)
    local config, home = profile_config(ctx)
    return config ~= nil and not fs.exists(fs.join(home, "profiles", profile(ctx), "client.crt"))
end

-- Whether everything runs, and only the kubeconfig leads elsewhere, as after a node was given another port.
local function is_stale(document)
    return document ~= nil and document.Kubelet == "Running" and document.APIServer == "Running"
        and document.Kubeconfig == "Misconfigured"
end

local function launch(ctx, taken)
    act(ctx, "start", start_arguments(ctx.config.cluster or {}, taken), "start the cluster")
end

---@async
---@param ctx todo.ClusterContext
function minikube.delete(ctx)
    check_docker(ctx)
    found_running[ctx] = nil
    act(ctx, "delete", { "delete" }, "delete the cluster")
    remembered.forget(ctx, profile(ctx))
end

---Minikube's may hold more than this stack.
---@return boolean
function minikube.made_here() return false end

-- Whether the API answers where the kubeconfig says: what minikube calls running is a process.
local function answers(ctx)
    return (pcall(function()
        local client = k8s.connect({ context = profile(ctx), timeout = API_SECONDS })
        client:version()
        client:close()
    end))
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function minikube.start(ctx)
    local known = profile_config(ctx) ~= nil
    local document = found_running[ctx] or known and read_status(ctx) or nil
    local state = state_of(ctx, document)
    if state == "running" and (document == RUNNING or answers(ctx)) then return false end
    if is_stale(document) then
        act(ctx, "mend", { "update-context" }, "set the kubeconfig right")
        return true
    end
    if document and document.APIServer == "Paused" then
        unpause(ctx, document)
        return true
    end
    if not known then check_foreign_node(ctx) end
    local function start() launch(ctx, state == "absent" and sizes(ctx) or nil) end
    local _, problem = fail.catch({ exit = is_unfinished(ctx) }, start)
    if problem then
        -- minikube cannot go on with every node that is half made; there is nothing in it to lose.
        minikube.delete(ctx)
        launch(ctx, sizes(ctx))
    end
    return true
end

---@async
---@param ctx todo.ClusterContext
function minikube.stop(ctx)
    if not profile_config(ctx) then return end
    check_docker(ctx)
    found_running[ctx] = nil
    act(ctx, "stop", { "stop" }, "stop the cluster")
end

local function why_broken(ctx, document, result)
    local reached, problem = pcall(check_docker, ctx)
    if not reached then return fail.message(problem) end
    if is_stale(document) then return "the kubeconfig has another address for it" end
    if document and document.Host == "Nonexistent" then return "its node is gone" end
    return trimmed(document and result.stdout or result.stderr)
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function minikube.status(ctx)
    local document, result = read_status(ctx)
    local state = state_of(ctx, document)
    local components = {}
    for _, name in ipairs({ "Host", "Kubelet", "APIServer" }) do
        if document then components[name] = document[name] == "Running" and "running" or "stopped" end
    end
    local config = profile_config(ctx)
    local message = state == "broken" and why_broken(ctx, document, result) or nil
    if state == "running" and document ~= RUNNING and not answers(ctx) then
        state, message = "broken", "its API server does not answer"
    end
    return { state = state, components = components, message = message,
        version = config and config.KubernetesConfig and config.KubernetesConfig.KubernetesVersion }
end

-- The driver's network has an address of this machine where Docker runs on it and not in a virtual machine.
local function gateway(ctx)
    local config = docker_profile(ctx)
    if not config then return nil end
    local network = provider.engine(ctx):network(config.Network ~= "" and config.Network or profile(ctx))
    for _, part in ipairs(network and network.IPAM.Config or {}) do
        local ok, listener = pcall(http.bind, part.Gateway or "", 0)
        if ok then
            listener:close()
            return part.Gateway
        end
    end
    return nil
end

---A server of this machine has to listen at the address itself; the name that pods have for it leads there, too.
---@async
---@param ctx todo.ClusterContext
---@return string
function minikube.host_address(ctx)
    local ok, address = pcall(gateway, ctx)
    return ok and address or "host.minikube.internal"
end

local function runtime(ctx)
    local config = profile_config(ctx)
    return config and config.KubernetesConfig and config.KubernetesConfig.ContainerRuntime or "docker"
end

local function short_name(name) return (name:gsub("^docker%.io/library/", ""):gsub("^docker%.io/", "")) end

-- Ids (hex) of images by name, and by repository and digest, as minikube and crictl list them.
local function ids_of(list)
    local ids = {}
    for _, image in ipairs(type(list) == "table" and list or {}) do
        local id = (image.id or ""):gsub("^sha256:", "")
        for _, tag in ipairs(image.repoTags or {}) do ids[short_name(tag)] = id end
        for _, digest in ipairs(image.repoDigests or {}) do ids[short_name(digest)] = id end
    end
    return ids
end

local function told_json(ctx, argv)
    local ok, document = pcall(json.decode, must(ctx, argv, "list its images", { timeout = ANSWER_SECONDS }).stdout)
    return ok and document or nil
end

-- Ids of the images that each node has. `minikube image ls` tells what any of them does.
local function image_ids(ctx)
    local config = profile_config(ctx)
    local nodes = config and config.Nodes or {}
    if #nodes < 2 then return ids_of(told_json(ctx, { "image", "ls", "--format", "json" })) end
    local common
    for _, node in ipairs(nodes) do
        local told = told_json(ctx, { "ssh", "--node", node.Name, "--", "sudo crictl images --output json" })
        local ids = ids_of(tables.at(told, "images"))
        for name, id in pairs(common or {}) do
            if ids[name] ~= id then common[name] = nil end
        end
        common = common or ids
    end
    return common
end

-- The nodes where they are containers; nil where they are anything else.
local function container_nodes(ctx)
    local config, nodes = docker_profile(ctx), {}
    for index, node in ipairs(config and config.Nodes or {}) do
        nodes[index] = index == 1 and profile(ctx) or ("%s-%s"):format(profile(ctx), node.Name)
    end
    return config and nodes
end

local function containerd_nodes(ctx) return runtime(ctx) == "containerd" and container_nodes(ctx) or nil end

-- Those whose runtime takes Docker's archives as they are.
local function archive_nodes(ctx) return archive_stream.serves(runtime(ctx)) and container_nodes(ctx) or nil end

---@async
---@param ctx todo.ClusterContext
---@param name string
---@return string?
function minikube.image_id(ctx, name)
    local nodes = containerd_nodes(ctx)
    if nodes then return provider.image_id_on_node(ctx, nodes[1], name) end
    local others = archive_nodes(ctx)
    if others then return archive_stream.image_id(ctx, runtime(ctx), others[1], name) end
    local id = image_ids(ctx)[short_name(name)]
    return id and "sha256:" .. id
end

---Images whose id is there already are not sent. The others are streamed into nodes that are containers; where nodes
---are machines they go through `minikube image load`, which tells nothing of how far it is.
---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@return string[]
function minikube.load_image(ctx, names)
    local nodes = containerd_nodes(ctx)
    if nodes then return provider.load_on_nodes(ctx, nodes, names) end
    local others = archive_nodes(ctx)
    if others then return archive_stream.load(ctx, runtime(ctx), others, names) end
    local there = image_ids(ctx)
    return provider.send_missing(ctx, names, function(name)
        local id = there[short_name(name)]
        return id and "sha256:" .. id
    end, function(name)
        act(ctx, "load", { "image", "load", "--daemon", name }, "load the image " .. name)
    end)
end

-- What the address of the cluster's Docker depends on; nil where that is not known without asking.
local function engine_key(ctx)
    local config, home = docker_profile(ctx), home_folder()
    local node = config and provider.engine(ctx):container(profile(ctx))
    return node and remembered.key(home, fs.read(fs.join(home, "profiles", profile(ctx), "config.json")), node.Id,
        node.State.StartedAt) or nil
end

-- minikube starts a Docker again that has ended in the node.
local function listens(address)
    local host, port = (address or ""):match("^tcp://(.+):(%d+)$")
    local ok, connection = pcall(http.connect, host or "", tonumber(port) or 0, CONNECT_SECONDS)
    if ok then connection:close() end
    return ok
end

---@param ctx todo.ClusterContext
---@return string
function minikube.prune_command(ctx)
    return ("minikube --profile %s ssh -- docker system prune"):format(profile(ctx))
end

---Environment for building in the cluster's own Docker, where it has one.
---@async
---@param ctx todo.ClusterContext
---@return table<string,string>?
function minikube.docker_host(ctx)
    local config = profile_config(ctx)
    -- minikube gives none of several nodes' Dockers; where nodes are this machine itself, its Docker is this one.
    if runtime(ctx) ~= "docker" or not config or #config.Nodes > 1 or config.Driver == "none" then return nil end
    local key = engine_key(ctx)
    local env = key and remembered.get(ctx, profile(ctx), key)
    if env and listens(env.DOCKER_HOST) then return env end
    env = {}
    for line in must(ctx, { "docker-env", "--shell", "none" }, "name its Docker",
        { timeout = ANSWER_SECONDS }).stdout:gmatch("[^\n]+") do
        local name, value = line:match("^([%w_]+)=(.*)$")
        if name then env[name] = value end
    end
    if key then remembered.put(ctx, profile(ctx), key, env) end
    return env
end

---@async
---@param ctx todo.ClusterContext
---@param service { name: string, namespace: string, node_port: integer }
---@return string
function minikube.url(ctx, service)
    local config = profile_config(ctx)
    local nodes = tables.filter(config and config.Nodes or {}, function(node) return node.ControlPlane end)
    if not nodes[1] then
        fail.raise("not_found", ("Minikube's profile %s has no node"):format(profile(ctx)), "make it: todo-lua deploy")
    end
    return ("http://%s:%d"):format(nodes[1].IP, service.node_port)
end

---Ports of a node that is a container are on this machine where the profile has them published (`--ports`).
---@async
---@param ctx todo.ClusterContext
---@param port integer
---@return boolean
function minikube.holds_port(ctx, port)
    return docker_profile(ctx) ~= nil and provider.published(ctx, profile(ctx), port)
end

-- Where the profile keeps what an add-on's entry says of its images.
local PLACES = { images = "CustomAddonImages", registries = "CustomAddonRegistries" }

-- The name of an image that is wanted from elsewhere than the profile says.
local function misplaced(ctx, entry)
    local config = profile_config(ctx) or {}
    for key, kept in pairs(PLACES) do
        for name, place in pairs(entry[key] or {}) do
            if (tables.at(config, kept) or {})[name] ~= place then return name end
        end
    end
    return nil
end

local function enable_addon(ctx, name)
    local argv, entry = { "addons", "enable", name }, addons.entry(ctx, name) or {}
    for key in pairs(PLACES) do
        local list = {}
        for image, place in pairs(entry[key] or {}) do list[#list + 1] = image .. "=" .. place end
        if #list > 0 then argv[#argv + 1] = ("--%s=%s"):format(key, table.concat(list, ",")) end
    end
    act(ctx, "addons", argv, "enable the add-on " .. name)
    local ignored = misplaced(ctx, entry)
    if not ignored then return end
    fail.raise("config", ("Minikube's add-on %s has no image that is called %s"):format(name, ignored),
        ("minikube addons images %s lists those that it has"):format(name))
end

-- The profile names the add-ons that were ever switched: enough to know where all that are wanted are on.
local function kept_addons(ctx)
    local config, list = profile_config(ctx) or {}, {}
    for _, addon in ipairs(addons.wanted(ctx)) do
        local entry = addons.entry(ctx, addon.name)
        if not (config.Addons or {})[addon.name] or entry and misplaced(ctx, entry) then return nil end
        list[#list + 1] = { name = addon.name, enabled = true }
    end
    return #list > 0 and list or nil
end

---An add-on whose images are to come from elsewhere is not enabled as long as they do not.
---@async
---@param ctx todo.ClusterContext
---@param enable string[]?
---@return { name: string, enabled: boolean }[]
function minikube.addons(ctx, enable)
    for _, name in ipairs(enable or {}) do enable_addon(ctx, name) end
    local kept = not enable and kept_addons(ctx)
    if kept then return kept end
    local document = json.decode(must(ctx, { "addons", "list", "-o", "json" }, "list its add-ons",
        { timeout = ANSWER_SECONDS }).stdout)
    local list = {}
    for name, addon in pairs(document) do
        local entry = addons.entry(ctx, name)
        list[#list + 1] = { name = name,
            enabled = addon.Status == "enabled" and not (entry and misplaced(ctx, entry)) }
    end
    table.sort(list, function(a, b) return a.name < b.name end)
    return list
end

---@async
---@param ctx todo.ClusterContext
---@return table<string,string>
function minikube.logs(ctx)
    local _, home = profile_config(ctx)
    return { lastStart = fs.join(home, "logs", "lastStart.txt") }
end

return minikube
