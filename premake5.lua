-- Builds build/bin/todo-lua. premake5 reads this file as it is; Debian's premake4 with --file=premake5.lua:
--   premake4 --file=premake5.lua gmake && make -C build config=release
-- Only what both document is used, so a few names are evened out first.
local workspace = workspace or solution
local filter = filter or configuration
local keep_symbols = symbols and function() symbols "On" end or function() flags { "Symbols" } end

local macos = os.is and os.is("macosx") or os.target and os.target() == "macosx"
local warnings = { "-Wall", "-Wextra", "-Werror" }

-- The folder of a libcurl made for linking, from host/build.sh; without it the machine's own is loaded on first use.
local libcurl = os.getenv "TODO_LUA_LIBCURL"

-- Linux links what every command needs statically (start-up time); what only some need is loaded on first use
-- (host/base/dynlib.h), so it appears nowhere here.
local libraries = macos
    and { "-llua5.4", "-lyaml", "-lre2", "-lz", "-lnghttp2", "-lcrypto", "-lc++" }
    or { "-l:liblua5.4.a", "-l:libyaml.a", "-l:libnghttp2.a", "-l:libcrypt.a", "-l:libcrypto.a", "-l:libz.a",
         "-static-libgcc", "-Wl,-Bstatic,-lstdc++,-Bdynamic", "-lm", "-ldl", "-lpthread", "-Wl,--gc-sections",
         "-no-pie" } -- Debian's liblua5.4.a is not position-independent
if libcurl then
    for place, library in ipairs { libcurl .. "/libcurl.a", "-l:libssl.a" } do
        table.insert(libraries, place, library)
    end
end

-- What a static library needs in turn differs between releases: Debian 13's libre2.a needs some of Abseil's hundred, its
-- libcrypto.a zstd. pkg-config may be missing; the files that it reads are not.
local function found(name)
    local pipe = assert(io.popen("gcc -print-file-name=" .. name))
    local place = pipe:read("*l")
    pipe:close()
    return place
end

local function needs(library, other)
    local file = io.open(found("pkgconfig/" .. library .. ".pc"))
    if not file then return false end
    local text = file:read("*a")
    file:close()
    return text:find(other, 1, true) ~= nil
end

if not macos then
    local regex = { "-l:libre2.a" }
    if needs("re2", "absl_") then
        for _, part in ipairs(os.matchfiles(path.getdirectory(found "libabsl_base.a") .. "/libabsl_*.a")) do
            regex[#regex + 1] = part
        end
    end
    table.insert(libraries, 1, "-Wl,--start-group," .. table.concat(regex, ",") .. ",--end-group")
    if needs("libcrypto", "-lzstd") then table.insert(libraries, "-l:libzstd.a") end
end

-- Scripts, chart and Dockerfiles become one C file; it is rewritten only when its content changes.
assert(loadfile "host/embed.lua")()
assert(loadfile "host/stale.lua")() -- removes what make would wrongly keep

workspace "todo-lua"
    configurations { "release", "debug", "asan", "fuzz" }
    location "build"
    keep_symbols()
    includedirs { libcurl or "host", "host", "/usr/include/lua5.4", "/usr/local/include/lua5.4" }
    buildoptions(warnings)
    buildoptions { "-ffunction-sections", "-fdata-sections", "-fno-pie" }
    defines { "_GNU_SOURCE" }

    filter "release"
        targetdir "build/bin"
        buildoptions { "-O2" }
    filter "debug"
        targetdir "build/debug"
        buildoptions { "-O0" }
        defines { "TL_ARENA_EACH_BLOCK" }
    filter "asan"
        targetdir "build/asan"
        buildoptions { "-O1", "-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined" }
        linkoptions { "-fsanitize=address,undefined" }
        defines { "TL_ARENA_EACH_BLOCK" }

    filter "fuzz" -- by clang, for the targets in tests/fuzz alone
        targetdir "build/fuzz"
        buildoptions { "-O1", "-fsanitize=fuzzer-no-link,address,undefined", "-fno-omit-frame-pointer",
                       "-fno-sanitize-recover=undefined" }
        linkoptions { "-fsanitize=fuzzer,address,undefined" }
        defines { "TL_ARENA_EACH_BLOCK" }

local function c_options()
    language "C"
    buildoptions { "-std=c11" }
end

-- One archive a layer, from the highest to the lowest: so each finds what it needs in those after it, and files of the
-- same name in two layers keep objects of their own.
local layers = { "lua", "secret", "docker", "k8s", "chart", "template", "data", "net", "loop", "base" }
local archives = {}
for _, layer in ipairs(layers) do
    if #os.matchfiles("host/" .. layer .. "/*.c") > 0 then
        archives[#archives + 1] = "tl-" .. layer
        project("tl-" .. layer)
        kind "StaticLib"
        c_options()
        files { "host/" .. layer .. "/*.c" }
        excludes { macos and "host/**_linux.c" or "host/**_darwin.c",
                   libcurl and "host/net/libcurl_loaded.c" or "host/net/libcurl_linked.c" }
    end
end
archives[#archives + 1] = "tl-regex"

-- The archives stand in linkoptions too, since only there their order relative to the system's is certain.
local function program(name, sources, extra)
    project(name)
    kind "ConsoleApp"
    c_options()
    files(sources)
    links(archives)
    for _, config in ipairs { { "release", "bin" }, { "debug", "debug" }, { "asan", "asan" }, { "fuzz", "fuzz" } } do
        filter(config[1])
        linkoptions { "-L" .. config[2], "-Wl,--start-group" }
        for _, archive in ipairs(archives) do linkoptions { "-l" .. archive } end
        linkoptions { "-Wl,--end-group" }
        linkoptions(extra or {})
        linkoptions(libraries)
    end
    filter {}
end

project "tl-regex"
    kind "StaticLib"
    language "C++"
    files { "host/template/*.cc" }
    buildoptions { "-std=c++17", "-fno-exceptions", "-fno-rtti" }

program("todo-lua", { "host/main.c", "host/repl.c", "build/gen/embedded.c" })
    filter "release"
        if not macos then linkoptions { "-s" } end

for _, source in ipairs(os.matchfiles("tests/unit/*_test.c")) do
    program("test-" .. path.getbasename(source), { source }, { "-l:libcmocka.so.0" })
end

-- Only where they are asked for: no other configuration can link them.
for _, source in ipairs(os.getenv "TODO_LUA_CONFIG" == "fuzz" and os.matchfiles("tests/fuzz/*_fuzz.c") or {}) do
    program("fuzz-" .. path.getbasename(source), { source })
end
