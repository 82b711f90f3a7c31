-- Commands of helm that need neither a cluster nor a repository: todo-lua beside helm.
local fs = require "fs"
local lu = require "luaunit"
local repo_world = require "tests.golden.repo_world"

local tests = {}
local w

function tests.setup()
    w = repo_world.new()
    w:write("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\n")
    w:write("app/crds/one.yaml", "kind: CustomResourceDefinition\napiVersion: x/v1\nmetadata: {name: one}\n")
    w:write("app/templates/two.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n---\n"
        .. "kind: Secret\napiVersion: v1\nmetadata: {name: b}\n")
    w:write("app/templates/test.yaml", "kind: Pod\napiVersion: v1\nmetadata:\n  name: c\n"
        .. "  annotations: {helm.sh/hook: test}\n")
    w:write("app/templates/hook.yaml", "kind: Pod\napiVersion: v1\nmetadata:\n  name: d\n"
        .. "  annotations: {helm.sh/hook: pre-install}\n")
end

function tests.teardown() w:close() end

function tests.templates_are_written_to_files_as_by_helm()
    for place, flags in ipairs { {}, { "--include-crds", "--skip-tests" }, { "--no-hooks", "--release-name" } } do
        w:both { "template", "r", "app", "--output-dir", "out" .. place, table.unpack(flags) }
    end
    w:same_files()
end

function tests.templates_are_named_and_changed_as_by_helm()
    for _, words in ipairs {
        { "app", "--generate-name" }, { "app", "--name-template", "{{ print 1 }}-x" },
        { "r", "app", "--post-renderer", "cat" }, { "r", "app", "--post-renderer", "tac", "--no-hooks" },
        { "r", "app", "--post-renderer", "sed", "--post-renderer-args", "s/ConfigMap/Other/", "--include-crds" },
        { "r", "app", "--atomic", "--wait", "--timeout", "1m", "--labels", "a=b", "--force", "--replace",
            "--take-ownership", "--hide-notes", "--description", "x", "--disable-openapi-validation",
            "--wait-for-jobs", "--create-namespace", "--dry-run" },
    } do
        w:both { "template", table.unpack(words) }
    end
    w:write("app/templates/strange.yaml", "kind: Pod\napiVersion: v1\nmetadata:\n  name: e\n"
        .. "  annotations: {helm.sh/hook: \"post-install,strange\"}\n")
    w:both { "template", "r", "app" }
    w:both({ "template", "r", "app", "-g" }, { status = 1 })
    w:both({ "template", "r", "app", "more" }, { status = 1 })
    for _, name in ipairs { "templates/two.yaml", "templates/t*.yaml", "templates/[a-h]ook.yaml", "templates/[^a-h]*.yaml",
        "templates/t?o.yaml" } do
        w:both { "template", "r", "app", "--post-renderer", "cat", "-s", name, "-s", "templates/test.yaml" }
    end
    w:both({ "template", "r", "app", "--post-renderer", "cat", "-s", "templates/*.yml" }, { status = 1 })
    w:write("plain", "")
    for _, name in ipairs { "false", "absent", "./absent", "./app", "./plain" } do
        w:both({ "template", "r", "app", "--post-renderer", name }, { status = 1 })
    end
    w:both({ "template", "r", "app", "--post-renderer", "sh", "--post-renderer-args", "-c", "--post-renderer-args",
        "echo no >&2; exit 3" }, { status = 1 })
    w:both({ "template", "r", "app", "--dry-run=maybe" }, { status = 1 })
    w:both { "template", "r", "app", "--dry-run=server" }
    w:both { "template", "r", "app", "--repo", "http://127.0.0.1:1" }
end

function tests.files_of_templates_and_their_faults_are_helms()
    local post = { "--post-renderer", "echo", "--post-renderer-args", "hi" }
    for flags, status in pairs { [{ "-s", "templates/two.yaml" }] = 1, [{ "-s", "none", "--include-crds" }] = 1, [post] = 0,
        [{ "--post-renderer", "false" }] = 1, [{ "--no-hooks" }] = 0 } do
        w:both({ "template", "r", "app", "--output-dir", "out", table.unpack(flags) }, { status = status })
    end
    w:both({ "template", "r", "app", "--output-dir", "app/Chart.yaml" }, { status = 1 })
    w:both { "template", "r", "app", "--output-dir", "" }
    w:both { "template", "r", "app", "--kube-version", "" }
    w:same_files()
