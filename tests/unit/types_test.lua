-- The editor's definitions in lua/types say what the host's modules have: names compared in both directions.
local fs = require "fs"
local lu = require "luaunit"
local program = require "program"

local tests = {}

local function path(name) return fs.join(program.project, name) end

-- Classes whose metatable is not named after them.
local metatables = {
    K8s = "todo.k8s.Client", Docker = "todo.docker.Client", Chart = "todo.chart.Chart",
}
-- Classes of the library's Lua half, or without a table of methods: how to get an object.
local objects = {
    ["task.Channel"] = function() return require "task".channel() end,
    ["fs.TempDir"] = function() return fs.tempdir() end,
}

-- Modules that host/lua/modules.c registers and that are no stand-ins.
local function host_modules()
    local source, names = fs.read(path "host/lua/modules.c"), {}
    local pending = fs.read(path "host/lua/pending.c") or ""
    for name in source:gmatch('{"(%w+)", luaopen_%w+}') do
        if not pending:find("luaopen_" .. name .. "%(lua_State %*L%) {") then names[#names + 1] = name end
    end
    return names
end

local function read_stub(module)
    local text = fs.read(path("lua/types/" .. module .. ".lua"))
    local stub = { name = text:match "^%-%-%-@meta (%S+)", fields = {}, optional = {}, classes = {} }
    for name in text:gmatch "\nlocal ([A-Z]%w*) = {}" do stub.classes[name] = {} end
    local before = ""
    for line in text:gmatch "[^\n]*" do
        local owner, separator, name = line:match "^function (%w+)([.:])([%w_]+)"
        if owner and separator == "." and owner == module then stub.fields[name] = "function" end
        if owner and stub.classes[owner] then stub.classes[owner][name] = true end
        local constant = line:match("^" .. module .. "%.([%w_]+) = ")
        if constant then
            stub.fields[constant] = "value"
            stub.optional[constant] = before:find "@type [%w.]+%?" or constant == "script"
        end
        before = line
    end
    return stub
end

-- A class of the library's Lua half whose objects need a server: the methods of the other classes hold it as an upvalue.
local function class_in_upvalues(methods, name)
    for _, method in pairs(methods) do
        for i = 1, type(method) == "function" and 255 or 0 do
            local upvalue, value = debug.getupvalue(method, i)
            if not upvalue then break end
            if type(value) == "table" and rawget(value, "__name") == name then return value end
        end
    end
end

-- "DockerTransfer" of module docker is "todo.docker.Transfer".
local function metatable_of(module, class)
    local prefix = module:sub(1, 1):upper() .. module:sub(2)
    local short = class:gsub("^" .. prefix .. "(%u)", "%1")
    return debug.getregistry()[metatables[class] or ("todo.%s.%s"):format(module, short)]
end

-- The table of a type's methods; beside an __index function it is the first upvalue. A type without one shows only the
-- methods that are asked for.
local methods_of
function methods_of(module, class, wanted)
    local make = objects[module .. "." .. class]
    local object = make and make()
    local meta = object and getmetatable(object) or metatable_of(module, class)
    if not meta and module == "docker" then
        meta = class_in_upvalues(methods_of(module, "Docker", {}), "todo." .. class)
    end
    if not meta then return nil end
    local index = meta.__index
    if type(index) ~= "function" then return index end
    local _, first = debug.getupvalue(index, 1)
    if first or not object then return first end
    local found = {}
    for name in pairs(wanted) do found[name] = object[name] end
    return found
end

local function sorted(set)
    local names = {}
    for name in pairs(set) do
        if not tostring(name):find "^__" then names[#names + 1] = name end
    end
    table.sort(names)
    return table.concat(names, " ")
end

for _, module in ipairs(host_modules()) do
    tests[module .. "_functions_and_constants_are_those_of_its_stub"] = function()
        local stub, loaded, expected = read_stub(module), require(module), {}
        lu.assertEquals(stub.name, module)
        for name, kind in pairs(stub.fields) do
            if loaded[name] ~= nil or not stub.optional[name] then expected[name] = true end
            if loaded[name] ~= nil then lu.assertEquals(type(loaded[name]) == "function", kind == "function", name) end
        end
        lu.assertEquals(sorted(loaded), sorted(expected))
    end

    tests[module .. "_methods_are_those_of_its_stub"] = function()
        require(module)
        for class, methods in pairs(read_stub(module).classes) do
            if next(methods) then
                local have = methods_of(module, class, methods)
                lu.assertEquals(type(have), "table", class .. " has no methods here")
                local functions = {}
                for name, value in pairs(have) do
                    if type(value) == "function" then functions[name] = true end
                end
                lu.assertEquals(sorted(functions), sorted(methods), class)
            end
        end
    end
end

function tests.every_module_has_a_source_and_a_stub()
    for _, module in ipairs(host_modules()) do
        lu.assertTrue(fs.exists(path("host/lua/" .. module .. ".c")), module)
        lu.assertTrue(fs.exists(path("lua/types/" .. module .. ".lua")), module)
    end
    local sources = ""
    for _, name in ipairs(fs.list(path "host/lua")) do
        if name:find "%.c$" and name ~= "pending.c" and name ~= "modules.c" then
            sources = sources .. fs.read(path("host/lua/" .. name))
        end
    end
    local registered = fs.read(path "host/lua/modules.c")
    for module in sources:gmatch "int luaopen_(%w+)%(lua_State %*L%)\n" do
        lu.assertStrContains(registered, '{"' .. module .. '", luaopen_' .. module .. "}")
    end
end

return tests
