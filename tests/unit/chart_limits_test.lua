-- What a stranger's chart may not do: write or read elsewhere, take the machine's memory, never end.
local chart = require "chart"
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}

local METADATA = "apiVersion: v2\nname: c\nversion: 1.0.0\n"
local MIB = 1 << 20

local function refused(fn, ...)
    local ok, problem = pcall(fn, ...)
    lu.assertFalse(ok)
    return problem
end

-- One entry of a tar archive, whose header says what the fields say.
local function entry(fields)
    local data = fields.data or ""
    local size = fields.size or ("%011o\0"):format(#data)
    local head = table.concat { fields.name .. ("\0"):rep(100 - #fields.name), "0000644\0", "0000000\0", "0000000\0",
        size, ("%011o\0"):format(0), "        ", fields.type or "0", (fields.target or "")
        .. ("\0"):rep(100 - #(fields.target or "")), "ustar\00000" }
    head = head .. ("\0"):rep(512 - #head)
    local sum = 0
    for i = 1, #head do sum = sum + head:byte(i) end
    head = head:sub(1, 148) .. ("%06o\0 "):format(sum) .. head:sub(157)
    return head .. data .. ("\0"):rep(-#data % 512)
end

local function pack(...)
    local entries = { entry { name = "c/Chart.yaml", data = METADATA } }
    for _, fields in ipairs { ... } do entries[#entries + 1] = entry(fields) end
    return proc.run({ "gzip", "-c1" }, { stdin = table.concat(entries) .. ("\0"):rep(1024),
        max_output = 64 * MIB }).stdout
end

function tests.archive_entries_that_lead_out_are_refused()
    for _, name in ipairs { "/etc/x", "../x", "c/../../x", "c/templates/../../../x", "c\\..\\..\\x", "c/..", "c//etc/../../x" } do
        lu.assertStrMatches(refused(chart.unpack, pack { name = name, data = "a: b" }).message,
            ".*[outsideillegally].*")
    end
end

-- Links, devices and pipes are empty files, as helm has them.
function tests.archive_links_are_not_followed()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/secret", "a: secret")
    local target = dir.path .. "/secret"
    for _, file in ipairs(chart.unpack(pack({ name = "c/templates/a.yaml", type = "2", target = target },
        { name = "c/templates", type = "2", target = dir.path }, { name = "c/templates/b.yaml", data = "b: 1" }))) do
        lu.assertNotStrContains(file.data, "secret")
    end
    lu.assertEquals(fs.list(dir.path), { "secret" })
    for _, kind in ipairs { "1", "2", "3", "4", "6" } do
        local files = chart.unpack(pack { name = "c/templates/a.yaml", type = kind, target = "c/Chart.yaml" })
        lu.assertEquals({ #files, files[2].name, files[2].data }, { 2, "templates/a.yaml", "" }, kind)
    end
end

function tests.archive_sizes_are_not_believed()
    local huge = { ["more than a file may have"] = ("%011o\0"):format(6 * MIB), ["8 GiB"] = "77777777777\0",
        ["2^60"] = "\x80" .. ("\0"):rep(3) .. "\x10" .. ("\0"):rep(7), ["less than nothing"] = ("\xff"):rep(12) }
    for what, size in pairs(huge) do
        local problem = refused(chart.unpack, pack { name = "c/big", size = size, data = "x" })
        lu.assertTrue(problem.kind == "limit" or problem.kind == "parse", what)
    end
    lu.assertEquals(refused(chart.unpack, pack { name = "c/cut", size = ("%011o\0"):format(MIB), data = "x" }).kind,
        "parse")
end

function tests.archive_of_too_many_entries_is_refused()
    local entries = {}
    for i = 1, 10001 do entries[i] = { name = "c/f" .. i } end
    lu.assertStrContains(refused(chart.unpack, pack(table.unpack(entries))).message, "more than 10000 entries")
end

-- Sanitizers multiply memory, so the program as people run it is measured.
local measured = program.project .. "/build/bin/todo-lua"

-- Runs a script in a process of its own. Returns the kind of its error, or "ok", and the most that it took, in MiB.
local function peak_of(script)
    local source = ([[
        local chart, fs = require "chart", require "fs"
        local ok, problem = pcall(function() %s end)
        print(ok and "ok" or problem.kind, fs.read("/proc/self/status"):match("VmHWM:%%s*(%%d+)"))]]):format(script)
    local told = proc.run({ measured, "-e", source }, { timeout = 120 }).stdout
    local kind, kib = told:match("(%S+)%s+(%d+)%s*$")
    return kind, tonumber(kib) // 1024
end

local function load_of(path) return ("chart.load(%q)"):format(path) end

-- A hundred MiB of nothing in a hundred KiB.
local function bomb()
    local entries, zeros = {}, ("\0"):rep(5 * MIB)
    for i = 1, 19 do entries[i] = { name = "c/zeros" .. i, data = zeros } end
    return pack(table.unpack(entries))
end

function tests.archive_bombs_stay_within_bounds()
    if not fs.exists("/proc/self/status") then return end
    local dir <close> = fs.tempdir()
    local one = bomb()
    fs.write(dir.path .. "/one.tgz", one)
    local kind, peak = peak_of(load_of(dir.path .. "/one.tgz"))
    lu.assertEquals(kind, "ok") -- just below helm's limit of a chart
    lu.assertTrue(peak < 200, peak)

    fs.write(dir.path .. "/file.tgz", pack { name = "c/big", data = ("\0"):rep(5 * MIB + 1) })
    kind = peak_of(load_of(dir.path .. "/file.tgz"))
    lu.assertEquals(kind, "limit")

    local charts = {}
    for i = 1, 12 do charts[i] = { name = ("c/charts/c%d.tgz"):format(i), data = one } end
    fs.write(dir.path .. "/charts.tgz", pack(table.unpack(charts)))
    kind, peak = peak_of(load_of(dir.path .. "/charts.tgz"))
    lu.assertEquals(kind, "limit")
    lu.assertTrue(peak < 800, peak)
    print(("# 1.2 GiB of charts packed in one of %d KiB: refused at %d MiB"):format(
        fs.stat(dir.path .. "/charts.tgz").size // 1024, peak))
end

local function aliases(first)
    local lines = { first }
    for c = ("b"):byte(), ("z"):byte() do
        lines[#lines + 1] = ("%c: &%c [%s]"):format(c, c, (("*%c,"):format(c - 1)):rep(9))
    end
    return table.concat(lines, "\n") .. "\n"
end

local function render(files, options)
    files["Chart.yaml"] = files["Chart.yaml"] or METADATA
    return chart.load { files = files }:render(options)
end

function tests.alias_bombs_are_refused_wherever_yaml_is_read()
    local text = aliases "a: &a [x,x,x,x,x,x,x,x,x]"
    for _, files in ipairs { { ["values.yaml"] = text }, { ["Chart.yaml"] = METADATA .. "annotations:\n  x: y\n" .. text },
        { ["templates/a.yaml"] = text }, { ["Chart.lock"] = text } } do
        lu.assertStrContains(refused(render, files).message, "document contains excessive aliasing")
    end
    lu.assertStrContains(refused(render, { ["values.yaml"] = text:gsub("%[x", "[{}", 1),
        ["templates/a.yaml"] = "{{ (fromYaml (toYaml .Values)).a }}" }).message, "excessive aliasing")
    local read = render { ["text"] = text, ["templates/a.yaml"] = 'a: {{ (fromYaml (.Files.Get "text")).Error | quote }}' }
    lu.assertStrContains(read.manifest, "document contains excessive aliasing")
end

function tests.nesting_is_bounded_wherever_it_may_be_deep()
    local deep, folders = ("["):rep(100000), {}
    for _, files in ipairs { { ["values.yaml"] = deep }, { ["templates/a.yaml"] = deep },
        { ["templates/a.yaml"] = ("{{ if true }}"):rep(100000) }, { ["templates/a.yaml"] = "{{ " .. ("("):rep(100000) },
        { ["values.schema.json"] = ('{"not":'):rep(100000) }, { ["values.schema.json"] = '{"$ref":"#"}' },
        { ["values.schema.json"] = ('{"not":'):rep(5000) .. "true" .. ("}"):rep(5000) } } do
        refused(render, files)
    end
    local path = ""
    for _ = 1, 40 do
        path = path .. "charts/c/"
        folders[path .. "Chart.yaml"] = METADATA
    end
    lu.assertStrContains(refused(render, folders).message, "nested more than 32 deep")
end

-- Each aliased dependency is a chart of its own, and so on below it.
function tests.dependencies_that_multiply_are_refused()
    if not fs.exists("/proc/self/status") then return end
    local kind, peak = peak_of([[
        local list = {}
        for i = 1, 40 do list[i] = "- {name: c, version: 1.0.0, alias: c" .. i .. "}\n" end
        local metadata = "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies:\n" .. table.concat(list)
        local files, path = { ["Chart.yaml"] = metadata }, ""
        for _ = 1, 8 do
            path = path .. "charts/c/"
            files[path .. "Chart.yaml"] = metadata
        end
        chart.load { files = files }:render()]])
    lu.assertEquals(kind, "limit")
    lu.assertTrue(peak < 1200, peak)
    print(("# 40^8 charts by aliases: refused at %d MiB"):format(peak))
end

function tests.schema_that_multiplies_is_refused()
    if not fs.exists("/proc/self/status") then return end
    local parts = {}
    for i = 1, 40 do
        parts[i] = ('"a%d":{"allOf":[{"$ref":"#/definitions/a%d"},{"$ref":"#/definitions/a%d"}]}'):format(i, i + 1, i + 1)
    end
    local schema = '{"$ref":"#/definitions/a1","definitions":{' .. table.concat(parts, ",") .. ',"a41":true}}'
    local kind, peak = peak_of(([[
        chart.load { files = { ["Chart.yaml"] = "apiVersion: v2\nname: c\nversion: 1.0.0\n",
            ["values.schema.json"] = %q } }:render()]]):format(schema))
    lu.assertEquals(kind, "chart")
    lu.assertTrue(peak < 1200, peak)
    print(("# a schema of 2^40 parts: refused at %d MiB"):format(peak))
end

function tests.output_of_many_templates_is_bounded()
    if not fs.exists("/proc/self/status") then return end
    local kind, peak = peak_of([[
        local files = { ["Chart.yaml"] = "apiVersion: v2\nname: c\nversion: 1.0.0\n" }
        for i = 1, 40 do files["templates/" .. i .. ".yaml"] = 'a: {{ repeat 60000000 "x" }}' end
        chart.load { files = files }:render()]])
    lu.assertEquals(kind, "limit")
    lu.assertTrue(peak < 1400, peak)
    print(("# 2.4 GB of output: refused at %d MiB"):format(peak))
end

-- A render does not wait, but a signal ends it.
function tests.interrupt_ends_a_render_that_computes()
    local child <close> = proc.spawn({ program.executable, "-e", [[
        print "started"
        io.stdout:flush()
        require "chart".load { files = { ["Chart.yaml"] = "apiVersion: v2\nname: c\nversion: 1.0.0\n",
            ["templates/a.yaml"] = "{{ range until 100000 }}{{ $x := bcrypt \"x\" }}{{ end }}" } }:render()]] },
        { stderr = "pipe" })
    child:read_line()
    child:kill "INT"
    lu.assertEquals(child:wait(), 130)
end

return tests
