-- The program around the scripts: command line, errors, signals, require, embedded files.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local dir

function tests.setup() dir = fs.tempdir() end

function tests.teardown() dir:close() end

local function file(name, text)
    local path = fs.join(dir.path, name)
    fs.mkdir(fs.dirname(path))
    fs.write(path, text)
    return path
end

-- Runs todo-lua in the test's folder, which is outside of the project.
local function run(...)
    return proc.run({ program.executable, ... }, { cwd = dir.path, check = false, timeout = 30,
        env = { ASAN_OPTIONS = "allocator_may_return_null=1", NO_COLOR = "1" } })
end

local function start(script)
    file("lua/config.lua", "return {}")
    local process = proc.spawn({ program.executable, file("signal.lua", script) }, { cwd = dir.path })
    lu.assertEquals(process:read_line(), "ready")
    return process
end

function tests.chunks_run_in_order_and_share_globals()
    local result = run("-e", "x = 1", "-e", "print(x + 1)", "-eprint('attached')")
    lu.assertEquals({ result.status, result.stdout }, { 0, "2\nattached\n" })
end

function tests.wrong_command_lines_are_wrong_usage()
    for _, argv in ipairs { { "--no-such" }, { "-e" }, { "-C" }, { "-C", "/no/such/folder" }, { "--color", "maybe" },
        { "no-such-script" } } do
        local result = run(table.unpack(argv))
        lu.assertEquals(result.status, 2, argv[1])
        lu.assertStrContains(result.stderr, "todo-lua: ")
    end
end

function tests.help_and_version_are_results()
    local help = run("--help").stdout
    lu.assertStrContains(help, "Usage: todo-lua")
    for _, name in ipairs(fs.list(program.project .. "/lua")) do
        local script = name:match("^(%w+)%.lua$")
        if script and script ~= "config" then lu.assertStrMatches(help, ".*scripts:.* " .. script .. "[ \n].*") end
    end
    lu.assertStrMatches(run("--version").stdout, "todo%-lua %d+%.%d+%.%d+ .*\n")
end

function tests.quiet_verbose_and_folder_reach_the_script()
    local say = "print(require'program'.verbosity, require'fs'.cwd() == require'fs'.realpath('.'))"
    lu.assertEquals(run("-q", "-e", say).stdout, "quiet\ttrue\n")
    lu.assertEquals(run("--verbose", "-e", say).stdout, "verbose\ttrue\n")
    file("deep/x.lua", "print(..., require'program'.script)")
    lu.assertEquals(run("-C", "deep", "x", "argument").stdout, "argument\tx\n")
end

function tests.color_option_decides()
    local say = "io.write(require'term'.style('red', 'x'))"
    lu.assertEquals(run("--color=never", "-e", say).stdout, "x")
    lu.assertStrContains(run("--color", "always", "-e", say).stdout, "\27[")
end

function tests.syntax_error_names_file_and_line()
    local result = run(file("bad.lua", "local x = 1\nx = = 2\n"))
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "bad.lua:2:")
    file("lua/config.lua", "return {}")
    file("lua/broken.lua", "x = = 2\n")
    lu.assertEquals(run("broken").status, 1)
end

function tests.byte_order_mark_and_shebang_are_skipped()
    local result = run(file("marked.lua", "\xef\xbb\xbf#!/usr/bin/env todo-lua\nprint(debug.getinfo(1, 'l').currentline)"))
    lu.assertEquals(result.stdout, "2\n")
end

function tests.return_value_is_the_exit_status()
    lu.assertEquals(run("-e", "return 7").status, 7)
    lu.assertEquals(run("-e", "return true").status, 0)
end

function tests.exit_from_a_nested_task_runs_cleanup()
    local result = run("-e", [[
        local task, program = require "task", require "program"
        task.defer(function() task.sleep(0.01) print "main cleaned" end)
        task.spawn(function()
            task.defer(function() task.sleep(0.05) print "child cleaned" end)
            task.spawn(function() program.exit(5) print "not reached" end):wait()
        end)
        task.sleep(10)]])
    lu.assertEquals({ result.status, result.stderr }, { 5, "" })
    lu.assertEquals(result.stdout, "main cleaned\nchild cleaned\n")
