-- helm and todo-lua take turns on one release: after each operation, output, objects and records are those that helm
-- alone leaves.
local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local world = require "tests.release.world"
local yaml = require "yaml"

local tests = {}
local server, home, w
local chart = world.charts .. "/turns"

function tests.setup_all()
    server = apiserver.start()
    home = fs.tempdir()
    w = world.new(server.kubeconfig, home.path)
end

function tests.teardown_all()
    if server then server:stop() end
    if home then home:close() end
end

local function looks()
    for _, arguments in ipairs {
        { "history", "r" }, { "status", "r", "--show-desc" }, { "get", "all", "r" }, { "list", "-a", "-o", "json" },
    } do
        w:look(arguments)
    end
end

local function looks_in_every_form()
    looks()
    for _, arguments in ipairs {
        { "history", "r", "-o", "json" }, { "history", "r", "-o", "yaml", "--max", "2" },
        { "status", "r" }, { "status", "r", "-o", "json" }, { "status", "r", "-o", "yaml", "--show-desc" },
        { "get", "all", "r", "--template", "{{.Release.Name}} {{.Release.Version}} {{.Release.Info.Status}} "
            .. "{{.Release.Chart.Metadata.AppVersion}} {{range .Release.Hooks}}{{.Path}} {{end}}{{$.Release.Manifest}}" },
        { "get", "values", "r" },
        { "get", "values", "r", "-a", "-o", "json" }, { "get", "values", "r", "-o", "yaml" },
        { "get", "manifest", "r" }, { "get", "hooks", "r" }, { "get", "notes", "r" }, { "get", "metadata", "r" },
        { "get", "metadata", "r", "-o", "json" }, { "get", "metadata", "r", "-o", "yaml" },
        { "list" }, { "list", "-o", "yaml" }, { "list", "-q" },
    } do
        w:look(arguments)
    end
end

function tests.t01_install_upgrade_rollback_by_turns()
    w:step({ "install", "r", chart, "--create-namespace", "--set", "env.ONE=first,password=not-shown" },
        { in_order = true })
    looks_in_every_form()
    w:step { "upgrade", "r", chart, "--set", "extra=yes,replicas=3,env.THREE=3,tag=2", "--set-json", "ports=[81,443]" }
    w:step { "upgrade", "r", chart, "--reuse-values", "--set", "sidecar=true,big=77", "--description", "with a sidecar" }
    w:step { "upgrade", "r", chart, "--reset-then-reuse-values", "--set", "env.TWO=over" }
    looks()
    w:step { "upgrade", "r", chart, "--reset-values", "--set", "hooks=false,sub.enabled=false,env.ONE=null" }
    w:step { "rollback", "r", "2" }
    w:step { "rollback", "r" }
    looks_in_every_form()
    w:step { "upgrade", "r", chart }
    w:step({ "upgrade", "r", chart, "-f", "-" }, { stdin = "{sub: {note: read}}" })
end

function tests.t02_failed_upgrades_by_turns()
    w:step({ "upgrade", "r", chart, "--set", "broken=true,extra=made" }, { status = 1 })
    w:look { "history", "r" }
    w:step({ "upgrade", "r", chart, "--set", "broken=true,tag=7" }, { status = 1 })
    w:step { "upgrade", "r", chart, "--set", "tag=8" }
    w:step({ "upgrade", "r", chart, "--set", "broken=true,extra=made", "--cleanup-on-fail" }, { status = 1 })
    w:step({ "rollback", "r", "99" }, { status = 1 })
    w:step({ "rollback", "r", "11" }, { status = 1 })
    w:step { "rollback", "r", "9" }
    looks()
end

function tests.t03_live_changes_by_turns()
    local function disturb(namespace)
        w.client:patch("deployments.apps", "r-web", { spec = { replicas = 7, template = { spec = { containers = {
            { name = "main", env = { { name = "FOREIGN", value = "stays" } } } } } } } },
            { namespace = namespace, type = "strategic" })
        w.client:patch("shoes.turns.example.com", "r-shoe", { spec = { size = 99, mine = "stays" } },
            { namespace = namespace })
        w.client:delete("configmaps", "r-sub", { namespace = namespace })
    end
    w:step({ "upgrade", "r", chart, "--set", "replicas=4" }, { before = disturb })
    w:step({ "upgrade", "r", chart, "--force" }, { before = disturb })
    w:step({ "rollback", "r", "12" }, { before = disturb })
