-- Values for a chart, made from its own defaults, so that each chart is also judged with what people turn on: the same
-- defaults give the same variations.
local json = require "json"
local tables = require "tables"

local variations = {}

-- What stands empty in many charts and means the same in all of them.
local FILLINGS = {
    nodeSelector = { ["kubernetes.io/os"] = "linux", disk = "ssd" },
    tolerations = { { key = "dedicated", operator = "Equal", value = "a: b", effect = "NoSchedule" } },
    affinity = { nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution = { nodeSelectorTerms = {
        { matchExpressions = { { key = "zone", operator = "In", values = { "1", "yes" } } } } } } } },
    resources = { limits = { cpu = "500m", memory = "128Mi" }, requests = { cpu = 0.25, memory = 1000000000 } },
    podAnnotations = { ["example.com/a"] = "true", ["example.com/b"] = "1e3", note = "two\nlines\n" },
    annotations = { ["example.com/text"] = "x: \"y\" # z", ["example.com/url"] = "https://e.example/?a=b&c=<d>" },
    podLabels = { team = "a-b", ["example.com/tier"] = "back" },
    labels = { owner = "nobody", release = "0123" },
    commonLabels = { everywhere = "yes" },
    imagePullSecrets = { { name = "registry" } },
    extraArgs = { "--verbose" },
    env = { { name = "A", value = "1" } },
    extraEnv = { { name = "A", value = "{{ .Release.Name }}" } },
    priorityClassName = "high",
    topologySpreadConstraints = { { maxSkew = 1, topologyKey = "zone", whenUnsatisfiable = "DoNotSchedule" } },
    securityContext = { runAsUser = 1001, runAsNonRoot = true },
    podSecurityContext = { fsGroup = 65534 },
    tls = { { secretName = "tls", hosts = { "a.example", "*.b.example" } } },
    storageClass = "fast", storageClassName = "fast",
    existingSecret = "given", nameOverride = "other", fullnameOverride = "quite-another-name",
}

local FEATURES = { "ingress", "persist", "autoscal", "tls", "monitor", "polic", "budget", "route", "storage", "rbac",
    "metrics", "dashboard" }
local SWITCHES = { enabled = true, create = true, install = true }

local function is_feature(path)
    local text = path:lower()
    for _, word in ipairs(FEATURES) do
        if text:find(word, 1, true) then return true end
    end
    return false
end

local function is_empty(value)
    return value == json.null or value == "" or type(value) == "table" and next(value) == nil
end

-- Calls change(path, name, value) on each leaf of the maps, sorted; what it returns becomes the override of that leaf.
local function derive(defaults, change, path)
    local out, any = {}, false
    for _, name in ipairs(tables.keys(defaults)) do
        local value, here = defaults[name], path and path .. "." .. name or tostring(name)
        local new
        if type(value) == "table" and next(value) ~= nil and not tables.is_list(value) then
            new = derive(value, change, here)
        else
            new = change(here, tostring(name), value)
        end
        if new ~= nil then out[name], any = new, true end
    end
    return any and out or nil
end

-- A generator of its own: the same numbers on every machine and with every Lua.
local function random(seed)
    local state = seed
    return function(limit)
        state = (state * 1103515245 + 12345) % 2147483648
        return (state >> 8) % limit
    end
end

---Everything on that people turn on.
function variations.features(defaults)
    return derive(defaults, function(path, name, value)
        if value == false and SWITCHES[name] and is_feature(path) then return true end
    end)
end

---What is empty filled in.
function variations.filled(defaults)
    return derive(defaults, function(_, name, value)
        local filling = FILLINGS[name]
        if filling and is_empty(value) and (value == json.null or type(value) == type(filling)) then return filling end
    end)
end

---A third of the switches turned.
function variations.turned(defaults, seed)
    local next_number = random(seed)
    return derive(defaults, function(_, _, value)
        if type(value) == "boolean" and next_number(3) == 0 then return not value end
    end)
end

local ODD = { "", "0", "true", "null", "~", "1e3", "0x1f", "a: b", "- x", "#x", "it's", '"q"', "line\nline\n", " x ", "é世",
    "{{ .Release.Name }}", "v1.2.3", "10%", "@", "2024-01-01", "=", "012" }
local NUMBERS = { 0, 1, -1, 3, 8080, 1000000, 123456789012, 0.5, 1e21, 100.0 }

---Some of everything changed, whether it makes sense or not.
function variations.wild(defaults, seed)
    local next_number = random(seed)
    return derive(defaults, function(_, name, value)
        local dice = next_number(10)
        if type(value) == "boolean" then return dice < 3 and not value or nil end
        if is_empty(value) and FILLINGS[name] and dice < 4 then return FILLINGS[name] end
        if dice > 0 then return nil end
        if type(value) == "string" then return ODD[next_number(#ODD) + 1] end
        if type(value) == "number" then return NUMBERS[next_number(#NUMBERS) + 1] end
        if value == json.null then return next_number(2) == 0 and ODD[next_number(#ODD) + 1] or next_number(100) end
        if is_empty(value) and json.is_list(value) then return json.list { ODD[next_number(#ODD) + 1] } end
        if is_empty(value) then return { a = ODD[next_number(#ODD) + 1], b = NUMBERS[next_number(#NUMBERS) + 1] } end
    end)
end

return variations
