-- Image registries: the credentials that docker keeps for them, and the Secret with which a cluster's nodes pull.
local docker_endpoint = require "docker_endpoint"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local proc = require "proc"
local secret = require "secret"

local registry = {}

local HUB = "docker.io"
local HUB_KEY = "https://index.docker.io/v1/" -- as docker's files and helpers name it
local HELPER_SECONDS = 60

---@class todo.RegistryAuth what the engine passes on to a registry
---@field serveraddress string
---@field username string?
---@field password todo.Secret?
---@field identitytoken todo.Secret? instead of the two

---The registry that an image's name leads to.
---@param name string "registry.example.com:5000/team/app:1"
---@return string host "docker.io" where the name has none
function registry.host(name)
    local first = name:match("^([^/]+)/")
    if first and (first:find("[.:]") or first == "localhost") then return first end
    return HUB
end

local function config_path()
    return fs.join(docker_endpoint.folder(), "config.json")
end

local function read_config(path)
    local text = fs.read(path)
    if not text then return {} end
    local ok, config = pcall(json.decode, text)
    if not ok or type(config) ~= "table" then
        fail.raise("config", ("%s is no JSON: %s"):format(path, ok and "an object is expected" or fail.message(config)),
            "docker login writes it")
    end
    return config
end

-- A key of the file may be an address: "https://registry.example.com/v1/".
local function host_of(key) return (key:gsub("^%w+://", ""):gsub("/.*$", "")) end

local function file_entry(config, key)
    local auths = type(config.auths) == "table" and config.auths or {}
    if auths[key] then return auths[key] end
    for other, entry in pairs(auths) do
        if host_of(other) == host_of(key) then return entry end
    end
    return nil
end

local function from_file(config, host, key, path)
    local entry = file_entry(config, key)
    if type(entry) ~= "table" then return nil end
    if (entry.identitytoken or "") ~= "" then
        return { serveraddress = host, identitytoken = secret.new(entry.identitytoken) }
    end
    local username, password = entry.username, entry.password
    if (entry.auth or "") ~= "" then
        local ok, text = pcall(secret.unbase64, entry.auth)
        username, password = (ok and text or ""):match("^([^:]*):(.*)$")
        if not username then
            fail.raise("config", ("%s: auths[%q].auth is not user:password in base64"):format(path, key),
                "log in again: docker login " .. host)
        end
    end
    if not username or username == "" then return nil end
    return { serveraddress = host, username = username, password = secret.new((password or ""):gsub("%z+$", "") .. "") }
end

-- docker-credential-NAME: the server on stdin, { ServerURL, Username, Secret } on stdout.
local function from_helper(name, host, key, path)
    local program = "docker-credential-" .. name
    if not proc.which(program) then
        fail.raise("not_found", ("%s names the credential helper %s, which is not installed"):format(path,
            program),
            "install it, or remove its name from that file and log in again: docker login " .. host)
    end
    local answer = proc.run({ program, "get" }, { stdin = key, timeout = HELPER_SECONDS, check = false })
    if answer.status ~= 0 then
        local words = (answer.stdout .. answer.stderr):match("^%s*(.-)%s*$")
        if words:find("credentials not found", 1, true) then return nil end
        fail.raise("exit", ("%s does not give the credentials of %s: %s"):format(program, host, words),
            ("try it by hand: echo %s | %s get"):format(key, program))
    end
    local ok, found = pcall(json.decode, answer.stdout)
    if not ok or type(found) ~= "table" or type(found.Secret) ~= "string" then
        fail.raise("parse", ("%s answers in words of its own, not in credentials"):format(program))
    end
    if found.Username == "<token>" then
        return { serveraddress = host, identitytoken = secret.new(found.Secret) }
    end
    if (found.Username or "") == "" then return nil end
    return { serveraddress = host, username = found.Username, password = secret.new(found.Secret) }
end

---The credentials that docker would use for a registry: of its helper for that registry, of its store, or of its file.
---Raises where a helper that the file names fails.
---@async
---@param host string as registry.host gives it
---@param path string? file of the same form in place of docker's own
---@return todo.RegistryAuth? nil where there are none
function registry.credentials(host, path)
    path = path or config_path()
    local config = read_config(path)
    local key = host == HUB and HUB_KEY or host
    local helpers = type(config.credHelpers) == "table" and config.credHelpers or {}
    local helper = helpers[key] or helpers[host]
    if not helper and (config.credsStore or "") ~= "" then helper = config.credsStore end
    if not helper then return from_file(config, host, key, path) end
    return from_helper(helper, host, key, path)
end

local login_words = { "unauthorized", "denied", "authentication required", "no basic auth", "401", "403" }

