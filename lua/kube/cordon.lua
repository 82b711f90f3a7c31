-- todo-lua kube cordon: close nodes to new pods.
local cordon = require "kubectl.cordon"

return {
    summary = "close nodes to new pods",
    usage = "NODE… | -l SELECTOR [flags]",
    examples = { "todo-lua kube cordon node-1" },
    flags = cordon.flags,
    run = function(session, options, words) cordon.run(session, options, words, true) end,
}
