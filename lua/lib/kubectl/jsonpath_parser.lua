-- Reads kubectl's JSONPath templates (k8s.io/client-go/util/jsonpath): plain text with {…} in it. The result is a list
-- of nodes: { "text", text }, and for each {…} a list { "list", node… } of { "field", name }, { "array", from, to,
-- step }, { "filter", left, right, operator }, { "union", list… }, { "wildcard" }, { "recursive" }, { "value", any },
-- { "identifier", "range" | "end" }.
local fail = require "fail"

local MAX_DEPTH = 50 -- of what stands in brackets within brackets

local Parser = {}
Parser.__index = Parser

local function complain(format, ...) fail.raise("parse", format:format(...)) end

local function is_terminator(char) return char == "" or char:find("^[ \t\r\n.,%[%]$@{}]") ~= nil end

local function is_letter(char) return char:find("^[%w_\128-\255]") ~= nil end

function Parser:char(offset)
    local at = self.at + (offset or 0)
    return self.text:sub(at, at)
end

function Parser:starts(prefix) return self.text:sub(self.at, self.at + #prefix - 1) == prefix end

-- Moves to the first position from `at` for which stop(char) holds; the end counts as "".
function Parser:scan(stop)
    local from = self.at
    while not stop(self:char()) do self.at = self.at + 1 end
    return self.text:sub(from, self.at - 1)
end

local parse

-- The nodes of one action's inside.
local function parse_action(text, depth)
    if depth > MAX_DEPTH then complain("the expression is nested too deeply") end
    return parse("{" .. text .. "}", depth + 1)[1]
end

function Parser:field(into)
    local name = {}
    while not is_terminator(self:char()) do
        if self:char() == "\\" then self.at = self.at + 1 end
        name[#name + 1] = self:char()
        self.at = self.at + 1
    end
    local text = table.concat(name)
    into[#into + 1] = text == "*" and { "wildcard" } or { "field", text }
end

function Parser:recursive(into)
    local last = into[#into]
    if last and last[1] == "recursive" then complain("invalid multiple recursive descent") end
    self.at = self.at + 2
    into[#into + 1] = { "recursive" }
    if is_letter(self:char()) then self:field(into) end
end

function Parser:number(into)
    local from = self.at
    if self:char():find("[+-]") then self.at = self.at + 1 end
    self:scan(function(char) return not char:find("^[%d.]") end)
    local text = self.text:sub(from, self.at - 1)
    local value = tonumber((text:gsub("^%+", "")))
    if not value or not text:find("%d") then complain("cannot parse number %s", text) end
    into[#into + 1] = { "value", value }
end

function Parser:identifier(into)
    local word = self:scan(is_terminator)
    if word == "true" or word == "false" then
        into[#into + 1] = { "value", word == "true" }
    else
        into[#into + 1] = { "identifier", word }
    end
end

local escapes = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v", ["\\"] = "\\" }

-- One escape sequence as Go's strconv.UnquoteChar reads it: its text and what follows; nil where it is none.
local function unescape(text, quote)
    local letter = text:sub(2, 2)
    if escapes[letter] then return escapes[letter], text:sub(3) end
    if letter == quote then return quote, text:sub(3) end
    local hex = letter == "x" and text:match("^%x%x", 3)
    if hex then return string.char(tonumber(hex, 16)), text:sub(5) end
    hex = letter == "u" and text:match("^%x%x%x%x", 3) or letter == "U" and text:match("^%x%x%x%x%x%x%x%x", 3)
    if hex then
        local code = tonumber(hex, 16)
        if code > 0x10FFFF or code >= 0xD800 and code <= 0xDFFF then return nil end -- no character
        return utf8.char(code), text:sub(3 + #hex)
    end
    local octal = text:match("^[0-3][0-7][0-7]", 2)
    if octal then return string.char(tonumber(octal, 8)), text:sub(5) end
end

function Parser:quote(into)
    local quote, from = self:char(), self.at
    self.at = self.at + 1
    repeat
        local char = self:char()
        if char == "" or char == "\n" then complain("unterminated quoted string") end
        self.at = self.at + 1
    until char == quote and self:char(-2) ~= "\\"
    local inside, parts = self.text:sub(from + 1, self.at - 2), {}
    local rest = inside
    while rest ~= "" do
        if rest:sub(1, 1) == quote then complain("unquote string %s error invalid syntax", quote .. inside .. quote) end
        if rest:sub(1, 1) == "\\" then
            parts[#parts + 1], rest = unescape(rest, quote)
            if not rest then complain("unquote string %s error invalid syntax", quote .. inside .. quote) end
        else
            local plain = rest:match("^[^\\'\"]+") or rest:sub(1, 1)
            parts[#parts + 1], rest = plain, rest:sub(#plain + 1)
        end
    end
    into[#into + 1] = { "text", table.concat(parts) }
end

-- "-1", "1:3", "::2": what was not written is false; `derived` says that the end follows from the start.
local function parse_slice(text)
    local from, to, step = text:match("^(-?%d*)(.*)$"), nil, nil
    local rest = text:sub(#from + 1)
    if rest ~= "" then
        to, rest = rest:match("^:(-?%d*)(.*)$")
        if to and rest ~= "" then step, rest = rest:match("^:(-?%d*)(.*)$") end
        if not to or rest ~= "" then return nil end
    end
    local function number(word)
        if word == nil or word == "" then return false end
        return math.tointeger(tonumber(word)) or complain("array index %s is not a number", word)
    end
    local first = number(from)
    if to == nil then return { "array", first, (first or 0) + 1, number(step), derived = true } end
    return { "array", first, number(to), number(step) }
end

function Parser:array(into)
    self.at = self.at + 1
    local text = self:scan(function(char)
        if char == "" or char == "\n" then complain("unterminated array") end
        return char == "]"
    end)
    self.at = self.at + 1
    if text == "*" then text = ":" end
    if text:find(",", 1, true) then
        local union = { "union" }
        for word in (text .. ","):gmatch("([^,]*),") do
            union[#union + 1] = parse_action("[" .. word:match("^ *(.-) *$") .. "]", self.depth)
        end
        into[#into + 1] = union
        return
    end
    local key = text:match("^'([^']*)'$")
    if key then
        local nodes = parse_action("." .. key, self.depth)
        table.move(nodes, 2, #nodes, #into + 1, into)
        return
    end
    into[#into + 1] = parse_slice(text) or complain("invalid array index %s", text)
end

-- The text up to the ")" that ends the filter; quotes hide a ")".
function Parser:filter_text()
    local from, opened, closed, quote = self.at, false, false, nil
    while true do
        local char = self:char()
        if char == "" or char == "\n" then complain("unterminated filter") end
        self.at = self.at + 1
        if char == '"' or char == "'" then
            if not opened then
                opened, quote = true, char
            elseif self:char(-2) ~= "\\" and char == quote then
                closed = true
            end
        elseif char == ")" and opened == closed then
            break
        end
    end
    if self:char() ~= "]" then complain("unclosed array expect ]") end
    self.at = self.at + 1
    return self.text:sub(from, self.at - 3)
end

function Parser:filter(into)
    self.at = self.at + 3
    local text = self:filter_text()
    local left, operator, right = text:match("^([^!<>=]+)([!<>=]+)(.+)$")
    if left then
        into[#into + 1] = { "filter", parse_action(left, self.depth), parse_action(right, self.depth), operator }
    else
        into[#into + 1] = { "filter", parse_action(text, self.depth), nil, "exists" }
    end
end

-- What stands between { and }.
function Parser:action()
    local into = { "list" }
    while not self:starts("}") do
        local char = self:char()
        if self:starts("[?(") then self:filter(into)
        elseif self:starts("..") then self:recursive(into)
        elseif char == "" or char == "\r" or char == "\n" then complain("unclosed action")
        elseif char == " " or char == "@" or char == "$" then self.at = self.at + 1
        elseif char == "[" then self:array(into)
        elseif char == '"' or char == "'" then self:quote(into)
        elseif char == "." then
            self.at = self.at + 1
            self:field(into)
        elseif char:find("[%d+-]") then self:number(into)
        elseif is_letter(char) then self:identifier(into)
        else complain("unrecognized character in action: U+%04X '%s'", char:byte(), char) end
    end
    self.at = self.at + 1
    return into
end

function parse(text, depth)
    local parser = setmetatable({ text = text, at = 1, depth = depth }, Parser)
    local nodes = {}
    while parser.at <= #text do
        local open = text:find("{", parser.at, true)
        local plain = text:sub(parser.at, (open or 0) - 1)
        if plain ~= "" then nodes[#nodes + 1] = { "text", plain } end
        if not open then break end
        parser.at = open + 1
        nodes[#nodes + 1] = parser:action()
    end
    return nodes
end

---@param text string
---@return table[] nodes raises kind "parse" with kubectl's message
return function(text) return parse(text, 0) end
