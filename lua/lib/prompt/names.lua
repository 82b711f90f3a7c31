-- Kinds and objects of the cluster under their names, as the prompt offers them: pods, deploy.backend,
-- svc.frontend:url(). lua/types/prompt.lua documents them.
local fail = require "fail"
local kube_session = require "kubectl.session"
local last_applied = require "kubectl.last_applied"
local object_actions = require "prompt.actions"
local secret = require "secret"
local suggest = require "suggest"
local tables = require "tables"
local task = require "task"

local cluster_names = {}

local WHY_READ_ONLY = "the prompt only looks; :write on allows changes"

-- Kinds that need no look at the server to be known. Prefetched ones can be completed from the start.
local common = { "pods", "pod", "po", "deployments", "deployment", "deploy", "services", "service", "svc", "nodes",
    "node",
    "no", "configmaps", "configmap", "cm", "secrets", "replicasets", "rs", "statefulsets", "sts",
    "daemonsets", "ds", "jobs", "job", "cronjobs", "cj", "ingresses", "ingress", "ing", "namespaces", "namespace", "ns",
    "persistentvolumeclaims", "pvc", "persistentvolumes", "pv", "events", "ev", "serviceaccounts", "sa" }
local prefetched = { "pods", "deployments", "services" }

local is_common = {}
for _, name in ipairs(common) do is_common[name] = true end

local state = { options = {}, writable = false }
local names_of = {}    -- by kind's plural: names of the objects that were seen
local objects_of = {}  -- by plural: the objects themselves, by name
local guarded          -- k8s.connect as it was

-- A session to look with: made again where the context, the namespace or the right to write has changed.
local function session()
    if state.session then return state.session end
    local options = { context = state.options.context, namespace = state.options.namespace, request_timeout = "0" }
    local made = kube_session.new(options)
    if state.writable then made.client:pin(state.uid) end
    made.writable = true -- the client itself decides here: it is pinned, or only looks
    state.session = made
    return made
end

---Clients that a line makes by itself only look, too, until :write on.
function cluster_names.guard_clients()
    local k8s = require "k8s"
    if guarded then return end
    guarded = k8s.connect
    k8s.connect = function(options)
        local client = guarded(options)
        if not state.writable then client:read_only(WHY_READ_ONLY) end
        return client
    end
end

local function forget()
    state.session, names_of, objects_of = nil, {}, {}
end

---@return string? "context/namespace"; nil without a kubeconfig
function cluster_names.place()
    local ok, text = pcall(function()
        local current = session()
        return current.client.context .. "/" .. current.namespace
    end)
    return ok and text or nil
end

---@return boolean
function cluster_names.writable() return state.writable end

---@async
---@param on boolean
function cluster_names.set_writable(on)
    state.uid = on and session().client:cluster_uid() or nil
    state.writable = on
    forget()
end

---What may be changed.
---@return string
function cluster_names.pin_text()
    if not state.writable then return WHY_READ_ONLY end
    local client = session().client
    return ("changes go to context %s only: %s, cluster %s, authority %s"):format(client.context, client.server,
        state.uid,
        (client.ca_sha256 or "none"):sub(1, 16))
end

---@async
---@param name string
function cluster_names.set_namespace(name)
    if not session().client:get("namespaces", name) then
        local known = tables.map((session().client:list("namespaces")), function(one) return one.metadata.name end)
        fail.raise("not_found", ("there is no namespace %s%s"):format(name, suggest.phrase(name, known)),
            "it has " .. table.concat(known, ", "))
    end
    state.options.namespace = name
    forget()
end

---@param name string
function cluster_names.set_context(name)
    local before, writable = state.options, state.writable
    state.options, state.writable = { context = name }, false
    forget()
    local ok, problem = pcall(function() return session().client end)
    if ok then return end
    state.options, state.writable = before, writable
    forget()
    error(problem, 0)
end

local live = setmetatable({}, { __mode = "k" }) -- tables that came from the cluster are shown as YAML

local function mark(value)
    if type(value) ~= "table" then return end
    live[value] = true
    for _, item in pairs(value) do mark(item) end
end

local Object = { __name = "todo.PromptObject" }

-- Methods first: an object's own fields have other names (apiVersion, kind, metadata, spec, status, data, …).
function Object.__index(self, key)
    local action = object_actions[key]
    if action then return function(_, ...) return action(session(), rawget(self, "resource"), rawget(self, "object"),
        ...) end end
    return rawget(self, "object")[key]
end

function Object.__tostring(self)
    local object = rawget(self, "object")
    return object.kind .. "/" .. object.metadata.name
end

-- What a Secret holds prints as "•••"; its :reveal() gives the base64 text.
local function hide(object)
    for key, text in pairs(object.data or {}) do object.data[key] = secret.new(text) end
    local annotations = object.metadata.annotations
    if annotations then annotations[last_applied.ANNOTATION] = nil end
end

local function wrap(resource, object)
    object.apiVersion = resource.group == "" and resource.version or resource.group .. "/" .. resource.version
    object.kind = resource.kind
    if resource.kind == "Secret" then hide(object) end
    mark(object)
    local wrapped = setmetatable({ resource = resource, object = object }, Object)
    objects_of[resource.plural] = objects_of[resource.plural] or {}
    objects_of[resource.plural][object.metadata.name] = wrapped
    return wrapped
end

local Kind = { __name = "todo.PromptKind" }
local methods = {}

local function fetch(kind, options)
    local resource = rawget(kind, "resource")
    options = options or {}
    local list = session().client:list(kube_session.kind(resource), { labels = options.labels,
        all_namespaces = options.all_namespaces, namespace = session().namespace })
    names_of[resource.plural] = tables.map(list, function(object) return object.metadata.name end)
    return tables.map(list, function(object) return wrap(resource, object) end)
