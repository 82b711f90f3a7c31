-- Takes down what deploy made: release, cluster, database container. Data, images and the cache stay unless named.
local cli = require "cli"
local cluster = require "cluster"
local database = require "database"
local docker = require "docker"
local fail = require "fail"
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
        { "delete-cluster", help = "the Minikube cluster, too: it may hold more than this stack" },
        { "stop", help = "stop the cluster instead of deleting it" },
        { "data", help = "the database's data, too" },
        { "images", help = "the images, too" },
    },
    groups = { "cluster", "yes" },
    examples = { "todo-lua destroy --yes", "todo-lua destroy --keep-cluster", "todo-lua destroy --data --images" },
}

local ctx = project.open(options)
local provider = cluster.choose(ctx)
local state = provider.status(ctx).state
-- What a user may have made for other things, too, is not deleted in passing.
local shared = options.context ~= nil or provider.name == "minikube" and not options.delete_cluster and not options.stop

local function announce()
    local parts = { ("release %s in namespace %s"):format(ctx.config.release, ctx.config.namespace) }
    if not options.keep_cluster and not shared and state ~= "absent" then
        parts[#parts + 1] = (options.stop and "stops " or "") .. "the " .. provider.name .. " cluster"
    end
    parts[#parts + 1] = "the local database" .. (options.data and " WITH ITS DATA" or " (its data stay)")
    if options.images then parts[#parts + 1] = "the images" end
    local answer = project.confirm(ctx, "This removes " .. table.concat(parts, ", ") .. ". Go on?")
    if answer == nil then
        fail.raise("usage", "destroy asks first, and there is no terminal to ask on", "say it with --yes",
            { status = 2 })
    end
    if not answer then fail.raise("declined", "nothing was removed") end
end

local function remove_release(line)
    if state ~= "running" then return line:same("no cluster runs") end
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

local function remove_cluster(line)
    if state == "absent" then return line:same("there was none") end
    if shared or options.keep_cluster then return line:same(provider.name .. " cluster kept") end
    if options.stop then
        provider.stop(ctx)
        line:done(provider.name .. " stopped")
    else
        provider.delete(ctx)
        line:done(provider.name .. " cluster deleted")
    end
end

local function remove_from_docker(line)
    local ok, client = pcall(docker.connect)
    if not ok then return line:same("Docker does not run") end
    ctx.docker = client
    local removed = database.remove(ctx, options.data)
    if options.images then
        for _, name in ipairs(tables.keys(ctx.config.images)) do
            local own = client:images { filters = { reference = { ctx.config.images[name].name } } }
            for _, image in ipairs(own) do
                -- By name: where another image was built on this one, it loses its names only, which is no error.
                for _, ref in ipairs(image.RepoTags or image.RepoDigests or {}) do
                    client:remove_image(ref, { force = true })
                end
            end
            if #own > 0 then removed[#removed + 1] = "images " .. ctx.config.images[name].name end
        end
    end
    if #removed > 0 then line:done(table.concat(removed, ", ") .. " removed") else line:same("nothing there") end
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

announce()
run("release", remove_release)
run("cluster", remove_cluster)
run("docker", remove_from_docker)
ctx.board:close()
log.info("Done. Another deploy starts from here: todo-lua deploy")
