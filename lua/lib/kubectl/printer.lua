-- kubectl's -o: objects as JSON, YAML, names or what a template makes of them.
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local yaml = require "yaml"

local object_printer = {}

---The flags of every command that prints objects.
---@type todo.Flag[]
object_printer.flags = {
    { "output", short = "o", help = "json, yaml, name, jsonpath=TEMPLATE, …" },
    { "template", help = "for -o jsonpath and -o go-template" },
    { "allow-missing-template-keys", kind = "bool", default = true,
        help = "a missing field in a template is no error" },
    { "show-managed-fields", kind = "bool", help = "keep metadata.managedFields in the output" },
}

-- Without the fields that only the server cares for; the object itself stays as it is.
local function without_managed_fields(object)
    local meta = object.metadata
    if type(meta) ~= "table" or not meta.managedFields then return object end
    local copy, meta_copy = {}, {}
    for key, value in pairs(object) do copy[key] = value end
    for key, value in pairs(meta) do meta_copy[key] = value end
    meta_copy.managedFields = nil
    copy.metadata = meta_copy
    return copy
end

local function strip(object)
    if not object.items then return without_managed_fields(object) end
    local copy, items = {}, json.list {}
    for key, value in pairs(object) do copy[key] = value end
    for i, item in ipairs(object.items) do items[i] = without_managed_fields(item) end
    copy.items = items
    return copy
end

---"pod/web", "deployment.apps/web".
---@param object table
---@return string
function object_printer.name(object)
    local group = object.apiVersion and object.apiVersion:match("^([^/]+)/")
    local kind = (object.kind or "<unknown>"):lower()
    local name = object.metadata and object.metadata.name or "<unknown>"
    return (group and kind .. "." .. group or kind) .. "/" .. name
end

-- Printers by format: made with the format's argument, they give a function from an object to text.
local makers = {}

function makers.json()
    return function(object) return json.encode(object, { indent = "    ", sort = true, html = true }) .. "\n" end
end

function makers.yaml()
    local count = 0
    return function(object)
        count = count + 1
        return (count > 1 and "---\n" or "") .. yaml.encode(object, { sort = true })
    end
end

function makers.name(_, options)
    return function(object)
        local lines = {}
        for i, item in ipairs(object.items or { object }) do
            lines[i] = object_printer.name(item) .. (options.operation and " " .. options.operation or "") .. "\n"
        end
        return table.concat(lines)
    end
end

local function jsonpath_of(template, options)
    if (template or "") == "" then kube_errors.raise("template format specified but no template given") end
    local ok, path = pcall(require("kubectl.jsonpath").compile, template,
        { missing = options.allow_missing_template_keys })
    if ok then return path end
    kube_errors.raise(("error parsing jsonpath %s, %s"):format(template, fail.message(path)))
end

local function jsonpath_maker(method)
    return function(template, options)
        local path = jsonpath_of(template, options)
        return function(object)
            local ok, text = pcall(path[method], path, object)
            if ok then return text end
            kube_errors.raise(("error executing jsonpath %q: %s"):format(template, fail.message(text)))
        end
    end
end

makers.jsonpath = jsonpath_maker("print")
makers["jsonpath-as-json"] = jsonpath_maker("print_json")

