-- Finds the recipes, runs each over an observation, and carries out the fixes they offer.
local fail = require "fail"
local fs = require "fs"
local log = require "log"
local proc = require "proc"
local program = require "program"
local project = require "project"
local wait = require "wait"
local suggest = require "suggest"
local tables = require "tables"

local doctor = {}

---@class todo.Recipe
---@field name string
---@field symptom string the row of the troubleshooting table
---@field find fun(seen: todo.Observation): todo.Finding[]

---@class todo.Finding
---@field object string "pod/todo-app-backend-…"
---@field summary string one sentence
---@field cause string one sentence
---@field evidence string[] what was seen, word for word
---@field fix { text: string, action: string?, set: string[]?, restart: string?, apply: (async fun(ctx: todo.Context))?
--- }?

local function sources(ctx)
    local found, names = {}, {}
    local function add(file, path, text)
        if not file:find("%.lua$") then return end
        if not found[file] then names[#names + 1] = file end
        found[file] = { path = path, text = text }
    end
    for _, resource in ipairs(program.resources("lua/recipes/")) do
        add(fs.basename(resource), resource, program.resource(resource))
    end
    for _, folder in ipairs { fs.join(ctx.root or fs.cwd(), "lua/recipes"), fs.join(project.user_dir(), "recipes") } do
        if fs.exists(folder) then
            for _, file in ipairs(fs.list(folder)) do
                add(file, fs.join(folder, file), fs.read(fs.join(folder, file)))
            end
        end
    end
    table.sort(names)
    return tables.map(names, function(name) return found[name] end)
end

---Loads one recipe; raises with the file's line where it is broken.
---@param path string
---@param text string
---@return todo.Recipe
function doctor.load(path, text)
    local chunk, problem = load(text, "@" .. path, "t")
    if not chunk then fail.raise("config", problem) end
    local recipe = chunk()
    if type(recipe) ~= "table" or type(recipe.find) ~= "function" then
        fail.raise("config", path .. ": a recipe returns { name = …, symptom = …, find = function(seen) … end }")
    end
    recipe.name = recipe.name or fs.basename(path):gsub("%.lua$", "")
    return recipe
end

---All recipes: the program's, the project's, the user's; a later one of the same file name replaces an earlier one.
---@param ctx todo.Context
---@return todo.Recipe[] recipes
---@return { path: string, message: string }[] broken
function doctor.recipes(ctx)
    local recipes, broken = {}, {}
    for _, source in ipairs(sources(ctx)) do
        local ok, recipe = pcall(doctor.load, source.path, source.text)
        if ok then recipes[#recipes + 1] = recipe
        else broken[#broken + 1] = { path = source.path, message = fail.message(recipe) } end
    end
    return recipes, broken
end

---Those named, or all.
---@param recipes todo.Recipe[]
---@param names string[]
---@return todo.Recipe[]
function doctor.select(recipes, names)
    if #names == 0 then return recipes end
    local known = tables.map(recipes, function(recipe) return recipe.name end)
    return tables.map(names, function(name)
        for _, recipe in ipairs(recipes) do
            if recipe.name == name then return recipe end
        end
        fail.raise("usage", ("there is no recipe %q%s"):format(name, suggest.phrase(name, known)),
            "known: " .. table.concat(known, ", "), { status = 2 })
    end)
end

---Runs recipes over an observation; one that fails is reported and hides nothing.
---@param recipes todo.Recipe[]
---@param seen todo.Observation
---@return todo.Finding[] findings each with `recipe`
---@return { path: string, message: string }[] broken
function doctor.diagnose(recipes, seen)
    local findings, broken = {}, {}
    for _, recipe in ipairs(recipes) do
        local ok, found = pcall(recipe.find, seen)
        if not ok then
            broken[#broken + 1] = { path = recipe.name, message = fail.message(found) }
        else
            for _, finding in ipairs(found or {}) do
                finding.recipe = recipe.name
                findings[#findings + 1] = finding
            end
        end
    end
    return findings, broken
end

local function deploy_arguments(ctx, fix)
    local argv = { program.executable, "deploy", "--yes", "--release", ctx.config.release, "--namespace",
        ctx.config.namespace }
    local options = ctx.options
    if options.context then table.move({ "--context", options.context }, 1, 2, #argv + 1, argv)
    elseif ctx.provider then table.move({ "--cluster", ctx.provider.name }, 1, 2, #argv + 1, argv) end
    if options.registry then table.move({ "--registry", options.registry }, 1, 2, #argv + 1, argv) end
    for _, file in ipairs(options.values or {}) do table.move({ "--values", file }, 1, 2, #argv + 1, argv) end
    for _, set in ipairs(options.set or {}) do table.move({ "--set", set }, 1, 2, #argv + 1, argv) end
    for _, set in ipairs(fix.set or {}) do table.move({ "--set", set }, 1, 2, #argv + 1, argv) end
    return argv
end

-- Pods read their environment when they start: what was changed behind their back reaches them with a new start.
local function restart(ctx, component)
    local pods = ctx.k8s:list("pods", { namespace = ctx.config.namespace, labels = {
        ["app.kubernetes.io/instance"] = ctx.config.release, ["app.kubernetes.io/component"] = component,
    } })
    for _, pod in ipairs(pods) do ctx.k8s:delete("pods", pod.metadata.name, { namespace = ctx.config.namespace }) end
    local name = ctx.config.release .. "-" .. component
    local deployment = ctx.k8s:get("deployments", name, { namespace = ctx.config.namespace })
    if deployment then wait.deployed(ctx, { deployment }) end
end

---Carries out a finding's fix.
---@async
---@param ctx todo.Context
---@param finding todo.Finding
function doctor.apply(ctx, finding)
    local fix = finding.fix
    if fix.apply then return fix.apply(ctx) end
    if fix.action == "deploy" then
        local argv = deploy_arguments(ctx, fix)
        log.command(argv)
        ctx.board:suspend()
        local result = proc.run(argv, { stdout = "inherit", stderr = "inherit", check = false })
        ctx.board:resume()
        if result.status ~= 0 then fail.raise("exit", "the deploy did not end well", "its lines above say why") end
    end
    if fix.restart and ctx.k8s then restart(ctx, fix.restart) end
end

---Whether the doctor can carry out the fix by itself.
---@param finding todo.Finding
---@return boolean
function doctor.can_apply(finding)
    return finding.fix ~= nil and (finding.fix.action ~= nil or finding.fix.apply ~= nil)
end

return doctor
