-- What a build compiles into the files that browsers load: its public arguments, recorded in a label, and the addresses
-- that are found in those files.
local fail = require "fail"
local format = require "format"
local fs = require "fs"
local json = require "json"
local log = require "log"
local stack = require "stack"
local tables = require "tables"
local tar_stream = require "tar_stream"

local browser_bundle = {}

local LABEL = "todo-lua.args"
local CACHE_VERSION = "1"
local MOST_BYTES = 512 * 1024 * 1024
local MOST_URLS = 1000
local LONGEST_HOST = 260 -- with its port
local LONGEST_ADDRESS = LONGEST_HOST + #"https://" -- what two pieces of a file may cut in two

---@class todo.BrowserFiles settings of an image whose files browsers load
---@field args string[] build arguments that are compiled into them, and so are public
---@field url string? the argument that holds the address under which users open the stack
---@field files string folder of those files in the image

---The public arguments as a label of the image.
---@param image todo.Image
---@return table<string, string> labels
function browser_bundle.labels(image)
    if not image.browser then return {} end
    local args = {}
    for _, name in ipairs(image.browser.args) do args[name] = image.args[name] end
    return { [LABEL] = json.encode(args) }
end

-- ---- the stack's address ----

local function host_of(origin)
    return origin:match("^%w[%w+.-]*://%[([%x:]+)%]") or origin:match("^%w[%w+.-]*://([^/:]*)")
end

local function is_loopback(host) return host == "localhost" or host == "::1" or host:find("^127%.") ~= nil end

-- Where a browser opens the stack. A cluster on another machine has no ports on this one.
local function open_origins(ctx)
    local origins = stack.origins(ctx)
    if ctx.provider.name ~= "context" then return origins end
    local remote = tables.filter(origins, function(origin) return not is_loopback(host_of(origin)) end)
    return #remote > 0 and remote or origins
end

