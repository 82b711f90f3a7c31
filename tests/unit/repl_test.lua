-- The prompt: plain lines from a pipe, and editing on a real terminal.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"

local tests = {}
local dir

function tests.setup() dir = fs.tempdir() end

function tests.teardown() dir:close() end

local function piped(input, ...)
    return proc.run({ program.executable, ... }, { stdin = input, check = false, timeout = 30, cwd = dir.path })
end

-- Runs the prompt on a terminal; steps as tests/unit/terminal.py takes them.
local function on_terminal_with(env, ...)
    env.XDG_STATE_HOME, env.TERM = fs.join(dir.path, "state"), "xterm"
    return proc.run({ "python3", fs.join(program.project, "tests/unit/terminal.py"), program.executable, "--color=never" }, {
        stdin = table.concat({ ... }, "\n") .. "\n", check = false, timeout = 60, cwd = dir.path, env = env })
end

local function on_terminal(...) return on_terminal_with({ PAGER = "cat" }, ...) end

function tests.pipe_results_are_printed_readably()
    local result = piped("1 + 1\n'text', nil, { b = { 1, 2 }, a = true }\nx = 5\nx\n")
    lu.assertEquals(result.stdout, '2\n"text"\nnil\n{ a = true, b = { 1, 2 } }\n5\n')
    lu.assertEquals({ result.status, result.stderr }, { 0, "" })
end

function tests.pipe_several_lines_make_one_chunk()
    local result = piped("for i = 1, 2 do\n  print(i)\nend\nfunction f()\n  return [[a\nb]]\nend\nf()")
    lu.assertEquals(result.stdout, "1\n2\na\nb\n")
end

function tests.pipe_expression_goes_on_in_the_next_line()
    local result = piped("1 +\n1\n('a'):\nupper()\nx = 5\nx\n")
    lu.assertEquals(result.stdout, "2\nA\n5\n")
end

function tests.pipe_error_names_the_line_and_goes_on()
    local result = piped("error('bad')\nx = = 1\nlocal y\n\nfor i = 1, 1 do\n  error('in the loop')\nend\nprint 'on'\n")
    lu.assertStrContains(result.stderr, "prompt:1: bad")
    lu.assertStrContains(result.stderr, "prompt:1: unexpected symbol")
    lu.assertStrContains(result.stderr, "prompt:2: in the loop")
    lu.assertEquals({ result.status, result.stdout }, { 0, "on\n" })
end

function tests.pipe_chunk_that_is_never_complete_is_an_error()
    lu.assertStrContains(piped("for i = 1, 2 do\n").stderr, "'end' expected")
end

function tests.pipe_hostile_error_objects_are_survived()
    local result = piped("error(setmetatable({}, { __tostring = function() error 'x' end }))\n"
        .. "setmetatable({}, { __tostring = function() error 'y' end })\nprint 'on'\n")
    lu.assertEquals({ result.status, result.stdout }, { 0, "on\n" })
    lu.assertStrContains(result.stderr, "cannot be printed")
end

function tests.pipe_modules_are_globals_and_lines_may_wait()
    lu.assertEquals(piped("task.sleep(0.001) print(json.encode({ 1 }))\n").stdout, "[1]\n")
end

function tests.pipe_exit_gives_the_status()
    local result = piped("program.exit(9)\nprint 'not reached'\n")
    lu.assertEquals({ result.status, result.stdout, result.stderr }, { 9, "", "" })
end

function tests.pipe_background_tasks_go_on_while_it_waits()
    local process <close> = proc.spawn({ program.executable }, { stdin = "pipe", cwd = dir.path })
    process:write("task.spawn(function() task.sleep(0.02) print 'background' io.stdout:flush() end):detach() return\n")
    lu.assertEquals(process:read_line(), "background")
    process:kill("TERM")
    lu.assertEquals(process:wait(), 143)
end

function tests.prompt_after_a_script_keeps_what_it_made()
    local result = piped("made\n", "-i", "-e", "made = 41 + 1")
    lu.assertEquals(result.stdout, "42\n")
end

