-- What proves who we are, against a real API server: tokens, token files and credential plugins that are real programs.
package.path = "./?.lua;" .. package.path

local apiserver = require "tests.cluster.apiserver"
local fs = require "fs"
local json = require "json"
local k8s = require "k8s"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}
local server
local WHO = { apiVersion = "authentication.k8s.io/v1", kind = "SelfSubjectReview", metadata = {} }
local V1, V1BETA1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"

function tests.setup_all() server = apiserver.start() end

function tests.teardown_all()
    if server then server:stop() end
end

local function fails(kind, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok, "expected an error of kind " .. kind)
    lu.assertEquals(err.kind, kind, tostring(err))
    return err
end

local function kubeconfig(name, user)
    local path = server.dir .. "/" .. name
    fs.write(path, ([[
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", certificate-authority: %s/ca.crt}}]
users: [{name: u, user: {%s}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
]]):format(server.port, server.pki, user), 0x180)
    return path
end

-- A plugin that notes each run, and how its input was, before it prints what `answer` holds.
---@return { kubeconfig: string, answer: fun(status: table, version: string?), runs: fun(): integer, notes: fun(): string }
local function plugin(name, settings, body)
    local path = server.dir .. "/" .. name
    local self = {}
    fs.write(path .. "-plugin", ([[#!/bin/sh
cd %s
input=closed; [ -t 0 ] && input=terminal
echo "$$ $input $KUBERNETES_EXEC_INFO $EXTRA" >> %s-runs
%s
cat %s-answer
]]):format(server.dir, name, body or "", name), 0x1c0)
    self.kubeconfig = kubeconfig(name, ("exec: {apiVersion: %s, command: ./%s-plugin, %s}"):format(
        settings.version or V1, name, settings.text or "interactiveMode: Never"))
    function self.answer(status, version)
        fs.write(path .. "-answer", json.encode { apiVersion = version or settings.version or V1, kind = "ExecCredential",
            status = status }, 0x180)
    end
    function self.notes() return fs.exists(path .. "-runs") and fs.read(path .. "-runs") or "" end
    function self.runs() return select(2, self.notes():gsub("\n", "")) end
    self.answer { token = "good-token" }
    return self
end

local function connect(self, options)
    options = options or {}
    options.kubeconfig = self.kubeconfig
    return k8s.connect(options)
end

local function user(client) return client:create(WHO).status.userInfo.username end

-- So many requests at once; returns who they were.
local function at_once(client, count)
    local wait = {}
    for i = 1, count do wait[i] = function() return user(client) end end
    return task.all(wait)
end

local function time_in(seconds) return (os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + seconds)) end

function tests.token_and_token_file_name_the_user()
    lu.assertEquals(user(k8s.connect { kubeconfig = kubeconfig("by-token", "token: good-token") }), "token-user")
    fs.write(server.dir .. "/token", "good-token\n", 0x180)
    local by_file = k8s.connect { kubeconfig = kubeconfig("by-file", "tokenFile: token") }
    lu.assertEquals(user(by_file), "token-user")
    fs.write(server.dir .. "/token", "other-token\n", 0x180) -- rotated
    lu.assertEquals(user(by_file), "other-user")
    fs.remove(server.dir .. "/token") -- between two writes of the one who rotates it: the last one goes on
    lu.assertEquals(user(by_file), "other-user")
    fs.write(server.dir .. "/new", "good-token", 0x180)
    fs.rename(server.dir .. "/new", server.dir .. "/token")
    lu.assertEquals(at_once(by_file, 5), { "token-user", "token-user", "token-user", "token-user", "token-user" })
end

function tests.plugin_runs_once_for_many_requests_in_both_versions()
    for _, version in ipairs { V1, V1BETA1 } do
        local by = plugin(version:match("%w+$"), { version = version, text = "interactiveMode: Never, "
            .. "provideClusterInfo: true, env: [{name: EXTRA, value: more}]" })
        local client = connect(by)
        for _, name in ipairs(at_once(client, 20)) do lu.assertEquals(name, "token-user") end
        at_once(client, 3)
        lu.assertEquals(by.runs(), 1)
        local info = json.decode(by.notes():match("{.*}"))
        lu.assertEquals(info.apiVersion, version)
        lu.assertEquals(info.kind, "ExecCredential")
        lu.assertEquals(info.spec.interactive, false)
        lu.assertEquals(info.spec.cluster.server, "https://127.0.0.1:" .. server.port)
        lu.assertStrContains(by.notes(), "} more")
    end
end

function tests.plugin_answer_of_another_version_is_refused()
    local by = plugin("mixed", { version = V1 })
    by.answer({ token = "good-token" }, V1BETA1)
    local err = fails("denied", user, connect(by))
    lu.assertStrContains(err.message, V1BETA1)
    lu.assertStrContains(fails("usage", user, connect(plugin("old", { version = V1 .. "alpha1" }))).message, "v1alpha1")
end

function tests.plugin_runs_again_when_its_answer_has_expired()
    local by = plugin("expiring", {})
    by.answer { token = "good-token", expirationTimestamp = time_in(3) }
    local client = connect(by)
    lu.assertEquals(user(client), "token-user")
    by.answer { token = "other-token", expirationTimestamp = time_in(3600) }
    task.timeout(60, function()
        while user(client) == "token-user" do task.sleep(0.1) end
    end)
    lu.assertEquals(by.runs(), 2)
    at_once(client, 5)
    lu.assertEquals(by.runs(), 2)
end

function tests.plugin_whose_answers_are_expired_already_runs_once_for_each_request()
    local by = plugin("late", {})
    by.answer { token = "good-token", expirationTimestamp = time_in(-3600) }
    local client = connect(by)
    user(client) -- with the discovery before it
    local runs = by.runs()
    lu.assertEquals(#at_once(client, 5), 5)
    lu.assertEquals(by.runs(), runs + 1)
    user(client)
    lu.assertEquals(by.runs(), runs + 2)
end

function tests.plugin_whose_answer_is_refused_is_asked_once_more_for_all()
    local by = plugin("rotating", {}, "sleep 0.3")
    by.answer { token = "revoked-token" }
    local client = connect(by)
    local err = fails("denied", user, client)
    lu.assertEquals(err.status, 401)
    lu.assertEquals(by.runs(), 2) -- and not a third time
    by.answer { token = "good-token" }
    for _, name in ipairs(at_once(client, 20)) do lu.assertEquals(name, "token-user") end
    lu.assertEquals(by.runs(), 3)
end

function tests.plugin_that_gives_a_certificate_is_believed_by_it()
    local by = plugin("certificate", {})
    by.answer { clientCertificateData = fs.read(server.pki .. "/admin.crt"),
        clientKeyData = fs.read(server.pki .. "/admin.key") }
    lu.assertEquals(user(connect(by)), "admin")
    by.answer { clientCertificateData = fs.read(server.pki .. "/admin.crt") }
    lu.assertStrContains(fails("denied", user, connect(by)).message, "without the other")
end

function tests.plugin_does_not_run_where_a_certificate_says_who_we_are()
    local by = plugin("beside", { text = ("interactiveMode: Never}, client-certificate: %s/admin.crt, client-key: %s/admin.key, x: {"
        ):format(server.pki, server.pki) })
    lu.assertEquals(user(connect(by)), "admin")
    lu.assertEquals(by.runs(), 0)
end

function tests.plugin_that_is_absent_or_fails_says_so()
    local exec = ("exec: {apiVersion: %s, interactiveMode: Never, command: %%s, installHint: install it}"):format(V1)
    local absent = k8s.connect { kubeconfig = kubeconfig("absent", exec:format("no-such-plugin")) }
    lu.assertEquals(fails("not_found", user, absent).hint, "install it")
    local failing = k8s.connect { kubeconfig = kubeconfig("failing", exec:format('"false"')) }
    lu.assertStrContains(fails("denied", user, failing).message, "status 1")
end

function tests.plugin_that_hangs_ends_at_the_calls_deadline_and_with_the_client()
    local by = plugin("hanging", {}, "exec sleep 1000")
    local client = connect(by, { timeout = 0.5 })
    fails("timeout", user, client)
    fails("timeout", user, client)
    local pid = tonumber(by.notes():match("^%d+"))
    lu.assertEquals(by.runs(), 1) -- the second request waited for the same run
    lu.assertNotNil(proc.alive(pid))
    client:close()
    task.timeout(30, function()
        while proc.alive(pid) do task.sleep(0.05) end
    end)
end

-- Runs `todo-lua kube get` with this plugin: at a terminal that types `typed`, or without one.
local function get(by, terminal)
    local argv = { program.executable, "kube", "--kubeconfig", by.kubeconfig, "get", "ns", "default", "-o", "name" }
    if not terminal then return proc.run(argv, { check = false, timeout = 60, stdin = "" }) end
    local child <close> = proc.spawn({ "script", "-qec", table.concat(argv, " "), "/dev/null" }, { stdin = "pipe",
        stderr = "stdout" })
    child:write(terminal)
    local text = {}
    for bytes in function() return child:read() end do text[#text + 1] = bytes end
    return { status = child:wait(), stdout = table.concat(text) }
end

-- A plugin that asks people where it has a terminal.
local function asking(name, mode, version)
    return plugin(name, { version = version, text = mode and "interactiveMode: " .. mode or "args: []" },
        'if [ $input = terminal ]; then printf "Code: " >&2; read -r code; echo "code=$code" >> ' .. name .. "-codes; "
        .. "else [ -z \"$(cat)\" ]; fi")
end

function tests.interactive_mode_decides_about_the_terminal()
    local cases = {
        { "never", "Never", terminal = "closed", without = 0 },
        { "if-available", "IfAvailable", terminal = "terminal", without = 0 },
        { "always", "Always", terminal = "terminal", without = 1 },
        { "default", nil, V1BETA1, terminal = "terminal", without = 0 },
    }
    for _, case in ipairs(cases) do
        local name = case[1]
        local by = asking(name, case[2], case[3])
        local result = get(by, "1234\n")
        lu.assertEquals(result.status, 0, name .. result.stdout)
        lu.assertStrContains(result.stdout, "namespace/default")
        lu.assertStrContains(by.notes(), " " .. case.terminal .. " ")
        lu.assertStrContains(by.notes(), '"interactive":' .. tostring(case.terminal == "terminal"))
        local codes = server.dir .. "/" .. name .. "-codes"
        lu.assertEquals(fs.exists(codes) and fs.read(codes) or "", case.terminal == "terminal" and "code=1234\n" or "")
        local runs = by.runs()
        result = get(by)
        lu.assertEquals(result.status, case.without, name .. result.stderr)
        if case.without == 0 then
            lu.assertStrContains(by.notes():match("\n(.*)$"), " closed ")
        else
            lu.assertStrContains(result.stderr, "needs a terminal")
            lu.assertEquals(by.runs(), runs)
        end
    end
end

-- The lines of a board would run over the question.
function tests.live_lines_wait_while_a_plugin_asks()
    local by = plugin("lines", { text = "interactiveMode: Always" },
        "sleep 0.5; printf 'Code: ' >&2; read -r code; printf 'Thanks.' >&2; sleep 0.5")
    local script = server.dir .. "/lines.lua"
    fs.write(script, [[
        local line = require "board".new { live = true }:line("deploy", "goes on")
        require "task".sleep(0.5)
        require "k8s".connect { kubeconfig = require "program".args[1] }:get("ns", "default")
        require "task".sleep(0.5)
        line:done("has its namespace")]])
    local child <close> = proc.spawn({ "script", "-qec", table.concat({ program.executable, script, by.kubeconfig }, " "),
        "/dev/null" }, { stdin = "pipe", stderr = "stdout" })
    local text = ""
    local function read_until(words)
        task.timeout(60, function()
            while not text:find(words, 1, true) do text = text .. assert(child:read(), text) end
        end)
    end
    read_until "Code: "
    task.sleep(1)
    child:write("1\n")
    read_until "has its namespace"
    lu.assertEquals(child:wait(), 0, text)
    local before, asked, after = text:match("^(.-)Code: (.-)Thanks%.(.*)$")
    lu.assertNotNil(before, text)
    lu.assertStrContains(before, "goes on")
    lu.assertNotStrContains(asked, "goes on")
    lu.assertStrContains(after, "goes on")
end

function tests.people_may_take_their_time()
    local by = asking("slow", "Always")
    local script = server.dir .. "/slow.lua"
    fs.write(script, [[print(require "k8s".connect { kubeconfig = ..., timeout = 2 }:get("ns", "default").metadata.name)]])
    local child <close> = proc.spawn({ "script", "-qec", table.concat({ program.executable, script, by.kubeconfig }, " "),
        "/dev/null" }, { stdin = "pipe", stderr = "stdout" })
    task.timeout(60, function()
        while by.runs() == 0 do task.sleep(0.05) end
    end)
    task.sleep(3) -- longer than the request may take
    child:write("1\n")
    local text = {}
    for bytes in function() return child:read() end do text[#text + 1] = bytes end
    lu.assertEquals(child:wait(), 0, table.concat(text))
    lu.assertStrContains(table.concat(text), "default")
end

function tests.interactive_mode_that_is_unknown_or_missing_in_v1_says_so()
    lu.assertStrContains(fails("usage", user, connect(plugin("sometimes", { text = "interactiveMode: Sometimes" }))).message,
        "Sometimes")
    lu.assertStrContains(fails("usage", user, connect(plugin("modeless", { text = "args: []" }))).message,
        "interactiveMode")
end

return tests