---Puts the right address into the argument that holds the stack's, where the one given cannot be right; warns where it
---is unknown whether users open the stack there.
---@param ctx todo.Context
---@param image todo.Image
function browser_bundle.settle_url(ctx, image)
    if not ctx.provider then return end
    local name = image.browser and image.browser.url
    local given = name and image.args[name]
    local origin = given and given:match("^%w[%w+.-]*://[^/]+")
    if not origin then return end
    local origins = open_origins(ctx)
    for _, one in ipairs(origins) do
        if one == origin then return end
    end
    if is_loopback(host_of(origin)) then
        image.args[name] = origins[1] .. given:sub(#origin + 1)
        image.note = ("%s: %s is %s, but users open the stack at %s: it is built with that"):format(image.name, name,
            given, origins[1])
    else
        log.warn("%s: %s is %s, while this deploy opens the stack at %s; set images.%s.args.%s in todo.local.lua "
            .. "unless something of your own leads from there to here", image.name, name, given, origins[1],
            image.component, name)
    end
end

-- ---- addresses in files ----

local texts = { js = true, mjs = true, cjs = true, css = true, html = true, json = true, txt = true }

-- Adds the hosts of absolute addresses in the text; `seen` has those that were found before. One that ends with the
-- text may go on in what follows.
local function add_hosts(text, ends, seen, add)
    local at = 1
    while true do
        local from, to = text:find("://", at, true)
        if not from then return end
        local scheme = text:sub(math.max(1, from - 5), from - 1):lower():match("%a+$") or ""
        local host, stop = text:match("^([%w.-]+:?%d*)()", to + 1)
        scheme = scheme:match("https?$") or scheme:match("wss?$")
        if scheme and host and #host <= LONGEST_HOST and (ends or stop <= #text) then
            local url = scheme .. "://" .. host:gsub("[:.]$", ""):lower()
            if not seen[url] then
                seen[url] = true
                add(url)
            end
        end
        at = to + 1
    end
end

---Absolute addresses (scheme, host and port) in the text files of an archive.
---@async
---@param pull async fun(): string? bytes of a tar archive
---@return { file: string, url: string }[] found each address once for a file
---@return boolean complete false where the archive has more than is looked at
function browser_bundle.urls(pull)
    local found, total = {}, 0
    local reader = tar_stream.reader(pull)
    for entry in reader.next, reader do
        local extension = entry.name:match("%.(%w+)$")
        total = total + entry.size
        if total > MOST_BYTES or #found >= MOST_URLS then return found, false end
        if entry.type == "file" and texts[extension or ""] then
            local seen, rest = {}, ""
            local function add(url) found[#found + 1] = { file = entry.name, url = url } end
            for bytes in reader.read, reader do
                local text = rest .. bytes
                add_hosts(text, false, seen, add)
                rest = text:sub(-LONGEST_ADDRESS)
            end
            add_hosts(rest, true, seen, add)
        end
    end
    return found, true
end

local function look(client, image)
    local id = client:create { image = image.id, cmd = { "never-started" }, labels = { ["todo-lua.scan"] = "1" } }
    local ok, found, complete = pcall(function()
        local stream <close> = client:archive(id, image.browser.files)
        return browser_bundle.urls(function() return stream:read() end)
    end)
    client:remove(id, { force = true, volumes = true })
    if ok then return { urls = json.list(found), complete = complete } end
    if fail.kind(found) == "not_found" then return { missing = true, urls = json.list {}, complete = true } end
    error(found, 0)
end

-- An image's files never change: each is looked at once.
local function addresses(ctx, client, image)
    local folder = fs.join(ctx.cache_dir, "browser-files")
    local key = image.id:gsub("^sha256:", "") .. "-" .. image.browser.files:gsub("%W", "_") .. "-" .. CACHE_VERSION
    local path = fs.join(folder, key .. ".json")
    local text = fs.read(path)
    local ok, known = pcall(json.decode, text or "")
    if ok and type(known) == "table" and known.urls then return known end
    local result = look(client, image)
    fs.mkdir(folder)
    fs.write(path, json.encode(result))
    return result
end

local internal = {
    { "^host%.[%w-]+%.internal$", "a name that only containers know" },
    { "%.internal$", "a name of an inner network" },
    { "%.svc$", "a Service's name, known inside the cluster only" },
    { "%.svc%.", "a Service's name, known inside the cluster only" },
    { "%.cluster%.local$", "a name that is known inside the cluster only" },
    { "^0%.0%.0%.0$", "what a server listens on, not an address of one" },
}

---Why a browser cannot reach a host.
---@param url string scheme, host and port
---@param services table<string, true> names of Services
---@return string? why nil where it may
function browser_bundle.unreachable(url, services)
    local host, port = url:match("^%w+://([^:]+):?(%d*)$")
    if not host then return nil end
    for _, rule in ipairs(internal) do
        if host:find(rule[1]) then return rule[2] end
    end
    if host:find(".", 1, true) or host == "localhost" then return nil end
    if services[host] then return "a Service's name, known inside the cluster only" end
    -- Libraries parse addresses relative to one like http://n, which nobody asks; a port is a sign that somebody does.
    return port ~= "" and "a name without a domain, known inside the cluster at most" or nil
end

local function source_of(image, url)
    for _, name in ipairs(image.browser.args) do
        local value = tostring(image.args[name] or ""):lower()
        if value:sub(1, #url) == url and not value:find("^[%w.:-]", #url + 1) then
            return (" (build argument %s)"):format(name)
        end
    end
    return ""
end

---Warns of addresses in an image's browser files that no browser reaches.
---@async
---@param ctx todo.Context
---@param client todo.Docker that has the image
---@param image todo.Image built
---@return { file: string, url: string, why: string }[] findings
function browser_bundle.check(ctx, client, image)
    if not image.browser then return {} end
    local known = addresses(ctx, client, image)
    local services, findings = {}, {}
    for _, component in ipairs(ctx.config.components) do
        services[component], services[ctx.config.release .. "-" .. component] = true, true
    end
    for _, one in ipairs(known.urls) do
        local why = browser_bundle.unreachable(one.url, services)
        if why then findings[#findings + 1] = { file = one.file, url = one.url, why = why } end
    end
    for _, finding in ipairs(findings) do
        log.warn("%s: %s asks %s, which no browser reaches: %s%s", image.name,
            fs.join(fs.dirname(image.browser.files), finding.file), finding.url, finding.why,
            source_of(image, finding.url))
    end
    if known.missing then
        log.warn("%s has no folder %s: what browsers load was not checked; set images.%s.browser in todo.local.lua",
            image.name, image.browser.files, image.component)
    elseif not known.complete then
        log.warn("%s: not all of %s was checked (above %s, or %d addresses)", image.name, image.browser.files,
            format.size(MOST_BYTES), MOST_URLS)
    end
    return findings
end

return browser_bundle
