-- --raw of create, replace and delete: a file to a path of the server, the answer to standard output.
local fs = require "fs"
local kube_errors = require "kubectl.errors"

local raw = {}

local function check(options, words, needs_file)
    local files = options.filename or {}
    kube_errors.raise_first {
        { #words > 0, "arguments may not be passed when --raw is specified" },
        { options.edit, "--raw and --edit are mutually exclusive" },
        { needs_file and #files == 0, "must specify one of -f and -k" },
        { #files > 1, "--raw can only use a single local file or stdin" },
        { files[1] and files[1]:find("^https?://"), "--raw cannot read from a url" },
        { options.recursive, "--raw and --recursive are mutually exclusive" },
        { options.selector, "--raw and --selector (-l) are mutually exclusive" },
        { (options.output or "") ~= "", "--raw and --output are mutually exclusive" },
        { not options.raw:find("^/"), ('--raw must be a valid URL path: parse %q: invalid URI for request'):format(
            options.raw) },
    }
end

local function body_of(path)
    if path == "-" then return io.stdin:read("a") end
    return fs.read(path) or kube_errors.raise(("open %s: no such file or directory"):format(path))
end

---@async
---@param session todo.KubeSession
---@param method "POST"|"PUT"|"DELETE"
---@param options table raw, filename
---@param words string[]
function raw.send(session, method, options, words)
    check(options, words, method ~= "DELETE")
    local file = (options.filename or {})[1]
    io.write((session:writer():request(method, options.raw, { text = true, body = file and body_of(file),
        headers = { ["Content-Type"] = "application/json" } })))
end

return raw
