{{- define "lib.say" -}}said{{- end -}}
