-- What every description is made of: indented lines with aligned columns, labels, times, and the object's events.
local format = require "format"
local json = require "json"
local kube_table = require "kubectl.table"
local proc = require "proc"
local quantity = require "kubectl.quantity"
local tables = require "tables"
local tabwriter = require "tabwriter"

local LONGEST_ANNOTATION = 140

---@class todo.DescribeText
local Text = {}
Text.__index = Text

local text = {}

---@return todo.DescribeText
function text.new()
    local out = {}
    local self = setmetatable({ out = out, indent = 0 }, Text)
    self.writer = tabwriter.new(function(part) out[#out + 1] = part end, { min = 0, padding = 2, remember = false })
    return self
end

---The finished description.
---@return string
function Text:finish()
    self.writer:flush()
    return table.concat(self.out)
end

-- What Go prints of a field that is not there.
local function plain(value)
    if value == nil or value == json.null then return "" end
    return value
end

---@param level integer two spaces each
---@param pattern string of string.format; %s takes nil as nothing
---@param ... any
function Text:put(level, pattern, ...)
    local values = table.pack(...)
    for i = 1, values.n do values[i] = plain(values[i]) end
    local line = ("  "):rep(level + self.indent) .. pattern:format(table.unpack(values, 1, values.n))
    self.writer:text(kube_table.clean(line))
end

---"TITLE:" with one "key=value" a line.
---@param title string
---@param labels table<string, string>?
---@param indent string? before the title and the lines
---@param level integer? of every line
function Text:labels(title, labels, indent, level)
    indent, level = indent or "", level or 0
    self:put(level, "%s%s:\t", indent, title)
    local keys = tables.keys(labels or {})
    if #keys == 0 then return self:put(0, "<none>\n") end
    for i, key in ipairs(keys) do
        self:put(i > 1 and level or 0, "%s%s=%s\n", i > 1 and indent .. "\t" or "", key, labels[key])
    end
end

---@param title string
---@param annotations table<string, string>?
function Text:annotations(title, annotations)
    self:put(0, "%s:\t", title)
    local keys = tables.filter(tables.keys(annotations or {}), function(key)
        return key ~= "kubectl.kubernetes.io/last-applied-configuration"
    end)
    if #keys == 0 then return self:put(0, "<none>\n") end
    for i, key in ipairs(keys) do
        local value = annotations[key]:gsub("\n$", "")
        local start = i > 1 and "\t" or ""
        if #value + #key + 2 > LONGEST_ANNOTATION or value:find("\n", 1, true) then
            self:put(0, "%s%s:\n", start, key)
            for line in (value .. "\n"):gmatch("([^\n]*)\n") do
                local cut = LONGEST_ANNOTATION - 2
                self:put(0, "\t  %s\n", #line > cut and line:sub(1, cut) .. "..." or line)
            end
        else
            self:put(0, "%s%s: %s\n", start, key, value)
        end
    end
end

---A list of words, one a line, "<none>" where it is empty.
---@param title string
---@param words string[]
function Text:words(title, words)
    self:put(0, "%s:\t%s\n", title, words[1] or "<none>")
    for i = 2, #words do self:put(0, "\t%s\n", words[i]) end
end

---Name, namespace, labels, annotations.
---@param object table
function Text:head(object)
    local meta = object.metadata
    self:put(0, "Name:\t%s\n", meta.name)
    self:put(0, "Namespace:\t%s\n", meta.namespace)
    self:labels("Labels", meta.labels)
    self:annotations("Annotations", meta.annotations)
end

---A table of conditions with the given columns.
---@param conditions table[]?
---@param columns { [1]: string, [2]: string }[] header and field; fields that end with Time are times
function Text:conditions(conditions, columns)
    if not conditions or #conditions == 0 then return end
    local headers, lines = {}, {}
    for i, column in ipairs(columns) do
        headers[i] = column[1]
        lines[i] = column[3] or ("-"):rep(#column[1])
    end
    self:put(0, "Conditions:\n")
    self:put(1, "%s\n", table.concat(headers, "\t"))
    self:put(1, "%s\n", table.concat(lines, "\t"))
    for _, condition in ipairs(conditions) do
        local cells = {}
        for i, column in ipairs(columns) do
            local value = condition[column[2]]
            cells[i] = column[2]:find("Time$") and text.date(value) or plain(value)
        end
        self:put(1, "%s\n", table.concat(cells, columns.separator or "\t"))
    end
end

---"Mon, 02 Jan 2006 15:04:05 +0000" in local time.
---@param timestamp string?
---@return string
function text.date(timestamp)
    local seconds = format.epoch(timestamp)
    if not seconds then return "Mon, 01 Jan 0001 00:00:00 +0000" end
    return os.date("%a, %d %b %Y %H:%M:%S %z", math.floor(seconds)) --[[@as string]]
end

---@param timestamp string?
---@return string
function text.age(timestamp)
    local seconds = format.epoch(timestamp)
    return seconds and format.age(proc.time() - seconds) or "<unknown>"
end

---The canonical form of a quantity; "0" where there is none.
---@param value any
---@return string
function text.quantity(value)
    local amount = quantity.parse(value)
    return amount and quantity.text(amount) or "0"
end

---"key=value,tier in (a,b)", as a label selector (matchLabels, matchExpressions) prints.
---@param selector table?
---@return string
function text.selector(selector)
    local words = {}
    for key, value in pairs(selector and selector.matchLabels or {}) do words[#words + 1] = { key, key .. "="
        .. value } end
    for _, one in ipairs(selector and selector.matchExpressions or {}) do
        local values = table.move(one.values or {}, 1, #(one.values or {}), 1, {})
        table.sort(values)
        local list = ("(%s)"):format(table.concat(values, ","))
        local forms = { In = ("%s in %s"):format(one.key, list), NotIn = ("%s notin %s"):format(one.key, list),
            Exists = one.key, DoesNotExist = "!" .. one.key }
        words[#words + 1] = { one.key, forms[one.operator] }
    end
    table.sort(words, function(a, b) return a[1] < b[1] end)
    return table.concat(tables.map(words, function(word) return word[2] end), ",")
end

---The owner that controls an object.
---@param object table
---@return table? reference
function text.controller(object)
    for _, owner in ipairs(object.metadata.ownerReferences or {}) do
        if owner.controller == true then return owner end
    end
end

---When an event happened first and last, and how often: "3m (x4 over 10m)".
---@param event table
---@return string
function text.event_interval(event)
    local first = event.eventTime and event.eventTime ~= json.null and event.eventTime or event.firstTimestamp
    if event.series then
        return ("%s (x%d over %s)"):format(text.age(event.series.lastObservedTime), event.series.count or 0,
            text.age(first))
    elseif (tonumber(event.count) or 0) > 1 then
        return ("%s (x%d over %s)"):format(text.age(event.lastTimestamp), event.count, text.age(first))
    end
    return text.age(first)
end

---When an event happened last, in seconds since the epoch.
---@param event table
---@return number
function text.event_time(event)
    local at = event.series and event.series.lastObservedTime or event.lastTimestamp
    return format.epoch(at) or format.epoch(event.eventTime) or 0
end

---@param events table[]?
function Text:events(events)
    if not events then return end
    if #events == 0 then return self:put(0, "Events:\t<none>\n") end
    self.writer:flush()
    require("kubectl.sort_by").stable(events, function(a, b) return text.event_time(a) < text.event_time(b) end)
    self:put(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n")
    self:put(1, "----\t------\t----\t----\t-------\n")
    for _, event in ipairs(events) do
        local source = event.source and event.source.component or event.reportingComponent
        local message = (event.message or ""):match("^%s*(.-)%s*$")
        local path = event.involvedObject.fieldPath
        self:put(1, "%s\t%s\t%s\t%s\t%s\n", event.type, event.reason, text.event_interval(event), source,
            path and path .. ": " .. message or message)
    end
end

return text
