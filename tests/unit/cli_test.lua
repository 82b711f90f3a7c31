-- Command lines: words to options, and what is said about wrong ones.
local cli = require "cli"
local fail = require "fail"
local lu = require "luaunit"

local tests = {}

local spec = {
    name = "sample",
    summary = "Does a sample of work.",
    options = {
        { "size", short = "s", value = "N", help = "how big", default = "1" },
        { "dry-run", short = "d", help = "only look" },
        { "tag", value = "T", many = true, help = "a tag" },
        { "mode", value = "M", choices = { "fast", "slow" }, help = "how" },
    },
    groups = { "cluster", "values", "output", "yes" },
    arguments = { { "name", help = "what", required = true }, { "more", help = "others", many = true } },
}

local function refused(words)
    local ok, problem = pcall(cli.read, spec, words)
    lu.assertFalse(ok)
    lu.assertEquals(fail.kind(problem), "usage")
    return problem.message
end

function tests.read_long_and_short_options_mean_the_same()
    for _, words in ipairs { { "x", "--size", "3", "--dry-run" }, { "-s", "3", "-d", "x" }, { "-ds3", "x" },
        { "--size=3", "x", "-d" } } do
        local options = cli.read(spec, words)
        lu.assertEquals(options.size, "3")
        lu.assertTrue(options.dry_run)
        lu.assertEquals(options.name, "x")
    end
end

function tests.read_without_options_gives_defaults()
    local options = cli.read(spec, { "x" })
    lu.assertEquals(options.size, "1")
    lu.assertNil(options.dry_run)
    lu.assertEquals(options.tag, {})
    lu.assertEquals(options.output, "text")
    lu.assertEquals(options.more, {})
end

function tests.read_repeated_option_keeps_every_value_in_order()
    local options = cli.read(spec, { "x", "--set", "a=1", "-f", "one.yaml", "--set=b=2,c=3", "--values", "two.yaml" })
    lu.assertEquals(options.set, { "a=1", "b=2,c=3" })
    lu.assertEquals(options.values, { "one.yaml", "two.yaml" })
end

function tests.read_empty_value_after_equals_is_a_value()
    lu.assertEquals(cli.read(spec, { "x", "--size=" }).size, "")
end

function tests.read_after_double_dash_everything_is_an_argument()
    local options = cli.read(spec, { "x", "--", "--size", "-d" })
    lu.assertEquals(options.more, { "--size", "-d" })
    lu.assertNil(options.dry_run)
end

function tests.read_single_dash_is_an_argument()
    lu.assertEquals(cli.read(spec, { "-" }).name, "-")
end

function tests.read_misspelt_option_names_the_nearest()
    lu.assertStrContains(refused { "x", "--dry-rum" }, "did you mean --dry-run?")
end

function tests.read_wrong_words_are_refused_with_the_reason()
    lu.assertStrContains(refused { "x", "-q", "-Z" }, "unknown option -Z")
    lu.assertStrContains(refused { "x", "--size" }, "--size needs its N")
    lu.assertStrContains(refused { "x", "--dry-run=yes" }, "takes no value")
    lu.assertStrContains(refused { "x", "--mode", "quick" }, "fast, slow")
    lu.assertStrContains(refused {}, "NAME is missing")
    lu.assertStrContains(refused { "x", "-o", "xml" }, "text, json")
end

function tests.read_surplus_argument_is_refused()
    local ok, problem = pcall(cli.read, { name = "none", summary = "" }, { "extra" })
    lu.assertFalse(ok)
    lu.assertStrContains(problem.message, 'unexpected argument "extra"')
end

function tests.read_help_needs_no_arguments()
    lu.assertTrue(cli.read(spec, { "--help" }).help)
end

function tests.read_leaves_the_given_words_alone()
    local words = { "-ds3", "x" }
    cli.read(spec, words)
    lu.assertEquals(words, { "-ds3", "x" })
end

function tests.help_names_every_option_and_argument()
    local text = cli.help(spec)
    lu.assertStrContains(text, "usage: todo-lua sample [options] NAME [MORE…]")
    for _, option in ipairs(cli.options(spec)) do
        lu.assertStrContains(text, "--" .. option[1])
        lu.assertStrContains(text, option.help)
    end
    for line in text:gmatch("[^\n]+") do lu.assertTrue(#line < 120, line) end
end

function tests.completion_lists_what_the_parser_takes()
    local data = cli.completion(spec)
    lu.assertEquals(#data.options, #cli.options(spec))
    local by_name = {}
    for _, option in ipairs(data.options) do by_name[option.name] = option end
    lu.assertEquals(by_name["--mode"].choices, { "fast", "slow" })
    lu.assertEquals(by_name["--size"].short, "-s")
    lu.assertEquals(data.arguments[1].name, "name")
end

return tests
