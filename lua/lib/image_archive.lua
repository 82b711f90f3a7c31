-- Docker's archives of images on their way to a containerd: layers that it has are left out, which only an OCI layout
-- allows (containerd's core/images/archive/importer.go takes every other file for content, whatever its name).
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local secret = require "secret"
local tables = require "tables"
local tar_stream = require "tar_stream"

local image_archive = {}

local OCI = "application/vnd.oci.image."
local MOST_TEXT = 16 << 20 -- bytes of one of an archive's descriptions
local MOST_KNOWN = 5000

---The name under which containerd knows an image of Docker's.
---@param name string
---@return string
function image_archive.full_name(name)
    local first = name:match("^([^/]+)/")
    if not first then return "docker.io/library/" .. name end
    if first:find("[%.:]") or first == "localhost" then return name end
    return "docker.io/" .. name
end

-- ---- which layer, which configuration is which ----

-- Engines before 25 name a layer in an archive by a hash that only its content and its parents decide: what it was once
-- found to be, it always is. So it is with the digest of a manifest, which decides the configuration's.
local function known_path(ctx) return fs.join(ctx.cache_dir, "image-layers.json") end

---What is known of layers' names in archives, and of manifests' digests.
---@param ctx todo.ClusterContext
---@return table<string, string> digests of layers by name, of configurations by manifest
function image_archive.known(ctx)
    local ok, known = pcall(json.decode, fs.read(known_path(ctx)) or "{}")
    return ok and type(known) == "table" and known or {}
end

---@param ctx todo.ClusterContext
---@param known table<string, string>
---@param learned table<string, string> what an archive told
function image_archive.remember(ctx, known, learned)
    if tables.equal(tables.merge(known, learned), known) then return end
    fs.mkdir(ctx.cache_dir)
    local all = #tables.keys(known) > MOST_KNOWN and learned or tables.merge(known, learned)
    fs.write(known_path(ctx), json.encode(all, { sort = true }))
end

---Digests in what `ctr content ls -q` prints, whatever other lines are around them.
---@param text string
---@return table<string, true>
function image_archive.digests(text)
    local there = {}
    for line in text:gmatch("[^\n]+") do
        if line:find("^sha256:%x+$") then there[line] = true end
    end
    return there
end

-- ---- rewriting ----

local function text_of(reader, entry)
    if entry.size > MOST_TEXT then fail.raise("parse", ("the archive's file %s is too long"):format(entry.name)) end
    local parts = {}
    for bytes in reader.read, reader do parts[#parts + 1] = bytes end
    return table.concat(parts)
end

local function write_file(write, name, bytes)
    write(tar_stream.header { name = name, type = "file", size = #bytes, mode = 420 })
    write(bytes)
    write(tar_stream.padding(#bytes))
end

local function copy(reader, entry, write)
    write(tar_stream.header(entry))
    for bytes in reader.read, reader do write(bytes) end
    write(tar_stream.padding(entry.size))
end

local function write_blob(write, media_type, bytes)
    local digest = secret.sha256(bytes)
    write_file(write, "blobs/sha256/" .. digest, bytes)
    return { mediaType = media_type, digest = "sha256:" .. digest, size = #bytes }
end

-- An image of Docker's own format as an OCI manifest; learns its layers' digests.
local function write_manifest(write, image, texts, layers, learned)
    local config = texts[image.Config] or fail.raise("parse", ("the archive lacks %s"):format(image.Config))
    local digests = json.decode(config).rootfs.diff_ids
    local list = {}
    for index, name in ipairs(image.Layers) do
        local layer = layers[name]
        if layer and layer.same_as then layer = layers[layer.same_as] end
        if not (layer and layer.size) then fail.raise("parse", ("the archive lacks the layer %s"):format(name)) end
        learned[name] = digests[index]
        list[index] = { mediaType = OCI .. "layer.v1.tar", digest = digests[index], size = layer.size }
    end
    return write_blob(write, OCI .. "manifest.v1+json", json.encode({
        schemaVersion = 2, mediaType = OCI .. "manifest.v1+json",
        config = write_blob(write, OCI .. "config.v1+json", config), layers = json.list(list),
    }, { sort = true }))
end

local function write_layout(write, texts, layers, learned)
    local manifests = {}
    for _, image in ipairs(json.decode(texts["manifest.json"] or fail.raise("parse", "the archive names no image"))) do
        local manifest = write_manifest(write, image, texts, layers, learned)
        for _, name in ipairs(image.RepoTags) do
            manifests[#manifests + 1] = tables.merge(manifest, { annotations = {
                ["io.containerd.image.name"] = image_archive.full_name(name),
                ["org.opencontainers.image.ref.name"] = name:match("[^:]*$"),
            } })
        end
    end
    local index = { schemaVersion = 2, manifests = json.list(manifests) }
    write_file(write, "index.json", json.encode(index, { sort = true }))
    write_file(write, "oci-layout", '{"imageLayoutVersion":"1.0.0"}')
end

-- A layout has two lists of the same images: one tells their manifests, the other their configurations.
local function learn_configurations(texts, learned)
    local configurations = {}
    for _, image in ipairs(json.decode(texts["manifest.json"] or "[]")) do
        for _, name in ipairs(type(image.RepoTags) == "table" and image.RepoTags or {}) do -- null where it has none
            configurations[image_archive.full_name(name)] = image.Config:gsub("^.*/", "sha256:")
        end
    end
    for _, manifest in ipairs(json.decode(texts["index.json"] or "{}").manifests or {}) do
        local name = (manifest.annotations or {})["io.containerd.image.name"]
        if name then learned[manifest.digest] = configurations[name] end
    end
end

-- "../ID/layer.tar", seen from the folder of the link
local function target_of(entry)
    return fs.dirname(fs.dirname(entry.name)) == "." and entry.target:gsub("^%.%./", "") or entry.target
end

---Hands on an archive of the engine without the layers that are there.
---@async
---@param pull async fun(): string? bytes of the archive
---@param write async fun(bytes: string)
---@param there table<string, true> digests of what the containerd has
---@param known table<string, string> of image_archive.known
---@return integer left_out bytes
---@return table<string, string> learned for image_archive.remember
function image_archive.send(pull, write, there, known)
    local reader = tar_stream.reader(pull)
    local texts, layers, learned, left_out = {}, {}, {}, 0
    for entry in reader.next, reader do
        local name = entry.name
        local blob = name:match("^blobs/sha256/(%x+)$")
        local is_layer = name:find("/layer.tar", 1, true)
        if is_layer and entry.type == "link" then
            layers[name] = { same_as = target_of(entry) }
        elseif entry.type == "file" and (blob or is_layer) then
            layers[name] = { size = entry.size }
            if there[blob and "sha256:" .. blob or known[name]] then
                left_out = left_out + entry.size
            else
                copy(reader, entry, write)
            end
        elseif entry.type == "file" and not name:find("/", 1, true) then
            texts[name] = text_of(reader, entry)
        end
    end
    while pull() do end
    if texts["oci-layout"] then
        for _, name in ipairs { "index.json", "manifest.json", "oci-layout" } do
            if texts[name] then write_file(write, name, texts[name]) end
        end
        learn_configurations(texts, learned)
    else
        write_layout(write, texts, layers, learned)
    end
    write(tar_stream.END)
    return left_out, learned
end

---Sends images of an engine, and remembers what their archive tells.
---@async
---@param ctx todo.ClusterContext
---@param client todo.Docker
---@param names string|string[]
---@param there table<string, true> digests of what the receiver has
---@param write async fun(bytes: string)
---@param on_bytes fun(count: integer)? of the engine's archive so far
---@return table<string, string> learned
function image_archive.export(ctx, client, names, there, write, on_bytes)
    local known, count = image_archive.known(ctx), 0
    local stream <close> = client:export(names)
    local _, learned = image_archive.send(function()
        local bytes = stream:read()
        count = count + #(bytes or "")
        if on_bytes then on_bytes(count) end
        return bytes
    end, write, there, known)
    image_archive.remember(ctx, known, learned)
    return learned
end

---Whether an image is in containerd's image store, the default of engines from 29 on: such an engine calls it by the
---digest of its manifest, under which its repository knows it then, pushed or not.
---@param image table as Docker describes it
---@return boolean
function image_archive.goes_by_manifest(image)
    for _, digest in ipairs(type(image.RepoDigests) == "table" and image.RepoDigests or {}) do
        if digest:sub(-#image.Id) == image.Id then return true end
    end
    return false
end

---The digest of an image's configuration, by which the runtimes of clusters know it. Where an archive has not told it
---before, one is read.
---@async
---@param ctx todo.ClusterContext
---@param client todo.Docker
---@param name string
---@param image table as Docker describes it
---@return string
function image_archive.configuration(ctx, client, name, image)
    if not image_archive.goes_by_manifest(image) then return image.Id end
    return image_archive.known(ctx)[image.Id]
        or image_archive.export(ctx, client, name, {}, function() end)[image.Id] or image.Id
end

return image_archive
