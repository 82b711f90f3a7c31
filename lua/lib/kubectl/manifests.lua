-- The objects of -f: files, folders, URLs and standard input ("-"), YAML or JSON, lists taken apart.
local fail = require "fail"
local fs = require "fs"
local kube_errors = require "kubectl.errors"
local label_selector = require "kubectl.label_selector"
local tables = require "tables"
local yaml = require "yaml"

local manifests = {}

---@type todo.Flag[] the flags of every command that reads manifests
manifests.flags = {
    { "filename", short = "f", kind = "strings", help = "files, folders, URLs, or - for standard input" },
    { "recursive", short = "R", kind = "bool", help = "with -f: folders within folders, too" },
    { "kustomize", short = "k", help = "not supported; kubectl kustomize FOLDER prints what -f can read" },
}

local function is_manifest(name) return name:find("%.json$") or name:find("%.yaml$") or name:find("%.yml$") end

local function add_folder(sources, folder, recursive)
    local before = #sources
    for _, name in ipairs(fs.list(folder)) do
        local path = folder:gsub("/+$", "") .. "/" .. name
        local stat = fs.stat(path)
        if stat and stat.type == "dir" then
            if recursive then add_folder(sources, path, recursive) end
        elseif stat and is_manifest(name) then
            sources[#sources + 1] = { name = path, text = fs.read(path) }
        end
    end
    if #sources == before and not recursive then
        kube_errors.raise(("error reading [%s]: recognized file extensions are [.json .yaml .yml]"):format(folder))
    end
end

local function fetch(url)
    local answer = require "http".get(url)
    if answer.status == 200 then return answer.body end
    kube_errors.raise(("unable to read URL %q, server reported %d, status code=%d"):format(url, answer.status,
        answer.status))
end

local function add_source(sources, given, recursive)
    if given == "-" then
        sources[#sources + 1] = { name = "STDIN", text = io.stdin:read("a") }
    elseif given:find("^https?://") then
        sources[#sources + 1] = { name = given, text = fetch(given) }
    else
        local stat = fs.stat(given)
        if not stat then kube_errors.raise(("the path %q does not exist"):format(given)) end
        if stat.type == "dir" then return add_folder(sources, given, recursive) end
        sources[#sources + 1] = { name = given, text = fs.read(given) }
    end
end

local function decode(source)
    local ok, documents = pcall(yaml.decode_all, source.text, { name = source.name })
    if ok then return documents end
    kube_errors.raise(("error parsing %s: %s"):format(source.name, fail.message(documents)))
end

-- kubectl's words where it validates.
local function check_head(object, source)
    local missing = {}
    for _, field in ipairs { "apiVersion", "kind" } do
        if not object[field] then missing[#missing + 1] = field .. " not set" end
    end
    if #missing == 0 then return end
    local text = #missing > 1 and "[" .. table.concat(missing, ", ") .. "]" or missing[1]
    kube_errors.raise(("error validating %q: error validating data: %s; if you choose to ignore these errors, turn "
        .. "validation off with --validate=false"):format(source, text))
end

-- Adds the object, or the objects of a list, with where it came from.
local function add_object(objects, object, source, options)
    local validate = options.validate
    if type(object) == "table" and validate and validate ~= "false" and validate ~= "ignore" then
        check_head(object, source)
    end
    if type(object) ~= "table" or not object.kind or not object.apiVersion then
        local missing = type(object) == "table" and object.kind and "apiVersion" or "Kind"
        kube_errors.raise(("unable to decode %q: Object '%s' is missing"):format(source, missing),
            "each object needs apiVersion and kind")
    end
    if object.kind:find("List$") and type(object.items) == "table" then
        for _, item in ipairs(object.items) do add_object(objects, item, source, options) end
        return
    end
    objects[#objects + 1] = { object = object, source = source }
end

---@class todo.ManifestObject
---@field object table
---@field source string
---@field resource table
---@field namespace string? where it goes; nil for a kind without namespaces

local function place(session, one)
    local object = one.object
    local meta = object.metadata or {}
    object.metadata = meta
    one.resource = session.client:resource(("%s/%s"):format(object.apiVersion, object.kind))
    if not one.resource then
        kube_errors.raise(('resource mapping not found for name: %q namespace: %q from %q: no matches for kind %q in '
            .. 'version %q'):format(meta.name or "", meta.namespace or "", one.source, object.kind, object.apiVersion),
            "ensure CRDs are installed first")
    end
    if not one.resource.namespaced then return end
    if meta.namespace and session.explicit_namespace and meta.namespace ~= session.namespace then
        kube_errors.raise(("the namespace from the provided object %q does not match the namespace %q. You must pass "
            .. "'--namespace=%s' to perform this operation."):format(meta.namespace, session.namespace, meta.namespace))
    end
    meta.namespace = meta.namespace or session.namespace
    one.namespace = meta.namespace
end

---Reads everything that the command's -f names.
---@async
---@param session todo.KubeSession
---@param options { filename: string[], recursive: boolean?, validate: string?, local_: boolean?, none: boolean?,
---verb: string? } local_: the server is not asked, so that the objects are without resource and namespace; none: there
---may be no object at all; verb: the command's, for the message that there is none
---@return todo.ManifestObject[]
function manifests.read(session, options)
    local sources, objects = {}, {}
    for _, given in ipairs(options.filename) do add_source(sources, given, options.recursive) end
    for _, source in ipairs(sources) do
        for _, document in ipairs(decode(source)) do add_object(objects, document, source.name, options) end
    end
    if #objects == 0 and not options.none then
        kube_errors.raise("no objects passed to " .. (options.verb or "the command"))
    end
    for _, one in ipairs(options.local_ and {} or objects) do place(session, one) end
    return objects
end

---Those with these labels.
---@param objects todo.ManifestObject[]
---@param selector string? nil: all of them
---@return todo.ManifestObject[]
function manifests.selected(objects, selector)
    if not selector or selector == "" then return objects end
    local requirements = label_selector.parse(selector)
    return tables.filter(objects, function(one)
        return label_selector.matches(requirements, one.object.metadata.labels)
    end)
end

---The server's refusal with the file that it is about, as kubectl words it.
---@param verb string "creating"
---@param source string?
---@param problem any
---@return any
function manifests.problem(verb, source, problem)
    if not source or not fail.field(problem, "status") or fail.kind(problem) == "invalid" then return problem end
    return fail.new(problem.kind, ("error when %s %q: %s"):format(verb, source, problem.message), problem.hint,
        { status = problem.status, cause = problem.cause })
end

return manifests
