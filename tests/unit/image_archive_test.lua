-- Archives of images as engines write them, rewritten for a containerd; tests/cluster/load_test.lua has the real ones.
local image_archive = require "image_archive"
local json = require "json"
local lu = require "luaunit"
local secret = require "secret"
local tar_stream = require "tar_stream"

local tests = {}

-- A pull function of the archive of { name, text } or { name, link = target }.
local function archive(files)
    local parts = {}
    for _, file in ipairs(files) do
        local text = file[2] or ""
        parts[#parts + 1] = tar_stream.header { name = file[1], type = file.link and "link" or "file", size = #text, mode = 420,
            target = file.link } .. text .. tar_stream.padding(#text)
    end
    local bytes, at = table.concat(parts) .. tar_stream.END, 1
    return function()
        local piece = bytes:sub(at, at + 699)
        at = at + 700
        return piece ~= "" and piece or nil
    end
end

local function send(files, there, known)
    local parts = {}
    local left_out, learned = image_archive.send(archive(files), function(bytes) parts[#parts + 1] = bytes end, there or {},
        known or {})
    local at = 0
    local reader = tar_stream.reader(function()
        at = at + 1
        return parts[at]
    end)
    local found = {}
    for entry in reader.next, reader do
        local text = {}
        for bytes in reader.read, reader do text[#text + 1] = bytes end
        found[entry.name] = table.concat(text)
    end
    return found, left_out, learned
end

local function blob(text) return "blobs/sha256/" .. secret.sha256(text) end

local LAYERS = { ("one"):rep(300), ("two"):rep(500) }
local CONFIG = json.encode { rootfs = { type = "layers",
    diff_ids = { "sha256:" .. secret.sha256(LAYERS[1]), "sha256:" .. secret.sha256(LAYERS[2]) } } }

-- As engines before 25 do, with a layer that another image in the archive has, too.
local function old_archive()
    return {
        { "aa/VERSION", "1.0" }, { "aa/json", "{}" }, { "aa/layer.tar", LAYERS[1] }, { "bb/json", "{}" },
        { "bb/layer.tar", LAYERS[2] }, { "cc/layer.tar", link = "../aa/layer.tar" }, { "c.json", CONFIG },
        { "manifest.json", json.encode { { Config = "c.json", RepoTags = { "app:1", "host:5000/app:2" },
            Layers = { "cc/layer.tar", "bb/layer.tar" } } } }, { "repositories", "{}" },
    }
end

function tests.old_archive_becomes_a_layout()
    local found, left_out, learned = send(old_archive())
    lu.assertEquals(left_out, 0)
    lu.assertEquals(learned, { ["cc/layer.tar"] = "sha256:" .. secret.sha256(LAYERS[1]),
        ["bb/layer.tar"] = "sha256:" .. secret.sha256(LAYERS[2]) })
    lu.assertEquals({ found["aa/layer.tar"], found["bb/layer.tar"], found[blob(CONFIG)] }, { LAYERS[1], LAYERS[2], CONFIG })
    lu.assertStrContains(found["oci-layout"], "1.0.0")
    local index = json.decode(found["index.json"])
    lu.assertEquals(index.manifests[1].annotations["io.containerd.image.name"], "docker.io/library/app:1")
    lu.assertEquals(index.manifests[2].annotations["io.containerd.image.name"], "host:5000/app:2")
    local manifest = json.decode(found["blobs/" .. index.manifests[1].digest:gsub(":", "/")])
    lu.assertEquals(manifest.config.digest, "sha256:" .. secret.sha256(CONFIG))
    lu.assertEquals({ manifest.layers[1].digest, manifest.layers[1].size, manifest.layers[2].size },
        { "sha256:" .. secret.sha256(LAYERS[1]), #LAYERS[1], #LAYERS[2] })
end

function tests.old_archive_goes_without_layers_that_are_there_and_known()
    local digest = "sha256:" .. secret.sha256(LAYERS[2])
    local found, left_out = send(old_archive(), { [digest] = true }, { ["bb/layer.tar"] = digest })
    lu.assertEquals(left_out, #LAYERS[2])
    lu.assertEquals({ found["aa/layer.tar"], found["bb/layer.tar"] }, { LAYERS[1] })
    local index = json.decode(found["index.json"])
    local manifest = json.decode(found["blobs/" .. index.manifests[1].digest:gsub(":", "/")])
    lu.assertEquals(manifest.layers[2].digest, digest)
    -- What is there under a name that nobody knows is sent.
    lu.assertEquals(select(2, send(old_archive(), { [digest] = true })), 0)
end

-- As engines from 25 on do: a layout already, whose files have their digests for names.
function tests.layout_goes_without_what_is_there()
    local files = { { blob(LAYERS[1]), LAYERS[1] }, { blob(LAYERS[2]), LAYERS[2] }, { blob(CONFIG), CONFIG },
        { "index.json", '{"schemaVersion":2}' }, { "manifest.json", "[]" }, { "oci-layout", '{"imageLayoutVersion":"1.0.0"}' } }
    local all = {}
    for _, file in ipairs(files) do all[file[1]] = file[2] end
    lu.assertEquals(send(files), all)
    all[blob(LAYERS[1])] = nil
    local found, left_out = send(files, { ["sha256:" .. secret.sha256(LAYERS[1])] = true })
    lu.assertEquals(found, all)
    lu.assertEquals(left_out, #LAYERS[1])
end

-- Engines with containerd's image store call an image by its manifest.
function tests.layout_tells_which_configuration_a_manifest_has()
    local function manifest(digest, name)
        return { digest = "sha256:" .. digest, annotations = { ["io.containerd.image.name"] = name } }
    end
    local _, _, learned = send { { "oci-layout", "{}" },
        { "index.json", json.encode { manifests = { manifest("aa", "docker.io/library/app:1"), manifest("bb", "host:5000/app:2"),
            manifest "cc" } } },
        { "manifest.json", json.encode { { Config = "blobs/sha256/c1", RepoTags = { "app:1" }, Layers = {} },
            { Config = "blobs/sha256/c2", RepoTags = { "host:5000/app:2" }, Layers = {} },
            { Config = "blobs/sha256/c3", RepoTags = json.null, Layers = {} } } } }
    lu.assertEquals(learned, { ["sha256:aa"] = "sha256:c1", ["sha256:bb"] = "sha256:c2" })
end

function tests.archive_that_is_none_is_refused()
    for _, files in ipairs {
        {}, { { "a", "1" } }, { { "manifest.json", "[" } },
        { { "manifest.json", json.encode { { Config = "c.json", RepoTags = {}, Layers = { "x/layer.tar" } } } }, { "c.json", CONFIG } },
        { { "x/layer.tar", link = "../x/layer.tar" }, { "c.json", CONFIG },
            { "manifest.json", json.encode { { Config = "c.json", RepoTags = {}, Layers = { "x/layer.tar" } } } } },
    } do
        local ok, problem = pcall(send, files)
        lu.assertFalse(ok)
        lu.assertEquals(problem.kind, "parse")
    end
end

function tests.names_are_containerds()
    for name, full in pairs { ["app:1"] = "docker.io/library/app:1", ["me/app:1"] = "docker.io/me/app:1",
        ["localhost/app:1"] = "localhost/app:1", ["host:5000/a/b:1"] = "host:5000/a/b:1", ["r.test/a:1"] = "r.test/a:1" } do
        lu.assertEquals(image_archive.full_name(name), full)
    end
end

return tests
