-- tar archives as streams, beside the machine's own tar.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local tar_stream = require "tar_stream"

local tests = {}
local temp

function tests.setup() temp = fs.tempdir() end

function tests.teardown() temp:close() end

-- A reader of a file's bytes in pieces of `size`.
local function reader_of(bytes, size)
    local at = 1
    return tar_stream.reader(function()
        if at > #bytes then return nil end
        local piece = bytes:sub(at, at + size - 1)
        at = at + #piece
        return piece
    end)
end

local function read_all(bytes, size)
    local reader, found = reader_of(bytes, size), {}
    for entry in function() return reader:next() end do
        local parts = {}
        for piece in function() return reader:read() end do parts[#parts + 1] = piece end
        found[#found + 1] = { entry.name, entry.type, table.concat(parts), entry.target, entry.mode }
    end
    lu.assertTrue(reader.finished)
    return found
end

local LONG = ("long/"):rep(60) .. "name"

local function fill()
    fs.mkdir(temp.path .. "/src/" .. LONG:match("^(.*)/"))
    fs.mkdir(temp.path .. "/src/empty")
    fs.write(temp.path .. "/src/" .. LONG, "deep")
    fs.write(temp.path .. "/src/block", ("b"):rep(512), 493)
    fs.write(temp.path .. "/src/nothing", "")
    fs.symlink("/etc/passwd", temp.path .. "/src/way-out")
    fs.symlink(("x"):rep(150), temp.path .. "/src/far")
end

function tests.reader_understands_each_format_in_pieces_of_any_size()
    fill()
    for _, format in ipairs { "gnu", "pax", "ustar" } do
        if format == "ustar" then
            fs.remove(temp.path .. "/src/long") -- it cannot name it
            fs.remove(temp.path .. "/src/far")
        end
        proc.run({ "tar", "--format=" .. format, "--sort=name", "-cf", "../a.tar", "." }, { cwd = temp.path .. "/src" })
        local bytes = fs.read(temp.path .. "/a.tar")
        local whole = read_all(bytes, #bytes)
        for _, size in ipairs { 1, 511, 512, 513, 10000 } do lu.assertEquals(read_all(bytes, size), whole) end
        local by_name = {}
        for _, entry in ipairs(whole) do by_name[entry[1]] = entry end
        lu.assertEquals(by_name["./block"], { "./block", "file", ("b"):rep(512), "", 493 })
        lu.assertEquals(by_name["./empty/"][2], "dir")
        lu.assertEquals(by_name["./way-out"][4], "/etc/passwd")
        if format ~= "ustar" then
            lu.assertEquals(by_name["./" .. LONG][3], "deep")
            lu.assertEquals(by_name["./far"][4], ("x"):rep(150))
        end
    end
end

function tests.tar_understands_what_is_written()
    local parts = {}
    local function add(entry, content)
        parts[#parts + 1] = tar_stream.header(entry) .. (content or "") .. tar_stream.padding(#(content or ""))
    end
    add({ name = "file", type = "file", mode = 416, size = 3, mtime = 1000 }, "abc")
    add({ name = LONG, type = "file", mode = 420, size = 4 }, "deep")
    add { name = "folder", type = "dir", mode = 493, size = 0 }
    add { name = "link", type = "link", mode = 511, size = 0, target = ("y"):rep(200) }
    fs.write(temp.path .. "/a.tar", table.concat(parts) .. tar_stream.END)
    fs.mkdir(temp.path .. "/out")
    for _, program in ipairs { { "tar" }, { "busybox", "tar" } } do
        local argv = { table.unpack(program) }
        table.move({ "-xf", "../a.tar" }, 1, 2, #argv + 1, argv)
        if proc.which(program[1]) then
            proc.run(argv, { cwd = temp.path .. "/out" })
            lu.assertEquals(fs.read(temp.path .. "/out/file"), "abc")
            lu.assertEquals(fs.stat(temp.path .. "/out/file").mode, 416)
            lu.assertEquals(fs.read(temp.path .. "/out/" .. LONG), "deep")
            lu.assertEquals(fs.stat(temp.path .. "/out/folder").type, "dir")
            lu.assertEquals(fs.readlink(temp.path .. "/out/link"), ("y"):rep(200))
        end
    end
end

function tests.sizes_above_eight_gigabytes_survive()
    local size = 20 << 30
    local entry = reader_of(tar_stream.header { name = "big", type = "file", mode = 420, size = size }, 512):next()
    lu.assertEquals(entry.size, size)
end

function tests.broken_archives_are_refused()
    local good = tar_stream.header { name = "file", type = "file", mode = 420, size = 3 } .. "abc"
        .. tar_stream.padding(3) .. tar_stream.END
    for _, bytes in ipairs { good:sub(1, 700), good:sub(1, 1024), good:gsub("file", "fine", 1) .. "",
        ("junk"):rep(400), "" } do
        local ok, err = pcall(read_all, bytes, 100)
        lu.assertFalse(ok)
        lu.assertEquals(err.kind, "parse")
    end
end

return tests
