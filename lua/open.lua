-- Proves the stack's URL and opens it in a browser.
local cli = require "cli"
local cluster = require "cluster"
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
    groups = { "cluster" },
}

local ctx = project.open(options)
cluster.require_running(ctx)
stack.values(ctx)
local address = url.prove(ctx)
ctx.board:close()
log.result("%s", address)

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
