-- What minikube advises where it fails: pkg/minikube/out/out_reason.go writes it.
local advice = {}

---The suggestion, the page and the issues that minikube names. A suggestion of several lines stands indented below its
---heading, one of a single line behind it.
---@param words string what it printed to stderr, without colours
---@return string? text nil where it names none
function advice.of(words)
    local parts, wanted = {}, false
    for line in words:gmatch("[^\n]+") do
        local title, rest = line:match("^%* (%u[%a ]+):%s*(.-)%s*$")
        if title then
            wanted = title == "Suggestion" or title == "Documentation" or title:find("^Related issues?$") ~= nil
            local text = title == "Suggestion" and rest or ("%s: %s"):format(title, rest):match("^(.-)%s*$")
            if wanted and text ~= "" then parts[#parts + 1] = text end
        elseif not line:find("^%s") then
            wanted = false
        elseif wanted and line:find("%S") then
            parts[#parts + 1] = line:match("^%s*(.-)%s*$")
        end
    end
    return #parts > 0 and table.concat(parts, "\n  ") or nil
end

return advice
