-- Takes down what deploy made: release, cluster, database container. Data, images and the cache stay unless named; so
-- does everything else where the cluster is only to be stopped.
local cli = require "cli"
local cluster = require "cluster"
local database = require "database"
local docker = require "docker"
local fail = require "fail"
local images = require "images"
local log = require "log"
local project = require "project"
local registry = require "registry"
local release = require "release"
local stack = require "stack"
local tables = require "tables"

local options = cli.parse {
    name = "destroy",
    summary = "Takes down what deploy made: release, cluster, database container.",
    options = {
        { "keep-cluster", help = "only the release, its namespace and the database" },
        { "delete-cluster", help = "also a cluster that todo-lua did not make: it may hold more than this stack" },
        { "stop", help = "remove nothing: stop the cluster and the local database until the next deploy" },
        { "data", help = "the database's data, too" },
        { "images", help = "the images, too" },
    },
    groups = { "cluster", "yes" },
    examples = { "todo-lua destroy --yes", "todo-lua destroy --keep-cluster", "todo-lua destroy --data --images",
        "todo-lua destroy --stop" },
}

for _, name in ipairs(options.stop and { "keep_cluster", "delete_cluster", "data", "images" } or {}) do
    if options[name] then
        fail.raise("usage", ("--stop removes nothing, and --%s says that something goes"):format(name:gsub("_", "-")),
            "choose one of them", { status = 2 })
    end
end

local ctx = project.open(options)
local provider = cluster.choose(ctx)
local status = provider.status(ctx)
local state = status.state

-- What a user may have made for other things, too, is not deleted in passing.
local function is_shared()
    if options.context then return true end
    return not options.delete_cluster and provider.made_here ~= nil and not provider.made_here(ctx)
end

local cluster_goes = not options.keep_cluster and not options.stop and not is_shared()

local function announce()
    local parts = { ("release %s in namespace %s"):format(ctx.config.release, ctx.config.namespace) }
    if cluster_goes and state ~= "absent" then parts[#parts + 1] = "the " .. provider.name .. " cluster" end
    parts[#parts + 1] = "the local database" .. (options.data and " WITH ITS DATA" or " (its data stay)")
    if options.images then parts[#parts + 1] = "the images" end
    local answer = project.confirm(ctx, "This removes " .. table.concat(parts, ", ") .. ". Go on?")
    if answer == nil then
        fail.raise("usage", "destroy asks first, and there is no terminal to ask on", "say it with --yes",
            { status = 2 })
    end
    if not answer then fail.raise("declined", "nothing was removed") end
end

local function uninstall(line)
    local client = cluster.connect(ctx)
    stack.values(ctx)
    local removed = release.uninstall(ctx, line)
    registry.remove_pull_secret(ctx)
    local own = ctx.config.namespace ~= "default" and not ctx.config.namespace:find("^kube%-")
    if removed and own and #client:list("pods", { namespace = ctx.config.namespace,
        labels = "app.kubernetes.io/instance!=" .. ctx.config.release }) == 0 then
        client:delete("Namespace", ctx.config.namespace)
    end
    if removed then line:done("release " .. ctx.config.release .. " removed") else line:same("no release") end
end

local function remove_release(line)
    if state == "broken" and not cluster_goes then
        fail.raise("not_ready", ("the release cannot be removed: the %s cluster is broken%s"):format(provider.name,
            status.message and ": " .. status.message or ""),
            "todo-lua deploy mends it; todo-lua destroy --delete-cluster removes it")
    end
    if state ~= "running" then return line:same("no cluster runs") end
    local ok, problem = pcall(uninstall, line)
    if ok then return end
    -- It goes with the cluster, whatever is wrong with that.
    if not cluster_goes or fail.kind(problem) == "cancelled" then error(problem, 0) end
    line:warn("left to the cluster's end: " .. fail.message(problem):match("^[^\n]*"))
end

local function remove_cluster(line)
    if state == "absent" then return line:same("there was none") end
    if not cluster_goes then return line:same(provider.name .. " cluster kept") end
    provider.delete(ctx)
    line:done(provider.name .. " cluster deleted")
end

-- By name: where another image was built on this one, it loses its names only, which is no error.
local function remove_images(client)
    local removed = {}
    for _, name in ipairs(tables.keys(ctx.config.images)) do
        local own = client:images { filters = { reference = { ctx.config.images[name].name } } }
        for _, image in ipairs(own) do
            for _, ref in ipairs(image.RepoTags or image.RepoDigests or {}) do
                client:remove_image(ref, { force = true })
            end
        end
        if #own > 0 then removed[#removed + 1] = "images " .. ctx.config.images[name].name end
    end
    return removed
end

local function remove_from_docker(line)
    local ok, client = pcall(docker.connect)
    if not ok then return line:same("Docker does not run") end
    ctx.docker = client
    local removed = database.remove(ctx, options.data)
    if options.images then
        for _, text in ipairs(remove_images(client)) do removed[#removed + 1] = text end
        local builder = state == "running" and not cluster_goes and images.builder(ctx) or client
        if builder ~= client and #remove_images(builder) > 0 then
            removed[#removed + 1] = ("those in %s's Docker"):format(provider.name)
        end
    end
    if #removed > 0 then line:done(table.concat(removed, ", ") .. " removed") else line:same("nothing there") end
end

local function stop_cluster(line)
    if state == "absent" then return line:same("there is none") end
    if state == "stopped" then return line:same("it does not run") end
    provider.stop(ctx)
    line:done(provider.name .. " stopped")
end

local function stop_database(line)
    local ok, client = pcall(docker.connect)
    if not ok then return line:same("Docker does not run") end
    if database.stop(ctx, client) then line:done("stopped") else line:same("none runs here") end
end

local function run(name, fn)
    local line = ctx.board:line(name)
    ctx.line = line
    local ok, problem = pcall(fn, line)
    ctx.end_progress()
    if not ok then
        line:fail(fail.message(problem):match("^[^\n]*"))
        error(problem, 0)
    end
end

if options.stop then
    run("cluster", stop_cluster)
    run("database", stop_database)
    ctx.board:close()
    log.info("Stopped, with everything kept. Go on from here: todo-lua deploy")
else
    announce()
    run("release", remove_release)
    run("cluster", remove_cluster)
    run("docker", remove_from_docker)
    ctx.board:close()
    log.info("Done. Another deploy starts from here: todo-lua deploy")
end
