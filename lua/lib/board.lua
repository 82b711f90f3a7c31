-- Live lines at the bottom of the terminal, one for each thing that is going on. Finished lines stay above them. Where
-- stdout is no terminal the same calls give plain lines: one when a thing starts, one when it ends.
local format = require "format"
local log = require "log"
local task = require "task"
local term = require "term"

local FRAMES = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" }
local REDRAW_SECONDS = 0.08
local TICK_SECONDS = 0.12
local NAME_COLUMNS = 10
local BAR_COLUMNS = 20
-- A plain line for progress that goes on, so that a log shows life without being flooded.
local PLAIN_SECONDS = 15
local PLAIN_COLUMNS = 100 -- of what a program says of its work

local Board = {}
Board.__index = Board

local Line = {}
Line.__index = Line

local board = {}

---@class todo.BoardOptions
---@field live boolean? live lines at all; default: the log's stream is a terminal and the log is not quiet
---@field write fun(text: string)? default: the log's stream
---@field columns (fun(): integer, integer)? default term.size
---@field now (fun(): number)? default task.now
---@field ticking boolean? keep the spinner moving with a task; default true

---@param options todo.BoardOptions?
---@return todo.Board
function board.new(options)
    options = options or {}
    local live = options.live
    if live == nil then live = term.is_tty(log.stream()) and not log.is_quiet() and os.getenv("TERM") ~= "dumb" end
    local self = setmetatable({
        live = live,
        write = options.write or log.write,
        columns = options.columns or term.size,
        now = options.now or task.now,
        lines = {},
        drawn = 0,
        frame = 1,
        last_draw = -1,
        suspended = 0,
    }, Board)
    if live then
        log.set_sink(function(text) self:print(text) end)
        if options.ticking ~= false then
            self.ticker = task.spawn(function() self:tick() end)
            task.defer(function() self:close() end)
        end
    end
    return self
end

function Board:tick()
    while true do
        task.sleep(TICK_SECONDS)
        if #self.lines > 0 then
            self.frame = self.frame % #FRAMES + 1
            self:draw()
        end
    end
end

local function pad(text, columns)
    return text .. (" "):rep(math.max(0, columns - term.width(text)))
end

local function bar(fraction)
    local filled = math.floor(math.min(1, math.max(0, fraction)) * BAR_COLUMNS + 0.5)
    return "[" .. ("█"):rep(filled) .. ("·"):rep(BAR_COLUMNS - filled) .. "]"
end

---Never wider than the terminal: a wrapped line could not be taken back.
local function live_text(self, line, columns)
    local seconds = self.now() - line.started
    local elapsed = seconds >= 2 and "  " .. format.duration(math.floor(seconds)) or ""
    local middle = line.fraction and ("%s %3.0f %%  %s"):format(bar(line.fraction), line.fraction * 100, line.text)
        or line.text
    local head = ("%s %s  "):format(FRAMES[self.frame], pad(line.name, NAME_COLUMNS))
    local room = columns - 1 - term.width(head) - term.width(elapsed)
    if room < 1 then return term.truncate(head .. middle, math.max(1, columns - 1)) end
    return head .. term.truncate(middle, room) .. (elapsed ~= "" and term.style("dim", elapsed) or "")
end

local function erase(self)
    if self.drawn == 0 then return "" end
    local up = self.drawn > 1 and ("\27[%dA"):format(self.drawn - 1) or ""
    self.drawn = 0
    return "\r" .. up .. "\27[J"
end

