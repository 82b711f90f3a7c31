-- The stack's images: tags that follow their content, builds side by side, sizes held.
local base_images = require "base_images"
local browser_bundle = require "browser_bundle"
local build_files = require "build_files"
local cluster = require "cluster"
local docker = require "docker"
local dockerfile = require "dockerfile"
local fail = require "fail"
local format = require "format"
local fs = require "fs"
local image_archive = require "image_archive"
local image_platform = require "image_platform"
local json = require "json"
local log = require "log"
local program = require "program"
local project = require "project"
local secret = require "secret"
local stack = require "stack"
local tables = require "tables"
local task = require "task"
local term = require "term"

local images = {}

local TAG_LENGTH = 12
local HASH_LENGTH = 16
local FAILURE_LINES = 20

---@class todo.Image
---@field component string
---@field name string "todo-frontend"
---@field context string folder
---@field dockerfile string path
---@field args table<string, string>
---@field target string?
---@field platform string?
---@field max_mb number?
---@field browser todo.BrowserFiles?
---@field text string of the Dockerfile
---@field note string? what is to be said before it is built
---@field bases string[]
---@field from_scratch boolean? it is built even where it is there, without the engine's cache
---@field base_ids table<string, true>? ids of those
---@field bases_used table<string, string>? the same by ref
---@field tag string? of the content
---@field ref string? name:tag
---@field digest string? "sha256:…" in the registry that the cluster pulls from
---@field used string? name:tag that the chart's values name; nil where they name somebody else's image

local function read_dockerfile(image)
    return fs.read(image.dockerfile) or fail.raise("not_found", ("%s does not exist"):format(image.dockerfile),
        ("set images.%s.dockerfile in todo.local.lua"):format(image.component))
end

local function resolve(ctx, component)
    local given = ctx.config.images[component]
    local image = tables.copy(given)
    image.component, image.args = component, image.args or {}
    image.platform = image_platform.wanted(ctx)
    image.dockerfile = given.dockerfile:sub(1, 1) == "/" and given.dockerfile
        or project.path(ctx, given.dockerfile)
        or fs.join(project.unpacked(ctx, "docker"), fs.basename(given.dockerfile))
    image.context = given.context:sub(1, 1) == "/" and given.context or project.path(ctx, given.context)
    if not image.context or not fs.exists(image.context) then
        fail.raise("not_found", ("the sources of %s are not here: %s"):format(image.name, given.context),
            ("run todo-lua in the project's folder, or set images.%s.context in todo.local.lua"):format(component))
    end
    image.text = read_dockerfile(image)
    image.bases = dockerfile.bases(image.text, image.args)
    browser_bundle.settle_url(ctx, image)
    return image
end

