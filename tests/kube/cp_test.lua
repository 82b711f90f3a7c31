-- todo-lua kube cp on a real node, beside kubectl.
package.path = "./?.lua;" .. package.path

local fs = require "fs"
local lu = require "luaunit"
local node = require "tests.kube.node"
local pod_copy = require "kubectl.copy"
local proc = require "proc"
local program = require "program"
local remote = require "kubectl.remote"

local tests = {}
local here, kubectl, temp, place

function tests.setup_all()
    here = node.open("kclient-cp")
    kubectl = require "tests.cluster.apiserver".program("judges", "kubectl")
    here:pod("box", node.spec("while :; do sleep 1000 & wait; done"))
    place = { client = here.client, pod = "box", namespace = here.namespace, container = "main" }
end

function tests.teardown_all()
    if here then here:close() end
end

function tests.setup() temp = fs.tempdir() end

function tests.teardown() temp:close() end

local function kube(argv, words)
    table.move({ "--kubeconfig", here.kubeconfig, "-n", here.namespace, "cp" }, 1, 5, #argv + 1, argv)
    table.move(words, 1, #words, #argv + 1, argv)
    return proc.run(argv, { check = false, timeout = 120, cwd = temp.path, env = { NO_COLOR = "1" } })
end

local function ours(...) return kube({ program.executable, "kube" }, { ... }) end

local function judge(...) return kube({ kubectl }, { ... }) end

local function sh(script)
    local result = remote.run(here.client, "box", { command = { "sh", "-c", script } })
    lu.assertEquals(result.status, 0, result.stderr)
    return result.stdout
end

-- What lies below a folder: names, kinds, modes, contents.
local LIST = "find . | sort | while read -r f; do if [ -L \"$f\" ]; then echo \"$f -> $(readlink \"$f\")\"; "
    .. "elif [ -f \"$f\" ]; then echo \"$f $(sha256sum < \"$f\")\"; else echo \"$f/\"; fi; done"

local function fill(path)
    fs.mkdir(path .. "/tree/empty")
    fs.mkdir(path .. "/tree/" .. ("deep/"):rep(30))
    fs.write(path .. "/tree/" .. ("deep/"):rep(30) .. "file", "found")
    fs.write(path .. "/tree/run me", "#!/bin/sh\n", 493)
    fs.write(path .. "/tree/bytes", ("\0\255\n"):rep(1000))
    fs.symlink("bytes", path .. "/tree/near")
    fs.symlink("/etc/passwd", path .. "/tree/far")
end

function tests.a_tree_goes_in_as_kubectl_sends_it()
    fill(temp.path)
    sh "rm -rf /tmp/k /tmp/o; mkdir /tmp/k /tmp/o"
    lu.assertEquals(judge("tree", "box:/tmp/k").status, 0)
    local result = ours("tree", "box:/tmp/o")
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertEquals(sh("cd /tmp/o; " .. LIST), sh("cd /tmp/k; " .. LIST))
    lu.assertEquals(sh("ls -l '/tmp/o/tree/run me'"):sub(1, 10), "-rwxr-xr-x")
    -- a target that is not there names the copy
    lu.assertEquals(ours("tree/bytes", here.namespace .. "/box:/tmp/o/new").status, 0)
    lu.assertEquals(sh "wc -c < /tmp/o/new", "3000\n")
end

function tests.a_tree_comes_out_as_kubectl_brings_it()
    sh "rm -rf /tmp/t; mkdir -p /tmp/t/a/b; cd /tmp/t/a; echo one > 'b/x y'; ln -s /etc/passwd out; echo two > two; ln two same"
    lu.assertEquals(judge("box:/tmp/t/a", "k").status, 0)
    local result = ours("box:/tmp/t/a", "o")
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertStrContains(result.stderr, 'skipping symlink: "o/out" -> "/etc/passwd"')
    local function list(folder) return proc.run({ "sh", "-c", LIST }, { cwd = temp.path .. "/" .. folder }).stdout end
    fs.remove(temp.path .. "/k/same") -- kubectl makes an empty file of a second name
    lu.assertEquals(fs.read(temp.path .. "/o/same"), "two\n")
    fs.remove(temp.path .. "/o/same")
    lu.assertEquals(list "o", list "k")
    lu.assertEquals(ours("box:/tmp/t/a/two", "file").status, 0)
    lu.assertEquals(fs.read(temp.path .. "/file"), "two\n")
end

function tests.megabytes_are_whole_both_ways()
    proc.run({ "dd", "if=/dev/urandom", "of=" .. temp.path .. "/big", "bs=1M", "count=64" })
    local sum = fs.sha256(temp.path .. "/big")
    pod_copy.upload(place, temp.path .. "/big", "/tmp/big")
    lu.assertEquals(sh "sha256sum < /tmp/big":match("^%x+"), sum)
    pod_copy.download(place, "/tmp/big", temp.path .. "/back")
    lu.assertEquals(fs.sha256(temp.path .. "/back"), sum)
    sh "rm /tmp/big"
end

-- A client whose streams break after so many bytes, the first `times` times.
local function breaking(after, times)
    return { exec = function(_, ...)
        local session, size = here.client:exec(...), 0
        local broken = false
        times = times - 1
        local breaks = times >= 0
        return setmetatable({ read = function()
            if broken then return nil end
            local stream, bytes = session:read()
            if stream == "stdout" then size = size + #bytes end
            broken = breaks and size > after
            return stream, bytes
        end, wait = function()
            if broken then error({ kind = "closed", message = "broken off" }, 0) end
            return session:wait()
        end, close = function() session:close() end }, { __close = function() session:close() end })
    end }
end

function tests.a_copy_that_breaks_off_goes_on_where_it_ended()
    sh "seq 1 2000000 > /tmp/numbers"
    local sum = sh "sha256sum < /tmp/numbers":match("^%x+")
    local there = { client = breaking(1 << 20, 3), pod = "box", namespace = here.namespace }
    local said = {}
    pod_copy.download(there, "/tmp/numbers", temp.path .. "/numbers", { retries = 5,
        warn = function(text) said[#said + 1] = text end })
    lu.assertEquals(fs.sha256(temp.path .. "/numbers"), sum)
    lu.assertEquals(#said, 3)
    there.client = breaking(1 << 20, 9)
    local ok, err = pcall(pod_copy.download, there, "/tmp/numbers", temp.path .. "/part", { retries = 2 })
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "closed")
    lu.assertFalse(fs.exists(temp.path .. "/part"), "a part must not look like the whole")
end

function tests.an_archive_cannot_leave_its_target()
    local tar_stream = require "tar_stream"
    local function entry(name, kind, target)
        return tar_stream.header { name = name, type = kind, mode = 420, size = kind == "file" and 4 or 0, target = target }
            .. (kind == "file" and "evil" .. tar_stream.padding(4) or "")
    end
    local function serve(bytes)
        local sent = false
        return { client = { exec = function()
            return setmetatable({ read = function()
                if sent then return nil end
                sent = true
                return "stdout", bytes
            end, wait = function() return 0 end, close = function() end }, { __close = function() end })
        end }, pod = "box" }
    end
    local said = {}
    pod_copy.download(serve(entry("dir/../../escaped", "file") .. entry("dir/link", "link", temp.path)
        .. entry("dir/link/inside", "file") .. tar_stream.END), "/dir", temp.path .. "/out",
        { warn = function(text) said[#said + 1] = text end })
    lu.assertFalse(fs.exists(temp.path .. "/escaped"))
    lu.assertFalse(fs.exists(temp.path .. "/inside"))
    lu.assertEquals(fs.read(temp.path .. "/out/link/inside"), "evil") -- a folder, not the link
    lu.assertEquals(#said, 2)
    for _, name in ipairs { "/etc/x", "other/x" } do
        local ok, err = pcall(pod_copy.download, serve(entry(name, "file") .. tar_stream.END), "/dir", temp.path .. "/out2")
        lu.assertFalse(ok)
        lu.assertStrContains(err.message, "corrupted")
    end
    local ok = pcall(pod_copy.download, serve(entry("dir/hard", "hardlink", "/etc/passwd") .. tar_stream.END), "/dir",
        temp.path .. "/out3")
    lu.assertFalse(ok)
end

function tests.wrong_words_are_refused_as_kubectl_does()
    for _, words in ipairs { { "box:/tmp" }, { "box:/a", "box:/b" }, { "a", "b" }, { "box:", "x" }, { ":x", "y" },
        { "nowhere", "box:/tmp" }, { "nobody:/tmp/x", "y" } } do
        local want, got = judge(table.unpack(words)), ours(table.unpack(words))
        local name = table.concat(words, " ")
        lu.assertEquals(got.status, want.status, name .. got.stderr .. want.stderr)
        local first = want.stderr:match("^[^\n]*")
        lu.assertStrContains(got.stderr, first, nil, nil, name)
    end
    local absent = ours("box:/none", "y") -- kubectl's status depends on which of two of its threads is the faster
    lu.assertEquals(absent.status, 1)
    lu.assertStrContains(absent.stderr, "/none: No such file or directory")
end

return tests
