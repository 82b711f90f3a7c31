-- Proves that the pods run the images that were built. A kubelet looks only at an image's name: where the name was
-- there before, the old code goes on running, and everything else looks well.
local cluster = require "cluster"
local fail = require "fail"
local format = require "format"
local image_archive = require "image_archive"
local proc = require "proc"
local rollout = require "rollout"
local stack = require "stack"
local tables = require "tables"
local wait = require "wait"

local running_images = {}

local SHORT = 12

local function digest_of(text) return (text or ""):match("sha256:(%x+)") end

---@class todo.BuiltImage
---@field name string as pods name it
---@field digests table<string, true> what a container runtime may call the content: the engine's id, and what
---registries call its manifest (hex)
---@field configuration async fun(): string hex digest of its configuration
---@field id string hex
---@field used string as the engine names it
---@field of_content boolean whether its tag is the content's
---@field component string

---@class todo.StaleContainer
---@field pod string
---@field container string
---@field image string as the pod names it
---@field image_id string as the kubelet tells it; empty where it tells none
---@field built string hex digest

---Containers of Ready pods whose content is not what was built under their image's name.
---@param pods table[]
---@param built table<string, todo.BuiltImage> by name
---@return todo.StaleContainer[]
function running_images.stale(pods, built)
    local list = {}
    for _, pod in ipairs(pods) do
        local ids = {}
        for _, status in ipairs(tables.at(pod, "status.containerStatuses") or {}) do
            ids[status.name] = status.imageID
        end
        for _, container in ipairs(rollout.pod_ready(pod) and pod.spec.containers or {}) do
            local image = built[container.image]
            local image_id = ids[container.name] or ""
            if image and not image.digests[digest_of(image_id) or ""] then
                list[#list + 1] = { pod = pod.metadata.name, container = container.name, image = container.image,
                    image_id = image_id, built = image.id }
            end
        end
    end
    return list
end

local function built_images(ctx)
    local built = {}
    for _, image in ipairs(ctx.images) do
        if image.used then
            local repository = stack.repository(ctx, image)
            local used = image.used:sub(#image.name + 2)
            local name = repository .. ":" .. (image.digest and stack.tag(image) or used)
            local live = image.client:image(repository .. ":" .. used) or image.client:image(image.used) or {}
            local entry = { name = name, id = digest_of(image.id), digests = { [digest_of(image.id)] = true },
                used = image.used, of_content = image.used == image.ref, component = image.component }
            function entry.configuration()
                local known = image.client:image(image.ref)
                return digest_of(image_archive.configuration(ctx, image.client, image.ref, known))
            end
            local told = type(live.RepoDigests) == "table" and live.RepoDigests or {} -- null where it has none
            for _, pushed in ipairs(told) do entry.digests[digest_of(pushed)] = true end
            built[name] = entry
        end
    end
    return built
end

-- The stale containers, and the components of which there was one to compare.
local function look(ctx, built)
    local pods = ctx.k8s:list("pods", { namespace = ctx.config.namespace,
        labels = "app.kubernetes.io/instance=" .. ctx.config.release })
    local compared = {}
    for _, pod in ipairs(pods) do
        for _, container in ipairs(rollout.pod_ready(pod) and pod.spec.containers or {}) do
            local image = built[container.image]
            if image then compared[image.component] = true end
        end
    end
    -- Some runtimes name the content in words of their own; only the node can tell which configuration that is.
    return tables.filter(running_images.stale(pods, built), function(one)
        local runs = digest_of(ctx.provider.image_id(ctx, (one.image_id:gsub("^[%w-]+://", ""))))
        return not runs or runs ~= one.built and runs ~= built[one.image].configuration()
    end), tables.keys(compared)
end

local function uses(object, names)
    for _, container in ipairs(tables.at(object, "spec.template.spec.containers") or {}) do
        if names[container.image] then return true end
    end
    return false
end

local function restart(ctx, objects, stale)
    local names = {}
    for _, one in ipairs(stale) do names[one.image] = true end
    for _, object in ipairs(objects) do
        if uses(object, names) then
            ctx.k8s:patch({ apiVersion = object.apiVersion, kind = object.kind }, object.metadata.name,
                rollout.restart_patch(format.timestamp(proc.time())),
                { namespace = object.metadata.namespace or ctx.config.namespace, type = "strategic" })
        end
    end
end

local function describe(one)
    local runs = digest_of(one.image_id)
    return ("    pod/%s, container %s, names %s: runs %s, built was %s"):format(one.pod, one.container, one.image,
        runs and runs:sub(1, SHORT) or "an unknown image", one.built:sub(1, SHORT))
end

-- Sends what pods should run once more: where a provider goes by what it noted, the node may have been given another
-- image of the name meanwhile.
local function send_again(ctx, built, stale)
    local names = {}
    for _, one in ipairs(stale) do names[built[one.image].used] = true end
    return #cluster.load_images(ctx, tables.keys(names), true) > 0
end

local function raise_stale(stale, built)
    local image = built[stale[1].image]
    local hint = "the cluster holds another image of that name: "
        .. (image.of_content and ("crictl rmi %s on the node removes it, then deploy again"):format(image.name)
        or "leave the tag out of your values, and it follows the content")
    fail.raise("stale_image", "pods run other images than those just built:\n"
        .. table.concat(tables.map(stale, describe), "\n"), hint)
end

local function phrase(ctx, compared)
    if #compared == 0 then return nil end
    return (#compared < #ctx.images and table.concat(compared, " and ") .. " " or "") .. "running what was built"
end

---Where pods run other content than was built under their image's name, makes new ones, and where those do so too,
---sends the images again; raises "stale_image" where that does not help.
---@async
---@param ctx todo.Context with k8s and images
---@param line todo.BoardLine
---@param objects table[] manifests of the release
---@return boolean changed whether pods were replaced
---@return string? proven what is so now; nil where no pod names an image that was built
function running_images.ensure(ctx, line, objects)
    local built = built_images(ctx)
    local stale, compared = look(ctx, built)
    if #stale == 0 then return false, phrase(ctx, compared) end
    local function replace()
        line:set("replacing pods that run an older image of the same name")
        restart(ctx, objects, stale)
        wait.deployed(ctx, objects)
        stale, compared = look(ctx, built)
        return #stale == 0
    end
    if replace() or send_again(ctx, built, stale) and replace() then
        return true, phrase(ctx, compared)
    end
    raise_stale(stale, built)
end

return running_images