function tests.terminal_shows_results_and_ends_at_end_of_input()
    local result = on_terminal("wait > ", [[send 20 + 22\r]], "wait 42", "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_keeps_a_private_history()
    local typed = { "wait > ", [[send remembered = 1\r]], "wait > ", [[send \x04]] }
    lu.assertEquals(on_terminal(table.unpack(typed)).status, 0)
    local history = fs.join(dir.path, "state/todo-lua/history")
    lu.assertEquals(fs.stat(history).mode, 384) -- 0600
    lu.assertEquals(fs.stat(fs.dirname(history)).mode, 448) -- 0700
    local result = on_terminal("wait > ", [[send \x1b[A]], "wait remembered = 1", [[send \r]], "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_completes_globals_modules_fields_and_methods()
    -- The editor moves the cursor while it completes: what the completed lines print tells.
    local result = on_terminal("wait > ",
        [[send jso\t.enc\t({ 7 })\r]], "wait [7]", "wait > ",
        [[send stri\t.repl\x7f\x7fp\t('ab', 3)\r]], "wait ababab", "wait > ",
        [[send n, event, process = 5, task.event(), proc.spawn { 'true' }\r]], "wait > ",
        [[send n.\t\x15event:wai\t(0)\r]], "wait false", "wait > ",
        [[send process:clo\t()\rprint(pcall(process.wait, process))\r]], "wait handle is closed", "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_interrupt_clears_the_line()
    local result = on_terminal("wait > ", [[send garbage(]], "wait garbage", [[send \x03]], "wait > ",
        [[send for i = 1, 2 do\r]], "wait ... ", [[send \x03]], "wait > ", [[send 'fine'\r]], [[wait fine\r\n]], "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertNotStrContains(result.stdout, "nil value")
end

function tests.terminal_interrupt_cancels_only_the_running_line()
    local result = on_terminal("wait > ",
        [[send other = task.spawn(function() task.sleep(0.3) print 'still there' end):detach()\r]], "wait > ",
        [[send print 'begun' task.sleep(60)\r]], [[wait begun\r\n]], [[send \x03]], "wait interrupted", "wait > ",
        [[wait still there]], [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_interrupt_ends_a_busy_line_however_soon_it_comes()
    local steps = { "wait > " }
    for _, seconds in ipairs { 0, 0, 0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.2 } do
        table.move({ [[send while true do end\r]], "pause " .. seconds, [[send \x03]], "wait > " }, 1, 4, #steps + 1, steps)
    end
    table.move({ [[send 'fine'\r]], [[wait fine\r\n]], "wait > ", [[send \x04]] }, 1, 4, #steps + 1, steps)
    local result = on_terminal(table.unpack(steps))
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_goes_on_with_its_line_after_a_suspension()
    local result = on_terminal("wait > ", "send 40 +", "wait 40 +", "suspend", "wait > 40 +", [[send  2\r]], [[wait 42\r\n]],
        "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertNotStrContains(result.stdout, " 2\r\n 2\r\n") -- echoed twice: not in libedit's mode
end

function tests.terminal_takes_pasted_lines()
    local result = on_terminal("wait > ",
        [[send for i = 1, 3 do\r  print('line ' .. i)\rend\rprint('after')\r6 * 7\r]],
        [[wait line 1\r\n]], [[wait line 3\r\n]], [[wait after\r\n]], [[wait 42\r\n]], "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
end

function tests.terminal_shows_that_a_silent_line_is_at_work()
    local result = on_terminal("wait > ", [[send task.sleep(60)\r]], [[wait 1 s, Ctrl-C ends it]], [[wait 2 s, Ctrl-C]],
        [[send \x03]], [[wait \r\x1b[K]], "wait interrupted", "wait > ",
        [[send task.sleep(1.2) print('said') task.sleep(1.2) print('more')\r]], [[wait 1 s, Ctrl-C ends it\r\x1b[Ksaid\r\n]],
        [[wait more\r\n]], "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertNotStrContains(result.stdout, "it\r\27[Kmore") -- once it has said something, it speaks for itself
    lu.assertNotStrContains(piped("task.sleep(1.2) print 'x'\n").stderr, "Ctrl-C")
end

local LONG = [[send ('line\\n'):rep(100) .. 'last'\r]]

function tests.terminal_pages_what_does_not_fit()
    local result = on_terminal_with({ PAGER = "wc -l; echo paged; read answer < /dev/tty; echo got $answer" }, "wait > ", LONG,
        [[wait 101\r\npaged\r\n]], [[send yes\r]], "wait got yes", "wait > ",
        [[send ('short\\n'):rep(5)\r]], "wait short", "wait > ", [[send ('w'):rep(80 * 24)\r]], "wait paged", [[send \r]],
        "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertEquals(select(2, result.stdout:gsub("paged\r\n", "")), 2)
    lu.assertEquals(select(2, on_terminal("wait > ", LONG, "wait last", "wait > ", [[send \x04]]).stdout:gsub("line\r", "")), 100)
    lu.assertEquals(select(2, piped("('line\\n'):rep(100)\n").stdout:gsub("line\n", "")), 100)
end

function tests.terminal_gives_the_pager_its_interrupt()
    local waits = "import signal as s; s.pthread_sigmask(s.SIG_BLOCK, [2]); print('here', flush=True); s.sigwait([2]); "
        .. "print('heard')"
    local result = on_terminal_with({ PAGER = ('python3 -c "%s"'):format(waits) },
        "wait > ", LONG, [[wait here\r\n]], [[send \x03]], "wait heard", "wait > ",
        [[send 'fine'\r]], "wait fine", "wait > ", [[send \x04]])
    lu.assertEquals(result.status, 0, result.stdout .. result.stderr)
    lu.assertNotStrContains(result.stdout, "interrupted")
    local less = proc.which("less") and on_terminal_with({ PAGER = false, LESS = false }, "wait > ", LONG, "wait :",
        "send q", "wait > ", [[send \x04]])
    lu.assertEquals(less and less.status or 0, 0, less and less.stdout)
end

-- Names of functions and methods in lua/types, as people would ask for them.
local function documented()
    local names = {}
    for _, name in ipairs(program.resources("lua/types/")) do
        for signature in program.resource(name):gmatch("\nfunction ([%w_.:]+)%(") do names[#names + 1] = signature end
    end
    return names
end

function tests.pipe_help_knows_every_primitive()
    local names, lines = documented(), {}
    lu.assertTrue(#names > 150, #names)
    for i, name in ipairs(names) do lines[i] = ":help " .. name end
    local result = piped(table.concat(lines, "\n") .. "\n:help k8s\n:help secret\n")
    lu.assertEquals(result.stderr, "")
    for _, name in ipairs(names) do lu.assertStrContains(result.stdout, name .. "(") end
end

return tests
