-- kube set image: gives containers of workloads other images.
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local object_change = require "kubectl.object_change"
local resource_args = require "kubectl.resource_args"
local tables = require "tables"

local function split(words)
    local resources, changes = resource_args.with_changes(words, { "^[^=]+=" }, "image")
    local images = {}
    for _, change in ipairs(changes) do
        local name, image = change:match("^([^=]+)=(.*)$")
        images[name] = image
    end
    return resources, images, #changes
end

local function check(images, count)
    if count == 0 then
        kube_errors.raise("at least one image update is required", "CONTAINER=IMAGE, or *=IMAGE for all containers")
    end
    if count > 1 and images["*"] then
        kube_errors.raise("all containers are already specified by *, but saw more than one "
            .. "container_name=container_image pairs")
    end
end

local function run(session, options, words)
    local resources, images, count = split(words)
    local problems = {}
    object_change.run(session, resources, options, { done = "image updated", problems = problems,
        check = function() check(images, count) end,
        change = function(object)
            local spec = object_change.pod_spec(object)
            for _, name in ipairs(tables.keys(images)) do
                local known = false
                for _, container in ipairs(object_change.containers(spec, "*")) do
                    if name == "*" or container.name == name then known, container.image = true, images[name] end
                end
                if not known then
                    problems[#problems + 1] = fail.new("kube", ('error: unable to find container named "%s"'):format(
                        name), nil, { verbatim = true })
                end
            end
        end })
end

return {
    summary = "give containers other images", flags = object_change.with_flags {}, run = run,
    usage = "TYPE NAME | TYPE/NAME | TYPE -l SELECTOR | TYPE --all | -f FILE  CONTAINER=IMAGE… [flags]",
    examples = { "todo-lua kube set image deploy/web web=registry/web:2",
        "todo-lua kube set image deploy --all '*=web:2'" },
}
