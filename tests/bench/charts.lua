-- The charts that the benchmarks render: one of helm create, the real ones that tests/charts uses, and an umbrella of as
-- many subcharts as wanted with tpl in each.
local fs = require "fs"
local needs = require "tests.needs"
local proc = require "proc"
local source = require "tests.charts.source"

local charts = {}

---What `helm create` makes, made by helm.
---@async
---@param folder string
---@return string path
function charts.created(folder)
    proc.run({ needs.judge("helm"), "create", "demo" }, { cwd = folder })
    return fs.join(folder, "demo")
end

---@async
---@return todo.tests.Chart[]
function charts.real()
    return source.charts(needs.cache("charts"))
end

local SUBCHART = {
    ["values.yaml"] = [[
replicas: 2
host: "{{ .Release.Name }}-{{ .Chart.Name }}.example"
labels:
  app.kubernetes.io/part-of: "{{ .Values.global.team }}"
  app.kubernetes.io/name: "{{ .Chart.Name }}"
env:
  - name: HOST
    value: "{{ .Values.host }}"
  - name: LEVEL
    value: '{{ .Values.global.level | default "info" }}'
]],
    ["templates/_helpers.tpl"] = [[
{{- define "part.labels" -}}
{{ tpl (toYaml .Values.labels) . }}
{{- end }}
]],
    ["templates/deployment.yaml"] = [[
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  labels: {{- include "part.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {{- include "part.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "part.labels" . | nindent 8 }}
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "registry.example/{{ .Chart.Name }}:{{ .Chart.Version }}"
          env: {{- tpl (toYaml .Values.env) . | nindent 12 }}
]],
    ["templates/service.yaml"] = [[
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  annotations:
    host: {{ tpl .Values.host . | quote }}
  labels: {{- include "part.labels" . | nindent 4 }}
spec:
  selector: {{- include "part.labels" . | nindent 4 }}
  ports: [{ name: http, port: 80 }]
]],
}

local function write_chart(folder, name, files)
    fs.mkdir(folder .. "/templates")
    fs.write(folder .. "/Chart.yaml", ("apiVersion: v2\nname: %s\nversion: 1.0.0\n"):format(name))
    for path, text in pairs(files) do fs.write(fs.join(folder, path), text) end
end

---@param folder string
---@param count integer subcharts
---@return string path
function charts.umbrella(folder, count)
    local path = fs.join(folder, "umbrella-" .. count)
    write_chart(path, "umbrella", { ["values.yaml"] = "global: { team: web, level: debug }\n" })
    for i = 1, count do
        local name = ("part-%03d"):format(i)
        write_chart(fs.join(path, "charts", name), name, SUBCHART)
    end
    return path
end

return charts
