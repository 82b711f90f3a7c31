-- Times what todo-lua does with images beside the docker, ctr and minikube commands, in one run: todo-lua tests/bench/images.lua
-- [SECTION…]. Each program works on fresh content of the same size, in turn. Nothing here passes or fails; compare the
-- ratios and never two runs.
local cli = require "cli"
local cluster = require "cluster"
local containerd = require "tests.containerd"
local docker = require "docker"
local format = require "format"
local fs = require "fs"
local minikube = require "cluster.minikube"
local needs = require "tests.needs"
local proc = require "proc"
local program = require "program"
local project = require "project"
local standalone = require "cluster.standalone"
local task = require "task"
local term = require "term"

local root = assert(program.project, "run the benchmarks inside the project")
local ours = root .. "/build/bin/todo-lua"

local options = cli.parse {
    name = "tests/bench/images.lua",
    summary = "Times builds, loads and deploys of images beside docker, ctr, minikube, helm and kubectl.",
    arguments = { { "section", help = "context, load, rebuild, deploy (default: all)", many = true } },
}

needs.packages { "time" }
needs.docker()
local client = docker.connect()
local dir = fs.tempdir()
local path = dir.path

-- Seconds and peak memory (MB) of a command.
local function measure(argv)
    local command = { "/usr/bin/time", "-f", "%M", table.unpack(argv) }
    local started = proc.time()
    local result = proc.run(command, { env = { DOCKER_BUILDKIT = "0" }, stdout = "null" })
    return proc.time() - started, tonumber(result.stderr:match("(%d+)%s*$")) / 1024
end

-- A script of one line for our side, so that both sides are programs that start, work and end.
local function chunk(text, ...)
    return { ours, "-e", text:format(...) }
end

