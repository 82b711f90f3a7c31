-- Where the user's Docker engine is, as the docker command decides it (cli/command/cli.go, its context store):
-- DOCKER_HOST, else the context that DOCKER_CONTEXT or config.json names, else a socket of this machine.
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local proc = require "proc"
local secret = require "secret"
local tables = require "tables"

local docker_endpoint = {}

local DEFAULT = "default" -- the context that stands for DOCKER_HOST and the usual sockets

---@class todo.DockerEndpoint: todo.DockerConnect
---@field named_by string? "DOCKER_HOST", or what names the context; nil where nothing does
---@field context string?

-- What `minikube docker-env` sets, and the names under which it keeps what was there before.
local VARIABLES = { "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY" }
local KEPT = "MINIKUBE_EXISTING_"
local ACTIVE = "MINIKUBE_ACTIVE_DOCKERD"

local function set(name)
    local value = proc.env(name)
    return value ~= "" and value or nil
end

---The Minikube profile whose Docker this shell was pointed at with `eval $(minikube docker-env)`.
---@return string?
function docker_endpoint.minikube_shell() return set(ACTIVE) end

-- A shell of Minikube's Docker is taken for what it was before, as minikube itself does: that engine is in the cluster,
-- which may not run, and what belongs beside the cluster has no place in it.
local function variable(name) return set((set(ACTIVE) and KEPT or "") .. name) end

---The folder in which the docker command keeps what it knows.
---@return string
function docker_endpoint.folder() return set("DOCKER_CONFIG") or fs.join(proc.platform().home, ".docker") end

local function read_json(path)
    local ok, document = pcall(function() return json.decode(fs.read(path) or "{}") end)
    return ok and type(document) == "table" and document or {}
end

-- Name of the context in use and what names it; nil where it is the default.
local function chosen_context()
    local name, named_by = set("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
    if not name then
        named_by = fs.join(docker_endpoint.folder(), "config.json")
        name = read_json(named_by).currentContext
    end
    if type(name) ~= "string" or name == "" or name == DEFAULT then return nil end
    return name, named_by
end

local function of_context(name, named_by)
    local id = secret.sha256(name)
    local path = fs.join(docker_endpoint.folder(), "contexts", "meta", id, "meta.json")
    local endpoint = tables.at(read_json(path), "Endpoints.docker") or {}
    if (endpoint.Host or "") == "" then
        fail.raise("not_found", ("there is no Docker context %s, which %s names"):format(name, named_by),
            "docker context ls shows those that there are; docker context use default goes back to the local engine")
    end
    local certificates = fs.join(docker_endpoint.folder(), "contexts", "tls", id, "docker")
    if not fs.exists(certificates) then certificates = nil end
    -- Where no file says that TLS is spoken, the address does.
    local host = not certificates and endpoint.SkipTLSVerify and endpoint.Host:gsub("^tcp:", "https:") or endpoint.Host
    return { host = host, cert_path = certificates, tls_verify = not endpoint.SkipTLSVerify, context = name,
        named_by = named_by }
end

---What docker.open is to be given.
---@param options todo.DockerConnect? one with a host is taken as it is
---@return todo.DockerEndpoint
function docker_endpoint.resolve(options)
    if options and options.host then return options end
    local host = variable("DOCKER_HOST")
    if not host then
        local name, named_by = chosen_context()
        if name then return of_context(name, named_by) end
    end
    local verify = variable("DOCKER_TLS_VERIFY") ~= nil or nil
    return { host = host, named_by = host and "DOCKER_HOST", tls_verify = verify,
        cert_path = variable("DOCKER_CERT_PATH") or verify and docker_endpoint.folder() or nil }
end

---The next step where nothing answers at an address that somebody named.
---@param endpoint todo.DockerEndpoint
---@return string
function docker_endpoint.advice(endpoint)
    local variable_name = endpoint.named_by:match("^DOCKER_%u+$")
    return "start that engine, or " .. (variable_name and ("unset %s to use the local one"):format(variable_name)
        or "use the local one: docker context use default")
end

---What the environment of programs that call Docker themselves (docker, kind, k3d, minikube) has to have so that they
---reach the engine that docker.connect does.
---@return table<string, string|false> env for proc.run
function docker_endpoint.environment()
    local env = {}
    if set(ACTIVE) then
        env[ACTIVE] = false
        for _, name in ipairs(VARIABLES) do env[name] = variable(name) or false end
    end
    -- Where nothing names an engine, docker knows of one socket only. A context it finds as we do.
    if not docker_endpoint.resolve().named_by then env.DOCKER_HOST = require("docker").open().host end
    return env
end

return docker_endpoint
