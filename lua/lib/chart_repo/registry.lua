-- A client of OCI registries (the OCI distribution specification): manifests, blobs, tags, with the token challenge of
-- RFC 6750 as registries use it. What comes is checked against its digest.
local address = require "chart_repo.address"
local fail = require "fail"
local fetch = require "chart_repo.fetch"
local gonet = require "release.gonet"
local http = require "http"
local image_registry = require "registry"
local json = require "json"
local secret = require "secret"

local registry = {}

local MANIFEST = "application/vnd.oci.image.manifest.v1+json"
local ACCEPTED = "application/vnd.docker.distribution.manifest.v2+json, "
    .. "application/vnd.docker.distribution.manifest.list.v2+json, " .. MANIFEST
    .. ", application/vnd.oci.image.index.v1+json"
local MOST_MANIFEST = 4 << 20
local MOST_PAGES = 1000

---@class todo.Registry
---@field host string
---@field repository string
---@field scheme "https"|"http"
---@field access todo.ChartAccess
---@field config string file of credentials
---@field header string|todo.Secret|nil Authorization
local Registry = {}
Registry.__index = Registry

---@param host string with its port
---@param repository string
---@param access todo.ChartAccess
---@param config string helm's file of credentials
---@return todo.Registry
function registry.open(host, repository, access, config)
    return setmetatable({ host = host, repository = repository, access = access, config = config,
        scheme = access.plain_http and "http" or "https" }, Registry)
end

-- ---- authorization ----

-- The scheme and the parameters of a WWW-Authenticate header.
local function challenge_of(header)
    local scheme, rest = (header or ""):match("^%s*(%a+)%s*(.*)$")
    local parameters = {}
    for name, value in (rest or ""):gmatch('([%w_]+)="([^"]*)"') do parameters[name:lower()] = value end
    return scheme and scheme:lower() or "", parameters
end

local function known(self)
    local access = self.access
    if access.username and access.username ~= "" and access.password then
        return { username = access.username, password = access.password }
    end
    -- helm's file comes before docker's own.
    local found = image_registry.credentials(self.host, self.config) or image_registry.credentials(self.host)
    if found and not found.password then
        fail.raise("unsupported", ("an identity token is held for %s, which charts are not fetched with"):format(
            self.host), "log in with a user and a password or access token")
    end
    return found
end

local function basic(found)
    return "Basic " .. secret.base64(secret.new(found.username .. ":") .. found.password)
end

