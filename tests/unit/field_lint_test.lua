-- Fields that Kubernetes does not have: the compact schema, what is found, and where.
local api_fields = require "api_fields"
local api_schema = require "api_schema"
local chart = require "chart"
local field_lint = require "field_lint"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local tables = require "tables"
local yaml = require "yaml"

local tests = {}

local function deployment(change)
    local object = yaml.decode [[
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: b}}
spec:
  replicas: 2
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
      - name: web
        image: x
        ports: [{containerPort: 80}]
        env: [{name: A, value: "1"}]
        livenessProbe: {httpGet: {port: http, path: /}}
        resources: {limits: {cpu: 1, memory: 1Gi}}
]]
    if change then change(object, object.spec.template.spec.containers[1]) end
    return object
end

local function faults(object)
    local list = {}
    for _, fault in ipairs(api_schema.check({ api_fields.embedded() }, object) or { { path = {}, message = "unchecked" } }) do
        list[#list + 1] = table.concat(fault.path, "/") .. ": " .. fault.message
            .. (fault.nearest and " (" .. fault.nearest .. ")" or "")
    end
    return list
end

function tests.check_finds_what_is_wrong_and_nothing_else()
    lu.assertEquals(faults(deployment()), {})
    local cases = {
        { function(o) o.spec.replicaz = 1 end, "spec/replicaz: unknown field (replicas)" },
        { function(o) o.spec.replicaz = json.null end, "spec/replicaz: unknown field (replicas)" },
        { function(o) o.spec.replicas = "2" end, "spec/replicas: must be a whole number, not text" },
        { function(o) o.spec.replicas = 2.5 end, "spec/replicas: must be a whole number, not the number 2.5" },
        { function(o) o.spec.replicas = 2.0 end },
        { function(o) o.spec.replicas = json.null end },
        { function(o) o.spec.selector = nil end, "spec: selector is missing" },
        { function(_, c) c.imagee = "y" end, "spec/template/spec/containers/0/imagee: unknown field (image)" },
        { function(_, c) c.env[1].value = 1 end, "spec/template/spec/containers/0/env/0/value: must be text, not the number 1" },
        { function(_, c) c.env = { A = "1" } end, "spec/template/spec/containers/0/env: must be a list, not a map" },
        { function(_, c) c.tty = "yes" end, "spec/template/spec/containers/0/tty: must be true or false, not text" },
        { function(_, c) c.livenessProbe.httpGet.port = 8080 end },
        { function(_, c) c.livenessProbe.httpGet.port = true end,
            "spec/template/spec/containers/0/livenessProbe/httpGet/port: must be text or a whole number, not true" },
        { function(_, c) c.resources.limits.memory = "1 Gi" end,
            'spec/template/spec/containers/0/resources/limits/memory: must be a quantity, not "1 Gi"' },
        { function(_, c) c.resources.limits = { cpu = 0.5, memory = "1.5e3", x = "+2Ei", y = ".5", z = "100m" } end },
        { function(o) o.metadata.labels.a = 1 end, "metadata/labels/a: must be text, not the number 1" },
        { function(o) o.spec.template = json.list { 1 } end, "spec/template: must be a map, not a list" },
        { function(o) o.spec.strategy = json.decode "{}" end },
        { function(o) o.apiVersion = "extensions/v1beta1" end,
            "apiVersion: there is no Deployment in extensions/v1beta1 (apps/v1)" },
        { function(o) o.apiVersion, o.kind = "policy/v1beta1", "PodSecurityPolicy" end,
            "apiVersion: there is no PodSecurityPolicy in policy/v1beta1" },
        { function(o) o.apiVersion = "own.example.com/v1" end, ": unchecked" },
    }
    for index, case in ipairs(cases) do lu.assertEquals(faults(deployment(case[1])), { case[2] }, tostring(index)) end
end

function tests.compact_form_gives_back_what_was_compiled()
    local document = json.decode [[{"components": {"schemas": {
        "a.Thing": {"type": "object", "required": ["kind"], "x-kubernetes-group-version-kind":
            [{"group": "g.io", "version": "v1", "kind": "Thing"}], "properties": {
                "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                "self": {"allOf": [{"$ref": "#/components/schemas/a.Thing"}]},
                "many": {"type": "array", "items": {"$ref": "#/components/schemas/a.Quantity"}},
                "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"x": {"type": "number"}}},
                "any": {}, "map": {"type": "object", "additionalProperties": {"type": "boolean"}}}},
        "a.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        "a.List": {"x-kubernetes-group-version-kind": [{"group": "g.io", "version": "v1", "kind": "ThingList"}],
            "properties": {"kind": {}, "metadata": {}, "items": {}}}}}}]]
    local text = api_schema.compile({ document }, "v9")
    lu.assertEquals(text, "Kubernetes v9\ng.io/v1/Thing 1\n\n"
        .. "any:* apiVersion:s kind!:s many:[Q map:{b metadata:{* open:2 self:1\n~ x:n\n")
    local schema = api_schema.parse(text)
    local object = { apiVersion = "g.io/v1", kind = "Thing", many = json.list { 1, "2", true }, map = { a = "x" },
        self = { kind = "Thing", open = { x = 1, y = 2 }, other = 1 }, any = { 1 } }
    local found = tables.map(api_schema.check({ schema }, object), function(fault) return table.concat(fault.path, "/") end)
    lu.assertEquals(found, { "many/2", "map/a", "self/other" })
