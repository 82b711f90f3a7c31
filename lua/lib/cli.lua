-- Command lines: one options table per script, from which parsing, --help and shell completion come.
local fail = require "fail"
local json = require "json"
local log = require "log"
local program = require "program"
local suggest = require "suggest"
local term = require "term"

local cli = {}

---@class todo.CliOption
---@field [1] string long name, "cluster"
---@field short string? one letter
---@field value string? name of its value in the help; absent: a switch
---@field many boolean? may be repeated; the result is a list
---@field choices string[]? allowed values
---@field default any?
---@field help string

---@class todo.CliSpec
---@field name string
---@field summary string one sentence
---@field options todo.CliOption[]?
---@field groups string[]? names of shared option groups: "cluster", "values", "output", "yes"
---@field arguments { [1]: string, help: string, many: boolean?, required: boolean?, choices: string[]? }[]?
---@field environment { [1]: string, [2]: string }[]? variables that it reads, and what for
---@field notes string? what is to be said below the tables
---@field examples string[]?

-- What several scripts understand alike.
local groups = {
    cluster = {
        { "cluster", value = "NAME",
            help = "provider: minikube, kind, k3d, standalone, context (default: what runs here)" },
        { "context", value = "NAME", help = "use this kubeconfig context, even where it is not local" },
        { "registry", value = "HOST[/PATH]",
            help = "registry through which images reach that context's cluster (credentials: docker login)" },
        { "namespace", short = "n", value = "NAME", help = "namespace of the release" },
        { "release", value = "NAME", help = "name of the release" },
    },
    values = {
        { "set", value = "K=V", many = true, help = "set a chart value (a.b=c,d=e); may be repeated" },
        { "values", short = "f", value = "FILE", many = true, help = "values file, later ones win; may be repeated" },
    },
    output = {
        { "output", short = "o", value = "FORMAT", choices = { "text", "json" }, default = "text",
          help = "text or json" },
    },
    yes = {
        { "yes", short = "y", help = "answer every question with yes" },
    },
}

local common = {
    { "verbose", short = "v", help = "say more" },
    { "quiet", short = "q", help = "only warnings, errors and the result" },
    { "help", short = "h", help = "this text" },
}

