-- What every kube command shares: the flags that name the cluster, the client they lead to, and where objects live.
local fail = require "fail"
local fs = require "fs"
local k8s = require "k8s"
local kube_errors = require "kubectl.errors"
local secret = require "secret"
local suggest = require "suggest"
local tables = require "tables"

local kube_session = {}

---@type todo.Flag[]
kube_session.flags = {
    { "kubeconfig", help = "kubeconfig to use (default: $KUBECONFIG or ~/.kube/config)" },
    { "context", help = "context of the kubeconfig; naming it allows writes to clusters that are not local" },
    { "namespace", short = "n", help = "namespace of the request (default: the context's)" },
    { "cluster", help = "cluster of the kubeconfig, in place of the context's" },
    { "user", help = "user of the kubeconfig, in place of the context's" },
    { "as", help = "user to act as" },
    { "as-group", kind = "stringArray", help = "group to act as; may be repeated" },
    { "as-uid", help = "UID to act as" },
    { "token", help = "bearer token, in place of the context's user" },
    { "client-certificate", help = "file with a client certificate, in place of the user's" },
    { "client-key", help = "file with the certificate's private key" },
    { "username", help = "name for servers that ask for a password" },
    { "password", help = "password; a kubeconfig keeps it out of the list of processes" },
    { "v", short = "v", kind = "int", default = 0, help = "6 and above: tell each request on standard error" },
    { "server", short = "s", help = "address of the API server, in place of the context's" },
    { "tls-server-name", help = "name that the server's certificate is for" },
    { "certificate-authority", help = "file with the authorities that the server's certificate may come from" },
    { "insecure-skip-tls-verify", kind = "bool", help = "trust any server" },
    { "request-timeout", default = "0",
        help = "how long one request may take, such as 5s (0: 30 s)" },
    { "help", short = "h", kind = "bool", help = "this text" },
}

---@class todo.KubeSession
---@field options table the global flags
---@field client todo.K8s made on first use
---@field namespace string
---@field explicit_namespace boolean named on the command line
local Session = {}

local function seconds(text)
    local value = tonumber(text) or require "pflag".duration(text)
    if not value or value < 0 then
        kube_errors.raise("Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed "
            .. "by a corresponding time unit (e.g. 1s | 2m | 3h)")
    end
    return value > 0 and value or nil
end

local function unknown_context(options)
    local names = {}
    for i, context in ipairs(k8s.contexts { kubeconfig = options.kubeconfig }) do names[i] = context.name end
    fail.raise("kube", "Error in configuration: context was not found for specified context: " .. options.context,
        require "kubectl.config_files".hint(names, options.context) or "the kubeconfig has no context at all",
        { verbatim = true })
end

-- The cluster or user that a flag names, in kubectl's words where the kubeconfig does not have it.
local function check_named(options)
    if not options.cluster and not options.user then return end
    local kubeconfig_files = require "kubectl.config_files"
    local config = kubeconfig_files.load(options.kubeconfig)
    local wrong = {
        { options.user, config.users, 'auth info "%s" does not exist' },
        { options.cluster, config.clusters, 'no server found for cluster "%s"' },
    }
    for _, one in ipairs(wrong) do
        local name, known, message = table.unpack(one)
        if name and not known[name] then
            kube_errors.raise(message:format(name), kubeconfig_files.hint(tables.keys(known), name)
                or "the kubeconfig has none at all")
        end
    end
end

local function file_text(flag, path)
    if not path or path == "" then return nil end
    return fs.read(path) or kube_errors.raise(("unable to read %s %s: no such file or directory"):format(flag, path))
end

-- A flag's text as a secret; nothing where it is empty.
local function hidden(text) return (text or "") ~= "" and secret.new(text) or nil end

-- What the flags say about the server and the user, beside the kubeconfig.
local function overrides(options)
    check_named(options)
    return { namespace = options.namespace, timeout = seconds(options.request_timeout), as = options.as,
        as_groups = options.as_group, as_uid = options.as_uid, cluster = options.cluster, user = options.user,
        server = options.server, server_name = options.tls_server_name, insecure = options.insecure_skip_tls_verify,
        ca = file_text("certificate-authority", options.certificate_authority),
        cert = file_text("client-certificate", options.client_certificate),
        key = hidden(file_text("client-key", options.client_key)), token = hidden(options.token),
        username = options.username, password = hidden(options.password), trace = (options.v or 0) >= 6 }
end

local function connect(options)
    local how = overrides(options)
    how.kubeconfig, how.context = options.kubeconfig, options.context
    local ok, client = pcall(k8s.connect, how)
    if ok then return client end
    if fail.kind(client) == "not_found" and not options.context and not options.kubeconfig then
        local found = require "local_cluster".connection()
        if found then
            how.kubeconfig, how.context = found.kubeconfig, found.context
            how.namespace = options.namespace or found.namespace
            return k8s.connect(how)
        end
    end
    if options.context and fail.kind(client) == "not_found" then unknown_context(options) end
    error(client, 0)
end

-- The fields that are found out on first use.
local lazy = {}

function lazy.client(self) return connect(self.options) end

function lazy.namespace(self) return self.options.namespace or self.client.namespace end

function lazy.explicit_namespace(self) return self.options.namespace ~= nil end

function Session.__index(self, key)
    if not lazy[key] then return Session[key] end
    local value = lazy[key](self)
    rawset(self, key, value)
    return value
end

