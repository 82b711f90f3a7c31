-- What a cluster can do, as templates see it: its version, its API versions, and its objects through `lookup`
-- (helm.sh/helm/v3/pkg/action getCapabilities).
local fail = require "fail"
local gonet = require "release.gonet"
local json = require "json"

local capabilities = {}

local AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

local function add_group(found, group)
    for _, version in ipairs(group.versions or {}) do
        local name = group.metadata.name
        local prefix = (name and name ~= "" and name .. "/" or "") .. version.version
        found[prefix] = true
        for _, resource in ipairs(version.resources or {}) do
            local kind = resource.responseKind and resource.responseKind.kind
            if kind and kind ~= "" then found[prefix .. "/" .. kind] = true end
            for _, sub in ipairs(resource.subresources or {}) do
                local answer = sub.responseKind
                if type(answer) == "table" and answer.kind ~= "" then found[prefix .. "/" .. answer.kind] = true end
            end
        end
    end
end

---Version and API versions ("apps/v1", "apps/v1/Deployment") of the server, as options of Chart:render.
---@async
---@param client todo.K8s
---@return { live: boolean, kube_version: string, api_versions: string[] }
function capabilities.of(client)
    local found, list = {}, {}
    for _, root in ipairs { "/api", "/apis" } do
        local ok, document = pcall(client.request, client, "GET", root, { headers = { Accept = AGGREGATED } })
        if not ok then
            fail.raise(fail.kind(document), "could not get apiVersions from Kubernetes: " .. fail.message(document),
                fail.field(document, "hint"), { cause = document })
        end
        for _, group in ipairs(document.items or {}) do add_group(found, group) end
    end
    for name in pairs(found) do list[#list + 1] = name end
    table.sort(list)
    return { live = true, kube_version = client:version().gitVersion, api_versions = list }
end

---What the template function `lookup` asks.
---@param client todo.K8s
---@return async fun(api_version: string, kind: string, namespace: string, name: string): table?
function capabilities.lookup(client)
    return function(api_version, kind, namespace, name)
        local where = { namespace = namespace ~= "" and namespace or nil, all_namespaces = namespace == "" or nil }
        if name ~= "" then return client:get({ apiVersion = api_version, kind = kind }, name, where) end
        return { apiVersion = api_version, kind = kind .. "List",
            items = json.list(client:list({ apiVersion = api_version, kind = kind }, where)) }
    end
end

---Raises in helm's words where the cluster does not answer.
---@async
---@param client todo.K8s
function capabilities.check_reachable(client)
    local ok, problem = pcall(client.version, client)
    if ok or fail.kind(problem) == "cancelled" then
        if not ok then error(problem, 0) end
        return
    end
    local message = fail.message(problem)
    if message:find("^GET ") then message = gonet.message(client.server .. "/version", problem) end
    fail.raise(fail.kind(problem), "Kubernetes cluster unreachable: " .. message,
        fail.field(problem, "hint"), { cause = problem, status = fail.field(problem, "status") })
end

return capabilities
