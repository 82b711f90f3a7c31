-- The Docker client and what is built on it against engines from 20.10 to 29, each with the image stores that it has. The
-- files of tests that need nothing but an engine are run again with each.
local base_images = require "base_images"
local engine_with = require "tests.engine_with"
local fs = require "fs"
local ground = require "tests.engines.ground"
local image_archive = require "image_archive"
local json = require "json"
local log = require "log"
local lu = require "luaunit"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local tables = require "tables"
local task = require "task"

local tests = {}
local FILES = { "tests/unit/docker_test.lua", "tests/unit/images_test.lua", "tests/cluster/load_test.lua" }
local NEWEST_API = "1.47" -- that the client speaks
local PORT = "5000" -- of the registry in an engine's network

local dir, before
local running, running_engine

local function say(text) print("# " .. text) end

function tests.setup_all()
    ground.ensure()
    dir = fs.tempdir()
    fs.mkdir(dir.path .. "/without/cli-plugins")
    before = proc.env("DOCKER_CONFIG", dir.path .. "/without")
    proc.run { "gcc", "-static", "-O1", "-o", dir.path .. "/tool", "tests/unit/docker/tool.c" }
end

local function stop()
    if running then running:close() end
    running, running_engine = nil, nil
end

function tests.teardown_all()
    stop()
    proc.env("DOCKER_CONFIG", before or false)
    dir:close()
end

-- Tests come in the order of their names: one engine's are together.
local function start(engine)
    if running_engine ~= engine then
        stop()
        running = ground.start(engine)
        running_engine = engine
    end
    return running.client
end

local function context(name, dockerfile, files)
    local folder = dir.path .. "/" .. name
    fs.remove(folder)
    fs.mkdir(folder)
    fs.write(folder .. "/Dockerfile", dockerfile)
    proc.run { "ln", dir.path .. "/tool", folder .. "/tool" }
    for file, text in pairs(files or {}) do fs.write(folder .. "/" .. file, text) end
    return folder
end

local BASE = 'FROM scratch\nCOPY tool /tool\nENTRYPOINT ["/tool"]\n'

local function build(client, tag, dockerfile, options)
    local folder = context("context", dockerfile)
    return client:build(tables.merge({ context = folder, dockerfile = folder .. "/Dockerfile", tags = { tag } },
        options or {}))
end

local checks = {}

function checks.says_what_it_is(client, engine)
    lu.assertEquals(client.server_version, engine.version)
    lu.assertEquals(client:call("GET", "/version").ApiVersion, engine.api)
    local both = { engine.api, NEWEST_API }
    table.sort(both)
    lu.assertEquals(client.api_version, both[1])
    build(client, "tl-engines:base", BASE)
    lu.assertEquals(image_archive.goes_by_manifest(client:image "tl-engines:base"), engine.containerd == true)
end

function checks.builds_by_buildkit(client)
    local asked = {}
    local watched = engine_with(client, { transfer = function(_, path, options)
        asked[#asked + 1] = tostring(options.context.buildkit)
        return client:transfer(path, options)
    end })
    build(client, "tl-engines:base", BASE)
    local result = build(watched, "tl-engines:ways", ('FROM tl-engines:base\nRUN ["/tool", "out", "%f"]'):format(proc.time()))
    lu.assertEquals(asked, { "true" })
    lu.assertEquals(client:image("tl-engines:ways").Id, result.id)
end

-- To the engine the files are the same as those that Docker's own client sends.
function checks.shares_its_cache_with_buildx(client)
    build(client, "tl-engines:base", BASE)
    local folder = context("shared", ('FROM tl-engines:base\nCOPY . /all/\nRUN ["/tool", "out", "%f"]\n'):format(proc.time()), {
        [".dockerignore"] = "no*\n", nothing = "0", ["sp ace"] = "1" })
    fs.mkdir(folder .. "/sub")
    fs.write(folder .. "/sub/file", "2")
    proc.run { "ln", "-s", "sub/file", folder .. "/link" }
    proc.run { "chmod", "-R", "u=rwX,go=rX", folder }
    client:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { "tl-engines:ours" } }
    local result = proc.run({ "docker", "buildx", "build", "--builder", "default", "--progress", "plain", folder },
        { env = { DOCKER_HOST = client.host, DOCKER_CONFIG = needs.buildx() }, stderr = "stdout" })
    local cached = 0
    for _ in result.stdout:gmatch("#%d+ CACHED") do cached = cached + 1 end
    lu.assertEquals(cached, 2, result.stdout)
end

