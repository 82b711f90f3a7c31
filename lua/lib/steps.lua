-- Runs a script's steps in order. A step is a checked fact: it looks, changes what differs, and says which it was.
local fail = require "fail"
local format = require "format"
local log = require "log"
local project = require "project"
local task = require "task"

local steps = {}

---@class todo.Step
---@field [1] string name, as overrides know it
---@field [2] async fun(ctx: todo.Context, line: todo.BoardLine): boolean|nil, string? changed, and what is so now
---@field text string what the line says while it runs

---@class todo.StepResult
---@field name string
---@field changed boolean
---@field text string
---@field seconds number

local function run_one(ctx, step)
    local name = step[1]
    local line = ctx.board:line(name, step.text)
    ctx.line = line
    local started = task.now()
    local ok, changed, text = pcall(project.wrap(ctx, name, step[2]), ctx, line)
    ctx.end_progress()
    if not ok then
        line:fail(fail.message(changed):match("^[^\n]*"))
        error(changed, 0)
    end
    text = text or step.text
    if changed then line:done(text) else line:same(text) end
    return { name = name, changed = changed and true or false, text = text, seconds = task.now() - started }
end

---@async
---@param ctx todo.Context
---@param list todo.Step[]
---@return { changed: boolean, seconds: number, steps: todo.StepResult[] }
function steps.run(ctx, list)
    local started = task.now()
    local report = { changed = false, steps = {} }
    for _, step in ipairs(list) do
        local result = run_one(ctx, step)
        report.steps[#report.steps + 1] = result
        report.changed = report.changed or result.changed
    end
    report.seconds = task.now() - started
    for _, text in ipairs(ctx.last_words or {}) do log.warn("%s", text) end
    return report
end

---The closing sentence of a run.
---@param report { changed: boolean, seconds: number }
---@return string
function steps.summary(report)
    if not report.changed then
        return ("Nothing to do: everything is up to date (%s)."):format(format.duration(report.seconds))
    end
    return ("Done in %s."):format(format.duration(report.seconds))
end

return steps
