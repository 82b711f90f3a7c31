-- Opens a project: configuration with its overrides, folders, secrets, terminal; one context for all scripts.
local board = require "board"
local fail = require "fail"
local fs = require "fs"
local log = require "log"
local proc = require "proc"
local program = require "program"
local provider = require "provider"
local secret = require "secret"
local suggest = require "suggest"
local tables = require "tables"
local term = require "term"

local project = {}

---The steps that an override may wrap; "build" is one image within "images".
project.steps = { "setup", "docker", "cluster", "database", "images", "build", "release", "wait", "url" }

-- Settings without a value in the shipped configuration, or without a line in one of the user's own, by the place of
-- their table ("*" stands for any component), with their types.
local unset = {
    [""] = { ca_bundle = "string" },
    cluster = {
        provider = "string", profile = "string", name = "string", context = "string", registry = "string",
        host_address = "string", kubernetes_version = "string", container_runtime = "string", driver = "string",
        disk = "string", cpus = "number", memory = "number", nodes = "number", order = "table", addons = "table",
        minikube_flags = "table", kind_flags = "table",
    },
    database = { url = "string", url_file = "string", container = "string", volume = "string" },
    ["images.*"] = { target = "string", browser = "table" },
    ["images.*.browser"] = { url = "string" },
}
local own_keys = { ["images.*.args"] = true } -- tables whose keys are the user's

local function read_chunk(text, name)
    local chunk, problem = load(text, "@" .. name, "t")
    if not chunk then
        fail.raise("config", ("cannot read %s: %s"):format(name, problem),
            "the message names the line; fix it and run again")
    end
    local ok, value = xpcall(chunk, function(raised)
        return type(raised) == "table" and raised or tostring(raised)
    end)
    if not ok then fail.raise("config", ("%s failed: %s"):format(name, fail.message(value)), nil, { cause = value }) end
    return value
end

local function unknown_key(name, path, key, known)
    fail.raise("config", ("%s: unknown setting %s%s"):format(name, path .. key, suggest.phrase(key, known)),
        "lua/config.lua lists every setting")
end

