-- Images that earlier builds of this project left in the engine: those that have our label and a tag of their content.
-- What is in use, what is newest, and what somebody named otherwise stays.
local fail = require "fail"
local tables = require "tables"

local old_images = {}

local KEPT = 3 -- of one name: what runs, and what a rollback may want

---@class todo.OldImage
---@field id string
---@field names string[] tags that builds and pushes gave it
---@field size integer bytes, layers that it shares included
---@field created integer

-- The tags that are ours: NAME:CONTENT, and the same behind a registry.
local function own_names(image, name)
    local content = (image.Labels or {})["todo-lua.content"]
    local tags = type(image.RepoTags) == "table" and image.RepoTags or {} -- null where it has none
    return tables.filter(tags, function(tag)
        local repository, version = tag:match("^(.*):([^:/]+)$")
        return version == content and (repository == name or repository:sub(-#name - 1) == "/" .. name)
    end)
end

---Old images of the configuration's names, the newest of each left out.
---@async
---@param client todo.Docker
---@param config table
---@param current string[] ids that stay whatever their age
---@return todo.OldImage[]
function old_images.list(client, config, current)
    local stays, list = {}, {}
    for _, id in ipairs(current) do stays[id] = true end
    for _, component in ipairs(tables.keys(config.images)) do
        local name, own = config.images[component].name, {}
        for _, image in ipairs(client:images { filters = { label = { "todo-lua.component=" .. component } } }) do
            local names = own_names(image, name)
            if #names > 0 then
                own[#own + 1] = { id = image.Id, names = names, size = image.Size, created = image.Created }
            end
        end
        table.sort(own, function(a, b)
            if stays[a.id] ~= stays[b.id] then return stays[a.id] == true end
            return a.created > b.created
        end)
        for i = KEPT + 1, #own do
            if not stays[own[i].id] then list[#list + 1] = own[i] end
        end
    end
    return list
end

---Takes the names away; the engine drops what has none left, unless a container needs it.
---@async
---@param client todo.Docker
---@param list todo.OldImage[]
---@return string[] removed names
---@return string[] kept why a name stays
function old_images.remove(client, list)
    local removed, kept = {}, {}
    for _, image in ipairs(list) do
        for _, name in ipairs(image.names) do
            local ok, problem = pcall(client.remove_image, client, name)
            if ok then
                removed[#removed + 1] = name
            elseif fail.kind(problem) == "conflict" then
                kept[#kept + 1] = fail.message(problem)
            else
                error(problem, 0)
            end
        end
    end
    return removed, kept
end

return old_images
