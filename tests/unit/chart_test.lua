-- Module chart: loading, values, rendering with lookups, records, patches, lint.
local chart = require "chart"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local secret = require "secret"
local tables = require "tables"
local task = require "task"

local tests = {}

local function files(more)
    local all = { ["Chart.yaml"] = "apiVersion: v2\nname: small\nversion: 1.0.0\nappVersion: '2'\n",
        ["values.yaml"] = "a: 1\nmap: {x: 1, q: two}\n" }
    for name, text in pairs(more or {}) do all[name] = text or nil end
    return { files = all }
end

local function write(path, text)
    fs.mkdir(fs.dirname(path))
    fs.write(path, text)
end

local function render(template, options, more)
    local given = more or {}
    given["templates/t.yaml"] = template
    return chart.load(files(given)):render(options)
end

local function failure(fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    return err
end

function tests.load_gives_the_metadata_and_own_values()
    local c = chart.load(files())
    lu.assertEquals({ c.name, c.version, c.app_version, c.dir }, { "small", "1.0.0", "2", nil })
    lu.assertEquals(c.metadata.apiVersion, "v2")
    lu.assertEquals(c.values.map.q, "two")
    lu.assertEquals(tostring(c), "chart small 1.0.0")
end

function tests.rsa_keys_are_valid_to_openssl_and_no_two_are_equal()
    local rendered = render('{{ range until 6 }}---\nkey: {{ (genCA "x" 1).Key | quote }}\n{{ end }}---\n' ..
        'key: {{ genPrivateKey "rsa" | quote }}\n')
    local seen = {}
    for i, manifest in ipairs(rendered.manifests) do
        local key = manifest.object.key
        lu.assertNil(seen[key])
        seen[key] = true
        local checked = proc.run({ "openssl", "pkey", "-check", "-noout", "-text" }, { stdin = key, max_output = 1 << 16 })
        lu.assertStrContains(checked.stdout, "Key is valid")
        lu.assertStrContains(checked.stdout, ("Private-Key: (%d bit, 2 primes)"):format(i < 7 and 2048 or 4096))
    end
    lu.assertEquals(#rendered.manifests, 7)
end

function tests.load_of_nothing_there_is_not_found_with_a_hint()
    local err = failure(chart.load, "./no-such-chart")
    lu.assertEquals(err.kind, "not_found")
    lu.assertStrContains(err.message, 'path "./no-such-chart" not found')
    lu.assertNotNil(err.hint)
end

function tests.load_of_wrong_arguments_is_refused()
    lu.assertFalse(pcall(chart.load, 5))
    lu.assertFalse(pcall(chart.load, {}))
    lu.assertFalse(pcall(chart.load, { files = { ["Chart.yaml"] = {} } }))
end

function tests.load_refuses_a_link_that_leads_out_of_the_chart()
    local dir <close> = fs.tempdir()
    for name, text in pairs(files().files) do write(dir.path .. "/c/" .. name, text) end
    write(dir.path .. "/outside", "secret")
    fs.symlink("values.yaml", dir.path .. "/c/inside.txt")
    lu.assertEquals(chart.load(dir.path .. "/c").name, "small")
    fs.symlink("../outside", dir.path .. "/c/leak.txt")
    lu.assertStrContains(failure(chart.load, dir.path .. "/c").message, "leak.txt leads out of the chart")
    write(dir.path .. "/c/.helmignore", "leak.txt\n")
    lu.assertEquals(chart.load(dir.path .. "/c").name, "small")
end

function tests.load_of_an_archive_that_climbs_out_is_refused()
    local dir <close> = fs.tempdir()
    write(dir.path .. "/in/small/Chart.yaml", files().files["Chart.yaml"])
    write(dir.path .. "/in/evil", "x: y")
    proc.run({ "tar", "-czPf", "../bad.tgz", "--transform", "s,^evil,small/../../evil,", "small", "evil" },
        { cwd = dir.path .. "/in" })
    lu.assertFalse((pcall(chart.load, dir.path .. "/bad.tgz")))
    proc.run({ "tar", "-czf", "../good.tgz", "small" }, { cwd = dir.path .. "/in" })
    lu.assertEquals(chart.load(dir.path .. "/good.tgz").name, "small")
end

function tests.merge_lays_files_values_and_flags_over_each_other()
    local dir <close> = fs.tempdir()
    local path = dir.path .. "/v.yaml"
    fs.write(path, "a: 2\nmap: {x: null, z: file}\nonly: file\n")
    local merged = chart.load(files()):merge {
        values_files = { path }, values = { a = 3, map = { z = "lua" } }, set = { "a=4" },
    }
    lu.assertEquals(merged, { a = 4, map = { q = "two", z = "lua" }, only = "file" })
    lu.assertEquals(math.type(merged.a), "integer")
end

function tests.merge_names_the_flag_that_cannot_be_read()
    local err = failure(chart.load(files()).merge, chart.load(files()), { set = { "a" } })
    lu.assertEquals(err.message, 'failed parsing --set data: key "a" has no value')
    lu.assertFalse((pcall(chart.load(files()).merge, chart.load(files()), { set = "a=1" })))
    lu.assertFalse((pcall(chart.load(files()).merge, chart.load(files()), { values = { 1, 2 } })))
end

function tests.render_reveals_secrets_and_keeps_bytes()
    local rendered = render("v: {{ .Values.s | b64enc }}\nw: {{ len .Values.n }}",
        { values = { s = secret.new("hush-hush"), n = "a\0b" } })
    lu.assertEquals(rendered.manifests[1].object.v, "aHVzaC1odXNo")
    lu.assertEquals(rendered.manifests[1].object.w, 3)
end

function tests.render_sorts_manifests_and_sets_hooks_and_notes_apart()
    local rendered = render("kind: Service\n---\n# only a comment\n---\nkind: Secret\nmetadata: {name: s}\n---\n" ..
        "kind: Job\nmetadata: {annotations: {helm.sh/hook: 'post-install', helm.sh/hook-weight: '3'}}\n", nil,
        { ["templates/NOTES.txt"] = "hello {{ .Release.Name }}" })
    lu.assertEquals({ #rendered.manifests, rendered.manifests[1].kind, rendered.manifests[2].kind }, { 2, "Secret",
        "Service" })
    lu.assertEquals(rendered.hooks[1].hook.events, { "post-install" })
    lu.assertEquals(rendered.hooks[1].hook.weight, 3)
    lu.assertEquals(rendered.notes, "hello release-name")
    lu.assertNil(rendered.manifest:find("kind: Job", 1, true))
    lu.assertStrContains(rendered.output, "kind: Job")
    lu.assertStrContains(rendered.manifest, "# only a comment")
end

function tests.print_writes_the_output()
    local say = [[
        local hook = "kind: Hook\nmetadata: {annotations: {helm.sh/hook: test}}\n"
        local c = require "chart".load { files = { ["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            ["crds/c.yaml"] = "kind: Crd\n", ["templates/b.yaml"] = "text: " .. ("x"):rep(100000) .. "\n",
            ["templates/a.yaml"] = "a: 1\n", ["templates/hook.yaml"] = hook } }
        local options = load("return " .. require "program".args[1])()
        local rendered = c:render(options)
        rendered:print()
        io.write("|", rendered.output, "|", rendered.manifest)]]
    local dir <close> = fs.tempdir()
    write(dir.path .. "/say.lua", say)
    for _, options in ipairs { "{}", "{ no_hooks = true }", "{ show_only = { 'templates/a.yaml' } }",
        "{ include_crds = true }" } do
        local text = proc.run({ program.executable, dir.path .. "/say.lua", options }).stdout
        local printed, output, manifest = text:match("^(.-)|(.-)|(.*)$")
        lu.assertTrue(printed == output, options)
        lu.assertEquals(#printed, #output)
        lu.assertEquals(printed:find("kind: Hook", 1, true) ~= nil, options == "{}" or options:find("crds") ~= nil)
        lu.assertEquals(manifest:find("kind: Crd", 1, true) ~= nil, options:find("crds") ~= nil)
    end
end

function tests.render_error_carries_helms_words_and_the_kind()
    local err = failure(render, "a: {{ required \"give it\" .Values.none }}")
    lu.assertEquals(err.kind, "template")
    lu.assertEquals(err.message, "execution error at (small/templates/t.yaml:1:6): give it")
    lu.assertStrContains(failure(render, "a: [").message, "YAML parse error on small/templates/t.yaml: ")
    lu.assertStrContains(failure(render, "a: 1", { release = "No Good" }).message, "invalid release name")
end

-- By template text: what the hint says wrote the text that is no YAML.
local faults = {
    ["a: 1\n{{ if true }}\nb: c: d\n{{ end }}\n"] = "t.yaml:3",
    ["{{- /* two\nlines */ -}}\na: 1\n---\n\n---\nb: {{ .Values.map.q }}: {{ .Values.a }}"] = "t.yaml:7",
    ["a:\n{{- range $k, $v := .Values.map }}\n  {{ $k }}: {{ $v }}: z\n{{- end }}"] = "t.yaml:3",
    ["a:\n  {{- include \"in\" . | nindent 2 }}"] = "_h.tpl:3, included in small/templates/t.yaml:2",
    ["{{ $x := include \"out\" . -}}\na: 1\n{{ $x }}"] = "t.yaml:3",
    ["a:\n\n{{ include \"out\" . }}"] =
        "_h.tpl:3, included in small/templates/_h.tpl:8, included in small/templates/t.yaml:3",
    ["{{ template \"in\" . }}"] = "_h.tpl:3",
    ["a: 1\n{{ tpl \"{{/* x\\n*/}}\\nb: c: {{ .Values.none }}\" . }}"] = "gotpl:3, included in small/templates/t.yaml:2",
    ["a: 1\n\n{{ toYaml .Values.map | replace \":\" \": :\" }}"] = "t.yaml:3",
    ["a: \"open\nb: 1\n{{ .Values.none }}\nc: 2"] = "t.yaml:4; what it belongs to starts in small/templates/t.yaml:1",
}

function tests.render_error_of_no_yaml_names_the_template_lines()
    local helpers = '{{ define "in" -}}\nk: 1\nl: m: n\n{{ end -}}\n{{ define "out" -}}\nbefore: 1\n' ..
        'x:\n{{ include "in" . | indent 2 }}\nafter: 1\n{{ end }}'
    for text, places in pairs(faults) do
        local err = failure(render, text, nil, { ["templates/_h.tpl"] = helpers, ["templates/z.yaml"] = "a: {{ 1 }}" })
        lu.assertEquals(err.kind, "parse")
        lu.assertEquals(err.hint, "written by " .. (places:find("^gotpl") and "" or "small/templates/") .. places ..
            "; todo-lua helm template --debug prints what was rendered")
        lu.assertStrContains(err.rendered, "---\n# Source: small/templates/z.yaml\na: 1\n")
    end
end

-- What is wrong with an object's head has no line.
function tests.render_error_of_a_wrong_head_has_no_place()
    local err = failure(render, "kind: []")
    lu.assertStrContains(err.message, "cannot unmarshal array")
    lu.assertEquals(err.hint, "todo-lua helm template --debug prints what was rendered")
end

function tests.render_leaves_the_chart_as_it_was()
    local c = chart.load(files { ["templates/t.yaml"] = "{{ $_ := set .Values.map \"x\" 9 }}a: {{ .Values.map.x }}" })
    lu.assertEquals(c:render().manifests[1].object.a, 9)
    lu.assertEquals(c:merge().map.x, 1)
    lu.assertEquals(c:render({ set = { "map.x=5" } }).manifests[1].object.a, 9)
    lu.assertEquals(c.values.map.x, 1)
end

local asking = [[
{{- $a := lookup "v1" "Secret" "ns" "a" }}
found: {{ dig "data" "k" "none" $a }}
{{- if $a }}
second: {{ len (lookup "v1" "Pod" "" "").items }}
{{- end }}
absent: {{ lookup "v1" "Secret" "ns" "gone" | len }}
]]

function tests.render_asks_for_lookups_and_renders_again_with_the_answers()
    local asked = {}
    local rendered = render(asking, { lookup = function(version, kind, namespace, name)
        asked[#asked + 1] = table.concat({ version, kind, namespace, name }, "/")
        task.sleep(0.001)
        if name == "a" then return { data = { k = "v" } } end
        if kind == "Pod" then return { items = json.list { {}, {} } } end
        return nil
    end })
    lu.assertEquals(rendered.manifests[1].object, { found = "v", second = 2, absent = 0 })
    lu.assertEquals(asked, { "v1/Secret/ns/a", "v1/Secret/ns/gone", "v1/Pod//" })
end

function tests.render_without_a_lookup_function_finds_nothing()
    lu.assertEquals(render(asking).manifests[1].object, { found = "none", absent = 0 })
end

function tests.render_passes_on_the_error_of_a_lookup()
    local err = failure(render, asking, { lookup = function() error({ kind = "denied", message = "no" }, 0) end })
    lu.assertEquals(err.kind, "denied")
end

function tests.render_asks_for_addresses_and_takes_any_of_them()
    local asked, seen = {}, {}
    local text = 'a: {{ getHostByName "a.example" }}\nb: {{ getHostByName (printf "%s.example" "b") }}\n'
        .. 'many:{{ range until 60 }}\n- {{ getHostByName "a.example" }}{{ end }}\n'
    local found = render(text, { resolve = function(host)
        asked[#asked + 1] = host
        return host == "a.example" and { "192.0.2.1", "2001:db8::1" } or { "192.0.2.2" }
    end }).manifests[1].object
    lu.assertEquals(asked, { "a.example", "b.example" })
    lu.assertEquals(found.b, "192.0.2.2")
    for _, address in ipairs(found.many) do seen[address] = true end
    lu.assertEquals(seen, { ["192.0.2.1"] = true, ["2001:db8::1"] = true })
end

function tests.render_of_a_host_without_an_address_fails_as_sprig_does()
    local err = failure(render, '{{ getHostByName "none.example" }}', { resolve = function() return nil end })
    lu.assertStrContains(err.message, "error calling getHostByName: invalid argument to Intn")
    lu.assertEquals(render('a: {{ getHostByName "none.example" | quote }}').manifests[1].object, { a = "" })
    lu.assertStrContains(failure(render, "a: 1", { resolve = "no" }).message, "option 'resolve' must be a function")
end

function tests.render_that_never_stops_asking_ends_with_an_error()
    local count = 0
    local err = failure(render,
        "{{ range $i := until (int (lookup \"v1\" \"Secret\" \"ns\" \"n\").count) }}{{ end }}" ..
        "{{ lookup \"v1\" \"Secret\" \"ns\" (uuidv4) | len }}", { lookup = function()
        count = count + 1
        return { count = 1 }
    end })
    lu.assertEquals(err.kind, "limit")
    lu.assertTrue(count < 100)
end

function tests.cancelled_render_ends_at_once()
    local started = task.now()
    local waiting = task.spawn(function()
        render(asking, { lookup = function() task.sleep(60) end })
    end)
    task.sleep(0.01)
    waiting:cancel()
    lu.assertTrue(task.now() - started < 10)
end

function tests.decode_release_of_something_else_is_refused()
    lu.assertFalse((pcall(chart.decode_release, "not base64 !")))
    lu.assertEquals(failure(chart.decode_release, "H4sIAAAA").kind, "parse")
    lu.assertEquals(chart.decode_release("eyJuYW1lIjoieCJ9"), { name = "x" })
end

-- helm reads values into interface{}, where every number is a float64; struct fields keep their integers. A number of more
-- digits than a float64 has must not become another integer when the record is written again.
function tests.decode_release_reads_numbers_of_values_as_float64()
    local record = chart.decode_release(secret.base64([[{"version":3,"chart":{"values":{"port":80}},
        "config":{"long":155555555555555555.5555,"list":[9007199254740993,1],"one":1.0}}]]))
    lu.assertEquals(math.type(record.version), "integer")
    lu.assertEquals(math.type(record.chart.values.port), "float")
    lu.assertEquals(math.type(record.config.list[2]), "float")
    local again = chart.decode_release(chart.encode_release(record))
    for _, config in ipairs { record.config, again.config } do
        lu.assertIs(config.long, 155555555555555552.0)
        lu.assertIs(config.list[1], 9007199254740992.0)
        lu.assertIs(config.one, 1.0)
    end
    lu.assertEquals(json.encode(again.config, { sort = true }),
        '{"list":[9007199254740992,1],"long":155555555555555550,"one":1}')
end

function tests.release_takes_the_manifest_that_a_script_changed()
    local c = chart.load(files { ["templates/t.yaml"] = "a: 1" })
    local rendered = c:render { set = { "a=2" } }
    rendered.manifest = "changed"
    local record = chart.release(c, rendered, { name = "r", namespace = "n", revision = 2, status = "deployed",
        description = "d" })
    lu.assertEquals(record.manifest, "changed")
    lu.assertEquals(record.info, { first_deployed = "", last_deployed = "", deleted = "", description = "d",
        status = "deployed" })
    lu.assertEquals(record.config, { a = 2 })
    lu.assertEquals(record.chart.values, { a = 1.0, map = { x = 1.0, q = "two" } })
    lu.assertFalse((pcall(chart.release, c, {}, {})))
end

function tests.patch_of_equal_objects_is_nil()
    local object = { apiVersion = "v1", kind = "ConfigMap", data = { a = "1" } }
    local patch, content_type = chart.patch(object, object, object)
    lu.assertNil(patch)
    lu.assertEquals(content_type, "application/strategic-merge-patch+json")
    patch, content_type = chart.patch(nil, { apiVersion = "x/v1", kind = "Y", a = 1 }, { apiVersion = "x/v1",
        kind = "Y" })
    lu.assertEquals(patch.a, 1)
    lu.assertEquals(content_type, "application/merge-patch+json")
end

-- The two directions of strategic merge patches: what a patch between two objects says, applied to the one, is the other.
function tests.patched_is_what_the_patch_was_made_for()
    math.randomseed(4711)
    local function some(count, make)
        local list = json.list {}
        for i = 1, count do
            if math.random(3) > 1 then table.insert(list, math.random(#list + 1), make(i)) end
        end
        return #list > 0 and list or nil
    end
    local function text(n) return math.random(3) > 1 and tostring(math.random(n)) or nil end
    local function deployment()
        local containers = some(4, function(i)
            return { name = "c" .. i, image = text(3), args = some(3, tostring),
                env = some(5, function(k) return { name = "E" .. k, value = text(2) } end),
                ports = some(3, function(k) return { containerPort = k, name = text(2) } end),
                resources = { limits = { cpu = text(2), memory = text(2) } } }
        end)
        return { apiVersion = "apps/v1", kind = "Deployment", metadata = { name = "d", labels = { a = text(2), b = text(2) },
            finalizers = some(3, function(i) return "x/f" .. i end) },
            spec = { replicas = math.random(3), strategy = { type = text(2) },
                template = { spec = { containers = containers or json.list { { name = "only" } },
                    volumes = some(3, function(i) return { name = "v" .. i, emptyDir = { medium = text(2) } } end),
                    tolerations = some(2, function(i) return { key = "t" .. i } end), nodeSelector = { z = text(2) } } } } }
    end
    for _ = 1, 2000 do
        local before, after = deployment(), deployment()
        local patch = chart.patch(before, after, before)
        local made = patch and chart.patched(before, patch) or before
        lu.assertTrue(tables.equal(made, after), json.encode { before = before, after = after, patch = patch, made = made })
    end
    lu.assertErrorMsgContains("try --type merge", chart.patched, { apiVersion = "x/v1", kind = "Y" }, { a = 1 })
    local ok, problem = pcall(chart.patched, deployment(), { spec = { template = { spec = { containers = { { image = "x" } } } } } })
    lu.assertEquals({ ok, problem.kind }, { false, "usage" })
end

function tests.lint_lists_findings_with_severity_and_path()
    local dir <close> = fs.tempdir()
    for name, text in pairs(files { ["templates/a.yaml"] = " a: 1\n" }.files) do write(dir.path .. "/" .. name,
        text) end
    local seen = {}
    for _, finding in ipairs(chart.lint(dir.path)) do seen[#seen + 1] = finding.severity .. " " .. finding.path end
    lu.assertItemsEquals(seen, { "info Chart.yaml", "warning templates/a.yaml", "warning templates/a.yaml" })
    lu.assertStrContains(failure(chart.lint, dir.path .. "/none").message, "unable to check Chart.yaml file in chart")
end

-- The values lay in memory that went with the render's own bookkeeping.
function tests.release_after_a_collection_still_has_the_users_values()
    local c = chart.load { files = {
        ["Chart.yaml"] = "apiVersion: v2\nname: held\nversion: 1.0.0\n",
        ["templates/a.yaml"] = "kind: ConfigMap\nmetadata: {name: {{ .Values.name }}}\n",
    } }
    local rendered = c:render { values = { name = "kept", list = { 1, 2 } } }
    collectgarbage()
    collectgarbage()
    local record = chart.release(c, rendered, { name = "r", namespace = "n", revision = 1, status = "deployed" })
    lu.assertEquals(record.config.name, "kept")
    lu.assertEquals(#record.config.list, 2)
end

return tests
