-- The wrapper ./todo-lua and host/build.sh, in a project of their own whose premake and make only note that they were called.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local dir

local function path(name) return fs.join(dir.path, name) end

local function file(name, text, mode)
    fs.mkdir(fs.dirname(path(name)))
    fs.write(path(name), text, mode or 420)
end

function tests.setup()
    dir = fs.tempdir()
    for _, name in ipairs { "todo-lua", "host/build.sh" } do
        file(name, fs.read(fs.join(program.project, name)), 493) -- 0755
    end
    for _, name in ipairs { "premake5.lua", "lua/config.lua", "chart/Chart.yaml", "docker/Dockerfile", "host/main.c" } do
        file(name, "")
    end
    file("host/libcurl.sh", "exit 1\n")
    file("bin/premake5", "#!/bin/sh\necho premake$TODO_LUA_LIBCURL >>calls\n", 493)
    file("bin/make", [[#!/bin/sh
echo begin >>calls
sleep 0.05
mkdir -p build/bin
printf '#!/bin/sh\necho ran "$@"\n' >build/bin/todo-lua
chmod +x build/bin/todo-lua
echo end >>calls
]], 493)
end

function tests.teardown() dir:close() end

local function environment() return { PATH = path "bin" .. ":" .. proc.env "PATH", TODO_LUA_CONFIG = false, TODO_LUA_TARGET = false } end

local function run(options)
    return proc.run({ (options or {}).program or path "todo-lua", "an argument", "--flag" },
        { env = environment(), check = false, cwd = (options or {}).cwd, timeout = 60 })
end

local function calls()
    local text = fs.read(path "calls") or ""
    fs.remove(path "calls")
    return text
end

-- Everything a minute old, the program included.
local function settle()
    proc.run { "find", dir.path, "-exec", "touch", "-d", "-1 minute", "{}", "+" }
    proc.run { "touch", "-d", "-30 seconds", path "build/bin/todo-lua" }
end

function tests.first_run_builds_and_passes_the_arguments_on()
    local result = run()
    lu.assertEquals({ result.status, result.stdout }, { 0, "ran an argument --flag\n" })
    lu.assertStrContains(result.stderr, "building the host")
    lu.assertEquals(calls(), "premake\nbegin\nend\n")
end

function tests.unchanged_sources_cost_nothing()
    run()
    settle()
    calls()
    settle()
    local fastest = math.huge
    for _ = 1, 5 do
        local started = task.now()
        lu.assertEquals(run().stdout, "ran an argument --flag\n")
        fastest = math.min(fastest, task.now() - started)
    end
    lu.assertEquals(calls(), "")
    lu.assertTrue(fastest < 0.1, fastest) -- starting the shell, find and the program included
end

function tests.any_newer_source_builds_again()
    for _, name in ipairs { "host/main.c", "host/build.sh", "premake5.lua", "lua/config.lua", "chart/Chart.yaml",
        "docker/Dockerfile" } do
        run()
        settle()
        calls()
        settle()
        proc.run { "touch", path(name) }
        lu.assertEquals(run().status, 0)
        lu.assertStrContains(calls(), "begin", false, name)
        lu.assertEquals(run().stdout, "ran an argument --flag\n")
        lu.assertEquals(calls(), "", name)
    end
end

function tests.deleted_source_builds_again()
    run()
    settle()
    calls()
    settle()
    fs.remove(path "host/main.c")
    run()
    lu.assertStrContains(calls(), "begin")
end

function tests.link_to_the_wrapper_and_another_folder_work()
    run()
    fs.symlink(path "todo-lua", path "bin/deploy-tool")
    lu.assertEquals(run({ program = path "bin/deploy-tool", cwd = "/" }).stdout, "ran an argument --flag\n")
end

function tests.failed_build_shows_the_end_of_its_log()
    file("bin/make", "#!/bin/sh\nfor i in $(seq 100); do echo line $i; done\necho main.c:1: error: broken >&2\nexit 2\n", 493)
    local result = run()
    lu.assertNotEquals(result.status, 0)
    lu.assertStrContains(result.stderr, "main.c:1: error: broken")
    lu.assertStrContains(result.stderr, "the build failed")
    lu.assertNotStrContains(result.stderr, "line 5\n")
    lu.assertEquals(result.stdout, "")
end

function tests.two_first_runs_build_one_after_the_other()
    task.all { run, run, run }
    lu.assertNotStrContains(calls(), "begin\nbegin")
end

function tests.build_links_the_libcurl_that_could_be_made()
    file("host/libcurl.sh", "echo /folder/of/libcurl\n")
    lu.assertEquals(run().status, 0)
    lu.assertEquals(calls(), "premake/folder/of/libcurl\nbegin\nend\n")
end

function tests.missing_package_without_root_prints_the_commands()
    local script = fs.read(path "host/build.sh"):gsub("\ngcc /usr/bin/gcc\n", "\n%0missing-package /no/such/header.h\n")
    file("host/build.sh", script, 493)
    fs.chmod(dir.path, 493)
    for _, argument in ipairs { "script", "--yes" } do
        local result = proc.run({ "setpriv", "--reuid", "65534", "--clear-groups", path "todo-lua", argument },
            { env = environment(), check = false })
        lu.assertEquals(result.status, 1)
        lu.assertStrContains(result.stderr, "sudo apt-get update")
        lu.assertStrContains(result.stderr, "apt-get install -y --no-install-recommends missing-package")
        lu.assertStrContains(result.stderr, "as root")
        lu.assertEquals(calls(), "")
    end
end

-- As in Debian 12 and 13, with the real premake and a gcc that knows the places of libraries only.
function tests.build_file_links_what_the_static_libraries_ask_for()
    for _, name in ipairs { "premake5.lua", "host/embed.lua", "host/stale.lua" } do
        file(name, fs.read(fs.join(program.project, name)))
    end
    fs.remove(path "bin/premake5")
    file("bin/gcc", ("#!/bin/sh\necho %q/${1#-print-file-name=}\n"):format(path "libraries"), 493)
    file("libraries/libabsl_base.a", "")
    file("libraries/libabsl_strings.a", "")
    local function linked(crypto, re2)
        file("libraries/pkgconfig/libcrypto.pc", crypto)
        file("libraries/pkgconfig/re2.pc", re2)
        proc.run({ "sh", "-c", "premake=premake5; command -v premake5 || premake=premake4; $premake --file=premake5.lua gmake" },
            { env = environment(), cwd = dir.path })
        return fs.read(path "build/todo-lua.make")
    end
    local old = linked("Libs.private: -ldl -pthread\n", "Libs: -lre2\n")
    lu.assertStrContains(old, "-l:libre2.a")
    lu.assertNil(old:find "zstd")
    lu.assertNil(old:find "absl")
    local new = linked("Libs.private: -lz -lzstd -ldl -pthread\n", "Requires: absl_base absl_strings\nLibs: -lre2\n")
    lu.assertStrContains(new, "-l:libzstd.a")
    for _, name in ipairs { "base", "strings" } do
        lu.assertStrContains(new, path("libraries/libabsl_" .. name .. ".a"))
    end
end

return tests
