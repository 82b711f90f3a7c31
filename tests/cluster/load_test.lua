-- Images on their way from the real engine into a real containerd: what it has is not sent again, and what it runs is what
-- was built.
local containerd = require "tests.containerd"
local docker = require "docker"
local fs = require "fs"
local image_archive = require "image_archive"
local images = require "cluster.standalone.images"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local provider = require "provider"
local remove_images = require "tests.remove_images"
local running_images = require "running_images"
local secret = require "secret"

local tests = {}
local NAME = "tl-load-" .. proc.pid()
local client, dir, layout, ctx, sent
local layout_guard

function tests.setup_all()
    client = docker.connect()
    remove_images(client, NAME)
    dir = fs.tempdir()
    layout_guard = containerd.start(dir.path .. "/run")
end

function tests.teardown_all()
    getmetatable(layout_guard).__close()
    remove_images(client, NAME)
    client:close()
    dir:close()
end

-- Counts what goes to ctr, which stands before the real one.
function tests.setup()
    local bin = dir.path .. "/bin"
    sent = dir.path .. "/sent"
    fs.mkdir(bin)
    fs.remove(sent)
    fs.write(bin .. "/ctr", ([[#!/bin/sh
case "$*" in
*"images import"*) tee -a %s | %s/ctr "$@" ;;
*"content ls"*) %s/ctr "$@"; cat %s/listed 2>/dev/null || true ;;
*) exec %s/ctr "$@" ;;
esac
]]):format(sent, layout_guard.bin, layout_guard.bin, dir.path, layout_guard.bin), 493)
    layout = { bin = bin, run = layout_guard.run, state = dir.path, nodes = {} }
    ctx = { docker = client, cache_dir = dir.path .. "/cache" }
end

local function sent_bytes()
    local stat = fs.stat(sent)
    return stat and stat.size or 0
end

local function build(tag, files)
    local folder = dir.path .. "/context"
    fs.remove(folder)
    fs.mkdir(folder)
    local text = { "FROM scratch", "LABEL run=" .. NAME }
    for _, file in ipairs(files) do
        fs.write(folder .. "/" .. file[1], file[2])
        text[#text + 1] = ("COPY %s /%s"):format(file[1], file[1])
    end
    fs.write(folder .. "/Dockerfile", table.concat(text, "\n") .. "\n")
    client:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { NAME .. ":" .. tag } }
    return client:image(NAME .. ":" .. tag)
end

-- The digest of the configuration of what the engine has.
local function configuration(tag)
    local name = NAME .. ":" .. tag
    return image_archive.configuration(ctx, client, name, client:image(name))
end

-- Hashes of the image's files as containerd would run it, and the id of its configuration.
local function look(tag)
    local ref = ("docker.io/library/%s:%s"):format(NAME, tag)
    local line = containerd.ctr(layout_guard, { "images", "ls", "name==" .. ref }).stdout
    local manifest = json.decode(containerd.ctr(layout_guard, { "content", "get", line:match("sha256:%x+") }).stdout)
    local mount = dir.path .. "/mount-" .. tag
    fs.mkdir(mount)
    containerd.ctr(layout_guard, { "images", "mount", ref, mount })
    local files = {}
    for _, name in ipairs(fs.list(mount)) do files[name] = fs.sha256(mount .. "/" .. name) end
    containerd.ctr(layout_guard, { "images", "unmount", "--rm", mount })
    return files, manifest.config.digest
end

local function hashes(files)
    local list = {}
    for name, text in pairs(files) do list[name] = secret.sha256(text) end
    return list
end

-- What is not dull: some engines keep layers compressed.
local function noise(bytes)
    local source <close> = assert(io.open("/dev/urandom", "rb"))
    return source:read(bytes)
end

local BIG, OTHER = noise(1300000), noise(800000)

