-- What an OpenAPI v3 document says about a kind and its fields, laid out as kubectl explain does.
local json = require "json"
local suggest = require "suggest"
local tables = require "tables"

local explain = {}

local METHODS = { "get", "post", "put", "patch", "delete" }
local WIDTH, FIELD_WIDTH = 76, 78 -- of descriptions, and of a field's, whose indentation counts
local FEW_VALUES = 4 -- of an enumeration within a list of fields

-- ---- text ----

-- White space as Go's unicode.IsSpace has it, without the space that must not break.
local spaces = {}
for _, code in ipairs { 0x20, 0x09, 0x0b, 0x0c, 0x0d, 0x85, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 } do
    spaces[utf8.char(code)] = true
end
for code = 0x2000, 0x200a do spaces[utf8.char(code)] = true end

---Breaks lines at white space so that they have at most `limit` characters, as github.com/mitchellh/go-wordwrap does: a
---word that is longer stays whole, and white space at a break goes.
---@param limit integer
---@param text string
---@return string
function explain.wrap(limit, text)
    local out, word, gap = {}, {}, {}
    local width = 0 -- of the line, without the gap and the word that wait
    local function put_waiting()
        width = width + #gap + #word
        out[#out + 1] = table.concat(gap) .. table.concat(word)
        gap, word = {}, {}
    end
    for char in text:gmatch(utf8.charpattern) do
        if char == "\n" then
            if #word > 0 or width + #gap <= limit then put_waiting() end
            out[#out + 1] = "\n"
            width, gap = 0, {}
        elseif spaces[char] then
            if #word > 0 or #gap == 0 then put_waiting() end
            gap[#gap + 1] = char
        else
            word[#word + 1] = char
            if width + #word + #gap > limit and #word < limit then
                out[#out + 1] = "\n"
                width, gap = 0, {}
            end
        end
    end
    if #word > 0 or width + #gap <= limit then put_waiting() end
    return table.concat(out)
end

local function indent(amount, text)
    local pad = (" "):rep(amount)
    return pad .. text:gsub("\n", "\n" .. pad)
end

-- ---- schemas ----

local function filled(value) return type(value) == "table" and next(value) ~= nil and value or nil end

-- A schema behind a reference within the document; nil where it leads nowhere.
local function target(document, reference)
    local at = document
    for part in (reference or ""):gmatch("[^/#]+") do
        at = type(at) == "table" and at[part] or nil
    end
    return at ~= document and filled(at) or nil
end

local function resolved(document, schema) return target(document, schema["$ref"]) or schema end

local function said(text) return type(text) == "string" and text ~= "" and text or nil end

-- "string", "[]Container", "map[string]Quantity".
local function type_of(document, schema)
    if filled(schema.items) then return "[]" .. type_of(document, schema.items) end
    if filled(schema.additionalProperties) then
        return "map[string]" .. type_of(document, schema.additionalProperties)
    end
    local all = filled(schema.allOf)
    if all and #all == 1 and not filled(schema.properties) then return type_of(document, all[1]) end
    local reference = schema["$ref"]
    if not reference then return schema.type == "object" and "Object" or schema.type or "Object" end
    local found = target(document, reference)
    if found and said(found.type) and found.type ~= "object" then return found.type end
    return said(reference:match("[^/.]*$")) or "Object"
end

-- The values that a field may have: all, one a line, or the first few.
local function values_of(schema, amount)
    local values = filled(schema.enum)
    if not values then return "" end
    local words = {}
    for i, value in ipairs(values) do
        words[i] = value == "" and '""' or value == json.null and "<no value>" or tostring(value)
    end
    if not amount then return "ENUM:\n    " .. table.concat(words, "\n    ") end
    if #words > FEW_VALUES then words = table.move(words, 1, FEW_VALUES, 1, { [FEW_VALUES + 1] = "...." }) end
    return "\n" .. (" "):rep(amount) .. "enum: " .. table.concat(words, ", ")
end

-- What is said about it, and about the schemas that it is made of.
local function add_description(document, schema, parts)
    local at = resolved(document, schema)
    if said(at.description) then parts[#parts + 1] = at.description .. "\n" end
    for _, part in ipairs(filled(at.allOf) or {}) do add_description(document, part, parts) end
    for _, part in ipairs { filled(at.items) or false, filled(at.additionalProperties) or false } do
        if part then add_description(document, part, parts) end
    end
end

local function documentation(schema, amount, width)
    local docs = filled(schema.externalDocs)
    if not docs then return "" end
    local text = indent(amount, "EXTERNAL DOCS:") .. "\n"
    if said(docs.description) then text = text .. indent(amount + 4, explain.wrap(width, docs.description)) .. "\n" end
    if said(docs.url) then text = text .. indent(amount + 4, "URL: " .. docs.url) .. "\n" end
    return text
end

-- ---- the list of fields ----

local function has(list, wanted)
    for _, one in ipairs(filled(list) or {}) do
        if one == wanted then return true end
    end
    return false
end

---@class todo.ExplainView
---@field document table
---@field recursive boolean? fields of fields, without their descriptions
---@field out string[]

local function add_field(view, schema, name, level)
    local out, amount, field = view.out, level * 2, schema.properties[name]
    out[#out + 1] = ("%s\t<%s>%s%s\n"):format(indent(amount, name), type_of(view.document, field),
        has(schema.required, name) and " -required-" or "", values_of(field, amount))
    if view.recursive then return end
    out[#out + 1] = indent(amount + 2, explain.wrap(FIELD_WIDTH - amount, said(field.description)
        or "<no description>")) .. "\n"
    local docs = documentation(field, amount + 2, WIDTH - amount)
    if docs ~= "" then out[#out + 1] = "\n" .. docs end
    out[#out + 1] = "\n"
end

-- `above`: the references that led here; one that comes again is a cycle.
local function add_fields(view, schema, level, above)
    local reference = schema["$ref"]
    if reference then
        if above[reference] then return end
        above = setmetatable({ [reference] = true }, { __index = above })
    end
    local at = resolved(view.document, schema)
    for _, name in ipairs(tables.keys(filled(at.properties) or {})) do
        add_field(view, at, name, level)
        if view.recursive then add_fields(view, at.properties[name], level + 1, above) end
    end
    for _, part in ipairs(filled(at.allOf) or {}) do add_fields(view, part, level, above) end
    if filled(at.items) then add_fields(view, at.items, level, above) end
    if filled(at.additionalProperties) then add_fields(view, at.additionalProperties, level, above) end
end

local function add_whole(view, schema)
    local out, parts = view.out, {}
    local at = resolved(view.document, schema)
    add_description(view.document, at, parts)
    local text = table.concat(parts)
    out[#out + 1] = "DESCRIPTION:\n" .. indent(4, explain.wrap(WIDTH, text ~= "" and text or "<empty>")) .. "\n"
    local docs = documentation(at, 0, WIDTH)
    if docs ~= "" then out[#out + 1] = "\n" .. docs end
    local list = { document = view.document, recursive = view.recursive, out = {} }
    add_fields(list, at, 1, {})
    if #list.out > 0 then out[#out + 1] = "FIELDS:\n" .. table.concat(list.out) end
end

-- ---- the way to a field ----

-- The schema of a field of this one, of its items or of what it is made of; nil where there is none. `names` collects
-- those that there are.
local function field_of(document, schema, name, above, names)
    local reference = schema["$ref"]
    if reference then
        if above[reference] then return nil end
        above = setmetatable({ [reference] = true }, { __index = above })
    end
    local at = resolved(document, schema)
    local fields = filled(at.properties) or {}
    for _, known in ipairs(tables.keys(fields)) do names[#names + 1] = known end
    if filled(fields[name]) then return fields[name] end
    if filled(at.items) then return field_of(document, at.items, name, above, names) end
    if filled(at.additionalProperties) then return field_of(document, at.additionalProperties, name, above, names) end
    for _, part in ipairs(filled(at.allOf) or {}) do
        local found = field_of(document, part, name, above, names)
        if found then return found end
    end
    return nil
end

local function gvk_of(document, resource)
    local root = (resource.group == "" and "/api/" or "/apis/" .. resource.group .. "/") .. resource.version .. "/"
    for _, place in ipairs { "", "namespaces/{namespace}/" } do
        for _, suffix in ipairs { "", "/{name}" } do
            local path = document.paths and document.paths[root .. place .. resource.plural .. suffix] or {}
            for _, method in ipairs(METHODS) do
                local gvk = filled(path[method]) and path[method]["x-kubernetes-group-version-kind"]
                if gvk then return gvk end
            end
        end
    end
end

local function schema_of(document, gvk)
    local schemas = tables.at(document, "components.schemas") or {}
    for _, name in ipairs(tables.keys(schemas)) do
        for _, one in ipairs(schemas[name]["x-kubernetes-group-version-kind"] or {}) do
            if one.group == gvk.group and one.version == gvk.version and one.kind == gvk.kind then
                return schemas[name]
            end
        end
    end
end

---What kubectl explain prints.
---@param document table OpenAPI v3 of one group and version, as /openapi/v3/… serves it
---@param resource { group: string, version: string, plural: string }
---@param fields string[] the way to a field; empty: the kind itself
---@param recursive boolean? names and types of all fields below it, without descriptions
---@return string text as far as it came
---@return string? problem what is not there
---@return string? hint
function explain.text(document, resource, fields, recursive)
    local gvk = gvk_of(document, resource)
    local schema = gvk and schema_of(document, gvk)
    if not gvk or not schema then
        return "", ("GVR (%s/%s, Resource=%s) not found in OpenAPI schema"):format(resource.group, resource.version,
            resource.plural)
    end
    local view = { document = document, recursive = recursive, out = {} }
    local out = view.out
    if gvk.group ~= "" then out[1] = ("GROUP:      %s\n"):format(gvk.group) end
    out[#out + 1] = ("KIND:       %s\nVERSION:    %s\n\n"):format(gvk.kind, gvk.version)
    local head = table.concat(out)
    for i, name in ipairs(fields) do
        local names = {}
        local field = field_of(document, schema, name, {}, names)
        if not field then
            local owner = i == 1 and gvk.kind or fields[i - 1]
            local hint = #names == 0 and owner .. " has no fields"
                or ("%s has no field %q%s"):format(owner, name, suggest.phrase(name, names))
            return head, ("field %q does not exist"):format(fields[#fields]), hint
        end
        schema = field
    end
    if #fields > 0 then
        out[#out + 1] = ("FIELD: %s <%s>\n%s\n\n"):format(fields[#fields], type_of(document, schema),
            values_of(schema))
    end
    add_whole(view, schema)
    return table.concat(out) .. "\n"
end

return explain
