-- Helm's commands on todo-lua's own chart engine, with helm 3.22's flags and output: todo-lua helm template|lint …
-- One file per command in lua/helm/ (lua/lib/commands.lua says what it returns); run is
--   fun(options, words, seen): exit status; seen: the keys of options that the command line names
local commands = require "commands"
local fail = require "fail"
local flags = require "release.flags"
local log = require "log"
local pflag = require "pflag"
local program = require "program"

local helm = { name = "helm", summary = "Helm's commands on todo-lua's own chart engine.", flags = flags.global }

local remote, named -- values that come from URLs, and how messages name them

local function run(command, options, words, seen)
    options.namespace = options.namespace or os.getenv("HELM_NAMESPACE")
    options.debug = options.debug or pflag.truth(os.getenv("HELM_DEBUG"))
    if options.values_files or options.set_file then
        local remote_values = require "release.remote_values"
        if remote_values.are_in(options) then remote, named = remote_values.fetch(options) end
    end
    return command.run(options, words, seen)
end

log.set_stream("stderr")
local ok, result = pcall(commands.run, helm, program.args, run)
if remote then remote:close() end
if ok then return result end
if fail.kind(result) == "cancelled" then error(result, 0) end
-- helm's errors and its exit status, so that scripts that read them keep working; a hint is one line more.
local message, hint = fail.message(result), fail.field(result, "hint")
io.stderr:write("Error: ", named and named(message) or message, "\n")
if hint then io.stderr:write("  ", hint, "\n") end
return 1