-- "HEADER:path,…", or a file with a line of headers and a line of paths.
local function columns_of(spec)
    local columns = {}
    local headers, paths = spec:match("^([^\n]*)\n([^\n]*)")
    if headers then
        local words = {}
        for word in paths:gmatch("%S+") do words[#words + 1] = word end
        for word in headers:gmatch("%S+") do columns[#columns + 1] = { word, words[#columns + 1] } end
        if #columns ~= #words then
            kube_errors.raise(("number of headers (%d) and field specifications (%d) don't match"):format(#columns,
                #words))
        end
        return columns
    end
    for part in (spec .. ","):gmatch("([^,]*),") do
        local header, path = part:match("^([^:]*):(.*)$")
        if not header then
            kube_errors.raise(("unexpected custom-columns spec: %s, expected <header>:<json-path-expr>"):format(part))
        end
        columns[#columns + 1] = { header, path }
    end
    return columns
end

makers["custom-columns"] = function(spec, options)
    if (spec or "") == "" then
        kube_errors.raise("custom-columns format specified but no custom columns given")
    end
    local jsonpath, kube_table = require "kubectl.jsonpath", require "kubectl.table"
    local columns, headers, paths = columns_of(spec), {}, {}
    for i, column in ipairs(columns) do
        headers[i] = column[1]
        paths[i] = jsonpath_of(jsonpath.relaxed(column[2]), { allow_missing_template_keys = true })
    end
    local function cell(path, object)
        local words, results = {}, path:find(object)
        if not results[1] or #results[1] == 0 then words[1] = "<none>" end
        for _, list in ipairs(results) do
            for _, value in ipairs(list) do words[#words + 1] = kube_table.clean(jsonpath.text(value)) end
        end
        return table.concat(words, ",")
    end
    return function(object)
        local out = {}
        local writer = require("tabwriter").new(function(text) out[#out + 1] = text end)
        if not options.no_headers then writer:text(table.concat(headers, "\t") .. "\n") end
        for _, item in ipairs(object.items or { object }) do
            local cells = {}
            for i, path in ipairs(paths) do cells[i] = cell(path, item) end
            writer:text(table.concat(cells, "\t") .. "\n")
        end
        writer:flush()
        return table.concat(out)
    end
end

makers["go-template"] = function(text, _)
    if (text or "") == "" then kube_errors.raise("template format specified but no template given") end
    local gotemplate = require "release.gotemplate"
    text = text:gsub("%f[%w]base64decode%f[%W]", "b64dec") -- kubectl's name for it
    return function(object)
        local ok, result = pcall(gotemplate.on, text, object)
        if ok then return result end
        local line, why = fail.message(result):match("parse error at %(text/templates/_output:(%d+)%): (.*)$")
        if line then
            kube_errors.raise(("error parsing template %s, template: output:%s: %s"):format(text, line, why))
        end
        kube_errors.raise(("error executing template %q: %s"):format(text, fail.message(result)))
    end
end
makers.template = makers["go-template"]

local formats = { "custom-columns", "custom-columns-file", "go-template", "go-template-file", "json", "jsonpath",
    "jsonpath-as-json", "jsonpath-file", "name", "template", "templatefile", "wide", "yaml" }

local function split_format(text)
    local name, argument = text:match("^([%a%-]+)=(.*)$")
    return name or text, argument
end

---Whether a command's -o asks for objects as they are (not for a table).
---@param options table
---@return boolean
function object_printer.wanted(options)
    return options.output ~= nil and options.output ~= "" and options.output ~= "wide" or (options.template or "") ~= ""
end

local function file_text(path)
    local text = fs.read(path)
    if text then return text end
    kube_errors.raise(("error reading --template %s, open %s: no such file or directory"):format(path, path))
end

local function make(format, argument, options)
    if format:find("%-file$") or format == "templatefile" then
        format, argument = format:gsub("%-?file$", ""), file_text(argument or "")
    end
    if makers[format] then return makers[format](argument, options) end
    kube_errors.raise(("unable to match a printer suitable for the output format %q, allowed formats are: %s"):format(
        format, table.concat(formats, ",")))
end

---@param options table the command's options: output, template, show_managed_fields, operation (of -o name)
---@return fun(object: table): string
function object_printer.new(options)
    local format, argument = split_format(options.output or "")
    if format == "" then format = "go-template" end
    if not argument and (options.template or "") ~= "" then argument = options.template end
    local print = make(format, argument, options)
    if options.show_managed_fields then return print end
    return function(object) return print(strip(object)) end
end

---What tells of the objects that a command changed: their names, what -o makes of them, or name and operation.
---@param options table the command's
---@return fun(object: table, operation: string) operation: "patched (server dry run)"
function object_printer.reporter(options)
    local print = object_printer.wanted(options) and options.output ~= "name" and object_printer.new(options)
    return function(object, operation)
        if print then return io.write(print(object)) end
        io.write(object_printer.name(object), options.output == "name" and "" or " " .. operation, "\n")
    end
end

return object_printer
