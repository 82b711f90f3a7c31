-- What a build compiles into the files that browsers load: its public arguments, recorded in a label, and the addresses
-- that are found in those files.
local fail = require "fail"
local format = require "format"
local fs = require "fs"
local inner_hosts = require "inner_hosts"
local json = require "json"
local log = require "log"
local tar_stream = require "tar_stream"
local url = require "url"

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

---Puts the right address into the argument that holds the stack's, where the one given cannot be right; warns where it
---is unknown whether users open the stack there.
---@async
---@param ctx todo.Context
---@param image todo.Image
function browser_bundle.settle_url(ctx, image)
    if not ctx.provider then return end
    local name = image.browser and image.browser.url
    local given = name and image.args[name]
    local origin = given and given:match("^%w[%w+.-]*://[^/]+")
    if not origin then return end
    local origins = url.origins(ctx)
    for _, one in ipairs(origins) do
        -- An address of this machine is wrong where users open the stack at a node's.
        if one == origin and (not url.is_loopback(one) or url.is_loopback(origins[1])) then return end
    end
    if url.is_loopback(origin) then
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
            local address = scheme .. "://" .. host:gsub("[:.]$", ""):lower()
            if not seen[address] then
                seen[address] = true
                add(address)
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
            local function add(address) found[#found + 1] = { file = entry.name, url = address } end
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

local function source_of(image, address)
    for _, name in ipairs(image.browser.args) do
        local value = tostring(image.args[name] or ""):lower()
        if value:sub(1, #address) == address and not value:find("^[%w.:-]", #address + 1) then
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
    local inner, findings = inner_hosts.of(ctx), {}
    for _, one in ipairs(known.urls) do
        local host, port = one.url:match("^%w+://([^:]+):?(%d*)$")
        local why = host and inner_hosts.why(host, port, inner)
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