local function registry_in_its_network()
    local path = dir.path .. "/registry"
    fs.remove(path)
    fs.mkdir(path)
    fs.write(path .. "/config.yml", json.encode { version = "0.1", log = { level = "warn" },
        http = { addr = "127.0.0.1:" .. PORT }, storage = { filesystem = { rootdirectory = path .. "/data" } } })
    local argv = table.move(running.enter, 1, #running.enter, 1, {})
    table.move({ needs.registry(), "serve", path .. "/config.yml" }, 1, 3, #argv + 1, argv)
    return proc.spawn(argv, { stdout = path .. "/log", stderr = path .. "/log", env = { OTEL_TRACES_EXPORTER = "none" } })
end

local function push_when_it_listens(client, name, on_progress)
    local deadline = task.now() + 30
    while true do
        local ok, digest = pcall(client.push, client, name, { on_progress = on_progress })
        if ok then return digest end
        if task.now() > deadline then error(digest, 0) end
        task.sleep(0.2)
    end
end

function checks.pushes_and_pulls(client)
    local server <close> = registry_in_its_network() -- luacheck: ignore server
    -- containerd's store tells ten times a second how far it is: a layer that is sent sooner is never told of.
    proc.run { "sh", "-c", "head -c 200000000 /dev/urandom > " .. dir.path .. "/noise" }
    local folder = context("big", BASE .. "COPY noise /noise\n")
    fs.rename(dir.path .. "/noise", folder .. "/noise")
    client:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { "tl-engines:base" } }
    local name = "127.0.0.1:" .. PORT .. "/team/app:1"
    client:tag("tl-engines:base", name)
    local id, most = client:image(name).Id, 0
    local digest = push_when_it_listens(client, name, function(event) most = math.max(most, event.bytes or 0) end)
    lu.assertEquals(client:distribution(name).Descriptor.digest, digest)
    lu.assertTrue(most > 100000, "told of " .. most .. " bytes")
    client:remove_image(name, { force = true })
    client:remove_image("tl-engines:base", { force = true })
    lu.assertNil(client:image(id))
    local by_digest, events = name:gsub(":1$", "@") .. digest, {}
    client:pull(by_digest, { on_progress = function(event) events[event.stream] = event end })
    lu.assertEquals(client:image(by_digest).Id, id)
    lu.assertNotNil(events.pull)
    client:pull(name)
    lu.assertEquals(client:digest(name), digest)
    local ok, problem = pcall(client.pull, client, name .. "-missing")
    lu.assertFalse(ok)
    lu.assertTrue(problem.kind == "not_found" or problem.kind == "pull", problem.kind)
    lu.assertNil(client:distribution(name .. "-missing"))
    client:remove_image(name, { force = true })
    client:remove_image(by_digest, { force = true })
end

local function curl(...)
    local argv = table.move(running.enter, 1, #running.enter, 1, {})
    for _, word in ipairs { "curl", "-sS", "--fail", "--noproxy", "*", ... } do argv[#argv + 1] = word end
    return proc.run(argv).stdout
end

local REPOSITORY = "http://127.0.0.1:" .. PORT .. "/v2/team/base/manifests/"
local TYPES = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"

-- Gives the registry team/base:both, which is there for two platforms and holds the text.
local function push_for_both(client, text)
    local list, kind = json.list {}, nil
    for _, arch in ipairs { "amd64", "arm64" } do
        local folder = context("base", "FROM scratch\nCOPY text /text\n", { text = text .. arch })
        local name = "127.0.0.1:" .. PORT .. "/team/base:" .. arch
        client:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { name }, platform = "linux/" .. arch }
        local digest = push_when_it_listens(client, name)
        client:remove_image(name, { force = true })
        local manifest = curl("-H", "Accept: " .. TYPES, REPOSITORY .. digest)
        kind = json.decode(manifest).mediaType
        list[#list + 1] = { mediaType = kind, digest = digest, size = #manifest, platform = { os = "linux", architecture = arch } }
    end
    kind = kind:find("oci", 1, true) and "application/vnd.oci.image.index.v1+json"
        or "application/vnd.docker.distribution.manifest.list.v2+json"
    fs.write(dir.path .. "/index", json.encode { schemaVersion = 2, mediaType = kind, manifests = list })
    curl("-X", "PUT", "-H", "Content-Type: " .. kind, "--data-binary", "@" .. dir.path .. "/index", REPOSITORY .. "both")
end

-- A base image for a platform that is not the engine's, or for both, is pulled once; with `fresh`, as often as it moves.
function checks.pulls_base_images_once(client, engine)
    local server <close> = registry_in_its_network() -- luacheck: ignore server
    local name = "127.0.0.1:" .. PORT .. "/team/base:both"
    local pulls, said = 0, {}
    local watched = setmetatable({ pull = function(_, ...)
        pulls = pulls + 1
        return client:pull(...)
    end }, { __index = function(_, key)
        local value = client[key]
        return type(value) == "function" and function(_, ...) return value(client, ...) end or value
    end })
    local function ensure(platform, fresh)
        pulls = 0
        local _, changed = base_images.ensure({}, watched, name, { set = function() end }, { platform = platform, fresh = fresh })
        return { pulls, changed }
    end
    push_for_both(client, "one")
    client:remove_image(name, { force = true })
    local own = "linux/" .. proc.platform().arch
    local other = own == "linux/amd64" and "linux/arm64" or "linux/amd64"
    lu.assertEquals(ensure(other), { 1, true })
    lu.assertEquals(ensure(other), { 0, false }, "the other platform again")
    -- containerd's store keeps both under one name; the engine's own store keeps the last. 25 and 26 do not tell of the
    -- other one, so that it is pulled each time, as if it were to be fresh.
    local index = engine.containerd == true
    lu.assertEquals(ensure(own), { 1, not index })
    lu.assertEquals(ensure(own), { 0, false }, "the engine's own again")
    lu.assertEquals(ensure(nil), { 0, false }, "any")
    local both = index and client.api_version >= "1.47"
    lu.assertEquals(ensure(other), { both and 0 or 1, not index }, "the other one, where both were pulled")
    lu.assertEquals(ensure(other, true), { 1, false }, "fresh, and nothing has moved")
    push_for_both(client, "two")
    local blind = index and not both
    if not blind then lu.assertEquals(ensure(other), { 0, false }, "what is there will do") end
    lu.assertEquals(ensure(other, true), { 1, true }, "fresh, and it has moved")
    server:close()
    log.set_sink(function(text) said[#said + 1] = text end)
    lu.assertEquals(ensure(other, true), { 1, false }, "fresh, and nobody answers")
    log.set_sink(nil)
    lu.assertEquals(#said, 1)
    lu.assertStrContains(said[1], "cannot be pulled anew")
    client:remove_image(name, { force = true })
end

-- Archives travel: what one engine saved the next one loads, and the cluster's name for it stays.
local saved
function checks.takes_what_another_saved(client, engine)
    local ctx = { cache_dir = dir.path .. "/cache" }
    local function configuration(tag)
        return image_archive.configuration(ctx, client, tag, client:image(tag))
    end
    if saved then
        lu.assertEquals(client:load(saved.path), { "tl-engines:saved" }, saved.by)
        lu.assertEquals(configuration "tl-engines:saved", saved.configuration, saved.by)
        local id = client:run { image = "tl-engines:saved", cmd = { "env", "BY" } }
        lu.assertEquals(client:wait(id), 0)
        local lines <close> = client:logs(id)
        lu.assertEquals(lines:next(), saved.by)
        client:remove(id)
    end
    build(client, "tl-engines:saved", BASE .. "ENV BY=" .. engine.name .. "\n")
    saved = { path = dir.path .. "/saved-" .. engine.name .. ".tar", by = engine.name,
        configuration = configuration "tl-engines:saved" }
    local told = 0
    local bytes = client:save("tl-engines:saved", saved.path, { on_progress = function(count) told = count end })
    lu.assertEquals({ told, fs.stat(saved.path).size }, { bytes, bytes })
end

-- The tests of a file with the engine for the machine's own.
local function run_file(file)
    return function(_, engine)
        local result = proc.run({ program.executable, "tests/harness.lua", file }, { check = false, timeout = 600,
            env = { DOCKER_HOST = running.host } })
        local failed = {}
        for line in result.stdout:gmatch("not ok [^\n]*\n#?[^\n]*") do failed[#failed + 1] = line end
        local count = result.stdout:match("# Ran (%d+) tests")
        lu.assertEquals({ result.status, count ~= nil, table.concat(failed, "\n") }, { 0, true, "" },
            result.stdout:sub(-1500) .. result.stderr:sub(-1500))
        say(("%s: %s passed %s tests"):format(engine.name, file, count))
    end
end

for _, file in ipairs(FILES) do checks["passes_" .. fs.basename(file):gsub("%.lua$", "")] = run_file(file) end

for _, engine in ipairs(ground.engines) do
    for name, check in pairs(checks) do
        tests[("engine_%s_%s"):format(engine.name, name)] = function() check(start(engine), engine) end
    end
end

return tests
