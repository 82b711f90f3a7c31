-- Proves the stack's URL and opens it in a browser. Where no address of the cluster answers from this machine, keeps a
-- forwarder open.
local cli = require "cli"
local cluster = require "cluster"
local fail = require "fail"
local log = require "log"
local proc = require "proc"
local project = require "project"
local stack = require "stack"
local term = require "term"
local url = require "url"

local options = cli.parse {
    name = "open",
    summary = "Proves that the stack's URL answers and opens it in a browser.",
    options = { { "url", help = "only print the URL" } },
    groups = { "cluster", "values" },
}

local ctx = project.open(options)
cluster.require_running(ctx)
stack.values(ctx)
local address, tried, forwarder = url.prove(ctx)
ctx.board:close()
for _, proof in ipairs(options.url and {} or url.losers(tried)) do log.info("not %s: %s", proof.url, proof.why) end
if forwarder and options.url then
    forwarder:close()
    fail.raise("not_ready", "no address of the cluster answers on this machine",
        ("todo-lua open keeps %s open with a forwarder of our own"):format(address))
end
log.result("%s", address)
if forwarder then
    log.info("No address of the cluster answers here: a forwarder of our own leads to the pods, until Ctrl-C.")
end

local function opener()
    local platform = proc.platform()
    if platform.os == "darwin" then return { "open", address } end
    if platform.wsl and proc.which("wslview") then return { "wslview", address } end
    if platform.wsl and proc.which("cmd.exe") then return { "cmd.exe", "/c", "start", address } end
    local has_display = os.getenv("DISPLAY") or os.getenv("WAYLAND_DISPLAY")
    if has_display and proc.which("xdg-open") then return { "xdg-open", address } end
    return nil
end

if not options.url and term.is_tty("stdout") then
    local argv = opener()
    if argv then
        proc.spawn(argv, { stdin = "null", stdout = "null", stderr = "null", detached = true })
    else
        log.info("no browser can be started from here: open the address yourself")
    end
end
if forwarder then forwarder:wait() end
