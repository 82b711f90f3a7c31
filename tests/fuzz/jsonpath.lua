-- Throws templates at kubectl's JSONPath, made from good ones by chance: whatever they are, they are printed or refused.
local fail = require "fail"
local json = require "json"
local jsonpath = require "kubectl.jsonpath"

local SEEDS = {
    "{.metadata.name}", "{range .items[*]}{.metadata.name}{'\\t'}{.status.n}{\"\\n\"}{end}", "{.items[?(@.n>2)].name}",
    "{..name}", "{.items[0:2:1]}", "{.items[-1:]}", "{.metadata['name','labels']}", "{.metadata.labels.a\\.b/c}",
    "{@}", "{$.items[*].on}", "{.items[?(@.on==true)]}", "{.items[?(@.name=='b')].n}", "text {\"\\u00e4\\101\\x41\"} {1.5}",
    "{.items[?(@.n<=1.5)]}", "{.items[*]['n','name']}", "{.items[?(@..name)]}",
}
local PIECES = { "{", "}", "[", "]", "(", ")", "..", "*", "@", "$", "?", "'", '"', "\\", ",", ":", "-", "range ", "end",
    "==", "<", "99999999999999999999", "\\U", "\\u", "\255", "0", ".", " ", "\n", "true", "||", "&&" }
local DATA = { metadata = { name = "x", labels = { ["a.b/c"] = "d", n = 3 } }, status = json.null, items = json.list {
    { name = "a", n = 1, on = true }, { name = "b", n = 2.5, on = false }, { name = "c", n = json.null }, "text", 7 } }
local LONGEST, POOL = 400, 200

-- A generator of its own, so that a seed gives the same inputs everywhere.
local function dice(seed)
    local state = seed * 2654435761 + 88172645463325252
    return function(n)
        state = state ~ state << 13
        state = state ~ state >> 7
        state = state ~ state << 17
        return (state >> 11) % n + 1
    end
end

local function mutate(text, roll)
    for _ = 1, roll(5) do
        local at, kind = roll(#text + 1), roll(4)
        local piece = kind == 1 and PIECES[roll(#PIECES)] or kind == 2 and string.char(roll(256) - 1) or ""
        if kind == 4 then
            local other = SEEDS[roll(#SEEDS)]
            local from = roll(#other)
            piece = other:sub(from, from + roll(12))
        end
        text = text:sub(1, at - 1) .. piece .. text:sub(at + (kind == 3 and roll(4) or roll(2) - 1))
    end
    return text:sub(1, LONGEST)
end

local KINDS = { parse = true, jsonpath = true }

-- Raises with the first template that fails in any other way than with a word about it.
---@param runs integer
---@param seed integer
return function(runs, seed)
    local roll, pool = dice(seed), { table.unpack(SEEDS) }
    for _ = 1, runs do
        local text = mutate(pool[roll(#pool)], roll)
        local ok, problem = pcall(function()
            local path = jsonpath.compile(text, { missing = roll(2) == 1 })
            path:print(DATA)
            path:print_json(DATA)
        end)
        if not ok and not KINDS[fail.kind(problem)] then
            error(("template %q: %s"):format(text, tostring(problem)), 0)
        end
        if ok then pool[#pool < POOL and #pool + 1 or #SEEDS + roll(POOL - #SEEDS)] = text end
    end
end
