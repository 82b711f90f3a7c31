-- helm version: this program's own, and the helm whose behaviour it has.
local program = require "program"
local session = require "release.session"

local HELM = "v3.22.0"

return {
    usage = "[flags]",
    summary = "print the client version information",
    help = "Prints the version of this program, and that of the helm whose charts, releases and output it has.",
    arguments = { max = 0 },
    flags = {
        { "client", short = "c", kind = "bool", help = "for command lines of helm 2" },
        { "short", kind = "bool", help = "print that helm's version only" },
        { "template", help = "print this template: {{.Version}} is that helm's version" },
    },
    run = function(options)
        if options.template and options.template ~= "" then
            require "release.gotemplate".write(options.template, { Version = HELM, GitCommit = "",
                GitTreeState = "", GoVersion = "" })
        else
            session.write(options.short and HELM .. "\n"
                or ("todo-lua %s, as helm %s\n"):format(program.version, HELM))
        end
        return 0
    end,
}
