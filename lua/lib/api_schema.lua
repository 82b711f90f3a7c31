-- Kubernetes' fields in a compact form: compiled from OpenAPI documents, read back, and objects checked against it.
--
-- The form is text, one definition a line, numbered by their order after the empty line; before it stand the version
-- and the kinds:
--   Kubernetes v1.36.3
--   apps/v1/Deployment 12
--
--   replicas:i selector!:3 template:{5
-- A field is NAME:TYPE, with "!" where it must be there. Types: s text, i whole number, n number, b true or false,
-- q text or whole number, Q a quantity (500m, 1Gi), * anything, a definition's number, [T a list of T, {T a map of T. A
-- line that begins with "~" allows further fields.
local json = require "json"
local suggest = require "suggest"
local tables = require "tables"

local api_schema = {}

-- ---- from OpenAPI ----

local Compiler = {}
Compiler.__index = Compiler

local REF = "^#/components/schemas/(.*)$"

local scalars = { string = "s", integer = "i", number = "n", boolean = "b" }

-- The number of a definition, which is taken before its fields are read: it may refer to itself.
function Compiler:define(schema)
    local number = #self.lines + 1
    self.lines[number] = ""
    local required, fields = {}, {}
    for _, name in ipairs(schema.required or {}) do required[name] = true end
    for _, name in ipairs(tables.keys(schema.properties)) do
        fields[#fields + 1] = ("%s%s:%s"):format(name, required[name] and "!" or "",
            self:type_of(schema.properties[name]))
    end
    if schema["x-kubernetes-preserve-unknown-fields"] then table.insert(fields, 1, "~") end
    self.lines[number] = table.concat(fields, " ")
    return tostring(number)
end

function Compiler:reference(name)
    local schema = self.schemas[name]
    if not schema then return "*" end
    if not schema.properties then return self:type_of(schema) end
    if not self.numbers[name] then
        self.numbers[name] = tostring(#self.lines + 1)
        self:define(schema)
    end
    return self.numbers[name]
end

function Compiler:type_of(schema)
    if schema["$ref"] then return self:reference(schema["$ref"]:match(REF)) end
    if schema.allOf and #schema.allOf == 1 then return self:type_of(schema.allOf[1]) end
    if schema["x-kubernetes-int-or-string"] or schema.format == "int-or-string" then return "q" end
    if schema.oneOf then return "Q" end -- resource.Quantity alone has this form
    -- An object within an object: its own kind tells what it holds.
    if schema["x-kubernetes-embedded-resource"] then return "*" end
    if schema.properties then return self:define(schema) end
    if schema.type == "array" then return "[" .. (schema.items and self:type_of(schema.items) or "*") end
    if schema.type == "object" then
        local values = schema.additionalProperties
        if schema["x-kubernetes-preserve-unknown-fields"] then return "*" end
        return "{" .. (type(values) == "table" and self:type_of(values) or "*")
    end
    return scalars[schema.type] or "*"
end

local function compiler(schemas)
    return setmetatable({ schemas = schemas, lines = {}, numbers = {}, kinds = {} }, Compiler)
end

local function kind_name(gvk)
    return (gvk.group ~= "" and gvk.group .. "/" or "") .. gvk.version .. "/" .. gvk.kind
end

local function text_of(made, version)
    local kinds = { "Kubernetes " .. version }
    for _, name in ipairs(tables.keys(made.kinds)) do kinds[#kinds + 1] = name .. " " .. made.kinds[name] end
    return table.concat(kinds, "\n") .. "\n\n" .. table.concat(made.lines, "\n") .. "\n"
end

-- What somebody can write a manifest for: it has a name, and is no list.
local function is_object(schema)
    local fields = schema.properties
    return fields and fields.kind and fields.metadata and not (fields.items and fields.metadata)
end

---@param documents table[] OpenAPI v3, as /openapi/v3/… serves them
---@param version string "v1.36.3"
---@return string text in the compact form
function api_schema.compile(documents, version)
    local schemas = {}
    for _, document in ipairs(documents) do
        for name, schema in pairs(tables.at(document, "components.schemas") or {}) do schemas[name] = schema end
    end
    local made = compiler(schemas)
    for _, name in ipairs(tables.keys(schemas)) do
        local kinds = schemas[name]["x-kubernetes-group-version-kind"]
        if kinds and is_object(schemas[name]) then
            for _, gvk in ipairs(kinds) do made.kinds[kind_name(gvk)] = made:reference(name) end
        end
    end
    return text_of(made, version)
end

---The kinds that custom resource definitions (apiextensions.k8s.io/v1) add.
---@param definitions table[]
---@return string text in the compact form
function api_schema.compile_crds(definitions)
    local made = compiler {}
    for _, crd in ipairs(definitions) do
        for _, version in ipairs(tables.at(crd, "spec.versions") or {}) do
            local schema = tables.copy(tables.at(version, "schema.openAPIV3Schema"))
            local kind = tables.at(crd, "spec.names.kind")
            if schema and kind then
                -- These three are every object's, and are not checked by the definition.
                schema.properties = tables.merge(schema.properties or {}, { apiVersion = { type = "string" },
                    kind = { type = "string" }, metadata = { type = "object" } })
                made.kinds[kind_name { group = crd.spec.group, version = version.name, kind = kind }] =
                    made:define(schema)
            end
        end
    end
    return text_of(made, "-")
end

-- ---- reading ----

---@class todo.ApiSchema
---@field version string of Kubernetes
---@field kinds table<string, string> "apps/v1/Deployment" to its definition's number
---@field lines string[]
---@field read table<integer, table> definitions read so far
local Schema = {}
Schema.__index = Schema

---@param text string in the compact form
---@return todo.ApiSchema
function api_schema.parse(text)
    local kinds, lines = {}, {}
    local head, body = text:match("^(.-)\n\n(.*)$")
    for name, number in (head or ""):gmatch("(%S+) (%d+)") do kinds[name] = number end
    for line in (body or ""):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
    local version = (head or ""):match("^Kubernetes (%S+)") or "-"
    return setmetatable({ version = version, kinds = kinds, lines = lines, read = {} }, Schema)
end

function Schema:definition(number)
    local made = self.read[number]
    if made then return made end
    local line = self.lines[number] or "~"
    made = { fields = {}, required = {}, names = {}, open = line:sub(1, 1) == "~" }
    for name, must, kind in line:gmatch("([^%s:!]+)(!?):(%S+)") do
        made.fields[name] = kind
        made.names[#made.names + 1] = name
        if must == "!" then made.required[#made.required + 1] = name end
    end
    self.read[number] = made
    return made
end

-- ---- checking ----

---@class todo.FieldFault
---@field path (string|integer)[] items count from 0
---@field message string "unknown field", "must be a whole number, not text"
---@field nearest string? the known field that was meant
---@field missing string? the required field that is not there

local words = { s = "text", i = "a whole number", n = "a number", b = "true or false", q = "text or a whole number",
    Q = "a quantity" }

local suffixes = { [""] = true }
for suffix in ("n u m k M G T P E Ki Mi Gi Ti Pi Ei"):gmatch("%S+") do suffixes[suffix] = true end

-- As apimachinery's resource.ParseQuantity reads.
local function is_quantity(text)
    local number, suffix = text:match("^[+-]?([%d.]+)(.*)$")
    if not number or not (number:find("^%d+%.?%d*$") or number:find("^%.%d+$")) then return false end
    return suffixes[suffix] or suffix:find("^[eE][+-]?%d+$") ~= nil
end

local function said(value)
    if value == json.null then return "null" end
    if type(value) == "string" then return "text" end
    if type(value) == "boolean" then return tostring(value) end
    if type(value) == "number" then return "the number " .. tostring(value) end
    return tables.is_list(value) and "a list" or "a map"
end

local function is_scalar(kind, value)
    if kind == "s" then return type(value) == "string" end
    if kind == "i" then return type(value) == "number" and math.tointeger(value) ~= nil end
    if kind == "n" then return type(value) == "number" end
    if kind == "b" then return type(value) == "boolean" end
    if kind == "Q" then return type(value) == "number" or type(value) == "string" and is_quantity(value) end
    return type(value) == "string" or type(value) == "number" and math.tointeger(value) ~= nil
end

local check

local function add(faults, path, fault)
    fault.path = { table.unpack(path) }
    faults[#faults + 1] = fault
end

local function check_each(schema, kind, value, path, faults, first)
    for _, key in ipairs(tables.keys(value)) do
        path[#path + 1] = first and key - 1 or key
        check(schema, kind, value[key], path, faults)
        path[#path] = nil
    end
end

local function check_object(schema, number, value, path, faults)
    local definition = schema:definition(number)
    for _, name in ipairs(definition.required) do
        if value[name] == nil or value[name] == json.null then
            add(faults, path, { message = ("%s is missing"):format(name), missing = name })
        end
    end
    for _, name in ipairs(tables.keys(value)) do
        local kind = definition.fields[name]
        path[#path + 1] = name
        if kind then
            check(schema, kind, value[name], path, faults)
        elseif not definition.open then
            add(faults, path, { message = "unknown field",
                nearest = suggest.nearest(tostring(name), definition.names) })
        end
        path[#path] = nil
    end
end

function check(schema, kind, value, path, faults)
    if value == nil or value == json.null or kind == "*" then return end
    local first = kind:sub(1, 1)
    if words[kind] then
        if not is_scalar(kind, value) then
            local given = kind == "Q" and type(value) == "string" and ("%q"):format(value) or said(value)
            add(faults, path, { message = ("must be %s, not %s"):format(words[kind], given) })
        end
        return
    end
    local want_list = first == "["
    -- An empty map and an empty list look alike where nobody marked the list.
    local empty = type(value) == "table" and next(value) == nil
    if type(value) ~= "table" or not empty and tables.is_list(value) ~= want_list then
        add(faults, path, { message = ("must be %s, not %s"):format(want_list and "a list" or "a map", said(value)) })
    elseif want_list then
        check_each(schema, kind:sub(2), value, path, faults, true)
    elseif first == "{" then
        check_each(schema, kind:sub(2), value, path, faults)
    else
        check_object(schema, math.tointeger(kind), value, path, faults)
    end
end

local function group_of(api_version) return api_version:match("^(.*)/") or "" end

-- Whether a schema has the group, and the versions in which they have the kind.
local function look_for(schemas, group, kind)
    local known, versions = false, {}
    for _, schema in ipairs(schemas) do
        for name in pairs(schema.kinds) do
            local version, other = name:match("^(.*)/([^/]+)$")
            known = known or group_of(version) == group
            if other == kind then versions[#versions + 1] = version end
        end
    end
    table.sort(versions)
    return known, versions
end

---@class todo.FieldSchemas
---@field [integer] todo.ApiSchema the first that has the kind decides
---@field served table<string, boolean>? every apiVersion that the cluster has; absent: not known

---What is wrong with an object's fields; nil where nothing can be said: no schema knows its kind nor its group.
---@param schemas todo.FieldSchemas
---@param object table
---@return todo.FieldFault[]?
function api_schema.check(schemas, object)
    local api_version, kind = object.apiVersion, object.kind
    if type(api_version) ~= "string" or type(kind) ~= "string" then return {} end
    for _, schema in ipairs(schemas) do
        local number = schema.kinds[api_version .. "/" .. kind]
        if number then
            local faults = {}
            check(schema, number, object, {}, faults)
            return faults
        end
    end
    local known, versions = look_for(schemas, group_of(api_version), kind)
    if schemas.served then
        if schemas.served[api_version] then return nil end
    elseif not known and (#versions == 0 or api_version:find(".", 1, true)) then
        -- Somebody's own kind, which may be called like one of Kubernetes'. Groups without a dot are all Kubernetes':
        -- one that is not known went away (extensions/v1beta1).
        return nil
    end
    return { { path = { "apiVersion" }, message = ("there is no %s in %s"):format(kind, api_version),
        nearest = #versions > 0 and table.concat(versions, " or ") or nil } }
end

return api_schema
