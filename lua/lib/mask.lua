-- What of values and objects is not for the screen, told by names and shapes. (The redactor knows the texts that this
-- program was given as secrets; this is for those that it only meets.)
local json = require "json"
local secret = require "secret"
local tables = require "tables"

local mask = {}

mask.TEXT = "•••"

-- Parts of names, without dashes and in lower case. What only names a secret or says where it lies is no secret itself.
local telling = { "password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey", "accesskey",
    "credential", "databaseurl", "connectionstring", "dsn" }
local harmless = { "^existing", "name$", "names$", "ref$", "key$", "keys$", "path$", "file$", "pullsecrets?$", "type$",
    "namespace$", "enabled$", "annotations$", "labels$", "mount", "create$" }
-- Names that end in "key" and are secret nevertheless.
local keys = { apikey = true, privatekey = true, accesskey = true, secretkey = true, secretaccesskey = true }

---Whether what stands under a key of this name is likely to be a secret.
---@param key any
---@return boolean
function mask.is_secret_key(key)
    if type(key) ~= "string" then return false end
    local plain = key:lower():gsub("[-_.]", "")
    for name in pairs(keys) do
        if plain:sub(-#name) == name then return true end
    end
    for _, pattern in ipairs(harmless) do
        if plain:find(pattern) then return false end
    end
    for _, part in ipairs(telling) do
        if plain:find(part, 1, true) then return true end
    end
    return false
end

---Whether one of the keys on the way to a value tells that it is secret.
---@param path any[]
---@return boolean
function mask.is_secret_path(path)
    for _, key in ipairs(path) do
        if mask.is_secret_key(key) then return true end
    end
    return false
end

-- A text that holds a secret whatever its name: a private key, an address with a password in it.
local function masked_text(text)
    if text:find("-----BEGIN [%u ]*PRIVATE KEY") then return mask.TEXT end
    return (text:gsub("(%a[%w+.-]*://[^:/?#@%s]*):([^/?#@%s]+)@", "%1:" .. mask.TEXT .. "@"))
end

---A copy for people: what is likely to be secret becomes "•••", with the shape of maps and lists kept.
---@param value any
---@param hidden boolean? whether the value's own name tells that it is secret
---@return any
function mask.value(value, hidden)
    if secret.is(value) then return mask.TEXT end
    if type(value) == "string" then
        if value == "" then return value end
        return hidden and mask.TEXT or masked_text(value)
    end
    if type(value) == "number" then return hidden and mask.TEXT or value end
    if type(value) ~= "table" or value == json.null then return value end
    local copy = json.is_list(value) and json.list {} or {}
    for key, item in pairs(value) do copy[key] = mask.value(item, hidden or mask.is_secret_key(key)) end
    return copy
end

-- A Secret, also one of a list, whose items do not say their kind: only Secrets have both data and a type.
local function is_secret_object(value)
    if value.kind ~= nil then return value.kind == "Secret" end
    return type(value.metadata) == "table" and type(value.type) == "string"
        and (type(value.data) == "table" or type(value.stringData) == "table")
end

local LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

local function masked_secret(object)
    local copy = {}
    for key, item in pairs(object) do copy[key] = item end
    for _, field in ipairs { "data", "stringData" } do
        if type(object[field]) == "table" then copy[field] = mask.value(object[field], true) end
    end
    local annotations = type(object.metadata) == "table" and object.metadata.annotations
    if type(annotations) == "table" and annotations[LAST_APPLIED] then
        copy.metadata = tables.copy(object.metadata)
        copy.metadata.annotations[LAST_APPLIED] = mask.TEXT
    end
    return copy
end

---A value with the contents of every Secret in it masked, at any depth; what holds none is returned as it is. What the
---Secrets hold is masked in everything that the program writes from here on.
---@param value any
---@param seen table<table, boolean>? tables on the way
---@return any
function mask.objects(value, seen)
    local meta = getmetatable(value)
    if type(value) ~= "table" or type(meta) == "table" and meta.__tostring then return value end
    seen = seen or {}
    if seen[value] then return value end
    if is_secret_object(value) then
        mask.learn { { kind = "Secret", data = value.data, stringData = value.stringData } }
        return masked_secret(value)
    end
    local copy
    seen[value] = true
    for key, item in pairs(value) do
        local shown = mask.objects(item, seen)
        if shown ~= item and not copy then
            copy = json.is_list(value) and json.list {} or {}
            for k, v in pairs(value) do copy[k] = v end
        end
        if copy then copy[key] = shown end
    end
    seen[value] = nil
    return copy or value
end

---From here on everything that these objects' Secrets hold is masked wherever the program writes it.
---@param objects table[]
function mask.learn(objects)
    for _, object in ipairs(objects) do
        if type(object) == "table" and object.kind == "Secret" then
            for _, text in pairs(type(object.data) == "table" and object.data or {}) do
                local ok, plain = pcall(secret.unbase64, text)
                if ok and #plain > 0 then secret.new(plain) end
            end
            for _, text in pairs(type(object.stringData) == "table" and object.stringData or {}) do
                if type(text) == "string" and text ~= "" then secret.new(text) end
            end
        end
    end
end

local function path_of(text)
    local path = {}
    for key in text:gmatch("[^.%[%]]+") do path[#path + 1] = key end
    return path
end

---A flag such as "--set a.password=x,b=y" with its secrets masked.
---@param flag string
---@return string
function mask.flag(flag)
    local name, rest = flag:match("^(%-%-set%-?%a*) (.*)$")
    if not name then return flag end
    if name == "--set" or name == "--set-string" then
        return name .. " " .. rest:gsub("([^=,]+)=([^,]*)", function(key, value)
            if value ~= "" and mask.is_secret_path(path_of(key)) then return key .. "=" .. mask.TEXT end
            return key .. "=" .. masked_text(value)
        end)
    end
    local key, value = rest:match("^([^=]*)=(.*)$")
    if not key or name == "--set-file" then return flag end
    -- JSON may hold secrets at any depth, and is not taken apart here.
    local telling_value = mask.is_secret_path(path_of(key)) or name == "--set-json" and value:find('[Pp]ass')
    local ok, decoded = pcall(json.decode, value)
    if name == "--set-json" and ok and type(decoded) == "table" then
        value = json.encode(mask.value(decoded, mask.is_secret_path(path_of(key))), { secrets = "mask" })
    else
        value = telling_value and mask.TEXT or masked_text(value)
    end
    return ("%s %s=%s"):format(name, key, value)
end

return mask
