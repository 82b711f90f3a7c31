-- Helm's commands on todo-lua's own chart engine, with helm 3.22's flags and output: todo-lua helm template|lint …
local chart = require "chart"
local fs = require "fs"
local program = require "program"

local USAGE = [[
usage: todo-lua helm template [NAME] CHART [flags]
       todo-lua helm lint PATH… [flags]
Flags are helm's own: -f, --set, --set-string, --set-json, --set-file, --set-literal, -n, …]]

-- Flag by name: its key in the options, and what it takes: "text", "list" (repeated), "words" (repeated or with
-- commas) or "switch".
local value_flags = {
    values = { "values_files", "words" }, set = { "set", "list" }, ["set-string"] = { "set_string", "list" },
    ["set-json"] = { "set_json", "list" }, ["set-file"] = { "set_file", "list" },
    ["set-literal"] = { "set_literal", "list" }, namespace = { "namespace", "text" },
    ["kube-version"] = { "kube_version", "text" }, ["skip-schema-validation"] = { "skip_schema", "switch" },
    debug = { "debug", "switch" }, ["kube-context"] = { "context", "text" }, kubeconfig = { "kubeconfig", "text" },
}
local short = { f = "values", n = "namespace", a = "api-versions", s = "show-only", g = "generate-name" }

local function with(more)
    return setmetatable(more, { __index = value_flags })
end

local function usage_error(text)
    error({ kind = "usage", message = text, hint = USAGE }, 0)
end

local function store(options, flag, name, value)
    local key, kind = flag[1], flag[2]
    if kind == "switch" then
        if value ~= nil and value ~= "true" and value ~= "false" then
            usage_error(('invalid argument %q for "--%s" flag'):format(value, name))
        end
        options[key] = value ~= "false"
    elseif kind == "text" then
        options[key] = value
    else
        local list = options[key] or {}
        options[key] = list
        if kind == "list" then
            list[#list + 1] = value
        else
            for word in (value .. ","):gmatch("([^,]*),") do list[#list + 1] = word end
        end
    end
end

-- As pflag reads: --name=value, --name value, -nvalue, -n value; "--" ends the flags.
local function parse(args, flags)
    local options, words = {}, {}
    local index = 1
    local function take(name, given)
        local flag = flags[name]
        if not flag then usage_error("unknown flag: --" .. name) end
        if flag[2] ~= "switch" and given == nil then
            index = index + 1
            given = args[index]
            if given == nil then usage_error("flag needs an argument: --" .. name) end
        end
        store(options, flag, name, given)
    end
    while index <= #args do
        local word = args[index]
        if word == "--" then
            table.move(args, index + 1, #args, #words + 1, words)
            break
        elseif word:match("^%-%-.") then
            local name, value = word:match("^%-%-([^=]+)=(.*)$")
            take(name or word:sub(3), value)
        elseif word:match("^%-.") then
            local name = short[word:sub(2, 2)]
            if not name then usage_error("unknown shorthand flag: " .. word) end
            local rest = word:sub(3):gsub("^=", "")
            take(name, rest ~= "" and rest or nil)
        else
            words[#words + 1] = word
        end
        index = index + 1
    end
    return options, words
end

local commands = {}

function commands.template(args)
    local options, words = parse(args, with {
        ["api-versions"] = { "api_versions", "words" }, ["show-only"] = { "show_only", "list" },
        ["include-crds"] = { "include_crds", "switch" }, ["no-hooks"] = { "no_hooks", "switch" },
        ["skip-tests"] = { "skip_tests", "switch" }, ["is-upgrade"] = { "is_upgrade", "switch" },
        ["render-subchart-notes"] = { "sub_notes", "switch" }, ["dry-run"] = { "dry_run", "switch" },
        ["skip-crds"] = { "skip_crds", "switch" }, ["create-namespace"] = { "create_namespace", "switch" },
        ["name-template"] = { "release", "text" },
    })
    if #words == 0 then usage_error('"helm template" requires at least 1 argument') end
    if #words > 2 then
        usage_error("expected at most two arguments, unexpected arguments: " .. table.concat(words, ", ", 3))
    end
    options.release = #words == 2 and words[1] or options.release or "release-name"
    options.namespace = options.namespace or os.getenv("HELM_NAMESPACE") or "default"
    local rendered = chart.load(words[#words]):render(options)
    io.write(rendered.output)
    return 0
end

local labels = { info = "[INFO]", warning = "[WARNING]", error = "[ERROR]" }

-- One chart's findings as helm prints them; whether it failed.
local function lint_one(path, options)
    local ok, found = pcall(chart.lint, path, options)
    local lines, failed, noted = {}, not ok, not ok
    if not ok then
        lines[1] = "Error " .. tostring(type(found) == "table" and found.message or found)
        found = {}
    end
    for _, finding in ipairs(found) do
        if finding.severity == "error" or (options.strict and finding.severity == "warning") then failed = true end
        if finding.severity ~= "info" then noted = true end
        if not options.quiet or finding.severity ~= "info" then
            lines[#lines + 1] = ("%s %s: %s"):format(labels[finding.severity], finding.path, finding.message)
        end
    end
    if not options.quiet or noted then
        io.write("==> Linting ", path, "\n", table.concat(lines, "\n"), #lines > 0 and "\n" or "", "\n")
    end
    return failed, noted
end

function commands.lint(args)
    local options, paths = parse(args, with {
        strict = { "strict", "switch" }, quiet = { "quiet", "switch" }, ["with-subcharts"] = { "subcharts", "switch" },
    })
    if #paths == 0 then paths[1] = "." end
    if options.subcharts then
        for index = 1, #paths do
            local folder = paths[index] .. "/charts"
            for _, name in ipairs(fs.exists(folder) and fs.list(folder) or {}) do
                local path = folder .. "/" .. name
                if name:match("%.tgz$") or fs.exists(path .. "/Chart.yaml") then paths[#paths + 1] = path end
            end
        end
    end
    local failures, noted = 0, 0
    for _, path in ipairs(paths) do
        local failed, found = lint_one(path, options)
        if failed then failures = failures + 1 end
        if found then noted = noted + 1 end
    end
    local summary = ("%d chart(s) linted, %d chart(s) failed"):format(#paths, failures)
    if failures > 0 then
        io.stderr:write("Error: ", summary, "\n")
        return 1
    end
    if not options.quiet or noted > 0 then io.write(summary, "\n") end
    return 0
end

local args = table.move(program.args, 2, #program.args, 1, {})
local command = commands[program.args[1] or ""]
if not command then
    local given = program.args[1]
    usage_error(given and ("unknown command %q for helm"):format(given) or "which of helm's commands?")
end

local ok, result = pcall(command, args)
if ok then return result end
if type(result) == "table" and result.hint == USAGE then error(result, 0) end
-- helm's errors as helm prints them, so that scripts that read them keep working.
io.stderr:write("Error: ", type(result) == "table" and result.message or tostring(result), "\n")
return 1
