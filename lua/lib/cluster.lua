-- The cluster: which provider, whether its cluster runs, and a client that may write to nothing else.
local addons = require "addons"
local fail = require "fail"
local fs = require "fs"
local k8s = require "k8s"
local log = require "log"
local pin = require "pin"
local provider = require "provider"
local tables = require "tables"
local task = require "task"

local cluster = {}

---What a provider finds out. Another user's cluster is none that can be used here, one that hangs does not run; neither
---stands in another's way.
---@async
---@param ctx todo.Context
---@param one todo.ClusterProvider
---@return todo.ClusterDetection
function cluster.detect(ctx, one)
    local detection, problem = fail.catch({ denied = true, timeout = true }, function() return one.detect(ctx) end)
    if detection then return detection end
    local hangs = fail.kind(problem) == "timeout"
    return { available = hangs, exists = hangs, hangs = hangs, reason = fail.message(problem) }
end

local OTHERS_SECONDS = 3 -- for finding out that there is a choice at all; a tool that hangs changes none

-- Names of the providers whose cluster runs, too.
local function others_running(ctx, names)
    local found = {}
    local jobs = tables.map(names, function(name)
        return function()
            local ok, detection = pcall(cluster.detect, ctx, provider.load(name, ctx.config))
            found[name] = ok and detection.running
        end
    end)
    fail.catch({ timeout = true }, function() task.timeout(OTHERS_SECONDS, task.all, jobs) end)
    return tables.filter(names, function(name) return found[name] end)
end

-- Which of several clusters is meant, nobody has said.
local function tell_of_others(ctx, chosen, names)
    local others = others_running(ctx, names)
    if #others == 0 then return end
    local last = table.remove(others)
    log.warn("clusters of %s and %s run here: %s is used; name another with --cluster, or cluster.provider in "
        .. "todo.local.lua", table.concat({ chosen, table.unpack(others) }, ", "), last, chosen)
end

---Chooses: --context, --cluster or the configuration, what runs already, what exists, what is installed.
---@async
---@param ctx todo.Context
---@return todo.ClusterProvider provider
---@return string why
function cluster.choose(ctx)
    if ctx.provider then return ctx.provider, ctx.provider_why end
    local function take(chosen, why)
        ctx.provider, ctx.provider_why = chosen, why
        return chosen, why
    end
    if ctx.options.context then return take(provider.load("context", ctx.config), "named with --context") end
    local named = ctx.config.cluster.provider
    if named then return take(provider.load(named, ctx.config), "named in the configuration") end
    local found = {}
    local order = ctx.config.cluster.order
    for index, name in ipairs(order) do
        local one = provider.load(name, ctx.config)
        local detection = cluster.detect(ctx, one)
        if detection.running then
            tell_of_others(ctx, name, { table.unpack(order, index + 1) })
            return take(one, "it runs already")
        end
        found[#found + 1] = { provider = one, detection = detection }
    end
    for _, entry in ipairs(found) do
        local detection = entry.detection
        if detection.exists then
            return take(entry.provider, detection.hangs and detection.reason or "it was used here before")
        end
    end
    for _, entry in ipairs(found) do
        if entry.detection.available then return take(entry.provider, "it is installed") end
    end
    for _, entry in ipairs(found) do
        if entry.detection.packages and #entry.detection.packages > 0 then
            return take(entry.provider, "it can be installed here")
        end
    end
    local reasons = {}
    for index, entry in ipairs(found) do
        reasons[index] = ("%s: %s"):format(entry.provider.name, entry.detection.reason or "not available")
    end
    fail.raise("not_found", "no cluster can be used on this machine (" .. table.concat(reasons, "; ") .. ")",
        "install Minikube, or name a kubeconfig context with --context NAME")
end

-- The pin is a fact of this run: whatever happens to the kubeconfig meanwhile, writes reach this cluster or none.
local function guard(ctx, client, connection)
    if not connection.owned and not ctx.options.context then
        client:read_only(("context %s is not local; name it with --context to write to it"):format(client.context))
        return
    end
    pin.set(client)
end

---A client of the running cluster.
---@async
---@param ctx todo.Context
---@return todo.K8s
function cluster.connect(ctx)
    if ctx.k8s then return ctx.k8s end
    local connection = cluster.choose(ctx).kubeconfig(ctx)
    local client = k8s.connect {
        kubeconfig = connection.kubeconfig, context = connection.context, namespace = ctx.config.namespace,
    }
    guard(ctx, client, connection)
    ctx.k8s, ctx.connection = client, connection
    return client
end

---@async
---@param ctx todo.Context
---@param line todo.BoardLine
---@return boolean changed
---@return string text
function cluster.up(ctx, line)
    local chosen, why = cluster.choose(ctx)
    line:set(chosen.name .. " (" .. why .. ")")
    local changed = chosen.start(ctx)
    local client = cluster.connect(ctx)
    local version = client:version()
    local enabled, names = addons.ensure(ctx, chosen)
    return changed or enabled, ("%s, Kubernetes %s%s"):format(chosen.name, version.gitVersion:gsub("^v", ""),
        #names > 0 and " with " .. table.concat(names, ", ") or "")
end

---For scripts that only look: the running cluster's client, or an error that says what to do.
---@async
---@param ctx todo.Context
---@return todo.K8s
function cluster.require_running(ctx)
    local chosen = cluster.choose(ctx)
    local status = chosen.status(ctx)
    if status.state ~= "running" then
        fail.raise("not_ready", ("no cluster runs here (%s: %s%s)"):format(chosen.name, status.state,
            status.message and ", " .. status.message or ""), "start it: todo-lua deploy")
    end
    return cluster.connect(ctx)
end

---Lets the provider find out what it has, while images are still compared with their sources.
---@async
---@param ctx todo.Context
function cluster.prepare_load(ctx)
    if ctx.provider.prepare_load then ctx.provider.prepare_load(ctx) end
end

---Where builds are in the cluster at once; nil where they are not.
---@async
---@param ctx todo.Context
---@return table<string, string>? env for a docker client
function cluster.docker_host(ctx)
    return ctx.provider.docker_host and ctx.provider.docker_host(ctx)
end

---Sends images whose content the cluster lacks.
---@async
---@param ctx todo.Context
---@param images string[]
---@param again boolean? whatever the provider noted of earlier ones
---@return string[] sent
---@return table<string, string>? digests in a registry, by name
function cluster.load_images(ctx, images, again)
    if ctx.builder and ctx.builder ~= ctx.docker then return {} end
    return ctx.provider.load_image(ctx, images, again)
end

---Space that a cluster and its images need at least, in bytes.
local NEEDED_SPACE = 4e9

---Raises "space" where the disk cannot hold what is about to be made.
---@param ctx todo.Context
function cluster.check_space(ctx)
    fs.mkdir(ctx.state_dir, 448)
    local free = fs.space(ctx.state_dir)
    if free < NEEDED_SPACE then
        fail.raise("space", ("only %.1f GB are free where %s is; %.0f GB are needed"):format(free / 1e9, ctx.state_dir,
            NEEDED_SPACE / 1e9), "free some space (docker system prune), then run again")
    end
end

return cluster
