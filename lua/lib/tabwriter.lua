-- Columns as Go's tabwriter aligns them: cells that end with a tab line up with the cells above and below them, for as
-- long as neighbouring lines have that column. kubectl prints all its tables so.
local tabwriter = {}

---@class todo.TabWriter
local Writer = {}
Writer.__index = Writer

---@param write fun(text: string)
---@param options { min: integer?, padding: integer?, remember: boolean? }? default: kubectl's tables (6, 3, and widths
---that later blocks keep); { min = 0, padding = 2, remember = false } is kubectl's describe
---@return todo.TabWriter
function tabwriter.new(write, options)
    options = options or {}
    return setmetatable({ write = write, min = options.min or 6, padding = options.padding or 3,
        remember = options.remember ~= false, lines = {}, widest = {} }, Writer)
end

---@param text string one line, cells separated by tabs
function Writer:line(text) self.lines[#self.lines + 1] = text end

---Any text; lines that are not complete are completed by what follows.
---@param text string
function Writer:text(text)
    text = (self.rest or "") .. text
    local at = 1
    for line, after in text:gmatch("([^\n]*)\n()") do
        self:line(line)
        at = after
    end
    self.rest = text:sub(at)
end

---Forgets the widths of what was written before.
function Writer:forget() self.widest = {} end

local function split(line)
    local cells = {}
    for cell in (line .. "\t"):gmatch("([^\t]*)\t") do cells[#cells + 1] = cell end
    return cells
end

local function width_of(cell) return utf8.len(cell) or #cell end

local function put_lines(out, rows, first, last, widths)
    for i = first, last do
        local row = rows[i]
        for j = 1, #row do
            out[#out + 1] = row[j]
            local missing = widths[j] and widths[j] - width_of(row[j]) or 0
            if missing > 0 then out[#out + 1] = (" "):rep(missing) end
        end
        out[#out + 1] = "\n"
    end
end

-- Formats rows first..last, whose columns up to #widths have their width.
local function put_block(self, out, rows, first, last, widths)
    local column, at = #widths + 1, first
    while at <= last do
        if column >= #rows[at] then
            at = at + 1
        else
            put_lines(out, rows, first, at - 1, widths)
            first = at
            local width = self.min
            while at <= last and column < #rows[at] do
                width = math.max(width, width_of(rows[at][column]) + self.padding)
                at = at + 1
            end
            if self.remember then
                width = math.max(width, self.widest[column] or 0)
                self.widest[column] = width
            end
            widths[column] = width
            put_block(self, out, rows, first, at - 1, widths)
            widths[column] = nil
            first = at
        end
    end
    put_lines(out, rows, first, last, widths)
end

---Writes what has come so far.
function Writer:flush()
    local rest = self.rest
    if rest and rest ~= "" then self.lines[#self.lines + 1] = rest end
    if #self.lines == 0 then return end
    local rows, out = self.lines, {}
    for i, line in ipairs(rows) do rows[i] = split(line) end
    self.lines, self.rest = {}, nil
    put_block(self, out, rows, 1, #rows, {})
    local text = table.concat(out)
    if rest and rest ~= "" then text = text:sub(1, -2) end
    self.write(text)
end

return tabwriter
