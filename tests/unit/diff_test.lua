-- Differences: judged by what an LCS table says is shortest, and by diff and git themselves.
local diff = require "diff"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local task = require "task"

local tests = {}

local function count(lines, op)
    local n = 0
    for _, line in ipairs(lines) do
        if line.op == op then n = n + 1 end
    end
    return n
end

local function side(lines, left_out)
    local out = {}
    for _, line in ipairs(lines) do
        if line.op ~= left_out then out[#out + 1] = line.text .. "\n" end
    end
    return table.concat(out)
end

local function common_length(a, b)
    local above = {}
    for j = 0, #b do above[j] = 0 end
    for i = 1, #a do
        local row = { [0] = 0 }
        for j = 1, #b do
            row[j] = a:byte(i) == b:byte(j) and above[j - 1] + 1 or math.max(above[j], row[j - 1])
        end
        above = row
    end
    return above[#b]
end

local function lines_of(word) return (word:gsub(".", "%0\n")) end

local function random_word(random, length, letters)
    local out = {}
    for i = 1, length do out[i] = string.char(96 + random(letters)) end
    return table.concat(out)
end

-- A generator of its own: the same words in every run.
local function generator(seed)
    return function(n)
        seed = (seed * 1103515245 + 12345) % 2147483648
        return seed // 65536 % n + 1
    end
end

function tests.lines_of_random_texts_are_the_shortest_difference()
    local random = generator(7)
    for _ = 1, 400 do
        local a = random_word(random, random(25) - 1, 1 + random(4))
        local b = random_word(random, random(25) - 1, 1 + random(4))
        local lines = diff.lines(lines_of(a), lines_of(b))
        lu.assertEquals(side(lines, "+"), lines_of(a))
        lu.assertEquals(side(lines, "-"), lines_of(b))
        lu.assertEquals(count(lines, " "), common_length(a, b), a .. " " .. b)
    end
end

function tests.unified_of_random_texts_is_what_git_applies()
    local random = generator(11)
    local folder <close> = fs.tempdir()
    for round = 1, 12 do
        local a = lines_of(random_word(random, 40 + random(60), 6))
        local b = lines_of(random_word(random, 40 + random(60), 6))
        fs.write(fs.join(folder.path, "a"), a)
        local patch = diff.unified(a, b, { from = "a", to = "a", context = round % 4 })
        local result = proc.run({ "git", "apply", "--unidiff-zero", "-p0" }, { cwd = folder.path, stdin = patch, check = false })
        lu.assertEquals(result.status, 0, result.stdout .. result.stderr .. patch)
        lu.assertEquals(fs.read(fs.join(folder.path, "a")), b)
    end
end

function tests.unified_of_a_changed_value_is_what_diff_prints()
    local folder <close> = fs.tempdir()
    local old, new = {}, {}
    for i = 1, 40 do old[i], new[i] = "line " .. i, "line " .. i end
    new[3], new[20] = "line three", "line twenty\nand one more"
    local a, b = table.concat(old, "\n") .. "\n", table.concat(new, "\n") .. "\n"
    fs.write(fs.join(folder.path, "a"), a)
    fs.write(fs.join(folder.path, "b"), b)
    local result = proc.run({ "diff", "-u", "--label", "a", "--label", "b", "a", "b" },
        { cwd = folder.path, check = false })
    lu.assertEquals(diff.unified(a, b), result.stdout)
    lu.assertEquals(diff.unified(a, a), "")
end

function tests.lines_of_large_different_texts_end_soon()
    local random = generator(3)
    local a, b = {}, {}
    for i = 1, 6000 do a[i], b[i] = "x" .. random(3000), "x" .. random(3000) end
    local before = task.now()
    local lines = diff.lines(table.concat(a, "\n"), table.concat(b, "\n"))
    lu.assertTrue(task.now() - before < 20, "took " .. task.now() - before)
    lu.assertEquals(side(lines, "+"), table.concat(a, "\n") .. "\n")
    lu.assertEquals(side(lines, "-"), table.concat(b, "\n") .. "\n")
end

function tests.text_shows_context_and_gaps()
    local old = "a\nb\nc\nd\ne\nf\ng\nh\n"
    local lines = diff.lines(old, "a\nB\nc\nd\ne\nf\ng\nH\n")
    lu.assertEquals(diff.text(lines, 0), "...\n- b\n+ B\n...\n- h\n+ H\n")
    lu.assertEquals(diff.text(lines, 1), "  a\n- b\n+ B\n  c\n...\n  g\n- h\n+ H\n")
    lu.assertEquals(diff.text(lines), "  a\n- b\n+ B\n  c\n  d\n  e\n  f\n  g\n- h\n+ H\n")
    lu.assertEquals(diff.text(diff.lines(old, old)), "")
end

local function secret_object(data)
    return { apiVersion = "v1", kind = "Secret", metadata = { name = "s", namespace = "n" }, data = data }
end

function tests.object_of_a_secret_shows_what_changed_but_no_value()
    local found = diff.object(secret_object { same = "c2FtZQ==", other = "b2xk", gone = "Z29uZQ==" },
        secret_object { same = "c2FtZQ==", other = "bmV3", fresh = "ZnJlc2g=" })
    lu.assertEquals(found.change, "changed")
    lu.assertEquals({ found.kind, found.namespace, found.name }, { "Secret", "n", "s" })
    local text = diff.text(found.lines)
    lu.assertStrContains(text, "-   gone: ••• (removed)\n")
    lu.assertStrContains(text, "+   fresh: ••• (added)\n")
    lu.assertStrContains(text, "-   other: ••• (before)\n")
    lu.assertStrContains(text, "+   other: ••• (changed)\n")
    lu.assertStrContains(text, "    same: •••\n")
    for _, value in ipairs { "c2FtZQ", "b2xk", "bmV3", "Z29uZQ", "ZnJlc2g" } do lu.assertNotStrContains(text, value) end
    lu.assertStrContains(diff.text(diff.object(nil, secret_object { a = "bmV3" }, { show_secrets = true }).lines), "bmV3")
end

function tests.object_tells_added_removed_and_equal()
    local one = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "c" }, data = { a = "1", b = json.null } }
    lu.assertEquals(diff.object(nil, one).change, "added")
    lu.assertEquals(diff.object(one, nil).change, "removed")
    lu.assertNil(diff.object(one, one))
end

return tests
