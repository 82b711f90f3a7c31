-- Whether a cluster is this machine's own: a provider made it here and its authority is the one that the client trusts.
local project = require "project"

local local_cluster = {}

-- Calls fn(provider, connection, ctx) for every provider whose cluster runs here and is its own, until it returns
-- something.
local function each_running(fn)
    local ctx = project.open {}
    ctx.board:close()
    for _, name in ipairs(ctx.config.cluster.order) do
        local provider = require("cluster." .. name)
        local ok, connection = pcall(function()
            return provider.detect(ctx).running and provider.kubeconfig(ctx) or nil
        end)
        local result = ok and connection and connection.owned and fn(provider, connection, ctx)
        if result then return result end
    end
    return nil
end

---@async
---@param client todo.K8s
---@return todo.ClusterProvider? owner nil where no provider on this machine owns the client's cluster
function local_cluster.owner(client)
    if not client.ca_sha256 then return nil end
    return each_running(function(provider, connection)
        return connection.ca_sha256 == client.ca_sha256 and provider or nil
    end)
end

---How to reach the cluster that runs here, for a user without a kubeconfig.
---@async
---@return { kubeconfig: string?, context: string, namespace: string }? connection with the release's namespace
function local_cluster.connection()
    return each_running(function(_, connection, ctx)
        return { kubeconfig = connection.kubeconfig, context = connection.context, namespace = ctx.config.namespace }
    end)
end

return local_cluster
