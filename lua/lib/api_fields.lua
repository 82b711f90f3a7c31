-- Where the fields of Kubernetes' kinds are known from: what the program carries, or the cluster itself.
local api_schema = require "api_schema"
local fs = require "fs"
local json = require "json"
local program = require "program"
local secret = require "secret"
local tables = require "tables"
local task = require "task"

local api_fields = {}

local embedded

---Of the version of Kubernetes that the program was made with.
---@return todo.ApiSchema
function api_fields.embedded()
    embedded = embedded or api_schema.parse((program.resource("lua/lib/kubernetes_fields.txt")))
    return embedded
end

---API versions and kinds of the program's own fields, as a render's capabilities.
---@return { kube_version: string, api_versions: string[] }
function api_fields.capabilities()
    local schema, list = api_fields.embedded(), {}
    for _, name in ipairs(tables.keys(schema.kinds)) do
        local version = name:match("^(.*)/")
        if list[#list] ~= version and not list[version] then
            list[#list + 1] = version
            list[version] = true
        end
        list[#list + 1] = name
    end
    return { kube_version = schema.version:gsub("^v", ""), api_versions = table.move(list, 1, #list, 1, {}) }
end

-- The server says that its list of documents is plain text.
local function request(client, address)
    local body = client:request("GET", address, { headers = { Accept = "application/json" } })
    return type(body) == "string" and json.decode(body) or body
end

-- One group's document; its address holds a hash of its content, so what is kept under it never ages.
local function group_schema(client, address, folder)
    local path = folder and fs.join(folder, secret.sha256(client.server .. address) .. ".txt")
    local text = path and fs.read(path)
    if not text then
        text = api_schema.compile({ request(client, address) }, "-")
        if path then
            fs.mkdir(folder)
            fs.write(path, text)
        end
    end
    return api_schema.parse(text)
end

local function entry_of(index, api_version)
    return index.paths[(api_version:find("/", 1, true) and "apis/" or "api/") .. api_version]
end

---The OpenAPI v3 document of one API version; nil where the server has none.
---@async
---@param client todo.K8s
---@param api_version string "v1", "apps/v1"
---@return table?
function api_fields.document(client, api_version)
    local entry = entry_of(request(client, "/openapi/v3"), api_version)
    return entry and request(client, entry.serverRelativeURL)
end

---The cluster's own fields, of those API versions that are asked for.
---@async
---@param client todo.K8s
---@param api_versions string[] "v1", "apps/v1"
---@param folder string? where documents are kept
---@return todo.FieldSchemas
function api_fields.cluster(client, api_versions, folder)
    local index = request(client, "/openapi/v3")
    local schemas, served, fetches = {}, {}, {}
    for path in pairs(index.paths) do
        local version = path:match("^apis?/(.+)$")
        if version then served[version] = true end
    end
    for _, version in ipairs(api_versions) do
        local entry = entry_of(index, version)
        if entry then
            fetches[#fetches + 1] = function() return group_schema(client, entry.serverRelativeURL, folder) end
        end
    end
    if #fetches > 0 then schemas = task.all(fetches) end
    schemas.served = served
    return schemas
end

---The kinds that custom resource definitions add.
---@param objects table[]
---@return todo.ApiSchema? nil where none of the objects is one
function api_fields.of_crds(objects)
    local crds = tables.filter(objects, function(object) return object.kind == "CustomResourceDefinition" end)
    if #crds == 0 then return nil end
    return api_schema.parse(api_schema.compile_crds(crds))
end

return api_fields
