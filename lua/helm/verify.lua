-- helm verify: checks a chart's archive against its provenance file.
local flags = require "release.flags"
local provenance = require "chart_repo.provenance"
local session = require "release.session"

return {
    usage = "PATH [flags]",
    summary = "verify that a chart at the given path has been signed and is valid",
    help = "Checks the signature of the .prov file beside a chart's archive, and the archive's digest against it.",
    arguments = { min = 1, max = 1 },
    flags = flags.of { "keyring" },
    run = function(options, words)
        session.write(provenance.report(provenance.verify(words[1], provenance.keyring(options))))
        return 0
    end,
}
