-- Module term, and the redaction of what scripts print.
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"
local term = require "term"

local tests = {}

-- Runs a chunk in a process of its own; its output as bytes.
local function output_of(chunk, env)
    local child <close> = proc.spawn({ program.executable, "-e", chunk }, { stderr = "stdout", env = env })
    local parts = {}
    for part in function() return child:read() end do parts[#parts + 1] = part end
    child:wait()
    return table.concat(parts)
end

function tests.print_and_files_pass_the_redactor()
    local text = output_of [[
        local term = require "term"
        local s = require "secret".new "hunter22-password"
        print(s, s:reveal(), 1, nil)
        io.write("hunter22", "-password\n")
        io.stdout:write("hunter22-"):write("password", "\n")
        io.stdout:flush()
        term.write("hunter22-pass") term.write("word\n")
        io.stderr:write("hunter22-password\n")
    ]]
    lu.assertNotStrContains(text, "hunter22-password")
    local count = select(2, text:gsub("•••", ""))
    lu.assertEquals(count, 6)
    lu.assertStrContains(text, "•••\t•••\t1\tnil\n")
end

function tests.error_messages_pass_the_redactor()
    local text = output_of [[error("bad password " .. require "secret".new("hunter22-password"):reveal())]]
    lu.assertStrContains(text, "bad password •••")
end

function tests.held_back_text_comes_out_at_exit()
    lu.assertEquals(output_of [[require "secret".new "hunter22" require "term".write "hunt"]], "hunt")
end

function tests.held_back_text_comes_out_soon()
    local child <close> = proc.spawn({ program.executable, "-e", [[
        require "secret".new "hunter22"
        require "term".write "hunt"
        require "task".sleep(30)
    ]] }, {})
    lu.assertEquals(task.timeout(10, function() return child:read() end), "hunt")
    child:kill()
end

function tests.other_files_are_left_alone()
    local text = output_of [[
        require "secret".new "hunter22-password"
        local file = io.tmpfile()
        file:write("hunter22-password")
        file:seek("set")
        print(#file:read("a"))
    ]]
    lu.assertEquals(text, "17\n")
end

function tests.color_follows_environment_and_option()
    local chunk = [[print(require "term".style("red", "x"))]]
    lu.assertEquals(output_of(chunk), "x\n")
    lu.assertEquals(output_of(chunk, { CLICOLOR_FORCE = "1" }), "\27[31mx\27[0m\n")
    lu.assertEquals(output_of(chunk, { CLICOLOR_FORCE = "1", NO_COLOR = "1" }), "x\n")
end

function tests.size_without_terminal_is_of_the_environment()
    local text = output_of([[print(require "term".size())]], { COLUMNS = "100", LINES = "30" })
    if not term.is_tty "stdin" then lu.assertEquals(text, "100\t30\n") end
    local columns, rows = term.size()
    lu.assertTrue(columns > 0 and rows > 0)
end

function tests.width_and_truncate_count_columns()
    lu.assertEquals(term.width "a\27[1mé日\27[0m", 4)
    lu.assertEquals(term.truncate("hello!", 5), "hell…")
    lu.assertEquals(term.truncate("hello", 5), "hello")
    lu.assertEquals(term.truncate("hello", -1), "")
end

function tests.clean_removes_what_moves_the_cursor()
    lu.assertEquals(term.clean "a\27[2J\27]0;t\7b\r\8\tc\n\0", "ab\tc\n")
end

function tests.style_needs_a_known_name()
    lu.assertFalse(pcall(term.style, "pink", "x"))
end

-- util-linux' script plays the terminal.
local function on_terminal(chunk, input)
    local child <close> = proc.spawn({ "script", "-qec", ("'%s' -e '%s'"):format(program.executable, chunk),
        "/dev/null" }, { stdin = "pipe", stderr = "stdout" })
    local parts = {}
    return task.timeout(20, function()
        for part in function() return child:read() end do
            parts[#parts + 1] = part
            if input and part:find "?" then
                child:write(input)
                input = nil
            end
        end
        child:wait()
        return table.concat(parts)
    end)
end

function tests.prompt_reads_a_line()
    local text = on_terminal([[print("<" .. require "term".prompt "name? " .. ">")]], "some body\n")
    lu.assertStrContains(text, "<some body>")
end

function tests.prompt_hidden_does_not_echo()
    local text = on_terminal([[print(#require "term".prompt("password? ", { hidden = true }))]], "hunter22\n")
    lu.assertNotStrContains(text, "hunter22")
    lu.assertStrContains(text, "8")
end

function tests.prompt_without_terminal_is_nil()
    local child <close> = proc.spawn({ "setsid", "-w", program.executable, "-e",
        [[print(require "term".prompt "name? ")]] }, { stdin = "null" })
    lu.assertEquals(child:read(), "nil\n")
    child:wait()
end

function tests.cursor_is_shown_again_at_exit()
    local text = on_terminal [[require "term".cursor(false) error("end")]]
    lu.assertStrContains(text, "\27[?25l")
    lu.assertStrMatches(text, ".*\27%[%?25l.*\27%[%?25h.*")
end

return tests
