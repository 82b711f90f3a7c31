-- Times as Go writes and prints them (package time of Go): what release records hold and helm shows.
local proc = require "proc"

local gotime = {}

local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

-- "+02:00" of "+0200", "Z" of "+0000".
local function offset_of(seconds)
    local zone = os.date("%z", seconds) --[[@as string]]
    return zone == "+0000" and "Z" or zone:sub(1, 3) .. ":" .. zone:sub(4)
end

---The present in this machine's time zone, RFC 3339 with its fraction.
---@return string
function gotime.now()
    local now = proc.time()
    local seconds = math.floor(now)
    local fraction = ("%.9f"):format(now - seconds):sub(3):gsub("0+$", "")
    return os.date("%Y-%m-%dT%H:%M:%S", seconds) .. (fraction ~= "" and "." .. fraction or "") .. offset_of(seconds)
end

-- The numbers of an RFC 3339 time, with its fraction and zone as texts; nil where it is none.
local function parts_of(text)
    local year, month, day, hour, minute, second, fraction, zone =
        (text or ""):match("^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)%.?(%d*)(.*)$")
    if not year or (zone ~= "Z" and not zone:find("^[+-]%d%d:%d%d$")) then return nil end
    return {
        year = tonumber(year), month = tonumber(month), day = tonumber(day), hour = tonumber(hour),
        minute = tonumber(minute), second = tonumber(second), fraction = fraction, zone = zone,
    }
end

---Whether a record's time was never set.
---@param text string?
---@return boolean
function gotime.is_zero(text)
    return type(text) ~= "string" or text == "" or text:find("^0001%-01%-01T00:00:00Z") ~= nil
end

-- Days since 1970-01-01 in the proleptic Gregorian calendar.
local function day_number(parts)
    local y, m = parts.year, parts.month
    if m <= 2 then y = y - 1 end
    local era = y // 400
    local year_of_era = y - era * 400
    local day_of_year = (153 * (m + (m > 2 and -3 or 9)) + 2) // 5 + parts.day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
end

---Seconds since 1970 in UTC; nil where it is no RFC 3339 time.
---@param text string?
---@return number?
function gotime.epoch(text)
    local parts = parts_of(text)
    if not parts then return nil end
    local sign, hours, minutes = parts.zone:match("^([+-])(%d%d):(%d%d)$")
    local offset = sign and (sign == "-" and -1 or 1) * (tonumber(hours) * 3600 + tonumber(minutes) * 60) or 0
    local whole = day_number(parts) * 86400 + parts.hour * 3600 + parts.minute * 60 + parts.second - offset
    return parts.fraction == "" and whole or whole + tonumber("0." .. parts.fraction)
end

---time.ANSIC: "Mon Jan  2 15:04:05 2006", in the time's own zone; the text itself where it is no time.
---@param text string
---@return string
function gotime.ansic(text)
    local parts = parts_of(text)
    if not parts then return text end
    local weekday = os.date("!%a", day_number(parts) * 86400)
    return ("%s %s %2d %02d:%02d:%02d %04d"):format(weekday, MONTHS[parts.month], parts.day, parts.hour, parts.minute,
        parts.second, parts.year)
end

---time.RFC3339: without the fraction.
---@param text string
---@return string
function gotime.rfc3339(text)
    return (text:gsub("(T%d%d:%d%d:%d%d)%.%d+", "%1"))
end

---Time.String: "2006-01-02 15:04:05.999999999 -0700 MST".
---@param text string
---@return string
function gotime.string(text)
    local parts = parts_of(text)
    if not parts then return text end
    local fraction = parts.fraction:gsub("0+$", "")
    local numeric, name = "+0000", "UTC"
    if parts.zone ~= "Z" then
        numeric = parts.zone:gsub(":", "")
        local seconds = math.floor(gotime.epoch(text))
        -- Go calls the zone by its name only where the offset is the one that holds here at that time.
        name = os.date("%z", seconds) == numeric and os.date("%Z", seconds) or numeric
    end
    return ("%04d-%02d-%02d %02d:%02d:%02d%s %s %s"):format(parts.year, parts.month, parts.day, parts.hour,
        parts.minute, parts.second, fraction ~= "" and "." .. fraction or "", numeric, name)
end

return gotime
