-- The fuzz targets: libFuzzer programs of the parsers that read what strangers write, each with a small corpus of what it
-- is for and of what it once stumbled over.
local fs = require "fs"
local proc = require "proc"
local program = require "program"

local targets = {}

---Names, with how many of ten million inputs a long run gives each.
targets.shares = {
    template = 1000000, values = 1000000, set = 1750000, schema = 1000000, archive = 1000000, release = 1000000,
    kubeconfig = 750000, watch = 1500000, websocket = 1000000, buildkit = 1000000,
}

-- Bounds of one input.
local SECONDS, MEGABYTES, BYTES = 10, 1024, 4096

local function path(...) return fs.join(program.project, ...) end

---Runs a target; raises where an input crashed it, took too long or too much memory. That input is kept in
---build/fuzz/findings/.
---@async
---@param name string
---@param runs integer
---@param seed integer
---@param grown string folder for inputs that reach new code; a run starts with those that are there
---@return integer runs that were made
function targets.run(name, runs, seed, grown)
    local findings = path("build/fuzz/findings")
    fs.mkdir(findings)
    local result = proc.run({ path("build/fuzz/fuzz-" .. name .. "_fuzz"), "-runs=" .. runs, "-seed=" .. seed,
        "-timeout=" .. SECONDS, "-rss_limit_mb=" .. MEGABYTES, "-max_len=" .. BYTES, "-print_final_stats=1",
        ("-artifact_prefix=%s/%s-"):format(findings, name), grown, path("tests/fuzz/corpus", name) },
        { check = false, stderr = "stdout", max_output = 64 << 20 })
    local told = result.stdout
    if result.status ~= 0 then
        error(("%s found something with seed %d:\n%s"):format(name, seed, told:sub(-6000)), 0)
    end
    return tonumber(told:match("stat::number_of_executed_units:%s*(%d+)"))
end

return targets
