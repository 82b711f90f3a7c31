-- helm diff and the upgrade of definitions against a real API server, and no secret in any of it.
package.path = "./?.lua;" .. package.path

local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local secret = require "secret"

local tests = {}
local server, client, folder

local CANARY = "canary-7f3a91-first"
local CANARY_TWO = "canary-7f3a91-second"

local crd = [[
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {PROPERTY: {type: integer}}}
]]

local function write_chart(property)
    local dir = folder.path .. "/shop"
    fs.mkdir(dir .. "/templates")
    fs.mkdir(dir .. "/crds")
    fs.write(dir .. "/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    fs.write(dir .. "/values.yaml", "level: info\npassword: none\nextra: true\n")
    fs.write(dir .. "/crds/thing.yaml", (crd:gsub("PROPERTY", property)))
    fs.write(dir .. "/templates/all.yaml", [[
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data:
  level: {{ .Values.level }}
  url: http://user:{{ .Values.password }}@host/
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData:
  password: {{ .Values.password }}
  name: somebody
{{- if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: before
  annotations: {helm.sh/hook: test}
data: {level: {{ .Values.level }}}
]])
    return dir
end

local function helm(...)
    local result = proc.run({ program.executable, "helm", "--kubeconfig", server.kubeconfig, ... },
        { check = false, env = { XDG_STATE_HOME = folder.path .. "/state" } })
    return result
end

local function done(...)
    local result = helm(...)
    lu.assertEquals(result.status, 0, result.stderr .. result.stdout)
    return result
end

local chart

function tests.setup_all()
    folder = fs.tempdir()
    server = apiserver.start()
    client = k8s.connect { kubeconfig = server.kubeconfig }
    chart = write_chart("size")
    done("install", "one", chart, "--set", "password=" .. CANARY)
    done("upgrade", "one", chart, "--set", "password=" .. CANARY_TWO .. ",level=debug")
end

function tests.teardown_all()
    if client then client:close() end
    if server then server:stop() end
    if folder then folder:close() end
end

function tests.upgrade_shows_what_changes_and_its_exit_status_tells()
    local same = helm("diff", "upgrade", "one", chart, "--reuse-values", "--detailed-exitcode")
    lu.assertEquals({ same.status, same.stdout, same.stderr }, { 0, "", "" })
    local change = helm("diff", "upgrade", "one", chart, "--reuse-values", "--set", "level=warn,extra=false",
        "--detailed-exitcode", "-C", "0")
    lu.assertEquals(change.status, 2)
    lu.assertEquals(change.stdout, "default, config, ConfigMap (v1) has changed:\n...\n-   level: debug\n+   level: warn\n\n"
        .. "default, extra, ConfigMap (v1) has been removed:\n- apiVersion: v1\n- kind: ConfigMap\n- metadata:\n-   name: extra\n")
    lu.assertEquals(helm("diff", "upgrade", "one", chart, "--reuse-values", "--set", "level=warn").status, 0)
    local tested = done("diff", "upgrade", "one", chart, "--reuse-values", "--set", "level=warn", "--include-tests", "-o", "json")
    local names = {}
    for index, one in ipairs(json.decode(tested.stdout)) do names[index] = one.name .. " " .. one.change end
    lu.assertEquals(names, { "config changed", "before changed" })
    lu.assertEquals(done("diff", "upgrade", "one", chart, "--reuse-values", "--set", "level=warn", "--suppress", "ConfigMap").stdout, "")
    local missing = helm("diff", "upgrade", "two", chart)
    lu.assertEquals(missing.status, 1)
    lu.assertStrContains(missing.stderr, '"two" has no deployed releases')
    lu.assertStrContains(done("diff", "upgrade", "two", chart, "--install").stdout, "default, login, Secret (v1) has been added:")
end

function tests.revisions_rollback_and_releases_are_compared()
    local expected = "default, config, ConfigMap (v1) has changed:\n...\n-   level: info\n"
    lu.assertStrContains(done("diff", "revision", "one", "1", "2", "-C", "0").stdout, expected)
    lu.assertStrContains(done("diff", "revision", "one", "1").stdout, "+   level: debug\n")
    lu.assertEquals(helm("diff", "rollback", "one").status, 0)
    lu.assertStrContains(done("diff", "rollback", "one", "1").stdout, "+   level: info\n")
    lu.assertEquals(done("diff", "release", "one", "one").stdout, "")
    lu.assertStrContains(helm("diff", "revision", "one", "9").stderr, "release has no 9 version")
    lu.assertEquals(helm("diff", "revision", "one", "x").status, 1)
end

function tests.drift_and_live_tell_what_the_cluster_has()
    lu.assertEquals(done("diff", "drift", "one").stdout, "")
    client:patch("configmaps", "config", { data = { level = "by-hand", own = "kept" } })
    local drift = helm("diff", "drift", "one", "-C", "0", "--detailed-exitcode")
    lu.assertEquals({ drift.status, drift.stdout }, { 2, "default, config, ConfigMap (v1) has changed:\n...\n"
        .. "-   level: by-hand\n+   level: debug\n" })
    lu.assertStrContains(done("diff", "upgrade", "one", chart, "--live", "--reuse-values", "--set", "level=by-hand,extra=false").stdout,
        "default, extra, ConfigMap (v1) has been removed:")
    lu.assertEquals(client:get("configmaps", "config").data.level, "by-hand")
    client:patch("configmaps", "config", { data = { level = "debug", own = json.null } })
end

function tests.definitions_are_upgraded_when_asked_and_shown_first()
    write_chart("length")
    local function property()
        return client:get("customresourcedefinitions", "things.example.com").spec.versions[1].schema.openAPIV3Schema
            .properties.spec.properties
    end
    done("upgrade", "one", chart, "--reuse-values")
    lu.assertNotNil(property().size)
    local result = done("upgrade", "one", chart, "--reuse-values", "--upgrade-crds")
    lu.assertStrContains(result.stderr, "things.example.com, CustomResourceDefinition (apiextensions.k8s.io) has changed:")
    lu.assertStrContains(result.stderr, "-               size:")
    lu.assertStrContains(result.stderr, "+               length:")
    lu.assertEquals({ property().size, property().length.type }, { nil, "integer" })
    lu.assertNotStrContains(done("upgrade", "one", chart, "--reuse-values", "--upgrade-crds").stderr, "has changed")
end

function tests.secrets_are_in_no_output_of_ours()
    local values = folder.path .. "/secret.yaml"
    fs.write(values, "password: " .. CANARY .. "\n")
    local commands = {
        { "diff", "upgrade", "one", chart, "-f", values },
        { "diff", "upgrade", "one", chart, "-f", values, "-o", "json" },
        { "diff", "upgrade", "one", chart, "-f", values, "--live" },
        { "diff", "upgrade", "two", chart, "-f", values, "--install", "--debug" },
        { "diff", "upgrade", "two", chart, "-f", values, "--install", "--live" },
        { "diff", "revision", "one", "1", "2" }, { "diff", "rollback", "one", "1" },
        { "diff", "rollback", "one", "1", "--live", "-o", "json" }, { "diff", "drift", "one" },
        { "status", "one" }, { "history", "one" }, { "list" },
        { "lint", chart, "-f", values, "--kubernetes" }, { "lint", chart, "-f", values, "--kubernetes=cluster" },
    }
    for _, command in ipairs(commands) do
        local result = helm(table.unpack(command))
        lu.assertTrue(result.status <= 1, table.concat(command, " ") .. result.stderr)
        for _, canary in ipairs { CANARY, CANARY_TWO } do
            for _, text in ipairs { canary, secret.base64(canary) } do
                lu.assertNotStrContains(result.stdout .. result.stderr, text, nil, table.concat(command, " "))
            end
        end
    end
    lu.assertStrContains(done("diff", "upgrade", "one", chart, "-f", values).stdout, "••• (changed)")
    lu.assertStrContains(done("diff", "upgrade", "one", chart, "-f", values, "--show-secrets").stdout, "+   password: " .. CANARY)
end

return tests
