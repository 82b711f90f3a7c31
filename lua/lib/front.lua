-- Where a deploy ends: the step that proves the addresses of the stack's front, and the words that close the run.
local ingress = require "ingress"
local log = require "log"
local steps = require "steps"
local term = require "term"
local url = require "url"

local front = {}

---Proves the URL, and the host of the Ingress where there is one; keeps what was found in the context (url, forwarded,
---losers, ingress).
---@async
---@param ctx todo.Context
---@return boolean changed
---@return string text
function front.prove(ctx)
    local address, proofs, forwarder = url.prove(ctx)
    local losers, proof = url.losers(proofs)
    ctx.url, ctx.losers, ctx.forwarded = address, losers, forwarder ~= nil
    if forwarder then forwarder:close() end
    ctx.ingress = ingress.ensure(ctx)
    local named = ctx.ingress and ctx.ingress.url .. " answers, " or ""
    local text = forwarder and " answers while `todo-lua open` runs: no address of the cluster does" or " answers"
    return false, named .. address .. text .. (proof.pod and "" or "; its page does not tell whose it is")
end

-- Where no address of the cluster answers, the stack is open as long as this runs.
local function open_command(options)
    local words = { "todo-lua open" }
    for _, name in ipairs { "cluster", "context", "namespace", "release" } do
        if options[name] then words[#words + 1] = ("--%s %s"):format(name, options[name]) end
    end
    return table.concat(words, " ")
end

---Says what a deploy has come to: the result is the address, or the command that opens the stack where none answers.
---@param ctx todo.Context
---@param report { changed: boolean, seconds: number }
function front.tell(ctx, report)
    log.info("%s", steps.summary(report))
    for _, proof in ipairs(ctx.losers or {}) do log.info("not %s: %s", proof.url, proof.why) end
    if ctx.ingress and not ctx.ingress.resolves then
        log.info("%s needs this line in /etc/hosts: %s", ctx.ingress.url, ctx.ingress.hosts_line)
    end
    log.result("%s", term.style("bold", ctx.forwarded and open_command(ctx.options) or ctx.url or ""))
end

return front