end

function tests.t04_ownership_by_turns()
    local function foreign(namespace)
        w.client:delete("configmaps", "r-extra", { namespace = namespace })
        w.client:create({ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "r-extra",
            namespace = namespace, annotations = { ["meta.helm.sh/release-name"] = "another" } }, data = { a = "b" } })
    end
    w:step({ "upgrade", "r", chart, "--set", "extra=taken" }, { before = foreign, status = 1 })
    w:step({ "upgrade", "r", chart, "--set", "extra=taken", "--take-ownership" }, { before = foreign })
    w:step { "upgrade", "r", chart }
    w:step({ "install", "r", chart }, { status = 1 })
    w:step { "install", "other", chart, "--no-hooks" }
    w:step({ "upgrade", "other", chart, "--set", "hooks=false" })
    w:step { "uninstall", "other" }
end

function tests.t05_labels_history_and_dry_runs_by_turns()
    w:step { "upgrade", "r", chart, "--labels", "team=a,tier=web", "--history-max", "4" }
    w:step { "upgrade", "--install", "r", chart, "--labels", "team=null,tier=db", "--history-max", "3" }
    w:look { "list", "-l", "tier=db" }
    w:look { "list", "-l", "tier!=db", "-o", "json" }
    w:look { "template", "r", chart, "--validate" }
    w:look { "template", "r", chart, "--dry-run=server" }
    w:look({ "template", "unknown", chart, "--validate", "--set", "broken=true" })
    w:step { "upgrade", "r", chart, "--dry-run", "--set", "extra=dry" }
    w:step { "upgrade", "r", chart, "--dry-run=server", "--hide-secret" }
    w:step { "install", "dry", chart, "--dry-run=client", "--no-hooks", "-o", "json", "--set", "sub.enabled=false" }
    w:step({ "upgrade", "r", chart, "--hide-secret" }, { status = 1 })
    w:step({ "upgrade", "r", chart, "--dry-run=maybe" }, { status = 1 })
    w:step({ "upgrade", "r", chart, "--labels", "owner=me" }, { status = 1 })
    w:step({ "upgrade", "unknown", chart }, { status = 1 })
    w:step({ "install", "Wrong_Name", chart }, { status = 1 })
    w:step({ "install", chart }, { status = 1 })
end

function tests.t06_uninstall_by_turns()
    w:step { "uninstall", "r", "--dry-run" }
    w:step { "uninstall", "r", "--keep-history", "--description", "for now" }
    w:look { "list", "--uninstalled" }
    w:look { "list", "-a" }
    w:look { "status", "r" }
    w:step({ "uninstall", "r", "--keep-history" }, { status = 1 })
    w:step { "upgrade", "--install", "r", chart, "--set", "tag=again" }
    looks()
    w:step { "uninstall", "r", "--no-hooks", "--cascade", "foreground" }
    w:step({ "uninstall", "r" }, { status = 1 })
    w:step { "uninstall", "r", "--ignore-not-found" }
    w:step({ "uninstall", "r", "--cascade", "sideways" }, { status = 1 })
    w:look({ "status", "r" }, 1)
    w:look({ "history", "r" }, 1)
    w:look({ "get", "values", "r" }, 1)
    w:step({ "rollback", "r", "1" }, { status = 1 })
    w:step { "install", "r", chart, "--skip-crds", "--no-hooks" }
    w:step { "uninstall", "r" }
end

