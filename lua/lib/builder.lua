-- Which of the engine's builders makes an image: BuildKit, which asks for files, secrets and the SSH agent as it needs
-- them, or where the engine has none the classic one.
local fail = require "fail"

local builder = {}

-- Clients whose engine has said that it has none.
local without_buildkit = setmetatable({}, { __mode = "k" })

local function lacks_buildkit(problem)
    local kind, message = fail.kind(problem), fail.message(problem):lower()
    if kind == "unsupported" then return true end
    local named = message:find("buildkit", 1, true) or message:find("invalid version", 1, true)
    return kind ~= "build" and named ~= nil
end

-- The hint that belongs to what BuildKit, or the classic builder, says of a step that asks for more than it is given.
local function hint_for(message)
    local id = message:match("secret ([^%s:]+):? not found")
    if id then return ('build_secrets = { ["%s"] = "/path/of/its/file" } in todo.local.lua gives it'):format(id) end
    if message:find("no SSH agent", 1, true) or message:find("unset ssh forward key", 1, true) then
        return "build_ssh = true in todo.local.lua gives it"
    end
    if message:lower():find("requires buildkit", 1, true) then
        return "BuildKit is missing here (Docker 20.10 and newer have it), or it cannot take a name that is not UTF-8: "
            .. "rename such files, or name them in .dockerignore"
    end
    return nil
end

local function explained(problem)
    local hint = hint_for(fail.message(problem))
    if hint and type(problem) == "table" then problem.hint = hint end
    error(problem, 0)
end

-- BuildKit from Engine 28 on takes no names of other bytes.
local function refuses_names(problem) return fail.message(problem):find("invalid UTF-8", 1, true) ~= nil end

local function agent(options)
    if not options.ssh then return nil end
    return os.getenv("SSH_AUTH_SOCK") or fail.raise("not_found",
        "the build is to have your SSH agent, and none runs (SSH_AUTH_SOCK is not set)",
        'start one: eval "$(ssh-agent)" && ssh-add')
end

---Builds.
---@async
---@param client todo.Docker
---@param options todo.BuildOptions
---@param by_api async fun(client: todo.Docker, options: todo.BuildOptions, given: table?): table given: to BuildKit
---@return { id: string, cached: boolean }
function builder.build(client, options, by_api)
    local given = { secrets = {}, agent = agent(options) }
    for id, value in pairs(options.secrets or {}) do
        given.secrets[id] = type(value) == "userdata" and value:reveal() or value
    end
    if not without_buildkit[client] then
        local ok, result = pcall(by_api, client, options, given)
        if ok then return result end
        local other_names = refuses_names(result)
        if not other_names and not lacks_buildkit(result) then explained(result) end
        without_buildkit[client] = not other_names
    end
    local ok, result = pcall(by_api, client, options)
    return ok and result or explained(result)
end

return builder
