-- helm verify: refused, since no signatures are checked here.
local fail = require "fail"
local flags = require "release.flags"

return {
    usage = "PATH [flags]",
    summary = "verify that a chart at the given path has been signed and is valid (refused)",
    help = "Signatures are not checked: use helm verify, or gpg --verify with the chart's .prov file.",
    arguments = { min = 1, max = 1 },
    flags = flags.of { "connection" },
    run = function()
        fail.raise("usage", "verify is not supported: todo-lua does not check OpenPGP signatures",
            "use helm verify, or gpg --verify with the chart's .prov file", { status = 2 })
    end,
}
