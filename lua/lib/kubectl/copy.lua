-- Files to and from a container, streamed through its own tar.
local fail = require "fail"
local fs = require "fs"
local tar_stream = require "tar_stream"
local task = require "task"

local pod_copy = {}

local PIECE = 256 << 10

---@class todo.CopyPlace
---@field client todo.K8s
---@field pod string
---@field namespace string
---@field container string?

---@class todo.CopyOptions
---@field no_preserve boolean? upload: owner and mode are not kept
---@field retries integer? download: how often a broken stream is taken up where it ended; negative: without end
---@field warn fun(text: string)?
---@field said fun(text: string)? what tar itself says

local function exec(place, command, stdin)
    return place.client:exec(place.pod, { namespace = place.namespace, container = place.container, command = command,
        stdin = stdin })
end

-- "/a//b/../c/" is "/a/c"; "" is ".".
local function clean(path)
    local parts, rooted = {}, path:sub(1, 1) == "/"
    for part in path:gmatch("[^/]+") do
        if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
            parts[#parts] = nil
        elseif part ~= "." and not (part == ".." and rooted) then
            parts[#parts + 1] = part
        end
    end
    local text = (rooted and "/" or "") .. table.concat(parts, "/")
    return text == "" and "." or text
end

local function split(path)
    local folder, name = path:match("^(.*)/([^/]*)$")
    if not folder then return ".", path end
    return folder == "" and "/" or folder, name
end

local function failed_command(status, words)
    fail.raise("exit", ("command terminated with exit code %d"):format(status), words ~= "" and words or nil,
        { exit_status = status })
end

-- ---- to the pod ----

local function send_file(session, path, size)
    local file <close> = assert(io.open(path, "rb"))
    local left = size
    while left > 0 do
        local bytes = file:read(math.min(PIECE, left))
        if not bytes then fail.raise("io", path .. " became shorter while it was copied") end
        session:write(bytes)
        left = left - #bytes
    end
    session:write(tar_stream.padding(size))
end

local function send_tree(session, path, name, warn)
    local stat = fs.stat(path, false)
    if not stat then fail.raise("not_found", path .. " vanished while it was copied") end
    local entry = { name = name, type = stat.type, size = stat.size, mode = stat.mode, uid = stat.uid, gid = stat.gid,
        mtime = math.floor(stat.mtime), target = stat.type == "link" and fs.readlink(path) or nil }
    if stat.type == "file" then
        session:write(tar_stream.header(entry))
        send_file(session, path, stat.size)
    elseif stat.type == "dir" then
        local names = fs.list(path)
        if #names == 0 then session:write(tar_stream.header(entry)) end -- the others come by their files
        for _, child in ipairs(names) do send_tree(session, path .. "/" .. child, name .. "/" .. child, warn) end
    elseif stat.type == "link" then
        session:write(tar_stream.header(entry))
    elseif warn then
        warn(("warning: skipping %s: it is no file, folder or link"):format(path))
    end
end

---Copies a file or a folder into the container; into the folder `target` where there is one.
---@async
---@param place todo.CopyPlace
---@param source string
---@param target string
---@param options todo.CopyOptions?
function pod_copy.upload(place, source, target, options)
    options = options or {}
    if not fs.stat(source) then fail.raise("not_found", source .. " doesn't exist in local filesystem") end
    source, target = clean(source), clean(target)
    local real = source:match("[^/]*$")
    if real == "." or real == ".." then real = fs.basename(fs.realpath(source)) end
    local check <close> = exec(place, { "test", "-d", target })
    if check:wait() == 0 then target = (target == "/" and "" or target) .. "/" .. real end
    local folder, name = split(target)
    local command = { "tar", "-xmf", "-", "-C", folder }
    if options.no_preserve then
        command = { "tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-", "-C", folder }
    end
    local session <close> = exec(place, command, true)
    local words = {}
    local listener = task.spawn(function()
        for _, bytes in function() return session:read() end do
            words[#words + 1] = #words < 100 and bytes or nil
            if options.said then options.said(bytes) end
        end
    end)
    local ok, problem = pcall(function()
        send_tree(session, source, name, options.warn)
        session:write(tar_stream.END)
        session:close_stdin()
    end)
    if not ok and fail.kind(problem) ~= "closed" then error(problem, 0) end
    listener:wait()
    local status = session:wait()
    if status ~= 0 then failed_command(status, not options.said and table.concat(words) or "") end
    if not ok then error(problem, 0) end
end

-- ---- from the pod ----

---@class todo.CopySource a remote tar's output, taken up again where it broke off
local Source = {}
Source.__index = Source

local function open_source(self)
    local command = { "tar", "cf", "-", self.path }
    if self.count > 0 then
        local quoted = "'" .. self.path:gsub("'", "'\\''") .. "'"
        command = { "sh", "-c", ("tar cf - %s | tail -c+%d"):format(quoted, self.count + 1) }
    end
    self.session = exec(self.place, command)
    self.words = {}
end

-- Why the stream ended; nil where tar ended well.
local function how_it_ended(self)
    local ok, status = pcall(self.session.wait, self.session)
    self.session:close()
    if not ok then return status end
    if status ~= 0 then failed_command(status, not self.options.said and table.concat(self.words) or "") end
end

function Source:pull()
    while true do
        local ok, stream, bytes = pcall(self.session.read, self.session)
        if ok and stream == "stdout" then
            self.count = self.count + #bytes
            return bytes
        elseif ok and stream then
            if #self.words < 100 then table.insert(self.words, bytes) end
            if self.options.said then self.options.said(bytes) end
        else
            local why = how_it_ended(self) or not ok and stream
            if self.reader.finished and not why then return nil end
            local limit = self.options.retries or 0
            if limit >= 0 and self.tries >= limit then
                error(why or fail.new("closed", ("the copy broke off after %d bytes"):format(self.count)), 0)
            end
            self.tries = self.tries + 1
            if self.options.warn then
                self.options.warn(("Resuming copy at %d bytes, retry %d/%d"):format(self.count, self.tries, limit))
            end
            open_source(self)
        end
    end
end

local function receive_file(reader, path, mode)
    local file, why = io.open(path, "wb")
    if not file then fail.raise("io", "cannot write " .. why) end
    local ok, problem = pcall(function()
        for bytes in function() return reader:read() end do
            local done, reason = file:write(bytes)
            if not done then fail.raise("io", ("cannot write %s: %s"):format(path, reason)) end
        end
    end)
    local closed, reason = file:close()
    if ok and closed then
        fs.chmod(path, mode & 511)
        return
    end
    fs.remove(path) -- a part of a file looks like a file
    error(not ok and problem or fail.new("io", ("cannot write %s: %s"):format(path, reason)), 0)
end

-- The path below the target that an entry's name means; nil where it would lie outside.
local function inside(target, name)
    for part in name:gmatch("[^/]+") do
        if part == ".." then return nil end
    end
    if name:find("\0", 1, true) then return nil end
    local rest = clean(name:gsub("^/+", ""))
    return rest == "." and target or target .. "/" .. rest
end

local function receive_entry(self, entry, prefix, target)
    local warn = self.options.warn or function() end
    if entry.name:sub(1, #prefix) ~= prefix or prefix == "" and entry.name:sub(1, 1) == "/" then
        fail.raise("parse", "tar contents corrupted")
    end
    local path = inside(target, entry.name:sub(#prefix + 1))
    if not path then
        warn(("warning: file %q is outside target destination, skipping"):format(entry.name))
        return
    end
    if entry.type == "link" then
        warn(("warning: skipping symlink: %q -> %q"):format(path, entry.target))
        return
    elseif entry.type == "other" then
        warn(("warning: skipping %q: it is no file or folder"):format(path))
        return
    end
    fs.mkdir((split(path)))
    if entry.type == "dir" then
        fs.mkdir(path)
        return
    end
    local there = fs.stat(path)
    if path == target and there and there.type == "dir" then path = target .. "/" .. entry.name:match("[^/]*$") end
    if entry.type == "hardlink" then
        local first = self.received[entry.target]
        if not first then fail.raise("parse", "tar contents corrupted") end
        local from <close> = assert(io.open(first, "rb"))
        receive_file({ read = function() return from:read(PIECE) end }, path, entry.mode)
    else
        receive_file(self.reader, path, entry.mode)
    end
    self.received[entry.name] = path
end

---Copies a file or a folder out of the container. Links are left out, and nothing is written outside of `target`.
---@async
---@param place todo.CopyPlace
---@param source string
---@param target string
---@param options todo.CopyOptions?
function pod_copy.download(place, source, target, options)
    local self = setmetatable({ place = place, path = source, options = options or {}, count = 0, tries = 0,
        received = {} }, Source)
    local prefix = clean(source):gsub("^/", "")
    while prefix:sub(1, 3) == "../" do prefix = prefix:sub(4) end
    if prefix == "." or prefix == ".." then prefix = "" end
    target = clean(target)
    self.reader = tar_stream.reader(function() return self:pull() end)
    open_source(self)
    local guard <close> = setmetatable({}, { __close = function() self.session:close() end }) -- luacheck: ignore guard
    for entry in function() return self.reader:next() end do receive_entry(self, entry, prefix, target) end
    while self:pull() do end -- the padding, and tar's exit status
end

return pod_copy
