-- The nearest spelling of a wrong word.
local suggest = {}

local function distance(a, b)
    local row = {}
    for j = 0, #b do row[j] = j end
    for i = 1, #a do
        local corner = row[0]
        row[0] = i
        for j = 1, #b do
            local above = row[j]
            local cost = a:byte(i) == b:byte(j) and 0 or 1
            row[j] = math.min(above + 1, row[j - 1] + 1, corner + cost)
            corner = above
        end
    end
    return row[#b]
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
