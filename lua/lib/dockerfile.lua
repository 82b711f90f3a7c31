-- What a Dockerfile says, as far as it decides how an image can be built (BuildKit's
-- frontend/dockerfile/docs/reference.md).
local dockerfile = {}

-- The character that continues a line; the directive that names another one is among the first comments.
local function escape_of(text)
    for line in (text .. "\n"):gmatch("([^\n]*)\n") do
        local name, value = line:match("^%s*#%s*(%w+)%s*=%s*(.-)%s*$")
        if not name then break end
        if name:lower() == "escape" then return value end
    end
    return "\\"
end

-- Words that end the here-documents which an instruction begins.
local function heredocs(instruction)
    local words = {}
    if not instruction:find("^[RrCcAa]%a+") then return words end
    for dash, word in instruction:gmatch("<<(%-?)[\"']?([%a_][%w_]*)") do
        words[#words + 1] = { word = word, indented = dash ~= "" }
    end
    return words
end

---Its instructions: continued lines joined, comments and the text of here-documents left out.
---@param text string
---@return string[]
function dockerfile.instructions(text)
    local list, parts, waiting = {}, {}, {}
    local escape = escape_of(text)
    for line in (text .. "\n"):gmatch("([^\n]*)\n") do
        line = line:gsub("\r$", "")
        if #waiting > 0 then
            local ends = waiting[1].indented and line:gsub("^\t+", "") or line
            if ends == waiting[1].word then table.remove(waiting, 1) end
        elseif not line:find("^%s*#") and (line:find("%S") or #parts == 0) then
            local body = line:match("^(.-)%s*$")
            local goes_on = body:sub(-1) == escape
            parts[#parts + 1] = goes_on and body:sub(1, -2) or body
            if not goes_on then
                local instruction = table.concat(parts):match("^%s*(.*)$")
                parts = {}
                if instruction ~= "" then
                    list[#list + 1] = instruction
                    waiting = heredocs(instruction)
                end
            end
        end
    end
    if #parts > 0 then list[#list + 1] = table.concat(parts):match("^%s*(.*)$") end
    return list
end

-- "type=secret,id=npm,required" as a table
local function fields(mount)
    local set = {}
    for field in mount:gmatch("[^,]+") do
        local name, value = field:match("^%s*\"?([%w_-]+)=?(.-)\"?$")
        if name then set[name:lower()] = value end
    end
    return set
end

-- The word and the flags of an instruction, and what follows these: "RUN", { { "mount", "type=ssh" } }, "git pull".
local function parts_of(instruction)
    local word, rest = instruction:match("^(%a+)%s+(.*)$")
    local flags = {}
    while rest do
        local name, value, after = rest:match("^%-%-([%w-]+)=?(%S*)%s*(.*)$")
        if not name then break end
        flags[#flags + 1] = { name, value }
        rest = after
    end
    return (word or instruction):upper(), flags, rest or ""
end

---@class todo.DockerfileMount what a RUN is given for its own time
---@field type string "secret", "ssh", "cache", "bind" …
---@field id string
---@field required boolean the build fails without it
---@field from string? stage or image whose files it has
---@field instruction string

---The mounts of its RUN instructions.
---@param text string
---@return todo.DockerfileMount[]
function dockerfile.mounts(text)
    local list = {}
    for _, instruction in ipairs(dockerfile.instructions(text)) do
        local word, flags = parts_of(instruction)
        for _, flag in ipairs(word == "RUN" and flags or {}) do
            local set = flag[1] == "mount" and fields(flag[2])
            if set then
                local required = set.required
                list[#list + 1] = {
                    type = set.type or "bind",
                    id = set.id or set.type == "ssh" and "default" or (set.target or set.dst or set.destination or "")
                        :match("[^/]*$"),
                    required = required ~= nil and required:lower() ~= "false" and required ~= "0",
                    from = set.from,
                    instruction = instruction,
                }
            end
        end
    end
    return list
end

-- ---- images that it starts from ----

local function unquoted(text) return (text:gsub("^([\"'])(.*)%1$", "%2")) end

-- With $NAME, ${NAME}, ${NAME:-default} and ${NAME:+other} replaced; nil where the engine alone knows one of them.
local function expanded(text, known)
    local unknown = false
    local function value(name)
        unknown = unknown or not known[name]
        return known[name] or ""
    end
    text = text:gsub("%${([%a_][%w_]*):?([-+]?)([^}]*)}", function(name, sign, word)
        local set = (known[name] or "") ~= ""
        if sign == "-" then return set and known[name] or word end
        if sign == "+" then return set and word or "" end
        return value(name)
    end)
    text = text:gsub("%$([%a_][%w_]*)", value)
    return not unknown and text or nil
end

-- "A=1 B" of an ARG before the first FROM, where nothing else that has a value may stand.
local function take_args(text, given, known)
    for word in text:gmatch("%S+") do
        local name, default = word:match("^([%a_][%w_]*)=?(.*)$")
        if name then known[name] = given[name] and tostring(given[name]) or expanded(unquoted(default), known) end
    end
end

---Images that it starts from or takes files from, its own stages left out.
---@param text string
---@param args table<string, any>? the build's, for names that are made of them
---@return string[] refs in order of appearance, each once
function dockerfile.bases(text, args)
    local refs, seen, known, stages, count = {}, { scratch = true, [""] = true }, {}, {}, 0
    local function add(ref)
        if not ref or seen[ref] or stages[ref:lower()] or ref:find("$", 1, true) then return end
        seen[ref] = true
        refs[#refs + 1] = ref
    end
    for _, instruction in ipairs(dockerfile.instructions(text)) do
        local word, flags, rest = parts_of(instruction)
        if word == "ARG" and count == 0 then take_args(rest, args or {}, known)
        elseif word == "FROM" then
            local ref, as, stage = rest:match("^(%S+)%s*(%S*)%s*(%S*)")
            if ref then add(expanded(unquoted(ref), known)) end
            if as and as:upper() == "AS" then stages[stage:lower()] = true end
            stages[tostring(count)] = true
            count = count + 1
        elseif word == "COPY" or word == "RUN" then
            for _, flag in ipairs(flags) do
                local from = flag[1] == "from" and flag[2] or flag[1] == "mount" and fields(flag[2]).from
                if from then add(from) end
            end
        end
    end
    return refs
end

return dockerfile
