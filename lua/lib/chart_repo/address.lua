-- URLs of repositories and charts: taken apart, resolved against another, compared, as Go's net/url and helm do it.
local address = {}

---@class todo.Address
---@field scheme string lower case; "" where there is none
---@field host string with its port, "" where there is none
---@field path string as it is written
---@field query string? without "?"

---@param text string
---@return todo.Address
function address.parse(text)
    local rest, scheme = text:match("^[^#]*"), ""
    local found, after = rest:match("^(%a[%w+.-]*):(.*)$")
    if found then scheme, rest = found:lower(), after end
    local before, query = rest:match("^([^?]*)%?(.*)$")
    if before then rest = before end
    local authority, path = rest:match("^//([^/]*)(.*)$")
    return { scheme = scheme, host = authority or "", path = path or rest, query = query }
end

---@param parts todo.Address
---@return string
function address.text(parts)
    return (parts.scheme ~= "" and parts.scheme .. ":" or "") .. (parts.host ~= "" and "//" .. parts.host or "")
        .. parts.path .. (parts.query and "?" .. parts.query or "")
end

---A path without ".", ".." and empty parts (package path of Go).
---@param path string
---@return string
function address.clean(path)
    local parts, rooted = {}, path:sub(1, 1) == "/"
    for part in path:gmatch("[^/]+") do
        if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
            table.remove(parts)
        elseif part ~= "." and not (part == ".." and rooted) then
            parts[#parts + 1] = part
        end
    end
    local text = (rooted and "/" or "") .. table.concat(parts, "/")
    return text == "" and "." or text
end

---@param text string
---@return boolean
function address.is_absolute(text) return address.parse(text).scheme ~= "" end

---A URL that an index names, which may be relative to its repository; the repository's query goes with it.
---@param base string
---@param reference string
---@return string
function address.resolve(base, reference)
    if address.is_absolute(reference) then return reference end
    local from, to = address.parse(base), address.parse(reference)
    if to.host ~= "" then
        return address.text { scheme = from.scheme, host = to.host, path = to.path, query = from.query }
    end
    local path = to.path:sub(1, 1) == "/" and to.path or from.path:gsub("/$", "") .. "/" .. to.path
    local cleaned = address.clean(path)
    if path:sub(-1) == "/" and cleaned:sub(-1) ~= "/" then cleaned = cleaned .. "/" end
    return address.text { scheme = from.scheme, host = from.host, path = cleaned, query = from.query }
end

---A URL with path components behind it; what is no URL is joined as a path.
---@param base string
---@param ... string
---@return string
function address.join(base, ...)
    local parts = address.parse(base)
    local all = {}
    for _, part in ipairs { parts.path, ... } do
        if part ~= "" then all[#all + 1] = part end
    end
    if #all > 0 then
        parts.path = address.clean(table.concat(all, "/"))
        if parts.host ~= "" and parts.path:sub(1, 1) ~= "/" then parts.path = "/" .. parts.path end
    end
    return address.text(parts)
end

---@param a string
---@param b string
---@return boolean
function address.equal(a, b)
    local function normal(text)
        local parts = address.parse(text)
        parts.path = address.clean(parts.path == "" and "/" or parts.path)
        return address.text(parts)
    end
    return normal(a) == normal(b)
end

---Whether both lead to one server.
---@param a string
---@param b string
---@return boolean
function address.same_origin(a, b)
    local x, y = address.parse(a), address.parse(b)
    return x.scheme == y.scheme and x.host == y.host
end

---The last part of its path, decoded: a file's name.
---@param text string
---@return string
function address.file_name(text)
    local path = address.parse(text).path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    return path:gsub("/+$", ""):match("[^/]*$")
end

return address
