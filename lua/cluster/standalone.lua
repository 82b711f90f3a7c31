-- The standalone provider: a Kubernetes of our own, for a machine that has no other. Its programs are built
-- from their Go modules once; they run as plain supervised processes; all state is in one folder.
local addons = require("cluster.standalone.addons")
local components = require("cluster.standalone.components")
local fail = require("fail")
local fs = require("fs")
local ground = require("cluster.standalone.ground")
local http = require("http")
local images = require("cluster.standalone.images")
local json = require("json")
local k8s = require("k8s")
local machine = require("cluster.standalone.machine")
local nodes = require("cluster.standalone.nodes")
local pki = require("cluster.standalone.pki")
local ports = require("cluster.standalone.ports")
local proc = require("proc")
local processes = require("cluster.standalone.processes")
local provider = require("provider")
local secret = require("secret")
local tables = require("tables")
local task = require("task")
local versions = require("cluster.standalone.versions")

---@type todo.ClusterProvider
local standalone = { name = "standalone" }

local RUN = "/run/todo-lua/standalone"
local INTERFACE = "todo0"
local POD_NETWORKS = { "10.244.0.0/16", "10.234.0.0/16", "10.224.0.0/16", "172.30.0.0/16" }
local SERVICE_NETWORKS = { "10.96.0.0/16", "10.106.0.0/16", "10.86.0.0/16", "172.29.0.0/16" }
local LONGEST_STATE_PATH = 60 -- the kubelet makes unix sockets below it, whose paths the kernel cuts at 108
local LOCK_SECONDS = 180
local RESUME_SECONDS, API_SECONDS, RUNTIME_SECONDS, NODE_SECONDS, ADDON_SECONDS, POD_GRACE = 20, 90, 30, 90, 90, 5

local function state_folder(ctx)
    return fs.join(ctx.state_dir, "standalone")
end

-- What start decided: networks and ports, which must not change while there is data, the number of nodes, and the
-- version of Kubernetes.
local function choices(ctx)
    local text = fs.read(fs.join(state_folder(ctx), "layout.json"))
    return text and json.decode(text) or nil
end

-- Where nobody says how many nodes, it keeps those that it has, and so it is with the version.
local function choose(ctx, count, version)
    local chosen = choices(ctx)
    if chosen and chosen.ports.metrics and (not count or chosen.nodes == count)
        and (not version or chosen.kubernetes == version) then
        return chosen
    end
    local taken = not chosen and machine.routes(INTERFACE)
    chosen = chosen or {
        pods = machine.free_network(POD_NETWORKS, taken),
        services = machine.free_network(SERVICE_NETWORKS, taken),
        ports = ports.free({ api = 6443, etcd = 2379, etcd_peer = 2380, kubelet = 10250, proxy = 10249 }),
    }
    chosen.nodes, chosen.kubernetes = count or chosen.nodes, version or chosen.kubernetes
    -- Clusters made before the add-on lack it.
    chosen.ports.metrics = chosen.ports.metrics or ports.free({ metrics = 4443 }).metrics
    fs.mkdir(state_folder(ctx), 0x1c0)
    fs.write(fs.join(state_folder(ctx), "layout.json"), json.encode(chosen, { indent = "  ", sort = true }) .. "\n")
    return chosen
end

local function layout_of(ctx, chosen, programs)
    local state = state_folder(ctx)
    local pods, services = chosen.pods:match("^%d+%.%d+%."), chosen.services:match("^%d+%.%d+%.")
    local resolv_conf, has_servers = machine.resolv_conf()
    local ip = pods .. "0.1"
    local layout = {
        kubernetes = programs.kubernetes,
        bin = programs.bin,
        programs = fs.join(ctx.cache_dir, "standalone") .. "/",
        state = state,
        run = RUN,
        pki = state .. "/pki",
        kubeconfig = state .. "/kubeconfig",
        server = ("https://%s:%d"):format(ip, chosen.ports.api),
        interface = INTERFACE,
        ip = ip,
        pods = chosen.pods,
        services = chosen.services,
        api_service_ip = services .. "0.1",
        ports = chosen.ports,
        cni_folder = machine.cni_folder() or "/usr/lib/cni",
        cgroup = "/todo-lua",
        sys_resource = machine.has_sys_resource(),
        snapshotter = "overlayfs",
        resolv_conf = resolv_conf,
        has_servers = has_servers,
        pause = images.PAUSE,
    }
    layout.nodes = nodes.list(layout, chosen.nodes or 1)
    return layout
