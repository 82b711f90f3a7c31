-- Numbers and times as people read them.
local format = {}

---@param seconds number
---@return string "0.4 s", "12 s", "2 m 5 s", "3 h 2 m"
function format.duration(seconds)
    if seconds < 9.95 then return string.format("%.1f s", seconds) end
    local whole = math.floor(seconds + 0.5)
    if whole < 60 then return whole .. " s" end
    if whole < 3600 then return string.format("%d m %d s", whole // 60, whole % 60) end
    return string.format("%d h %d m", whole // 3600, whole % 3600 // 60)
end

-- "5m" or "5m3s": the second unit is left out where it is nothing.
local function two_units(big, big_unit, small, small_unit)
    return small == 0 and big .. big_unit or big .. big_unit .. small .. small_unit
end

---As Kubernetes shows ages (apimachinery's HumanDuration): one unit, two where the first is small.
---@param seconds number
---@return string "45s", "3m20s", "12m", "5h10m", "3d", "<invalid>" for a time that is yet to come
function format.age(seconds)
    local whole = math.tointeger(seconds < 0 and math.ceil(seconds) or math.floor(seconds))
    if whole < -1 then return "<invalid>" end
    if whole < 0 then return "0s" end
    local minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120 then return whole .. "s" end
    if minutes < 10 then return two_units(minutes, "m", whole % 60, "s") end
    if minutes < 180 then return minutes .. "m" end
    if hours < 8 then return two_units(hours, "h", minutes % 60, "m") end
    if hours < 48 then return hours .. "h" end
    if days < 8 then return two_units(days, "d", hours % 24, "h") end
    if days < 730 then return days .. "d" end
    if days < 2920 then return two_units(days // 365, "y", days % 365, "d") end
    return days // 365 .. "y"
end

---Megabytes are 10^6 bytes, as Docker counts an image.
---@param bytes number
---@return string "512 B", "3.4 kB", "287 MB", "1.2 GB"
function format.size(bytes)
    local units = { "B", "kB", "MB", "GB", "TB" }
    local unit = 1
    while bytes >= 999.5 and unit < #units do
        bytes, unit = bytes / 1000, unit + 1
    end
    if unit == 1 or bytes >= 99.5 then return string.format("%.0f %s", bytes, units[unit]) end
    return string.format("%.1f %s", bytes, units[unit])
end

---Seconds since the epoch of an RFC 3339 time in UTC, as Kubernetes writes it; nil where it is no such text.
---@param text string?
---@return number?
function format.epoch(text)
    if type(text) ~= "string" then return nil end
    local year, month, day, hour, minute, second = text:match("^(%d+)-(%d+)-(%d+)T(%d+):(%d+):([%d.]+)Z$")
    if not year then return nil end
    -- Days since the epoch in the proleptic Gregorian calendar; os.time would apply the machine's time zone.
    local y, m = tonumber(year), tonumber(month)
    if m <= 2 then y = y - 1 end
    local era = y // 400
    local year_of_era = y - era * 400
    local day_of_year = (153 * (m + (m > 2 and -3 or 9)) + 2) // 5 + tonumber(day) - 1
    local day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    local days = era * 146097 + day_of_era - 719468
    return days * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
end

---RFC 3339 in UTC.
---@param seconds number since the epoch
---@return string
function format.timestamp(seconds)
    return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) --[[@as string]]
end

---"1 pod", "3 pods".
---@param count integer
---@param noun string
---@param plural string?
---@return string
function format.count(count, noun, plural)
    return count .. " " .. (count == 1 and noun or plural or noun .. "s")
end

return format
