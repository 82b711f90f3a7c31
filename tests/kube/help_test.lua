-- Every command and flag of kubectl is one of todo-lua kube, but for those that are named here with the reason.
local judge = require "tests.kube.judge"
local lu = require "luaunit"

local tests = {}
local both

function tests.setup_all() both = judge.new("/dev/null") end

function tests.teardown_all()
    if both then both:close() end
end

-- Commands that are left out.
local no_command = {
    [""] = {
        alpha = "nothing stable", certificate = "an administrator's", completion = "todo-lua completes its own commands",
        kuberc = "kubectl's own preferences", kustomize = "it builds kustomizations", options = "--help lists them",
        plugin = "kubectl's own programs", proxy = "a server; port-forward reaches pods and services",
    },
    auth = { reconcile = "kubectl's, of manifests that bring rights" },
    ["cluster-info"] = { dump = "todo-lua doctor --save keeps what explains a failure" },
}

-- Flags that are left out everywhere.
local no_flag = {
    ["as-user-extra"] = "no cluster of developers has it", ["cache-dir"] = "nothing is cached on disk",
    ["disable-compression"] = "a matter of speed", kuberc = "kubectl's own preferences",
    ["log-flush-frequency"] = "of Go's logger", vmodule = "of Go's logger", profile = "of Go's profiler",
    ["profile-output"] = "of Go's profiler", ["match-server-version"] = "todo-lua has no Kubernetes version",
    ["warnings-as-errors"] = "warnings are told", ["detach-keys"] = "ctrl-p ctrl-q, always",
    ["windows-line-endings"] = "no Windows", record = "deprecated",
}

-- Flags that are left out of single commands.
local no_flag_of = {
    ["describe"] = { kustomize = "-k is refused everywhere else, too" },
    ["logs"] = { ["insecure-skip-tls-verify-backend"] = "of servers without certificates of their kubelets" },
    ["apply edit-last-applied"] = { ["allow-missing-template-keys"] = "its -o is the editor's format",
        ["show-managed-fields"] = "the same", template = "the same" },
    ["edit"] = { ["allow-missing-template-keys"] = "its -o is the editor's format", ["show-managed-fields"] = "the same",
        template = "the same" },
    ["wait"] = { ["local"] = "nothing changes in a file" },
    ["top pod"] = { ["show-swap"] = "metrics-server rarely has it", ["use-protocol-buffers"] = "a matter of speed" },
    ["top node"] = { ["show-swap"] = "metrics-server rarely has it", ["use-protocol-buffers"] = "a matter of speed" },
    ["api-resources"] = { ["show-managed-fields"] = "API resources have none" },
    ["set selector"] = { ["resource-version"] = "a service's selector is short" },
    ["run"] = { cascade = "of the removal, which --rm does", filename = "ignored by kubectl", force = "of the removal",
        ["grace-period"] = "of the removal", kustomize = "ignored by kubectl", recursive = "ignored by kubectl",
        timeout = "of the removal", wait = "of the removal" },
    ["config set-credentials"] = { ["auth-provider"] = "gone from Kubernetes", ["auth-provider-arg"] = "the same" },
}

local function listed(text, pattern)
    local found = {}
    for line in text:gmatch("[^\n]+") do
        local name = line:match(pattern)
        if name then found[name] = true end
    end
    return found
end

-- kubectl lists commands by groups, each under a heading that ends with a colon.
local function kubectl_commands(text)
    local found, inside = {}, false
    for line in (text .. "\n"):gmatch("(.-)\n") do
        if line:find("^%u.*[Cc]ommands.*:$") then inside = true elseif line == "" then inside = false end
        local name = inside and line:match("^  ([%l-]+) ")
        if name then found[name] = true end
    end
    return found
end

local checked = {}

local function check_command(path)
    local theirs, ours = both:kubectl(path .. " --help"), both:ours(path .. " --help")
    lu.assertEquals({ theirs.status, ours.status }, { 0, 0 }, path)
    checked[#checked + 1] = path
    local flags = listed(ours.stdout, "^  .-%-%-([%w-]+)")
    for flag in pairs(listed(theirs.stdout, "^%s+%-?%w?,? ?%-%-([%w-]+)=")) do
        local reason = no_flag[flag] or (no_flag_of[path] or {})[flag]
        lu.assertTrue(flags[flag] or reason ~= nil, ("kubectl %s has --%s"):format(path, flag))
        lu.assertFalse((flags[flag] and (no_flag_of[path] or {})[flag]) ~= nil, ("%s --%s is no longer left out"):format(path, flag))
    end
    for name in pairs(kubectl_commands(theirs.stdout)) do
        if not (no_command[path] or {})[name] then check_command((path .. " " .. name):match("^%s*(.*)$")) end
    end
end

function tests.commands_and_flags_of_kubectl_are_there()
    check_command("")
    lu.assertTrue(#checked > 80, #checked .. " commands")
end

function tests.global_flags_of_kubectl_are_there()
    local flags = listed(both:ours("get --help").stdout, "^  .-%-%-([%w-]+)")
    for flag in pairs(listed(both:kubectl("options").stdout, "^%s+%-?%w?,? ?%-%-([%w-]+)=")) do
        lu.assertTrue(flags[flag] or no_flag[flag] ~= nil, "kubectl has --" .. flag)
    end
end

return tests
