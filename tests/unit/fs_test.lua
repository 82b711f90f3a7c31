-- Module fs.
local fs = require "fs"
local lu = require "luaunit"
local task = require "task"

local tests = {}

local function octal(text) return tonumber(text, 8) end

function tests.read_of_nothing_is_nil_of_a_folder_an_error()
    lu.assertNil(fs.read "/no/such/file")
    local ok, err = pcall(fs.read, "/")
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, "/")
end

function tests.write_append_and_read_keep_bytes()
    local dir <close> = fs.tempdir()
    local path = fs.join(dir.path, "a")
    fs.write(path, "x\0\xff", octal "600")
    fs.append(path, "more")
    lu.assertEquals(fs.read(path), "x\0\xffmore")
    lu.assertEquals(fs.stat(path).mode, octal "600")
    fs.write(path, "")
    lu.assertEquals(fs.read(path), "")
    lu.assertEquals(fs.stat(path).mode, octal "600")
    lu.assertEquals(fs.list(dir.path), { "a" })
end

function tests.write_failure_has_kind_and_path()
    local ok, err = pcall(fs.write, "/no/such/folder/file", "x")
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "not_found")
    lu.assertStrContains(err.message, "/no/such/folder/file")
end

function tests.stat_tells_kind_size_and_links()
    local dir <close> = fs.tempdir()
    local file, link = fs.join(dir.path, "f"), fs.join(dir.path, "l")
    fs.write(file, "1234")
    fs.symlink("f", link)
    fs.symlink("f", link)
    lu.assertEquals(fs.stat(dir.path).type, "dir")
    lu.assertEquals(fs.stat(link).type, "file")
    lu.assertEquals(fs.stat(link, false).type, "link")
    lu.assertEquals(fs.stat(file).size, 4)
    lu.assertEquals(fs.stat(file).inode, fs.stat(link).inode)
    lu.assertTrue(math.abs(fs.stat(file).mtime - os.time()) < 60)
    lu.assertNil(fs.stat(fs.join(dir.path, "none")))
    lu.assertEquals(fs.realpath(link), fs.realpath(file))
    lu.assertNil(fs.realpath(fs.join(dir.path, "none")))
end

function tests.list_is_sorted_and_a_list_even_if_empty()
    local dir <close> = fs.tempdir()
    lu.assertEquals(fs.list(dir.path), {})
    for _, name in ipairs { "b", "a", ".c" } do fs.write(fs.join(dir.path, name), "") end
    lu.assertEquals(fs.list(dir.path), { ".c", "a", "b" })
    lu.assertFalse(pcall(fs.list, fs.join(dir.path, "none")))
end

function tests.mkdir_remove_rename_chmod()
    local dir <close> = fs.tempdir()
    local deep = fs.join(dir.path, "a/b/c")
    fs.mkdir(deep)
    fs.mkdir(deep)
    fs.write(fs.join(deep, "f"), "x")
    fs.rename(fs.join(dir.path, "a"), fs.join(dir.path, "z"))
    lu.assertEquals(fs.read(fs.join(dir.path, "z/b/c/f")), "x")
    fs.chmod(fs.join(dir.path, "z"), octal "700")
    lu.assertEquals(fs.stat(fs.join(dir.path, "z")).mode, octal "700")
    lu.assertTrue(fs.remove(fs.join(dir.path, "z")))
    lu.assertFalse(fs.remove(fs.join(dir.path, "z")))
    lu.assertFalse(fs.exists(fs.join(dir.path, "z")))
end

function tests.remove_does_not_follow_links()
    local dir <close> = fs.tempdir()
    fs.mkdir(fs.join(dir.path, "kept"))
    fs.write(fs.join(dir.path, "kept/f"), "x")
    fs.mkdir(fs.join(dir.path, "gone"))
    fs.symlink("../kept", fs.join(dir.path, "gone/link"))
    fs.remove(fs.join(dir.path, "gone"))
    lu.assertEquals(fs.read(fs.join(dir.path, "kept/f")), "x")
end

function tests.names_are_taken_apart_and_joined()
    lu.assertEquals(fs.join("a", "b/", "c"), "a/b/c")
    lu.assertEquals(fs.join("a", "/b", "", "c"), "/b/c")
    lu.assertEquals(fs.join(), "")
    for path, parts in pairs {
        ["a/b/c"] = { "a/b", "c" }, ["a"] = { ".", "a" }, ["/a"] = { "/", "a" }, ["/"] = { "/", "/" },
        ["a/b/"] = { "a", "b" }, ["a//b"] = { "a", "b" },
    } do
        lu.assertEquals({ fs.dirname(path), fs.basename(path) }, parts)
    end
end

function tests.tempdir_goes_when_closed_or_collected()
    local path
    do
        local dir <close> = fs.tempdir()
        path = dir.path
        lu.assertEquals(fs.stat(path).mode, octal "700")
        fs.write(fs.join(path, "f"), "x")
        dir:close()
        dir:close()
        lu.assertStrContains(tostring(dir), "closed")
    end
    lu.assertFalse(fs.exists(path))
    path = fs.tempdir().path
    collectgarbage()
    collectgarbage()
    lu.assertFalse(fs.exists(path))
end

function tests.lock_tells_the_holder()
    local dir <close> = fs.tempdir()
    local path = fs.join(dir.path, "lock")
    local lock = fs.lock(path)
    lu.assertNotNil(lock)
    local none, holder = fs.lock(path)
    lu.assertNil(none)
    lu.assertEquals(holder, tonumber(fs.read(path)))
    lock:close()
    lock:close()
    local again <close> = fs.lock(path)
    lu.assertNotNil(again)
end

function tests.sha256_lets_other_tasks_run()
    local dir <close> = fs.tempdir()
    local path = fs.join(dir.path, "f")
    fs.write(path, ("x"):rep(1 << 20))
    local hashes = task.all {
        function() return fs.sha256(path) end,
        function() return fs.sha256(path) end,
    }
    lu.assertEquals(#hashes[1], 64)
    lu.assertEquals(hashes[1], hashes[2])
    local ok, err = pcall(fs.sha256, fs.join(dir.path, "none"))
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "not_found")
end

function tests.sha256_can_be_cancelled()
    local child = task.spawn(function() fs.sha256 "/dev/zero" end)
    task.sleep(0.02)
    child:cancel()
    local ok = pcall(child.wait, child)
    lu.assertFalse(ok)
    lu.assertEquals(child:status(), "cancelled")
end

function tests.space_is_of_the_file_system()
    local free, total = fs.space "/"
    lu.assertTrue(free > 0 and free <= total)
end

return tests
