-- What helm install and helm upgrade have in common on the command line: flags, chart, values, what is printed.
local address = require "chart_repo.address"
local fail = require "fail"
local flags = require "release.flags"
local fs = require "fs"
local printer = require "release.printer"
local proc = require "proc"
local session = require "release.session"
local values = require "release.values"

local helm_release = {}

-- Flags of every command that waits.
flags.groups.timeout = {
    { "timeout", kind = "duration", default = 300, help = "time to wait for one thing, such as a hook" },
}

flags.groups.wait = {
    { "wait", kind = "bool",
        help = "wait until everything is ready; each object's state is shown, and what cannot become ready ends it" },
    { "wait-for-jobs", kind = "bool", help = "with --wait: until all Jobs have ended, too" },
}

flags.groups.apply = {
    { "force", kind = "bool", help = "replace objects instead of patching them" },
    { "server-side", kind = "bool", help = "let the server merge (server-side apply) instead of patching" },
    { "force-conflicts", kind = "bool", help = "with --server-side: take fields over from other managers" },
}

-- Of install and upgrade.
flags.groups.change = {
    { "atomic", kind = "bool", help = "undo it where it fails; waits as --wait does" },
    { "create-namespace", kind = "bool", help = "make the release's namespace where it is missing" },
    { "description", help = "text for the history" },
    { "disable-openapi-validation", kind = "bool", help = "for command lines of helm; the server validates" },
    { "dry-run", optional = "client", help = "change nothing: client, server (lookup asks the cluster) or none" },
    { "hide-notes", kind = "bool", help = "do not print the notes" },
    { "hide-secret", kind = "bool", help = "with --dry-run: leave the contents of Secrets out" },
    { "labels", short = "l", kind = "stringToString", help = "labels of the record: a=b,c=d" },
    { "no-hooks", kind = "bool", help = "run no hooks" },
    { "render-subchart-notes", kind = "bool", key = "sub_notes", help = "the notes of subcharts, too" },
    { "skip-crds", kind = "bool", help = "do not make custom resource definitions" },
    { "take-ownership", kind = "bool", help = "take over objects that belong to nobody or to another release" },
    { "upgrade-crds", kind = "bool", help = "bring existing custom resource definitions up to date, too" },
}

local dry_runs = { ["true"] = "client", client = "client", server = "server", none = "none", ["false"] = "none" }

---The post-renderer that the flags name; nil where they name none.
---@param options table
---@return (async fun(manifest: string): string)?
function helm_release.post_renderer(options)
    local name = options.post_renderer
    if not name or name == "" then return nil end
    local path = name:find("/", 1, true) and address.clean(fs.join(fs.cwd(), name)) or proc.which(name)
    local argv = { path, table.unpack(options.post_renderer_args or {}) }
    return function(manifest)
        local result = proc.run(argv, { stdin = manifest, check = false })
        if result.status ~= 0 then
            fail.raise("exit", ("error while running post render on files: error while running command %s. "
                .. "error output:\n%s: exit status %d"):format(path, result.stderr, result.status))
        end
        return result.stdout
    end
end

---What --dry-run means: "client", "server" or "none".
---@param options table
---@return string
function helm_release.dry_run(options)
    local given = options.dry_run
    return dry_runs[given == nil and "none" or given == "" and "none" or given] or fail.raise("usage",
        "Invalid dry-run flag. Flag must one of the following: false, true, none, client, server")
end

---Options of the release from those of the command line.
---@param options table
---@return todo.ReleaseOptions
function helm_release.options(options)
    local o = {}
    for _, name in ipairs { "timeout", "wait", "wait_for_jobs", "atomic", "no_hooks", "force", "server_side",
        "force_conflicts", "cleanup_on_fail", "recreate_pods", "take_ownership", "replace", "create_namespace",
        "skip_crds", "upgrade_crds", "sub_notes", "skip_schema", "labels", "history_max", "hide_secret",
        "enable_dns", "reset_values", "reuse_values", "reset_then_reuse_values", "disable_openapi_validation" } do
        o[name] = options[name]
    end
    if options.description ~= "" then o.description = options.description end
    o.dry_run = helm_release.dry_run(options)
    o.post_renderer = helm_release.post_renderer(options)
    o.values = values.given(options)
    return o
end

---Prints a release as install and upgrade do.
---@param options table
---@param record todo.Record
function helm_release.print(options, record)
    session.print(options, record.body(), function()
        return printer.status(record, { debug = options.debug, hide_notes = options.hide_notes })
    end)
end

---What install and upgrade run: says helm's word where it is interrupted (then nothing of this function goes on, but
---what is to be closed is closed).
---@param run async fun(options: table, words: string[], seen: table): integer
---@return async fun(options: table, words: string[], seen: table): integer
function helm_release.interruptible(run)
    return function(options, words, seen)
        local ended = false
        local guard <close> = setmetatable({}, { __close = function() -- luacheck: ignore guard
            if not ended then session.write(("Release %s has been cancelled.\n"):format(words[1])) end
        end })
        local ok, result = pcall(run, options, words, seen)
        ended = true
        if ok then return result end
        error(result, 0)
    end
end

---Calls fn; what it raises begins with helm's word for it.
---@async
---@param word string "INSTALLATION FAILED"
---@param fn async fun(): any
---@return any
function helm_release.told(word, fn)
    local ok, result = pcall(fn)
    if ok then return result end
    local kind = fail.kind(result)
    if kind == "cancelled" then error(result, 0) end
    fail.raise(kind or "http", word .. ": " .. fail.message(result), fail.field(result, "hint"),
        { cause = result, status = kind ~= "usage" and fail.field(result, "status") or nil })
end

return helm_release
