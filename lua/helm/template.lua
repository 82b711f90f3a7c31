-- helm template: what a chart gives; a cluster is asked only where the flags say so.
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local source = require "chart_repo.source"

-- Flags of install that mean nothing where nothing is installed; helm takes them, too.
local function of_install()
    local list = { { "timeout", kind = "duration", default = 300 }, { "description" },
        { "labels", short = "l", kind = "stringToString" }, { "dry-run", optional = "client" } }
    for _, name in ipairs { "atomic", "create-namespace", "disable-openapi-validation", "force", "hide-notes",
        "replace", "skip-crds", "take-ownership", "wait", "wait-for-jobs" } do
        list[#list + 1] = { name, kind = "bool" }
    end
    for _, flag in ipairs(list) do flag.help = "for command lines that are used with install, too" end
    return list
end

local own = {
    { "api-versions", short = "a", kind = "strings", help = "more of the API versions that charts see" },
    { "generate-name", short = "g", kind = "bool", help = "for command lines that are used with install, too" },
    { "include-crds", kind = "bool", help = "print the definitions under crds/, too" },
    { "is-upgrade", kind = "bool", help = "render as for an upgrade of a release" },
    { "name-template", help = "name of the release, a template" },
    { "no-hooks", kind = "bool", help = "leave hooks out" },
    { "output-dir", help = "write each template's objects into a file below this folder" },
    { "release-name", kind = "bool", help = "with --output-dir: a folder named after the release in between" },
    { "render-subchart-notes", kind = "bool", key = "sub_notes", help = "render the notes of subcharts, too" },
    { "show-only", short = "s", kind = "stringArray", help = "print only what these templates give" },
    { "skip-tests", kind = "bool", help = "leave test hooks out" },
    { "validate", kind = "bool", help = "let the cluster say what charts see, and check the objects against it" },
}

local function name_of(options, words)
    if #words > 2 then
        fail.raise("usage", "expected at most two arguments, unexpected arguments: " .. table.concat(words, ", ", 3))
    end
    if #words == 2 then
        if options.generate_name then fail.raise("usage", "cannot set --generate-name and also specify a name") end
        if options.name_template then fail.raise("usage", "cannot set --name-template and also specify a name") end
        return words[1]
    end
    if not options.name_template or options.name_template == "" then return "release-name" end
    return require "release.gotemplate".name(options.name_template)
end

-- Writes an object into its template's file; what helm says of a folder that cannot be made.
local function write(folder, name, text, append)
    local path = folder .. "/" .. name
    local ok = pcall(fs.mkdir, fs.dirname(path))
    if not ok then fail.raise("io", ("stat %s: not a directory"):format(fs.dirname(path))) end
    local content = ("---\n# Source: %s\n%s\n"):format(name, text);
    (append and fs.append or fs.write)(path, content)
    io.write("wrote ", path, "\n")
end

-- A file for each template, as --output-dir wants it; hooks are a call of their own.
local function write_objects(c, rendered, options, folder)
    local seen = {}
    local function add(list, text_field)
        for _, one in ipairs(list) do
            write(folder, one.name, one[text_field], seen[one.name])
            seen[one.name] = true
        end
    end
    if options.include_crds then add(c:crds(options), "data") end
    add(rendered.manifests, "content")
end

-- To files that are there, from whichever run, helm appends.
local function write_hooks(rendered, options, folder)
    for _, hook in ipairs(options.no_hooks and {} or rendered.hooks) do
        local is_test = table.concat(hook.hook.events, " "):find("test", 1, true) ~= nil
        if not (options.skip_tests and is_test) then
            write(folder, hook.name, hook.content, fs.exists(folder .. "/" .. hook.name))
        end
    end
end

-- What was rendered is told with --debug only, although it is no YAML.
local function raise_rendered(problem, options)
    local text = fail.field(problem, "rendered")
    if not text then error(problem, 0) end
    if options.debug then
        io.write(text:match("^%s*(.-)%s*$"), "\n")
        error(problem, 0)
    end
    fail.raise(fail.kind(problem), fail.message(problem) .. "\n\nUse --debug flag to render out invalid YAML",
        fail.field(problem, "hint"), { cause = problem })
end

local function render(c, options)
    local ok, rendered = pcall(c.render, c, options)
    if ok then return rendered end
    raise_rendered(rendered, options)
end

-- With --validate, the options say what the cluster can do, and it has to take the objects; with --dry-run=server,
-- `lookup` asks it.
local function ask_cluster(options)
    local function env() return require "release.session".open(options, options.release) end
    local capabilities = require "release.capabilities"
    if options.validate then
        options.env = env()
        capabilities.check_reachable(options.env.client)
        for name, value in pairs(capabilities.of(options.env.client)) do options[name] = value end
    end
    local dry_run = require "release.command".dry_run(options)
    if options.dry_run and options.dry_run ~= "" and dry_run ~= "client" then
        local lookup
        options.lookup = function(...)
            lookup = lookup or capabilities.lookup((options.env or env()).client)
            return lookup(...)
        end
    end
end

local function check_objects(manifest, options)
    local env, prepare = options.env, require "release.prepare"
    local trouble = "unable to build kubernetes objects from release manifest"
    local record = { body = function() return { manifest = manifest } end }
    local list = prepare.objects(env, record, trouble, not options.disable_openapi_validation)
    if not options.is_upgrade then prepare.existing(env, list, options, "Unable to continue with install") end
end

-- With --output-dir a post-renderer gets nothing, but what it makes of that is printed.
local function print_to_files(c, rendered, options, change)
    local folder = options.release_name and options.output_dir .. "/" .. options.release or options.output_dir
    local ok, manifest = pcall(function()
        write_objects(c, rendered, options, folder)
        return change and change("") or ""
    end)
    if not ok then raise_rendered({ message = fail.message(manifest), kind = "io", rendered = "" }, options) end
    write_hooks(rendered, options, folder)
    if options.show_only and #options.show_only > 0 then
        fail.raise("not_found", ("could not find template %s in chart"):format(options.show_only[1]))
    end
    io.write(manifest:match("^%s*(.-)%s*$"), "\n")
end

local function run(options, words)
    options.release = name_of(options, words)
    options.namespace = options.namespace or "default"
    local c = source.chart(words[#words], options, true)
    if options.dry_run or options.validate then ask_cluster(options) end
    if options.enable_dns then options.resolve = require "http".addresses end
    local change = options.post_renderer and options.post_renderer ~= ""
        and require "release.command".post_renderer(options)
    local rendered, manifest = render(c, options), nil
    if options.output_dir and options.output_dir ~= "" then
        if options.validate then check_objects(rendered.manifest, options) end
        print_to_files(c, rendered, options, change)
        return 0
    end
    if change then
        local ok, changed = pcall(change, rendered.manifest)
        if not ok then raise_rendered({ message = fail.message(changed), kind = "exit", rendered = "" }, options) end
        manifest = changed
    end
    if options.validate then check_objects(manifest or rendered.manifest, options) end
    rendered:print(manifest)
    return 0
end

return {
    usage = "[NAME] CHART [flags]",
    summary = "print the objects that a chart gives",
    help = "Renders a chart and prints its objects. A cluster is asked with --validate and --dry-run=server only.",
    arguments = { min = 1 },
    flags = flags.of({ "values", "capabilities", "schema", "dns", "post_renderer", "chart" },
        table.move(of_install(), 1, 14, #own + 1, own)),
    run = run,
}
