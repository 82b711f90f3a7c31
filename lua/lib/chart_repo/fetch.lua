-- Reads from chart repositories over HTTP (helm.sh/helm/v3/pkg/getter).
local address = require "chart_repo.address"
local fail = require "fail"
local fs = require "fs"
local gonet = require "release.gonet"
local http = require "http"

local fetch = {}

local SECONDS = 120 -- as helm waits
local MOST_BYTES = 256 << 20

-- What HTTP/1 servers say of a status: HTTP/2, which helm does not speak with repositories, has no such text.
local reasons = {
    [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
    [405] = "Method Not Allowed", [410] = "Gone", [429] = "Too Many Requests", [500] = "Internal Server Error",
    [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
}

---How to speak with a repository.
---@class todo.ChartAccess
---@field owner string? URL that the credentials are for; default any
---@field username string?
---@field password string|todo.Secret?
---@field pass_credentials boolean? to every host
---@field cert_file string?
---@field key_file string?
---@field ca_file string?
---@field insecure boolean?
---@field plain_http boolean?
---@field timeout number?

local function given(text) return text and text ~= "" and text or nil end

local function file(path)
    return fs.read(path) or fail.raise("not_found", ("can't create TLS config for client: open %s: no such file or "
        .. "directory"):format(path))
end

---Options of module http for a URL.
---@param url string
---@param access todo.ChartAccess
---@return todo.HttpOptions
function fetch.options(url, access)
    local options = { timeout = access.timeout or SECONDS, max_body = MOST_BYTES, insecure = access.insecure,
        ca_file = given(access.ca_file), headers = { ["User-Agent"] = "todo-lua" } }
    if options.ca_file and not fs.exists(options.ca_file) then file(options.ca_file) end
    if given(access.cert_file) and given(access.key_file) then
        options.cert, options.key = file(access.cert_file), file(access.key_file)
    end
    local is_owner = not access.owner or address.same_origin(access.owner, url)
    if (access.pass_credentials or is_owner) and given(access.username) and given(access.password) then
        options.username, options.password = access.username, access.password
    end
    return options
end

---@async
---@param url string
---@param access todo.ChartAccess
---@return string body
function fetch.get(url, access)
    local scheme = address.parse(url).scheme
    if scheme ~= "http" and scheme ~= "https" then
        fail.raise("usage", ("scheme %q not supported"):format(scheme))
    end
    local ok, answer = pcall(http.get, url, fetch.options(url, access))
    if not ok then
        fail.raise(fail.kind(answer) or "connect", gonet.message(url, answer),
            fail.field(answer, "hint"), { cause = answer })
    end
    if answer.status ~= 200 then
        local text = answer.status_text or ("%d %s"):format(answer.status, reasons[answer.status] or "")
        fail.raise("http", ("failed to fetch %s : %s"):format(url, text))
    end
    return answer.body
end

return fetch
