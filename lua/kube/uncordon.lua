-- todo-lua kube uncordon: open nodes to new pods again.
local cordon = require "kubectl.cordon"

return {
    summary = "open nodes to new pods again",
    usage = "NODE… | -l SELECTOR [flags]",
    examples = { "todo-lua kube uncordon node-1" },
    flags = cordon.flags,
    run = function(session, options, words) cordon.run(session, options, words, false) end,
}
