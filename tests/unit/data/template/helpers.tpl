{{- define "name" }}{{ .Release.Name }}-x{{ end -}}
{{- define "echo" }}[{{ . }}]{{ end -}}
{{- define "deep" }}
{{- .Values.none.here }}
{{- end -}}
{{- define "warns" }}{{ fail "stop: here" }}{{ end -}}
{{- define "loop" }}{{ include "loop" . }}{{ end -}}
{{- define "vals" }}{{ range $k, $v := . }}{{ $k }}:{{ $v }},{{ end }}{{ end -}}
