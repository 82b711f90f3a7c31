-- "TYPE", "TYPE NAME…", "TYPE/NAME…", "TYPE,TYPE" and categories such as "all": what a kube command line speaks of.
local api_resources = require "kubectl.api_resources"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"

local resource_args = {}

---@class todo.Target
---@field resource table what the server calls the kind
---@field name string? nil: all of them, or those that a selector picks
---@field namespace string? nil: all namespaces, or a kind without one
---@field source string? the file that names it

local function split(text)
    local words = {}
    for word in (text .. ","):gmatch("([^,]*),") do words[#words + 1] = word end
    return words
end

-- "pods,services web" means pods/web services/web.
local function spread(words)
    if #words < 2 then return words end
    local kinds = split(words[1])
    if #kinds < 2 then return words end
    local out = {}
    for _, kind in ipairs(kinds) do
        for i = 2, #words do out[#out + 1] = kind .. "/" .. words[i] end
    end
    return out
end

local function pairs_of(words, command)
    local tuples, slashes = {}, 0
    for _, word in ipairs(words) do
        if word:find("/", 1, true) then slashes = slashes + 1 end
    end
    if slashes == 0 then return nil end
    if slashes < #words then
        kube_errors.raise(("there is no need to specify a resource type as a separate argument when passing arguments "
            .. "in resource/name form (e.g. '%s get resource/<resource_name>' instead of '%s get resource "
            .. "resource/<resource_name>'"):format(command, command))
    end
    for i, word in ipairs(words) do
        local kind, name = word:match("^([^/]*)/([^/]*)$")
        if not kind then
            kube_errors.raise("arguments in resource/name form may not have more than one slash")
        end
        if kind == "" or name == "" or kind:find(",", 1, true) then
            kube_errors.raise("arguments in resource/name form must have a single resource and name")
        end
        tuples[i] = { kind = kind, name = name }
    end
    return tuples
end

-- The kinds of "pods,all", categories replaced by their members, each once.
local function kinds_of(session, text)
    local kinds, seen = {}, {}
    local function add(word)
        local resource = session:resource(word)
        local id = resource.group .. "/" .. resource.kind
        if not seen[id] then kinds[#kinds + 1] = resource end
        seen[id] = true
    end
    for _, word in ipairs(split(text)) do
        local members = not session.client:resource(word) and api_resources.category(session, word)
        if members then
            for _, member in ipairs(members) do add(member) end
        else
            add(word)
        end
    end
    return kinds
end

local function matches_one(word, patterns)
    for _, pattern in ipairs(patterns) do
        if word:find(pattern) then return true end
    end
    return false
end

---Takes the changes apart that stand behind the words which name objects: "KEY=VALUE", "KEY-".
---@param words string[]
---@param patterns string[] of changes
---@param what string "label"
---@param told string? what the message of a word behind a change ends with (default: that word)
---@return string[] resources
---@return string[] changes
function resource_args.with_changes(words, patterns, what, told)
    local resources, changes = {}, {}
    for _, word in ipairs(words) do
        if matches_one(word, patterns) then
            changes[#changes + 1] = word
        elseif #changes > 0 then
            kube_errors.raise(("all resources must be specified before %s changes: %s"):format(what, told or word))
        else
            resources[#resources + 1] = word
        end
    end
    return resources, changes
end

---@class todo.TargetOptions
---@field all_namespaces boolean?
---@field selector boolean? a label or field selector picks the objects: no names then
---@field whole boolean? a TYPE alone means all its objects
---@field filename string[]? files that name the objects, in place of words
---@field recursive boolean? folders within folders, too

local function place(session, resource, options, named)
    if not resource.namespaced then return nil end
    if not options.all_namespaces then return session.namespace end
    if named then kube_errors.raise("a resource cannot be retrieved by name across all namespaces") end
    return nil
end

local function named_targets(session, tuples, options)
    local targets = {}
    for i, tuple in ipairs(tuples) do
        local resource = session:resource(tuple.kind)
        targets[i] = { resource = resource, name = tuple.name, namespace = place(session, resource, options, true) }
    end
    return targets
end

-- The objects that files name.
local function file_targets(session, words, options)
    if #words > 0 then
        kube_errors.raise("when paths, URLs, or stdin is provided as input, you may not specify resource arguments "
            .. "as well")
    end
    local targets = {}
    for i, one in ipairs(require "kubectl.manifests".read(session, options)) do
        targets[i] = { resource = one.resource, namespace = one.namespace, name = one.object.metadata.name,
            source = one.source }
    end
    return targets
end

---Reads the words, or the files. Raises kubectl's errors.
---@async
---@param session todo.KubeSession
---@param words string[]
---@param options todo.TargetOptions?
---@return todo.Target[]
---@return boolean single exactly one object is asked for by its name
function resource_args.targets(session, words, options)
    options = options or {}
    if #(options.filename or {}) > 0 then
        local targets, first = file_targets(session, words, options), options.filename[1]
        local one_file = #options.filename == 1 and first ~= "-" and not first:find("://", 1, true)
        return targets, #targets == 1 and one_file and not options.recursive
    end
    words = spread(words)
    local tuples = pairs_of(words, "todo-lua kube")
    if tuples then
        if options.selector then
            kube_errors.raise("selectors and the all flag cannot be used when passing resource/name arguments")
        end
        return named_targets(session, tuples, options), #tuples == 1
    end
    if #words == 0 then
        if options.selector then kube_errors.raise("at least one resource must be specified to use a selector") end
        kube_errors.raise("You must provide one or more resources by argument or filename.",
            "name a type and an object: TYPE NAME, TYPE/NAME, or a file with -f")
    end
    if #words > 1 then
        if options.selector then kube_errors.raise("name cannot be provided when a selector is specified") end
        tuples = {}
        for i = 2, #words do tuples[i - 1] = { kind = words[1], name = words[i] } end
        return named_targets(session, tuples, options), #tuples == 1
    end
    local kinds = kinds_of(session, words[1])
    if not options.selector and not options.whole then
        kube_errors.raise("resource(s) were provided, but no name was specified")
    end
    local targets = {}
    for i, resource in ipairs(kinds) do
        targets[i] = { resource = resource, namespace = place(session, resource, options, false) }
    end
    return targets, false
end

---@type todo.Flag the flag --local of commands that can do without the server
resource_args.local_flag = { "local", kind = "bool", key = "local_",
    help = "do not ask the server: change the objects of -f, and print them" }

---@class todo.Found
---@field resource table
---@field object table
---@field source string? the file that it was read from

-- The objects of files as they stand there.
local function local_objects(session, words, options)
    if #(options.filename or {}) == 0 and #words == 0 then
        kube_errors.raise("one or more files must be specified as -f pod.yaml or --filename=pod.json")
    end
    if #words > 0 then
        kube_errors.raise("you must specify resources by --filename when --local is set.\nExample resource "
            .. "specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'")
    end
    local found = {}
    for i, one in ipairs(require "kubectl.manifests".read(session, options)) do
        found[i] = { resource = one.resource, object = one.object, source = one.source }
    end
    return found, {}, #found == 1
end

---The objects that the words or the files name, as the server has them now.
---@async
---@param session todo.KubeSession
---@param words string[]
---@param options { filename: string[]?, recursive: boolean?, selector: string?, field_selector: string?,
---all_namespaces: boolean?, all: boolean?, whole: boolean?, local_: boolean? } as the flags of these names
---@return todo.Found[] found
---@return any[] problems what could not be fetched
---@return boolean single one object was named
function resource_args.find(session, words, options)
    if options.local_ then return local_objects(session, words, options) end
    local found, problems = {}, {}
    local function take(resource, object)
        object.apiVersion = resource.group == "" and resource.version or resource.group .. "/" .. resource.version
        object.kind = resource.kind
        found[#found + 1] = { resource = resource, object = object }
    end
    local function guarded(fn)
        local ok, problem = pcall(fn)
        if not ok then problems[#problems + 1] = problem end
    end
    local targets, single = resource_args.targets(session, words, { all_namespaces = options.all_namespaces,
        filename = options.filename, recursive = options.recursive,
        selector = options.selector ~= nil or options.field_selector ~= nil, whole = options.whole or options.all })
    for _, target in ipairs(targets) do
        guarded(function()
            if target.name then
                take(target.resource, session:fetch(target.resource, target.namespace, target.name))
                found[#found].source = target.source
                return
            end
            local list = session.client:list(kube_session.kind(target.resource), { namespace = target.namespace,
                all_namespaces = options.all_namespaces, labels = options.selector, fields = options.field_selector })
            for _, object in ipairs(list) do take(target.resource, object) end
        end)
    end
    return found, problems, single
end

---As find; raises where one of them could not be fetched.
---@async
---@param session todo.KubeSession
---@param words string[]
---@param options table
---@return todo.Found[]
function resource_args.find_all(session, words, options)
    local found, problems = resource_args.find(session, words, options)
    kube_errors.raise_all(problems)
    return found
end

return resource_args
