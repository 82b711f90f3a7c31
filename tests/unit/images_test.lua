-- Images of a stack against the real engine: what their builds compile in, and what they must not keep. Every image is made
-- FROM scratch out of files.
local browser_bundle = require "browser_bundle"
local build_files = require "build_files"
local docker = require "docker"
local engine_with = require "tests.engine_with"
local fs = require "fs"
local image_platform = require "image_platform"
local images = require "images"
local inner_hosts = require "inner_hosts"
local json = require "json"
local log = require "log"
local lu = require "luaunit"
local old_images = require "old_images"
local proc = require "proc"
local program = require "program"
local remove_images = require "tests.remove_images"
local secret = require "secret"
local stack = require "stack"
local tables = require "tables"
local tar_stream = require "tar_stream"

local tests = {}
local NAME = "tl-images-" .. proc.pid()
local dir, said
local client

local nothing = function() end
local line = { set = nothing, done = nothing, fail = nothing, drop = nothing }

function tests.setup_all()
    client = docker.connect()
    remove_images(client, NAME)
end

function tests.setup()
    dir = fs.tempdir()
    said = {}
    log.set_sink(function(text) said[#said + 1] = text end)
end

function tests.teardown()
    log.set_sink(nil)
    dir:close()
end

function tests.teardown_all()
    remove_images(client, NAME)
    client:close()
end

local function write(files)
    for name, bytes in pairs(files) do
        fs.mkdir(fs.dirname(dir.path .. "/" .. name))
        fs.write(dir.path .. "/" .. name, bytes)
    end
end

-- A context as project.open makes it: one component "page" whose image holds its sources.
local function context(changes)
    write { ["chart/Chart.yaml"] = "apiVersion: v2\nname: page\nversion: 1.0.0\n",
        ["chart/values.yaml"] = "page: {service: {nodePort: 30080}}\n" }
    return tables.merge({
        options = { set = {}, values = {} }, root = dir.path, cache_dir = dir.path .. "/cache", value_layers = {},
        step_layers = {}, board = { line = function() return line end },
        config = {
            release = "shop", namespace = "shop", chart = "chart", components = { "page", "api" },
            url = { component = "page" }, ports = { node = 30080 }, cluster = {},
            images = { page = {
                name = NAME, context = "src", dockerfile = "src/Dockerfile",
                args = { PUBLIC_URL = "http://localhost:30080/app", PRIVATE = "canary" },
                browser = { args = { "PUBLIC_URL" }, url = "PUBLIC_URL", files = "/static" },
            } },
        },
    }, changes or {})
end

local function node_at(base)
    return function(_, service) return ("%s:%d"):format(base, service.node_port) end
end

local kind = { name = "kind", url = node_at "http://127.0.0.1" }

local function ensure(ctx)
    ctx.docker = client
    ctx.provider = ctx.provider or kind
    local changed, _, list = images.ensure(ctx, line, stack.values(ctx), { load = false })
    return list[1], changed
end

-- Two runs at once on one engine build images of their own.
local DOCKERFILE = "FROM scratch\nLABEL run=" .. NAME .. "\nARG PUBLIC_URL\nENV PUBLIC_URL=$PUBLIC_URL\n"
    .. "COPY static /static\n"

local function count(text)
    return #tables.filter(said, function(one) return one:find(text, 1, true) end)
end

function tests.public_arguments_are_recorded_and_no_others()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = "1" }
    local image = ensure(context())
    local labels = client:image(image.ref).Config.Labels
    lu.assertEquals(json.decode(labels["todo-lua.args"]), { PUBLIC_URL = "http://localhost:30080/app" })
    lu.assertNotStrContains(json.encode(labels), "canary")
    lu.assertEquals(said, {})
end

function tests.images_that_are_not_for_the_cluster_are_built_in_the_local_docker()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = "1" }
    local ctx = context { provider = { name = "minikube", url = function() return "http://10.0.0.7:30080" end,
        docker_host = function() error { kind = "exit", message = "the cluster does not run" } end } }
    lu.assertNotNil(client:image(ensure(ctx).ref))
    lu.assertTrue(images.builder(ctx) == client, "where older ones are looked for, too")
end

