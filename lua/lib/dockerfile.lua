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

---@class todo.DockerfileMount what a RUN is given for its own time
---@field type string "secret", "ssh", "cache", "bind" …
---@field id string
---@field required boolean the build fails without it
---@field instruction string

---The mounts of its RUN instructions.
---@param text string
---@return todo.DockerfileMount[]
function dockerfile.mounts(text)
    local list = {}
    for _, instruction in ipairs(dockerfile.instructions(text)) do
        local rest = instruction:match("^[Rr][Uu][Nn]%s+(.*)$")
        while rest do
            local flag, after = rest:match("^%-%-(%S+)%s*(.*)$")
            local mount = flag and flag:match("^mount=(.*)$")
            local set = mount and fields(mount)
            if set then
                local required = set.required
                list[#list + 1] = {
                    type = set.type or "bind",
                    id = set.id or set.type == "ssh" and "default" or (set.target or set.dst or set.destination or "")
                        :match("[^/]*$"),
                    required = required ~= nil and required:lower() ~= "false" and required ~= "0",
                    instruction = instruction,
                }
            end
            rest = flag and after
        end
    end
    return list
end

return dockerfile