end

function tests.names_are_made_from_templates_as_by_helm()
    for template, status in pairs { [""] = 0, ["x-{{ 3 | toString }}"] = 0, ['{{ upper "a" | lower }}-{{ env "TZ" | lower }}'] = 0,
        ["{{ nope }}"] = 1, ["{{"] = 1, ["{{ .x }}"] = 1, ['{{ fail "x" }}'] = 1, ['{{ include "x" . }}'] = 1, ["{{ toYaml 1 }}"] = 1,
        ["X"] = 1, ["{{ index nil 1 }}"] = 1 } do
        w:both({ "template", "app", "--name-template", template }, { status = status })
    end
    w:both { "version", "--template", "{{ .Version }}" }
    for _, template in ipairs { "{{", "{{ nope }}", "{{ toYaml .Version }}" } do
        w:both({ "version", "--template", template }, { status = 1 })
    end
end

function tests.addresses_of_hosts_are_asked_for_as_by_helm()
    w:write("dns/Chart.yaml", "apiVersion: v2\nname: dns\nversion: 0.1.0\n")
    w:write("dns/templates/a.yaml", "a: {{ getHostByName .Values.host | quote }}\nb: {{ getHostByName .Values.host }}\n")
    for _, host in ipairs { "localhost", "192.0.2.7", "2001:DB8::1", "fe80::1%eth0" } do
        w:both { "template", "dns", "--enable-dns", "--set", "host=" .. host }
        w:both { "template", "dns", "--set", "host=" .. host }
    end
    for _, host in ipairs { "", "does-not-exist.invalid", "127.1", "a b" } do
        w:both({ "template", "dns", "--enable-dns", "--set-string", "host=" .. host }, { status = 1 })
        w:both { "template", "dns", "--set-string", "host=" .. host }
        w:both { "lint", "dns", "--set-string", "host=" .. host }
    end
end

function tests.files_that_are_no_archives_are_told_as_by_helm()
    for name, text in pairs { ["a.tgz"] = "a short text\n", ["b.tgz"] = ("a long text\n"):rep(50), ["c.tgz"] = "",
        ["d.tgz"] = "PK\3\4rest", ["e.zip"] = "\0\2", ["f.html"] = "\n <HTML>" .. ("page "):rep(100), ["g.yml"] = "a: 1\n",
        ["h.pdf"] = "%PDF-1.7\n" } do
        w:write(name, text)
        w:both({ "template", name }, { status = 1 })
        w:both({ "show", "chart", "./app/../" .. name }, { status = 1 })
        w:both({ "lint", name }, { status = 1 })
    end
end

function tests.charts_are_linted_with_their_subcharts_as_by_helm()
    for _, name in ipairs { "charts/one", "charts/one/charts/two", "charts/one/charts/two/more/three" } do
        w:write("app/" .. name .. "/Chart.yaml", "apiVersion: v2\nname: " .. name:match("[^/]*$") .. "\nversion: 1.0.0\n")
    end
    w:write("app/charts/four.tar.gz", "")
    w:write("bare/values.yaml", "a: 1\n")
    w:write("over.yaml", "a: 2\n")
    for _, words in ipairs { {}, { "--strict" }, { "--quiet" } } do
        w:both({ "lint", "app", "--with-subcharts", table.unpack(words) }, { status = 1 })
    end
    w:both({ "lint", "./bare" }, { status = 1 })
    w:both({ "lint", "app", "-f", "absent.yaml" }, { status = 1 })
    w:both({ "lint", "app", "--kube-version", "x" }, { status = 1 })
    w:both({ "lint", "app", "app", "-f", "-", "-f", "over.yaml", "--set", "b=c" }, { stdin = "c: {d: 1}\n", status = 1 })
end

