-- host/libcurl.sh with an apt-get that brings a tiny source package, and what the build made of the real one.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local dir

local SCRIPT = fs.join(program.project, "host/libcurl.sh")

local function path(name) return fs.join(dir.path, name) end

local function file(name, text, mode)
    fs.mkdir(fs.dirname(path(name)))
    fs.write(path(name), text, mode or 420)
end

-- A libcurl that has all features once Debian's patch is applied.
local function write_source()
    local features = { "SSL", "HTTP2", "LIBZ", "IPV6", "UNIX_SOCKETS", "ASYNCHDNS", "HTTPS_PROXY" }
    local header = { "#define LIBCURL_VERSION_NUM 7", "#define CURLVERSION_NOW 0",
        "typedef struct { unsigned version_num; int features; } curl_version_info_data;",
        "curl_version_info_data *curl_version_info(int);" }
    for bit, name in ipairs(features) do header[#header + 1] = ("#define CURL_VERSION_%s %d"):format(name, 1 << bit) end
    file("curl-7/include/curl/curl.h", table.concat(header, "\n") .. "\n")
    file("curl-7/lib/version.c", [[
#include <curl/curl.h>
curl_version_info_data *curl_version_info(int now)
{
    static curl_version_info_data all = {7, 0};
    (void)now;
    return &all;
}
]])
    file("curl-7/lib/vtls/openssl.c", "  OPENSSL_init_ssl(flags, NULL);\n")
    file("curl-7/configure", [[#!/bin/sh
mkdir lib
cat >lib/Makefile <<'EOF'
libcurl.la:
	mkdir .libs
	gcc -c -I../../source/include -o version.o ../../source/lib/version.c
	ar cr .libs/libcurl.a version.o
EOF
]], 493)
    file("debian/patches/series", "# CVE fixes.\n\nfeatures.patch\n")
    file("debian/patches/features.patch", [[
--- a/lib/version.c
+++ b/lib/version.c
@@ -1,5 +1,5 @@
 #include <curl/curl.h>
 curl_version_info_data *curl_version_info(int now)
 {
-    static curl_version_info_data all = {7, 0};
+    static curl_version_info_data all = {7, ~0};
     (void)now;
]])
end

local function pack()
    fs.mkdir(path "mirror")
    proc.run({ "tar", "czf", "mirror/curl_7.orig.tar.gz", "curl-7" }, { cwd = dir.path })
    proc.run({ "tar", "cJf", "mirror/curl_7-1.debian.tar.xz", "debian" }, { cwd = dir.path })
end

function tests.setup()
    dir = fs.tempdir()
    file("bin/sleep", "#!/bin/sh\n", 493)
    file("bin/apt-get", ([[#!/bin/sh
echo "$@" >>%q
cat parts/* >%q
case "$*" in *source*) cp %q/* . ;; esac
]]):format(path "calls", path "sources", path "mirror"), 493)
    write_source()
    pack()
end

function tests.teardown() dir:close() end

local function run()
    return proc.run({ "sh", SCRIPT }, { check = false, timeout = 60,
        env = { PATH = path "bin" .. ":" .. proc.env "PATH", XDG_CACHE_HOME = path "cache" } })
end

local function calls()
    local text = fs.read(path "calls") or ""
    fs.remove(path "calls")
    return text
end

local function kept() return fs.list(path "cache/todo-lua/libcurl") end

function tests.patched_source_is_built_once_and_nothing_else_is_left()
    local first = run()
    lu.assertEquals(first.status, 0, first.stderr)
    local folder = first.stdout:gsub("\n$", "")
    lu.assertTrue(fs.exists(folder .. "/libcurl.a"))
    lu.assertTrue(fs.exists(folder .. "/curl/curl.h"))
    lu.assertEquals(kept(), { fs.basename(folder) })
    lu.assertStrContains(first.stderr, "building libcurl")
    lu.assertStrContains(calls(), "source --download-only curl=")
    lu.assertStrContains(fs.read(path "sources"), "deb-src")
    lu.assertNil(("\n" .. fs.read(path "sources")):find "\ndeb ")
    lu.assertNil(fs.read(path "sources"):find "Types: deb\n")
    local second = run()
    lu.assertEquals({ second.status, second.stdout, second.stderr }, { 0, first.stdout, "" })
    lu.assertEquals(calls(), "")
end

function tests.updates_of_the_system_make_another_library()
    for _, versions in ipairs { { "7.1", "3.0" }, { "7.2", "3.0" }, { "7.2", "3.1" } } do -- libcurl's and the others'
        file("bin/dpkg-query", ("#!/bin/sh\ncase $* in *libcurl4*) echo %s ;; *) echo %s ;; esac\n"):format(
            table.unpack(versions)), 493)
        local result = run()
        lu.assertEquals(result.status, 0, result.stderr)
    end
    lu.assertEquals(#kept(), 3)
    lu.assertStrContains(calls(), "curl=7.2")
end

function tests.two_at_once_end_with_one_library()
    local results = task.all { run, run }
    lu.assertEquals({ results[1].status, results[2].status }, { 0, 0 }, results[1].stderr .. results[2].stderr)
    lu.assertEquals(results[1].stdout, results[2].stdout)
    lu.assertEquals(#kept(), 1)
end

function tests.machine_without_sources_says_so_and_asks_again_after_a_day()
    fs.remove(path "mirror/curl_7.orig.tar.gz")
    fs.remove(path "mirror/curl_7-1.debian.tar.xz")
    local first = run()
    lu.assertEquals({ first.status, first.stdout }, { 1, "" })
    lu.assertStrContains(first.stderr, "has no source here")
    lu.assertStrContains(first.stderr, "will load the shared one")
    local _, updates = calls():gsub("update", "")
    lu.assertEquals(updates, 3)
    local second = run()
    lu.assertEquals(second.status, 1)
    lu.assertStrContains(second.stderr, "will load the shared one")
    lu.assertEquals(calls(), "")
    proc.run { "find", path "cache", "-name", "*.failed", "-exec", "touch", "-d", "-25 hours", "{}", "+" }
    pack()
    lu.assertEquals(run().status, 0)
    lu.assertEquals(#kept(), 1)
end

function tests.library_that_lacks_what_the_program_uses_is_refused()
    file("debian/patches/series", "")
    pack()
    local result = run()
    lu.assertEquals({ result.status, result.stdout }, { 1, "" })
    lu.assertStrContains(result.stderr, "cannot be built from its source")
    lu.assertEquals(#kept(), 2) -- what it says next time, and the output to read
end

function tests.patch_that_does_not_apply_is_a_failure()
    file("debian/patches/series", "other.patch\nfeatures.patch\n")
    file("debian/patches/other.patch", "--- a/lib/version.c\n+++ b/lib/version.c\n@@ -1,1 +1,1 @@\n-int one;\n+int two;\n")
    pack()
    lu.assertEquals(run().status, 1)
    local log
    for _, name in ipairs(kept()) do log = name:find "%.log$" and fs.read(path("cache/todo-lua/libcurl/" .. name)) or log end
    lu.assertStrContains(log, "FAILED")
end

-- Debian 13's libcrypto.a needs zstd; here it is cos() of libm, which gcc does not link by itself either.
function tests.libraries_that_libcrypto_asks_for_are_linked_too()
    file("curl-7/lib/version.c", (fs.read(path "curl-7/lib/version.c"):gsub("#include", "double cos(double);\n%0")
        :gsub("%(void%)now", "all.version_num += cos(now) < -1")))
    file("debian/patches/features.patch", (fs.read(path "debian/patches/features.patch"):gsub("@@ .-\n", "@@ -2,5 +2,5 @@\n")
        :gsub("%(void%)now", "all.version_num += cos(now) < -1")))
    pack()
    lu.assertEquals(run().status, 1)
    proc.run { "rm", "-r", path "cache" }
    local gcc = proc.run({ "sh", "-c", "command -v gcc" }).stdout:gsub("\n$", "")
    file("libcrypto.pc", "Libs: -lcrypto\nLibs.private: -lm -ldl\n")
    file("bin/gcc", ([[#!/bin/sh
case $* in *pkgconfig*) echo %q ;; *) exec %q "$@" ;; esac
]]):format(path "libcrypto.pc", gcc), 493)
    local result = run()
    lu.assertEquals(result.status, 0, result.stderr)
end

function tests.source_that_sets_openssl_up_elsewhere_is_a_failure()
    file("curl-7/lib/vtls/openssl.c", "  OPENSSL_init_ssl(other, NULL);\n")
    pack()
    local result = run()
    lu.assertEquals({ result.status, result.stdout }, { 1, "" })
    lu.assertStrContains(result.stderr, "cannot be built from its source")
end

-- Linked in, or the machine's: whichever this machine has.
function tests.program_loads_no_libcurl_where_one_is_linked_in()
    local chosen = proc.run({ "sh", SCRIPT }, { check = false })
    local maps = proc.run { program.executable, "-e",
        "pcall(require('http').get, 'http://127.0.0.1:1/') print(require('fs').read '/proc/self/maps')" }
    lu.assertEquals(maps.stdout:find("libcurl.so", 1, true) ~= nil, chosen.status ~= 0, maps.stdout)
    lu.assertStrContains(maps.stdout, "libc.so")
end

return tests