function tests.full_disk_of_the_clusters_docker_is_told_with_the_command_that_frees_that()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = "1" }
    local function hint(builder, provider)
        local ctx = context { docker = client, builder = builder, provider = tables.merge({ name = "minikube",
            url = function() return "http://10.0.0.7:30080" end }, provider) }
        local ok, problem = pcall(images.ensure, ctx, line, stack.values(ctx))
        lu.assertFalse(ok)
        return problem.hint
    end
    local full = { image = function() return nil end, build = function() error "write /a: no space left on device" end }
    lu.assertStrContains(hint(full, { prune_command = function() return "minikube ssh -- docker system prune" end }),
        "free some space (minikube ssh -- docker system prune), then run again")
    lu.assertStrContains(hint(full, {}), "free some space (docker system prune), then run again")
end

function tests.size_is_what_the_layers_hold_however_the_engine_keeps_them()
    local source <close> = assert(io.open("/dev/urandom", "rb"))
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/dull.js"] = ("dull\n"):rep(1000000),
        ["src/static/noise.js"] = source:read(2000000) }
    local image = ensure(context { config = { images = { page = { max_mb = 6 } } } })
    lu.assertTrue(image.size >= 7000000 and image.size < 7100000, image.size)
    lu.assertEquals(count(NAME .. " has "), 1)
end

function tests.address_of_the_stack_follows_the_port_that_is_deployed()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = "1" }
    local first = ensure(context())
    local ctx = context { options = { set = { "page.service.nodePort=30095" } } }
    local second, changed = ensure(ctx)
    lu.assertTrue(changed)
    lu.assertNotEquals(second.ref, first.ref)
    lu.assertEquals(client:image(second.ref).Config.Env[2] or client:image(second.ref).Config.Env[1],
        "PUBLIC_URL=http://localhost:30095/app")
    lu.assertEquals(count "users open the stack at http://localhost:30095", 1)
    local _, again = ensure(context { options = { set = { "page.service.nodePort=30095" } } })
    lu.assertFalse(again)
    lu.assertEquals(count "users open the stack", 1)
end

function tests.address_that_only_the_user_can_know_is_kept_with_a_warning()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = "1" }
    local image = ensure(context { config = { images = { page = { args = { PUBLIC_URL = "https://shop.test" } } } } })
    lu.assertEquals(image.args.PUBLIC_URL, "https://shop.test")
    lu.assertEquals(count "PUBLIC_URL is https://shop.test, while this deploy opens the stack at", 1)
end

function tests.address_of_this_machine_is_wrong_for_a_cluster_elsewhere()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = "elsewhere" }
    local function baked(changes) return ensure(context(changes)).args.PUBLIC_URL end
    for _, name in ipairs { "context", "minikube" } do
        lu.assertEquals(baked { provider = { name = name, url = node_at "http://10.0.0.7" } }, "http://10.0.0.7:30080/app", name)
    end
    lu.assertEquals(count "users open the stack at http://10.0.0.7:30080", 1)
    lu.assertEquals(baked { provider = { name = "context", url = node_at "http://127.0.0.1" } }, "http://localhost:30080/app")
end

-- minikube start --ports=30080:30080, and clusters in a virtual machine that brings its ports here.
function tests.address_of_this_machine_is_right_where_the_ports_come_here()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = "1" }
    local published = { name = "minikube", url = node_at "http://10.0.0.7", holds_port = function(_, port) return port == 30080 end }
    lu.assertEquals(ensure(context { provider = published }).args.PUBLIC_URL, "http://localhost:30080/app")
    local other = context { provider = published, options = { set = { "page.service.nodePort=30095" } } }
    lu.assertEquals(ensure(other).args.PUBLIC_URL, "http://10.0.0.7:30095/app")
    for server, base in pairs { ["https://127.0.0.1:6443"] = "http://localhost:30080/app",
        ["https://kubernetes.docker.internal:6443"] = "http://localhost:30080/app",
        ["https://10.0.0.7:8443"] = "http://10.0.0.7:30080/app" } do
        local ctx = context { provider = { name = "context", url = node_at "http://10.0.0.7" } }
        ctx.k8s = { server = server, list = function() return {} end }
        lu.assertEquals(ensure(ctx).args.PUBLIC_URL, base, server)
    end
end

function tests.bundle_with_inner_addresses_is_flagged_with_file_and_variable()
    write { ["src/Dockerfile"] = DOCKERFILE,
        ["src/static/chunks/app.js"] = 'fetch("http://api:8000/x"),fetch("https://example.com"),new URL(e,"http://n")',
        ["src/static/b.css"] = "@import url(HTTPS://shop-api/b.css)", ["src/static/c.bin"] = "http://api:8000",
        ["src/static/ok.js"] = 'fetch("/api/tasks")' }
    local args = { PUBLIC_URL = "http://api:8000/x" }
    local image = ensure(context { config = { images = { page = { args = args } } } })
    lu.assertEquals(count "/static/chunks/app.js asks http://api:8000, which no browser reaches", 1)
    lu.assertEquals(count "(build argument PUBLIC_URL)", 1)
    lu.assertEquals(count "/static/b.css asks https://shop-api,", 1)
    lu.assertEquals(count "asks", 2)
    lu.assertEquals(client:containers { all = true, filters = { ancestor = { image.id } } }, {})
