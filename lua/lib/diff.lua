-- Differences between two texts or two objects by lines, found with Myers' algorithm in linear space.
local json = require "json"
local mask = require "mask"
local tables = require "tables"
local term = require "term"
local yaml = require "yaml"

local diff = {}

-- Rounds of one search for a split. Texts that have next to nothing in common get a good difference after that many,
-- not the shortest: time stays proportional to their length.
local MAX_ROUNDS = 400
local FAR = math.maxinteger // 2

---@class todo.DiffLine
---@field op " "|"-"|"+"
---@field text string

local function split_lines(text)
    local lines = {}
    for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
    if text == "" then lines[1] = nil end
    return lines
end

-- Where the furthest of the forward paths got: what a search is split at that took too long.
local function furthest_point(reach, low, high, a_high, b_high)
    local best, best_x, best_y = -1, nil, nil
    for diagonal = low, high, 2 do
        local x = math.min(reach[diagonal], a_high)
        local y = x - diagonal
        if y > b_high then x, y = b_high + diagonal, b_high end
        if x + y > best then best, best_x, best_y = x + y, x, y end
    end
    return best_x, best_y
end

-- The diagonals that one side of a search looks at in this round: one more at each end until the edge is met, then one
-- less. `edge` is what a path outside of the edges would have reached.
local function widen(reach, side, edge)
    if side.low > side.first then
        side.low = side.low - 1
        reach[side.low - 1] = edge
    else
        side.low = side.low + 1
    end
    if side.high < side.last then
        side.high = side.high + 1
        reach[side.high + 1] = edge
    else
        side.high = side.high - 1
    end
end

-- A point that a shortest path from (a_low, b_low) to (a_high, b_high) goes through: paths from both ends grow until
-- two of them meet. Items a[a_low + 1 .. a_high] are compared with b[b_low + 1 .. b_high]; a diagonal is x - y.
local function middle(a, b, a_low, a_high, b_low, b_high)
    local start, goal = a_low - b_low, a_high - b_high
    local odd = (start - goal) % 2 ~= 0
    local first, last = a_low - b_high, a_high - b_low
    local ahead = { low = start, high = start, first = first, last = last }
    local behind = { low = goal, high = goal, first = first, last = last }
    local forward, backward = { [start] = a_low }, { [goal] = a_high }
    for round = 1, math.maxinteger do
        widen(forward, ahead, -1)
        for diagonal = ahead.high, ahead.low, -2 do
            local x = math.max(forward[diagonal - 1] + 1, forward[diagonal + 1])
            local y = x - diagonal
            while x < a_high and y < b_high and a[x + 1] == b[y + 1] do x, y = x + 1, y + 1 end
            forward[diagonal] = x
            if odd and diagonal >= behind.low and diagonal <= behind.high and backward[diagonal] <= x then
                return x, y
            end
        end
        widen(backward, behind, FAR)
        for diagonal = behind.high, behind.low, -2 do
            local x = math.min(backward[diagonal - 1], backward[diagonal + 1] - 1)
            local y = x - diagonal
            while x > a_low and y > b_low and a[x] == b[y] do x, y = x - 1, y - 1 end
            backward[diagonal] = x
            if not odd and diagonal >= ahead.low and diagonal <= ahead.high and x <= forward[diagonal] then
                return x, y
            end
        end
        if round >= MAX_ROUNDS then return furthest_point(forward, ahead.low, ahead.high, a_high, b_high) end
    end
end

-- Marks in gone (items of a) and new (items of b) what no path can keep.
local function compare(a, b, a_low, a_high, b_low, b_high, gone, new)
    while a_low < a_high and b_low < b_high and a[a_low + 1] == b[b_low + 1] do a_low, b_low = a_low + 1, b_low + 1 end
    while a_low < a_high and b_low < b_high and a[a_high] == b[b_high] do a_high, b_high = a_high - 1, b_high - 1 end
    if a_low == a_high or b_low == b_high then
        for index = a_low + 1, a_high do gone[index] = true end
        for index = b_low + 1, b_high do new[index] = true end
        return
    end
    local x, y = middle(a, b, a_low, a_high, b_low, b_high)
    compare(a, b, a_low, x, b_low, y, gone, new)
    compare(a, b, x, a_high, y, b_high, gone, new)