end

local function lint(template, more, options)
    local files = { ["Chart.yaml"] = "apiVersion: v2\nname: small\nversion: 1.0.0\n", ["templates/a.yaml"] = template }
    for name, text in pairs(more or {}) do files[name] = text end
    local c = chart.load { files = files }
    local findings, unchecked = field_lint.run(c, c:render(tables.merge(api_fields.capabilities(), options)))
    return tables.map(findings, function(finding) return finding.path .. ": " .. finding.message end), unchecked
end

function tests.findings_name_the_templates_line_where_it_is_written()
    local text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n{{- if true }}\n  labelz: {a: b}\n"
        .. "{{- end }}\nspec:\n  ports:\n  - port: 80\n    targetport: http\n  selector:\n    port: x\n"
    lu.assertEquals(lint(text), {
        "templates/a.yaml:6: Service release-name: metadata.labelz: unknown field (did you mean labels?)",
        "templates/a.yaml:11: Service release-name: spec.ports[0].targetport: unknown field (did you mean targetPort?)",
    })
    -- A field that a helper wrote has no line in the template.
    lu.assertEquals(lint("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {{ include \"s\" . }}\n",
        { ["templates/_h.tpl"] = '{{ define "s" }}{"typ": "NodePort"}{{ end }}' }),
        { "templates/a.yaml: Service a: spec.typ: unknown field (did you mean type?)" })
    lu.assertEquals(lint("", { ["charts/sub/Chart.yaml"] = "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        ["charts/sub/templates/b.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndatas: {}\n" }),
        { "charts/sub/templates/b.yaml:4: ConfigMap b: datas: unknown field (did you mean data?)" })
end

function tests.findings_of_a_charts_own_definitions()
    local crd = [[
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, required: [size], properties: {size: {type: integer}, color: {type: string}}}
]]
    local thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec:\n  size: 1\n  colour: red\n"
    lu.assertEquals(lint(thing, { ["crds/c.yaml"] = crd }),
        { "templates/a.yaml:6: Thing t: spec.colour: unknown field (did you mean color?)" })
    local found, unchecked = lint(thing)
    lu.assertEquals({ found, unchecked }, { {}, { "example.com/v1 Thing" } })
end

function tests.lint_is_helms_own_unless_fields_are_asked_for()
    local folder <close> = fs.tempdir()
    fs.mkdir(fs.join(folder.path, "templates"))
    fs.write(fs.join(folder.path, "Chart.yaml"), "apiVersion: v2\nname: bad\nversion: 1.0.0\nicon: https://a/b.png\n")
    fs.write(fs.join(folder.path, "values.yaml"), "count: 1\n")
    fs.write(fs.join(folder.path, "templates/a.yaml"), "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\nspec:\n"
        .. "  replicaz: {{ .Values.count }}\n  selector: {matchLabels: {a: b}}\n  template: {}\n")
    local plain = proc.run({ program.executable, "helm", "lint", folder.path }, { check = false })
    lu.assertEquals({ plain.status, plain.stdout }, { 0, "==> Linting " .. folder.path .. "\n\n1 chart(s) linted, 0 chart(s) failed\n" })
    local checked = proc.run({ program.executable, "helm", "lint", "--kubernetes", folder.path }, { check = false })
    lu.assertEquals(checked.status, 1)
    lu.assertStrContains(checked.stdout, "[ERROR] templates/a.yaml:6: Deployment a: spec.replicaz: unknown field (did you mean replicas?)\n")
    local wrong = proc.run({ program.executable, "helm", "lint", "--kubernetes=x", folder.path }, { check = false })
    lu.assertEquals(wrong.status, 1)
end

function tests.shipped_chart_has_no_finding()
    local c = chart.load(fs.join(program.project, "chart"))
    local rendered = c:render(tables.merge(api_fields.capabilities(), { set = { "ingress.enabled=true", "secrets.databaseUrl=postgresql://u:p@h/d",
        "secrets.betterAuthSecret=x", "secrets.frontendDatabaseUrl=y" } }))
    lu.assertEquals({ field_lint.run(c, rendered) }, { {}, {} })
end

return tests
