-- Flags as helm and kubectl read and list them (github.com/spf13/pflag): --name=value, --name value, -nvalue, -xyz.
local fail = require "fail"

local pflag = {}

---@class todo.Flag
---@field [1] string long name, "kube-version"
---@field short string? one letter
---@field kind "bool"|"string"|"strings"|"stringArray"|"int"|"duration"|"stringToString"|string default "string";
---`strings` are split at commas, `stringArray` is not; a duration becomes seconds; any other word is a string, so named
---in the help
---@field key string? field of the options, default the name with underscores
---@field default any? absent: nil (a switch: false)
---@field optional string? value of a flag that is given without one
---@field choices string[]? allowed values
---@field check (fun(text: string): string?)? why a value is wrong; nil where it is not
---@field help string

---@param message string
---@param hint string?
function pflag.usage_error(message, hint)
    fail.raise("usage", message, hint, { status = 2 })
end

-- One record of encoding/csv, which pflag reads lists with.
local function csv_fields(text)
    local fields, at = {}, 1
    if text == "" then return fields end
    repeat
        local field
        if text:sub(at, at) == '"' then
            local parts, from = {}, at + 1
            while true do
                local quote = text:find('"', from, true)
                if not quote then return nil, 'extraneous or missing " in quoted-field' end
                parts[#parts + 1] = text:sub(from, quote - 1)
                from = quote + 1
                if text:sub(from, from) ~= '"' then break end
                parts[#parts + 1], from = '"', from + 1
            end
            if from <= #text and text:sub(from, from) ~= "," then
                return nil, 'extraneous or missing " in quoted-field'
            end
            field, at = table.concat(parts), from
        else
            field = text:match("^[^,]*", at)
            if field:find('"', 1, true) then return nil, 'bare " in non-quoted-field' end
            at = at + #field
        end
        fields[#fields + 1] = field
        at = at + 1
    until at > #text + 1
    return fields
end

local truths = {
    ["1"] = true, t = true, T = true, ["true"] = true, TRUE = true, True = true,
    ["0"] = false, f = false, F = false, ["false"] = false, FALSE = false, False = false,
}
local units = { ns = 1e-9, us = 1e-6, ["µs"] = 1e-6, ["μs"] = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600 }

---A truth as Go writes it: "1", "t", "TRUE", "false"; nil where it is none.
---@param text string?
---@return boolean?
function pflag.truth(text) return truths[text or ""] end

---Seconds of a duration as Go writes it: "1h2m3.5s"; nil and Go's reason where it is none.
---@param text string
---@return number?
---@return string? reason
function pflag.duration(text)
    local sign, rest = text:match("^([+-]?)(.+)$")
    if rest == "0" then return 0 end
    local total = 0
    while rest and rest ~= "" do
        local number, unit, after = rest:match("^(%d*%.?%d*)([^%d.]*)(.*)$")
        if not number:find("%d") then return nil, ("time: invalid duration %q"):format(text) end
        if unit == "" then return nil, ("time: missing unit in duration %q"):format(text) end
        if not units[unit] then return nil, ("time: unknown unit %q in duration %q"):format(unit, text) end
        total, rest = total + tonumber(number) * units[unit], after
    end
    if not rest then return nil, ("time: invalid duration %q"):format(text) end
    return sign == "-" and -total or total
end

local function pairs_of(text, into)
    local list, problem = { (text:gsub('^"*(.-)"*$', "%1")) }, nil
    if select(2, text:gsub("=", "")) > 1 then list, problem = csv_fields(text) end
    for _, pair in ipairs(list or {}) do
        local name, value = pair:match("^([^=]*)=(.*)$")
        if not name then return nil, pair .. " must be formatted as key=value" end
        into[name] = value
    end
    return list and into, problem
end

-- By kind: the value that a flag has after `text`, given what it had before; nil and the reason where it is wrong.
local readers = {}

function readers.bool(text)
    local value = truths[text]
    if value == nil then return nil, ("strconv.ParseBool: parsing %q: invalid syntax"):format(text) end
    return value
end

function readers.int(text)
    local value = text:match("^[+-]?%d+$") and math.tointeger(text)
    if not value then return nil, ("strconv.ParseInt: parsing %q: invalid syntax"):format(text) end
    return value
end

function readers.duration(text) return pflag.duration(text) end

function readers.strings(text, before)
    local fields, problem = csv_fields(text)
    if not fields then return nil, problem end
    return table.move(fields, 1, #fields, #before + 1, before)
end

function readers.stringArray(text, before)
    before[#before + 1] = text
    return before
end

function readers.stringToString(text, before)
    return pairs_of(text, before)
end

-- Kinds that add to what the words before gave.
local gathers = { strings = true, stringArray = true, stringToString = true }

local function key_of(flag) return flag.key or flag[1]:gsub("-", "_") end

local function find(flags, field, name)
    for _, flag in ipairs(flags) do
        if flag[field] == name then return flag end
    end
end

local function store(options, seen, flag, text)
    local key, reader = key_of(flag), readers[flag.kind]
    local value, problem = text, nil
    if reader then
        if not seen[key] and gathers[flag.kind] then options[key] = {} end
        value, problem = reader(text, options[key])
    end
    for _, choice in ipairs(flag.choices or {}) do
        if choice == text then
            problem = nil
            break
        end
        problem = "must be one of " .. table.concat(flag.choices, ", ")
    end
    if flag.check and not problem then problem = flag.check(text) end
    if problem then
        local name = (flag.short and "-" .. flag.short .. ", " or "") .. "--" .. flag[1]
        pflag.usage_error(('invalid argument %q for "%s" flag: %s'):format(text, name, problem))
    end
    options[key], seen[key] = value, true
end

local function without_value(flag) return flag.kind == "bool" and "true" or flag.optional end

---Reads the words of a command line; raises kind "usage" with pflag's message and status 2.
---@param words string[]
---@param flags todo.Flag[]
---@return table options
---@return string[] rest the words that are no flags
---@return table<string, boolean> seen keys that the words named
---@return integer? dash how many of the rest stand before "--"
function pflag.parse(words, flags)
    local options, rest, seen, dash = {}, {}, {}, nil
    for _, flag in ipairs(flags) do
        options[key_of(flag)] = flag.default
    end
    local index = 1
    local function next_word(what)
        index = index + 1
        return words[index] or pflag.usage_error("flag needs an argument: " .. what)
    end
    local function long(word)
        local name, value = word:match("^%-%-([^=]*)=?(.*)$")
        if name == "" or name:sub(1, 1) == "-" then pflag.usage_error("bad flag syntax: " .. word) end
        local flag = find(flags, 1, name)
        if not flag then
            local known = {}
            for position, one in ipairs(flags) do known[position] = "--" .. one[1] end
            local near = require "suggest".nearest("--" .. name, known)
            pflag.usage_error("unknown flag: --" .. name, near and "did you mean " .. near .. "?")
        end
        if not word:find("=", 1, true) then value = without_value(flag) or next_word("--" .. name) end
        store(options, seen, flag, value)
    end
    local function letters(group)
        while group ~= "" do
            local letter, after = group:match("^(.)(.*)$")
            local flag = find(flags, "short", letter)
            if not flag then pflag.usage_error(("unknown shorthand flag: '%s' in -%s"):format(letter, group)) end
            local value = without_value(flag)
            if after:find("^=.") then
                value, after = after:sub(2), ""
            elseif not value and after ~= "" then
                value, after = after, ""
            end
            store(options, seen, flag, value or next_word(("'%s' in -%s"):format(letter, group)))
            group = after
        end
    end
    while index <= #words do
        local word = words[index]
        if word == "--" then
            dash = #rest
            table.move(words, index + 1, #words, #rest + 1, rest)
            break
        elseif word:find("^%-%-") then
            long(word)
        elseif word:find("^%-.") then
            letters(word:sub(2))
        else
            rest[#rest + 1] = word
        end
        index = index + 1
    end
    return options, rest, seen, dash
end

---Position of the first word that is neither a flag nor a flag's value; nil where there is none.
---@param words string[]
---@param flags todo.Flag[]
---@return integer?
function pflag.first_word(words, flags)
    local index = 1
    while index <= #words do
        local word = words[index]
        if word == "--" then return nil end
        if not word:find("^%-.") then return index end
        local long, short = word:match("^%-%-(.+)"), word:match("^%-(.)$")
        local flag = long and find(flags, 1, long) or short and find(flags, "short", short)
        if flag and not without_value(flag) then index = index + 1 end
        index = index + 1
    end
end

local zero = { [""] = true, ["0"] = true, ["false"] = true, ["nil"] = true }

local function duration_text(seconds)
    return seconds >= 60 and ("%dm%ds"):format(seconds // 60, seconds % 60) or ("%gs"):format(seconds)
end

local function default_text(flag)
    local value = flag.default
    if type(value) == "table" then return #value > 0 and (" (default [%s])"):format(table.concat(value, ",")) or "" end
    if zero[tostring(value)] then return "" end
    if flag.kind == "duration" then return (" (default %s)"):format(duration_text(value)) end
    local quoted = flag.kind == nil or flag.kind == "string"
    return (quoted and " (default %q)" or " (default %s)"):format(tostring(value))
end

---What --help lists of the flags, in pflag's form and order.
---@param flags todo.Flag[]
---@return string
function pflag.help(flags)
    local rows, wide = {}, 0
    for _, flag in ipairs(flags) do
        local left = (flag.short and "  -" .. flag.short .. ", --" or "      --") .. flag[1]
        local kind = flag.kind or "string"
        if kind ~= "bool" then left = left .. " " .. kind end
        if flag.optional then left = left .. (kind == "string" and '[="%s"]' or "[=%s]"):format(flag.optional) end
        wide = math.max(wide, #left)
        rows[#rows + 1] = { left, flag.help .. default_text(flag), flag[1] }
    end
    table.sort(rows, function(a, b) return a[3] < b[3] end)
    for index, row in ipairs(rows) do rows[index] = row[1] .. (" "):rep(wide - #row[1] + 3) .. row[2] .. "\n" end
    return table.concat(rows)
end

return pflag
