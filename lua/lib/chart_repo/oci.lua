-- Charts in OCI registries (helm.sh/helm/v3/pkg/registry): found by tag, range or digest, fetched, pushed.
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local provenance = require "chart_repo.provenance"
local registry = require "chart_repo.registry"
local secret = require "secret"
local session = require "release.session"
local tables = require "tables"

local oci = {}

local CONFIG = "application/vnd.cncf.helm.config.v1+json"
local CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
local OLD_CHART = "application/tar+gzip"
local PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
local MOST_CHART, MOST_CONFIG, MOST_PROVENANCE = 256 << 20, 4 << 20, 4 << 20

---@param reference string
---@return boolean
function oci.is(reference) return reference:find("^oci://") ~= nil end

---@class todo.OciReference
---@field host string with its port
---@field repository string
---@field tag string "" where there is none; "_" in place of "+", which registries do not take
---@field digest string "" where there is none

---@param text string with or without oci://
---@return todo.OciReference
function oci.parse(text)
    local rest = text:gsub("^oci://", "")
    local before, digest = rest:match("^(.*)@(.*)$")
    local host, path = (before or rest):match("^([^/]+)/(.+)$")
    if not host then fail.raise("usage", "invalid reference: missing registry or repository") end
    local repository, tag = path:match("^(.-):([^/]*)$")
    repository = repository or path
    for part in (repository .. "/"):gmatch("([^/]*)/") do
        if not part:find("^[a-z0-9]+[a-z0-9._-]*$") or not part:find("[a-z0-9]$") then
            fail.raise("usage", ("invalid reference: invalid repository %q"):format(repository))
        end
    end
    tag = (tag or ""):gsub("%+", "_")
    if tag ~= "" and (not tag:find("^[%w_][%w._-]*$") or #tag > 128) then
        fail.raise("usage", ("invalid reference: invalid tag %q"):format(tag))
    end
    if digest and not digest:find("^sha256:%x+$") then
        fail.raise("usage", ("invalid reference: invalid digest %q"):format(digest))
    end
    return { host = host, repository = repository, tag = tag, digest = digest or "" }
end

local function text_of(reference)
    return ("%s/%s%s"):format(reference.host, reference.repository,
        reference.digest ~= "" and "@" .. reference.digest or ":" .. reference.tag)
end

local function open(reference, access, where)
    return registry.open(reference.host, reference.repository, access, where.registry_config)
end

-- The versions that a repository's tags are, newest first.
local function versions_of(client)
    local list = {}
    for _, tag in ipairs(client:tags()) do
        local version = tag:gsub("_", "+")
        local is_full = version:find("^%d+%.%d+%.%d+") and chart.compare_versions(version, version)
        if is_full then list[#list + 1] = version end
    end
    table.sort(list, function(a, b)
        local order = chart.compare_versions(a, b)
        if order == 0 then return a > b end
        return order > 0
    end)
    return list
end

---The versions of a chart in a registry, newest first.
---@async
---@param text string "oci://host/path/chart"
---@param access todo.ChartAccess
---@param where todo.ChartPlaces
---@return string[]
function oci.versions(text, access, where)
    return versions_of(open(oci.parse(text), access, where))
end

local function matching(versions, range)
    for _, version in ipairs(versions) do
        if version == range then return version end
    end
    for _, version in ipairs(versions) do
        if chart.satisfies(range == "" and "*" or range, version) then return version end
    end
    fail.raise("not_found", "Could not locate a version matching provided version string " .. range)
end

-- The version that a reference and a range mean together; "" where a digest decides alone.
local function resolve(client, text, reference, range)
    if range == "" then
        range = reference.tag
    elseif reference.tag ~= "" and reference.tag ~= range then
        fail.raise("usage", ("chart reference and version mismatch: %s is not %s"):format(range, reference.tag))
    end
    if reference.digest ~= "" then
        local _, digest
        if range ~= "" then _, digest = client:manifest((range:gsub("%+", "_"))) end
        if digest and digest ~= reference.digest then
            fail.raise("digest", ("chart reference digest mismatch: %s is not %s"):format(digest, reference.digest))
        end
        return ""
    end
    if chart.compare_versions(range, range) then return range end
    local versions = versions_of(client)
    if #versions == 0 then
        fail.raise("not_found", "Unable to locate any tags in provided repository: " .. text)
    end
    return matching(versions, range)
end

local function layer_of(manifest, kind)
    for _, layer in ipairs(type(manifest.layers) == "table" and manifest.layers or {}) do
        if type(layer) == "table" and layer.mediaType == kind then return layer end
    end
end

-- What helm says then.
local UNDERSCORE = [[

OCI artifact references (e.g. tags) do not support the plus sign (+). To support
storing semantic versions, Helm adopts the convention of changing plus (+) to
an underscore (_) in chart version tags when pushing to a registry and back to
a plus (+) when pulling from a registry.]]

local function say(format, ...) io.stderr:write(format:format(...), "\n") end

local function say_done(verb, reference, digest)
    say("%s: %s\nDigest: %s", verb, text_of(reference), digest)
    if reference.tag:find("_", 1, true) then
        say("%s contains an underscore.\n%s", text_of(reference), UNDERSCORE)
    end
end

-- The manifest, with its digest, of what is a chart.
local function chart_manifest(client, reference)
    local manifest, digest = client:manifest(reference.digest ~= "" and reference.digest or reference.tag)
    if not manifest then fail.raise("not_found", text_of(reference) .. ": not found") end
    local config = manifest.config
    if type(config) ~= "table" or config.mediaType ~= CONFIG then
        fail.raise("parse", "could not load config with mediatype " .. CONFIG)
    end
    client:blob(config, MOST_CONFIG)
    return manifest, digest
end

-- The chart's archive.
local function pull(client, reference)
    local manifest, digest = chart_manifest(client, reference)
    local layer = layer_of(manifest, CHART) or layer_of(manifest, OLD_CHART)
    if not layer then fail.raise("parse", "manifest does not contain a layer with mediatype " .. CHART) end
    local bytes = client:blob(layer, MOST_CHART)
    if layer.mediaType == OLD_CHART then say("Warning: chart media type %s is deprecated", OLD_CHART) end
    say_done("Pulled", reference, digest)
    return bytes
end

local function pull_provenance(client, reference)
    local manifest, digest = chart_manifest(client, reference)
    local layer = layer_of(manifest, PROVENANCE)
    if not layer then fail.raise("parse", "manifest does not contain a layer with mediatype " .. PROVENANCE) end
    local bytes = client:blob(layer, MOST_PROVENANCE)
    say_done("Pulled", reference, digest)
    return bytes
end

---Fetches a chart and writes its archive into a folder.
---@async
---@param text string "oci://host/path/chart[:tag][@digest]"
---@param range string version or range, "" for the newest
---@param access todo.ChartAccess
---@param where todo.ChartPlaces
---@param folder string
---@param proof todo.Proof? default: provenance does not matter
---@return string path
---@return todo.Verification?
function oci.download(text, range, access, where, folder, proof)
    local reference = oci.parse(text)
    local client = open(reference, access, where)
    local version = resolve(client, text, reference, range)
    if version ~= "" then reference.tag = version:gsub("%+", "_") end
    local bytes = pull(client, reference)
    local name = reference.repository:match("[^/]*$")
    -- The file of what a digest names is called after it, as helm calls it.
    local file = version ~= "" and ("%s-%s.tgz"):format(name, version)
        or ("%s@%s.tgz"):format(name, (reference.digest:gsub(":", "-")))
    local path = fs.join(folder, file)
    fs.write(path, bytes)
    if not proof then return path end
    return path, provenance.attest(path, "oci://" .. text_of(reference), text, proof, function()
        return pull_provenance(client, reference)
    end)
end

local function maintainers_of(list)
    local parts = {}
    for index, one in ipairs(list) do
        parts[index] = (one.name or "") .. (one.email and one.email ~= "" and (" (%s)"):format(one.email) or "")
    end
    return table.concat(parts, ", ")
end

-- The manifest's annotations: what the chart says of itself, with its own annotations.
local function annotations_of(meta, created)
    local found = {}
    local function add(name, value)
        if value and value:find("%S") then found["org.opencontainers.image." .. name] = value end
    end
    add("description", meta.description)
    add("title", meta.name)
    add("version", meta.version)
    add("url", meta.home)
    add("created", created)
    add("source", meta.sources and meta.sources[1])
    add("authors", meta.maintainers and maintainers_of(meta.maintainers))
    for name, value in pairs(meta.annotations or {}) do
        if name ~= "org.opencontainers.image.version" and name ~= "org.opencontainers.image.title" then
            found[name] = value
        end
    end
    return found
end

local function descriptor(kind, bytes)
    return session.ordered({ "mediaType", "digest", "size" },
        { mediaType = kind, digest = "sha256:" .. secret.sha256(bytes), size = #bytes })
end

local function json_text(value) return (session.json(value):gsub("\n$", "")) end

---Pushes a chart's archive, with its provenance file where one lies beside it.
---@async
---@param path string
---@param target string "oci://host/path"
---@param access todo.ChartAccess
---@param where todo.ChartPlaces
function oci.push(path, target, access, where)
    local stat = fs.stat(path) or fail.raise("not_found", path .. ": no such file")
    if stat.type == "dir" then
        fail.raise("usage", "cannot push directory, must provide chart archive (.tgz)")
    end
    local c, bytes = chart.load(path), fs.read(path)
    local reference = oci.parse(("%s/%s:%s"):format(target:gsub("/+$", ""), c.name, c.version))
    local client = open(reference, access, where)
    local config, proof = json_text(c.metadata), fs.read(path .. ".prov")
    local layers = json.list { descriptor(CHART, bytes) }
    if proof then layers[2] = descriptor(PROVENANCE, proof) end
    table.sort(layers, function(a, b) return a.digest < b.digest end)
    local created = os.date("%Y-%m-%dT%H:%M:%S", math.floor(stat.mtime))
        .. os.date("%z", math.floor(stat.mtime)):gsub("^(...)(..)$", "%1:%2"):gsub("^%+00:00$", "Z")
    local annotations = annotations_of(c.metadata, created)
    local manifest = json_text(session.ordered({ "schemaVersion", "config", "layers", "annotations" }, {
        schemaVersion = 2, config = descriptor(CONFIG, config), layers = layers,
        annotations = session.ordered(tables.keys(annotations), annotations) }))
    client:push_blob(config)
    client:push_blob(bytes)
    if proof then client:push_blob(proof) end
    say_done("Pushed", reference, client:push_manifest(manifest, reference.tag))
end

return oci