---What to do about a registry that did not take an image.
---@param host string
---@param problem any what the engine said
---@param auth todo.RegistryAuth? that it was given
---@return string
function registry.push_hint(host, problem, auth)
    local words = fail.message(problem)
    if words:find('": dial tcp %S+: connect: connection refused') then -- by the registry, not by a proxy or name server
        return ("no registry listens at %s: start it, or name another with --registry"):format(host)
    elseif words:find("server gave HTTP response to HTTPS client", 1, true) then
        return ('it speaks plain http, which Docker takes where its daemon.json has "insecure-registries": ["%s"]')
            :format(host)
    elseif fail.field(problem, "hint") then
        return fail.field(problem, "hint")
    end
    for _, word in ipairs(login_words) do
        if words:find(word, 1, true) then
            return auth and ("check the credentials that docker has for %s: docker login %s"):format(host, host)
                or ("docker has no credentials for %s; where it wants some: docker login %s"):format(host, host)
        end
    end
    return ("the log of the registry at %s may say more"):format(host)
end

-- A file that a helper keeps the credentials for is not written: they would lie there for everybody to read.
local function change(path, host, fn)
    local config = read_config(path)
    if type(config.credHelpers) == "table" and config.credHelpers[host] or (config.credsStore or "") ~= "" then
        fail.raise("unsupported", ("%s leaves credentials to a helper"):format(path),
            "docker login stores them there")
    end
    config.auths = type(config.auths) == "table" and config.auths or {}
    fn(config.auths)
    fs.mkdir(fs.dirname(path))
    fs.write(path, json.encode(config, { indent = "\t", secrets = "reveal" }) .. "\n", 384) -- 0600
end

---Keeps credentials in a file of docker's form, which others cannot read.
---@param path string
---@param host string
---@param username string
---@param password todo.Secret
function registry.keep(path, host, username, password)
    change(path, host, function(auths)
        auths[host] = { auth = secret.base64(secret.new(username .. ":" .. password:reveal())) }
    end)
end

---@param path string
---@param host string
function registry.forget(path, host)
    change(path, host, function(auths) auths[host] = nil end)
end

-- ---- the cluster's side ----

local function secret_name(ctx) return ctx.config.release .. "-registry" end

---The Secret with which nodes pull from a registry.
---@param name string
---@param auth todo.RegistryAuth with a user and a password
---@return table object
function registry.pull_secret(name, auth)
    local login = secret.base64(secret.new(auth.username .. ":" .. auth.password:reveal()))
    local config = json.encode({ auths = { [auth.serveraddress] = { auth = login } } }, { secrets = "reveal" })
    return {
        apiVersion = "v1", kind = "Secret", type = "kubernetes.io/dockerconfigjson",
        metadata = { name = name, labels = { ["app.kubernetes.io/managed-by"] = "todo-lua" } },
        data = { [".dockerconfigjson"] = secret.base64(secret.new(config)) },
    }
end

---The registry that a deploy pushes to, nil where images reach the cluster in another way.
---@param ctx todo.Context
---@return string? "registry.example.com/team"
function registry.of(ctx)
    return ctx.provider and ctx.provider.name == "context" and ctx.config.cluster.registry or nil
end

---Gives the release's namespace the Secret that its pods name (ctx.pull_secret), where the registry wants credentials.
---@async
---@param ctx todo.Context with k8s
function registry.ensure_pull_secret(ctx)
    local target = registry.of(ctx)
    local auth = target and registry.credentials(registry.host(target .. "/"))
    if not auth then return end
    if not auth.password then
        fail.raise("unsupported", ("docker holds an identity token for %s, with which nodes cannot log in"):format(
            auth.serveraddress), "log in with a user and a password or access token: docker login -u USER "
            .. auth.serveraddress)
    end
    local namespace = ctx.config.namespace
    if not ctx.k8s:get("Namespace", namespace) then
        ctx.k8s:create { apiVersion = "v1", kind = "Namespace", metadata = { name = namespace } }
    end
    local object = registry.pull_secret(secret_name(ctx), auth)
    object.metadata.namespace = namespace
    local there = ctx.k8s:get("Secret", object.metadata.name, { namespace = namespace })
    local wanted = object.data[".dockerconfigjson"]:reveal()
    if not there or there.data[".dockerconfigjson"] ~= wanted then ctx.k8s:apply(object, { force = true }) end
    ctx.pull_secret = object.metadata.name
end

---@async
---@param ctx todo.Context with k8s
function registry.remove_pull_secret(ctx)
    local there = ctx.k8s:get("Secret", secret_name(ctx), { namespace = ctx.config.namespace })
    if there and (there.metadata.labels or {})["app.kubernetes.io/managed-by"] == "todo-lua" then
        ctx.k8s:delete("Secret", secret_name(ctx), { namespace = ctx.config.namespace })
    end
end

return registry
