-- Single Go templates with helm's functions, outside of a chart.
local chart = require "chart"
local fail = require "fail"
local session = require "release.session"

local gotemplate = {}

-- A chart's notes are the one template whose text is not taken for YAML; `partial` is another that they may include.
local function render(notes, values, partial)
    return chart.load { files = { ["Chart.yaml"] = "apiVersion: v2\nname: text\nversion: 0.0.0\n",
        ["templates/NOTES.txt"] = notes, ["templates/_output"] = partial } }:render({ values = values }).notes
end

---@param text string
---@param values table? what the template finds in .Values
---@return string
function gotemplate.evaluate(text, values) return render(text, values) end

---A name from a template, as --name-template has it.
---@param text string
---@return string
function gotemplate.name(text) return chart.template(text, nil, { name = "name-template", sprig = true }) end

---Writes what text/template makes of a value; of what fails, what it made before.
---@param text string
---@param value any the dot
---@param release table? see chart.template
function gotemplate.write(text, value, release)
    local ok, result = pcall(chart.template, text, value, { release = release })
    session.write(ok and result or fail.field(result, "rendered") or "")
    if not ok then error(result, 0) end
end

---A template on a value of its own: the dot and $ are that value.
---@param text string
---@param value any
---@return string
function gotemplate.on(text, value)
    return render('{{ include "text/templates/_output" .Values.on }}', { on = value }, text)
end

---Which of the texts match a regular expression of Go. Raises where it is none.
---@param pattern string
---@param texts string[]
---@return boolean[]
function gotemplate.matches(pattern, texts)
    local ok, answer = pcall(gotemplate.evaluate,
        "{{ $re := .Values.pattern }}{{ range .Values.texts }}{{ mustRegexMatch $re . }} {{ end }}",
        { pattern = pattern, texts = texts })
    if not ok then
        fail.raise("usage", fail.message(answer):match("error parsing regexp: .*") or fail.message(answer))
    end
    local found = {}
    for word in answer:gmatch("%a+") do found[#found + 1] = word == "true" end
    return found
end

---Where the first match of a regular expression of Go begins in each of the texts, from 1; false where it has none.
---@param pattern string
---@param texts string[]
---@return (integer|false)[]
function gotemplate.positions(pattern, texts)
    local answer = gotemplate.evaluate("{{ $re := .Values.pattern }}{{ range .Values.texts }}"
        .. "{{ if mustRegexMatch $re . }}{{ len (index (mustRegexSplit $re . 2) 0) }}{{ else }}none{{ end }} {{ end }}",
        { pattern = pattern, texts = texts })
    local found = {}
    for word in answer:gmatch("%S+") do
        local before = math.tointeger(word)
        found[#found + 1] = before and before + 1 or false
    end
    return found
end

---A time in a layout of Go's.
---@param stamp string RFC 3339
---@param layout string "2006-01-02 15:04"
---@return string
function gotemplate.time(stamp, layout)
    return gotemplate.evaluate(
        "{{ dateInZone .Values.layout (toDate \"2006-01-02T15:04:05Z07:00\" .Values.stamp) .Values.zone }}",
        { stamp = stamp, layout = layout, zone = stamp:find("Z$") and "UTC" or "Local" })
end

return gotemplate
