-- What charts depend on, and how charts are packed and made: todo-lua beside helm.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local repo_world = require "tests.golden.repo_world"

local tests = {}
local served, server, w, url

function tests.setup_all()
    served = fs.tempdir()
    for _, version in ipairs { "1.2.0", "1.10.0", "2.0.0" } do repo_world.pack(served.path, "web", version) end
    repo_world.pack(served.path, "db", "3.0.0+build.1")
    proc.run { "helm", "repo", "index", served.path }
    server = repo_world.serve(served.path)
    url = "http://127.0.0.1:" .. server.port
end

function tests.teardown_all()
    if server then server:close() end
    if served then served:close() end
end

function tests.setup() w = repo_world.new() end

function tests.teardown() w:close() end

local function chart_of(folder, name, dependencies, api)
    w:write(folder .. "/Chart.yaml", ("apiVersion: %s\nname: %s\nversion: 0.1.0\n"):format(api or "v2", name)
        .. (dependencies and api ~= "v1" and "dependencies:\n" .. dependencies or ""))
    if api == "v1" then w:write(folder .. "/requirements.yaml", "dependencies:\n" .. dependencies) end
    w:write(folder .. "/templates/map.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n")
end

local function entry(name, version, repository, more)
    return ("- {name: %s, version: %q, repository: %q%s}\n"):format(name, version, repository, more or "")
end

function tests.dependencies_are_updated_built_and_listed_as_by_helm()
    chart_of("near", "near")
    chart_of("app", "app", entry("web", "^1.0.0", url, ", alias: front, condition: front.on, tags: [a, b]")
        .. entry("web", ">=2 <3", url, ", import-values: [{child: b, parent: a}, data]")
        .. entry("db", "3.x.x", url) .. entry("near", "*", "file://../near"))
    w:both { "dependency", "list", "app" }
    w:both({ "dependency", "update", "app" }, { any_order = true })
    w:same_files()
    w:both { "dep", "ls", "app/" }
    w:both { "dep", "up", "app", "--skip-refresh" }
    w:both({ "template", "app" }, { any_error = true }) -- warnings are worded otherwise
    -- What the lock names comes again; what is nobody's any more goes.
    w:write("app/charts/old-1.0.0.tgz", fs.read(served.path .. "/web-1.2.0.tgz"))
    w:both({ "dependency", "build", "app" }, { status = 1 })
    w:both({ "repo", "add", "one", url })
    w:both({ "dependency", "build", "app" }, { any_error = true })
    w:both { "dependency", "list", "app" }
    w:same_files()
    chart_of("app", "app", entry("web", "^2.0.0", url))
    w:both({ "dependency", "build", "app" }, { status = 1 })
end

function tests.dependencies_of_listed_repositories_are_those_of_helm()
    w:both({ "repo", "add", "one", url })
    chart_of("app", "app", entry("web", "~1.2", "@one") .. entry("db", "3.0.0+build.1", "alias:one"))
    w:both { "dependency", "update", "app" }
    w:both { "dependency", "build", "app", "--skip-refresh" }
    w:both { "dependency", "build", "app" }
    w:same_files()
    chart_of("old", "old", entry("web", "^1", url), "v1")
    w:both { "dependency", "update", "old" }
    w:both { "dependency", "build", "old" }
    w:same_files()
    chart_of("bare", "bare")
    w:both { "dependency", "update", "bare" }
    w:both { "dependency", "list", "bare" }
end

function tests.charts_that_lie_in_charts_are_kept()
    chart_of("app", "app", entry("inner", ">=0.1", ""))
    chart_of("app/charts/inner", "inner")
    chart_of("app/charts/stranger", "stranger")
    w:both { "dependency", "update", "app" }
    w:both { "dependency", "list", "app" }
    w:same_files()
    chart_of("app", "app", entry("inner", "^7", ""))
    w:both({ "dependency", "update", "app" }, { status = 1 })
    w:both { "dependency", "list", "app" }
end

function tests.dependencies_that_cannot_be_had_fail_as_with_helm()
    for place, dependencies in ipairs {
        entry("web", "^9", url), entry("absent", "1.0.0", url), entry("web", "1.0.0", "@unknown"),
        entry("web", "x y", url), entry("near", "1.0.0", "file://../nowhere"), entry("inner", "1.0.0", ""),
    } do
        chart_of("app" .. place, "app", dependencies)
        w:both({ "dependency", "update", "app" .. place }, { status = 1 })
    end
    w:both({ "dependency", "update", "absent" }, { status = 1 })
    w:both({ "dependency", "list", "absent" }, { status = 1, any_error = true })
    for who in pairs { helm = true, todo = true } do
        for _, name in ipairs(fs.list(w:folder(who))) do
            for _, inner in ipairs(fs.list(w:folder(who) .. "/" .. name)) do lu.assertNotStrContains(inner, "tmpcharts") end
        end
    end
end