function tests.t07_lists_of_many()
    for index, name in ipairs { "delta", "alpha", "charlie", "bravo" } do
        w:step { "install", name, chart, "--no-hooks", "--set", "hooks=false,sub.enabled=false,tag=" .. index }
    end
    for _, arguments in ipairs {
        { "list" }, { "list", "-r" }, { "list", "-m", "2" }, { "list", "-m", "2", "--offset", "1" },
        { "list", "--offset", "9" }, { "list", "--filter", "^[ab]" }, { "list", "-f", "l(ph|t)a", "-q" },
        { "list", "-q", "-o", "json" }, { "list", "--no-headers" }, { "list", "--failed" }, { "list", "--pending" },
        { "list", "--superseded", "-o", "json" }, { "list", "-A", "-q" },
        { "list", "--time-format", "2006-01-02" }, { "ls", "-m", "0" },
    } do
        w:look(arguments)
    end
    w:look({ "list", "-f", "(" }, 1)
    w:look({ "list", "-l", "!!" }, 1)
    w:look({ "list", "-o", "wide" }, 1)
    -- helm shows releases of one second in any order.
    local function by_date(who)
        local list = json.decode(w:run(who, "release-a", { "ls", "-d", "-o", "json" }).stdout)
        local seconds, names = {}, {}
        for i, item in ipairs(list) do seconds[i], names[i] = item.updated:sub(1, 19), item.name end
        table.sort(names)
        return { seconds, names }
    end
    lu.assertEquals(by_date "todo", by_date "helm")
end

-- With --reuse-values a null gets into the record of the revision before, too: helm changes the values that it merges
-- from.
function tests.t08_nulls_are_reused_by_turns()
    local reuse = world.charts .. "/reuse"
    local function upgrade(...) w:step { "upgrade", "nulls", reuse, ... } end
    w:step { "install", "nulls", reuse, "--create-namespace", "--set", "plain=null,table.gone=null,own=null,list=null",
        "--set-json", 'more={"a":null,"b":{"c":null,"d":3}}' }
    upgrade "--reuse-values"
    upgrade("--reuse-values", "--set", "table.deep.a=5,more.b.e=null")
    upgrade("--reuse-values", "--set", "table=null,plain=7")
    upgrade "--reset-then-reuse-values"
    upgrade("--reset-then-reuse-values", "--set", "more.b=null,own=1,table.gone=3")
    upgrade("--reuse-values", "--set", "more.b=null,own.x=null,big=null")
    upgrade "--reuse-values"
    upgrade()
    w:look { "get", "values", "nulls", "-a", "-o", "json" }
    for revision = 1, 9 do
        w:look { "get", "all", "nulls", "--revision", tostring(revision) }
    end
    w:step { "rollback", "nulls", "3" }
    upgrade("--reuse-values", "--set", "own=2")
    w:look { "test", "nulls", "--logs" }
end

-- helm leaves the new revision pending.
function tests.t09_hooks_of_rollbacks_that_fail_by_turns()
    local reuse = world.charts .. "/reuse"
    for _, hook in ipairs { "pre-rollback", "post-rollback" } do
        for _, kind in ipairs { "Service", "Pod", "Absent" } do
            local name = (hook .. "-" .. kind):lower()
            w:step { "install", name, reuse, "--create-namespace", "--set", ("hook=%s,hookKind=%s"):format(hook, kind) }
            w:step { "upgrade", name, reuse, "--reset-values" }
            w:step({ "rollback", name, "--timeout", "2s" }, { status = 1 })
            w:look { "history", name }
            w:look { "get", "all", name }
            w:step({ "upgrade", name, reuse }, { status = 1 })
            w:step { "rollback", name, "2" }
            w:step { "uninstall", name }
        end
    end
end

function tests.t10_records_in_config_maps_by_turns()
    local reuse, here = world.charts .. "/reuse", { driver = "configmap" }
    w:step({ "install", "map", reuse, "--create-namespace", "--labels", "a=b" }, here)
    w:step({ "upgrade", "map", reuse, "--set", "own=1" }, here)
    w:step({ "rollback", "map", "1" }, here)
    for _, arguments in ipairs { { "history", "map" }, { "get", "all", "map" }, { "list", "-l", "a=b", "-q" },
        { "status", "map" } } do
        w:look(arguments, 0, "configmaps")
    end
    w:look({ "status", "map" }, 1)
    w:step({ "upgrade", "map", reuse, "--history-max", "1" }, here)
    w:step({ "uninstall", "map" }, here)
