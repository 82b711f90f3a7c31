-- The nearest spelling of a wrong word.
local suggest = {}

-- Edits between two words: a letter more, less, other, or two neighbours swapped.
local function distance(a, b)
    local before, above = {}, {}
    for j = 0, #b do above[j] = j end
    for i = 1, #a do
        local row = { [0] = i }
        for j = 1, #b do
            local same = a:byte(i) == b:byte(j)
            row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same and 0 or 1))
            if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
                row[j] = math.min(row[j], before[j - 2] + 1)
            end
        end
        before, above = above, row
    end
    return above[#b]
end

---@param word string
---@param known string[]
---@return string? nearest nil where nothing is near
function suggest.nearest(word, known)
    local best, best_distance
    for _, candidate in ipairs(known) do
        local d = distance(word, candidate)
        if not best_distance or d < best_distance then best, best_distance = candidate, d end
    end
    if best and best_distance <= math.max(1, #word // 3) then return best end
    return nil
end

---" (did you mean X?)" or nothing.
---@param word string
---@param known string[]
---@return string
function suggest.phrase(word, known)
    local nearest = suggest.nearest(word, known)
    return nearest and (" (did you mean %s?)"):format(nearest) or ""
end

return suggest
