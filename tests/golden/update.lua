-- Asks real helm anew for everything under expected/: todo-lua tests/golden/update.lua [PATH OF HELM].
local fs = require "fs"
local proc = require "proc"
local program = require "program"

local golden = program.project .. "/tests/golden"
local helm = program.args[1] or "helm"
local cases = dofile(golden .. "/cases.lua")

fs.remove(golden .. "/expected")
fs.mkdir(golden .. "/expected")
for _, case in ipairs(cases) do
    local command = { helm, "template", case.release, case.chart, table.unpack(case.flags) }
    local result = proc.run(command, { cwd = golden, check = false, stdin = case.stdin or "" })
    local failed = result.status ~= 0
    fs.write(("%s/expected/%s.%s"):format(golden, case.name, failed and "error" or "yaml"),
        failed and result.stderr:gsub("'/[^']*/tests/golden/", "'GOLDEN/") or result.stdout) -- no path of a machine
end
print(#cases .. " cases, judged by " .. proc.run({ helm, "version", "--short" }).stdout)
