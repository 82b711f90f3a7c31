-- A chart's files: read, packed, unpacked; versions and ranges.
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"

local tests = {}

local files = {
    ["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.2.3\ndependencies:\n- {name: db, version: '>=1', repository: ''}\n",
    ["Chart.lock"] = "dependencies:\n- name: db\n  repository: ''\n  version: 1.0.0\ndigest: sha256:ab\n" ..
        "generated: \"2026-01-02T03:04:05.6Z\"\n",
    ["values.yaml"] = "# kept\na: 1\n",
    ["README.md"] = "read\0me",
    ["templates/a.yaml"] = "a: 1\n",
    ["crds/one.yaml"] = "kind: One\n",
    ["charts/db/Chart.yaml"] = "apiVersion: v1\nname: db\nversion: 1.0.0\n",
    ["charts/db/crds/two.json"] = "{}",
}

function tests.chart_gives_its_files()
    local c = chart.load { files = files }
    lu.assertEquals(c:read("README.md"), "read\0me")
    lu.assertNil(c:read("nope"))
    lu.assertEquals(c:files(), { { name = "README.md", data = "read\0me" }, { name = "crds/one.yaml",
        data = "kind: One\n" } })
    lu.assertEquals(c:crds(), { { name = "web/crds/one.yaml", data = "kind: One\n" },
        { name = "web/charts/db/crds/two.json", data = "{}" } })
    lu.assertEquals(c:subcharts(), { { name = "db", version = "1.0.0" } })
    lu.assertEquals(c.lock.digest, "sha256:ab")
    lu.assertEquals(c.lock.dependencies[1].version, "1.0.0")
    lu.assertNil(chart.load { files = { ["Chart.yaml"] = files["Chart.yaml"] } }.lock)
end

local function write_all(dir, all)
    for name, text in pairs(all) do
        fs.mkdir(fs.join(dir, name):match("(.*)/"))
        fs.write(fs.join(dir, name), text)
    end
end

local function write_folder(dir)
    write_all(dir, files)
    fs.write(fs.join(dir, "templates/b.yaml"), "b: {{ .Files.Get \"README.md\" | len }}\n")
    return chart.load(dir)
end

function tests.files_of_a_folder_are_read_when_they_are_asked_for()
    local dir <close> = fs.tempdir()
    local c = write_folder(dir.path)
    lu.assertEquals(c:read("README.md"), "read\0me")
    lu.assertEquals(c:crds(), chart.load { files = files }:crds())
    lu.assertStrContains(c:render().output, "b: 7\n")
end

-- Files of a chart with enough subcharts for two threads, some with what only the loading thread deals with.
local function many()
    local all = { ["Chart.yaml"] = "apiVersion: v2\nname: many\nversion: 1.0.0\n", ["values.yaml"] = "global: {team: web}\n",
        ["templates/own.yaml"] = "own: {{ len .Subcharts }}\n", ["README.md"] = "many" }
    for i = 1, 40 do
        local function add(name, text) all[("charts/part-%02d/%s"):format(i, name)] = text end
        add("Chart.yaml", ("apiVersion: %s\nname: part-%02d\nversion: 1.0.0\n"):format(i % 7 == 0 and "v1" or "v2", i))
        add("values.yaml", ("place: %d\nlist: [a, %d]\n"):format(i, i))
        add("templates/_all.tpl", '{{ define "all" }}{{ toJson .Values }}{{ end }}')
        add("templates/a.yaml", 'name: {{ .Chart.Name }}\nvalues: {{ include "all" . | quote }}\n')
        add("notes.txt", "read late")
        if i % 7 == 0 then add("requirements.yaml", "dependencies: []\n") end
        if i % 5 == 0 then
            add("charts/deep/Chart.yaml", "apiVersion: v2\nname: deep\nversion: 2.0.0\n")
            add("charts/deep/templates/b.yaml", "late: {{ .Chart.Version }}\n")
            add("crds/crd.yaml", ("kind: Crd%d\n"):format(i))
        end
    end
    return all
end

function tests.subcharts_of_a_folder_are_those_of_its_files()
    local dir <close> = fs.tempdir()
    write_all(dir.path, many())
    local wanted = chart.load { files = many() }
    local output, crds, subcharts = wanted:render().output, wanted:crds(), wanted:subcharts()
    for _ = 1, 20 do
        local c = chart.load(dir.path)
        lu.assertEquals(c:subcharts(), subcharts)
        lu.assertEquals(c:crds(), crds)
        lu.assertEquals(c:read("charts/part-40/notes.txt"), "read late")
        lu.assertEquals(c:render().output, output)
    end
end

function tests.first_wrong_subchart_of_a_folder_is_told()
    local dir <close> = fs.tempdir()
    write_all(dir.path, many())
    fs.write(dir.path .. "/charts/part-33/values.yaml", "a: [")
    fs.write(dir.path .. "/charts/part-12/values.yaml", "- list\n")
    for _ = 1, 20 do
        local ok, problem = pcall(chart.load, dir.path)
        lu.assertFalse(ok)
        lu.assertStrContains(fail.message(problem), "error unpacking subchart part-12 in many: cannot load values.yaml")
    end
    proc.run { "ln", "-s", "/etc/hostname", dir.path .. "/charts/part-20/templates/link.yaml" }
    proc.run { "ln", "-s", "/etc/hostname", dir.path .. "/templates/link.yaml" }
    for _ = 1, 20 do
        local ok, problem = pcall(chart.load, dir.path)
        lu.assertFalse(ok)
        lu.assertEquals(fail.message(problem), "the link charts/part-20/templates/link.yaml leads out of the chart")
    end
end

function tests.a_file_that_changed_since_the_folder_was_read_is_refused()
    local dir <close> = fs.tempdir()
    local c = write_folder(dir.path)
    fs.write(dir.path .. "/README.md", "another text")
    fs.write(dir.path .. "/values.yaml", "a: 2\n")
    fs.remove(dir.path .. "/crds/one.yaml")
    local changed = "the chart's file README.md has changed since the chart was loaded"
    local function check(message, action)
        local ok, problem = pcall(action)
        lu.assertFalse(ok)
        lu.assertStrContains(fail.message(problem), message)
    end
    check(changed, function() c:read("README.md") end)
    check(changed, function() c:render() end)
    check(changed, function() c:save(dir.path .. "/out") end)
    check("crds/one.yaml", function() c:crds() end)
    lu.assertEquals(c:read("values.yaml"), files["values.yaml"])
    lu.assertEquals(c:read("charts/db/crds/two.json"), "{}")
end

function tests.a_chart_under_two_names_names_its_templates_by_each()
    local c = chart.load { files = {
        ["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n" ..
            "- {name: db, version: '1', repository: '', alias: one}\n- {name: db, version: '1', repository: '', alias: two}\n",
        ["charts/db/Chart.yaml"] = "apiVersion: v1\nname: db\nversion: 1.0.0\n",
        ["charts/db/templates/a.yaml"] = "name: {{ .Template.Name }}\n{{ if .Values.bad }}{{ fail .Template.Name }}{{ end }}",
    } }
    lu.assertEquals(c:render().output, "---\n# Source: web/charts/one/templates/a.yaml\nname: web/charts/one/templates/a.yaml\n" ..
        "---\n# Source: web/charts/two/templates/a.yaml\nname: web/charts/two/templates/a.yaml\n")
    for _, name in ipairs { "one", "two" } do
        local ok, problem = pcall(c.render, c, { values = { [name] = { bad = true } } })
        lu.assertFalse(ok)
        lu.assertStrContains(fail.message(problem), ("execution error at (web/charts/%s/templates/a.yaml:2:23)"):format(name))
    end
end

function tests.a_text_may_not_define_its_own_name_again()
    local source = { ["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.0.0\n" }
    source["templates/a.yaml"] = 'a: 1\n{{ define "web/templates/a.yaml" }}a: 2{{ end }}\n'
    local ok, problem = pcall(function() return chart.load { files = source }:render().output end)
    lu.assertFalse(ok)
    lu.assertStrContains(fail.message(problem),
        'parse error at (web/templates/a.yaml:3): multiple definition of template "web/templates/a.yaml"')
    source["templates/a.yaml"] = 'a: 1\n{{ define "web/templates/a.yaml" }} {{ end }}\n'
    lu.assertEquals(chart.load { files = source }:render().output, "---\n# Source: web/templates/a.yaml\na: 1\n")
end

function tests.save_packs_a_chart_that_loads_again()
    local dir <close> = fs.tempdir()
    local c = chart.load { files = files }
    local path = c:save(dir.path .. "/new", { version = "2.0.0", app_version = "x" })
    lu.assertEquals(path, dir.path .. "/new/web-2.0.0.tgz")
    local again = chart.load(path)
    lu.assertEquals({ again.name, again.version, again.app_version, again.lock.generated },
        { "web", "2.0.0", "x", "2026-01-02T03:04:05.6Z" })
    lu.assertEquals(again:read("values.yaml"), files["values.yaml"])
    lu.assertEquals(again:crds(), c:crds())
    lu.assertEquals(c.version, "1.2.3")
    local bytes = fs.read(path)
    c:save(dir.path .. "/new", { version = "2.0.0", app_version = "x" })
    lu.assertEquals(fs.read(path), bytes)
end

function tests.save_refuses_a_version_that_is_none()
    local dir <close> = fs.tempdir()
    local ok, problem = pcall(function() chart.load { files = files }:save(dir.path, { version = "one" }) end)
    lu.assertFalse(ok)
    lu.assertEquals(fail.message(problem), "invalid semantic version")
    lu.assertEquals(fs.list(dir.path), {})
end

function tests.unpack_gives_the_files_below_the_first_folder()
    local dir <close> = fs.tempdir()
    local path = chart.load { files = { ["Chart.yaml"] = "apiVersion: v2\nname: a\nversion: 1.0.0\n" } }:save(dir.path)
    lu.assertEquals(chart.unpack(fs.read(path)),
        { { name = "Chart.yaml", data = "apiVersion: v2\nname: a\nversion: 1.0.0\n" } })
end

-- Archives that would write elsewhere are made by tar itself.
function tests.unpack_refuses_what_leads_out()
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/c")
    fs.write(dir.path .. "/c/Chart.yaml", "name: c\n")
    for message, transform in pairs {
        [".*"] = "s,c/Chart.yaml,c/../../x,", ["chart yaml not in base directory"] = "s,c/Chart.yaml,Chart.yaml,",
        ["chart contains illegally named files"] = "s,c/Chart.yaml,c/d:/x,",
    } do
        proc.run({ "tar", "czPf", "bad.tgz", "--transform", transform, "c/Chart.yaml" }, { cwd = dir.path })
        local ok, problem = pcall(chart.unpack, fs.read(dir.path .. "/bad.tgz"))
        lu.assertFalse(ok)
        lu.assertStrMatches(fail.message(problem), message)
    end
end

function tests.satisfies_and_compare_versions_read_as_masterminds_does()
    lu.assertTrue(chart.satisfies("^1.2 || >=3", "v1.3"))
    lu.assertFalse(chart.satisfies("^1.2", "1.3.0-beta"))
    lu.assertTrue(chart.satisfies(">0.0.0-0", "1.3.0-beta"))
    lu.assertFalse(pcall(chart.satisfies, ">>1", "1"))
    lu.assertEquals({ chart.compare_versions("1.0", "1.0.0"), chart.compare_versions("1.0.0-a", "1.0.0"),
        chart.compare_versions("2", "1") }, { 0, -1, 1 })
    lu.assertNil(chart.compare_versions("1", "x"))
end

return tests