---Every option of a script, shared ones included, in the order of its help.
---@param spec todo.CliSpec
---@return todo.CliOption[]
function cli.options(spec)
    local all = {}
    local function add(list)
        for _, option in ipairs(list or {}) do all[#all + 1] = option end
    end
    add(spec.options)
    for _, name in ipairs(spec.groups or {}) do add(assert(groups[name], "no option group " .. name)) end
    add(common)
    return all
end

local function key_of(option) return (option[1]:gsub("-", "_")) end

local function argument_words(spec)
    local words = {}
    for _, argument in ipairs(spec.arguments or {}) do
        local word = argument[1]:upper() .. (argument.many and "…" or "")
        words[#words + 1] = argument.required and word or "[" .. word .. "]"
    end
    return table.concat(words, " ")
end

local function table_text(rows)
    local wide = 0
    for _, row in ipairs(rows) do wide = math.max(wide, term.width(row[1])) end
    local lines = {}
    for _, row in ipairs(rows) do
        lines[#lines + 1] = "  " .. row[1] .. (" "):rep(wide - term.width(row[1]) + 2) .. row[2]
    end
    return table.concat(lines, "\n") .. "\n"
end

---@param spec todo.CliSpec
---@return string
function cli.help(spec)
    local usage = ("usage: todo-lua %s [options] %s"):format(spec.name, argument_words(spec)):gsub("%s+$", "")
    local parts = { usage .. "\n\n" .. spec.summary .. "\n" }
    if spec.arguments and #spec.arguments > 0 then
        local rows = {}
        for _, argument in ipairs(spec.arguments) do rows[#rows + 1] = { argument[1]:upper(), argument.help } end
        parts[#parts + 1] = "\nArguments:\n" .. table_text(rows)
    end
    local rows = {}
    for _, option in ipairs(cli.options(spec)) do
        local left = (option.short and "-" .. option.short .. ", " or "    ") .. "--" .. option[1]
        rows[#rows + 1] = { left .. (option.value and " " .. option.value or ""), option.help }
    end
    parts[#parts + 1] = "\nOptions:\n" .. table_text(rows)
    if spec.environment then parts[#parts + 1] = "\nEnvironment:\n" .. table_text(spec.environment) end
    if spec.notes then parts[#parts + 1] = "\n" .. spec.notes .. "\n" end
    if spec.examples then
        parts[#parts + 1] = "\nExamples:\n  " .. table.concat(spec.examples, "\n  ") .. "\n"
    end
    return table.concat(parts)
end

---What a shell needs to complete the script's words.
---@param spec todo.CliSpec
---@return { name: string, summary: string, options: table[], arguments: table[] }
function cli.completion(spec)
    local options = json.list {}
    for _, option in ipairs(cli.options(spec)) do
        options[#options + 1] = {
            name = "--" .. option[1], short = option.short and "-" .. option.short or nil, value = option.value,
            choices = option.choices and json.list(option.choices), help = option.help,
        }
    end
    local arguments = json.list {}
    for _, argument in ipairs(spec.arguments or {}) do
        arguments[#arguments + 1] = {
            name = argument[1], choices = argument.choices and json.list(argument.choices), help = argument.help,
        }
    end
    return { name = spec.name, summary = spec.summary, options = options, arguments = arguments }
end

local function usage_error(spec, message)
    fail.raise("usage", ("%s: %s"):format(spec.name, message),
        ("todo-lua %s --help lists what it takes"):format(spec.name),
        { status = 2 })
end

local function find_option(spec, all, name)
    for _, option in ipairs(all) do
        if option[1] == name then return option end
    end
    local known = {}
    for index, option in ipairs(all) do known[index] = "--" .. option[1] end
    usage_error(spec, ("unknown option --%s%s"):format(name, suggest.phrase("--" .. name, known)))
end

local function find_short(spec, all, letter)
    for _, option in ipairs(all) do
        if option.short == letter then return option end
    end
    usage_error(spec, ("unknown option -%s"):format(letter))
end

local function check_choice(spec, what, value, choices)
    if not choices then return end
    for _, choice in ipairs(choices) do
        if choice == value then return end
    end
    usage_error(spec, ("%s must be one of %s, not %q%s"):format(what, table.concat(choices, ", "), value,
        suggest.phrase(value, choices)))
end

local function store(spec, result, option, value)
    check_choice(spec, "--" .. option[1], value, option.choices)
    local key = key_of(option)
    if option.many then
        result[key] = result[key] or {}
        table.insert(result[key], value)
    else
        result[key] = value
    end
end

-- One word that starts with a dash; returns the index of the last word it used.
local function parse_option(spec, all, result, words, index)
    local word = words[index]
    local name, value = word:match("^%-%-([^=]+)=?(.*)$")
    local option
    if name then
        option = find_option(spec, all, name)
        if not word:find("=", 1, true) then value = nil end
    else
        option = find_short(spec, all, word:sub(2, 2))
        value = #word > 2 and word:sub(3) or nil
        if value and not option.value then
            -- -qy: the rest are switches of their own.
            store(spec, result, option, true)
            words[index] = "-" .. value
            return index - 1
        end
    end
    if not option.value then
        if value then usage_error(spec, ("--%s takes no value"):format(option[1])) end
        store(spec, result, option, true)
        return index
    end
    if not value then
        index = index + 1
        value = words[index]
        if value == nil then usage_error(spec, ("--%s needs its %s"):format(option[1], option.value)) end
    end
    store(spec, result, option, value)
    return index
end

local function take_arguments(spec, result, given)
    local next_given = 1
    for _, argument in ipairs(spec.arguments or {}) do
        local key = argument[1]:gsub("-", "_")
        if argument.many then
            result[key] = {}
            while given[next_given] do
                check_choice(spec, argument[1], given[next_given], argument.choices)
                table.insert(result[key], given[next_given])
                next_given = next_given + 1
            end
        elseif given[next_given] then
            check_choice(spec, argument[1], given[next_given], argument.choices)
            result[key], next_given = given[next_given], next_given + 1
        end
        if argument.required and (result[key] == nil or argument.many and #result[key] == 0) then
            usage_error(spec, ("%s is missing"):format(argument[1]:upper()))
        end
    end
    if given[next_given] then usage_error(spec, ("unexpected argument %q"):format(given[next_given])) end
end

---Reads a list of words; raises kind "usage". No side effects.
---@param spec todo.CliSpec
---@param words string[]
---@return table result options by name (dashes become underscores), arguments by theirs
function cli.read(spec, words)
    local all = cli.options(spec)
    local result, given = {}, {}
    words = { table.unpack(words) }
    local index = 1
    while index <= #words do
        local word = words[index]
        if word == "--" then
            table.move(words, index + 1, #words, #given + 1, given)
            break
        elseif word:find("^%-.") then
            index = parse_option(spec, all, result, words, index)
        else
            given[#given + 1] = word
        end
        index = index + 1
    end
    for _, option in ipairs(all) do
        local key = key_of(option)
        if result[key] == nil then
            if option.many then result[key] = {} else result[key] = option.default end
        end
    end
    if not result.help then take_arguments(spec, result, given) end
    return result
end

---The script's own command line: answers --help, ends the program with status 2 on wrong usage, sets the log's level.
---@param spec todo.CliSpec
---@return table result
function cli.parse(spec)
    if program.args[1] == "--completion-data" then
        term.write(json.encode(cli.completion(spec)) .. "\n")
        program.exit(0)
    end
    local ok, result = pcall(cli.read, spec, program.args)
    if not ok then
        if fail.kind(result) ~= "usage" then error(result, 0) end
        term.write_err(("todo-lua %s\n  %s\n"):format(result.message, result.hint))
        program.exit(2)
    end
    if result.help then
        term.write(cli.help(spec))
        program.exit(0)
    end
    if result.verbose then log.set_level("verbose") elseif result.quiet then log.set_level("quiet") end
    if result.output == "json" then log.set_stream("stderr") end
    return result
end

return cli