function tests.layers_that_are_there_are_not_sent_again()
    build("1", { { "base", BIG }, { "app", "1" } })
    lu.assertEquals(images.load(layout, ctx, { NAME .. ":1" }), { NAME .. ":1" })
    lu.assertTrue(sent_bytes() > #BIG)
    local files, id = look "1"
    lu.assertEquals(files, hashes { base = BIG, app = "1" })
    lu.assertEquals(id, configuration "1")
    fs.remove(sent)
    build("2", { { "base", BIG }, { "app", "2" } })
    lu.assertEquals(images.load(layout, ctx, { NAME .. ":2" }), { NAME .. ":2" })
    lu.assertTrue(sent_bytes() < 100000, sent_bytes() .. " bytes")
    files, id = look "2"
    lu.assertEquals(files, hashes { base = BIG, app = "2" })
    lu.assertEquals(id, configuration "2")
    lu.assertEquals(images.load(layout, ctx, { NAME .. ":2" }), {})
end

function tests.images_that_share_layers_go_in_one_archive()
    local names = {}
    for i = 1, 2 do
        build("shared" .. i, { { "shared", OTHER }, { "own", tostring(i) } })
        names[i] = NAME .. ":shared" .. i
    end
    client:tag(names[1], NAME .. ":again")
    names[3] = NAME .. ":again"
    images.load(layout, ctx, names)
    lu.assertTrue(sent_bytes() < 2 * #OTHER, sent_bytes() .. " bytes")
    for i = 1, 2 do lu.assertEquals(look("shared" .. i), hashes { shared = OTHER, own = tostring(i) }) end
    lu.assertEquals(look "again", hashes { shared = OTHER, own = "1" })
end

-- What is listed may be gone before the import looks for it.
function tests.layer_that_is_gone_meanwhile_is_sent_after_all()
    local lost = noise(250000)
    local image = build("lost", { { "lost", lost }, { "app", "1" } })
    local learned = { docker = client, cache_dir = ctx.cache_dir }
    provider.send_archive(learned, { NAME .. ":lost" }, {}, function() end)
    fs.write(dir.path .. "/listed", table.concat(image.RootFS.Layers, "\n"))
    images.load(layout, ctx, { NAME .. ":lost" })
    fs.remove(dir.path .. "/listed")
    local files, id = look "lost"
    lu.assertEquals(files, hashes { lost = lost, app = "1" })
    lu.assertEquals(id, configuration "lost")
end

-- The kubelet calls what was imported by its configuration, whatever the engine calls it.
function tests.pods_that_run_what_was_loaded_run_what_was_built()
    local image = build("runs", { { "app", "1" } })
    images.load(layout, ctx, { NAME .. ":runs" })
    local _, id = look "runs"
    local told, again, healed = id, 0, nil
    local function load_image(_, names, whatever)
        lu.assertEquals({ names, whatever }, { { NAME .. ":runs" }, true })
        again, told = again + 1, healed or told
        return healed and names or {}
    end
    local function pods()
        return { { metadata = { name = "one" }, spec = { containers = { { name = "app", image = NAME .. ":runs" } } },
            status = { conditions = { { type = "Ready", status = "True" } },
                containerStatuses = { { name = "app", imageID = told } } } } }
    end
    local own = { component = "app", name = NAME, ref = NAME .. ":runs", used = NAME .. ":runs", id = image.Id,
        client = client }
    local theirs = { component = "front", name = "theirs", id = image.Id, client = client } -- no value names it
    local list = { own }
    local function ensure()
        return running_images.ensure({ cache_dir = ctx.cache_dir, config = { release = "r", namespace = "n" },
            provider = { image_id = provider.image_id_as_told, load_image = load_image }, k8s = { list = pods },
            images = list,
        }, { set = function() end }, {})
    end
    lu.assertEquals({ ensure() }, { false, "running what was built" })
    list = { own, theirs }
    lu.assertEquals({ ensure() }, { false, "app running what was built" })
    list = { theirs }
    lu.assertEquals({ ensure() }, { false })
    list = { own }
    fs.remove(ctx.cache_dir) -- what sending told is not needed
    lu.assertFalse(ensure())
    lu.assertTrue(provider.is_image(ctx, id, NAME .. ":runs", image))
    lu.assertFalse(provider.is_image(ctx, nil, NAME .. ":runs", image))
    told = "sha256:" .. ("a"):rep(64)
    lu.assertFalse(provider.is_image(ctx, told, NAME .. ":runs", image))
    local ok, problem = pcall(ensure)
    lu.assertEquals({ ok, problem.kind, again }, { false, "stale_image", 1 })
    lu.assertStrContains(problem.hint, "crictl rmi " .. NAME .. ":runs")
    healed = id
    lu.assertEquals({ { ensure() }, again }, { { true, "running what was built" }, 2 })
end

function tests.image_whose_name_was_given_away_is_sent_again_when_asked_to()
    build("given", { { "app", "1" } })
    build("other", { { "app", "2" } })
    local names = { NAME .. ":given" }
    images.load(layout, ctx, { NAME .. ":given", NAME .. ":other" })
    proc.run { layout.bin .. "/ctr", "--address", layout.run .. "/containerd.sock", "--namespace", "k8s.io", "images", "tag",
        "--force", image_archive.full_name(NAME .. ":other"), image_archive.full_name(NAME .. ":given") }
    lu.assertEquals(images.load(layout, ctx, names), {}) -- by the notes it is there
    lu.assertEquals(look "given", hashes { app = "2" })
    lu.assertEquals(images.load(layout, ctx, names, nil, true), names)
    local files, id = look "given"
    lu.assertEquals(files, hashes { app = "1" })
    lu.assertEquals(id, configuration "given")
end

function tests.what_ctr_says_of_a_failed_import_is_told()
    build("refused", { { "a", "1" } })
    fs.write(layout.bin .. "/ctr", "#!/bin/sh\ncase \"$*\" in *import*) echo no space left on device >&2; exit 1;; esac\n", 493)
    local ok, problem = pcall(images.load, layout, ctx, { NAME .. ":refused" })
    lu.assertEquals({ ok, problem.kind }, { false, "exit" })
    lu.assertStrContains(problem.message, "no space left on device")
    lu.assertStrContains(problem.hint, "free some space")
end

return tests
