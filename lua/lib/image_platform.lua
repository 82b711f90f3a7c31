-- The platform that images are built for where the user names one: "linux/arm64".
local cluster = require "cluster"
local fail = require "fail"
local image_archive = require "image_archive"
local log = require "log"
local tables = require "tables"

local image_platform = {}

---@param ctx todo.Context
---@return string? platform of --platform; nil: the engine's own
function image_platform.wanted(ctx)
    local platform = ctx.options.platform
    if platform and not platform:find("^%l+/%w+$") and not platform:find("^%l+/%w+/v%d+$") then
        fail.raise("usage", ("--platform %s: expected OS/ARCHITECTURE"):format(platform), "for example linux/arm64",
            { status = 2 })
    end
    return platform
end

---Whether an image that the engine has is for the platform; any is where none is wanted.
---@param image table as Docker describes it
---@param platform string?
---@return boolean
function image_platform.fits(image, platform)
    return not platform or platform:match("^%l+/%w+") == ("%s/%s"):format(image.Os, image.Architecture)
end

---Whether the engine has the image for the platform. Of one that is there for several, or only for another than its
---own, containerd's store describes the engine's own alone, with empty words where it lacks that.
---@async
---@param client todo.Docker
---@param ref string
---@param image table as Docker describes it
---@param platform string? nil: any that the engine takes by itself
---@return boolean
function image_platform.has(client, ref, image, platform)
    if not platform then return image.Architecture ~= "" end
    if image_platform.fits(image, platform) then return true end
    if not image_archive.goes_by_manifest(image) then return false end
    -- Engines from 27 on tell of all of them.
    local query = { filters = { reference = { ref } }, manifests = true }
    for _, one in ipairs((client:request("GET", "/images/json", { query = query }))) do
        for _, manifest in ipairs(type(one.Manifests) == "table" and one.Manifests or {}) do
            local told = manifest.Kind == "image" and manifest.Available and manifest.ImageData.Platform
            if told and image_platform.fits({ Os = told.os, Architecture = told.architecture }, platform) then
                return true
            end
        end
    end
    return false
end

---Raises "unsupported" where what was built is for another platform: the classic builder takes the base images it has.
---@param image todo.Image
---@param built table as Docker describes it
function image_platform.check_built(image, built)
    if image_platform.fits(built, image.platform) then return end
    fail.raise("unsupported", ("image %s was built for %s/%s, not for %s: this engine cannot build for it"):format(
        image.name, built.Os, built.Architecture, image.platform),
        "use an engine of that platform, or one of 23.0 or newer, whose BuildKit can")
end

---What helps where a step of a build could not run because its program is for another processor.
---@param platform string?
---@param output string? of the step
---@return string? hint
function image_platform.hint(platform, output)
    if not platform or not tostring(output or ""):find("exec format error", 1, true) then return nil end
    return ("the engine's machine cannot run programs of %s: give it QEMU's handlers (binfmt_misc), "):format(platform)
        .. "or build on such a machine"
end

-- Whoever may not list nodes is not told what they are.
local function node_platforms(ctx)
    local nodes = fail.catch({ denied = true }, function() return cluster.connect(ctx):list("nodes") end)
    return tables.map(nodes or {}, function(node)
        return { Os = node.status.nodeInfo.operatingSystem, Architecture = node.status.nodeInfo.architecture }
    end)
end

---Raises "unsupported" where no node could run the images, and warns where only some could. The nodes of a cluster on
---this machine are the engine's kind; those of somebody's context may be another.
---@async
---@param ctx todo.Context
---@param client todo.Docker that builds
---@param platform string? nil: the engine's own
function image_platform.check_nodes(ctx, client, platform)
    if not platform and ctx.provider.name ~= "context" then return end
    local version = not platform and client:request("GET", "/version")
    local wanted = platform or ("%s/%s"):format(version.Os, version.Arch)
    local fitting, others = 0, {}
    for _, node in ipairs(node_platforms(ctx)) do
        if image_platform.fits(node, wanted) then fitting = fitting + 1
        else others[("%s/%s"):format(node.Os, node.Architecture)] = true end
    end
    local names = tables.keys(others)
    if #names == 0 then return end
    local list = table.concat(names, ", ")
    if fitting > 0 then
        log.warn("images for %s do not run on the nodes that are %s: pods that come there will not start", wanted, list)
    elseif platform then
        fail.raise("unsupported", ("no node of the cluster runs %s: its nodes are %s"):format(platform, list),
            "leave --platform out, or build only: todo-lua build --no-load")
    else
        fail.raise("unsupported", ("no node of the cluster runs %s, for which this Docker engine builds: its nodes "
            .. "are %s"):format(wanted, list), "build for them: --platform " .. names[1])
    end
end

return image_platform