end

function tests.exit_where_lua_cannot_yield_still_ends()
    local result = run("-e", "table.sort({ 2, 1 }, function() require'program'.exit(6) end) print 'not reached'")
    lu.assertEquals({ result.status, result.stdout, result.stderr }, { 6, "", "" })
end

function tests.error_object_prints_place_message_and_hint()
    local result = run(file("e.lua", "\nrequire'fs'.list('/no/such')"))
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "e.lua:2: ")
    lu.assertStrContains(result.stderr, "/no/such")
    result = run("-e", "error({ kind = 'usage', message = 'so not', hint = 'but so' })")
    lu.assertEquals({ result.status, result.stderr }, { 2, "todo-lua: so not\n  but so\n" })
end

function tests.traceback_is_for_the_verbose()
    local path = file("t.lua", "local function inner() error 'deep' end\ninner()")
    lu.assertNotStrContains(run(path).stderr, "stack traceback")
    lu.assertStrContains(run("-v", path).stderr, "stack traceback")
end

function tests.hostile_error_objects_do_not_end_in_a_panic()
    for _, chunk in ipairs {
        "error(setmetatable({}, { __tostring = function() error 'x' end }))",
        "error(setmetatable({}, { __index = function() error 'x' end }))",
        "error(setmetatable({}, { __newindex = function() error 'x' end, __tostring = function() return {} end }))",
        "error()", "error({})", "error(print)",
        "local function f() return 1 + f() end f()",
        "local function f() local ok, e = pcall(f) error(e) end f()",
        "string.rep('x', 1 << 40)",
        "xpcall(error, function() error 'handler' end) error 'after'",
    } do
        local result = run("-e", chunk)
        lu.assertEquals(result.status, 1, chunk .. result.stderr)
        lu.assertStrContains(result.stderr, "todo-lua: ")
        lu.assertNotStrContains(result.stderr, "PANIC")
    end
end

function tests.many_arguments_arrive()
    local arguments = {}
    for i = 1, 300 do arguments[i] = tostring(i) end
    local result = run(file("count.lua", "print(select('#', ...), (select(300, ...)))"), table.unpack(arguments))
    lu.assertEquals(result.stdout, "300\t300\n")
end

function tests.interrupt_runs_cleanup_of_all_tasks_and_ends_with_130()
    local process <close> = start [[
        local task = require "task"
        task.defer(function() task.sleep(0.02) print "main" end)
        task.spawn(function()
            task.defer(function() task.sleep(0.05) print "child" end)
            local _ <close> = setmetatable({}, { __close = function() print "closed" end })
            task.sleep(60)
        end)
        task.sleep(0)
        print "ready" io.stdout:flush()
        task.sleep(60)]]
    process:kill("INT")
    lu.assertEquals({ process:read_line(), process:read_line(), process:read_line() }, { "closed", "main", "child" })
    lu.assertEquals(process:wait(), 130)
end

function tests.terminate_ends_with_143()
    local process <close> = start [[print "ready" io.stdout:flush() require "task".sleep(60)]]
    process:kill("TERM")
    lu.assertEquals(process:wait(), 143)
end

-- Each computes without ever waiting.
local busy = {
    plain = "while true do end",
    caught = "while true do pcall(function() while true do end end) end",
    wrapped = "coroutine.wrap(function() coroutine.wrap(function() while true do end end)() end)()",
    resumed = "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    child = "require 'task'.spawn(function() while true do end end):wait()",
    iterated = "for _ in function() return true end do end",
    calling = "local function f() return f() end f()",
}

function tests.interrupt_ends_a_busy_loop_and_cleans_up()
    for name, code in pairs(busy) do
        local process <close> = start([[
            require "task".defer(function() require "task".sleep(0.001) print "cleaned" end)
            local _ <close> = setmetatable({}, { __close = function() print "closed" end })
            print "ready" io.stdout:flush() ]] .. code)
        process:kill("INT")
        lu.assertEquals({ process:read_line(), process:read_line() }, { "closed", "cleaned" }, name)
        lu.assertEquals(process:wait(), 130, name)
    end
end

