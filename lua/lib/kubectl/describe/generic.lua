-- Any kind that has no description of its own: all its fields, with their names as words.
local json = require "json"
local jsonpath = require "kubectl.jsonpath"
local tables = require "tables"

local acronyms = { API = true, URL = true, UID = true, GUID = true }

-- "podIP" is "pod", "IP"; "HTTPServer" is "HTTP", "Server"; digits and other letters are words of their own.
local function camel_words(field)
    local words = {}
    local function class(char)
        if char:find("%l") then return "lower" elseif char:find("%u") then return "upper" end
        return char:find("%d") and "digit" or "other"
    end
    for char in field:gmatch(".") do
        local last = words[#words]
        if last and class(last:sub(-1)) == class(char) then
            words[#words] = last .. char
        elseif last and class(last:sub(-1)) == "upper" and class(char) == "lower" then
            -- the capital that starts a word belongs to it
            words[#words] = #last > 1 and last:sub(1, -2) or nil
            words[#words + 1] = last:sub(-1) .. char
        else
            words[#words + 1] = char
        end
    end
    return words
end

---"podIP" becomes "Pod IP".
local function label_of(field)
    if field:find("[^%a-]") then return field end
    local words, merged = camel_words(field), {}
    local i = 1
    while i <= #words do
        local word, next_word = words[i], words[i + 1]
        if next_word and #word >= 2 and not word:find("%l") and next_word:find("^%u") then
            word, i = word .. next_word, i + 1
        end
        if acronyms[word:upper()] then word = word:upper() elseif word == word:lower() then
            word = word:gsub("^%l", string.upper)
        end
        merged[#merged + 1] = word
        i = i + 1
    end
    return table.concat(merged, " ")
end

local skipped = {
    [".metadata.managedFields"] = true, [".metadata.name"] = true, [".metadata.namespace"] = true,
    [".metadata.labels"] = true, [".metadata.annotations"] = true,
}

local function content(w, level, object, prefix)
    for _, field in ipairs(tables.keys(object)) do
        local value, path = object[field], prefix .. "." .. field
        if skipped[path] then goto continue end
        if type(value) ~= "table" then
            w:put(level, "%s:\t%s\n", label_of(field), value == json.null and "<nil>" or jsonpath.text(value))
            goto continue
        end
        w:put(level, "%s:\n", label_of(field))
        if tables.is_list(value) then
            for _, child in ipairs(value) do
                if type(child) == "table" and not tables.is_list(child) then
                    content(w, level + 1, child, path)
                else
                    w:put(level + 1, "%s\n", jsonpath.text(child))
                end
            end
        else
            content(w, level + 1, value, path)
        end
        ::continue::
    end
end

return function(w, object)
    w:head(object)
    content(w, 0, object, "")
end