function tests.charts_are_packed_as_by_helm()
    chart_of("near", "near")
    chart_of("app", "app", entry("near", "*", "file://../near"))
    w:write("app/README.md", "read\n")
    w:write("app/.helmignore", "*.tmp\n")
    w:write("app/x.tmp", "no")
    w:write("app/values.yaml", "# kept\na: 1\n")
    w:write("app/values.schema.json", "{}\n")
    w:both({ "package", "app" }, { status = 1 })
    w:both { "package", "app", "-u" }
    w:both { "package", "app", "near", "-d", "out/put", "--version", "9.8.7", "--app-version", "x" }
    w:both { "package", "app/." }
    w:same_files()
    local listings = {}
    for _, who in ipairs { "helm", "todo" } do
        listings[who] = proc.run({ "tar", "tvzf", "out/put/app-9.8.7.tgz" }, { cwd = w:folder(who) }).stdout
            -- The lock is as long as the fraction of its time.
            :gsub("%d%d%d%d%-%d%d%-%d%d %d%d:%d%d", "TIME"):gsub("%d+( TIME app/Chart.lock)", "SIZE%1")
    end
    lu.assertEquals(listings.todo, listings.helm)
    w:both({ "package", "app", "--version", "one" }, { status = 1 })
    w:both({ "package" }, { status = 1 })
    w:both({ "package", "absent" }, { status = 1 })
end

-- Charts that need others are completed before they are rendered.
function tests.dependency_update_comes_before_rendering_as_with_helm()
    chart_of("near", "near")
    chart_of("app", "app", entry("near", "*", "file://../near"))
    w:both({ "template", "r", "app" }, { status = 1 })
    w:both { "template", "r", "app", "--dependency-update" }
    w:same_files()
end

-- The text is not helm's, what it renders is: objects and labels in helm's order, with every switch on and off.
local variations = {
    {}, { "--set", "ingress.enabled=true,httpRoute.enabled=true,autoscaling.enabled=true,serviceAccount.create=false" },
    { "--set", "nameOverride=other,service.type=NodePort,service.port=8080,image.tag=x,serviceAccount.automount=false" },
    { "--set", "fullnameOverride=" .. ("long-"):rep(20), "--set", "serviceAccount.name=mine,ingress.className=nginx" },
    { "--set-json", 'tolerations=[{"key":"a"}],nodeSelector={"b":"c"},podAnnotations={"d":"1"},affinity={"x":{}},'
        .. 'volumes=[{"name":"v"}],volumeMounts=[{"name":"v"}],resources={"limits":{"cpu":1}},podLabels={"e":"f"},'
        .. 'securityContext={"runAsUser":1},podSecurityContext={"fsGroup":2},imagePullSecrets=[{"name":"s"}],'
        .. 'serviceAccount.annotations={"q":"z"}', "--set", "serviceAccount.create=false,serviceAccount.name=own" },
    { "--set-json", 'ingress={"enabled":true,"annotations":{"i":"j"},"tls":[{"hosts":["h","k"],"secretName":"s"}],'
        .. '"hosts":[{"host":"a","paths":[{"path":"/x"},{"path":"/y","pathType":"Exact"}]}]},'
        .. 'httpRoute.annotations={"k":"l"},httpRoute.rules=[{"filters":[{"type":"X"}],"matches":[{"path":{}}]}]',
        "--set", "httpRoute.enabled=true,autoscaling.enabled=true,autoscaling.targetMemoryUtilizationPercentage=70" },
    { "--set", "livenessProbe=null,readinessProbe=null,autoscaling.targetCPUUtilizationPercentage=0" },
}

function tests.created_charts_render_what_helms_render()
    w:both { "create", "foo" }
    for _, release in ipairs { "r", "my-foo-release" } do
        for _, flags in ipairs(variations) do
            w:both { "template", release, "foo", table.unpack(flags) }
        end
    end
    for who in pairs { helm = true, todo = true } do
        lu.assertEquals(w:run(who, { "lint", "foo" }).status, 0)
        lu.assertEquals(w:run(who, { "template", "r", ("%s/foo"):format(w:folder "todo") }).stdout,
            w:run(who, { "template", "r", ("%s/foo"):format(w:folder "helm") }).stdout)
    end
    local names = {}
    for _, who in ipairs { "helm", "todo" } do
        names[who] = proc.run({ "find", "foo", "-printf", "%P %m\n" }, { cwd = w:folder(who) }).stdout
    end
    local function lines(text)
        local list = {}
        for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
        table.sort(list)
        return list
    end
    lu.assertEquals(lines(names.todo), lines(names.helm))
    w:both { "create", "foo" } -- overwritten, with warnings
    w:both({ "create", "no/such/folder" }, { status = 1 })
    w:both({ "create", "a b" }, { status = 1 })
    w:both({ "create", "foo/values.yaml" }, { status = 1 })
end

function tests.charts_are_made_of_starters_as_by_helm()
    chart_of("mine", "mine", entry("near", "*", ""))
    chart_of("mine/charts/near", "near")
    w:write("mine/values.yaml", "# of <CHARTNAME>\nname: <CHARTNAME>\n")
    w:write("mine/templates/more.yaml", "a: {{ include \"<CHARTNAME>.x\" . }}\n")
    w:write("mine/README.md", "<CHARTNAME> stays\n")
    w:write("mine/values.schema.json", "{}\n")
    for _, who in ipairs { "helm", "todo" } do
        local starters = w:home(who) .. "/.local/share/helm/starters"
        fs.mkdir(starters)
        proc.run { "cp", "-r", w:folder(who) .. "/mine", starters .. "/mine" }
    end
    w:both { "create", "made", "-p", "mine" }
    w:both { "create", "made/below", "--starter", "mine" }
    w:both({ "create", "other", "-p", "absent" }, { status = 1, any_error = true })
    w:same_files()
end

return tests