---@param options table what the global flags said
---@return todo.KubeSession
function kube_session.new(options)
    return setmetatable({ options = options, resources = {} }, Session)
end

---The client for a command that changes something: pinned to the cluster that it found, and refused (kind "read_only")
---where the cluster is not this machine's and nobody named its context.
---@async
---@return todo.K8s
function Session:writer()
    if self.writable then return self.client end
    local client = self.client
    local named = self.options.context or self.options.kubeconfig
    if not named and not require "local_cluster".owner(client) then
        client:read_only(("context %s is not local; name it with --context to write to it"):format(client.context))
    else
        require "pin".set(client)
    end
    self.writable = true
    return client
end

---What the server calls a kind: "pods", "po", "Pod", "deployments.apps". Raises kubectl's error where it has none such.
---@async
---@param word string
---@return table resource
function Session:resource(word)
    local known = self.resources[word]
    if known then return known end
    local found = self.client:resource(word)
    if not found then
        local near = suggest.nearest(word, require "kubectl.api_resources".names(self))
        kube_errors.raise(("the server doesn't have a resource type %q"):format(word:match("^[^.]*")),
            (near and ("did you mean %s? "):format(near) or "") .. "todo-lua kube api-resources lists the types")
    end
    self.resources[word] = found
    return found
end

---@param resource table
---@param namespace string?
---@param name string?
---@param subresource string?
---@return string
function kube_session.path(resource, namespace, name, subresource)
    local root = resource.group == "" and "/api/" .. resource.version
        or "/apis/" .. resource.group .. "/" .. resource.version
    local parts = { root }
    if resource.namespaced and namespace then parts[#parts + 1] = "namespaces/" .. namespace end
    parts[#parts + 1] = resource.plural
    parts[#parts + 1] = name
    parts[#parts + 1] = subresource
    return table.concat(parts, "/")
end

---What the server calls a resource in its messages: "pods", "deployments.apps".
---@param resource table
---@return string
function kube_session.resource_name(resource)
    return resource.plural .. (resource.group ~= "" and "." .. resource.group or "")
end

---A resource as the client's methods take a kind: "apps/v1/Deployment".
---@param resource table
---@return string
function kube_session.kind(resource)
    return (resource.group == "" and "" or resource.group .. "/") .. resource.version .. "/" .. resource.kind
end

---The object; raises the server's own error where it does not exist.
---@async
---@param resource table
---@param namespace string?
---@param name string
---@param subresource string?
---@return table
function Session:fetch(resource, namespace, name, subresource)
    local path = kube_session.path(resource, namespace, name, subresource)
    local ok, object = pcall(self.client.request, self.client, "GET", path)
    return ok and object or error(self:absence(object, resource.namespaced and namespace), 0)
end

---What to say of an object that is not there: that its namespace is not, where that is so.
---@async
---@param problem any
---@param namespace string|false?
---@return any
function Session:absence(problem, namespace)
    if fail.field(problem, "status") ~= 404 or not namespace or namespace == "default" then return problem end
    local ok, why = pcall(self.client.request, self.client, "GET", "/api/v1/namespaces/" .. namespace)
    return not ok and fail.field(why, "status") == 404 and why or problem
end

-- A value of --dry-run as the server's query and as what stands behind the operation: " (server dry run)".
local dry_runs = { none = { nil, "" }, client = { nil, " (dry run)" }, server = { "All", " (server dry run)" } }

---@type todo.Flag the flag --dry-run of every command that writes
kube_session.dry_run_flag = { "dry-run", optional = "unchanged", default = "none",
    help = '"server": the server only checks; "client": nothing is sent' }

---@param options table
---@return string strategy "none", "client" or "server"
---@return string suffix of the printed operation
function kube_session.dry_run(options)
    local given = options.dry_run
    if not dry_runs[given] then
        kube_errors.raise(('Invalid dry-run value (%s). Must be "none", "server", or "client".'):format(given))
    end
    return given, dry_runs[given][2]
end

local validations = { strict = "Strict", ["true"] = "Strict", warn = "Warn", ignore = "Ignore", ["false"] = "Ignore" }

---What the server calls a value of --validate.
---@param given string
---@return string
function kube_session.validation(given)
    return validations[given] or kube_errors.raise(('invalid - validate option %q; must be one of: strict (or true), '
        .. 'warn, ignore (or false)'):format(given))
end

---@class todo.KubeWrite
---@field subresource string?
---@field body any?
---@field type string? content type of the body
---@field manager string? field manager
---@field options table? of the command: dry_run, validate
---@field query table<string, string>?

---A request that changes something; the answer's object.
---@async
---@param method string
---@param resource table
---@param namespace string?
---@param name string?
---@param write todo.KubeWrite
---@return table
function Session:write(method, resource, namespace, name, write)
    local query = {}
    for key, value in pairs(write.query or {}) do query[key] = value end
    query.fieldManager = write.manager
    if write.options and write.options.dry_run == "server" then query.dryRun = "All" end
    local validate = write.options and write.options.validate
    if validate and method ~= "DELETE" then query.fieldValidation = kube_session.validation(validate) end
    return (self:writer():request(method, kube_session.path(resource, namespace, name, write.subresource),
        { body = write.body, query = query, headers = write.type and { ["Content-Type"] = write.type } or nil }))
end

---@type todo.Flag the flag --validate of every command that takes manifests
kube_session.validate_flag = { "validate", optional = "strict", default = "strict",
    help = "fields that the kind does not have: strict, warn or ignore" }

return kube_session
