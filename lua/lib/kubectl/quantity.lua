-- Kubernetes' quantities (k8s.io/apimachinery resource.Quantity): "500m", "1536Mi", "2", "1e3". Amounts are kept in
-- thousandths, as integers where they fit, so that sums are exact.
local quantity = {}

local binary = { Ki = 1, Mi = 2, Gi = 3, Ti = 4, Pi = 5, Ei = 6 }
local decimal = { n = -9, u = -6, m = -3, [""] = 0, k = 3, M = 6, G = 9, T = 12, P = 15, E = 18 }

---@class todo.Quantity
---@field milli number thousandths
---@field form "binary"|"decimal"|"exponent" how it was written

-- mantissa * 10^exponent in thousandths, rounded up as the API server rounds.
local function scaled(digits, fraction, exponent)
    local shift = exponent + 3 - #fraction
    local whole = math.tointeger(tonumber(digits .. fraction))
    if not whole then return nil end
    if shift < 0 then return math.tointeger(-(-whole // math.tointeger(10 ^ -shift))) end
    if shift > 18 or whole > math.maxinteger // math.tointeger(10 ^ shift) then return whole * 10.0 ^ shift end
    return whole * math.tointeger(10 ^ shift)
end

---@param text any a number counts, too
---@return todo.Quantity? nil where it is none
function quantity.parse(text)
    if type(text) == "number" then text = ("%d"):format(math.floor(text)) end
    if type(text) ~= "string" then return nil end
    local sign, digits, fraction, suffix = text:match("^([+-]?)(%d*)%.?(%d*)(.-)$")
    if not sign or digits .. fraction == "" or not text:find("^[+-]?%d*%.?%d*%a*[+-]?%d*$") then return nil end
    local form = "decimal"
    local milli
    if binary[suffix] then
        form = "binary"
        milli = scaled(digits, fraction, 0)
        milli = milli and milli * (binary[suffix] < 6 and 1024 ^ binary[suffix] or 2.0 ^ 60)
        milli = milli and (math.tointeger(milli) or milli)
    elseif decimal[suffix] then
        milli = scaled(digits, fraction, decimal[suffix])
    else
        local exponent = suffix:match("^[eE]([+-]?%d+)$")
        if not exponent then return nil end
        form, milli = "exponent", scaled(digits, fraction, math.tointeger(tonumber(exponent)))
    end
    return milli and { milli = sign == "-" and -milli or milli, form = form }
end

local decimal_suffixes = { [0] = "", "k", "M", "G", "T", "P", "E" }
local binary_suffixes = { [0] = "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" }

local function reduce(value, base, suffixes)
    local step = 0
    while value ~= 0 and value % base == 0 and step < 6 do value, step = value // base, step + 1 end
    return ("%d%s"):format(value, suffixes[step])
end

---The canonical text: the largest suffix without a fraction.
---@param amount todo.Quantity
---@return string
function quantity.text(amount)
    local milli = amount.milli
    if milli % 1000 ~= 0 then return ("%dm"):format(milli) end
    local value = milli // 1000
    if amount.form == "binary" and math.abs(value) >= 1024 then return reduce(value, 1024, binary_suffixes) end
    if amount.form ~= "exponent" then return reduce(value, 1000, decimal_suffixes) end
    local exponent = 0
    while value ~= 0 and value % 1000 == 0 do value, exponent = value // 1000, exponent + 3 end
    return exponent == 0 and ("%d"):format(value) or ("%de%d"):format(value, exponent)
end

---@param a todo.Quantity
---@param b todo.Quantity
---@return todo.Quantity sum written as the first, unless that is nothing
function quantity.add(a, b)
    return { milli = a.milli + b.milli, form = a.milli == 0 and b.form or a.form }
end

return quantity
