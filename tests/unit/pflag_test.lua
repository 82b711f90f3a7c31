-- Flags as pflag reads them, and the commands of todo-lua helm.
local fail = require "fail"
local lu = require "luaunit"
local pflag = require "pflag"
local proc = require "proc"
local program = require "program"

local tests = {}

local flags = {
    { "values", short = "f", kind = "strings", key = "files", help = "files" },
    { "set", kind = "stringArray", help = "sets" },
    { "namespace", short = "n", help = "space", default = "default" },
    { "wait", short = "w", kind = "bool", help = "wait" },
    { "quiet", short = "q", kind = "bool", help = "hush" },
    { "dry-run", optional = "client", help = "try" },
    { "timeout", kind = "duration", default = 300, help = "how long" },
    { "max", kind = "int", default = 10, help = "how many" },
    { "labels", short = "l", kind = "stringToString", help = "labels" },
    { "output", short = "o", kind = "format", default = "table", choices = { "table", "json" }, help = "how" },
}

local function parse(...)
    return pflag.parse({ ... }, flags)
end

function tests.parse_reads_all_forms_of_a_flag()
    for _, words in ipairs { { "--namespace", "x" }, { "--namespace=x" }, { "-n", "x" }, { "-nx" }, { "-n=x" },
        { "-wnx" }, { "-wqn=x" } } do
        lu.assertEquals(pflag.parse(words, flags).namespace, "x")
    end
    local options, rest, seen = parse("a", "-wq", "b", "--", "-n", "c")
    lu.assertEquals(rest, { "a", "b", "-n", "c" })
    lu.assertTrue(options.wait and options.quiet)
    lu.assertEquals(seen, { wait = true, quiet = true })
    lu.assertEquals(options.namespace, "default")
end

function tests.parse_gives_each_kind_its_value()
    local options = parse("-f", 'a,"b,""c"', "-f", "d", "--set", "a=1,b", "--set", "c", "--wait=F", "--dry-run", "word",
        "--timeout", "1h2m3.5s", "--max=-3", "-l", "a=1", "-l", "b=2,c=x=y", "-o", "json")
    lu.assertEquals(options.files, { "a", 'b,"c', "d" })
    lu.assertEquals(options.set, { "a=1,b", "c" })
    lu.assertEquals(options.wait, false)
    lu.assertEquals(options.dry_run, "client")
    lu.assertEquals(options.timeout, 3723.5)
    lu.assertEquals(options.max, -3)
    lu.assertEquals(options.labels, { a = "1", b = "2", c = "x=y" })
    lu.assertEquals(options.output, "json")
    lu.assertEquals(parse("-f", "").files, {})
    lu.assertEquals(parse("--dry-run=server").dry_run, "server")
end

function tests.parse_refuses_in_pflags_words()
    for message, words in pairs {
        ["unknown flag: --nope"] = { "--nope=1" },
        ["unknown shorthand flag: 'x' in -xy"] = { "-wxy" },
        ["flag needs an argument: --namespace"] = { "--namespace" },
        ["flag needs an argument: 'n' in -n"] = { "-n" },
        ["bad flag syntax: --=x"] = { "--=x" },
        ['invalid argument "x" for "-w, --wait" flag: strconv.ParseBool: parsing "x": invalid syntax'] = { "--wait=x" },
        ['invalid argument "5" for "--timeout" flag: time: missing unit in duration "5"'] = { "--timeout=5" },
        ['invalid argument "5x" for "--timeout" flag: time: unknown unit "x" in duration "5x"'] = { "--timeout=5x" },
        ['invalid argument "x" for "--timeout" flag: time: invalid duration "x"'] = { "--timeout=x" },
        ['invalid argument "a" for "--max" flag: strconv.ParseInt: parsing "a": invalid syntax'] = { "--max", "a" },
        ['invalid argument "a" for "-l, --labels" flag: a must be formatted as key=value'] = { "-l", "a" },
    } do
        local ok, problem = pcall(pflag.parse, words, flags)
        lu.assertFalse(ok)
        lu.assertEquals({ fail.kind(problem), problem.status, problem.message }, { "usage", 2, message })
    end
