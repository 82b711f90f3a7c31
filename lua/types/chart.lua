---@meta chart

---The chart engine: Helm's, in C. What it renders are helm's bytes.
local chart = {}

---@class todo.Chart
---@field name string
---@field version string
---@field app_version string?
---@field metadata table Chart.yaml
---@field values table values.yaml of the chart itself
---@field lock { generated: string, digest: string, dependencies: table[]? }? Chart.lock
---@field dir string? folder it came from
local Chart = {}

---@class todo.ChartOptions
---@field values_files string[]? paths or "-"; later ones win
---@field values table? Lua values, after the files, before set (secrets are revealed)
---@field set string[]? "a.b=c,d[0]=e" as --set
---@field set_string string[]?
---@field set_json string[]?
---@field set_file string[]?
---@field set_literal string[]?

---Raises where a dependency is missing in charts/, as every render does; with `installable`, for library charts, too.
---@param installable boolean?
function Chart:check(installable) end

---Values as templates see them: chart defaults, then files, then `values`, then set flags.
---@param options todo.ChartOptions?
---@return table
function Chart:merge(options) end

---@class todo.TraceOptions: todo.ChartOptions `values` is not read
---@field layers { name: string, values: table }[]? after the files, before the set flags; later ones win

---@class todo.TraceLayer
---@field kind "chart"|"file"|"table"|"flag"
---@field name string "values.yaml", "charts/a/values.yaml", the file, the layer's name, "--set a=b"
---@field value any what it has at the path; nil where nothing
---@field cut integer? after so many steps it holds something that has nothing below it: `value`
---@field line integer? from 1, in YAML files
---@field column integer?

---@class todo.TraceLeaf
---@field path (string|integer)[] items of lists count from 0
---@field value any
---@field layer integer? which of the layers it comes from
---@field line integer?
---@field column integer?

---Where values come from: what every layer says of the path (weakest first), and for each merged value at or below it
---the layer that won. Aliases, globals and imported values are followed as the merge follows them.
---@param options todo.TraceOptions?
---@param path (string|integer)[]? absent: everything
---@return { layers: todo.TraceLayer[], leaves: todo.TraceLeaf[] }
function Chart:trace(options, path) end

