-- todo-lua kube set image: gives containers of workloads other images.
local fail = require "fail"
local json = require "json"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local manifests = require "kubectl.manifests"
local object_printer = require "kubectl.printer"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"

local flags = {
    { "all", kind = "bool", help = "all objects of the type" },
    { "selector", short = "l", help = "label selector" },
    { "field-manager", default = "kubectl-set", help = "who owns the fields" },
    kube_session.dry_run_flag,
}
table.move(manifests.flags, 1, #manifests.flags, #flags + 1, flags)
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

local function split(words)
    local resources, images, count = {}, {}, 0
    for _, word in ipairs(words) do
        local name, image = word:match("^([^=]+)=(.*)$")
        if name then
            images[name], count = image, count + 1
        elseif count > 0 then
            kube_errors.raise("all resources must be specified before image changes: " .. word)
        else
            resources[#resources + 1] = word
        end
    end
    return resources, images, count
end

local function check(options, images, count)
    if options.all and options.selector then
        kube_errors.raise("cannot set --all and --selector at the same time")
    end
    if count == 0 then
        kube_errors.raise("at least one image update is required", "CONTAINER=IMAGE, or *=IMAGE for all containers")
    end
    if count > 1 and images["*"] then
        kube_errors.raise("all containers are already specified by *, but saw more than one "
            .. "container_name=container_image pairs")
    end
end

-- The pod's specification in an object, and the fields that lead to it.
local function pod_spec(object)
    local paths = { Pod = { "spec" }, CronJob = { "spec", "jobTemplate", "spec", "template", "spec" } }
    local path = paths[object.kind] or { "spec", "template", "spec" }
    local spec = object
    for _, field in ipairs(path) do spec = type(spec) == "table" and spec[field] or nil end
    return spec, path
end

-- Changes the images here; returns the patch of the containers that change (nil where none does).
local function change(spec, images, problems)
    local patch
    for _, name in ipairs(tables.keys(images)) do
        local known = false
        for _, field in ipairs { "initContainers", "containers" } do
            for _, container in ipairs(spec[field] or {}) do
                local meant = container.name == name or name == "*"
                known = known or meant
                if meant and container.image ~= images[name] then
                    container.image = images[name]
                    patch = patch or {}
                    patch[field] = patch[field] or json.list {}
                    table.insert(patch[field], { name = container.name, image = container.image })
                end
            end
        end
        if not known then
            problems[#problems + 1] = ('error: unable to find container named "%s"'):format(name)
        end
    end
    return patch
end

local function one(session, found, options, images, how)
    local object = found.object
    local spec, path = pod_spec(object)
    local name = object_printer.name(object)
    if not spec then kube_errors.raise(name .. " has no containers") end
    local patch = change(spec, images, how.unknown)
    if not patch then return end
    for i = #path, 1, -1 do patch = { [path[i]] = patch } end
    if how.strategy ~= "client" then
        local answer = session:write("PATCH", found.resource, object.metadata.namespace, object.metadata.name,
            { body = patch, type = "application/strategic-merge-patch+json", manager = options.field_manager,
                options = options })
        answer.apiVersion, answer.kind = object.apiVersion, object.kind
        object = answer
    end
    if options.output == "name" then
        io.write(name, "\n")
    elseif object_printer.wanted(options) then
        io.write(object_printer.new(options)(object))
    else
        io.write(name, " image updated", how.suffix, "\n")
    end
end

local function set_image(session, options, words)
    local how = { unknown = {} }
    how.strategy, how.suffix = kube_session.dry_run(options)
    local resources, images, count = split(words)
    local found, problems = resource_args.find(session, resources, options)
    kube_errors.raise_all(problems)
    check(options, images, count)
    for _, target in ipairs(found) do
        local ok, problem = pcall(one, session, target, options, images, how)
        if not ok then problems[#problems + 1] = problem end
    end
    for _, text in ipairs(how.unknown) do
        problems[#problems + 1] = fail.new("kube", text, nil, { verbatim = true })
    end
    kube_errors.raise_all(problems)
end

return {
    summary = "change what workloads run",
    usage = "image TYPE/NAME CONTAINER=IMAGE… [flags]",
    commands = {
        image = { summary = "give containers other images", flags = flags, run = set_image,
            usage = "TYPE NAME | TYPE/NAME | TYPE -l SELECTOR | TYPE --all | -f FILE  CONTAINER=IMAGE… [flags]",
            examples = { "todo-lua kube set image deploy/web web=registry/web:2", "todo-lua kube set image deploy "
                .. "--all '*=web:2'" } },
    },
}