end

function tests.help_lists_flags_in_pflags_form()
    lu.assertEquals(pflag.help(flags), [[
      --dry-run string[="client"]   try
  -l, --labels stringToString       labels
      --max int                     how many (default 10)
  -n, --namespace string            space (default "default")
  -o, --output format               how (default table)
  -q, --quiet                       hush
      --set stringArray             sets
      --timeout duration            how long (default 5m0s)
  -f, --values strings              files
  -w, --wait                        wait
]])
end

local function helm(...)
    return proc.run({ program.executable, "helm", ... }, { check = false, stdin = "" })
end

function tests.helm_lists_its_commands_and_their_flags()
    for _, words in ipairs { {}, { "--help" }, { "-h" }, { "help" } } do
        local result = helm(table.unpack(words))
        lu.assertEquals(result.status, 0)
        lu.assertStrContains(result.stdout, "Available Commands:\n")
        lu.assertStrMatches(result.stdout, ".*\n  lint +%a.*\n  template +%a.*")
    end
    for _, words in ipairs { { "template", "--help" }, { "help", "template" }, { "-n", "x", "template", "-h" } } do
        local result = helm(table.unpack(words))
        lu.assertEquals(result.status, 0)
        lu.assertStrContains(result.stdout, "Usage:\n  todo-lua helm template [NAME] CHART [flags]\n")
        lu.assertStrMatches(result.stdout, ".*\nFlags:\n  %-a, %-%-api%-versions strings +%a.*\nGlobal Flags:\n.*")
    end
end

function tests.first_word_is_found_behind_all_forms_of_a_flag()
    for _, words in ipairs { { "go" }, { "-n", "x", "go" }, { "-nx", "go" }, { "-n=x", "go" }, { "--namespace", "x", "go" },
        { "--namespace=x", "go" }, { "-w", "go" }, { "-wq", "go" }, { "--dry-run", "go" }, { "--nope=x", "go" } } do
        lu.assertEquals(words[pflag.first_word(words, flags)], "go", table.concat(words, " "))
    end
    lu.assertNil(pflag.first_word({ "-w", "--", "go" }, flags))
end

function tests.helm_refuses_wrong_words_with_helms_status()
    for message, words in pairs {
        ['Error: unknown command "templte" for "helm"\n  did you mean template? '] = { "templte" },
        ['Error: unknown flag: --nope\n'] = { "template", "--nope" },
        ['Error: unknown flag: --valuess\n  did you mean --values?'] = { "template", "--valuess", "x" },
        ['Error: "helm template" requires at least 1 argument\n  usage: todo-lua helm template '] = { "template" },
    } do
        local result = helm(table.unpack(words))
        lu.assertEquals(result.status, 1)
        lu.assertStrContains(result.stderr, message)
    end
end

-- What a command calls as a flag of every command is called has a key of its own, or both would read the other's value.
function tests.commands_own_flags_do_not_hide_those_of_all_commands()
    local trees = { helm = require "release.flags".global, kube = require "kubectl.session".flags }
    for name, global in pairs(trees) do
        local keys = {}
        for _, flag in ipairs(global) do keys[flag[1]] = flag.key or flag[1]:gsub("-", "_") end
        local function check(path, command)
            for _, flag in ipairs(command.flags or {}) do
                lu.assertTrue(not keys[flag[1]] or flag.key and flag.key ~= keys[flag[1]], path .. " --" .. flag[1])
            end
            for word, child in pairs(command.commands or {}) do check(path .. " " .. word, child) end
        end
        for _, file in ipairs(program.resources("lua/" .. name .. "/")) do
            local word = file:match("([%w-]+)%.lua$")
            check(name .. " " .. word, require(name .. "." .. word))
        end
    end
end

return tests