---Draws the live lines anew; calls that come too soon after the last one are left to the next.
---@param force boolean?
function Board:draw(force)
    if not self.live or self.suspended > 0 then return end
    if term.is_lent() then return self.write(erase(self)) end
    local now = self.now()
    if not force and now - self.last_draw < REDRAW_SECONDS then return end
    self.last_draw = now
    local columns, rows = self.columns()
    local out = { erase(self) }
    local shown = math.min(#self.lines, math.max(1, rows - 2))
    for index = 1, shown do
        out[#out + 1] = (index > 1 and "\n" or "") .. live_text(self, self.lines[index], columns)
    end
    self.drawn = shown
    self.write(table.concat(out))
end

---Text above the live lines, for good.
---@param text string may hold newlines
function Board:print(text)
    if not self.live or self.drawn == 0 then
        self.write(text .. "\n")
        return
    end
    self.write(erase(self) .. text .. "\n")
    self:draw(true)
end

---Starts a line.
---@param name string short: "frontend"
---@param text string? what is being done
---@return todo.BoardLine
function Board:line(name, text)
    local line = setmetatable({
        board = self, name = name, text = text or "", started = self.now(), said_at = self.now(),
    }, Line)
    self.lines[#self.lines + 1] = line
    if self.live then self:draw(true)
    elseif text and not log.is_quiet() then self.write(("  %s  %s\n"):format(pad(name, NAME_COLUMNS), text)) end
    return line
end

---Says what the line's subject does now.
---@param text string first line of it is shown
---@param fraction number? 0..1 shows a bar
function Line:set(text, fraction)
    self.text = term.clean(text):match("^[^\n]*"):gsub("\t", " ")
    self.fraction = fraction
    local owner = self.board
    if owner.live then
        owner:draw()
    elseif owner.now() - self.said_at >= PLAIN_SECONDS and not log.is_quiet() then
        self.said_at = owner.now()
        local share = fraction and ("%3.0f %%  "):format(fraction * 100) or ""
        owner.write(("  %s  %s%s (%s)\n"):format(pad(self.name, NAME_COLUMNS), share,
            term.truncate(self.text, PLAIN_COLUMNS),
            format.duration(owner.now() - self.started)))
    end
end

local function finish(line, mark, text)
    if line.ended then return end
    line.ended = true
    local owner = line.board
    for index, other in ipairs(owner.lines) do
        if other == line then table.remove(owner.lines, index) break end
    end
    local erased = owner.live and erase(owner) or ""
    local visible = mark ~= nil and (not log.is_quiet() or line.failed)
    local said = visible and ("%s %s  %s\n"):format(mark, pad(line.name, NAME_COLUMNS), text) or ""
    if erased ~= "" or said ~= "" then owner.write(erased .. said) end
    if #owner.lines > 0 then owner:draw(true) end
end

local function with_time(line, text)
    local seconds = line.board.now() - line.started
    if seconds < 1 then return text end
    return text .. term.style("dim", "  " .. format.duration(seconds))
end

---Done, and something was changed.
---@param text string
function Line:done(text) finish(self, term.style("green", "✓"), with_time(self, text)) end
---Done, and there was nothing to change.
---@param text string
function Line:same(text) finish(self, term.style("dim", "="), text) end
---@param text string
function Line:warn(text) finish(self, term.style("yellow", "!"), with_time(self, text)) end
---@param text string
function Line:fail(text)
    self.failed = true
    finish(self, term.style("red", "✗"), with_time(self, text))
end
---Takes the line away without a word.
function Line:drop() finish(self, nil, "") end

---Seconds since the line started.
---@return number
function Line:seconds() return self.board.now() - self.started end

---Clears the live lines while something else owns the terminal (a prompt, a child with its own output).
function Board:suspend()
    self.suspended = self.suspended + 1
    if self.live and self.drawn > 0 then self.write(erase(self)) end
end

function Board:resume()
    self.suspended = math.max(0, self.suspended - 1)
    if #self.lines > 0 then self:draw(true) end
end

---Ends the live region; lines that are still open vanish.
function Board:close()
    if self.closed then return end
    self.closed = true
    if self.live then
        if self.drawn > 0 then self.write(erase(self)) end
        log.set_sink(nil)
    end
    self.lines = {}
    if self.ticker then self.ticker:cancel() end
end
Board.__close = Board.close

return board