end

-- Items of `lines` that occur in the other text, with their places; the others are changed whatever happens.
local function common_items(lines, other, changed)
    local known, items, places = {}, {}, {}
    for _, line in ipairs(other) do known[line] = true end
    for index, line in ipairs(lines) do
        if known[line] then
            items[#items + 1], places[#places + 1] = line, index
        else
            changed[index] = true
        end
    end
    return items, places
end

-- Of several equally short differences the one is shown whose blocks stand as low as they can: an added list item then
-- starts with its own "-" line.
local function slide_down(lines, changed)
    local index = 1
    while index <= #lines do
        if changed[index] then
            local first, last = index, index
            while changed[last + 1] do last = last + 1 end
            while last < #lines and lines[first] == lines[last + 1] do
                changed[first], changed[last + 1] = nil, true
                first, last = first + 1, last + 1
                while changed[last + 1] do last = last + 1 end
            end
            index = last
        end
        index = index + 1
    end
end

---Every line of both texts in order: kept, removed or added.
---@param old string
---@param new string
---@return todo.DiffLine[]
function diff.lines(old, new)
    local a, b = split_lines(old), split_lines(new)
    local gone, added = {}, {}
    local a_items, a_places = common_items(a, b, gone)
    local b_items, b_places = common_items(b, a, added)
    local a_marks, b_marks = {}, {}
    compare(a_items, b_items, 0, #a_items, 0, #b_items, a_marks, b_marks)
    for index in pairs(a_marks) do gone[a_places[index]] = true end
    for index in pairs(b_marks) do added[b_places[index]] = true end
    slide_down(a, gone)
    slide_down(b, added)
    local out, i, j = {}, 1, 1
    while i <= #a or j <= #b do
        if gone[i] then
            out[#out + 1], i = { op = "-", text = a[i] }, i + 1
        elseif added[j] then
            out[#out + 1], j = { op = "+", text = b[j] }, j + 1
        else
            out[#out + 1], i, j = { op = " ", text = a[i] }, i + 1, j + 1
        end
    end
    return out
end

---@class todo.DiffHunk
---@field old integer first line in the old text, as a unified diff counts
---@field old_count integer
---@field new integer
---@field new_count integer
---@field lines todo.DiffLine[]

local function make_hunk(lines, first, last, old, new)
    local hunk = { old = old, new = new, old_count = 0, new_count = 0, lines = table.move(lines, first, last, 1, {}) }
    for _, line in ipairs(hunk.lines) do
        if line.op ~= "+" then hunk.old_count = hunk.old_count + 1 end
        if line.op ~= "-" then hunk.new_count = hunk.new_count + 1 end
    end
    -- An empty side names the line before it.
    if hunk.old_count == 0 then hunk.old = hunk.old - 1 end
    if hunk.new_count == 0 then hunk.new = hunk.new - 1 end
    return hunk
end

---The changed places with their surroundings; none where the texts are equal.
---@param lines todo.DiffLine[] of diff.lines
---@param context integer? unchanged lines around each change; nil or negative: all
---@return todo.DiffHunk[]
function diff.hunks(lines, context)
    if not context or context < 0 then context = #lines end
    local hunks = {}
    local old, new = 1, 1 -- numbers of the line at `index`
    local first, first_old, first_new, last_change
    local function close(index)
        local last = math.min(last_change + context, index - 1)
        hunks[#hunks + 1] = make_hunk(lines, first, last, first_old, first_new)
        first = nil
    end
    for index, line in ipairs(lines) do
        if first and line.op == " " and index - last_change > 2 * context then close(index) end
        if line.op ~= " " then
            if not first then
                first = math.max(1, index - context)
                first_old, first_new = old - (index - first), new - (index - first)
            end
            last_change = index
        end
        if line.op ~= "+" then old = old + 1 end
        if line.op ~= "-" then new = new + 1 end
    end
    if first then close(#lines + 1) end
    return hunks
end

local function range(start, count) return count == 1 and tostring(start) or start .. "," .. count end

---A unified diff of two texts; "" where they are equal.
---@param old string
---@param new string
---@param options { from: string?, to: string?, context: integer? }? context: 3
---@return string
function diff.unified(old, new, options)
    options = options or {}
    local hunks = diff.hunks(diff.lines(old, new), options.context or 3)
    if #hunks == 0 then return "" end
    local out = { "--- " .. (options.from or "a"), "+++ " .. (options.to or "b") }
    for _, hunk in ipairs(hunks) do
        out[#out + 1] = ("@@ -%s +%s @@"):format(range(hunk.old, hunk.old_count), range(hunk.new, hunk.new_count))
        for _, line in ipairs(hunk.lines) do out[#out + 1] = line.op .. line.text end
    end
    return table.concat(out, "\n") .. "\n"
end

local colours = { ["-"] = "red", ["+"] = "green" }

---Text for the terminal: "- ", "+ " or "  " before each line, "..." between places that are apart.
---@param lines todo.DiffLine[]
---@param context integer? as in diff.hunks
---@return string
function diff.text(lines, context)
    local out = {}
    for index, hunk in ipairs(diff.hunks(lines, context)) do
        if index > 1 or hunk.old > 1 and hunk.new > 1 then out[#out + 1] = "..." end
        for _, line in ipairs(hunk.lines) do
            local text = line.op .. " " .. line.text
            out[#out + 1] = colours[line.op] and term.style(colours[line.op], text) or text
        end
    end
    return #out > 0 and table.concat(out, "\n") .. "\n" or ""
end

-- A Secret's texts, each with a note whether the other side has the same.
local function mask_field(object, other, field, note)
    local values = object[field]
    if type(values) ~= "table" then return end
    local others = type(other) == "table" and type(other[field]) == "table" and other[field] or {}
    for key, value in pairs(values) do
        local said = note
        if others[key] ~= nil then said = note == "added" and "changed" or "before" end
        values[key] = (not other or others[key] == value) and mask.TEXT or ("%s (%s)"):format(mask.TEXT, said)
    end
end

local APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

local function is_secret(object)
    return type(object) == "table" and object.kind == "Secret" and object.apiVersion == "v1"
end

-- One side of a pair, its Secret's data replaced; other objects come back as they are.
local function masked(object, other, note)
    if not is_secret(object) then return object end
    local copy = tables.copy(object)
    mask_field(copy, other, "data", note)
    mask_field(copy, other, "stringData", note)
    local notes = tables.at(copy, "metadata.annotations")
    if notes and notes[APPLIED] then notes[APPLIED] = mask.TEXT end
    return copy
end

---Both objects with the data of Secrets replaced by "•••" and whether it changed.
---@param old table?
---@param new table?
---@return table? old
---@return table? new
function diff.mask(old, new)
    return masked(old, new, "removed"), masked(new, old, "added")
end

---@class todo.ObjectDiff
---@field change "added"|"removed"|"changed"
---@field apiVersion string
---@field kind string
---@field namespace string?
---@field name string
---@field lines todo.DiffLine[] of the objects as YAML

local function yaml_of(object)
    return object and yaml.encode(object, { sort = true, secrets = "mask" }) or ""
end

---What differs between two states of one object; nil where nothing does.
---@param old table? nil: it is new
---@param new table? nil: it goes
---@param options { show_secrets: boolean? }?
---@return todo.ObjectDiff?
function diff.object(old, new, options)
    if not old and not new then return nil end
    if not (options and options.show_secrets) then old, new = diff.mask(old, new) end
    local lines = diff.lines(yaml_of(old), yaml_of(new))
    if #diff.hunks(lines, 0) == 0 then return nil end
    local one = new or old --[[@as table]]
    local meta = type(one.metadata) == "table" and one.metadata or {}
    return {
        change = not old and "added" or not new and "removed" or "changed",
        apiVersion = one.apiVersion, kind = one.kind, name = meta.name,
        namespace = meta.namespace ~= json.null and meta.namespace or nil, lines = lines,
    }
end

return diff
