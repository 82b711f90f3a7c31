-- Child processes and this process's surroundings.
local fs = require "fs"
local lu = require "luaunit"
local proc = require "proc"
local secret = require "secret"
local task = require "task"

local tests = {}

function tests.run_captures_both_streams_and_feeds_stdin()
    local result = proc.run({ "sh", "-c", "cat; echo problem >&2" }, { stdin = "in\0put" })
    lu.assertEquals(result.status, 0)
    lu.assertEquals(result.stdout, "in\0put")
    lu.assertEquals(result.stderr, "problem\n")
end

function tests.run_with_failure_raises_exit_with_the_last_lines()
    local ok, err = pcall(proc.run, { "sh", "-c", "echo why >&2; exit 7" })
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "exit")
    lu.assertEquals(err.status, 7)
    lu.assertStrContains(err.message, "why")
    lu.assertEquals(proc.run({ "false" }, { check = false }).status, 1)
end

function tests.run_of_a_missing_program_names_it()
    local ok, err = pcall(proc.run, { "no-such-program-here" })
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "not_found")
    lu.assertStrContains(err.message, "no-such-program-here")
end

function tests.run_past_its_timeout_ends_the_whole_group()
    local dir <close> = fs.tempdir()
    local pid_file = dir.path .. "/pid"
    local ok, err = pcall(proc.run, { "sh", "-c", "sleep 100 & echo $! > " .. pid_file .. "; wait" }, { timeout = 0.3 })
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "timeout")
    local pid = math.tointeger(tonumber(fs.read(pid_file)))
    for _ = 1, 50 do
        if not proc.alive(pid) then break end
        task.sleep(0.05)
    end
    lu.assertNil(proc.alive(pid))
end

function tests.run_keeps_the_newest_output_within_its_limit()
    local result = proc.run({ "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' a; echo END" }, { max_output = 1000 })
    lu.assertEquals(#result.stdout, 1000)
    lu.assertEquals(result.stdout:sub(-5), "aEND\n")
end

function tests.run_moves_megabytes_through_both_pipes()
    local input = ("0123456789abcdef"):rep(1 << 17)
    lu.assertEquals(#input, 2 << 20)
    lu.assertTrue(proc.run({ "cat" }, { stdin = input }).stdout == input)
end

function tests.env_and_cwd_reach_the_child()
    local dir <close> = fs.tempdir()
    local result = proc.run({ "sh", "-c", "pwd; echo $ONE-$HOME-${TWO-unset}" },
        { cwd = dir.path, env = { ONE = "1", HOME = false, TWO = secret.new("hidden-word") } })
    lu.assertEquals(result.stdout, fs.realpath(dir.path) .. "\n1--hidden-word\n")
    lu.assertEquals(proc.run({ "/usr/bin/env" }, { clear_env = true, env = { A = "b" } }).stdout, "A=b\n")
end

function tests.secret_on_the_command_line_is_refused()
    local ok, err = pcall(proc.run, { "echo", secret.new("not-for-all") })
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, "secret")
    lu.assertFalse(tostring(err):find("not-for-all", 1, true) ~= nil)
    lu.assertEquals(proc.run({ "cat" }, { stdin = secret.new("by-stdin") }).stdout, "by-stdin")
end

function tests.spawn_reads_lines_and_exit_status()
    local process <close> = proc.spawn { "sh", "-c", "printf 'a\\nb\\r\\nlast'; exit 3" }
    lu.assertTrue(process.pid > 0)
    lu.assertEquals(process:read_line(), "a")
    lu.assertEquals(process:read_line(), "b")
    lu.assertEquals(process:read_line(), "last")
    lu.assertNil(process:read_line())
    lu.assertEquals(process:wait(), 3)
    lu.assertEquals(process:wait(), 3)
end

function tests.close_ends_the_process_and_later_calls_say_closed()
    local process = proc.spawn { "sleep", "100" }
    local pid = process.pid
    process:close()
    process:close()
    for _ = 1, 50 do
        if not proc.alive(pid) then break end
        task.sleep(0.05)
    end
    lu.assertNil(proc.alive(pid))
    local ok, err = pcall(process.read, process)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "closed")
end

function tests.detached_process_outlives_its_handle()
    local process = proc.spawn({ "sleep", "100" }, { detached = true, stdout = "null", stderr = "null" })
    local pid = process.pid
    local start = proc.alive(pid)
    process:close()
    task.sleep(0.05)
    lu.assertEquals(proc.alive(pid), start)
    lu.assertFalse(proc.signal(pid, "KILL", start + 1))
    lu.assertTrue(proc.signal(pid, "KILL", start))
end

function tests.output_can_append_to_a_file()
    local dir <close> = fs.tempdir()
    local path = dir.path .. "/log"
    for _ = 1, 2 do
        local process <close> = proc.spawn({ "sh", "-c", "echo out; echo err >&2" }, { stdout = path, stderr = "stdout" })
        process:wait()
    end
    lu.assertEquals(fs.read(path), "out\nerr\nout\nerr\n")
end

function tests.cancelled_task_ends_its_process()
    local pid
    local runner = task.spawn(function()
        local process <close> = proc.spawn { "sleep", "100" }
        pid = process.pid
        process:wait()
    end)
    task.sleep(0.05)
    runner:cancel()
    for _ = 1, 50 do
        if not proc.alive(pid) then break end
        task.sleep(0.05)
    end
    lu.assertNil(proc.alive(pid))
end

function tests.which_finds_programs_only()
    lu.assertEquals(proc.which("sh"):match("[^/]*$"), "sh")
    lu.assertNil(proc.which("no-such-program-here"))
    lu.assertNil(proc.which("/etc/passwd"))
end

function tests.env_sets_and_restores()
    lu.assertNil(proc.env("TODO_LUA_TEST", "x"))
    lu.assertEquals(proc.env("TODO_LUA_TEST"), "x")
    proc.env("TODO_LUA_TEST", false)
    lu.assertNil(proc.env("TODO_LUA_TEST"))
end

function tests.platform_uses_gos_names()
    local platform = proc.platform()
    lu.assertTrue(platform.os == "linux" or platform.os == "darwin")
    lu.assertTrue(platform.cpus >= 1)
    lu.assertTrue(platform.memory > 1 << 28)
end

return tests