---@class todo.RenderOptions: todo.ChartOptions
---@field release string? default "release-name"
---@field namespace string? default "default"
---@field revision integer? default 1
---@field is_upgrade boolean?
---@field kube_version string? "1.36.3"
---@field api_versions string[]? added to those that helm knows
---@field live boolean? kube_version and api_versions are a cluster's own: taken as they are, in place of helm's
---@field include_crds boolean?
---@field sub_notes boolean? notes of subcharts too
---@field defaults table? in place of the chart's own values
---@field skip_schema boolean? values are not checked against values.schema.json
---@field no_hooks boolean? `output` without hooks
---@field skip_tests boolean? `output` without test hooks
---@field show_only string[]? `output` of these templates alone (patterns of paths without the chart's name)
---@field lookup (async fun(api_version: string, kind: string, namespace: string, name: string): table?)? for `lookup`; absent: empty maps, as helm template
---@field resolve (async fun(host: string): string[]?)? for `getHostByName`, which takes one of them; absent: "", as helm without --enable-dns

---@class todo.Manifest
---@field name string template path, "todo-app/templates/secret.yaml"
---@field content string YAML text, secrets in clear
---@field kind string
---@field object table decoded
---@field hook { events: string[], weight: integer, delete_policies: string[], output_log_policies: string[] }? where it is
---a hook

---@class todo.Rendered
---@field manifests todo.Manifest[] in install order, hooks left out
---@field hooks todo.Manifest[]
---@field notes string
---@field manifest string the text that helm records: everything but hooks
---@field output string what `helm template` prints (options no_hooks, skip_tests, show_only)
---@field print fun(self: todo.Rendered, manifest: string?) writes `output` to standard output without making a string of
---it; of another manifest, what a post-renderer made of this one, where one is given
---@field values table coalesced values
---@field config table user-supplied values (what helm records)
---@field crds todo.Manifest[]
---@field handle userdata the render itself, for chart.release

---Where the rendered text is no YAML, the error's hint names the template lines that wrote it. An error of the templates, or
---of what they gave, has a field `rendered`: that text, "" where none is whole.
---@async
---@param options todo.RenderOptions?
---@return todo.Rendered
function Chart:render(options) end

---A file of the chart by its name in it ("values.yaml"); nil where there is none.
---@param name string
---@return string? bytes
function Chart:read(name) end

---@class todo.ChartFile
---@field name string
---@field data string

---What templates see as .Files, in the order of the chart.
---@return todo.ChartFile[]
function Chart:files() end

---Files of custom resource definitions, those of subcharts too, named by their full path. With values, only those of
---subcharts that they leave switched on.
---@param options todo.ChartOptions?
---@return todo.ChartFile[]
function Chart:crds(options) end

---What lies in charts/.
---@return { name: string, version: string }[]
function Chart:subcharts() end

---Packs the chart as helm package does; the same chart gives the same bytes.
---@param folder string made where it is missing
---@param options { version: string?, app_version: string? }? in place of the chart's own
---@return string path of NAME-VERSION.tgz
function Chart:save(folder, options) end

---Folder, .tgz file, or {files = {["Chart.yaml"]=bytes, …}}. Errors: kind "chart" with helm's message.
---@param source string|{files: table<string,string>}
---@return todo.Chart
function chart.load(source) end

---The files of a packed chart without the folder that holds them; paths that lead out of it and sizes above helm's limits
---are refused.
---@param bytes string content of the .tgz
---@return todo.ChartFile[]
function chart.unpack(bytes) end

---Whether a version lies in a range, as helm reads both. Errors: kind "semver" where one of them is malformed.
---@param constraint string "^1.2", ">=1.0.0 <2.0.0 || 3.x"
---@param version string
---@return boolean
function chart.satisfies(constraint, version) end

---Order of two versions: -1, 0 or 1; nil where one of them is none.
---@param a string
---@param b string
---@return integer?
function chart.compare_versions(a, b) end

---What `helm lint` would say. Severity "error", "warning" or "info".
---@async
---@param source string
---@param options todo.RenderOptions?
---@return { severity: string, path: string, message: string }[]
function chart.lint(source, options) end

---Release records as helm 3 stores them in a Secret of type helm.sh/release.v1 (data.release, base64 of the API not included).
---@param record table the release as helm's JSON has it
---@return string encoded gzip + base64
function chart.encode_release(record) end
---@param encoded string
---@return table record
function chart.decode_release(encoded) end

---A release record of this render, ready for encode_release.
---@param c todo.Chart
---@param rendered todo.Rendered
---@param info { name: string, namespace: string, revision: integer, status: string, description: string, first_deployed: string?, last_deployed: string? }
---@return table
function chart.release(c, rendered, info) end

---What one template of Go gives, text/template's own: an absent key is "<no value>", and there are no functions of helm's.
---Errors: kind "template" with Go's message; `rendered` is what was written before.
---@param text string
---@param value any the dot; nil: none
---@param options { name: string?, sprig: boolean?, release: table? }? name: of the template in messages, default "_"; sprig:
---with Sprig's functions; release: a record that the template finds in .Release as helm's struct, in place of the value
---@return string
function chart.template(text, value, options) end

---Three-way merge patches as helm computes them (strategic where the kind has a known schema, else JSON merge).
---@param original table|nil manifest applied last
---@param target table manifest wanted
---@param live table object in the cluster
---@return table? patch nil where nothing changes
---@return "application/strategic-merge-patch+json"|"application/merge-patch+json" content_type
function chart.patch(original, target, live) end

---What a strategic merge patch makes of an object. Raises "usage" for kinds that are not Kubernetes' own.
---@param object table with apiVersion and kind
---@param patch table
---@return table
function chart.patched(object, patch) end

return chart