local function known_keys(base, more)
    local known = tables.keys(base)
    for _, key in ipairs(more or {}) do known[#known + 1] = key end
    return known
end

local function is_known(key, known)
    for _, other in ipairs(known) do
        if other == key then return true end
    end
    return false
end

-- What an image of any name may have.
local function image_shape(images)
    local shape = {}
    for _, image in pairs(images or {}) do shape = tables.merge(shape, image) end
    return shape
end

-- Whether the keys of a table of this place, as the shipped configuration has it, are all that there are.
local function is_closed(place, shipped)
    return type(shipped) == "table" and next(shipped) ~= nil and not tables.is_list(shipped) and not own_keys[place]
end

-- `place` is where the table stands; `prefix` begins the names of its settings for the user.
local function check_table(name, place, prefix, base, over)
    local types = unset[place] or {}
    local known = known_keys(base, tables.keys(types))
    for key, value in pairs(over) do
        local of_image = place == "images"
        if not of_image and not is_known(key, known) then unknown_key(name, prefix, tostring(key), known) end
        local shipped = of_image and image_shape(base) or base[key]
        local wanted, given = shipped ~= nil and type(shipped) or types[key], type(value)
        if wanted and wanted ~= given and not secret.is(value) then
            fail.raise("config", ("%s: %s%s is a %s, it must be a %s"):format(name, prefix, key, given, wanted),
                "lua/config.lua shows the shape of each setting")
        end
        local inner = (place == "" and "" or place .. ".") .. (of_image and "*" or tostring(key))
        if is_closed(inner, shipped) then check_table(name, inner, prefix .. tostring(key) .. ".", shipped, value) end
    end
end

local function check_steps(name, steps)
    for step, wrapper in pairs(steps) do
        if not is_known(step, project.steps) then unknown_key(name, "steps.", tostring(step), project.steps) end
        if type(wrapper) ~= "function" and wrapper ~= false then
            fail.raise("config", ("%s: steps.%s must be a function(next, ctx, …) or false"):format(name, step),
                "examples/overrides/ has one that wraps a step")
        end
    end
end

local function check_layer(name, base, layer)
    if type(layer) ~= "table" then
        fail.raise("config", ("%s must return a table of settings, it returned %s"):format(name,
            layer == nil and "nothing" or "a " .. type(layer)), "end the file with: return { … }")
    end
    local plain = {}
    for key, value in pairs(layer) do
        if key ~= "values" and key ~= "steps" then plain[key] = value end
    end
    check_table(name, "", "", base, plain)
    local values = layer.values
    if values ~= nil and type(values) ~= "table" and type(values) ~= "function" then
        fail.raise("config", ("%s: values must be a table or a function(values, ctx)"):format(name))
    end
    if type(layer.steps) == "table" then check_steps(name, layer.steps)
    elseif layer.steps ~= nil then fail.raise("config", ("%s: steps must be a table"):format(name)) end
end

---Merges layers over the shipped configuration. Pure: no files, no environment.
---@param base table lua/config.lua
---@param layers { name: string, value: any }[] nearest to the user last
---@return table config without `values` and `steps`
---@return todo.ValueLayer[] values one entry per layer, base first
---@return table<string, (function|false)[]> steps wrappers per step, base first
function project.merge(base, layers)
    local config, values, steps = tables.copy(base), {}, {}
    local function take(name, layer)
        if layer.values ~= nil then values[#values + 1] = { name = name, values = layer.values } end
        for step, wrapper in pairs(layer.steps or {}) do
            steps[step] = steps[step] or {}
            table.insert(steps[step], wrapper)
        end
    end
    check_steps("lua/config.lua", base.steps or {})
    take("lua/config.lua", base)
    for _, entry in ipairs(layers) do
        local layer = entry.value
        if type(layer) == "function" then layer = layer(tables.copy(config)) end
        check_layer(entry.name, base, layer)
        take(entry.name, layer)
        local plain = {}
        for key, value in pairs(layer) do
            if key ~= "values" and key ~= "steps" then plain[key] = value end
        end
        config = tables.merge(config, plain)
    end
    config.values, config.steps = nil, nil
    return config, values, steps
end

---@param variable string
---@param fallback string below the home folder
---@return string
local function xdg(variable, fallback)
    local given = proc.env(variable)
    if given and given:sub(1, 1) == "/" then return fs.join(given, "todo-lua") end
    return fs.join(proc.platform().home, fallback, "todo-lua")
end

---The user's own folder of settings and recipes.
---@return string
function project.user_dir() return xdg("XDG_CONFIG_HOME", ".config") end

---What can be had again: unpacked files, documents of clusters.
---@return string
function project.cache_dir() return xdg("XDG_CACHE_HOME", ".cache") end

---Where todo-lua keeps what it needs to remember.
---@return string
function project.state_dir() return xdg("XDG_STATE_HOME", ".local/state") end

local function override_layers(root)
    local layers = {}
    for _, path in ipairs { fs.join(project.user_dir(), "config.lua"), root and fs.join(root, "todo.local.lua") } do
        local text = path and fs.read(path)
        if text then
            local name = root and path == fs.join(root, "todo.local.lua") and "todo.local.lua" or path
            layers[#layers + 1] = { name = name, value = read_chunk(text, name) }
        end
    end
    return layers
end

local function apply_flags(config, options)
    if options.release then config.release = options.release end
    if options.namespace then config.namespace = options.namespace end
    if options.cluster then
        config.cluster.provider = options.cluster
        provider.load(options.cluster, config)
    end
    if options.registry then
        if not options.context and config.cluster.provider ~= "context" then
            fail.raise("usage", "--registry goes with --context",
                "images reach a cluster of this machine without a registry", { status = 2 })
        end
        config.cluster.registry = options.registry:gsub("/+$", "")
    end
    if options.context and options.cluster and options.cluster ~= "context" then
        fail.raise("usage", "--cluster and --context exclude each other",
            "--context names a kubeconfig context, --cluster one of the providers of this machine", { status = 2 })
    end
    if options.timeout then
        local seconds = tonumber(options.timeout)
        if not seconds or seconds <= 0 then
            fail.raise("usage", ("--timeout must be a number of seconds, not %q"):format(options.timeout), nil,
                { status = 2 })
        end
        config.timeout = seconds
    end
end

local function check_names(config)
    for _, key in ipairs { "release", "namespace" } do
        local name = config[key]
        if #name > 53 or not name:find("^[a-z0-9][-a-z0-9]*$") or name:sub(-1) == "-" then
            fail.raise("config", ("%s %q is no name: lower-case letters, digits and '-', at most 53"):format(key, name),
                ("choose another with --%s"):format(key))
        end
    end
end

local MOST_NODES = 5

local function check_nodes(config)
    local count = config.cluster.nodes
    if count == nil then return end -- a configuration of its own may leave it out
    if math.type(count) ~= "integer" or count < 1 or count > MOST_NODES then
        fail.raise("config", ("cluster.nodes is %s, it must be a whole number from 1 to %d"):format(count, MOST_NODES),
            "each node is a kubelet and a containerd more on this machine; two show what several do")
    end
end

-- Whoever gives a secret as a flag shows it to everybody on the machine; at least this program does not repeat it.
local function guard_flags(options)
    for _, set in ipairs(options.set or {}) do
        for value in set:gmatch("secrets%.[%w]+=([^,]+)") do
            secret.new(value)
            log.warn("a secret in --set can be seen by other users of this machine and stays in the shell's history; "
                .. "give it in the environment or in the secret store (todo-lua deploy --help)")
        end
    end
end

---@class todo.ValueLayer chart values of one configuration file
---@field name string the file
---@field values table|fun(values: table, ctx: todo.Context): table

---@class todo.Context: todo.ClusterContext
---@field options table the command line
---@field root string? the project's folder
---@field secrets fun(): todo.SecretStore
---@field provider todo.ClusterProvider? once chosen
---@field k8s todo.K8s? once connected
---@field value_layers todo.ValueLayer[]
---@field step_layers table<string, (function|false)[]>

-- Live lines that providers fill: one for each name; the running step's own line where the name is the step's.
local function make_progress(ctx)
    local lines = {}
    function ctx.progress(name, text, done, total)
        local own = ctx.line and not ctx.line.ended and ctx.line.name == name and ctx.line
        local line = own or lines[name]
        if not line or line.ended then
            line = ctx.board:line(name, text)
            lines[name] = line
        end
        line:set(text, done and total and total > 0 and done / total or nil)
    end
    function ctx.end_progress()
        for name, line in pairs(lines) do
            if line.fraction and line.fraction >= 1 then line:done(line.text) else line:drop() end
            lines[name] = nil
        end
    end
end

---@param options table result of cli.parse
---@return todo.Context
function project.open(options)
    local base = read_chunk(assert(program.resource("lua/config.lua")), "lua/config.lua")
    local root = program.project
    local config, values, steps = project.merge(base, override_layers(root))
    apply_flags(config, options)
    check_names(config)
    check_nodes(config)
    guard_flags(options)
    if type(config.database.url) == "string" then config.database.url = secret.new(config.database.url) end
    local ctx = {
        options = options, config = config, root = root, log = log, context = options.context,
        value_layers = values, step_layers = steps,
        state_dir = project.state_dir(), cache_dir = project.cache_dir(),
        board = board.new(),
    }
    make_progress(ctx)
    function ctx.secrets()
        fs.mkdir(ctx.state_dir, 448) -- 0700
        ctx.store = ctx.store or secret.store(fs.join(ctx.state_dir, "secrets"))
        return ctx.store
    end
    return ctx
end

---A step with everything that overrides wrap around it, the user's nearest file outermost.
---@param ctx todo.Context
---@param name string
---@param fn async fun(...): any
---@return async fun(...): any
function project.wrap(ctx, name, fn)
    for _, layer in ipairs(ctx.step_layers[name] or {}) do
        local inner = fn
        if layer == false then
            fn = function() return false, "left out by the configuration" end
        else
            fn = function(...) return layer(inner, ...) end
        end
    end
    return fn
end

---Path of a project file; nil where the project has none of that name.
---@param ctx todo.Context
---@param name string
---@return string?
function project.path(ctx, name)
    local path = fs.join(ctx.root or fs.cwd(), name)
    return fs.exists(path) and path or nil
end

---A file or folder of the project on disk; what only the program carries is unpacked into the cache first.
---@param ctx todo.Context
---@param name string "docker", "chart"
---@return string path
function project.unpacked(ctx, name)
    local on_disk = project.path(ctx, name)
    if on_disk then return on_disk end
    local names = program.resources(name)
    if #names == 0 then
        fail.raise("not_found", ("%s is neither in this project nor part of the program"):format(name),
            "run todo-lua in the project's folder, or name the path in todo.local.lua")
    end
    local folder = fs.join(ctx.cache_dir, "unpacked", program.version)
    for _, resource in ipairs(names) do
        local path = fs.join(folder, resource)
        local bytes = program.resource(resource)
        if fs.read(path) ~= bytes then
            fs.mkdir(fs.dirname(path))
            fs.write(path, bytes, resource:find("%.sh$") and 493 or nil) -- 0755
        end
    end
    return fs.join(folder, name)
end

---Asks a question on the terminal.
---@async
---@param ctx todo.Context
---@param question string
---@return boolean? answer nil where there is nobody to ask
function project.confirm(ctx, question)
    if ctx.options.yes then return true end
    if not term.is_tty("stdin") or ctx.options.output == "json" then return nil end
    ctx.board:suspend()
    local answer = term.prompt(question .. " [Y/n] ")
    ctx.board:resume()
    if answer == nil then return nil end
    return answer == "" or answer:lower():find("^y") ~= nil
end

return project