local function token_of(self, parameters, actions)
    local realm = parameters.realm
    local scheme = realm and address.parse(realm).scheme or ""
    if scheme ~= "https" and not (scheme == "http" and self.scheme == "http") then
        fail.raise("denied", ("the registry %s names no place to get a token from"):format(self.host))
    end
    local query = {}
    if parameters.service then query[1] = "service=" .. http.escape(parameters.service) end
    local scope = parameters.scope
        or self.repository ~= "" and ("repository:%s:%s"):format(self.repository, actions) or nil
    if scope then query[#query + 1] = "scope=" .. http.escape(scope) end
    local options = fetch.options(realm, { ca_file = self.access.ca_file, insecure = self.access.insecure })
    local found = known(self)
    if found then options.headers.Authorization = basic(found) end
    local answer = http.get(realm .. (realm:find("?", 1, true) and "&" or "?") .. table.concat(query, "&"), options)
    local ok, document = pcall(json.decode, answer.body)
    local token = answer.status == 200 and ok and type(document) == "table"
        and (document.token or document.access_token)
    if type(token) ~= "string" then
        fail.raise("denied", ("GET %q: response status code %d: no token"):format(realm, answer.status))
    end
    return "Bearer " .. secret.new(token)
end

local function authorize(self, answer, actions)
    local scheme, parameters = challenge_of(answer.headers["www-authenticate"])
    if scheme == "bearer" then
        self.header = token_of(self, parameters, actions)
        return true
    end
    local found = scheme == "basic" and known(self)
    if not found then return false end
    self.header = basic(found)
    return true
end

-- ---- requests ----

local function send_once(self, method, url, options)
    local own = address.same_origin(url, ("%s://%s"):format(self.scheme, self.host))
    local request = fetch.options(url, { ca_file = self.access.ca_file, cert_file = self.access.cert_file,
        key_file = self.access.key_file, insecure = self.access.insecure, timeout = self.access.timeout })
    request.method, request.body = method, options.body
    request.max_body = options.max_body or request.max_body
    for name, value in pairs(options.headers or {}) do request.headers[name] = value end
    if own and self.header then request.headers.Authorization = self.header end
    return http.request(url, request)
end

-- A registry that speaks no TLS is spoken with without it, as helm does where no TLS was asked for.
local function send(self, method, path, options)
    local function url()
        return path:find("^https?://") and path or ("%s://%s%s"):format(self.scheme, self.host, path)
    end
    local ok, answer = pcall(send_once, self, method, url(), options)
    if ok then return answer end
    local asked = self.access.ca_file or self.access.cert_file or self.access.insecure
    if self.scheme == "https" and not asked and not self.header and fail.kind(answer) == "tls"
        and fail.message(answer):find("wrong version number", 1, true) then
        self.scheme = "http"
        return send_once(self, method, url(), options)
    end
    if fail.kind(answer) ~= "connect" then error(answer, 0) end
    local message = gonet.message(url(), answer):gsub("^Get", method:sub(1, 1) .. method:sub(2):lower())
    fail.raise("connect", message, fail.field(answer, "hint"), { cause = answer })
end

-- What the registry says is wrong, as oras-go prints it.
local function complain(self, method, path, answer)
    local ok, document = pcall(json.decode, answer.body)
    local texts = {}
    local errors = ok and type(document) == "table" and document.errors
    for _, one in ipairs(type(errors) == "table" and errors or {}) do
        local detail = one.detail ~= nil and one.detail ~= json.null and ": " .. json.encode(one.detail) or ""
        texts[#texts + 1] = tostring(one.code):lower():gsub("_", " ") .. ": " .. tostring(one.message) .. detail
    end
    fail.raise(answer.status == 404 and "not_found" or (answer.status == 401 or answer.status == 403) and "denied"
        or "http", ('%s "%s://%s%s": response status code %d: %s'):format(method, self.scheme, self.host, path,
            answer.status, table.concat(texts, "; ")), nil, { answered = answer.status })
end

---@class todo.RegistryRequest
---@field headers table<string, string>?
---@field body string?
---@field max_body integer?
---@field push boolean? needs the right to write
---@field absent boolean? 404 is an answer

---@async
---@param method string
---@param path string or a URL
---@param options todo.RegistryRequest?
---@return todo.HttpResponse
function Registry:request(method, path, options)
    options = options or {}
    local answer = send(self, method, path, options)
    if answer.status == 401 and authorize(self, answer, options.push and "pull,push" or "pull") then
        answer = send(self, method, path, options)
    end
    if answer.status < 300 or options.absent and answer.status == 404 then return answer end
    return complain(self, method, path, answer)
end

local function of(self, kind, name) return ("/v2/%s/%s/%s"):format(self.repository, kind, name) end

local function check_digest(bytes, digest, what)
    local wanted = digest:match("^sha256:(%x+)$")
    if not wanted then fail.raise("digest", ("%s has a digest of an unknown kind: %s"):format(what, digest)) end
    if secret.sha256(bytes) ~= wanted:lower() then
        fail.raise("digest", ("%s does not have the digest that is told: sha256:%s, expected %s"):format(what,
            secret.sha256(bytes), digest))
    end
end

-- What cannot be reached at all is told with helm's word for what was to be done there.
local function reached(word, ok, ...)
    if ok then return ... end
    local problem = ...
    if fail.kind(problem) ~= "connect" then error(problem, 0) end
    fail.raise("connect", word .. fail.message(problem), fail.field(problem, "hint"), { cause = problem })
end

---Raises where the registry does not take the credentials.
---@async
function Registry:check_login()
    reached(("authenticating to %q: "):format(self.host), pcall(self.request, self, "GET", "/v2/"))
end

---A manifest by its tag or digest; nil where there is none.
---@async
---@param reference string
---@return table? manifest
---@return string? digest
---@return string? bytes
function Registry:manifest(reference)
    local answer = reached('failed to perform "FetchReference" on source: ', pcall(self.request, self, "GET",
        of(self, "manifests", reference), { headers = { Accept = ACCEPTED }, max_body = MOST_MANIFEST, absent = true }))
    if answer.status == 404 then return nil end
    local digest = reference:find("^sha256:") and reference or answer.headers["docker-content-digest"]
    digest = digest or "sha256:" .. secret.sha256(answer.body)
    check_digest(answer.body, digest, "the manifest")
    local ok, manifest = pcall(json.decode, answer.body)
    if not ok or type(manifest) ~= "table" then fail.raise("parse", "the registry's manifest is no JSON") end
    return manifest, digest, answer.body
end

---The content that a descriptor names.
---@async
---@param descriptor { digest: string, size: integer }
---@param most integer bytes
---@return string
function Registry:blob(descriptor, most)
    if type(descriptor.digest) ~= "string" or math.type(descriptor.size) ~= "integer" then
        fail.raise("parse", "the registry's manifest has a descriptor without digest and size")
    end
    if descriptor.size > most then
        fail.raise("too_large", ("the registry's content has %d bytes, more than %d"):format(descriptor.size, most))
    end
    local answer = self:request("GET", of(self, "blobs", descriptor.digest), { max_body = descriptor.size + 1 })
    if #answer.body ~= descriptor.size then
        fail.raise("digest", ("the registry's content has %d bytes, not %d"):format(#answer.body, descriptor.size))
    end
    check_digest(answer.body, descriptor.digest, "the registry's content")
    return answer.body
end

---@async
---@return string[]
function Registry:tags()
    local tags, path = {}, of(self, "tags", "list")
    for _ = 1, MOST_PAGES do
        local answer = self:request("GET", path)
        local document = json.decode(answer.body)
        for _, tag in ipairs(type(document.tags) == "table" and document.tags or {}) do tags[#tags + 1] = tag end
        local link = (answer.headers.link or ""):match('<([^>]*)>;%s*rel="?next"?')
        if not link then break end
        if not link:find("^/") then fail.raise("parse", "the registry's list of tags goes on elsewhere: " .. link) end
        path = link
    end
    return tags
end

---Uploads content; nothing is sent where the registry has it.
---@async
---@param bytes string
---@return string digest
function Registry:push_blob(bytes)
    local digest = "sha256:" .. secret.sha256(bytes)
    local found = self:request("HEAD", of(self, "blobs", digest), { push = true, absent = true })
    if found.status == 200 then return digest end
    local answer = self:request("POST", ("/v2/%s/blobs/uploads/"):format(self.repository), { push = true, body = "" })
    local place = answer.headers.location
        or fail.raise("parse", "the registry does not say where the upload goes on")
    if not place:find("^https?://") and not place:find("^/") then
        fail.raise("parse", "the registry's upload goes on elsewhere: " .. place)
    end
    self:request("PUT", place .. (place:find("?", 1, true) and "&" or "?") .. "digest=" .. http.escape(digest),
        { push = true, body = bytes, headers = { ["Content-Type"] = "application/octet-stream" } })
    return digest
end

---@async
---@param bytes string
---@param tag string
---@return string digest
function Registry:push_manifest(bytes, tag)
    self:request("PUT", of(self, "manifests", tag), { push = true, body = bytes,
        headers = { ["Content-Type"] = MANIFEST } })
    return "sha256:" .. secret.sha256(bytes)
end

return registry