end

-- For stop, delete and status nothing needs to be built, and a cluster may be gone but for its traces.
local function traces_layout(ctx)
    local chosen = choices(ctx) or { pods = POD_NETWORKS[1], services = SERVICE_NETWORKS[1], ports = { api = 6443 } }
    return layout_of(ctx, chosen, { kubernetes = "", bin = "" })
end

-- Open to the anonymous, as both of the paths that are asked for are.
local function api_answer(layout, path)
    local ok, answer = pcall(http.get, layout.server .. path,
        { ca_file = layout.pki .. "/ca.crt", timeout = 3, proxy = "" })
    return ok and answer.status == 200 and answer.body or nil
end

local function api_answers(layout)
    return api_answer(layout, "/readyz") ~= nil
end

local function api_version(layout)
    local text = api_answer(layout, "/version")
    return text and json.decode(text).gitVersion or nil
end

local function component_states(layout)
    local states, all, any = {}, true, false
    local names = { "etcd", "containerd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet",
        "kube-proxy", "coredns", "supervisor" }
    for index = 2, #(layout.nodes or {}) do
        for _, name in ipairs({ "containerd", "kubelet" }) do names[#names + 1] = name .. layout.nodes[index].suffix end
    end
    local more = layout.state and addons.programs(layout.state) or {}
    table.move(more, 1, #more, #names + 1, names)
    for _, name in ipairs(names) do
        local runs = processes.noted(layout, name) ~= nil
        states[name] = runs and "running" or "stopped"
        all, any = all and runs, any or runs
    end
    return states, all, any
end

local function other_owner(layout)
    local owner = fs.read(layout.run .. "/owner")
    if owner and owner ~= layout.state and #processes.find({ run = layout.run, state = owner,
        programs = layout.programs }) > 0 then
        return owner
    end
end

local function check_owner(layout)
    local owner = other_owner(layout)
    if owner then
        fail.raise("conflict", "another standalone cluster runs on this machine, from " .. owner,
            "stop that one first; a machine has room for one")
    end
end

local function check_machine(state)
    local unfit = machine.unfit()
    if unfit then
        fail.raise("unsupported", "a standalone cluster cannot run here: " .. unfit,
            "install minikube, kind or k3d, or name a kubeconfig context with --context")
    end
    local packages, programs = machine.missing()
    if #packages > 0 then
        fail.raise("not_found", "the standalone cluster needs " .. table.concat(programs, ", "),
            "apt-get install " .. table.concat(packages, " "))
    end
    if #state > LONGEST_STATE_PATH then
        fail.raise("usage", "the state folder's path is too long for unix sockets below it: " .. state,
            "set XDG_STATE_HOME to a shorter path")
    end
end

