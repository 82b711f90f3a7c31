-- tar archives (ustar with GNU's long names and sizes, pax headers on reading) as streams: one
-- block is held at a time.
local fail = require "fail"

local tar_stream = {}

local BLOCK = 512
local EMPTY = ("\0"):rep(BLOCK)
local MOST_META = 1 << 20 -- bytes of a long name or a pax header

---@class todo.TarEntry
---@field name string
---@field type "file"|"dir"|"link"|"hardlink"|"other"
---@field size integer bytes that follow
---@field mode integer permission bits
---@field mtime integer?
---@field uid integer?
---@field gid integer?
---@field target string? of a link

local codes = { file = "0", hardlink = "1", link = "2", dir = "5" }
local types = { ["0"] = "file", ["\0"] = "file", ["7"] = "file", ["1"] = "hardlink", ["2"] = "link", ["5"] = "dir" }

-- ---- writing ----

local function octal(value, width)
    local text = ("%o"):format(value)
    if #text < width then return ("0"):rep(width - 1 - #text) .. text .. "\0" end
    return "\128" .. ("\0"):rep(width - 9) .. (">I8"):pack(value) -- GNU's base 256
end

local function block(name, code, entry, size)
    local head = (name .. ("\0"):rep(100)):sub(1, 100) .. octal(entry.mode & 4095, 8) .. octal(entry.uid or 0, 8)
        .. octal(entry.gid or 0, 8) .. octal(size, 12) .. octal(math.max(0, entry.mtime or 0), 12) .. "        " .. code
        .. ((entry.target or "") .. ("\0"):rep(100)):sub(1, 100) .. "ustar  \0"
    head = head .. ("\0"):rep(BLOCK - #head)
    local sum = 0
    for i = 1, BLOCK do sum = sum + head:byte(i) end
    return head:sub(1, 148) .. ("%06o\0 "):format(sum) .. head:sub(157)
end

---Zeros up to the next block.
---@param size integer
---@return string
function tar_stream.padding(size) return ("\0"):rep(-size % BLOCK) end

---The header of an entry; the content and its padding follow.
---@param entry todo.TarEntry
---@return string
function tar_stream.header(entry)
    local parts = {}
    local function long(code, text)
        if #text < 100 then return end
        parts[#parts + 1] = block("././@LongLink", code, { mode = 420 }, #text + 1) .. text .. "\0"
            .. tar_stream.padding(#text + 1)
    end
    local name = entry.type == "dir" and entry.name .. "/" or entry.name
    long("K", entry.target or "")
    long("L", name)
    parts[#parts + 1] = block(name, codes[entry.type], entry, entry.type == "file" and entry.size or 0)
    return table.concat(parts)
end

---What ends an archive.
tar_stream.END = EMPTY .. EMPTY

-- ---- reading ----

local function number(field)
    if field:byte(1) & 0x80 ~= 0 then
        local value = field:byte(1) & 0x7f
        for i = 2, #field do value = value << 8 | field:byte(i) end
        return value
    end
    return tonumber(field:match("^ *([0-7]*)"), 8) or 0
end

local function text(field) return field:match("^[^\0]*") end

local function broken(why) fail.raise("parse", "the archive is broken: " .. why) end

local function check_sum(head)
    local sum = 8 * 32
    for i = 1, BLOCK do
        if i < 149 or i > 156 then sum = sum + head:byte(i) end
    end
    if sum ~= number(head:sub(149, 156)) then broken("a header's checksum is wrong") end
end

-- "LENGTH KEY=VALUE\n" records
local function pax_records(bytes)
    local records, at = {}, 1
    while at <= #bytes do
        local length = tonumber(bytes:match("^(%d+) ", at))
        if not length or length < 5 or at + length - 1 > #bytes then broken("a pax header is cut off") end
        local key, value = bytes:sub(at, at + length - 2):match("^%d+ ([^=]+)=(.*)$")
        if key then records[key] = value end
        at = at + length
    end
    return records
end

---@class todo.TarReader
---@field pull async fun(): string? more bytes, nil at the end
---@field finished boolean the archive's end was seen
local Reader = {}
Reader.__index = Reader

---@param pull async fun(): string?
---@return todo.TarReader
function tar_stream.reader(pull)
    return setmetatable({ pull = pull, held = "", at = 1, left = 0, pad = 0, finished = false }, Reader)
end

-- At most `most` bytes that are there, or come next.
local function some(self, most)
    while self.at > #self.held do
        local more = self.pull()
        if not more then broken("it ends too early") end
        self.held, self.at = more, 1
    end
    local bytes = self.held:sub(self.at, self.at + most - 1)
    self.at = self.at + #bytes
    return bytes
end

local function exactly(self, count)
    local parts = {}
    while count > 0 do
        local bytes = some(self, count)
        parts[#parts + 1], count = bytes, count - #bytes
    end
    return table.concat(parts)
end

local function skip(self, count)
    while count > 0 do count = count - #some(self, count) end
end

-- The content of a header that describes the next one.
local function meta(self, size)
    if size > MOST_META then broken("a header is too long") end
    local bytes = exactly(self, size)
    skip(self, -size % BLOCK)
    return bytes
end

local function entry_of(head, long)
    local name, prefix = text(head:sub(1, 100)), text(head:sub(346, 500))
    if head:sub(258, 263) == "ustar\0" and prefix ~= "" then name = prefix .. "/" .. name end
    local kind = types[head:sub(157, 157)] or "other"
    local size = tonumber(long.size) or number(head:sub(125, 136))
    if size < 0 then broken("an entry has a negative size") end
    name = long.path or name
    if kind == "file" and name:sub(-1) == "/" then kind = "dir" end
    return { name = name, type = kind, mode = number(head:sub(101, 108)) & 4095, mtime = number(head:sub(137, 148)),
        size = kind == "file" and size or 0, target = long.linkpath or text(head:sub(158, 257)) },
        (kind == "file" or kind == "other") and size or 0
end

---The next entry, what was not read of the one before skipped; nil at the archive's end.
---@async
---@return todo.TarEntry?
function Reader:next()
    skip(self, self.left + self.pad)
    self.left, self.pad = 0, 0
    local long = {}
    while true do
        local head = exactly(self, BLOCK)
        if head == EMPTY then
            self.finished = true
            return nil
        end
        check_sum(head)
        local code, size = head:sub(157, 157), number(head:sub(125, 136))
        if code == "L" then
            long.path = text(meta(self, size))
        elseif code == "K" then
            long.linkpath = text(meta(self, size))
        elseif code == "x" then
            for key, value in pairs(pax_records(meta(self, size))) do long[key] = value end
        elseif code == "g" then
            meta(self, size)
        else
            local entry, content = entry_of(head, long)
            self.left, self.pad = content, -content % BLOCK
            return entry
        end
    end
end

---Bytes of the entry's content; nil at its end.
---@async
---@return string?
function Reader:read()
    if self.left == 0 then return nil end
    local bytes = some(self, math.min(self.left, 1 << 20))
    self.left = self.left - #bytes
    return bytes
end

return tar_stream