local function middle(list)
    table.sort(list)
    return list[(#list + 1) // 2]
end

-- Runs all in turn and tells the median of each and the most memory; `bytes` gives MB/s. An entry is a name, what gives a
-- command, and what is to be done after it.
local function compare(title, entries, runs, bytes)
    term.write(term.style("bold", title) .. "\n")
    local all = {}
    for i in ipairs(entries) do all[i] = { seconds = {}, megabytes = 0 } end
    for _ = 1, runs do
        for i, entry in ipairs(entries) do
            local seconds, megabytes = measure(entry[2]())
            if entry[3] then entry[3]() end
            table.insert(all[i].seconds, seconds)
            all[i].megabytes = math.max(all[i].megabytes, megabytes)
        end
    end
    local first = middle(all[1].seconds)
    for i, entry in ipairs(entries) do
        local seconds = middle(all[i].seconds)
        term.write(("  %-24s %9.0f ms %8.1f MB%s%s\n"):format(entry[1], seconds * 1000, all[i].megabytes,
            bytes and (" %7.0f MB/s"):format(bytes / seconds / 1e6) or "",
            i == 1 and "" or ("   %.2f times todo-lua's time"):format(seconds / first)))
    end
end

-- ---- sending a context: to BuildKit as docker buildx does, beside it docker build with the classic builder ----

local begun = os.date("!%Y-%m-%dT%H:%M:%S", math.floor(proc.time())) --[[@as string]]

-- What the benchmark's builds leave with the engine: images, and copies of their contexts in BuildKit's cache.
local function forget_builds()
    for _, image in ipairs(client:images { filters = { label = { "bench=context" } } }) do
        client:remove_image(image.Id, { force = true })
    end
    for _ = 1, 2 do -- what others are made from goes only after them
        for _, record in ipairs(client:call("GET", "/system/df").BuildCache or {}) do
            if record.CreatedAt >= begun and record.Size > 1e6 then
                client:call("POST", "/build/prune", { query = { all = true, filters = { id = { record.ID } } } })
            end
        end
    end
end

-- BuildKit's clients send nothing of a folder that it knows: every run gets the folder under a new name.
local function renamed(folder)
    local count = 0
    return function()
        local before = count > 0 and ("%s-%d"):format(folder, count) or folder
        count = count + 1
        fs.rename(before, ("%s-%d"):format(folder, count))
        return ("%s-%d"):format(folder, count)
    end
end

local function our_build(folder)
    return chunk('require("docker").connect():build { context = %q, no_cache = true }', folder)
end

local function buildx_build(folder)
    return { "docker", "buildx", "build", "--builder", "default", "-q", "--no-cache", folder }
end

local function compare_builds(title, folder, runs, bytes)
    local name = renamed(folder)
    fs.write(folder .. "/Dockerfile", "FROM scratch\nLABEL bench=context\nCOPY . /all/\n")
    compare(title, {
        { "todo-lua", function() return our_build(name()) end, forget_builds },
        { "docker buildx build", function() return buildx_build(name()) end, forget_builds },
        { "docker build, classic", function() return { "docker", "build", "-q", "--no-cache", name() } end, forget_builds },
    }, runs, bytes)
    return name()
end

-- A folder that both sides have sent before, with one more line in one file.
local function compare_changed(folder, file, runs)
    local function changed()
        local out <close> = assert(io.open(folder .. "/" .. file, "ab"))
        out:write("one more line\n")
    end
    for _, build in ipairs { our_build, buildx_build } do proc.run(build(folder), { stdout = "null", stderr = "null" }) end
    compare("the same with one line changed", {
        { "todo-lua", function() return our_build(folder) end, changed },
        { "docker buildx build", function() return buildx_build(folder) end, changed },
    }, runs)
end

local function context()
    local before = proc.env("DOCKER_CONFIG", needs.buildx())
    local _, empty = measure(chunk('require("docker").connect()'))
    term.write(("a connection alone takes %.1f MB\n"):format(empty))
    local many, one = path .. "/many", path .. "/one"
    for _, folder in ipairs { many, one } do fs.mkdir(folder) end
    local bytes = 0
    for i = 1, 20000 do
        local folder = ("%s/src/%03d"):format(many, i % 200)
        if i <= 200 then fs.mkdir(folder) end
        local file <close> = assert(io.open(("%s/file%05d.js"):format(folder, i), "wb"))
        file:write((("line %d of a source file\n"):format(i)):rep(40 + i % 120))
        bytes = bytes + file:seek()
    end
    many = compare_builds(("context of 20,000 files, %s"):format(format.size(bytes)), many, 3, bytes)
    compare_changed(many, "src/001/file00001.js", 3)
    proc.run { "sh", "-c", "head -c 2147483648 /dev/urandom > '" .. one .. "/large'" }
    compare_builds("context of one file of 2 GiB", one, 2, 2 ^ 31)
    proc.env("DOCKER_CONFIG", before or false)
end

-- ---- an image into a containerd of the benchmark's own, started without a cluster ----

-- Three layers that stay, of programs and text as images have them, and one that changes.
local function make_image(name, change)
    local folder = path .. "/image"
    fs.mkdir(folder .. "/app")
    for i = 1, 3 do
        if not fs.exists(("%s/%d"):format(folder, i)) then
            proc.run { "sh", "-c", ("{ head -c 25000000 /dev/urandom; seq %d00000 %d00000; head -c 20000000 /dev/zero; } > %s/%d")
                :format(10 * i, 10 * i + 30, folder, i) }
        end
    end
    fs.write(folder .. "/app/main.js", change)
    fs.write(folder .. "/Dockerfile", "FROM scratch\nLABEL bench=context\nCOPY 1 /1\nCOPY 2 /2\nCOPY 3 /3\nCOPY app /app\n")
    client:build { context = folder, dockerfile = folder .. "/Dockerfile", tags = { name } }
    return client:image(name).Size
end

-- Where a Minikube runs: into it, beside its own command.
local function load_into_minikube(image, size)
    local ctx = project.open {}
    ctx.board:close()
    ctx.docker = client
    if not cluster.detect(ctx, minikube).running then
        return term.write("  (no Minikube runs here to load into)\n")
    end
    local function forget() proc.run({ "minikube", "image", "rm", image }, { check = false }) end
    compare("image into Minikube, " .. format.size(size), {
        { "todo-lua", function()
            forget()
            return chunk([[local ctx = require("project").open {}
                require("engine").connect(ctx)
                require("cluster.minikube").load_image(ctx, { %q })]], image)
        end },
        { "minikube image load", function()
            forget()
            return { "minikube", "image", "load", "--daemon", image }
        end },
    }, 5, size)
end

local function load_images()
    needs.programs()
    local layout <close> = containerd.start(path .. "/run")
    local image = "todo-lua-bench:load"
    local size = make_image(image, "first")
    local function forget()
        containerd.ctr(layout, { "images", "rm", "--sync", "docker.io/library/" .. image }, { check = false })
        fs.remove(layout.state .. "/images.json")
    end
    local import = ("%s/ctr --address %s/containerd.sock --namespace k8s.io images import -"):format(layout.bin, layout.run)
    local function entries(before)
        return {
            { "todo-lua", function()
                before()
                return chunk([[require("cluster.standalone.images").load({ bin = %q, run = %q, state = %q,
                    nodes = {} }, { docker = require("docker").connect(), cache_dir = %q }, { %q })]], layout.bin, layout.run,
                    layout.state, layout.run, image)
            end },
            { "docker save | ctr import", function()
                before()
                return { "sh", "-c", ("docker save %s | %s"):format(image, import) }
            end },
        }
    end
    load_into_minikube(image, size)
    compare("image into containerd, " .. format.size(size), entries(forget), 5, size)
    compare("the same after a change of its last layer", entries(function() make_image(image, tostring(proc.time())) end), 5,
        size)
end

-- ---- the project's images ----

local function project_copy(name)
    local copy = path .. "/" .. name
    fs.mkdir(copy .. "/examples")
    for _, folder in ipairs { "lua", "chart", "docker" } do proc.run { "cp", "-a", root .. "/" .. folder, copy .. "/" } end
    proc.run { "cp", "-a", root .. "/examples/todo-app", copy .. "/examples/" }
    return copy
end

-- What a person puts there by hand where a company's proxy is in the way.
local function add_ca(copy)
    for _, part in ipairs { "frontend", "backend" } do
        fs.write(("%s/examples/todo-app/%s/.todo-ca.crt"):format(copy, part),
            assert(fs.read "/etc/ssl/certs/ca-certificates.crt"))
    end
end

local function change_a_line(copy)
    local app = copy .. "/examples/todo-app"
    local stamp = tostring(proc.time())
    fs.append(app .. "/backend/todo_core/logs.py", "# " .. stamp .. "\n")
    fs.append(app .. "/frontend/src/lib/env.ts", "// " .. stamp .. "\n")
end

local function docker_builds(copy)
    local lines = {}
    for _, name in ipairs { "frontend", "backend", "mcp" } do
        local folder = ("%s/examples/todo-app/%s"):format(copy, name == "frontend" and "frontend" or "backend")
        lines[#lines + 1] = ("cp %s/docker/Dockerfile.%s.dockerignore %s/.dockerignore"):format(copy, name, folder)
        lines[#lines + 1] = ("docker build -q -f %s/docker/Dockerfile.%s -t bench-%s:latest %s"):format(copy, name, name,
            folder)
    end
    return { "sh", "-ec", table.concat(lines, "\n") }
end

local function rebuild()
    local copy, other = project_copy "ours", project_copy "theirs"
    add_ca(other)
    local build = { ours, "-C", copy, "build.lua", "--no-load", "--cluster", "standalone" }
    proc.run(build)
    proc.run(docker_builds(other), { env = { DOCKER_BUILDKIT = "0" } })
    compare("three images after a change of one line in each", {
        { "todo-lua build", function() change_a_line(copy) return build end },
        { "docker build, three times", function() change_a_line(other) return docker_builds(other) end },
    }, 1)
end

-- ---- the whole deploy with nothing changed, beside the seed's commands ----

local function deploy()
    needs.judges()
    needs.cluster()
    local ctx = needs.context()
    local layout = standalone.layout(ctx)
    local copy, by_hand = project_copy "deploy", project_copy "by-hand"
    add_ca(by_hand)
    fs.write(copy .. "/todo.local.lua", 'return { database = { container = "todo-lua-bench-postgres", '
        .. 'volume = "todo-lua-bench-postgres", port = 55462 } }\n')
    local common = { "--cluster", "standalone", "--release", "bench", "--namespace", "todo-bench" }
    local function script(name, ...)
        local argv = { ours, "-C", copy, name, ... }
        return table.move(common, 1, #common, #argv + 1, argv)
    end
    local set = { "--set", "frontend.service.nodePort=30093" }
    local deploy_command = script("deploy.lua", "--yes", table.unpack(set))
    local ok, problem = pcall(function()
        proc.run(deploy_command)
        local url = proc.run(script("open.lua", "--url")).stdout:match("%S+")
        local kubeconfig = standalone.kubeconfig(ctx).kubeconfig
        local before = proc.env("KUBECONFIG", kubeconfig)
        local values = path .. "/values.yaml"
        fs.write(values, proc.run({ needs.judge "helm", "get", "values", "bench", "-n", "todo-bench", "-o", "yaml" })
            .stdout, 384) -- 0600
        local import = ("%s/ctr --address %s/containerd.sock --namespace k8s.io images import -"):format(layout.bin,
            layout.run)
        local seed = { "sh", root .. "/tests/bench/seed.sh", by_hand, import, "bench", "todo-bench", url, values }
        proc.run(seed)
        compare("deploy with nothing changed", {
            { "todo-lua deploy", function() return deploy_command end },
            { "the seed's commands", function() return seed end },
        }, 3)
        proc.env("KUBECONFIG", before or false)
    end)
    proc.run(script("destroy.lua", "--yes", "--keep-cluster", "--data"), { check = false })
    needs.resume()
    if not ok then error(problem, 0) end
end

local sections = { context = context, load = load_images, rebuild = rebuild, deploy = deploy }

for _, name in ipairs(#options.section > 0 and options.section or { "context", "load", "rebuild", "deploy" }) do
    if not sections[name] then
        error({ kind = "usage", message = "there is no section " .. name, hint = "context, load, rebuild, deploy" }, 0)
    end
    local started = task.now()
    sections[name]()
    term.write(("  (section %s took %s)\n"):format(name, format.duration(task.now() - started)))
end
forget_builds()
dir:close()
