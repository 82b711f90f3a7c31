-- kubectl's commands on todo-lua's own Kubernetes client, with kubectl's flags, output and exit status:
-- todo-lua kube get|describe|apply …
-- One file per verb in lua/kube/ (lua/lib/commands.lua says what it returns); run is
--   fun(session, options, words, seen, dash): exit status; session: lua/lib/kubectl/session.lua; seen: the keys of
--   options that the command line names; dash: how many of the words stand before "--"
local commands = require "commands"
local fail = require "fail"
local kube_errors = require "kubectl.errors"
local kube_session = require "kubectl.session"
local program = require "program"

local kube = {
    name = "kube", summary = "kubectl's commands on todo-lua's own Kubernetes client.", flags = kube_session.flags,
    incomplete = 1,
}

local ok, result = pcall(commands.run, kube, program.args, function(verb, options, words, seen, dash)
    if options.kustomize then
        kube_errors.raise("-k is not supported: todo-lua does not build kustomizations",
            "kubectl kustomize " .. options.kustomize .. " | todo-lua kube … -f -")
    end
    return verb.run(kube_session.new(options), options, words, seen, dash)
end)
if ok then return result end
if fail.kind(result) == "cancelled" then error(result, 0) end
io.stdout:flush()
local text = kube_errors.text(result)
if text ~= "" then io.stderr:write(text, "\n") end
return fail.field(result, "exit_status") or 1
