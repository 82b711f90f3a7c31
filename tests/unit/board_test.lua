-- Live lines, on a terminal played by the test and without one.
local board = require "board"
local lu = require "luaunit"

local tests = {}

-- A board on a screen of the test's own: what was written, a clock that moves by hand.
local function screen(live, columns)
    local self = { out = {}, clock = 100 }
    self.board = board.new {
        live = live, ticking = false,
        write = function(text) self.out[#self.out + 1] = text end,
        columns = function() return columns or 60, 24 end,
        now = function() return self.clock end,
    }
    function self.text() return table.concat(self.out) end
    function self.take()
        local text = self.text()
        self.out = {}
        return text
    end
    return self
end

-- What a terminal would show: carriage return, cursor up, clear to the end.
local function render(bytes)
    local rows, row = { "" }, 1
    local position = 1
    while position <= #bytes do
        local up = bytes:match("^\27%[(%d+)A", position)
        if up then
            row = row - tonumber(up)
            position = position + #up + 3
        elseif bytes:find("^\27%[J", position) then
            for index = #rows, row + 1, -1 do rows[index] = nil end
            rows[row] = ""
            position = position + 3
        elseif bytes:find("^\27%[[%d;]*m", position) then
            position = select(2, bytes:find("^\27%[[%d;]*m", position)) + 1
        else
            local char = bytes:match("^[%z\1-\127\194-\253][\128-\191]*", position)
            if char == "\n" then
                row = row + 1
                rows[row] = rows[row] or ""
            elseif char ~= "\r" then
                rows[row] = rows[row] .. char
            end
            position = position + #char
        end
    end
    return rows
end

function tests.live_several_lines_are_redrawn_in_place()
    local s = screen(true)
    local first, second = s.board:line("frontend", "step 1"), s.board:line("backend", "step 1")
    s.clock = 101
    first:set("step 2")
    s.clock = 102
    second:set("step 3")
    local rows = render(s.text())
    lu.assertEquals(#rows, 2)
    lu.assertStrContains(rows[1], "frontend    step 2")
    lu.assertStrContains(rows[2], "backend     step 3")
    s.board:close()
end

function tests.live_finished_line_stays_above_the_others()
    local s = screen(true)
    local first, second = s.board:line("frontend", "a"), s.board:line("backend", "b")
    s.clock = 105
    second:done("built")
    local rows = render(s.text())
    lu.assertStrContains(rows[1], "✓ backend     built")
    lu.assertStrContains(rows[1], "5.0 s")
    lu.assertStrContains(rows[2], "frontend    a")
    first:same("unchanged")
    rows = render(s.text())
    lu.assertStrContains(rows[2], "= frontend    unchanged")
    s.board:close()
end

function tests.live_line_is_never_wider_than_the_terminal()
    local s = screen(true, 30)
    local line = s.board:line("frontend", "x")
    s.clock = 200
    line:set(("long "):rep(40), 0.5)
    for _, row in ipairs(render(s.text())) do lu.assertTrue(utf8.len(row) <= 29, row) end
    s.board:close()
end

function tests.live_redraw_rate_is_bounded()
    local s = screen(true)
    local line = s.board:line("frontend", "x")
    s.take()
    for index = 1, 1000 do
        s.clock = s.clock + 0.001
        line:set("step " .. index)
    end
    lu.assertTrue(#s.out <= 13, #s.out .. " redraws in a second")
    lu.assertTrue(#s.out >= 8)
    s.board:close()
end

function tests.live_text_between_goes_above_the_lines()
    local s = screen(true)
    s.board:line("frontend", "busy")
    s.board:print("note")
    local rows = render(s.text())
    lu.assertEquals(rows[1], "note")
    lu.assertStrContains(rows[2], "busy")
    s.board:close()
end

function tests.live_suspended_board_leaves_the_terminal_alone()
    local s = screen(true)
    local line = s.board:line("frontend", "busy")
    s.board:suspend()
    s.take()
    s.clock = 110
    line:set("more")
    lu.assertEquals(s.take(), "")
    s.board:resume()
    lu.assertStrContains(s.take(), "more")
    s.board:close()
end

function tests.live_foreign_control_characters_do_not_reach_the_terminal()
    local s = screen(true)
    local line = s.board:line("frontend", "x")
    s.clock = 101
    s.take()
    line:set("evil\27[2Jtext\nsecond line")
    lu.assertNotStrContains(s.text(), "\27[2J")
    lu.assertNotStrContains(s.text(), "second line")
    s.board:close()
end

function tests.plain_start_and_end_are_one_line_each()
    local s = screen(false)
    local line = s.board:line("backend", "building")
    for index = 1, 50 do line:set("step " .. index) end
    s.clock = 108
    line:done("built")
    lu.assertEquals(s.text(), "  backend     building\n✓ backend     built  8.0 s\n")
    lu.assertNotStrContains(s.text(), "\27[")
end

function tests.plain_progress_is_short_however_much_a_program_says()
    local s = screen(false)
    local line = s.board:line("build", "begins")
    s.clock = s.clock + 20
    line:set(("word "):rep(200), 0.5)
    local said = s.text():match("[^\n]*\n$")
    lu.assertStrContains(said, "word word")
    lu.assertTrue(#said < 160, said)
end

function tests.plain_long_work_shows_life_now_and_then()
    local s = screen(false)
    local line = s.board:line("backend", "building")
    for _ = 1, 60 do
        s.clock = s.clock + 1
        line:set("compiling", 0.5)
    end
    line:fail("no")
    local _, count = s.text():gsub("compiling", "")
    lu.assertEquals(count, 4)
    lu.assertStrContains(s.text(), "50 %")
    lu.assertStrContains(s.text(), "✗ backend")
end

function tests.line_ends_once()
    local s = screen(false)
    local line = s.board:line("backend")
    line:done("one")
    line:fail("two")
    line:drop()
    lu.assertNotStrContains(s.text(), "two")
end

return tests
