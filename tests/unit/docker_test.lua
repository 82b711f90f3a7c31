-- Module docker against the real engine; images are made FROM scratch around tests/unit/docker/tool.c.
local builder = require "builder"
local docker = require "docker"
local engine_with = require "tests.engine_with"
local fs = require "fs"
local http = require "http"
local lu = require "luaunit"
local proc = require "proc"
local remove_images = require "tests.remove_images"
local secret = require "secret"
local tar_stream = require "tar_stream"
local task = require "task"

local tests = {}
local d, dir, base
local serial = 0

local function failure(fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    return err
end

local function write(path, text)
    proc.run { "mkdir", "-p", (path:gsub("/[^/]*$", "")) }
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
end

-- A context with the tool, the Dockerfile and the given files.
local function context(dockerfile, files)
    serial = serial + 1
    local folder = dir .. "/context" .. serial
    write(folder .. "/Dockerfile", dockerfile)
    proc.run { "ln", base, folder .. "/tool" }
    for name, text in pairs(files or {}) do write(folder .. "/" .. name, text) end
    return folder
end

-- The machine's engine as one that has no BuildKit.
local function without_buildkit()
    return engine_with(d, { transfer = function(_, path, options)
        if options.context and options.context.buildkit then
            error({ kind = "unsupported", message = "docker: page not found", status = 404 }, 0)
        end
        return d:transfer(path, options)
    end })
end

-- Builds; with `elsewhere` in the options by a Dockerfile outside of the context, with `classic` by the engine's first builder.
local function build(folder, tag, options)
    options = options or {}
    if options.elsewhere then
        options.dockerfile = dir .. "/elsewhere/" .. folder:match("[^/]+$") .. ".Dockerfile"
        write(options.dockerfile, fs.read(folder .. "/Dockerfile"))
    end
    options.context = options.context or folder
    options.dockerfile = options.dockerfile or folder .. "/Dockerfile"
    options.tags = { tag }
    return (options.classic and without_buildkit() or d):build(options)
end

local function run(options)
    options.image = options.image or "tl-test:base"
    return d:run(options)
end

local function lines_of(name, options)
    local lines <close> = d:logs(name, options)
    local list = {}
    for line, stream in lines.next, lines do list[#list + 1] = stream .. ":" .. line end
    table.sort(list)
    return list
end

local function clean()
    for _, container in ipairs(d:containers { all = true, filters = { label = { "tl-test" } } }) do
        d:remove(container.Id, { force = true, volumes = true })
    end
    remove_images(d, "tl-test")
end

function tests.setup_all()
    dir = proc.run({ "mktemp", "-d" }).stdout:gsub("\n", "")
    base = dir .. "/tool"
    proc.run { "gcc", "-static", "-O1", "-o", base, "tests/unit/docker/tool.c" }
    d = docker.connect()
    clean()
    build(context 'FROM scratch\nCOPY tool /tool\nLABEL tl-test=1\nENTRYPOINT ["/tool"]', "tl-test:base")
end

function tests.teardown_all()
    clean()
    d:close()
    proc.run { "rm", "-rf", dir }
end

function tests.connect_tells_who_answers()
    lu.assertEquals(d.os, "linux")
    lu.assertStrMatches(d.api_version, "%d+%.%d+")
    lu.assertEquals(d.server_version, d:info().ServerVersion)
    lu.assertStrContains(d.host, "unix:///")
end

function tests.connect_without_engine_says_how_to_start_it()
    local err = failure(docker.connect, { host = "unix:///nonexistent/docker.sock" })
    lu.assertEquals(err.kind, "connect")
    lu.assertStrContains(err.message, "no Docker engine answers at unix:///nonexistent/docker.sock")
    lu.assertStrContains(err.hint, "DOCKER_HOST")
    lu.assertEquals(failure(docker.connect, { host = "tcp://127.0.0.1:1" }).kind, "connect")
    lu.assertEquals(failure(docker.connect, { host = "ssh://me@there" }).kind, "usage")
    local no_files = failure(docker.connect, { host = "tcp://127.0.0.1:1", cert_path = "/none" })
    lu.assertStrContains(no_files.message, "/none/ca.pem")
end

function tests.connect_without_permission_says_which_group()
    local user = proc.run({ "id", "-u" }).stdout
    if user ~= "0\n" then return lu.fail("the tests run as root") end
    local script = dir .. "/denied.lua"
    write(script, [[
        local ok, err = pcall(require("docker").connect)
        print(ok, err.kind, err.hint)
    ]])
    proc.run { "chmod", "-R", "a+rX", dir }
    local program = proc.run({ "readlink", "/proc/" .. proc.pid() .. "/exe" }).stdout:gsub("\n", "")
    proc.run { "cp", program, dir .. "/program" }
    local as_nobody = { "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", dir .. "/program", script }
    local result = proc.run(as_nobody, { cwd = dir, env = { HOME = dir } })
    lu.assertStrContains(result.stdout, "false\tdenied\t")
    lu.assertStrContains(result.stdout, "usermod -aG docker")
end

-- Engine 23.0's BuildKit writes the name of the build's context, which it made up, into each image's configuration.
local function assert_same(id, wanted)
    local one, other = d:image(id), d:image(wanted)
    if d.api_version ~= "1.42" then return lu.assertEquals(one.Id, other.Id) end
    lu.assertEquals({ one.RootFS, one.Config, one.Created }, { other.RootFS, other.Config, other.Created })
end

-- Ways of building, by what makes a build theirs.
local BUILDKIT, CLASSIC = {}, { classic = true }
local ELSEWHERE, CLASSIC_ELSEWHERE = { elsewhere = true }, { classic = true, elsewhere = true }

local function reports_steps_output_and_result(by)
    local folder = context(('FROM tl-test:base\nRUN ["/tool", "out", "hello %f", "err", "warn"]'):format(proc.time()))
    local seen = {}
    local result = build(folder, "tl-test:steps", {
        elsewhere = by.elsewhere, classic = by.classic,
        labels = { ["tl-test"] = "1", made = "here" },
        on_progress = function(event)
            seen[#seen + 1] = event.stream .. ":" .. tostring(event.step) .. ":" .. (event.text or ""):match("^%w*")
        end,
    })
    lu.assertStrMatches(result.id, "sha256:%x+")
    lu.assertFalse(result.cached)
    local all = table.concat(seen, " ")
    lu.assertStrContains(all, "context:nil:")
    lu.assertStrContains(all, "step:1:FROM step:2:RUN output:2:")
    lu.assertStrContains(all, "output:2:hello")
    lu.assertStrContains(all, "output:2:warn")
    local image = d:image("tl-test:steps")
    lu.assertEquals(image.Id, result.id)
    lu.assertEquals(image.Config.Labels.made, "here")
    local options = { elsewhere = by.elsewhere, classic = by.classic, labels = { ["tl-test"] = "1", made = "here" } }
    local again = build(folder, "tl-test:steps", options)
    lu.assertTrue(again.cached)
    assert_same(again.id, result.id)
    lu.assertFalse(build(folder, "tl-test:steps", { elsewhere = by.elsewhere, classic = by.classic, no_cache = true }).cached)
end

function tests.build_reports_steps_output_and_result() reports_steps_output_and_result(BUILDKIT) end
function tests.build_by_a_dockerfile_elsewhere_reports_the_same() reports_steps_output_and_result(ELSEWHERE) end
function tests.build_of_the_classic_builder_reports_the_same() reports_steps_output_and_result(CLASSIC) end
function tests.build_of_the_classic_builder_from_elsewhere_reports_the_same()
    reports_steps_output_and_result(CLASSIC_ELSEWHERE)
end

local function failure_names_the_step_and_keeps_its_output(by)
    local folder = context([[
        FROM tl-test:base
        RUN ["/tool", "out", "before"]
        RUN ["/tool", "lines", "30", "exit", "7"]
    ]])
    local err = failure(build, folder, "tl-test:broken", { elsewhere = by.elsewhere, classic = by.classic, no_cache = true })
    lu.assertEquals(err.kind, "build")
    lu.assertStrContains(err.message, 'step 3 of 3 failed: RUN ["/tool", "lines", "30", "exit", "7"]')
    lu.assertEquals(err.status, 7)
    local first, last = err.output:match("^(line %d+)\n.*(line %d+)\n$")
    lu.assertEquals(first .. last, "line 11line 30")
    lu.assertNil(d:image("tl-test:broken"))
end

function tests.build_failure_names_the_step_and_keeps_its_output()
    failure_names_the_step_and_keeps_its_output(BUILDKIT)
end

function tests.build_failure_of_the_classic_builder_says_the_same() failure_names_the_step_and_keeps_its_output(CLASSIC) end

function tests.build_takes_a_context_that_begins_with_a_long_name()
    local folder = context("FROM tl-test:base\nCOPY A* /\n", { [("A"):rep(150)] = "long" })
    for _, classic in ipairs { false, true } do
        lu.assertStrContains(build(folder, "tl-test:long", { classic = classic, labels = { ["tl-test"] = "1" } }).id, "sha256:")
    end
end

function tests.build_of_broken_dockerfile_or_context_says_why()
    lu.assertStrContains(failure(build, context "FORM scratch", "tl-test:x").message, "FORM")
    lu.assertStrContains(failure(build, context "FROM scratch\nCOPY nothing /", "tl-test:x").message, "nothing")
    local err = failure(build, dir, "tl-test:x", { dockerfile = dir .. "/none" })
    lu.assertEquals(err.kind, "not_found")
    lu.assertStrContains(err.message, dir .. "/none")
    lu.assertEquals(failure(build, "/nonexistent", "tl-test:x").kind, "not_found")
    local unreachable = failure(build, context "FROM registry.invalid/nothing:1", "tl-test:x")
    lu.assertEquals(unreachable.kind, "pull")
end

function tests.build_arguments_and_target_count()
    local folder = context('FROM tl-test:base AS first\nARG WORD=none\nENV WORD=$WORD\nFROM first\nENV WORD=second')
    build(folder, "tl-test:target", { target = "first", args = { WORD = "a b&c" } })
    lu.assertStrContains(table.concat(d:image("tl-test:target").Config.Env, ";"), "WORD=a b&c")
end

-- Builds an image that holds the whole context and lists the files that arrived.
local function arrived(folder, options)
    build(folder, "tl-test:files", options)
    local id = d:call("POST", "/containers/create", {
        body = { Image = "tl-test:files", Cmd = { "x" }, Labels = { ["tl-test"] = "1" } },
    }).Id
    local listing = dir .. "/files.tar"
    local stream <close> = d:stream("GET", "/containers/" .. id .. "/archive", { query = { path = "/all" } })
    local file <close> = assert(io.open(listing, "wb"))
    for bytes in stream.read, stream do file:write(bytes) end
    file:close()
    d:remove(id, { force = true })
    local names = {}
    for name in proc.run({ "tar", "-tf", listing }).stdout:gmatch("[^\n]+") do
        name = name:gsub("^all/", "")
        if name ~= "" then names[#names + 1] = name end
    end
    table.sort(names)
    return table.concat(names, " ")
end

local DOCKERFILE = "FROM scratch\nCOPY . /all/\n"

function tests.context_holds_what_the_rules_keep()
    local files = {
        [".dockerignore"] = "# rules\n*\n!src\nsrc/**/*.log\n!src/keep/*.log\n!tool*\n",
        ["src/a.js"] = "a", ["src/a.log"] = "l", ["src/keep/b.log"] = "k", ["src/deep/er/c.log"] = "x",
        ["src/deep/er/c.js"] = "c", ["node_modules/x/y.js"] = "n", ["tools/t"] = "t",
    }
    lu.assertEquals(arrived(context(DOCKERFILE, files)),
        "src/ src/a.js src/deep/ src/deep/er/ src/deep/er/c.js src/keep/ src/keep/b.log tool tools/ tools/t")
end

function tests.context_rules_beside_the_dockerfile_win()
    local files = {
        [".dockerignore"] = "b\n", ["Dockerfile.dockerignore"] = "a\nDockerfile*\n.dockerignore\n", a = "1", b = "2",
    }
    lu.assertEquals(arrived(context(DOCKERFILE, files)), "b tool")
end

function tests.context_takes_a_dockerfile_from_elsewhere_and_extra_files()
    local folder = context(DOCKERFILE, { a = "1" })
    write(dir .. "/elsewhere/My.Dockerfile", "FROM scratch\nCOPY . /all/\n")
    local options = { dockerfile = dir .. "/elsewhere/My.Dockerfile", extra_files = { ["ca.pem"] = "x\0y" } }
    lu.assertEquals(arrived(folder, options), "Dockerfile a ca.pem tool")
end

function tests.context_does_not_read_ignored_folders()
    local folder = context(DOCKERFILE, { [".dockerignore"] = "locked\n", ["locked/x"] = "x", a = "1" })
    proc.run { "rm", "-r", folder .. "/locked" }
    proc.run { "ln", "-s", "/proc/self/nothing", folder .. "/link" }
    lu.assertEquals(arrived(folder), ".dockerignore Dockerfile a link tool")
end

-- What arrived at the engine: size and first byte of each file, or a link's target, by name.
local function contents(folder)
    build(folder, "tl-test:files")
    local id = d:create { image = "tl-test:files", cmd = { "x" }, labels = { ["tl-test"] = "1" } }
    local found = {}
    local stream <close> = d:archive(id, "/all")
    local reader = tar_stream.reader(function() return stream:read() end)
    for entry in reader.next, reader do
        local hash = {}
        for bytes in reader.read, reader do hash[#hash + 1] = bytes end
        found[entry.name:gsub("^all/", ""):gsub("/$", "")] = entry.type == "link" and "-> " .. entry.target
            or entry.type == "file" and secret.sha256(table.concat(hash)) or entry.type
    end
    d:remove(id, { force = true })
    return found
end

function tests.context_brings_names_of_any_bytes_links_and_holes()
    local long = ("d"):rep(120) .. "/" .. ("e"):rep(120) .. "/" .. ("f"):rep(200)
    local files = { ["sp ace"] = "1", ["new\nline"] = "2", ["b\xc3\xa4r"] = "3", ["\xff\xfe"] = "4", ["-rf"] = "5",
        ["back\\slash"] = "6", ["*"] = "7", [long] = "8", [".hidden"] = "9", ["quote'\""] = "10" }
    local folder = context(DOCKERFILE, files)
    local holes = folder .. "/holes"
    proc.run { "truncate", "-s", "9M", holes }
    do
        local file <close> = assert(io.open(holes, "r+b"))
        file:seek("set", 5000000)
        file:write("data in the middle")
    end
    local links = { absolute = "/etc/passwd", dangling = "nowhere", up = "../../outside", self = "self",
        far = ("t"):rep(300), ["odd\xff"] = "\xfe\n" }
    for name, target in pairs(links) do proc.run { "ln", "-s", target, folder .. "/" .. name } end
    proc.run { "chown", "-R", "1234:5678", folder }
    local found = contents(folder)
    for name, text in pairs(files) do lu.assertEquals(found[name], secret.sha256(text), ("%q"):format(name)) end
    for name, target in pairs(links) do lu.assertEquals(found[name], "-> " .. target, ("%q"):format(name)) end
    lu.assertEquals(found.holes, fs.sha256(holes))
end

-- The same sources on another machine: other times, owners, modes of directories, order in the folders, holes.
function tests.context_hash_is_the_same_on_every_machine()
    local function sources(order)
        local folder = context(DOCKERFILE)
        for _, name in ipairs(order) do write(folder .. "/" .. name, name) end
        proc.run { "ln", "-s", "one", folder .. "/link" }
        return folder
    end
    local one = sources { "one", "two", "sub/three", "\xff" }
    local two = sources { "\xff", "sub/three", "two", "one" }
    proc.run { "truncate", "-s", "1M", one .. "/zeros" }
    proc.run { "dd", "if=/dev/zero", "of=" .. two .. "/zeros", "bs=1M", "count=1", "status=none" }
    proc.run { "chown", "-hR", "1234:5678", two }
    proc.run { "sh", "-c", "find '" .. two .. "' -exec touch -h -d 1999-12-31 {} +" }
    proc.run { "chmod", "700", two .. "/sub" }
    proc.run { "chmod", "604", two .. "/two" }
    local function hash(folder) return docker.context_hash(folder, { dockerfile = folder .. "/Dockerfile" }) end
    lu.assertEquals(hash(two), hash(one))
    build(one, "tl-test:one")
    build(two, "tl-test:two") -- the engine's cache knows the files by their bytes and their headers
    assert_same("tl-test:two", "tl-test:one")
    proc.run { "ln", "-sfn", "two", two .. "/link" }
    lu.assertNotEquals(hash(two), hash(one))
end

function tests.context_hash_follows_sources_only()
    local files = { ["src/a"] = "1", ["src/b"] = "2", junk = "j", [".dockerignore"] = "junk\n.dockerignore" }
    local one, two = context(DOCKERFILE, files), context(DOCKERFILE, files)
    proc.run { "touch", "-d", "2001-01-01", two .. "/src/a" }
    proc.run { "chmod", "600", two .. "/src/b" }
    local function hash(folder, extra)
        return docker.context_hash(folder, { dockerfile = folder .. "/Dockerfile", extra = extra })
    end
    local before = hash(one)
    lu.assertStrMatches(before, "%x+")
    lu.assertEquals(#before, 64)
    lu.assertEquals(hash(two), before)
    write(two .. "/junk", "other")
    lu.assertEquals(hash(two), before)
    lu.assertNotEquals(hash(one, { "ARG=1" }), before)
    lu.assertNotEquals(hash(one, { "A", "RG=1" }), hash(one, { "AR", "G=1" }))
    proc.run { "chmod", "755", two .. "/src/b" }
    lu.assertNotEquals(hash(two), before)
    proc.run { "chmod", "644", two .. "/src/b" }
    write(two .. "/src/a", "!")
    lu.assertNotEquals(hash(two), before)
    write(two .. "/src/a", "1")
    lu.assertEquals(hash(two), before)
    proc.run { "mkdir", two .. "/src/empty" }
    lu.assertNotEquals(hash(two), before)
    lu.assertEquals(failure(docker.context_hash, "/nonexistent").kind, "not_found")
end

function tests.three_builds_run_at_once()
    local fns = {}
    for i = 1, 3 do
        local step = ('RUN ["/tool", "sleep", "0.5", "out", "%d %f"]'):format(i, proc.time())
        local folder = context("FROM tl-test:base\n" .. step)
        fns[i] = function()
            local lines = {}
            build(folder, "tl-test:parallel" .. i, { on_progress = function(event)
                if event.stream == "output" then lines[#lines + 1] = event.text:sub(1, 1) end
            end })
            return table.concat(lines)
        end
    end
    lu.assertEquals(task.all(fns), { "1", "2", "3" })
end

-- Processes on this machine whose arguments have the word.
local function processes_with(word)
    local count = 0
    for _, id in ipairs(fs.list("/proc")) do
        local ok, text = pcall(fs.read, "/proc/" .. id .. "/cmdline")
        if id:find("^%d+$") and ok and text and text:find("/tool", 1, true) and text:find(word, 1, true) then
            count = count + 1
        end
    end
    return count
end

local function cancelled_build_ends_its_process(by)
    local word = ("cancelled-%f"):format(proc.time())
    local folder = context(('FROM tl-test:base\nRUN ["/tool", "out", "%s", "sleep", "30"]'):format(word))
    local function wait_for(wanted)
        for _ = 1, 200 do
            if processes_with(word) == wanted then return end
            task.sleep(0.05)
        end
        lu.fail(("%d processes, %d expected"):format(processes_with(word), wanted))
    end
    local building = task.spawn(build, folder, "tl-test:never", { classic = by.classic })
    wait_for(1)
    building:cancel()
    wait_for(0)
end

function tests.cancelled_build_stops_the_engine_too() cancelled_build_ends_its_process(BUILDKIT) end

function tests.cancelled_build_of_the_classic_builder_stops_the_engine_too()
    cancelled_build_ends_its_process(CLASSIC)
end

-- ---- what BuildKit asks for ----

local CANARY = "s3cr3t-canary-of-a-build"

-- What the steps of a build printed, and its result.
local function output_of(folder, tag, options)
    local output = {}
    options.on_progress = function(event)
        if event.stream == "output" then output[#output + 1] = event.text end
    end
    local result = build(folder, tag, options)
    return output, result
end

local SECRET_STEP = 'RUN --mount=type=secret,id=token,required ["/tool", "cat", "/run/secrets/token", "out", "%f"]'

function tests.build_is_given_its_secrets()
    local folder = context(("FROM tl-test:base\nARG WORD\nENV WORD=$WORD\n" .. SECRET_STEP):format(proc.time()))
    local output, result = output_of(folder, "tl-test:secret", {
        secrets = { token = secret.new(CANARY), other = "not asked for" },
        args = { WORD = "w0rd", PATH = "/tool" }, labels = { ["tl-test"] = "1" },
    })
    lu.assertEquals(d:image("tl-test:secret").Id, result.id)
    lu.assertStrContains(output[1], CANARY)
    lu.assertStrContains(table.concat(d:image("tl-test:secret").Config.Env, ";"), "WORD=w0rd")
end

function tests.build_without_the_secret_that_it_needs_says_how_to_give_it()
    local err = failure(build, context("FROM tl-test:base\n" .. SECRET_STEP:format(0)), "tl-test:x")
    lu.assertEquals(err.kind, "build")
    lu.assertStrMatches(err.message, ".*secret token:? not found.*")
    lu.assertEquals(err.hint, 'build_secrets = { ["token"] = "/path/of/its/file" } in todo.local.lua gives it')
end

function tests.build_does_not_ask_for_secrets_of_stages_that_it_leaves_out()
    local folder = context("FROM tl-test:base AS other\n" .. SECRET_STEP:format(0) .. "\nFROM tl-test:base\nENV A=1")
    lu.assertStrContains(build(folder, "tl-test:x").id, "sha256:")
end

function tests.build_uses_the_users_ssh_agent()
    local before = proc.env("SSH_AUTH_SOCK", false)
    local step = 'FROM tl-test:base\nRUN --mount=type=ssh,required ["/tool", "agent", "SSH_AUTH_SOCK", "out", "%f"]'
    local folder = context(step:format(proc.time()))
    local err = failure(build, folder, "tl-test:ssh")
    lu.assertEquals({ err.kind, err.hint }, { "build", "build_ssh = true in todo.local.lua gives it" })
    lu.assertStrContains(failure(build, folder, "tl-test:ssh", { ssh = true }).message, "SSH_AUTH_SOCK is not set")
    local socket = dir .. "/agent"
    local agent <close> = proc.spawn({ "ssh-agent", "-D", "-a", socket }, { stdout = "null", stderr = "null" }) -- luacheck: ignore
    for _ = 1, 100 do
        if fs.exists(socket) then break end
        task.sleep(0.05)
    end
    proc.env("SSH_AUTH_SOCK", socket)
    proc.run { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir .. "/key" }
    proc.run { "ssh-add", "-q", dir .. "/key" }
    local output = output_of(folder, "tl-test:ssh", { ssh = true })
    proc.env("SSH_AUTH_SOCK", "/nonexistent/agent")
    local gone = failure(build, context(step:format(proc.time())), "tl-test:ssh", { ssh = true })
    proc.env("SSH_AUTH_SOCK", before or false)
    lu.assertEquals(output[1], "1 keys")
    lu.assertEquals(gone.kind, "build")
end

-- Only what the engine lacks is sent, and what is sent is never taken for what it has: all files have one size and one time.
function tests.build_sends_only_what_has_changed()
    local files = {}
    for i = 1, 200 do files[("src/%d"):format(i)] = ("file %04d\n"):format(i):rep(1000) end
    local folder = context("FROM scratch\nCOPY src /src/\n", files)
    local function sent()
        local bytes = 0
        build(folder, "tl-test:changed", { on_progress = function(event)
            if event.stream == "context" then bytes = event.bytes end
        end })
        return bytes
    end
    lu.assertTrue(sent() >= 200 * 10000)
    for _, name in ipairs { "7", "8" } do write(folder .. "/src/" .. name, "FILE 0000\n" .. ("file 000" .. name .. "\n"):rep(999)) end
    proc.run { "touch", "-r", folder .. "/src/9", folder .. "/src/7" }
    local again = sent()
    lu.assertTrue(again >= 20000 and again < 30000, again .. " bytes")
    local id = d:create { image = "tl-test:changed", cmd = { "x" }, labels = { ["tl-test"] = "1" } }
    local stream <close> = d:archive(id, "/src/7")
    local reader = tar_stream.reader(function() return stream:read() end)
    reader:next()
    lu.assertEquals(reader:read():sub(1, 20), "FILE 0000\nfile 0007\n")
    d:remove(id, { force = true })
    lu.assertTrue(sent() < 1000)
end

-- What no COPY names is not sent.
function tests.build_sends_only_what_is_copied()
    local folder = context("FROM scratch\nCOPY src/a* link/c /all/\nCOPY one /all/\n", {
        ["src/a1"] = "1", ["src/b"] = ("b"):rep(9), ["far/c"] = "3", one = "4", other = ("o"):rep(100000), ["big/x"] = ("x"):rep(100000) })
    proc.run { "rm", folder .. "/tool" }
    local bytes
    local function count(event) if event.stream == "context" then bytes = event.bytes end end
    fs.write(folder .. "/Dockerfile", "FROM scratch\nCOPY src/a* far/c /all/\nCOPY one /all/\n")
    build(folder, "tl-test:copied", { on_progress = count })
    lu.assertTrue(bytes < 1000, bytes .. " bytes")
    -- A link in the way may lead anywhere.
    proc.run { "ln", "-s", "far", folder .. "/link" }
    fs.write(folder .. "/Dockerfile", "FROM scratch\nCOPY link/c /all/\n")
    lu.assertStrContains(build(folder, "tl-test:copied", { on_progress = count }).id, "sha256:")
end

function tests.image_keeps_no_times_of_files()
    local folder = context("FROM scratch\nCOPY src /src/\n", { ["src/a"] = "1", ["src/sub/b"] = "2" })
    proc.run { "touch", "-d", "2001-02-03", folder .. "/src/a" }
    for _, classic in ipairs { false, true } do
        build(folder, "tl-test:times", { no_cache = true, classic = classic })
        local id = d:create { image = "tl-test:times", cmd = { "x" }, labels = { ["tl-test"] = "1" } }
        local listing = dir .. "/times.tar"
        local stream <close> = d:archive(id, "/src")
        local file <close> = assert(io.open(listing, "wb"))
        for bytes in stream.read, stream do file:write(bytes) end
        file:close()
        d:remove(id, { force = true })
        local times = {}
        for line in proc.run({ "tar", "--utc", "--full-time", "-tvf", listing }).stdout:gmatch("[^\n]+") do
            if line:find("^%-") then times[#times + 1] = line:match("%d+%-%d+%-%d+ %d+:%d+:[%d.]+") end
        end
        lu.assertEquals(times, { "2000-01-01 00:00:00", "2000-01-01 00:00:00" })
    end
end

function tests.build_of_a_file_that_cannot_be_read_says_which()
    local folder = context("FROM scratch\nCOPY . /all/\n", { ["sub/gone"] = "x" })
    fs.remove(folder .. "/sub/gone")
    proc.run { "mknod", folder .. "/sub/gone", "p" } -- left out, as it is no file
    lu.assertStrContains(build(folder, "tl-test:x").id, "sha256:")
    local grows = folder .. "/grows"
    proc.run { "truncate", "-s", "300M", grows }
    local growing = task.spawn(function()
        for _ = 1, 200 do
            local file <close> = assert(io.open(grows, "ab"))
            file:write "more"
            file:close()
            task.sleep(0.01)
        end
    end)
    local err = failure(build, folder, "tl-test:x")
    growing:cancel()
    fs.remove(grows)
    lu.assertStrContains(err.message, folder .. "/grows was written to while it was sent")
    lu.assertStrContains(err.hint, ".dockerignore")
end

-- ---- what the engine answers ----

-- An engine whose answers to builds of its two builders are given, and the builds that it was asked for.
local function choose(answers)
    local asked = {}
    local folder = context "FROM tl-test:base\nENV B=1"
    local options = { context = folder, dockerfile = folder .. "/Dockerfile", tags = { "tl-test:chosen" } }
    local client = engine_with(d, {})
    local function by_api(_, _, given)
        local way = given and "buildkit" or "classic"
        asked[#asked + 1] = way
        if answers[way] then error(answers[way], 0) end
        return { id = way }
    end
    return function()
        builder.build(client, options, by_api)
        return table.concat(asked, " ")
    end
end

function tests.builder_follows_what_the_engine_answers()
    local no_session = { kind = "unsupported", message = "docker: page not found", status = 404 }
    local none = { kind = "usage", message = "invalid version 2" }
    local broken = { kind = "build", message = "step 2 of 2 failed: RUN echo buildkit" }
    lu.assertEquals(choose {}(), "buildkit")
    for _, problem in ipairs { no_session, none } do
        local old = choose { buildkit = problem }
        lu.assertEquals(old(), "buildkit classic")
        lu.assertEquals(old(), "buildkit classic classic") -- not asked again
    end
    lu.assertEquals(failure(choose { buildkit = broken }), broken)
    local mount = { kind = "engine", message = "the --mount option requires BuildKit. Refer to …" }
    lu.assertStrContains(failure(choose { buildkit = none, classic = mount }).hint, "BuildKit is missing here")
    -- Engine 28 and 29, of file names
    local names = choose { buildkit = { kind = "engine",
        message = "rpc error: code = Internal desc = grpc: failed to unmarshal the received message: string field contains invalid UTF-8" } }
    lu.assertEquals(names(), "buildkit classic")
    lu.assertEquals(names(), "buildkit classic buildkit classic") -- of this context alone
end

-- An engine that knows of no sessions, as Podman's, is asked to build as it can.
function tests.builder_takes_an_engine_without_sessions_for_one_without_buildkit()
    local asked = {}
    local old <close> = http.listen("127.0.0.1", 0, function(conn)
        local head = ""
        while not head:find("\r\n\r\n", 1, true) do head = head .. (conn:read() or "\r\n\r\n") end
        local method, path = head:match "^(%u+) ([^? ]*)"
        asked[#asked + 1] = method .. " " .. path
        local body = path:find("/build$") and '{"aux":{"ID":"sha256:0123"}}\n{"stream":"Step 1/1 : FROM scratch\\n"}\n'
            or path:find("/json$") and '{"Id":"sha256:0123"}' or '{"message":"page not found"}'
        while path:find("/build$") and not head:find("0\r\n\r\n$") do head = head .. conn:read() end
        conn:write(("HTTP/1.1 %s\r\nApi-Version: 1.41\r\nOstype: linux\r\nServer: Podman/5.0.0 (linux)\r\n"
            .. "Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(
            path:find "/session$" and "404 Not Found" or "200 OK", #body, body))
        conn:close()
    end)
    local client <close> = docker.connect { host = "tcp://127.0.0.1:" .. old.port }
    local folder = context "FROM scratch"
    local result = client:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { "tl-test:old" } }
    lu.assertEquals(result.id, "sha256:0123")
    lu.assertEquals(asked, { "GET /_ping", "POST /v1.41/session", "POST /v1.41/build", "GET /v1.41/images/tl-test:old/json" })
end

function tests.build_runs_stages_side_by_side_and_keeps_the_failing_ones_output()
    local now = proc.time()
    local folder = context(([[
        FROM tl-test:base AS slow
        RUN ["/tool", "sleep", "20", "out", "%f"]
        FROM tl-test:base AS broken
        RUN ["/tool", "out", "%f", "lines", "3", "exit", "7"]
        FROM tl-test:base
        COPY --from=slow /tool /one
        COPY --from=broken /tool /two
    ]]):format(now, now))
    local started = task.now()
    local err = failure(build, folder, "tl-test:stages")
    lu.assertTrue(task.now() - started < 15, "the stages were built one after the other")
    lu.assertEquals({ err.kind, err.status }, { "build", 7 })
    lu.assertStrContains(err.message, 'failed: RUN ["/tool"')
    lu.assertStrContains(err.output, "line 3")
end

function tests.tag_list_and_remove_images()
    d:tag("tl-test:base", "tl-test:other")
    lu.assertEquals(d:image("tl-test:other").Id, d:image("tl-test:base").Id)
    local found = d:images { filters = { reference = { "tl-test:other" } } }
    lu.assertEquals(#found, 1)
    lu.assertTrue(d:remove_image("tl-test:other"))
    lu.assertFalse(d:remove_image("tl-test:other"))
    lu.assertNil(d:image("tl-test:other"))
    lu.assertEquals(failure(d.tag, d, "tl-test:none", "tl-test:x").kind, "not_found")
end

function tests.digest_is_found_by_every_name_of_docker_hub()
    local digests = { "team/app@sha256:aa", "node@sha256:bb", "mirror.test/library/node@sha256:cc" }
    local client = engine_with(d, { image = function() return { RepoDigests = digests } end })
    local function digest(name) return getmetatable(d).__index(d, "digest")(client, name) end
    for name, wanted in pairs {
        ["team/app:1"] = "aa", ["docker.io/team/app:1"] = "aa", ["index.docker.io/team/app"] = "aa",
        ["node:22"] = "bb", ["docker.io/library/node:22"] = "bb", ["library/node"] = "bb",
        ["mirror.test/library/node:22"] = "cc",
    } do
        lu.assertEquals(digest(name), "sha256:" .. wanted, name)
    end
    lu.assertNil(digest "mirror.test/team/app:1")
    lu.assertNil(digest "team/other:1")
end

function tests.save_and_load_keep_the_image()
    build(context 'FROM tl-test:base\nENV KEPT=1', "tl-test:saved")
    local id = d:image("tl-test:saved").Id
    local path = dir .. "/saved.tar"
    local told = 0
    local bytes = d:save("tl-test:saved", path, { on_progress = function(n) told = n end })
    lu.assertEquals(told, bytes)
    local pieces = {}
    lu.assertEquals(d:save({ "tl-test:saved" }, function(piece) pieces[#pieces + 1] = #piece end), bytes)
    local process = proc.spawn({ "sh", "-c", "wc -c" }, { stdin = "pipe" })
    d:save("tl-test:saved", process)
    lu.assertEquals(process:read_line():match("%d+"), tostring(bytes))
    process:close()
    d:remove_image("tl-test:saved", { force = true })
    lu.assertEquals(d:load(path), { "tl-test:saved" })
    lu.assertEquals(d:image("tl-test:saved").Id, id)
    local err = failure(d.save, d, "tl-test:none", dir .. "/none.tar")
    lu.assertEquals(err.kind, "not_found")
    lu.assertNil(io.open(dir .. "/none.tar"))
    lu.assertNil(io.open(dir .. "/none.tar.part"))
    lu.assertEquals(failure(d.load, d, dir .. "/none.tar").kind, "not_found")
end

function tests.import_makes_an_image_of_a_file_system()
    proc.run { "tar", "-cf", dir .. "/root.tar", "-C", dir, "tool" }
    local id = d:import(dir .. "/root.tar", "tl-test:imported", { changes = { 'ENTRYPOINT ["/tool"]', "ENV A=b" } })
    lu.assertStrMatches(id, "sha256:%x+")
    local container = run { image = "tl-test:imported", cmd = { "env", "A" }, labels = { ["tl-test"] = "1" } }
    lu.assertEquals(d:wait(container), 0)
    lu.assertEquals(lines_of(container), { "stdout:b" })
end

function tests.run_wait_and_logs_tell_streams_apart()
    local id = run { name = "tl-test-run", cmd = { "out", "one", "err", "two", "env", "WORD", "exit", "5" },
        env = { WORD = "Ünï" } }
    lu.assertEquals(d:wait(id), 5)
    lu.assertEquals(lines_of(id), { "stderr:two", "stdout:one", "stdout:Ünï" })
    lu.assertEquals(lines_of(id, { stdout = false }), { "stderr:two" })
    lu.assertEquals(d:container("tl-test-run").State.ExitCode, 5)
    lu.assertTrue(d:remove("tl-test-run"))
    lu.assertFalse(d:remove("tl-test-run"))
    lu.assertNil(d:container("tl-test-run"))
    lu.assertEquals(failure(d.logs, d, "tl-test-run").kind, "not_found")
end

function tests.logs_follow_until_the_container_ends()
    local id = run { cmd = { "out", "first", "sleep", "0.3", "out", "second" } }
    local lines <close> = d:logs(id, { follow = true })
    lu.assertEquals({ lines:next() }, { "first", "stdout" })
    lu.assertEquals({ lines:next() }, { "second", "stdout" })
    lu.assertNil(lines:next())
    lu.assertEquals(#lines_of(id, { tail = 1 }), 1)
end

function tests.many_lines_arrive_in_order()
    local id = run { cmd = { "lines", "20000" } }
    d:wait(id)
    local lines <close> = d:logs(id)
    for n = 1, 20000 do
        if lines:next() ~= "line " .. n then return lu.fail("line " .. n) end
    end
    lu.assertNil(lines:next())
end

function tests.exec_gives_status_and_both_streams()
    local id = run { cmd = { "sleep", "60" } }
    local function exec(argv, options) return d:exec(id, argv, options) end
    local both = exec { "/tool", "out", "a", "err", "b", "exit", "3" }
    lu.assertEquals(both, { status = 3, stdout = "a\n", stderr = "b\n" })
    lu.assertEquals(exec({ "/tool", "env", "X" }, { env = { X = "y z" } }).stdout, "y z\n")
    local input = ("\0some input\n"):rep(100000)
    local echoed = exec({ "/tool", "copy", "" }, { stdin = input })
    lu.assertTrue(echoed.stdout == input)
    lu.assertEquals(echoed.status, 0)
    lu.assertEquals(failure(exec, { "/tool", "sleep", "30" }, { timeout = 0.2 }).kind, "timeout")
    lu.assertEquals(exec({ "/nothing" }).status ~= 0, true)
    d:stop(id, 0)
    lu.assertEquals(failure(exec, { "/tool" }).kind, "conflict")
    d:start(id)
    lu.assertTrue(d:container(id).State.Running)
    lu.assertTrue(d:remove(id, { force = true }))
end

function tests.run_maps_ports_mounts_and_options()
    d:create_volume("tl-test-volume", { labels = { ["tl-test"] = "1" } })
    local id = run {
        cmd = { "sleep", "60" }, ports = { ["80/tcp"] = "127.0.0.1:0", [81] = "18081" }, user = "1001",
        mounts = { { type = "volume", source = "tl-test-volume", target = "/data" },
            { type = "bind", source = dir, target = "/host", read_only = true } },
        extra_hosts = { "there:10.0.0.1" }, restart = "unless-stopped", memory = 64 << 20,
    }
    local container = d:container(id)
    lu.assertEquals(container.HostConfig.PortBindings["80/tcp"][1].HostIp, "127.0.0.1")
    lu.assertEquals(container.HostConfig.PortBindings["81/tcp"][1].HostPort, "18081")
    lu.assertEquals(container.Config.User, "1001")
    lu.assertEquals(#container.Mounts, 2)
    lu.assertEquals(container.HostConfig.RestartPolicy.Name, "unless-stopped")
    lu.assertEquals(container.HostConfig.Memory, 64 << 20)
    d:remove(id, { force = true })
    lu.assertTrue(d:remove_volume("tl-test-volume"))
    lu.assertFalse(d:remove_volume("tl-test-volume"))
end

function tests.run_that_cannot_start_leaves_no_container()
    local err = failure(run, { name = "tl-test-broken", entrypoint = { "/nothing" } })
    lu.assertStrContains(err.message, "/nothing")
    lu.assertNil(d:container("tl-test-broken"))
    lu.assertEquals(failure(run, { image = "tl-test:none" }).kind, "not_found")
end

function tests.networks_are_made_found_and_removed()
    if d:network("tl-test-net") then d:remove_network("tl-test-net") end
    local id = d:create_network("tl-test-net", { labels = { ["tl-test"] = "1" } })
    lu.assertEquals(d:network("tl-test-net").Id, id)
    lu.assertEquals(failure(d.create_network, d, "tl-test-net").kind, "conflict")
    lu.assertTrue(#d:networks() > 0)
    lu.assertTrue(d:remove_network("tl-test-net"))
    lu.assertFalse(d:remove_network("tl-test-net"))
end

function tests.request_is_raw_and_errors_carry_the_engines_words()
    local body, status = d:request("GET", "/_ping")
    lu.assertEquals(body, "OK")
    lu.assertEquals(status, 200)
    local err = failure(d.request, d, "GET", "/containers/none/json")
    lu.assertEquals(err.kind, "not_found")
    lu.assertEquals(err.status, 404)
    lu.assertStrContains(err.message, "none")
end

function tests.closed_client_says_so()
    local other = docker.connect()
    other:close()
    other:close()
    lu.assertEquals(failure(other.info, other).kind, "closed")
end

return tests