---The images that the chart's values ask for, tags not yet known.
---@param ctx todo.Context
---@param values table merged chart values
---@return todo.Image[]
function images.list(ctx, values)
    local list = {}
    for _, component in ipairs(ctx.config.components) do
        local switch = tables.at(values, component .. ".enabled")
        if ctx.config.images[component] and switch ~= false then list[#list + 1] = resolve(ctx, component) end
    end
    return list
end

---The content's tag: sources, Dockerfile, arguments and the images it starts from.
---@async
---@param image todo.Image
---@param base_ids table<string, string> image id by name
---@return string
function images.tag_of(image, base_ids)
    local extra = { "target", image.target or "" }
    for _, name in ipairs(tables.keys(image.args)) do
        extra[#extra + 1] = "arg " .. name .. "=" .. tostring(image.args[name])
    end
    if image.platform then extra[#extra + 1] = "platform " .. image.platform end
    for name, value in pairs(browser_bundle.labels(image)) do extra[#extra + 1] = "label " .. name .. "=" .. value end
    for _, ref in ipairs(image.bases) do extra[#extra + 1] = "base " .. ref .. "=" .. tostring(base_ids[ref]) end
    return docker.context_hash(image.context, { dockerfile = image.dockerfile, extra = extra }):sub(1, TAG_LENGTH)
end

---The engine to build with: the cluster's own where its provider has one and images are for it, else the local one.
---@async
---@param ctx todo.Context
---@return todo.Docker
function images.builder(ctx)
    if ctx.builder then return ctx.builder end
    local env = ctx.provider and cluster.docker_host(ctx)
    ctx.builder = env and docker.connect {
        host = env.DOCKER_HOST, cert_path = env.DOCKER_CERT_PATH, tls_verify = env.DOCKER_TLS_VERIFY == "1",
    } or ctx.docker
    return ctx.builder
end

local function ensure_bases(ctx, client, list, line, fresh)
    local ids, refs, changed = {}, {}, false
    for _, image in ipairs(list) do
        for _, ref in ipairs(image.bases) do
            if not ids[ref] then
                ids[ref] = ""
                refs[#refs + 1] = ref
            end
        end
    end
    task.all(tables.map(refs, function(ref)
        return function()
            local present = client:image(ref) ~= nil
            local own = present and line or ctx.board:line(ref:match("^[^:]*"), ref)
            local id, made = base_images.ensure(ctx, client, ref, own,
                { platform = image_platform.wanted(ctx), fresh = fresh })
            ids[ref], changed = id, changed or made
            if not present then own:done(ref) end
        end
    end))
    return ids, changed
end

local function explain_failure(image, problem)
    local output = fail.field(problem, "output")
    local lines = {}
    if type(output) == "table" then lines = output
    elseif type(output) == "string" then
        for text in output:gmatch("[^\n]+") do lines[#lines + 1] = text end
    end
    if #lines == 0 then return end
    log.info("last lines of the failing step of %s:", image.name)
    for index = math.max(1, #lines - FAILURE_LINES + 1), #lines do
        log.result("    %s", term.clean(tostring(lines[index])))
    end
end

-- The engine repeats the whole instruction in its complaint.
local function shortened(message)
    local head, status = message:match("^(.-): The command.* returned a non%-zero code: (%d+)$")
    if not head then return message end
    return ("%s (exit status %s)"):format(term.truncate(head:gsub("%s+", " "), 160), status)
end

-- What it was made of. An argument may be a secret: only its hash is told, which is the same where the argument is.
local function labels_of(image)
    local hashes = {}
    for name, value in pairs(image.args) do
        hashes[name] = secret.sha256(name .. "=" .. tostring(value)):sub(1, HASH_LENGTH)
    end
    return tables.merge(browser_bundle.labels(image), {
        ["todo-lua.component"] = image.component,
        ["todo-lua.content"] = image.tag,
        ["todo-lua.arg-hashes"] = json.encode(hashes),
        ["todo-lua.bases"] = json.encode(image.bases_used),
        ["todo-lua.versions"] = json.encode { ["todo-lua"] = program.version, docker = image.client.server_version },
    })
end

-- The image gets its name when nothing is left to be said against it: a name is what the next run takes for done.
local function build_and_check(ctx, image, line)
    local given = build_files.of(ctx, image)
    local result = image.client:build {
        context = image.context, dockerfile = image.dockerfile, target = image.target, args = image.args,
        platform = image.platform,
        labels = labels_of(image),
        extra_files = given.contents, secrets = given.secrets, ssh = ctx.config.build_ssh,
        no_cache = image.from_scratch or build_files.distrusts_cache(ctx, image, given),
        on_progress = function(event)
            if event.stream == "context" and event.bytes then line:set("sending sources: " .. format.size(event.bytes))
            elseif event.text and event.step then
                line:set(("step %d/%d  %s"):format(event.step, event.steps or event.step, event.text), event.steps
                    and (event.step - 1) / event.steps or nil)
            elseif event.text then line:set(event.text, line.fraction) end
        end,
    }
    image_platform.check_built(image, image.client:image(result.id))
    line:set("looking for files that only the build was given")
    build_files.check(ctx, image, result.id, given, image.base_ids)
    for _, name in ipairs { image.ref, image.name .. ":latest" } do image.client:tag(result.id, name) end
end

local function build_one(ctx, image)
    local line = ctx.board:line(image.component, "building " .. image.ref)
    local ok, problem = pcall(build_and_check, ctx, image, line)
    if not ok then
        line:fail(image.ref)
        local kind = fail.kind(problem)
        if kind == "cancelled" or kind == "leak" or kind == "unsupported" then error(problem, 0) end
        explain_failure(image, problem)
        local message = shortened(fail.message(problem))
        local prune = image.client ~= ctx.docker and ctx.provider.prune_command
        local hint = fail.space_hint(message, prune and prune(ctx) or "docker system prune")
            or image_platform.hint(image.platform, fail.field(problem, "output")) or fail.field(problem, "hint")
            or ("mend %s or its sources, then run again"):format(image.dockerfile)
        fail.raise("build", ("image %s: %s"):format(image.name, message), hint, { cause = problem })
    end
    line:done(image.ref)
end

---Whether an image is above its target.
---@param image todo.Image
---@param bytes number
---@return string? message nil where it is not
function images.over_target(image, bytes)
    if not image.max_mb or bytes < image.max_mb * 1e6 then return nil end
    return ("%s has %s, its target is below %d MB"):format(image.name, format.size(bytes), image.max_mb)
end

-- Bytes of what the layers hold. Of an image in containerd's store Engine 28 tells those of the compressed layers
-- instead, 29 the sum of both. Up to 27 it knows no history of one for another platform.
local function size_of(image, present)
    if not image_archive.goes_by_manifest(present) then return present.Size end
    local history = fail.catch({ not_found = true }, function() return image.client:history(image.ref) end)
    if not history then return present.Size end
    local bytes = 0
    for _, step in ipairs(history) do bytes = bytes + step.Size end
    return bytes
end

-- What a new build took the last name from; a container may still need it.
local function drop_nameless(client, id)
    local old = client:image(id)
    if not old or type(old.RepoTags) == "table" and #old.RepoTags > 0 then return end
    fail.catch({ conflict = true }, function() client:remove_image(id) end)
end

-- Returns whether it was built.
local function build_if_new(ctx, image)
    local before = image.client:image(image.ref)
    local built = image.from_scratch or not before
    local present = before
    if not built then
        local latest = image.client:image(image.name .. ":latest")
        if not latest or latest.Id ~= present.Id then image.client:tag(image.ref, image.name .. ":latest") end
    else
        if image.note then log.info("  %s", image.note) end
        project.wrap(ctx, "build", build_one)(ctx, image)
        present = image.client:image(image.ref)
        if not present then
            fail.raise("build", ("image %s is not there after its build"):format(image.ref),
                "a build step of your own has to tag it so, or call next(ctx, image)")
        end
        if before and before.Id ~= present.Id then drop_nameless(image.client, before.Id) end
        base_images.tell_stand_ins(ctx, image.client, base_images.stand_ins(image.client, image.bases))
    end
    image.id, image.size = present.Id, size_of(image, present)
    local over = images.over_target(image, image.size)
    if over then log.warn("%s", over) end
    browser_bundle.check(ctx, image.client, image)
    return built
end

-- A tag that the user's values name instead of the content's is given to what was just built.
local function name_as_used(ctx, list)
    local names = {}
    local wanted = stack.image_refs(ctx, list)
    for _, image in ipairs(list) do
        local use = wanted[image.component]
        if use and use.repository == stack.repository(ctx, image) then
            image.used = image.name .. ":" .. tostring(use.tag)
            local there = image.used ~= image.ref and image.client:image(image.used)
            if image.used ~= image.ref and (not there or there.Id ~= image.id) then
                image.client:tag(image.ref, image.used)
            end
            names[#names + 1] = image.used
        end
    end
    return names
end

local function describe(list)
    local parts = {}
    for _, image in ipairs(list) do
        parts[#parts + 1] = ("%s:%s %s"):format(image.name, image.tag:sub(1, 7), format.size(image.size))
    end
    return table.concat(parts, ", ")
end

---Builds what has changed and brings it into the cluster.
---@async
---@param ctx todo.Context
---@param line todo.BoardLine
---@param values table merged chart values
---@param options { load: boolean?, rebuild: boolean? }?
---@return boolean changed
---@return string text
---@return todo.Image[] list with tag, ref, id, size
function images.ensure(ctx, line, values, options)
    options = options or {}
    if options.load == false then ctx.builder = ctx.docker end
    local client = images.builder(ctx)
    local list = images.list(ctx, values)
    if options.load ~= false then image_platform.check_nodes(ctx, client, image_platform.wanted(ctx)) end
    local base_ids, changed = ensure_bases(ctx, client, list, line, options.rebuild)
    local fresh = {}
    local jobs = tables.map(list, function(image)
        return function()
            image.client, image.base_ids, image.bases_used = client, {}, {}
            for _, ref in ipairs(image.bases) do
                image.base_ids[base_ids[ref]], image.bases_used[ref] = true, base_ids[ref]
            end
            image.tag = images.tag_of(image, base_ids)
            image.ref = image.name .. ":" .. image.tag
            image.from_scratch = options.rebuild
            if build_if_new(ctx, image) then fresh[#fresh + 1] = image.name end
        end
    end)
    if options.load ~= false then jobs[#jobs + 1] = function() cluster.prepare_load(ctx) end end
    task.all(jobs)
    local sent = {}
    if options.load ~= false then
        line:set("loading images into the cluster")
        local digests
        sent, digests = cluster.load_images(ctx, name_as_used(ctx, list))
        for _, image in ipairs(list) do
            if image.used == image.ref then image.digest = digests and digests[image.used] end
        end
    end
    ctx.images = list
    changed = changed or #fresh > 0 or #sent > 0
    return changed, describe(list), list
end

return images
