{{- define "tree.name" -}}tree:{{ .Release.Name }}{{- end -}}
