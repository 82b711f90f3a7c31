-- Charts against helm: what is kept under expected/, and the real helm beside us.
local chart = require "chart"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local golden = program.project .. "/tests/golden"
local cases = dofile(golden .. "/cases.lua")

local tests = {}

local function ask(command, arguments, cwd, stdin)
    local words = table.move(arguments, 1, #arguments, #command + 1, table.move(command, 1, #command, 1, {}))
    return proc.run(words, { cwd = cwd or golden, check = false, stdin = stdin or "" })
end

-- Our own message without the hint, which is one line more than helm's.
local function without_hint(stderr) return (stderr:gsub("\n  [^\n]*\n$", "\n")) end

-- A message with paths that hold on every machine, without what helm logs.
local function message_of(stderr)
    local lines = {}
    for line in stderr:gmatch("[^\n]+") do
        local noise = line:match("^%S+%.go:%d+: ") or line:match("^%d+/%d+/%d+ ")
        if not noise then lines[#lines + 1] = line end
    end
    local text = table.concat(lines, "\n"):match("Error: .*") or table.concat(lines, "\n")
    return (text:gsub("'/[^']*/tests/golden/", "'GOLDEN/"))
end

for _, case in ipairs(cases) do
    tests["template_" .. case.name:gsub("%W", "_") .. "_gives_helms_bytes"] = function()
        local arguments = table.move(case.flags, 1, #case.flags, 3, { case.release, case.chart })
        local result = ask({ program.executable, "helm", "template" }, arguments, nil, case.stdin)
        local expected = ("%s/expected/%s"):format(golden, case.name)
        if fs.exists(expected .. ".error") then
            lu.assertEquals(message_of(without_hint(result.stderr)), message_of(fs.read(expected .. ".error")))
            lu.assertEquals(result.status, 1)
        else
            lu.assertEquals(result.stderr:match("Error: .*"), nil)
            lu.assertEquals(result.stdout, fs.read(expected .. ".yaml"))
        end
    end
end

local function compare_with_helm(arguments, cwd)
    local ours = ask({ program.executable, "helm" }, arguments, cwd)
    local theirs = ask({ "helm" }, arguments, cwd)
    lu.assertEquals(ours.stdout, theirs.stdout)
    lu.assertEquals(message_of(ours.stderr):match("^Error[^\n]*"), message_of(theirs.stderr):match("^Error[^\n]*"))
    lu.assertEquals(ours.status, theirs.status)
end

function tests.template_of_a_chart_that_helm_creates_equals_helms()
    local dir <close> = fs.tempdir()
    proc.run({ "helm", "create", "fresh" }, { cwd = dir.path })
    for _, flags in ipairs {
        {}, { "--set", "ingress.enabled=true,autoscaling.enabled=true" }, { "--set", "serviceAccount.create=false" },
        { "--set", "httpRoute.enabled=true", "--set", "fullnameOverride=x" }, { "--kube-version", "1.30", "-n", "ns" },
        { "--set-json", 'tolerations=[{"key":"a"}],nodeSelector={"b":"c"},podAnnotations={"d":"1"}' },
        { "--show-only", "templates/deployment.yaml" }, { "--set", "volumes[0].name=v,volumeMounts[0].name=v" },
    } do
        compare_with_helm(table.move(flags, 1, #flags, 4, { "template", "rel", "fresh" }), dir.path)
    end
    compare_with_helm({ "lint", "fresh" }, dir.path)
end

function tests.lint_of_the_shipped_chart_equals_helms()
    compare_with_helm({ "lint", program.project .. "/chart" })
    compare_with_helm({ "lint", "--strict", program.project .. "/chart" })
    compare_with_helm({ "lint", "--quiet", program.project .. "/chart" })
end

function tests.lint_of_faulty_charts_equals_helms()
    for _, name in ipairs { "bad-field", "bad-name", "bad-output", "bad-template", "bad-type", "bad-values",
        "bad-version",
        "bad-yaml", "library", "missing-dependency", "no-version", "tree" } do
        compare_with_helm { "lint", "charts/" .. name }
    end
end

function tests.lint_of_kinds_that_are_deprecated_but_stay_equals_helms()
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/c/templates")
    fs.write(dir.path .. "/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n")
    for _, kind in ipairs { "Endpoints", "ComponentStatus" } do
        fs.write(("%s/c/templates/%s.yaml"):format(dir.path, kind),
            ("apiVersion: v1\nkind: %s\nmetadata: {name: a}\n"):format(kind))
    end
    compare_with_helm({ "lint", "c" }, dir.path)
    compare_with_helm({ "lint", "c", "--kube-version", "1.30" }, dir.path)
end

function tests.lint_of_text_behind_a_separator_equals_helms()
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/c/templates")
    fs.write(dir.path .. "/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n")
    local object = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\n"
    for _, text in ipairs { "---" .. object, "--- # said\n" .. object, object .. "---  \n" .. object .. "--- x\n" .. object,
        object .. "---x: 1\n" .. object } do
        fs.write(dir.path .. "/c/templates/a.yaml", text)
        fs.write(dir.path .. "/c/templates/b.yaml", object)
        compare_with_helm({ "lint", "c" }, dir.path)
    end
end

function tests.template_of_an_archive_with_links_equals_helms()
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/c/templates")
    fs.write(dir.path .. "/c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n")
    fs.write(dir.path .. "/c/templates/a.yaml", [[
names: {{ range $name, $_ := .Files }}{{ $name }} {{ end }}
link: {{ .Files.Get "link" | quote }}
hard: {{ .Files.Get "hard" | quote }}
]])
    fs.write(dir.path .. "/c/notes", "text")
    proc.run({ "sh", "-c", "ln -s /etc/passwd c/link && ln c/notes c/hard && mkfifo c/pipe && "
        .. "ln -s a.yaml c/templates/b.yaml && tar -czf c.tgz --sort=name c" }, { cwd = dir.path })
    compare_with_helm({ "template", "rel", "c.tgz" }, dir.path)
    compare_with_helm({ "show", "all", "c.tgz" }, dir.path)
    compare_with_helm({ "lint", "c.tgz" }, dir.path)
end

function tests.patches_equal_those_of_kubernetes_own_library()
    for line in fs.read(golden .. "/patches.jsonl"):gmatch("[^\n]+") do
        local case = json.decode(line)
        local original = case.original
        if original == json.null then original = nil end
        local patch = chart.patch(original, case.target, case.live)
        lu.assertEquals(json.encode(patch or {}, { sort = true }), json.encode(case.patch, { sort = true }))
    end
end

-- release.json: this record read and written again by helm's own code (pkg/release and encoding/json).
function tests.release_record_has_helms_fields_in_helms_order()
    local c = chart.load(golden .. "/charts/tree")
    local rendered = c:render { release = "rel", namespace = "ns", set = { "a.b=1", "f=x<y", "cache.enabled=true" } }
    local record = chart.release(c, rendered, {
        name = "rel", namespace = "ns", revision = 3, status = "deployed", description = "Install complete",
        first_deployed = "2026-02-15T10:20:30.5Z", last_deployed = "2026-02-15T10:20:30.123456789+02:00",
    })
    local decoded = chart.decode_release(chart.encode_release(record))
    lu.assertEquals(json.encode(decoded), json.encode(json.decode(fs.read(golden .. "/release.json"))))
end

function tests.release_record_survives_encoding_and_is_read_as_written()
    local rendered = chart.load(golden .. "/charts/tree"):render { release = "rel", namespace = "ns",
        set = { "a.b=1" } }
    local record = chart.release(chart.load(golden .. "/charts/tree"), rendered, {
        name = "rel", namespace = "ns", revision = 3, status = "deployed", description = "Install complete",
        first_deployed = "2026-02-15T10:20:30.5Z", last_deployed = "2026-02-15T10:20:30.5Z",
    })
    local decoded = chart.decode_release(chart.encode_release(record))
    lu.assertEquals(json.encode(decoded, { sort = true }), json.encode(record, { sort = true }))
    lu.assertEquals(decoded.version, 3)
    lu.assertEquals(decoded.config, { a = { b = 1 } })
    lu.assertEquals(decoded.manifest, rendered.manifest)
    lu.assertEquals(decoded.info.status, "deployed")
    lu.assertEquals(#decoded.hooks, 2)
    lu.assertEquals(decoded.chart.metadata.name, "tree")
end

return tests