end

-- Nothing is made of objects that helm cannot decode.
function tests.t13_heads_of_objects_are_checked_as_by_helm()
    local given = world.charts .. "/given"
    w:step { "install", "first", given, "--create-namespace" }
    for _, metadata in ipairs { "{name: x, labels: {a: 1}}", "{name: x, labels: {a: b, c: true}}", "{name: yes}",
        "{name: x, annotations: {z: [1], b: {c: d}}}", "{name: x, labels: [a]}", "{name: x, annotations: text}",
        "{name: x, finalizers: [1]}", "{name: x, finalizers: a}", "{name: x, labels: {a: 1}, annotations: {a: 1.5}}",
        "{name: x, namespace: 7}" } do
        w:step({ "install", "given", given, "--set-json", 'objects=['
            .. json.encode(yaml.decode("{kind: ConfigMap, apiVersion: v1, metadata: " .. metadata .. "}")) .. "]" },
            { status = 1 })
    end
    w:step { "install", "given", given, "--set-json",
        'objects=[{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","labels":null,"annotations":{"a":null}}}]' }
    w:step { "uninstall", "given" }
    for _, object in ipairs { "{kind: X}", "{apiVersion: v1}", "{a: b}", "{kind: X, apiVersion: v1, metadata: {name: x}}" } do
        w:step({ "install", "given", given, "--set-json", 'objects=[' .. json.encode(yaml.decode(object)) .. "]" },
            { status = 1 })
        w:step({ "install", "given", given, "--set-json", 'objects=[' .. json.encode(yaml.decode(object)) .. "]",
            "--disable-openapi-validation" }, { status = 1 })
    end
end

function tests.t14_addresses_of_hosts_are_asked_for_as_by_helm()
    local given = world.charts .. "/given"
    w:step { "install", "host", given, "--create-namespace", "--set", "host=localhost" }
    w:step { "upgrade", "host", given, "--set", "host=localhost", "--enable-dns" }
    w:step({ "upgrade", "host", given, "--set", "host=does-not-exist.invalid", "--enable-dns" }, { status = 1 })
    w:step { "upgrade", "-i", "more", given, "--set", "host=localhost", "--enable-dns", "--dry-run" }
    w:step { "uninstall", "host" }
end

function tests.t15_waits_that_take_too_long_are_told_and_recorded_as_by_helm()
    w:step({ "install", "late", chart, "--wait", "--timeout", "1s", "--no-hooks", "--create-namespace" }, { status = 1,
        in_order = true })
    w:step({ "upgrade", "late", chart, "--wait", "--timeout", "1s", "--no-hooks" }, { status = 1 })
    w:step({ "upgrade", "late", chart, "--atomic", "--timeout", "1s", "--no-hooks" }, { status = 1,
        loose_errors = true }) -- which tell of the bundle that was saved
    w:look { "history", "late" }
    w:look { "status", "late" }
    w:step { "uninstall", "late", "--no-hooks" }
end

