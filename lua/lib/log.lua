-- What scripts say: information, details, warnings, errors, on one stream and never into the middle of a live line.
local program = require "program"
local term = require "term"

local log = {}

local sink
local stream = "stdout"
local levels = { quiet = 0, normal = 1, verbose = 2 }
local level = levels[program.verbosity] or 1

---@param name "quiet"|"normal"|"verbose"
function log.set_level(name) level = levels[name] end

---@return boolean
function log.is_verbose() return level >= 2 end
---@return boolean
function log.is_quiet() return level == 0 end

---From now on everything goes to this stream; `-o json` keeps stdout for the document alone.
---@param name "stdout"|"stderr"
function log.set_stream(name) stream = name end
---@return "stdout"|"stderr"
function log.stream() return stream end

---While a board shows live lines, text has to pass through it.
---@param fn (fun(text: string))? takes one line without its newline
function log.set_sink(fn) sink = fn end

---@param text string
function log.write(text)
    if stream == "stderr" then term.write_err(text) else term.write(text) end
end

local function say(text)
    if sink then sink(text) else log.write(text .. "\n") end
end

---@param format string
---@param ... any
local function text_of(format, ...)
    return select("#", ...) > 0 and format:format(...) or format
end

---@param format string
---@param ... any
function log.info(format, ...)
    if level >= 1 then say(text_of(format, ...)) end
end

---Said even when quiet: the answer the user asked for.
---@param format string
---@param ... any
function log.result(format, ...) say(text_of(format, ...)) end

---@param format string
---@param ... any
function log.detail(format, ...)
    if level >= 2 then say(term.style("dim", text_of(format, ...))) end
end

-- Cluster providers know it by this name.
log.debug = log.detail

---@param format string
---@param ... any
function log.warn(format, ...) say(term.style("yellow", "warning: ") .. text_of(format, ...)) end

---@param format string
---@param ... any
function log.error(format, ...) say(term.style("red", "error: ") .. text_of(format, ...)) end

---A command that is about to run.
---@param argv string[]
function log.command(argv)
    local words = {}
    for index, word in ipairs(argv) do
        words[index] = word:find("^[%w_@%%+=:,./-]+$") and word or "'" .. word:gsub("'", "'\\''") .. "'"
    end
    say(term.style("dim", "$ ") .. table.concat(words, " "))
end

return log
