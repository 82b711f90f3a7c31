-- Fetches charts that are no files here: of a URL, a repository or a registry (ChartDownloader of helm).
local address = require "chart_repo.address"
local fail = require "fail"
local fetch = require "chart_repo.fetch"
local fs = require "fs"
local index = require "chart_repo.index"
local oci = require "chart_repo.oci"
local places = require "chart_repo.places"
local provenance = require "chart_repo.provenance"
local repositories = require "chart_repo.repositories"
local secret = require "secret"

local download = {}

---How to speak with whoever has the chart, from the flags.
---@param options table
---@return todo.ChartAccess
function download.access(options)
    local password = options.password
    return { username = options.username, password = password and password ~= "" and secret.new(password) or nil,
        pass_credentials = options.pass_credentials, cert_file = options.cert_file, key_file = options.key_file,
        ca_file = options.ca_file, insecure = options.insecure_skip_tls_verify, plain_http = options.plain_http }
end

-- What a repository of the list asks for comes over the flags.
local function with_repository(access, entry)
    local own = repositories.access(entry)
    local merged = {}
    for key, value in pairs(access) do merged[key] = value end
    merged.owner = entry.url
    if entry.certFile ~= "" or entry.keyFile ~= "" or entry.caFile ~= "" then
        merged.cert_file, merged.key_file, merged.ca_file = own.cert_file, own.key_file, own.ca_file
    end
    if entry.username ~= "" and entry.password ~= "" then
        merged.username, merged.password, merged.pass_credentials = own.username, own.password, own.pass_credentials
    end
    return merged
end

local function cached_index(cache, name)
    local ok, found = pcall(index.load, places.index(cache, name))
    if ok then return found end
    fail.raise(fail.kind(found), "no cached repo found. (try 'helm repo update'): " .. fail.message(found))
end

-- The repository whose index names the URL, with the digest that it tells.
local function owner_of(url, where)
    for _, entry in ipairs(repositories.load(where.repository_config).repositories) do
        for _, versions in pairs(cached_index(where.repository_cache, entry.name).entries) do
            for _, version in ipairs(versions) do
                for _, one in ipairs(version.urls) do
                    if address.equal(url, one) then return entry, version.digest end
                end
            end
        end
    end
end

-- A URL, how to fetch it, and the digest that its repository tells.
local function of_repository(reference, range, access, where)
    local name, rest = address.parse(reference).path:match("^([^/]*)/(.*)$")
    if not name then
        fail.raise("usage", "non-absolute URLs should be in form of repo_name/path_to_chart, got: " .. reference)
    end
    local entry = repositories.find(repositories.load(where.repository_config), name)
    if not entry then fail.raise("not_found", ("repo %s not found"):format(name)) end
    if entry.url == "" then fail.raise("not_found", ("no URL found for repository %s"):format(name)) end
    local ok, version = pcall(index.get, cached_index(where.repository_cache, name), rest, range)
    if not ok then
        fail.raise(fail.kind(version), ('chart "%s" matching %s not found in %s index. (try \'helm repo update\'): %s')
            :format(rest, range, name, fail.message(version)))
    end
    if #version.urls == 0 then fail.raise("not_found", ('chart "%s" has no downloadable URLs'):format(reference)) end
    return address.resolve(entry.url, version.urls[1]), with_repository(access, entry), version.digest
end

---@class todo.ChartLink
---@field url string
---@field access todo.ChartAccess
---@field digest string? that the repository's index tells
---@field reference string? as the user names the chart, where that is not its URL

---Where a chart can be fetched.
---@async
---@param reference string URL or REPOSITORY/CHART
---@param range string version or range, "" for the newest
---@param access todo.ChartAccess
---@param where todo.ChartPlaces
---@return todo.ChartLink
function download.find(reference, range, access, where)
    local parts = address.parse(reference)
    if parts.scheme ~= "" and parts.host ~= "" and parts.path ~= "" then
        local entry, digest = owner_of(reference, where)
        if entry then return { url = reference, access = with_repository(access, entry), digest = digest } end
        local own = setmetatable({ owner = access.owner or reference }, { __index = access })
        return { url = reference, access = own }
    end
    local url, own, digest = of_repository(reference, range, access, where)
    return { url = url, access = own, digest = digest }
end

---A chart of a repository that is named by its URL (--repo).
---@async
---@param repository string
---@param name string
---@param range string
---@param access todo.ChartAccess
---@return todo.ChartLink
function download.find_at(repository, name, range, access)
    local own = setmetatable({ owner = repository }, { __index = access })
    local ok, found = pcall(repositories.fetch_index, repository, own)
    if not ok then
        fail.raise(fail.kind(found), ("looks like %q is not a valid chart repository or cannot be reached: %s"):format(
            repository, fail.message(found)), fail.field(found, "hint"), { cause = found })
    end
    local label = ("chart %q"):format(name) .. (range ~= "" and (" version %q"):format(range) or "")
    local got, version = pcall(index.get, found, name, range)
    if not got then fail.raise("not_found", ("%s not found in %s repository"):format(label, repository)) end
    if #version.urls == 0 then fail.raise("not_found", label .. " has no downloadable URLs") end
    return { url = address.resolve(repository, version.urls[1]), access = own, digest = version.digest }
end

-- The name that the file gets; an address that ends in none has no chart.
local function file_name(url)
    local name = address.file_name(url)
    if name == "" or name == "." or name == ".." or name:find("/", 1, true) or name:find("\0", 1, true) then
        fail.raise("usage", "the URL does not end in a file's name: " .. url)
    end
    return name
end

---Fetches an archive and writes it into a folder, under its own name.
---@async
---@param link todo.ChartLink
---@param folder string
---@param proof todo.Proof? default: provenance does not matter
---@return string path
---@return todo.Verification?
function download.save(link, folder, proof)
    local bytes = fetch.get(link.url, link.access)
    local wanted = type(link.digest) == "string" and link.digest:gsub("^sha256:", ""):lower() or ""
    if wanted ~= "" and secret.sha256(bytes) ~= wanted then
        fail.raise("digest", ("the digest of %s is not what its repository's index says: sha256:%s, expected %s")
            :format(link.url, secret.sha256(bytes), wanted))
    end
    local path = fs.join(folder, file_name(link.url))
    fs.write(path, bytes)
    if not proof then return path end
    return path, provenance.attest(path, link.url, link.reference or link.url, proof, function()
        return fetch.get(link.url .. ".prov", link.access)
    end)
end

local function proof_of(options, say)
    local strategy = options.verify and "always" or options.prov and "later"
    return strategy and { strategy = strategy, keyring = provenance.keyring(options), say = say } or nil
end

---Fetches a chart that is no file here.
---@async
---@param reference string
---@param options table flags of the groups chart_source and verify; prov: fetch the .prov file, too
---@param folder string
---@param say fun(text: string)? takes what helm prints; with prov
---@return string path of the archive
---@return todo.Verification? with --verify
function download.run(reference, options, folder, say)
    local range = options.version or ""
    if range == "" and options.devel then range = ">0.0.0-0" end
    local access, where, proof = download.access(options), places.of(options), proof_of(options, say)
    if oci.is(reference) and not options.repo then
        return oci.download(reference, range, access, where, folder, proof)
    end
    local link
    if options.repo and options.repo ~= "" then
        link = download.find_at(options.repo, reference, range, access)
        if oci.is(link.url) then return oci.download(link.url, range, access, where, folder, proof) end
    else
        link = download.find(reference, range, access, where)
        link.reference = reference
    end
    return download.save(link, folder, proof)
end

return download
