-- What the chart is given: the user's values, and what only a deploy knows (tags, secrets, addresses).
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local project = require "project"
local program = require "program"
local registry = require "registry"
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

---@class todo.StackLayer
---@field name string the configuration file
---@field values table what it adds and changes
---@field line integer? where its function is defined

---Chart values of the configuration's files, the nearest to the user last. A function sees those merged so far.
---@param ctx todo.Context
---@return todo.StackLayer[]
function stack.layers(ctx)
    local layers, merged = {}, {}
    for _, layer in ipairs(ctx.value_layers) do
        local values, line = layer.values, nil
        if type(values) == "function" then
            line = debug.getinfo(values, "S").linedefined
            local seen = tables.merge(stack.chart(ctx).values, merged)
            local changed = values(seen, ctx)
            if type(changed) ~= "table" then
                fail.raise("config", layer.name .. ": values = function(values, ctx) must return the values",
                    "end it with: return values")
            end
            values = tables.difference(tables.merge(stack.chart(ctx).values, merged), changed)
        end
        layers[#layers + 1] = { name = layer.name, values = values, line = line }
        merged = tables.merge(merged, values)
    end
    return layers
end

local function layered_values(ctx)
    local merged = {}
    for _, layer in ipairs(stack.layers(ctx)) do merged = tables.merge(merged, layer.values) end
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

---The port that the values give the front on nodes.
---@param ctx todo.Context
---@return integer
function stack.node_port(ctx)
    local port = tables.at(stack.values(ctx), ctx.config.url.component .. ".service.nodePort") or ctx.config.ports.node
    return math.tointeger(port) or port -- numbers of a values file are floats
end

---Where a browser may find the stack; sign-in works under these and no others.
---@param ctx todo.Context
---@param port integer? NodePort; default: what the values say
---@return string[] origins
function stack.origins(ctx, port)
    port = port or stack.node_port(ctx)
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

---What pods of the cluster call an image: its name, behind the registry where the cluster pulls from one.
---@param ctx todo.Context
---@param image todo.Image
---@return string
function stack.repository(ctx, image)
    local prefix = registry.of(ctx)
    return prefix and prefix .. "/" .. image.name or image.name
end

---The tag that the chart is given: with the digest where a registry told one, so that nodes pull that very image.
---@param image todo.Image
---@return string
function stack.tag(image)
    return image.digest and image.tag .. "@" .. image.digest or image.tag
end

-- What a deploy itself puts under the user's values.
local function own_values(ctx, images, secrets, origins)
    local own = { global = { namespace = ctx.config.namespace }, secrets = secrets }
    for _, image in ipairs(images) do
        own[image.component] = { image = { repository = stack.repository(ctx, image), tag = stack.tag(image) } }
    end
    if ctx.pull_secret then own.global.imagePullSecrets = json.list { { name = ctx.pull_secret } } end
    local front = ctx.config.url.component
    own[front] = own[front] or {}
    own[front].env = { BETTER_AUTH_TRUSTED_ORIGINS = origins }
    return own
end

---Values of a deploy: image tags, secrets, addresses under the user's values.
---@param ctx todo.Context
---@param images todo.Image[]
---@return todo.ChartOptions
function stack.release_values(ctx, images)
    local merged = stack.values(ctx)
    local own = own_values(ctx, images, deploy_secrets(ctx, merged), table.concat(stack.origins(ctx), ","))
    return chart_options(ctx, tables.merge(own, ctx.layer_values))
end

---The image that the pods of each component will name: the one just built, unless the user's values say otherwise.
---@param ctx todo.Context
---@param images todo.Image[] with tags
---@return table<string, { repository: string, tag: string }>
function stack.image_refs(ctx, images)
    stack.values(ctx)
    local own = own_values(ctx, images, {}, "")
    local merged = stack.chart(ctx):merge(chart_options(ctx, tables.merge(own, ctx.layer_values)))
    local refs = {}
    for _, image in ipairs(images) do refs[image.component] = tables.at(merged, image.component .. ".image") end
    return refs
end

---Every layer of values that a deploy would have, the weakest first, for Chart:trace. What only a deploy learns (tags,
---secrets, addresses) is described instead; nothing is built, asked or kept for it.
---@param ctx todo.Context
---@return todo.TraceOptions options
---@return todo.StackLayer[] layers beside the chart's and the flags'
function stack.trace_options(ctx)
    local merged = stack.values(ctx)
    local images, secrets = {}, {}
    for _, component in ipairs(ctx.config.components) do
        local image = ctx.config.images[component]
        if image and tables.at(merged, component .. ".enabled") ~= false then
            images[#images + 1] = { component = component, name = image.name, tag = "(of the image's content)" }
        end
    end
    for _, name in ipairs { "databaseUrl", "frontendDatabaseUrl", "betterAuthSecret", "openaiApiKey" } do
        if (tables.at(merged, "secrets." .. name) or "") == "" then secrets[name] = "(set by the deploy)" end
    end
    local own = own_values(ctx, images, secrets, "(addresses of the cluster)")
    local layers = { { name = "todo-lua deploy", values = own } }
    for _, layer in ipairs(stack.layers(ctx)) do layers[#layers + 1] = layer end
    return { values_files = ctx.options.values or {}, layers = layers, set = ctx.options.set or {} }, layers
end

---What a deploy would give the chart, as far as it can be said without one: for those who check what it renders.
---@param ctx todo.Context
---@return todo.ChartOptions
function stack.preview_options(ctx)
    local options, layers = stack.trace_options(ctx)
    local values = {}
    for _, layer in ipairs(layers) do values = tables.merge(values, layer.values) end
    return { values_files = options.values_files, values = values, set = options.set }
end

return stack
