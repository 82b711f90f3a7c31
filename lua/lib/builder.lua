-- Which builder makes an image: BuildKit through the Engine API, where the engine takes a build for it without a
-- session; the user's docker buildx, where the build asks its client for something; else the classic builder.
local buildx = require "buildx"
local dockerfile = require "dockerfile"
local fail = require "fail"
local fs = require "fs"

local builder = {}

-- Clients by what their engine has said before.
local without_buildkit = setmetatable({}, { __mode = "k" })
local without_context = setmetatable({}, { __mode = "k" })

-- ---- what the Dockerfile says ----

---@class todo.BuildNeeds what a build's steps ask its client for
---@field secrets string[] ids
---@field ssh string[] ids
---@field first string? the first such instruction

local function check_given(path, mount, options)
    if not mount.required then return end
    if mount.type == "secret" and not (options.secrets and options.secrets[mount.id]) then
        fail.raise("not_found", ("%s needs the secret %s, which is not given"):format(path, mount.id),
            ('build_secrets = { ["%s"] = "/path/of/its/file" } in todo.local.lua gives it'):format(mount.id))
    elseif mount.type == "ssh" and not options.ssh then
        fail.raise("not_found", ("%s needs your SSH agent, which it is not given"):format(path),
            "build_ssh = true in todo.local.lua gives it")
    end
end

local function needs_of(options)
    local path = options.dockerfile or fs.join(options.context, "Dockerfile")
    local needs, seen = { secrets = {}, ssh = {} }, {}
    for _, mount in ipairs(dockerfile.mounts(fs.read(path) or "")) do
        local ids = ({ secret = needs.secrets, ssh = needs.ssh })[mount.type]
        local key = mount.type .. " " .. mount.id
        if ids and not seen[key] then ids[#ids + 1] = mount.id end
        if ids then needs.first = needs.first or mount.instruction end
        seen[key] = true
        check_given(path, mount, options)
    end
    if options.ssh and #needs.ssh > 0 and not os.getenv("SSH_AUTH_SOCK") then
        fail.raise("not_found", ("%s asks for your SSH agent, and none runs (SSH_AUTH_SOCK is not set)"):format(path),
            'start one: eval "$(ssh-agent)" && ssh-add')
    end
    return needs
end

-- ---- what the engine says ----

-- BuildKit wants to ask the client for more than a request holds, and there is none to ask.
local function wants_session(message) return message:find("no active session", 1, true) ~= nil end

-- An engine of version 27.4 or older with the containerd image store cannot read the context that it was sent: it looks
-- for the made-up host on the network, where some proxy may have a word to say of it (moby issue 47717).
local function refuses_context(message)
    return message:find("failed to read downloaded context", 1, true) ~= nil
        and (message:find("http://build-context-", 1, true) ~= nil or message:find("403", 1, true) ~= nil)
end

local function lacks_buildkit(problem, message)
    return fail.kind(problem) ~= "build"
        and (message:find("buildkit", 1, true) ~= nil or message:find("invalid version", 1, true) ~= nil)
end

-- The classic builder, of an instruction that only BuildKit knows.
local function requires_buildkit(message) return message:find("requires buildkit", 1, true) ~= nil end

local function said(problem) return fail.message(problem):lower() end

-- ---- choosing ----

local function by_buildx(client, options, needs, what)
    local found = buildx.find()
    if not found then buildx.missing(what) end
    return buildx.build(client, options, needs, found)
end

-- What the classic builder cannot do is left to buildx.
local function by_classic(client, options, needs, by_api)
    local ok, result = pcall(by_api, client, options, false)
    if ok then return result end
    if not requires_buildkit(said(result)) then error(result, 0) end
    return by_buildx(client, options, needs, fail.message(result))
end

---Builds.
---@async
---@param client todo.Docker
---@param options todo.BuildOptions
---@param by_api async fun(client: todo.Docker, options: todo.BuildOptions, buildkit: boolean): table
---@return { id: string, cached: boolean }
function builder.build(client, options, by_api)
    local needs = needs_of(options)
    if needs.first then
        return by_buildx(client, options, needs, ("%s: %s"):format(options.dockerfile or "Dockerfile", needs.first))
    end
    if without_buildkit[client] then return by_classic(client, options, needs, by_api) end
    if not without_context[client] then
        local ok, result = pcall(by_api, client, options, true)
        if ok then return result end
        local message = said(result)
        if requires_buildkit(message) then return by_buildx(client, options, needs, fail.message(result)) end
        without_buildkit[client] = lacks_buildkit(result, message)
        without_context[client] = refuses_context(message)
        if without_buildkit[client] then return by_classic(client, options, needs, by_api) end
        if not without_context[client] and not wants_session(message) then error(result, 0) end
    end
    local found = buildx.find()
    if found then return buildx.build(client, options, needs, found) end
    return by_classic(client, options, needs, by_api)
end

return builder
