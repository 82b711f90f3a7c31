-- Builds the images whose sources have changed and brings them into the cluster.
local cli = require "cli"
local cluster = require "cluster"
local engine = require "engine"
local format = require "format"
local images = require "images"
local json = require "json"
local log = require "log"
local old_images = require "old_images"
local proc = require "proc"
local project = require "project"
local stack = require "stack"
local steps = require "steps"
local tables = require "tables"
local term = require "term"

local options = cli.parse {
    name = "build",
    summary = "Builds the images whose sources have changed and brings them into the cluster.",
    options = {
        { "rebuild", help = "build everything from scratch: on base images pulled anew, without the engine's cache" },
        { "platform", value = "OS/ARCH", help = "build for this platform (default: the Docker engine's)" },
        { "no-load", help = "leave the cluster alone" },
        { "prune", help = "then show images of older builds and ask whether to remove them (--yes removes them)" },
    },
    groups = { "cluster", "values", "output", "yes" },
    examples = { "todo-lua build", "todo-lua build --no-load --prune" },
}

local ctx = project.open(options)
stack.values(ctx) -- what is wrong with the values is said before anything is asked

local function choose()
    local provider, why = cluster.choose(ctx)
    if options.no_load then return false, "not needed" end
    local running = provider.status(ctx).state == "running"
    if not running then options.no_load = true
    elseif provider.check_named then provider.check_named(ctx) end
    return false, ("%s (%s)%s"):format(provider.name, why, running and "" or ", not running: images stay in Docker")
end

local function build(_, line)
    return images.ensure(ctx, line, stack.values(ctx), { load = not options.no_load, rebuild = options.rebuild })
end

local report = steps.run(ctx, {
    { "docker", engine.up, text = "connecting to Docker" },
    { "cluster", choose, text = "looking for a cluster" },
    { "images", build, text = "comparing images with their sources" },
})
ctx.board:close()

-- What would go is said before anything does.
local function prune()
    local client = images.builder(ctx)
    local list = old_images.list(client, ctx.config, tables.map(ctx.images, function(image) return image.id end))
    if #list == 0 then
        log.info("No images of older builds are left.")
        return {}
    end
    for _, image in ipairs(list) do
        log.info("  %s  %s, made %s ago", table.concat(image.names, ", "), format.size(image.size),
            format.age(proc.time() - image.created))
    end
    if not project.confirm(ctx, ("Remove %d images of older builds?"):format(#list)) then
        log.info("Nothing was removed; --yes removes them.")
        return {}
    end
    local removed, kept = old_images.remove(client, list)
    for _, why in ipairs(kept) do log.warn("%s", why) end
    log.info("%d names of images removed.", #removed)
    return removed
end

local removed = options.prune and prune() or {}

if options.output == "json" then
    local list = tables.map(ctx.images, function(image)
        return { component = image.component, image = image.ref, id = image.id, bytes = image.size,
            max_mb = image.max_mb }
    end)
    term.write(json.encode({ changed = report.changed, images = json.list(list), removed = json.list(removed) },
        { indent = "  " }) .. "\n")
else
    log.info("%s", steps.summary(report))
end