function tests.heads_of_objects_are_decoded_as_by_helm()
    for _, metadata in ipairs { "{name: x, annotations: {a: {b: c}}}", "{name: x, annotations: [a]}", "{name: [a]}", "[a]",
        "text", "{annotations: 1}" } do
        w:write("app/templates/head.yaml", "kind: X\napiVersion: v1\nmetadata: " .. metadata .. "\n")
        w:both({ "template", "r", "app" }, { status = 1 })
    end
    for _, metadata in ipairs { "{name: 1, annotations: {a: 1, b: true, c: null}}", "null", "{}" } do
        w:write("app/templates/head.yaml", "kind: X\napiVersion: v1\nmetadata: " .. metadata .. "\n")
        w:both { "template", "r", "app" }
    end
end

function tests.links_inside_a_chart_are_told_as_by_helm()
    for _, who in ipairs { "helm", "todo" } do
        fs.symlink("two.yaml", w:folder(who) .. "/app/templates/linked.yaml")
        fs.symlink("templates", w:folder(who) .. "/app/more")
    end
    w:both { "template", "r", "app" }
    w:both { "show", "chart", "app" }
end

-- libyaml takes more than go-yaml does.
function tests.values_are_read_as_strictly_as_by_helm()
    for _, text in ipairs {
        'a: "\\/"\n', 'b: 1\na: ["\u{e9}", "\\\\/", "\u{1F600}\n  \\/"]\n', '\u{feff}a: "\\/"\n', "%YAML 1.2\n---\na: 1\n",
        "\n%YAML 1.0\n---\na: 1\n", 'a: {"b\\/": 1}\n',
    } do
        w:write("values.yaml", text)
        w:both({ "template", "r", "app", "-f", "values.yaml" }, { status = 1 })
    end
    for _, words in ipairs { { "-f", "app" }, { "--set-file", "a=app" }, { "-f", "app/Chart.yaml/x" } } do
        w:both({ "template", "r", "app", table.unpack(words) }, { status = 1 })
    end
    w:write("app/templates/values.yaml", "values: {{ toJson .Values | quote }}\n")
    for _, text in ipairs { '%YAML 1.1\n---\na: "\u{e9}\\\\/"\n', "a: '\\/'\nb: \\/\nc: |\n  \\/\n" } do
        w:write("values.yaml", text)
        w:both { "template", "r", "app", "-f", "values.yaml" }
    end
end

-- Variables that only helm has a use for, and the program's name, are its own.
function tests.variables_are_told_as_by_helm()
    local function lines(who, flags)
        local text = w:run(who, { "env", table.unpack(flags or {}) }).stdout:gsub((w:home(who):gsub("%p", "%%%0")), "HOME")
        local kept = {}
        for line in text:gmatch("[^\n]+") do
            if not line:find("^HELM_BIN") and not line:find("^HELM_BURST") and not line:find("^HELM_PLUGINS")
                and not line:find("^HELM_QPS") then
                kept[#kept + 1] = line
            end
        end
        return kept
    end
    lu.assertEquals(lines "todo", lines "helm")
    local flags = { "-n", "there", "--kube-as-user", "me", "--kube-context", "c", "--kubeconfig", "x",
        "--repository-config", "y", "--debug", "--kube-insecure-skip-tls-verify" }
    lu.assertEquals(lines("todo", flags), lines("helm", flags))
    lu.assertEquals(w:run("todo", { "env", "HELM_REPOSITORY_CACHE" }).stdout,
        w:home "todo" .. "/.cache/helm/repository\n")
    w:both { "env", "NONE" }
    local token = w:run("todo", { "env", "--kube-token", "token-canary-1234" }).stdout
    lu.assertNotStrContains(token, "token-canary-1234")
end

function tests.version_tells_whose_behaviour_it_is()
    lu.assertStrContains(w:run("todo", { "version" }).stdout, "as helm v3.22.0")
    lu.assertEquals(w:run("todo", { "version", "--short" }).stdout, w:run("helm", { "version", "--short" }).stdout)
    w:both { "version", "--template", "{{.Version}}\n" }
    w:both { "version", "-c", "--short" }
end

return tests