local function plan_of(layout, stamp, more)
    local plan = { server = layout.server, ca_file = layout.pki .. "/ca.crt", logs = layout.state .. "/log",
        stamp = stamp,
        components = components.list(layout) }
    table.move(more, 1, #more, #plan.components + 1, plan.components)
    local files = components.files(layout)
    local paths = {}
    for path in pairs(files) do paths[#paths + 1] = path end
    table.sort(paths)
    local contents = {}
    for i, path in ipairs(paths) do contents[i] = path .. "\0" .. files[path] end
    plan.files = secret.sha256(table.concat(contents, "\0"))
    return plan, files
end

local function same_plan(layout, plan)
    return fs.read(fs.join(layout.run, "plan.json")) == json.encode(plan, { sort = true })
end

-- Whether the plan only adds components to that of the cluster that runs: then nothing of that has to end.
local function adds_to_plan(layout, plan)
    local ok, before = pcall(json.decode, fs.read(fs.join(layout.run, "plan.json")) or "")
    if not ok or type(before) ~= "table" or #before.components >= #plan.components then return false end
    local reduced = tables.copy(plan)
    while #reduced.components > #before.components do table.remove(reduced.components) end
    return same_plan(layout, reduced)
end

local function last_lines(layout, name)
    local text = fs.read(fs.join(layout.state, "log", name .. ".log")) or ""
    local lines = {}
    for line in text:sub(-4000):gmatch("[^\n]+") do lines[#lines + 1] = "  " .. line:sub(1, 300) end
    return table.concat(lines, "\n", math.max(1, #lines - 4))
end

-- A component that stays down says why in its log; name it rather than the wait that it broke.
local function explain(layout, waited_for, seconds)
    local lines = {}
    local states = component_states(layout)
    for name, state in pairs(states) do
        if state == "stopped" then lines[#lines + 1] = ("%s does not run; its last words:\n%s"):format(name, last_lines(
            layout, name)) end
    end
    table.sort(lines)
    for _, node in ipairs(#lines == 0 and layout.nodes or {}) do
        local name = "kubelet" .. node.suffix
        lines[#lines + 1] = ("the last words of %s:\n%s"):format(name, last_lines(layout, name))
    end
    fail.raise("timeout", ("%s (waited up to %d s)\n%s"):format(waited_for, seconds, table.concat(lines, "\n")),
        "the logs are in " .. layout.state .. "/log; destroy and deploy again gives a fresh cluster")
end

local function wait_for(seconds, condition)
    local deadline = task.now() + seconds
    while not condition() do
        if task.now() > deadline then return false end
        task.sleep(0.1)
    end
    return true
end

local function connect(layout)
    return k8s.connect({ kubeconfig = layout.kubeconfig, timeout = 5 })
end

-- After a restart the API still shows the node as it was: only a heartbeat or a lease since then proves that the
-- kubelet is back.
local function node_is_ready(client, name, since)
    local ok, ready = pcall(function()
        local node = client:get("v1/Node", name)
        for _, condition in ipairs(node and node.status.conditions or {}) do
            if condition.type == "Ready" then
                if condition.status ~= "True" then return false end
                if condition.lastHeartbeatTime >= since then return true end
            end
        end
        local lease = node and client:get("coordination.k8s.io/v1/Lease", name, {
            namespace = "kube-node-lease" })
        return lease and lease.spec.renewTime >= since
    end)
    return ok and ready
end

local function end_components(layout)
    local by_kind = { supervisor = {}, first = {}, api = {}, etcd = {}, shim = {} }
    for _, process in ipairs(processes.find(layout)) do
        local kind = process.kind
        if kind == "component" then
            kind = process.name == "etcd" and "etcd" or process.name == "kube-apiserver" and "api"
                or process.name == "containerd" and "api" or "first"
        end
        if by_kind[kind] then table.insert(by_kind[kind], process) end
    end
    return by_kind
end

-- The supervisor goes first, so that nothing comes back; pods only where `with_pods`: a changed setting must not end
-- them.
local function halt(layout, with_pods)
    processes.finish(end_components(layout).supervisor, 0)
    local parts = end_components(layout)
    processes.finish(parts.first, 2)
    if with_pods then
        processes.finish(processes.in_pods(layout), POD_GRACE)
        local gone = wait_for(3, function() return #end_components(layout).shim == 0 end)
        if not gone then processes.finish(end_components(layout).shim, 0) end
    end
    processes.finish(parts.api, 2)
    processes.finish(parts.etcd, 5)
    if with_pods then
        processes.finish(processes.in_pods(layout), 0)
        processes.finish(processes.find(layout), 0)
    end
end

-- What an earlier boot left: its processes are gone, and the addresses that its pods held are free.
local function forget_earlier_boot(layout)
    local path = layout.state .. "/boot"
    if fs.read(path) == machine.boot_id() then return end
    if #ground.mounts(layout) == 0 then fs.remove(layout.run) end
    for _, node in ipairs(layout.nodes) do fs.remove(node.state .. "/addresses") end
    fs.write(path, machine.boot_id())
end

local function name_server_port(layout)
    local holder = ports.wildcard_holder(53, "udp")
    if holder and not processes.noted(layout, "coredns") then
        fail.raise("conflict", "another name server holds port 53 of every address",
            "bind that server (dnsmasq, bind) to 127.0.0.1, or stop it")
    end
end

local function await_api(layout, seconds)
    local ready = wait_for(seconds, function()
        return api_answers(layout) or not processes.noted(layout, "supervisor")
    end)
    return ready and processes.noted(layout, "supervisor") ~= nil
end

-- Where nothing changed, what still runs is left alone: a supervisor brings back what does not.
local function resume(layout, plan)
    if adds_to_plan(layout, plan) then
        processes.finish(end_components(layout).supervisor, 0)
    elseif not same_plan(layout, plan) then
        return false
    end
    if not processes.noted(layout, "supervisor") then processes.supervise(layout, plan) end
    return await_api(layout, RESUME_SECONDS)
end

local function launch(layout, plan, files)
    halt(layout, false)
    name_server_port(layout)
    for path, text in pairs(files) do
        fs.mkdir(fs.dirname(path))
        fs.write(path, text, 384)
    end
    fs.mkdir(layout.run, 448)
    fs.write(layout.run .. "/owner", layout.state)
    processes.supervise(layout, plan)
    if not await_api(layout, API_SECONDS) then explain(layout, "the API server is not ready", API_SECONDS) end
end

local function settle(layout, since, surplus, progress)
    local client <close> = setmetatable({ api = connect(layout) }, { __close = function(c) c.api:close() end })
    for _, list in ipairs({ components.objects(), addons.objects(layout) }) do
        for _, object in ipairs(list) do client.api:apply(object, { field_manager = "todo-lua", force = true }) end
    end
    for _, node in ipairs(surplus) do nodes.forget(node, client.api) end
    for _, node in ipairs(layout.nodes) do
        if not wait_for(RUNTIME_SECONDS, function() return images.answers(node) end) then
            explain(layout, ("containerd%s does not answer"):format(node.suffix), RUNTIME_SECONDS)
        end
        images.load_pause(node)
    end
    for index, node in ipairs(layout.nodes) do
        progress("cluster", "waiting for node " .. node.name, 2, 3)
        if not wait_for(NODE_SECONDS, function() return node_is_ready(client.api, node.name, since[index]) end) then
            explain(layout, ("node %s is not Ready"):format(node.name), NODE_SECONDS)
        end
        nodes.tell_network(node, client.api)
    end
    if not wait_for(ADDON_SECONDS, function() return not addons.unready(layout, client.api) end) then
        local name, program = addons.unready(layout, client.api)
        explain(layout, ("the add-on %s does not work:\n%s"):format(name, last_lines(layout, program)), ADDON_SECONDS)
    end
end

-- Two runs at once take turns: most often the first has done what the second wants.
local function lock(layout, progress)
    local holder
    local held = wait_for(LOCK_SECONDS, function()
        local taken, pid = fs.lock(fs.join(layout.state, "lock"))
        if taken then
            holder = taken
        else
            progress("cluster", ("waiting for process %s, which starts or stops it"):format(pid or "?"))
        end
        return taken ~= nil
    end)
    if held then return holder end
    fail.raise("conflict", "another todo-lua has been starting or stopping the cluster for minutes",
        "see what it waits for, or end it, and run this again")
end

local function programs_of(ctx, version)
    local programs, built = versions.programs(fs.join(ctx.cache_dir, "standalone"), version, provider.progress(ctx))
    if built then ctx.log.debug("built the cluster's programs in " .. programs.kubernetes) end
    return programs
end

local function current_version(ctx)
    return versions.of(state_folder(ctx), choices(ctx))
end

local function wanted_version(ctx)
    local current = current_version(ctx)
    return versions.choose(ctx.config.cluster.kubernetes_version, current), current
end

-- What is wanted of the cluster whose lock is held: who held it before may have changed what is there.
local function decide(ctx, version, programs)
    local now, current = wanted_version(ctx)
    if now ~= version then programs = programs_of(ctx, now) end
    if current and current ~= now then
        ctx.log.info(("The cluster goes up from Kubernetes %s to %s, with its data."):format(current, now))
    end
    return layout_of(ctx, choose(ctx, ctx.config.cluster.nodes, now), programs)
end

local function now_text()
    return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(proc.time()))
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterDetection
function standalone.detect(ctx)
    local unfit = machine.unfit()
    if unfit then return { available = false, reason = unfit } end
    local exists = choices(ctx) ~= nil
    local _, running = component_states({ run = RUN })
    local packages, programs = machine.missing()
    if #packages > 0 then
        return { available = false, exists = exists, running = running, packages = packages,
            reason = "it needs " .. table.concat(programs, ", ") }
    end
    return { available = true, exists = exists, running = running,
        reason = running and "its cluster runs" or exists and "its cluster is stopped" or "nothing else is needed" }
end

---@async
---@param ctx todo.ClusterContext
---@return boolean changed
function standalone.start(ctx)
    local progress = provider.progress(ctx)
    local version = wanted_version(ctx)
    check_machine(state_folder(ctx))
    local programs = programs_of(ctx, version)
    local traces = traces_layout(ctx)
    check_owner(traces)
    fs.mkdir(traces.state, 448)
    local held <close> = lock(traces, progress) -- luacheck: ignore held
    local layout = decide(ctx, version, programs)
    local surplus = nodes.surplus(layout)
    local stamp = pki.ensure(layout)
    layout.authority = secret.base64(fs.read(layout.pki .. "/ca.crt"))
    local plan, files = plan_of(layout, stamp, addons.components(layout, progress))
    local _, all = component_states(layout)
    ground.lay(layout)
    local settled = layout.run .. "/settled" -- a start that was interrupted may have left the last steps undone
    local as_planned = all and #surplus == 0 and fs.exists(settled) and same_plan(layout, plan)
    if as_planned and api_answers(layout) then return false end
    fs.remove(settled)
    forget_earlier_boot(layout)
    if #surplus > 0 then
        halt(layout, false)
        for _, node in ipairs(surplus) do nodes.clear(node, POD_GRACE) end
    end
    local keeps_kubelets = same_plan(layout, plan) or adds_to_plan(layout, plan)
    local since = tables.map(layout.nodes, function(node)
        return keeps_kubelets and processes.noted(layout, "kubelet" .. node.suffix) and "" or now_text()
    end)
    progress("cluster", "starting the control plane", 1, 3)
    if not resume(layout, plan) then launch(layout, plan, files) end
    settle(layout, since, surplus, progress)
    fs.write(settled, "")
    progress("cluster", "ready", 3, 3)
    return true
end

---@async
---@param ctx todo.ClusterContext
function standalone.stop(ctx)
    local layout = traces_layout(ctx)
    check_owner(layout)
    local progress = provider.progress(ctx)
    local held <close> = fs.exists(layout.state) and lock(layout, progress) or nil -- luacheck: ignore held
    halt(layout, true)
    ground.clear(layout)
end

---@async
---@param ctx todo.ClusterContext
function standalone.delete(ctx)
    standalone.stop(ctx)
    local layout = traces_layout(ctx)
    local mounts = ground.mounts(layout)
    if #mounts > 0 then
        fail.raise("io", "something is still mounted, so the cluster's data was not removed:\n"
            .. table.concat(mounts, "\n"), "umount it and run this again")
    end
    fs.remove(layout.state)
end

---Where everything of the cluster is, for tests and for other scripts of this provider.
---@async
---@param ctx todo.ClusterContext
---@return todo.StandaloneLayout
function standalone.layout(ctx)
    local current = current_version(ctx)
    local version = current and versions.choose(nil, current) or wanted_version(ctx)
    return layout_of(ctx, choose(ctx), programs_of(ctx, version))
end

---The state folder (ctx.state_dir) of another standalone cluster that runs on this machine; nil where none does.
---@async
---@param ctx todo.ClusterContext
---@return string?
function standalone.other(ctx)
    local owner = other_owner(traces_layout(ctx))
    return owner and fs.dirname(owner)
end

---What is left on the machine of a cluster that was stopped: empty where all is clean.
---@async
---@param ctx todo.ClusterContext
---@return string[]
function standalone.remains(ctx)
    local layout = traces_layout(ctx)
    local list = ground.remains(layout)
    for _, process in ipairs(processes.find(layout)) do list[#list + 1] = ("process %d %s"):format(process.pid,
        process.name) end
    for _, process in ipairs(processes.in_pods(layout)) do list[#list + 1] = ("process %d %s"):format(process.pid,
        process.name) end
    return list
end

---@async
---@param ctx todo.ClusterContext
---@return todo.ClusterStatus
function standalone.status(ctx)
    if not choices(ctx) then return { state = "absent" } end
    local layout = traces_layout(ctx)
    local states, all, any = component_states(layout)
    if not any then return { state = "stopped", components = states } end
    if all and api_answers(layout) then
        return { state = "running", version = api_version(layout), components = states,
            nodes = tables.map(layout.nodes, function(node) return node.name end) }
    end
    local down = {}
    for name, state in pairs(states) do
        if state == "stopped" then down[#down + 1] = name end
    end
    table.sort(down)
    local message = #down > 0 and "these processes do not run: " .. table.concat(down, ", ")
        or "the API server does not answer"
    return { state = "broken", message = message, components = states }
end

---@async
---@param ctx todo.ClusterContext
---@return { kubeconfig: string?, context: string, ca_sha256: string?, owned: boolean }
function standalone.kubeconfig(ctx)
    local layout = traces_layout(ctx)
    local result = { kubeconfig = layout.kubeconfig, context = pki.CONTEXT, owned = true }
    for _, context in ipairs(fs.exists(layout.kubeconfig) and k8s.contexts({ kubeconfig = layout.kubeconfig }) or {}) do
        result.ca_sha256 = context.ca_sha256
    end
    return result
end

---@param ctx todo.ClusterContext
---@return string
function standalone.host_address(ctx)
    return traces_layout(ctx).ip
end

---@async
---@param ctx todo.ClusterContext
function standalone.prepare_load(ctx)
    ctx.node_images = tables.map(standalone.layout(ctx).nodes, images.present)
end

---@async
---@param ctx todo.ClusterContext
---@param names string[]
---@param again boolean? whatever was noted of earlier ones
---@return string[]
function standalone.load_image(ctx, names, again)
    local sent, seen = {}, {}
    for index, node in ipairs(standalone.layout(ctx).nodes) do
        for _, name in ipairs(images.load(node, ctx, names, ctx.node_images and ctx.node_images[index], again)) do
            if not seen[name] then sent[#sent + 1] = name end
            seen[name] = true
        end
    end
    return sent
end

standalone.image_id = provider.image_id_as_told
standalone.url = provider.loopback_url
---@async
---@param ctx todo.ClusterContext
---@param enable string[]?
---@return { name: string, enabled: boolean }[]
function standalone.addons(ctx, enable)
    if enable and #enable > 0 then
        addons.enable(traces_layout(ctx), enable, provider.progress(ctx))
        standalone.start(ctx)
    end
    return addons.list(state_folder(ctx))
end

---@param ctx todo.ClusterContext
---@return table<string,string>
function standalone.logs(ctx)
    local folder, list = fs.join(state_folder(ctx), "log"), {}
    for _, name in ipairs(fs.exists(folder) and fs.list(folder) or {}) do
        local component = name:match("^(.*)%.log$")
        if component then list[component] = fs.join(folder, name) end
    end
    return list
end

return standalone