function tests.t16_charts_of_upgrades_are_checked_as_by_helm()
    local given = world.charts .. "/given"
    local library, lacking = home.path .. "/library", home.path .. "/lacking"
    for path, more in pairs { [library] = "type: library\n", [lacking] =
        "dependencies: [{name: x, version: 1.0.0, repository: 'https://example.com'}]\n" } do
        fs.mkdir(path)
        fs.write(path .. "/Chart.yaml", ("apiVersion: v2\nname: %s\nversion: 0.1.0\n"):format(fs.basename(path)) .. more)
    end
    w:step { "install", "checked", given, "--create-namespace" }
    w:step { "upgrade", "checked", library }
    w:step({ "upgrade", "checked", lacking }, { status = 1 })
    w:step({ "upgrade", "Wrong_Name", given }, { status = 1 })
    w:step({ "upgrade", "-i", "Wrong_Name", given }, { status = 1 })
    for _, words in ipairs { { "install", "r", library }, { "install", "r", lacking }, { "upgrade", "r", lacking },
        { "upgrade", "-i", "r", library }, { "upgrade", "r", given } } do
        w:look({ table.unpack(table.move({ "--kube-apiserver", "http://127.0.0.1:1" }, 1, 2, #words + 1, words)) }, 1)
    end
    w:step { "uninstall", "checked" }
end

function tests.t17_templates_of_records_print_as_helms()
    local reuse = world.charts .. "/reuse"
    w:step { "install", "printed", reuse, "--create-namespace", "--labels", "a=b", "--set-json", 'more={"a":null}' }
    for template, status in pairs {
        ["{{.Bad}}"] = 0, ["{{.Release.Bad}}"] = 1, ["{{.Release.Info.Bad}}"] = 1, ["{{.Release.Config.x.y}}"] = 0,
        ["{{.Release.Config}}"] = 0, ['{{index .Release.Config "x" "y"}}'] = 1, ["{{.Release.Labels.a}}{{.Release.Labels.x}}"] = 0,
        ["{{.Release.Version.x}} after"] = 1, ["before {{.Release.Name.x}}"] = 1, ["{{"] = 1, ["{{nope}}"] = 1, ["{{nil}}"] = 1,
        ["{{upper .Release.Name}}"] = 1, ['{{template "x"}}'] = 1, ["{{.Release.Info.Deleted}} {{.Release.Info.Status}}"] = 0,
        ['{{slice .Release.Name 1 3}}{{slice "abc" 2}}'] = 0, ['{{slice "abc" 9}}'] = 1, ['{{slice "abc" 2 1}}'] = 1,
        ["{{range .Release.Chart.Templates}}{{.Name}} {{len .Data}} {{printf \"%s\" .Data}}{{end}}"] = 0,
        ["{{.Release.Chart.Name}} {{.Release.Chart.AppVersion}} {{.Release.Chart.Metadata.Keywords}}"] = 0,
        ['{{printf "%T %T" .Release .Release.Info}} {{eq .Release.Info.Status "deployed"}} {{len .Release.Hooks}}'] = 0,
    } do
        w:look({ "get", "all", "printed", "--template", template }, status)
    end
    w:step { "uninstall", "printed" }
end

function tests.t18_connections_and_selectors_that_are_none_are_told_as_by_helm()
    w:look { "list", "-l", "=b", "-f", "^none$" }
    w:step { "install", "listed", world.charts .. "/given", "--create-namespace" }
    for _, words in ipairs { { "--kube-context", "nope" }, { "--kube-as-group", "g" }, { "--qps", "x" }, { "-l", "=b" },
        { "-l", "==b" }, { "-l", "!=b" }, { "-l", ",a" }, { "-l", "(a)" } } do
        w:look({ "list", table.unpack(words) }, 1)
    end
    w:step { "uninstall", "listed" }
end

-- What the server warns of, without the marks of its header.
function tests.t12_warnings_of_the_server_are_shown()
    local result = w:run("todo", "release-t", { "install", "warned", world.charts .. "/given", "--create-namespace",
        "--set-json", 'objects=[{"apiVersion":"v1","kind":"Service","metadata":{"name":"warned"},"spec":{"foo":1,'
            .. '"ports":[{"port":1}]}}]' })
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertStrContains(result.stderr, 'warning of the server: unknown field "spec.foo"\n')
    lu.assertEquals(w:run("todo", "release-t", { "uninstall", "warned" }).status, 0)
end

-- Nothing is asked of a server that does not answer.
function tests.t11_servers_that_do_not_answer_are_told_as_by_helm()
    for _, words in ipairs { { "list" }, { "status", "r" }, { "install", "r", chart }, { "upgrade", "-i", "r", chart },
        { "upgrade", "r", chart }, { "rollback", "r" }, { "uninstall", "r" }, { "history", "r" }, { "get", "all", "r" },
        { "test", "r" }, { "template", "r", chart, "--validate" } } do
        w:look({ table.unpack(table.move({ "--kube-apiserver", "http://127.0.0.1:1" }, 1, 2, #words + 1, words)) }, 1)
    end
end

return tests
