{{/* The chart's name, for labels. */}}
{{- define "todo-app.name" -}}
{{- .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What every object's name starts with: the release. Release names end at 53 characters, so no suffix here overflows. */}}
{{- define "todo-app.fullname" -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/* Labels of an object that belongs to no single component. */}}
{{- define "todo-app.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "todo-app.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* What Services and Deployments select by: (list $ "backend"). */}}
{{- define "todo-app.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "todo-app.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of a component's objects: (list $ "backend"). */}}
{{- define "todo-app.componentLabels" -}}
{{ include "todo-app.labels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/*
A URL of the configuration, for another component: (list $ GIVEN SHIPPED COMPONENT PORT PATH). Left as values.yaml ships
it, it follows the release's name and the Service's port; anything else is used as given.
*/}}
{{- define "todo-app.url" -}}
{{- $given := index . 1 -}}
{{- if eq $given (index . 2) -}}
http://{{ include "todo-app.fullname" (index . 0) }}-{{ index . 3 }}:{{ index . 4 }}{{ index . 5 }}
{{- else -}}
{{ $given }}
{{- end -}}
{{- end }}

{{/* Environment of a container, key by key: (dict "root" $ "config" (list …) "secret" (list …)). */}}
{{- define "todo-app.env" -}}
{{- $fullname := include "todo-app.fullname" .root -}}
{{- range .config }}
- name: {{ . }}
  valueFrom:
    configMapKeyRef:
      name: {{ $fullname }}-config
      key: {{ . }}
{{- end }}
{{- range .secret }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $fullname }}-secret
      key: {{ . }}
{{- end }}
{{- end }}

{{/* Whose pod it is: /api/health tells, so that whoever asks an address knows what answers there. */}}
{{- define "todo-app.identity" -}}
- name: RELEASE_NAME
  value: {{ .Release.Name | quote }}
- name: RELEASE_NAMESPACE
  value: {{ .Release.Namespace | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}

{{/* Pods start anew when the configuration or a secret has changed. */}}
{{- define "todo-app.checksums" -}}
checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
checksum/secret: {{ include (print .Template.BasePath "/secret.yaml") . | sha256sum }}
{{- end }}

{{/* The three probes: (dict "port" 8000 "live" "/health" "ready" "/health/ready"). */}}
{{- define "todo-app.probes" -}}
startupProbe:
  httpGet:
    path: {{ .live }}
    port: {{ .port }}
  failureThreshold: 30
  periodSeconds: 2
livenessProbe:
  httpGet:
    path: {{ .live }}
    port: {{ .port }}
  initialDelaySeconds: 0
  periodSeconds: 30
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: {{ .ready }}
    port: {{ .port }}
  initialDelaySeconds: 0
  periodSeconds: 10
  failureThreshold: 3
{{- end }}

{{- define "todo-app.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1001
runAsGroup: 1001
fsGroup: 1001
{{- end }}

{{/* The root file system stays writable: Next.js writes its cache, Python needs /tmp. */}}
{{- define "todo-app.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: false
capabilities:
  drop: ["ALL"]
{{- end }}
