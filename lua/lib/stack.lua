-- What the chart is given: the user's values, and what only a deploy knows (tags, secrets, addresses).
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local project = require "project"
local program = require "program"
local secret = require "secret"
local tables = require "tables"

local stack = {}

---The chart, from the project's folder or from the program.
---@param ctx todo.Context
---@return todo.Chart
function stack.chart(ctx)
    if ctx.chart then return ctx.chart end
    local name = ctx.config.chart
    local path = name:sub(1, 1) == "/" and name or project.path(ctx, name)
    if path then
        ctx.chart = chart.load(path)
    else
        local files = {}
        for _, resource in ipairs(program.resources(name .. "/")) do
            files[resource:sub(#name + 2)] = program.resource(resource)
        end
        if next(files) == nil then
            fail.raise("not_found", ("there is no chart %q here"):format(name), "set chart in todo.local.lua")
        end
        ctx.chart = chart.load { files = files }
    end
    return ctx.chart
end

local function check_files(options)
    for _, path in ipairs(options.values or {}) do
        if path ~= "-" and not fs.exists(path) then
            fail.raise("usage", ("values file %s does not exist"):format(path), "-f takes the path of a YAML file",
                { status = 2 })
        end
    end
end

-- Layers of the configuration, the nearest to the user last. A function sees the chart's values merged so far.
local function layered_values(ctx)
    local merged = {}
    for _, layer in ipairs(ctx.value_layers) do
        if type(layer) == "function" then
            local seen = tables.merge(stack.chart(ctx).values, merged)
            local changed = layer(seen, ctx)
            if type(changed) ~= "table" then
                fail.raise("config", "values = function(values, ctx) must return the values",
                    "end it with: return values")
            end
            merged = tables.merge(merged, tables.difference(tables.merge(stack.chart(ctx).values, merged), changed))
        else
            merged = tables.merge(merged, layer)
        end
    end
    return merged
end

local function chart_options(ctx, values)
    return { values_files = ctx.options.values or {}, values = values, set = ctx.options.set or {} }
end

---The user's values over the chart's, before what the deploy adds. Decides what is built and where it goes.
---@param ctx todo.Context
---@return table merged
function stack.values(ctx)
    if ctx.user_values then return ctx.user_values end
    check_files(ctx.options)
    ctx.layer_values = layered_values(ctx)
    local merged = stack.chart(ctx):merge(chart_options(ctx, ctx.layer_values))
    ctx.user_values = merged
    local shipped = tables.at(stack.chart(ctx).values, "global.namespace")
    local wanted = tables.at(merged, "global.namespace")
    if wanted and wanted ~= shipped and not ctx.options.namespace then ctx.config.namespace = wanted end
    return merged
end

---Where a browser may find the stack; sign-in works under these and no others.
---@param ctx todo.Context
---@return string[] origins
function stack.origins(ctx)
    local port = tables.at(stack.values(ctx), ctx.config.url.component .. ".service.nodePort") or ctx.config.ports.node
    port = math.tointeger(port) or port -- numbers of a values file are floats
    local seen, origins = {}, {}
    local function add(origin)
        if origin and not seen[origin] then
            seen[origin] = true
            origins[#origins + 1] = origin
        end
    end
    add(("http://localhost:%d"):format(port))
    add(("http://127.0.0.1:%d"):format(port))
    local ok, url = pcall(ctx.provider.url, ctx, {
        name = ctx.config.release .. "-" .. ctx.config.url.component, namespace = ctx.config.namespace,
            node_port = port,
    })
    if ok then add(url:match("^(%w+://[^/]+)")) end
    for _, address in ipairs(ctx.node_addresses or {}) do add(("http://%s:%d"):format(address, port)) end
    local ingress = stack.values(ctx).ingress
    if type(ingress) == "table" and ingress.enabled == true and ingress.host then add("http://" .. ingress.host) end
    return origins
end

-- Given by the environment or the store; generated secrets are kept in the store, so that sessions survive a redeploy.
local function deploy_secrets(ctx, merged)
    local store = ctx.secrets()
    local secrets = { databaseUrl = ctx.database.url, frontendDatabaseUrl = ctx.database.pg_url }
    local auth = store:get("BETTER_AUTH_SECRET")
    local given = os.getenv("BETTER_AUTH_SECRET")
    if given and given ~= "" then auth = secret.new(given) end
    if not auth and (tables.at(merged, "secrets.betterAuthSecret") or "") == "" then
        auth = secret.random(32)
        store:set("BETTER_AUTH_SECRET", auth)
    end
    secrets.betterAuthSecret = auth
    local key = os.getenv("OPENAI_API_KEY")
    secrets.openaiApiKey = key and key ~= "" and secret.new(key) or store:get("OPENAI_API_KEY")
    -- What the user's own values hold goes before what is found here.
    for name in pairs(secrets) do
        local own = tables.at(merged, "secrets." .. name)
        if own ~= nil and own ~= "" then secrets[name] = nil end
    end
    return secrets
end

---Values of a deploy: image tags, secrets, addresses under the user's values.
---@param ctx todo.Context
---@param images todo.Image[]
---@return todo.ChartOptions
function stack.release_values(ctx, images)
    local merged = stack.values(ctx)
    local own = {
        global = { namespace = ctx.config.namespace },
        secrets = deploy_secrets(ctx, merged),
    }
    local registry = ctx.provider.name == "context" and ctx.config.cluster.registry
    for _, image in ipairs(images) do
        local repository = registry and registry .. "/" .. image.name or image.name
        own[image.component] = { image = { repository = repository, tag = image.tag } }
    end
    local front = ctx.config.url.component
    own[front] = own[front] or {}
    own[front].env = { BETTER_AUTH_TRUSTED_ORIGINS = table.concat(stack.origins(ctx), ",") }
    return chart_options(ctx, tables.merge(own, ctx.layer_values))
end

return stack
