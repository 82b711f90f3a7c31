-- Helm's commands on todo-lua's own chart engine, with helm 3.22's flags and output: todo-lua helm template|lint …
-- One file per command in lua/helm/ (lua/lib/commands.lua says what it returns); run is
--   fun(options, words, seen): exit status; seen: the keys of options that the command line names
local commands = require "commands"
local fail = require "fail"
local flags = require "release.flags"
local log = require "log"
local program = require "program"

local helm = { name = "helm", summary = "Helm's commands on todo-lua's own chart engine.", flags = flags.global }

log.set_stream("stderr")
local ok, result = pcall(commands.run, helm, program.args, function(command, options, words, seen)
    options.namespace = options.namespace or os.getenv("HELM_NAMESPACE")
    return command.run(options, words, seen)
end)
if ok then return result end
if fail.kind(result) == "cancelled" then error(result, 0) end
-- helm's errors and its exit status, so that scripts that read them keep working; a hint is one line more.
io.stderr:write("Error: ", fail.message(result), "\n")
local hint = fail.field(result, "hint")
if hint then io.stderr:write("  ", hint, "\n") end
return 1
