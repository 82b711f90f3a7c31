{{/* Names end at 63 characters: some of them become DNS labels. */}}
{{- define "<CHARTNAME>.name" -}}
{{- coalesce .Values.nameOverride .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name, with the chart's behind it unless it is in there already. */}}
{{- define "<CHARTNAME>.fullname" -}}
{{- $chart := coalesce .Values.nameOverride .Chart.Name -}}
{{- $name := printf "%s-%s" .Release.Name $chart -}}
{{- if contains $chart .Release.Name -}}{{- $name = .Release.Name -}}{{- end -}}
{{- coalesce .Values.fullnameOverride $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels by which a release finds its pods: they never change. */}}
{{- define "<CHARTNAME>.selectorLabels" -}}
app.kubernetes.io/name: {{ include "<CHARTNAME>.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of all objects. */}}
{{- define "<CHARTNAME>.labels" -}}
helm.sh/chart: {{ include "<CHARTNAME>.chart" . }}
{{ include "<CHARTNAME>.selectorLabels" . }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ quote . }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Chart and version as a label; a label cannot hold "+". */}}
{{- define "<CHARTNAME>.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "<CHARTNAME>.serviceAccountName" -}}
{{- $own := ternary (include "<CHARTNAME>.fullname" .) "default" .Values.serviceAccount.create -}}
{{- coalesce .Values.serviceAccount.name $own -}}
{{- end -}}