function tests.busy_script_that_handles_interrupts_goes_on()
    local process <close> = start [[
        local task, asked = require "task", 0
        task.on_interrupt(function() asked = asked + 1 print(asked) io.stdout:flush() end)
        print "ready" io.stdout:flush()
        local sum = coroutine.wrap(function() local n = 0 while asked < 3 do n = n + 1 end coroutine.yield(n) end)()
        print(sum > 0 and "went on")]]
    for index = 1, 3 do
        process:kill("INT")
        lu.assertEquals(process:read_line(), tostring(index))
    end
    lu.assertEquals(process:read_line(), "went on")
    lu.assertEquals(process:wait(), 0)
end

function tests.second_interrupt_ends_what_cannot_be_broken_into()
    local process <close> = start [[
        print "ready" io.stdout:flush()
        table.sort({ 1, 2 }, function() while true do end end)]]
    process:kill("INT")
    local ended = task.spawn(function() return process:wait() end)
    lu.assertFalse(ended:join(0.2))
    process:kill("INT")
    lu.assertEquals(ended:wait(), 130)
end

function tests.second_interrupt_gives_up_cleanup()
    local process <close> = start [[
        local task = require "task"
        task.defer(function() print "cleaning" io.stdout:flush() task.sleep(20) end)
        print "ready" io.stdout:flush()
        task.sleep(60)]]
    local started = task.now()
    process:kill("INT")
    lu.assertEquals(process:read_line(), "cleaning")
    process:kill("INT")
    lu.assertEquals(process:wait(), 130)
    lu.assertTrue(task.now() - started < 10)
end

function tests.interrupt_handler_of_a_script_replaces_cancelling()
    local process <close> = start [[
        local task = require "task"
        task.on_interrupt(function() print "asked" io.stdout:flush() task.on_interrupt(nil) end)
        print "ready" io.stdout:flush()
        task.sleep(60)]]
    process:kill("INT")
    lu.assertEquals(process:read_line(), "asked")
    process:kill("INT")
    lu.assertEquals(process:wait(), 130)
end

function tests.error_of_a_detached_task_is_said()
    local result = run("-e", [[
        local task = require "task"
        task.spawn(function() error "nobody waits" end):detach()
        task.sleep(0.01)]])
    lu.assertStrContains(result.stderr, "nobody waits")
end

function tests.script_lookup_takes_files_then_the_projects_then_embedded_ones()
    file("lua/config.lua", "return {}")
    fs.mkdir(fs.join(dir.path, "build"))
    file("lua/build.lua", "print 'project'")
    lu.assertEquals(run("build").stdout, "project\n")
    lu.assertEquals(run("build.lua").stdout, "project\n")
    file("build.lua", "print 'here'")
    lu.assertEquals(run("build").stdout, "here\n")
    fs.remove(fs.join(dir.path, "build.lua"))
    fs.remove(fs.join(dir.path, "lua/build.lua"))
    lu.assertStrContains(run("eject", "--help").stdout, "eject")
end

function tests.project_is_the_nearest_folder_upward()
    file("lua/config.lua", "return {}")
    fs.mkdir(fs.join(dir.path, "a/b"))
    lu.assertEquals(run("-C", "a/b", "-e", "print(require'program'.project)").stdout, fs.realpath(dir.path) .. "\n")
end

