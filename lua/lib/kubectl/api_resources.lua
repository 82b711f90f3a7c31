-- Everything that the server has: its aggregated discovery as a list of resources.
local api_resources = {}

local ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

---@class todo.ApiResource
---@field group string "" for the core group
---@field version string
---@field name string plural
---@field singular string
---@field kind string
---@field namespaced boolean
---@field short string[]
---@field verbs string[]
---@field categories string[]
---@field preferred boolean of the version that the server prefers for the group

local function take_version(list, group, version, preferred)
    for _, resource in ipairs(version.resources or {}) do
        list[#list + 1] = {
            group = group, version = version.version, name = resource.resource,
            singular = resource.singularResource or "", namespaced = resource.scope == "Namespaced",
            kind = resource.responseKind and resource.responseKind.kind or "",
            short = resource.shortNames or {}, verbs = resource.verbs or {}, categories = resource.categories or {},
            preferred = preferred,
        }
    end
end

---All resources in the server's order. Kept in the session after the first time.
---@async
---@param session todo.KubeSession
---@return todo.ApiResource[]
function api_resources.all(session)
    if session.api_resources then return session.api_resources end
    local list = {}
    for _, root in ipairs { "/api", "/apis" } do
        local found = session.client:request("GET", root, { headers = { Accept = ACCEPT } })
        for _, group in ipairs(found.items or {}) do
            local name = group.metadata and group.metadata.name or ""
            for i, version in ipairs(group.versions or {}) do take_version(list, name, version, i == 1) end
        end
    end
    session.api_resources = list
    return list
end

---Plural, singular and short names, for spelling hints.
---@async
---@param session todo.KubeSession
---@return string[]
function api_resources.names(session)
    local names = {}
    for _, resource in ipairs(api_resources.all(session)) do
        names[#names + 1] = resource.name
        if resource.singular ~= "" then names[#names + 1] = resource.singular end
        for _, short in ipairs(resource.short) do names[#names + 1] = short end
    end
    return names
end

---The members of a category such as "all", as words that name them; nil where there is no such category.
---@async
---@param session todo.KubeSession
---@param category string
---@return string[]?
function api_resources.category(session, category)
    local words = {}
    for _, resource in ipairs(api_resources.all(session)) do
        for _, name in ipairs(resource.preferred and resource.categories or {}) do
            if name == category then
                words[#words + 1] = resource.group == "" and resource.name or resource.name .. "." .. resource.group
            end
        end
    end
    return #words > 0 and words or nil
end

return api_resources
