-- Documentation of modules, functions and methods, out of the definitions that editors read (lua/types).
local fail = require "fail"
local program = require "program"
local suggest = require "suggest"

local documentation = {}

-- Entries of a file: { name, signature, text } for functions and classes, in their order; the module's own text first.
local function read(module)
    local source = program.resource("lua/types/" .. module .. ".lua")
    local entries, comment = {}, {}
    for line in source:gmatch("([^\n]*)\n") do
        local text = line:match("^%-%-%-(.*)$")
        local signature = line:match("^function ([%w_.:]+%b())")
        local name = line:match("^local ([%w_]+) = {}")
        if text then
            comment[#comment + 1] = text
        elseif signature then
            entries[#entries + 1] = { name = signature:match("^[%w_.:]+"), signature = signature, comment = comment }
            comment = {}
        elseif name then
            entries[#entries + 1] = { name = name, comment = comment }
            comment = {}
        elseif line == "" then
            if #comment > 0 and #entries == 0 then entries[1] = { name = module, comment = comment } end
            comment = {}
        end
    end
    return entries
end

-- Comments as people read them: "@param name type? text" becomes "  name  type  text".
local function readable(comment)
    local lines = {}
    for _, line in ipairs(comment) do
        local tag, rest = line:match("^@(%a+)%s*(.*)$")
        if not tag then
            lines[#lines + 1] = line
        elseif tag == "param" or tag == "field" then
            lines[#lines + 1] = "  " .. rest
        elseif tag == "return" then
            lines[#lines + 1] = "  returns " .. rest
        elseif tag == "async" then
            lines[#lines + 1] = "  waits"
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

local function modules()
    local names = {}
    for _, name in ipairs(program.resources("lua/types/")) do names[#names + 1] = name:match("([%w_]+)%.lua$") end
    return names
end

local function overview(module)
    local entries = read(module)
    local parts = { readable(entries[1] and entries[1].comment or {}), "\n" }
    for _, entry in ipairs(entries) do
        if entry.signature then parts[#parts + 1] = entry.signature .. "\n" end
    end
    return table.concat(parts)
end

-- "k8s.connect", "K8s:list", "k8s:list" and "list" all find; case does not matter for the part before the dot.
local function matches(entry, name)
    if entry.name == name then return true end
    local owner, method = name:match("^([%w_]+)[.:]([%w_]+)$")
    local own_owner, own_method = entry.name:match("^([%w_]+)[.:]([%w_]+)$")
    if owner then return own_method == method and own_owner:lower() == owner:lower() end
    return own_method == name
end

---@param name string
---@return string
function documentation.text(name)
    local known, parts = modules(), {}
    for _, module in ipairs(known) do
        if module == name then return overview(module) end
    end
    local all = {}
    for _, module in ipairs(known) do
        for _, entry in ipairs(read(module)) do
            all[#all + 1] = entry.name
            if entry.name ~= module and matches(entry, name) then
                parts[#parts + 1] = (entry.signature or entry.name) .. "\n" .. readable(entry.comment)
            end
        end
    end
    if #parts > 0 then return table.concat(parts, "\n") end
    table.move(known, 1, #known, #all + 1, all)
    fail.raise("not_found", ("nothing is called %s%s"):format(name, suggest.phrase(name, all)),
        "modules are " .. table.concat(known, ", "))
end

return documentation
