-- Images that others start from: present, pulled, or, where no registry answers, made here under the same name.
local fail = require "fail"
local format = require "format"
local fs = require "fs"
local image_platform = require "image_platform"
local log = require "log"
local prerequisites = require "prerequisites"
local proc = require "proc"
local program = require "program"
local project = require "project"
local registry = require "registry"
local secret = require "secret"
local tables = require "tables"
local task = require "task"

local base_images = {}

-- A registry that says nothing for so long is taken for unreachable.
local PULL_STALL_SECONDS = 30
local LABEL = "todo-lua.stand-in"

local function stand_ins()
    local text, path = program.resource("docker/base/images.lua")
    if not text then return {} end
    return assert(load(text, "@" .. (path or "docker/base/images.lua"), "t"))()
end

-- What a stand-in is made from, so that a changed recipe makes it anew.
local function fingerprint(entry)
    local parts = { table.concat(entry.changes, "\n") }
    for _, file in ipairs(entry.files) do parts[#parts + 1] = program.resource("docker/base/" .. file) or "" end
    return secret.sha256(table.concat(parts, "\0")):sub(1, 16)
end

local function last_line(text)
    return text:match("([^\n]*[^%s][^\n]*)%s*$") or ""
end

-- The engine may sit on a dead connection for minutes: no progress for a while ends the attempt.
local function pull(client, ref, line, platform)
    local last = task.now()
    local puller = task.spawn(function()
        return pcall(client.pull, client, ref, {
            auth = registry.credentials(registry.host(ref)), platform = platform,
            on_progress = function(event)
                last = task.now()
                line:set("pulling " .. ref .. (event.text and ": " .. event.text or ""),
                    event.total and event.total > 0 and (event.bytes or 0) / event.total or nil)
            end,
        })
    end)
    while puller:status() == "running" do
        task.sleep(0.1)
        if task.now() - last > PULL_STALL_SECONDS then
            puller:cancel()
            return false, "no answer for " .. PULL_STALL_SECONDS .. " s"
        end
    end
    local ok, problem = puller:wait()
    return ok, not ok and fail.message(problem) or nil
end

-- What to do where an image cannot be pulled: a registry that answers knows no such image, wants to know who asks, or
-- has given enough.
local function pull_hint(ref, why)
    local said = why:lower()
    local function says(...)
        for _, words in ipairs { ... } do
            if said:find(words, 1, true) then return true end
        end
        return false
    end
    local host = registry.host(ref)
    local login = "docker login " .. host
    if says("toomanyrequests", "rate limit") then
        return ("%s has a limit of pulls, which is reached: log in (%s), or wait"):format(host, login)
    elseif says("manifest unknown", "manifest for ", "not found", "no matching manifest", "no match for platform") then
        return ("%s answers, and has no such image: check its name, tag and platform where it is named"):format(host)
    elseif says("denied", "unauthorized", "authentication required", "does not exist") then
        return ("check its name; where %s wants credentials for it: %s"):format(host, login)
    end
    return "connect to its registry, or load the image: docker load -i FILE"
end

local function make(ctx, client, ref, entry, line)
    local folder = fs.join(ctx.cache_dir, "base")
    fs.mkdir(folder)
    prerequisites.ensure_stand_ins(ctx)
    local scripts = project.unpacked(ctx, "docker/base")
    local archive = fs.join(folder, ref:gsub("[^%w.-]", "_") .. ".tar")
    local tail = ""
    line:set("making " .. ref)
    local ok, problem = pcall(proc.run, { "bash", fs.join(scripts, entry.script), archive }, {
        env = { TODO_BASE_CACHE = folder }, stdout = "null", timeout = 1800,
        on_stderr = function(chunk)
            tail = (tail .. chunk):sub(-4000)
            line:set("making " .. ref .. ": " .. last_line(tail))
        end,
    })
    if not ok then
        fail.raise("build", ("cannot make %s: %s"):format(ref, last_line(tail) ~= "" and last_line(tail) or
            fail.message(problem)),
                ("run it by hand to see all: bash %s FILE.tar"):format(fs.join(scripts, entry.script)))
    end
    line:set("importing " .. ref)
    local changes = { table.unpack(entry.changes) }
    changes[#changes + 1] = ("LABEL %s=%s"):format(LABEL, fingerprint(entry))
    client:import(archive, ref, {
        changes = changes,
        on_progress = function(bytes) line:set("importing " .. ref .. ": " .. format.size(bytes)) end,
    })
    fs.remove(archive)
end

local function stand_in_label(image)
    return image.Config and type(image.Config.Labels) == "table" and image.Config.Labels[LABEL] or nil
end

local function outdated(image, entry)
    local label = stand_in_label(image)
    return label and entry and label ~= fingerprint(entry)
end

-- An image that was built or loaded here is nobody's to give anew.
local function comes_from_registry(ref, image)
    if ref:find("@", 1, true) then return false end
    return stand_in_label(image) ~= nil or type(image.RepoDigests) == "table" and #image.RepoDigests > 0
end

---Has the end of the run say that images are not what their names promise.
---@param ctx todo.Context
---@param client todo.Docker that has them
---@param refs string[]
function base_images.tell_stand_ins(ctx, client, refs)
    ctx.last_words = ctx.last_words or {}
    for _, ref in ipairs(refs) do
        local way = client == ctx.docker and "docker pull " .. ref or "todo-lua build --rebuild"
        local text = ("%s is a stand-in that was made on this machine from Debian packages, not the registry's image: "
            .. "%s brings that one where the registry answers"):format(ref, way)
        local said = tables.filter(ctx.last_words, function(one) return one == text end)
        if #said == 0 then table.insert(ctx.last_words, text) end
    end
end

---Those of the images that are stand-ins.
---@async
---@param client todo.Docker
---@param refs string[]
---@return string[]
function base_images.stand_ins(client, refs)
    return tables.filter(refs, function(ref)
        local image = client:image(ref)
        return image ~= nil and stand_in_label(image) ~= nil
    end)
end

local function make_stand_in(ctx, client, ref, entry, line, why)
    local machine = proc.platform()
    if not entry or machine.os ~= "linux" or machine.uid ~= 0 then
        fail.raise("pull", ("cannot pull %s: %s"):format(ref, why), entry
            and "connect to a registry; or run as root on Debian or Ubuntu, where a stand-in can be made"
            or pull_hint(ref, why))
    end
    log.warn("%s cannot be pulled (%s): a stand-in of the same name is made from Debian packages", ref,
        tostring(why):match("^[^\n]*"))
    make(ctx, client, ref, entry, line)
    base_images.tell_stand_ins(ctx, client, { ref })
end

---Makes sure that the engine has the image.
---@async
---@param ctx todo.Context
---@param client todo.Docker
---@param ref string "node:22-alpine"
---@param line todo.BoardLine
---@param options { platform: string?, fresh: boolean? }? fresh: as its registry has it now; what is here where none
---answers
---@return string id of the image
---@return boolean changed
function base_images.ensure(ctx, client, ref, line, options)
    local platform, fresh = options and options.platform, options and options.fresh
    local entry = stand_ins()[ref]
    local image = client:image(ref)
    local fits = image and image_platform.has(client, ref, image, platform)
    local good = fits and not outdated(image, entry)
    fresh = fresh and (not image or comes_from_registry(ref, image))
    if good and not fresh then return image.Id, false end
    local pulled, why = false, "made here before"
    if fresh or not fits then
        line:set("pulling " .. ref)
        pulled, why = pull(client, ref, line, platform)
    end
    if not pulled and good then
        log.warn("%s cannot be pulled anew (%s): the one that is here is used", ref, tostring(why):match("^[^\n]*"))
        return image.Id, false
    end
    if not pulled and image and not fits then
        fail.raise("pull", ("cannot pull %s for %s: %s"):format(ref, platform or "the engine's platform", why),
            ("the %s that is here is for %s"):format(ref, image.Architecture ~= "" and image.Os .. "/"
                .. image.Architecture or "another one"))
    end
    if not pulled then make_stand_in(ctx, client, ref, entry, line, why) end
    local now = assert(client:image(ref), ref .. " is not there after it was made")
    return now.Id, not image or now.Id ~= image.Id
end

return base_images