end

function tests.files_of_an_image_are_searched_once()
    write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = '"http://host.docker.internal:5432"' }
    ensure(context())
    local create = docker.open().create
    local started = 0
    local counting = engine_with(client, { create = function(...) started = started + 1 return create(...) end })
    local ctx = context()
    ctx.docker, ctx.provider = counting, kind
    images.ensure(ctx, line, stack.values(ctx), { load = false })
    lu.assertEquals(started, 0)
    lu.assertEquals(count "asks http://host.docker.internal:5432", 2)
end

function tests.image_without_the_folder_says_that_nothing_was_checked()
    write { ["src/Dockerfile"] = "FROM scratch\nCOPY static /other\n", ["src/static/a.js"] = "1" }
    ensure(context())
    lu.assertEquals(count(NAME .. " has no folder /static: what browsers load was not checked"), 1)
end

-- An archive, in pieces of a few bytes.
local function archive(files, size)
    local parts = {}
    for _, name in ipairs(tables.keys(files)) do
        parts[#parts + 1] = tar_stream.header { name = name, type = "file", size = #files[name], mode = 420 }
            .. files[name] .. tar_stream.padding(#files[name])
    end
    local bytes, at = table.concat(parts) .. tar_stream.END, 1
    return function()
        local piece = bytes:sub(at, at + size - 1)
        at = at + size
        return piece ~= "" and piece or nil
    end
end

function tests.addresses_are_found_wherever_the_stream_is_cut()
    local text = 'x="http://first:80/a",y="WSS://Second.svc",' .. (" "):rep(700) .. "'http://first:80/b' ://no httpsx://n"
    local wanted = { { file = "a.js", url = "http://first:80" }, { file = "a.js", url = "wss://second.svc" } }
    for _, size in ipairs { 1, 7, 64, 511, 513, 100000 } do
        local found, complete = browser_bundle.urls(archive({ ["a.js"] = text }, size))
        lu.assertEquals(found, wanted, "pieces of " .. size)
        lu.assertTrue(complete)
    end
end

function tests.hosts_that_no_browser_reaches()
    local inner = inner_hosts.of { config = { release = "shop", namespace = "web", components = { "backend" } } }
    for host, reached in pairs {
        ["backend"] = false, ["shop-backend:8000"] = false, ["other:8000"] = false, ["n"] = true,
        ["localhost:30080"] = true, ["nextjs.org"] = true, ["todo.local"] = true, ["10.0.0.7:30080"] = true,
        ["127.0.0.1:3000"] = true, ["backend.web.svc"] = false, ["backend.shop.svc.cluster.local:80"] = false,
        ["shop-backend.web:8000"] = false, ["backend.web"] = false, ["shop-backend.elsewhere"] = true,
        ["host.docker.internal:1"] = false, ["host.minikube.internal"] = false, ["0.0.0.0:3000"] = false,
        ["svc.example.com"] = true,
    } do
        local name, port = host:match("^([^:]+):?(%d*)$")
        lu.assertEquals(inner_hosts.why(name, port, inner) == nil, reached, host)
    end
end

-- ---- what an image starts from ----

local function build_base(name, text)
    write { ["base/Dockerfile"] = ("FROM scratch\nLABEL run=%s text=%s\nCOPY file /file\n"):format(NAME, text),
        ["base/file"] = text }
    return client:build({ context = dir.path .. "/base", dockerfile = dir.path .. "/base/Dockerfile", tags = { name } }).id
end

local function plain(dockerfile, changes)
    write { ["src/Dockerfile"] = dockerfile, ["src/static/a.js"] = "1" }
    return context(tables.merge({ config = { images = { page = { args = { PRIVATE = NAME }, browser = { args = {},
        files = "/" } } } } }, changes or {}))
end

local function rebuild(ctx, engine)
    ctx.docker, ctx.provider = engine or client, kind
    local changed, _, list = images.ensure(ctx, line, stack.values(ctx), { load = false, rebuild = true })
    return list[1], changed
end

function tests.rebuild_is_from_scratch_and_leaves_nothing_behind()
    remove_images(client, NAME)
    local first = ensure(plain "FROM scratch\nCOPY static /static\n")
    client:remove_image(first.ref)
    client:remove_image(first.name .. ":latest")
    lu.assertEquals(ensure(plain "FROM scratch\nCOPY static /static\n").id, first.id, "from the engine's cache")
    local second, changed = rebuild(plain "FROM scratch\nCOPY static /static\n")
    lu.assertTrue(changed)
    lu.assertEquals(second.ref, first.ref)
    lu.assertNotEquals(second.id, first.id)
    lu.assertEquals(client:image(first.name .. ":latest").Id, second.id)
    lu.assertNil(client:image(first.id))
end

function tests.rebuild_that_fails_loses_nothing()
    remove_images(client, NAME)
    local first = ensure(plain "FROM scratch\nCOPY static /static\n")
    local ok = pcall(rebuild, plain "FROM scratch\nCOPY static /static\n",
        engine_with(client, { build = function() error({ kind = "build", message = "the network is down" }, 0) end }))
    lu.assertFalse(ok)
    lu.assertEquals(client:image(first.ref).Id, first.id)
    lu.assertEquals(client:image(first.name .. ":latest").Id, first.id)
end

function tests.rebuild_keeps_base_images_that_no_registry_gives()
    remove_images(client, NAME)
    local id = build_base(NAME .. ":base", "one")
    local text = "FROM " .. NAME .. ":base\nCOPY static /static\n"
    ensure(plain(text))
    said = {}
    rebuild(plain(text))
    lu.assertEquals(client:image(NAME .. ":base").Id, id)
    -- Some engines say of every image that it has a digest: their registry is asked.
    local digests = client:image(NAME .. ":base").RepoDigests
    lu.assertEquals(count "cannot be pulled anew", type(digests) == "table" and math.min(#digests, 1) or 0)
end

-- What an engine says when it is asked for an image that it does not have, and what is advised then.
function tests.base_image_that_cannot_be_had_is_told_with_what_helps()
    for why, hint in pairs {
        ["manifest for reg.test/no:1 not found: manifest unknown: manifest unknown"] = "answers, and has no such image",
        ["pull access denied for reg.test/no, repository does not exist or may require 'docker login'"] = "docker login reg.test",
        ["unauthorized: authentication required"] = "docker login reg.test",
        ["toomanyrequests: You have reached your pull rate limit"] = "log in (docker login reg.test), or wait",
        ['Get "https://reg.test/v2/": dial tcp: lookup reg.test: no such host'] = "connect to its registry",
        ["no matching manifest for linux/arm64 in the manifest list entries"] = "name, tag and platform",
    } do
        local ctx = plain "FROM reg.test/no:1\nCOPY static /static\n"
        ctx.docker = engine_with(client, { pull = function() error({ kind = "pull", message = why }, 0) end })
        ctx.provider = kind
        local ok, problem = pcall(images.ensure, ctx, line, stack.values(ctx), { load = false })
        lu.assertEquals({ ok, problem.kind }, { false, "pull" })
        lu.assertStrContains(problem.message, "cannot pull reg.test/no:1: " .. why)
        lu.assertStrContains(problem.hint, hint)
    end
end

-- As one that docker/base makes, which takes minutes.
function tests.stand_in_that_is_built_upon_is_told_of_at_the_end()
    remove_images(client, NAME)
    local base = NAME .. ":base"
    write { ["base/Dockerfile"] = ("FROM scratch\nLABEL run=%s todo-lua.stand-in=1\n"):format(NAME) }
    client:build { context = dir.path .. "/base", dockerfile = dir.path .. "/base/Dockerfile", tags = { base } }
    local ctx = plain("FROM " .. base .. "\nCOPY static /static\n")
    ctx.board = { line = function() return setmetatable({ same = nothing }, { __index = line }) end }
    function ctx.end_progress() end
    local steps = require "steps"
    local function run()
        said = {}
        steps.run(ctx, { { "images", function() return select(2, ensure(ctx)) end, text = "images" },
            { "url", function() log.info "the page answers" end, text = "url" } })
        return said
    end
    run()
    lu.assertEquals(#said, 2)
    lu.assertStrContains(said[1], "the page answers")
    lu.assertStrContains(said[2], base .. " is a stand-in that was made on this machine")
    lu.assertStrContains(said[2], "docker pull " .. base)
    ctx.last_words = nil
    run()
    lu.assertEquals(#said, 1, "nothing was built")
end

function tests.labels_tell_what_an_image_was_made_of()
    remove_images(client, NAME)
    local id = build_base(NAME .. ":base", "one")
    local ctx = plain("FROM scratch\nCOPY --from=" .. NAME .. ":base /file /file\n")
    local image = ensure(ctx)
    local labels = client:image(image.ref).Config.Labels
    lu.assertEquals(labels["todo-lua.content"], image.tag)
    lu.assertEquals(json.decode(labels["todo-lua.bases"]), { [NAME .. ":base"] = id })
    lu.assertEquals(json.decode(labels["todo-lua.versions"]),
        { ["todo-lua"] = program.version, docker = client.server_version })
    local hashes = json.decode(labels["todo-lua.arg-hashes"])
    lu.assertEquals(tables.keys(hashes), { "PRIVATE", "PUBLIC_URL" })
    lu.assertEquals(hashes.PRIVATE, secret.sha256("PRIVATE=" .. NAME):sub(1, 16))
end

function tests.image_that_files_are_taken_from_is_part_of_the_tag()
    remove_images(client, NAME)
    for _, text in ipairs { "FROM scratch\nCOPY --from=%s /file /file\n", "ARG BASE=%s\nFROM $BASE\nCOPY static /static\n" } do
        build_base(NAME .. ":base", "one")
        local function ctx() return plain(text:format(NAME .. ":base")) end
        local first = ensure(ctx())
        local _, again = ensure(ctx())
        lu.assertFalse(again)
        build_base(NAME .. ":base", "two")
        local second, changed = ensure(ctx())
        lu.assertTrue(changed)
        lu.assertNotEquals(second.tag, first.tag)
        lu.assertNotEquals(second.id, first.id)
    end
end

-- ---- another platform ----

local OTHER = proc.platform().arch == "arm64" and "amd64" or "arm64"
local ELF_MACHINES = { amd64 = "\x3e\0", arm64 = "\xb7\0" }

local function for_platform(platform, dockerfile, changes)
    write { ["src/Dockerfile"] = dockerfile, ["src/static/a.js"] = "1" }
    return context(tables.merge({ options = { platform = platform }, config = { images = { page = { args = { PRIVATE = NAME },
        browser = { args = {}, files = "/" } } } } }, changes or {}))
end

local function refused(ctx)
    local ok, problem = pcall(ensure, ctx)
    lu.assertFalse(ok)
    return problem
end

function tests.platform_is_the_images_and_part_of_its_tag()
    remove_images(client, NAME)
    local other = ensure(for_platform("linux/" .. OTHER, "FROM scratch\nCOPY static /static\n"))
    lu.assertEquals(client:image(other.ref).Architecture, OTHER)
    local own = ensure(for_platform(nil, "FROM scratch\nCOPY static /static\n"))
    lu.assertEquals(client:image(own.ref).Architecture, proc.platform().arch)
    lu.assertNotEquals(own.tag, other.tag)
end

function tests.platform_that_is_none_is_wrong_usage()
    for _, platform in ipairs { "arm64", "linux/", "linux/arm64/x/y", "Linux/arm64" } do
        local problem = refused(for_platform(platform, "FROM scratch\nCOPY static /static\n"))
        lu.assertEquals({ problem.kind, problem.status }, { "usage", 2 })
    end
end

-- The classic builder would take the base image that is there, and say that all went well.
function tests.platform_that_a_base_image_cannot_be_had_for_is_refused()
    remove_images(client, NAME)
    local base = NAME .. ":base"
    write { ["base/Dockerfile"] = "FROM scratch\nLABEL a=1\n" }
    client:build { context = dir.path, dockerfile = dir.path .. "/base/Dockerfile", tags = { base } }
    local problem = refused(for_platform("linux/" .. OTHER, ("FROM %s\nCOPY static /static\n"):format(base)))
    lu.assertEquals(problem.kind, "pull")
    lu.assertStrContains(problem.message, ("cannot pull %s for linux/%s: "):format(base, OTHER))
    lu.assertStrContains(problem.hint, "is for linux/" .. proc.platform().arch)
    lu.assertNotNil(client:image(base), "what is there stays")
end

function tests.platform_whose_programs_the_engine_cannot_run_is_told_as_such()
    remove_images(client, NAME)
    local elf = assert(fs.read "/proc/self/exe"):sub(1, 4096)
    local ctx = for_platform("linux/" .. OTHER, 'FROM scratch\nCOPY --chown=0 run /run\nRUN ["/run"]\n')
    fs.write(dir.path .. "/src/run", elf:sub(1, 18) .. ELF_MACHINES[OTHER] .. elf:sub(21), 493)
    local problem = refused(ctx)
    lu.assertEquals(problem.kind, "build")
    lu.assertStrContains(problem.hint, "cannot run programs of linux/" .. OTHER)
end

function tests.platform_that_no_node_runs_is_refused_before_the_build()
    local nodes = { { status = { nodeInfo = { operatingSystem = "linux", architecture = "amd64" } } } }
    local ctx = for_platform("linux/riscv64", "FROM scratch\n", { k8s = { list = function() return nodes end } })
    ctx.docker, ctx.provider = client, { name = "kind" }
    local ok, problem = pcall(images.ensure, ctx, line, stack.values(ctx))
    lu.assertEquals({ ok, problem.kind, problem.message }, { false, "unsupported",
        "no node of the cluster runs linux/riscv64: its nodes are linux/amd64" })
    lu.assertStrContains(problem.hint, "--no-load")
end

-- What is said of the nodes of a context's cluster before anything is built.
local function checked_nodes(platform, architectures, name)
    local nodes = tables.map(architectures, function(one)
        return { status = { nodeInfo = { operatingSystem = "linux", architecture = one } } }
    end)
    local ctx = { provider = { name = name or "context" }, k8s = { list = function() return nodes end } }
    local ok, problem = pcall(image_platform.check_nodes, ctx, client, platform)
    return ok or problem.message .. "\n" .. problem.hint
end

function tests.nodes_of_a_context_that_are_none_of_the_engines_are_refused_before_the_build()
    local own = proc.platform().arch
    lu.assertTrue(checked_nodes(nil, { own, own }))
    lu.assertTrue(checked_nodes("linux/" .. OTHER, { OTHER }))
    lu.assertEquals(said, {})
    lu.assertEquals(checked_nodes(nil, { OTHER, OTHER }), ("no node of the cluster runs linux/%s, for which this Docker "
        .. "engine builds: its nodes are linux/%s\nbuild for them: --platform linux/%s"):format(own, OTHER, OTHER))
    lu.assertTrue(checked_nodes(nil, { OTHER }, "kind"), "a cluster of this machine")
    lu.assertTrue(checked_nodes(nil, {}))
    lu.assertEquals(said, {})
    lu.assertTrue(checked_nodes(nil, { OTHER, own }))
    lu.assertEquals(count(("images for linux/%s do not run on the nodes that are linux/%s"):format(own, OTHER)), 1)
end

function tests.nodes_that_may_not_be_listed_stop_nothing()
    local ctx = { provider = { name = "context" },
        k8s = { list = function() error({ kind = "denied", message = "nodes is forbidden" }, 0) end } }
    image_platform.check_nodes(ctx, client, nil)
    lu.assertEquals(said, {})
end

-- ---- files that only a build is given ----

local TOKEN = "npm_c4n4ry0123456789abcdefghijkl"

-- Files of a build whose Dockerfile wants the bundle; the engine runs no command FROM scratch, so COPY does everything.
local function with_files(dockerfile, npmrc)
    write { ["src/Dockerfile"] = dockerfile, ["src/app/main.js"] = "1", ["ca.pem"] = ("-----BEGIN CERTIFICATE-----\n"):rep(99),
        npmrc = npmrc or ("//registry.test/:_authToken=" .. TOKEN .. "\n") }
    return context { config = { ca_bundle = dir.path .. "/ca.pem", build_files = { [".npmrc"] = dir.path .. "/npmrc" },
        images = { page = { browser = { args = {}, files = "/" } } } } }
end

local function names()
    local list = {}
    for _, image in ipairs(client:images { filters = { reference = { NAME } } }) do
        table.move(image.RepoTags, 1, #image.RepoTags, #list + 1, list)
    end
    return list
end

function tests.files_of_an_earlier_stage_are_given_and_do_not_stay()
    remove_images(client, NAME)
    local image = ensure(with_files "FROM scratch AS deps\nCOPY . /all/\nCOPY .todo-ca.crt /\nFROM scratch\nCOPY --from=deps /all/app /app\n")
    lu.assertNotNil(client:image(image.ref))
    lu.assertNotNil(client:image(NAME .. ":latest"))
end

function tests.file_that_stays_in_a_layer_stops_the_build_and_names_it()
    remove_images(client, NAME)
    for dockerfile, place in pairs {
        ["FROM scratch\nCOPY .todo-ca.cr[t] app /srv/\n"] = "%.todo%-ca%.crt is in /srv/%.todo%-ca%.crt",
        ["FROM scratch AS a\nCOPY . /x/\nFROM scratch\nCOPY --from=a /x /y\n"] = "%.npmrc is in /y/%.npmrc",
        ["FROM scratch AS a\nCOPY .npmrc /x\nFROM scratch\nCOPY --from=a /x /innocent\n"] = "%.npmrc is in /innocent",
        -- what a later step covers is still there
        ["FROM scratch\nCOPY .npmrc /srv/file\nCOPY app/main.js /srv/file\n"] = "%.npmrc is in /srv/file",
    } do
        local problem = refused(with_files(dockerfile))
        lu.assertEquals(problem.kind, "leak")
        lu.assertStrContains(problem.message, ("image %s keeps what only its build was given: "):format(NAME))
        lu.assertTrue(problem.message:find(place) ~= nil, problem.message)
        lu.assertNotStrContains(tostring(problem), TOKEN)
        lu.assertEquals(names(), {})
        lu.assertEquals(refused(with_files(dockerfile)).kind, "leak") -- also when all comes from the cache
    end
end

function tests.token_in_a_label_or_a_command_is_found_too()
    remove_images(client, NAME)
    write { ["src/token"] = TOKEN }
    local problem = refused(with_files("FROM scratch\nLABEL token=" .. TOKEN .. "\nCOPY app /app\n"))
    lu.assertEquals(problem.message,
        ("image %s keeps what only its build was given: .npmrc is in its configuration"):format(NAME))
    lu.assertEquals(names(), {})
end

function tests.bundle_goes_only_to_builds_that_name_it()
    remove_images(client, NAME)
    local ctx = with_files "FROM scratch\nCOPY . /all/\n"
    ctx.config.build_files = {}
    local image = ensure(ctx)
    lu.assertNotNil(client:image(image.ref))
end

function tests.layers_that_were_looked_at_are_not_looked_at_again()
    remove_images(client, NAME)
    local dockerfile = "FROM scratch AS a\nCOPY .todo-ca.crt /x\nFROM scratch\nCOPY big /big\nCOPY app /app\n"
    write { ["src/big"] = ("x"):rep(100000) }
    local ctx = with_files(dockerfile)
    ctx.config.build_files = {}
    ensure(ctx)
    write { ["src/app/main.js"] = "2" }
    local again = with_files(dockerfile)
    again.config.build_files = {}
    local exported = 0
    again.docker = engine_with(client, { export = function() exported = exported + 1 end })
    again.provider = kind
    images.ensure(again, line, stack.values(again), { load = false })
    lu.assertEquals(exported, 0)
end

-- ---- secrets of single steps ----

-- An image around the tests' tool, whose steps are given the secret.
local function with_secret(steps, bytes)
    write { ["src/Dockerfile"] = "FROM scratch\nCOPY tool /tool\nLABEL run=" .. NAME .. "\n" .. steps, secret = bytes or TOKEN,
        ["src/.dockerignore"] = "Dockerfile\n" }
    proc.run { "gcc", "-static", "-O1", "-o", dir.path .. "/src/tool", "tests/unit/docker/tool.c" }
    return context { config = { build_secrets = { npm = dir.path .. "/secret", other = "/nonexistent" },
        images = { page = { args = { PRIVATE = "1" }, browser = { args = {}, files = "/" } } } } }
end

function tests.secret_of_a_step_is_given_and_does_not_stay()
    remove_images(client, NAME)
    local step = 'RUN --mount=type=secret,id=npm,required ["/tool", "to", "/length", "out", "x"]\n'
    local image = ensure(with_secret(step))
    local built = client:image(image.ref)
    lu.assertEquals(built.Config.Labels["todo-lua.content"], image.tag)
    lu.assertEquals(built.Config.Labels["todo-lua.component"], "page")
    lu.assertFalse(select(2, ensure(with_secret(step))), "nothing changed")
end

function tests.secret_that_a_step_leaves_in_a_layer_stops_the_build()
    remove_images(client, NAME)
    for _, bytes in ipairs { TOKEN, "short-pw\n", "a line\nand another\n" } do
        local problem = refused(with_secret(
            'RUN --mount=type=secret,id=npm ["/tool", "to", "/kept", "cat", "/run/secrets/npm"]\n'
            .. 'RUN ["/tool", "to", "/kept", "out", "covered"]\n', bytes))
        lu.assertEquals(problem.kind, "leak")
        lu.assertEquals(problem.message,
            ("image %s keeps what only its build was given: the secret npm is in /kept"):format(NAME))
        lu.assertNotStrContains(tostring(problem), bytes)
        lu.assertEquals(names(), {})
    end
end

function tests.secret_that_cannot_be_looked_for_stops_the_build()
    local step = 'RUN --mount=type=secret,id=npm ["/tool", "out", "x"]\n'
    local problem = refused(with_secret(step, "1234567\n"))
    lu.assertEquals({ problem.kind, problem.message }, { "unsupported",
        "the secret npm has 7 bytes: whether an image keeps it could not be told" })
    local missing = with_secret('RUN --mount=type=secret,id=other ["/tool", "out", "x"]\n')
    lu.assertStrContains(refused(missing).message, "/nonexistent does not exist")
end

local function tar_of(files)
    local parts = {}
    for bytes in archive(files, 1000) do parts[#parts + 1] = bytes end
    return table.concat(parts)
end

local function compressed(bytes, ...)
    fs.write(dir.path .. "/plain", bytes)
    proc.run { "sh", "-c", table.concat({ ... }, " ") .. " < " .. dir.path .. "/plain > " .. dir.path .. "/packed" }
    return fs.read(dir.path .. "/packed")
end

function tests.compressed_layers_are_looked_into()
    local given = { contents = {}, needles = { { name = "secret", text = "needle in a layer" } }, least = 0 }
    local dirty = tar_of { ["etc/hidden"] = ("x"):rep(70000) .. "needle in a layer", other = "1" }
    local clean_layer = tar_of { ["etc/hidden"] = ("needle"):rep(10000) }
    for _, size in ipairs { 300, 65536 } do
        local function find(layer) return build_files.find(archive({ ["blobs/sha256/1"] = layer }, size), given) end
        lu.assertEquals(find(dirty), { name = "secret", where = "/etc/hidden" })
        lu.assertEquals(find(compressed(dirty, "gzip", "-c")), { name = "secret", where = "/etc/hidden" })
        lu.assertNil(find(clean_layer))
        lu.assertNil(find(compressed(clean_layer, "gzip", "-c")))
        lu.assertNil(find "")
    end
    local ok, problem = pcall(build_files.find,
        archive({ ["blobs/sha256/1"] = "\x28\xb5\x2f\xfd" .. ("z"):rep(600) }, 512), given)
    lu.assertEquals({ ok, problem.kind }, { false, "unsupported" })
    local broken = compressed(dirty:gsub("needle in", "nothing in"), "gzip", "-c"):sub(1, 600)
    lu.assertFalse((pcall(build_files.find, archive({ ["blobs/sha256/1"] = broken }, 512), given)))
end

-- ---- images of older builds ----

function tests.prune_takes_only_what_older_builds_of_ours_left()
    remove_images(client, NAME)
    local made = {}
    for i = 1, 6 do
        write { ["src/Dockerfile"] = DOCKERFILE, ["src/static/a.js"] = tostring(i) }
        made[i] = ensure(context())
    end
    local config = context().config
    -- The engine tells ages in seconds, and these builds take less: their order is given.
    local listed = client.images
    local counting = engine_with(client, { images = function(_, options)
        local list = listed(client, options)
        for _, image in ipairs(list) do
            for i, one in ipairs(made) do
                if one.id == image.Id then image.Created = i end
            end
        end
        return list
    end })
    client:tag(made[1].ref, NAME .. ":mine")
    client:tag(made[2].ref, "registry.test/team/" .. made[2].ref)
    local list = old_images.list(counting, config, { made[6].id })
    local found = tables.map(list, function(image) return image.id end)
    lu.assertEquals(found, { made[3].id, made[2].id, made[1].id })
    -- One that is in use by the deploy stays, however old.
    lu.assertEquals(tables.map(old_images.list(counting, config, { made[1].id }), function(image) return image.id end),
        { made[4].id, made[3].id, made[2].id })
    local holder = client:create { image = made[3].id, cmd = { "x" }, labels = { ["todo-lua.scan"] = "1" } }
    local removed, kept = old_images.remove(client, list)
    client:remove(holder, { force = true })
    table.sort(removed)
    local wanted = { made[1].ref, made[2].ref, "registry.test/team/" .. made[2].ref }
    table.sort(wanted)
    lu.assertEquals(removed, wanted)
    lu.assertEquals(#kept, 1)
    lu.assertStrContains(kept[1], holder:sub(1, 12))
    lu.assertNotNil(client:image(NAME .. ":mine"))
    lu.assertNil(client:image(made[2].ref))
    for i = 3, 6 do lu.assertNotNil(client:image(made[i].ref)) end
end

return tests