function tests.an_edited_copy_of_the_same_length_is_not_taken_for_the_embedded_one()
    local name = "lua/lib/inspect.lua"
    local text = program.embedded(name)
    local edited = text:gsub("^%-%-[^\n]*", function(comment)
        return ("print 'edited'" .. (" "):rep(#comment - #"print 'edited'"))
    end)
    lu.assertEquals({ #edited, edited == text }, { #text, false })
    file("lua/config.lua", "return {}")
    for copy, printed in pairs { [text] = "", [edited] = "edited\n" } do
        file(name, copy)
        local result = run("-e", "require 'inspect'")
        lu.assertEquals({ result.status, result.stdout }, { 0, printed }, result.stderr)
    end
end

function tests.embedded_bytecode_keeps_its_lines()
    local told = run("-e", [[
        local info = debug.getinfo(require "inspect", "S")
        print(info.source, info.linedefined > 0, info.what)]]).stdout
    lu.assertEquals(told, "@lua/lib/inspect.lua\ttrue\tLua\n")
end

function tests.disk_wins_over_embedded()
    local say = "local bytes, path = require'program'.resource('lua/lib/inspect.lua') print(#bytes, path)"
    lu.assertStrMatches(run("-e", say).stdout, "%d+\tnil\n")
    file("lua/config.lua", "return {}")
    file("lua/lib/inspect.lua", "return 1")
    lu.assertStrMatches(run("-e", say).stdout, "8\t/.*/lua/lib/inspect.lua\n")
    lu.assertEquals(run("-e", "print(require 'inspect')").stdout, "1\n")
end

function tests.one_file_works_alone_in_an_empty_folder()
    local copy = fs.join(dir.path, "todo-lua")
    proc.run { "cp", program.executable, copy }
    fs.mkdir(fs.join(dir.path, "empty"))
    local result = proc.run({ copy, "-e", "print(require'inspect'({ a = 1 }), require'program'.project)" },
        { cwd = fs.join(dir.path, "empty") })
    lu.assertEquals(result.stdout, "{ a = 1 }\n\tnil\n")
end

function tests.eject_writes_an_editable_copy()
    local result = run("eject", "lua/lib/inspect.lua")
    lu.assertEquals(result.status, 0, result.stderr)
    lu.assertEquals(fs.read(fs.join(dir.path, "lua/lib/inspect.lua")), program.embedded("lua/lib/inspect.lua"))
end

function tests.misspelt_script_names_the_nearest()
    local unknown = run("deplyo")
    lu.assertEquals(unknown.status, 2)
    lu.assertStrContains(unknown.stderr, "there is no script deplyo (did you mean deploy?)")
    lu.assertStrContains(run("eject", "depoly").stderr, "nothing embedded is called depoly (did you mean deploy?)")
    lu.assertStrContains(run("eject", "chrat").stderr, "(did you mean chart?)")
    lu.assertNotStrContains(run("something-else").stderr, "did you mean")
end

function tests.unknown_globals_are_errors_with_their_line()
    local result = run(file("g.lua", "\nlocal x = mispelt"))
    lu.assertStrContains(result.stderr, "g.lua:2: undefined variable mispelt")
    result = run(file("n.lua", "\n\nundeclared = 1"))
    lu.assertStrContains(result.stderr, "n.lua:3: assignment to the undeclared global undeclared")
end

function tests.require_finds_a_cycle()
    file("lua/config.lua", "return {}")
    file("lua/lib/a.lua", "return { b = require 'b' }")
    file("lua/lib/b.lua", "return { a = require 'a' }")
    local result = run("-e", "require 'a'")
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "cycle of require")
    result = run("-e", "print((pcall(require, 'a')), (pcall(require, 'a')), package.loaded.a)")
    lu.assertEquals(result.stdout, "false\tfalse\tnil\n")
end

function tests.require_of_a_missing_module_says_where_it_looked()
    local result = run("-e", "require 'no_such_module'")
    lu.assertStrContains(result.stderr, "there is no module no_such_module")
    lu.assertStrContains(result.stderr, "lua/lib/no_such_module.lua")
end

function tests.require_may_wait_and_loads_once_for_many_tasks()
    file("lua/config.lua", "return {}")
    file("lua/lib/slow.lua", "print 'loading' require 'task'.sleep(0.02) return { 1 }")
    local result = run("-e", [[
        local got = require "task".all { function() return require "slow" end, function() return require "slow" end }
        print(got[1] == got[2], got[1][1])]])
    lu.assertEquals(result.stdout, "loading\ntrue\t1\n")
end

function tests.require_cancelled_while_loading_can_be_tried_again()
    file("lua/config.lua", "return {}")
    file("lua/lib/slow.lua", "require 'task'.sleep(0.05) return 'loaded'")
    local result = run("-e", [[
        local task = require "task"
        print((pcall(task.timeout, 0.01, require, "slow")))
        print(require "slow")]])
    lu.assertEquals(result.stdout, "false\nloaded\n")
end

return tests
