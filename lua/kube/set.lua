-- todo-lua kube set: changes what workloads run, and whom objects point to. The commands are in lua/lib/kubectl/set/.
local references = require "kubectl.set.references"

return {
    summary = "change what workloads run",
    usage = "image|env|resources|serviceaccount|selector|subject TYPE/NAME … [flags]",
    commands = {
        image = require "kubectl.set.image", env = require "kubectl.set.env",
        resources = require "kubectl.set.resources",
        serviceaccount = references.serviceaccount, selector = references.selector, subject = references.subject,
    },
}