end

function methods.list(self, options) return fetch(self, options) end

function methods.names(self)
    return tables.map(fetch(self), function(object) return object.metadata.name end)
end

-- Ways in which a word may mean an object, the surest first.
local ways = {
    function(name, word) return name == word end,
    function(name, word) return name:sub(-#word - 1) == "-" .. word end,
    function(_, word, object) return (object.metadata.labels or {})["app.kubernetes.io/component"] == word end,
    function(name, word) return name:sub(1, #word) == word end,
}

local function find(self, word)
    local list = fetch(self)
    for _, candidate in ipairs { word, (word:gsub("_", "-")) } do
        for _, way in ipairs(ways) do
            local found = tables.filter(list, function(one) return way(one.metadata.name, candidate, one) end)
            if #found == 1 then return found[1] end
            if #found > 1 then
                local names = tables.map(found, function(one) return one.metadata.name end)
                fail.raise("usage", ("%s may be %s"):format(word, table.concat(names, ", ")), "write more of the name")
            end
        end
    end
    local names = tables.map(list, function(one) return one.metadata.name end)
    fail.raise("not_found", ("there is no %s %s in %s%s"):format(rawget(self, "resource").singular, word,
        session().namespace, suggest.phrase(word, names)), #names > 0 and "there is " .. table.concat(names, ", ")
            or nil)
end

function methods.get(self, name) return find(self, name) end

function Kind.__index(self, key)
    return methods[key] or type(key) == "string" and find(self, key) or nil
end

function Kind.__tostring(self) return rawget(self, "resource").plural end

local function kind_of(resource) return setmetatable({ resource = resource }, Kind) end

---The usual kinds' names.
---@return string[]
function cluster_names.words() return common end

---A kind by one of its names; nil where the cluster has none such, or there is no cluster.
---@async
---@param word string
---@return todo.PromptKind?
function cluster_names.kind(word)
    if not is_common[word] and not word:find("^%l%l+$") then return nil end
    local ok, resource = pcall(function() return session().client:resource(word) end)
    if ok and resource then return kind_of(resource) end
    if not ok and is_common[word] and fail.kind(resource) ~= "cancelled" then error(resource, 0) end
    return nil
end

-- A table of the server for one object or all of a kind.
local function table_text(resource, name)
    local kube_table, tabwriter = require "kubectl.table", require "tabwriter"
    local current, out = session(), {}
    local page = current.client:request("GET", kube_session.path(resource, resource.namespaced and current.namespace
        or nil,
        name), { headers = { Accept = kube_table.ACCEPT } })
    local writer = tabwriter.new(function(text) out[#out + 1] = text end)
    kube_table.printer(writer, {})(page)
    writer:flush()
    if #out == 0 then return ("No %s in %s.\n"):format(resource.plural, current.namespace) end
    return table.concat(out)
end

---What a result looks like where it came from the cluster; nil for any other value.
---@async
---@param value any
---@return string?
function cluster_names.show(value)
    local meta = getmetatable(value)
    if meta == Kind then return table_text(rawget(value, "resource")) end
    if meta == Object then return table_text(rawget(value, "resource"), rawget(value, "object").metadata.name) end
    if type(value) == "table" and live[value] and next(value) ~= nil then
        return require "yaml".encode(require "mask".value(value))
    end
    if type(value) == "table" and getmetatable(value[1]) == Object then
        return table.concat(tables.map(value, tostring), "\n") .. "\n"
    end
    return nil
end

---Looks for the names of the usual kinds while the first line is typed.
function cluster_names.prefetch()
    if not require "term".is_tty("stdin") or not cluster_names.place() then return end
    task.spawn(function()
        for _, word in ipairs(prefetched) do
            pcall(function() fetch(kind_of(session().client:resource(word))) end)
        end
    end):detach()
end

-- What a prefix such as "deploy.backend.spec" stands for, without asking anybody.
local function known_value(path)
    local value, first
    for word in path:gmatch("[%w_]+") do
        if not first then
            first = true
            value = rawget(_G, word)
            if value == nil and is_common[word] then
                local ok, resource = pcall(function() return session().client:resource(word) end)
                value = ok and resource and kind_of(resource) or nil
            end
        elseif getmetatable(value) == Kind then
            local objects = objects_of[rawget(value, "resource").plural] or {}
            value = objects[word] or objects[(word:gsub("_", "-"))]
        elseif getmetatable(value) == Object then
            value = rawget(value, "object")[word]
        else
            value = type(value) == "table" and rawget(value, word) or nil
        end
        if value == nil then return nil end
    end
    return value
end

local function keys_of(value, separator)
    if getmetatable(value) == Kind then
        if separator == ":" then return tables.keys(methods) end
        return tables.map(names_of[rawget(value, "resource").plural] or {}, function(name) return (name:gsub("-",
            "_")) end)
    elseif getmetatable(value) == Object then
        return separator == ":" and tables.keys(object_actions) or tables.keys(rawget(value, "object"))
    elseif type(value) == "table" and live[value] then
        return tables.filter(tables.keys(value), function(key) return type(key) == "string" end)
    end
    return {}
end

---@param text string
---@return string[]
function cluster_names.complete(text)
    local path, separator, start = text:match("^(.*)([.:])([%w_]*)$")
    local known = path and keys_of(known_value(path), separator) or common
    local prefix = path and path .. separator or ""
    local found = {}
    for _, name in ipairs(known) do
        if name:sub(1, #(start or text)) == (start or text) then found[#found + 1] = prefix .. name end
    end
    return found
end

return cluster_names
