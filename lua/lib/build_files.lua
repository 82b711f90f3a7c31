-- What builds are given beside their sources (a company's CA bundle, a token, secrets), and the proof that no layer of
-- an image keeps any of it: what a later step removes is still in the layer of the step that brought it.
local dockerfile = require "dockerfile"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local proc = require "proc"
local secret = require "secret"
local tables = require "tables"
local tar_stream = require "tar_stream"
local task = require "task"

local build_files = {}

local CA_BUNDLE = ".todo-ca.crt"
local CA_MENTION = ".todo-ca" -- what a Dockerfile that uses it says, be it in a pattern
local SHORTEST_SECRET = 20 -- bytes of a word that is looked for by itself
local SHORTEST_WHOLE = 8 -- of a whole secret: anything shorter stands in many files by chance
local LONGEST_NEEDLE = 4096

---@class todo.BuildFiles
---@field contents table<string, string> by their names in the context
---@field secrets table<string, todo.Secret> by their ids
---@field needles { name: string, text: string }[] what betrays that a layer has the file, or the secret in it
---@field least integer bytes of the smallest layer that may have one

-- Public certificates only; without them a company's proxy makes every download inside a build fail.
local function ca_bundle(ctx)
    for _, path in ipairs { ctx.config.ca_bundle or false, os.getenv("SSL_CERT_FILE") or false,
        "/etc/ssl/certs/ca-certificates.crt" } do
        local bytes = path and fs.read(path)
        if bytes then return bytes end
    end
    return nil
end

-- A line of its own goes with the file wherever it is copied or appended to, and stands nowhere else. The formats that
-- builds read (PEM, npm's, pip's) take it for a comment.
local function add(given, name, bytes)
    local stamp = ("# todo-lua: for this build only, not for an image: %s %s"):format(name,
        secret.sha256(bytes):sub(1, 16))
    given.contents[name] = stamp .. "\n" .. bytes
    given.needles[#given.needles + 1] = { name = name, text = stamp }
    given.least = math.min(given.least, #bytes)
end

-- A token may go on without its file.
local function add_words(given, name, bytes)
    for word in bytes:gmatch("[^%s=\"']+") do
        if #word >= SHORTEST_SECRET and word:find("%d") and not word:find("//", 1, true) then
            given.needles[#given.needles + 1] = { name = name, text = word }
            given.least = math.min(given.least, #word)
        end
    end
end

local function read_file(setting, name, path)
    return fs.read(path) or fail.raise("not_found", ("%s does not exist"):format(path),
        ("%s[%q] names it in the configuration"):format(setting, name))
end

-- A secret is mounted as it is, so its own bytes are what betrays it.
local function add_secret(given, id, bytes)
    local whole = bytes:match("^%s*(.-)%s*$")
    if #whole > 0 and #whole < SHORTEST_WHOLE then
        fail.raise("unsupported", ("the secret %s has %d bytes: whether an image keeps it could not be told"):format(id,
            #whole), ("build_secrets take %d bytes or more"):format(SHORTEST_WHOLE))
    end
    given.secrets[id] = secret.new(bytes)
    if whole == "" then return end
    given.needles[#given.needles + 1] = { name = "the secret " .. id, text = whole:sub(1, LONGEST_NEEDLE) }
    given.least = math.min(given.least, #whole)
    add_words(given, "the secret " .. id, bytes)
end

---What the build of an image is given.
---@param ctx todo.Context
---@param image todo.Image
---@return todo.BuildFiles
function build_files.of(ctx, image)
    local given = { contents = {}, secrets = {}, needles = {}, least = math.maxinteger }
    local bundle = image.text:find(CA_MENTION, 1, true) and ca_bundle(ctx)
    if bundle then add(given, CA_BUNDLE, bundle) end
    for _, name in ipairs(tables.keys(ctx.config.build_files or {})) do
        local bytes = read_file("build_files", name, ctx.config.build_files[name])
        add(given, name, bytes)
        add_words(given, name, bytes)
    end
    for _, mount in ipairs(dockerfile.mounts(image.text)) do
        local known = mount.type ~= "secret" or given.secrets[mount.id]
        local path = not known and (ctx.config.build_secrets or {})[mount.id]
        if path then add_secret(given, mount.id, read_file("build_secrets", mount.id, path)) end
    end
    return given
end

-- ---- which layers have to be looked at ----

-- Marks of images that were looked at, by what was looked for.
local function marks(ctx, given)
    local texts = tables.map(given.needles, function(needle) return needle.text end)
    return fs.join(ctx.cache_dir, "checked-images", secret.sha256(table.concat(texts, "\n")):sub(1, 16))
end

local function mark_of(folder, id) return fs.join(folder, (id:gsub("^sha256:", ""))) end

-- Steps whose layers are large enough and not known to be clean, the newest first.
local function suspects(history, given, folder, base_ids)
    local list = {}
    for _, step in ipairs(history) do
        if base_ids[step.Id] or step.Id ~= "<missing>" and fs.exists(mark_of(folder, step.Id)) then break end
        if step.Size >= given.least then list[#list + 1] = step end
    end
    return list
end

-- ---- looking ----

local function drain(pull)
    while pull() do end
end

-- Calls use(pull) with a pull function of what the compressed bytes hold.
local function unpacked(pull, use)
    local process <close> = proc.spawn({ "gzip", "-dc" }, { stdin = "pipe", stderr = "null" })
    task.all {
        function()
            for bytes in pull do process:write(bytes) end
            process:close_stdin()
        end,
        function()
            local function read() return process:read() end
            use(read)
            drain(read)
        end,
    }
    if process:wait() ~= 0 then fail.raise("parse", "a layer of the image is broken") end
end

local function search_text(pull, needles, where)
    local longest = 0
    for _, needle in ipairs(needles) do longest = math.max(longest, #needle.text) end
    local rest = ""
    for bytes in pull do
        local text = rest .. bytes
        for _, needle in ipairs(needles) do
            if text:find(needle.text, 1, true) then error({ leak = needle.name, where = where }, 0) end
        end
        rest = text:sub(-longest)
    end
end

local search_layer

-- Looks into the layer, or the text, that a pull function gives.
local function search(pull, needles, where)
    local first = ""
    while #first < 512 do
        local bytes = pull()
        if not bytes then break end
        first = first .. bytes
    end
    local function whole()
        local bytes = first
        if bytes then
            first = nil
            return bytes
        end
        return pull()
    end
    if first:sub(1, 2) == "\x1f\x8b" then
        unpacked(whole, function(inner) search(inner, needles, where) end)
    elseif first:sub(1, 4) == "\x28\xb5\x2f\xfd" then
        error({ unreadable = "its layers are compressed with zstd" }, 0)
    elseif first:sub(258, 262) == "ustar" then
        search_layer(whole, needles)
    else
        search_text(whole, needles, where)
    end
end

function search_layer(pull, needles)
    local reader = tar_stream.reader(pull)
    for entry in reader.next, reader do
        if entry.size > 0 then
            search_text(function() return reader:read() end, needles, "/" .. entry.name:gsub("^%./", ""))
        end
    end
    drain(pull)
end

---Looks for the files in every layer, and in the configuration, of images in a docker archive.
---@async
---@param pull async fun(): string? bytes of the archive
---@param given todo.BuildFiles
---@return { name: string, where: string }? leak
function build_files.find(pull, given)
    local reader = tar_stream.reader(pull)
    local ok, problem = pcall(function()
        for entry in reader.next, reader do
            if entry.size > 0 then search(function() return reader:read() end, given.needles, "its configuration") end
        end
    end)
    if ok then return nil end
    if type(problem) == "table" and problem.leak then return { name = problem.leak, where = problem.where } end
    if type(problem) == "table" and problem.unreadable then
        fail.raise("unsupported", problem.unreadable)
    end
    error(problem, 0)
end

local function refuse(image, name, where)
    fail.raise("leak", ("image %s keeps what only its build was given: %s is in %s"):format(image.name, name, where),
        "use it in an earlier stage only; removing it in a later step leaves it in a layer")
end

local function names(given)
    local seen = {}
    for _, needle in ipairs(given.needles) do seen[needle.name] = true end
    return table.concat(tables.keys(seen), ", ")
end

-- Labels, environment and commands.
local function check_configuration(image, id, history, given)
    local text = json.encode({ image.client:image(id).Config, history })
    for _, needle in ipairs(given.needles) do
        if text:find(needle.text, 1, true) then refuse(image, needle.name, "its configuration") end
    end
end

local function look(ctx, image, id, given, base_ids)
    local folder = marks(ctx, given)
    local history = image.client:history(id)
    check_configuration(image, id, history, given)
    local list = suspects(history, given, folder, base_ids)
    if #list == 0 then return end
    local ok, leak = pcall(function()
        local stream <close> = image.client:export(id)
        return build_files.find(function() return stream:read() end, given)
    end)
    if not ok then
        fail.raise(fail.kind(leak) or "unsupported", ("cannot tell whether image %s keeps %s: %s"):format(image.name,
            names(given), fail.message(leak)),
            "an image whose layers cannot be looked at is not used", { cause = leak })
    elseif leak then
        refuse(image, leak.name, leak.where)
    end
    fs.mkdir(folder)
    for _, clean in ipairs { id, list[1].Id } do
        if clean ~= "<missing>" then fs.write(mark_of(folder, clean), "") end
    end
end

-- ---- the cache ----

-- A note of the secrets that an image was built with.
local function note_of(ctx, image, given)
    local parts = tables.map(tables.keys(given.secrets), function(id)
        return id .. "=" .. secret.sha256(given.secrets[id])
    end)
    return fs.join(ctx.cache_dir, "built-secrets", image.name), secret.sha256(table.concat(parts, "\n"))
end

---Whether the engine's cache may have steps that were given other secrets than these: BuildKit takes a step for the
---same whatever its secrets are, and what such a step left behind would not be found by looking for these.
---@param ctx todo.Context
---@param image todo.Image
---@param given todo.BuildFiles
---@return boolean
function build_files.distrusts_cache(ctx, image, given)
    if not next(given.secrets) then return false end
    local path, hash = note_of(ctx, image, given)
    return fs.read(path) ~= hash
end

---Raises "leak" where a layer of an image just built has one of the files or secrets, "unsupported" where nobody can
---tell.
---Layers that are too small for it, or were looked at before, cost nothing.
---@async
---@param ctx todo.Context
---@param image todo.Image
---@param id string of what was built
---@param given todo.BuildFiles
---@param base_ids table<string, true> images that it starts from
function build_files.check(ctx, image, id, given, base_ids)
    if #given.needles > 0 then look(ctx, image, id, given, base_ids) end
    if not next(given.secrets) then return end
    local path, hash = note_of(ctx, image, given)
    fs.mkdir(fs.dirname(path))
    fs.write(path, hash)
end

return build_files
